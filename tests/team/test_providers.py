"""Identity providers that run as programs of their own, and a client of the SDK that finds its way by itself."""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from barrack_mcp.catalogue import OFFERS, Risk
from barrack_mcp.config.callers import Callers
from barrack_mcp.config.identity import Proof
from barrack_mcp.transports.login import issuer as provider
from barrack_mcp.transports.login.credentials import Credentials
from tests.support import issuer as own
from tests.support.callers import served
from tests.support.patience import PATIENT_S

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

BACK = "http://127.0.0.1:1/back"


@asynccontextmanager
async def running(*words: str, port: int) -> AsyncIterator[str]:
    """Run a provider as a process, until it answers; gives its address."""
    url = f"http://127.0.0.1:{port}"
    quiet = subprocess.DEVNULL
    async with await anyio.open_process([sys.executable, *words], stdout=quiet, stderr=quiet) as process:
        try:
            async with httpx2.AsyncClient() as http:
                with anyio.fail_after(PATIENT_S):
                    while True:
                        try:
                            await http.get(f"{url}/.well-known/openid-configuration")
                            break
                        except httpx2.ConnectError:
                            await anyio.sleep(0.05)
            yield url
        finally:
            process.terminate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


class Kept:
    """Keeps what a client was given, in memory."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@pytest.mark.promise("R4")
async def test_a_client_of_the_sdk_that_knows_the_address_alone_gets_its_token_and_a_better_one_when_told(
    tmp_path: Path,
) -> None:
    port = free_port()
    # the address of the server is its audience, and isn't known before it listens
    settings = {"BARRACK_OIDC_ISSUER": f"http://127.0.0.1:{port}", "BARRACK_OIDC_AUDIENCE": "at-the-server"}
    settings |= {"BARRACK_UNATTENDED": "interrupt"}
    program = (str(Path(own.__file__)), str(port), "at-the-server")
    async with running(*program, port=port) as issuer, served(tmp_path, {"bot": ()}, **settings) as made:
        asked: list[set[str]] = []
        came: list[str] = []

        async def sign_in(url: str) -> None:
            asked.append(set(parse_qs(urlsplit(url).query)["scope"][0].split()))
            async with httpx2.AsyncClient() as browser:
                came.append((await browser.get(url)).headers["location"])

        async def come_back() -> AuthorizationCodeResult:
            told = parse_qs(urlsplit(came[-1]).query)
            return AuthorizationCodeResult(code=told["code"][0], state=told["state"][0])

        kept = Kept()
        metadata = OAuthClientMetadata(
            redirect_uris=[AnyUrl(BACK)],
            token_endpoint_auth_method="none",
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
        )
        for path in ("/mcp", "/mcp/readonly"):
            auth = OAuthClientProvider(f"{made.url}{path}", metadata, kept, sign_in, come_back)
            async with (
                httpx2.AsyncClient(auth=auth, timeout=PATIENT_S) as http,
                Client(streamable_http_client(f"{made.url}{path}", http_client=http)) as client,
            ):
                reads = {name for name, each in OFFERS.items() if each.reads}
                expected = reads if path != "/mcp" else set(OFFERS)
                assert {tool.name for tool in (await client.list_tools()).tools} == expected
        assert len(came) == 1
        # one that is good for reads alone asks for more when it calls
        assert kept.tokens is not None
        narrow = Kept()
        narrow.client = kept.client
        metadata = metadata.model_copy(update={"scope": "barrack:read"})
        auth = OAuthClientProvider(f"{made.url}/mcp", metadata, narrow, sign_in, come_back)
        wanted = {"aud": "at-the-server", "scope": "barrack:read"}
        async with httpx2.AsyncClient() as http:
            told = (await http.post(f"{issuer}/mint", json=wanted)).json()
        narrow.tokens = OAuthToken(access_token=told["access_token"], token_type="Bearer", expires_in=300)
        async with (
            httpx2.AsyncClient(auth=auth, timeout=PATIENT_S) as http,
            Client(streamable_http_client(f"{made.url}/mcp", http_client=http)) as client,
        ):
            done = await client.call_tool("stop_instance", {"instance_id": "train-1"})
            assert (done.structured_content or {})["outcome"] == "done"
        # all that there is at first, and then what the call lacked beside what the token had
        assert asked == [{f"barrack:{risk}" for risk in Risk}, {"barrack:read", "barrack:interrupt"}]


async def test_a_provider_of_somebody_elses_making_signs_people_in() -> None:
    port = free_port()
    async with running("-m", "oidc_provider_mock", "--port", str(port), port=port) as url:
        issuer = provider.Issuer(url, audience="https://bot.example.com/mcp")
        known = Credentials(Callers(), issuer)
        told = await issuer.provider()
        assert told.authorization is not None
        assert told.token is not None
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": "page",
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": "openid email",
            "nonce": nonce,
            "state": "s",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        async with httpx2.AsyncClient() as browser:
            came = await browser.post(told.authorization, params=asked, data={"sub": "ada@example.com"})
            code = parse_qs(urlsplit(came.headers["location"]).query)["code"][0]
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier}
            tokens = (await browser.post(told.token, data={**form, "client_id": "page"}, auth=("page", "x"))).json()
        token = tokens["id_token"]
        who = await known.of_id_token(token, client_id="page", nonce=nonce)
        assert who is not None
        assert (who.name, who.proof) == ("ada@example.com", Proof.ISSUER)
        assert await known.of_id_token(token, client_id="page", nonce="other") is None
        assert await known.of_id_token(token, client_id="other", nonce=nonce) is None
        # neither it nor a token that only the provider can read is good for calls
        assert await known.of_token(token) is None
        assert await known.of_token(tokens["access_token"]) is None
