"""A server for a team behind TLS of this machine, its page and its callers, as a browser and bots reach them."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from playwright.async_api import Browser, BrowserContext, Page
from starlette.types import ASGIApp

from barrack_mcp.catalogue import JsonObject
from barrack_mcp.config import read_settings
from barrack_mcp.server.house import open_server
from barrack_mcp.simulator import create_app
from barrack_mcp.transports.login import open_gate
from barrack_mcp.transports.web import http_app
from stage import LONGEST_MS
from tests.support.callers import Desk
from tests.support.listening import listening

TEAM: Mapping[str, Sequence[str]] = {"ada": ("approver = true",), "grace": ("approver = true",), "eve": ()}


@dataclass
class Team:
    """A server for a team.

    Attributes:
        browser: What people look with.
        url: The public address.
        desk: Who may call.
        api: The simulator's address.
        trusts: Knows the server's certificate.
        complaints: What the page complained of on the browser's console.
    """

    browser: Browser
    url: str
    desk: Desk
    api: str
    trusts: ssl.SSLContext
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def call(self, name: str, tool: str = "stop_instance", **arguments: Any) -> JsonObject:
        """Call a tool as a caller does."""
        headers = {"Authorization": f"Bearer {self.desk.tokens[name]}"}
        async with (
            httpx2.AsyncClient(headers=headers, verify=self.trusts, timeout=60) as http,
            Client(streamable_http_client(f"{self.url}/mcp", http_client=http)) as client,
        ):
            told = await client.call_tool(tool, arguments or {"instance_id": "train-1"})
        return dict(told.structured_content or {})

    async def effects(self) -> list[str]:
        """The tools that took effect."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            told = (await http.get(f"{self.api}/_sim/journal")).json()
        return [each["operation"] for each in (told["journal"] if isinstance(told, dict) else told)]

    async def visit(self, path: str = "/", **options: Any) -> Page:
        """Open the page in a profile that nobody used."""
        context = await visitor(self.browser, **options)
        self.contexts.append(context)
        tab = await context.new_page()
        tab.on("console", lambda message: self._console(message.type, message.text, message.location["url"]))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        await tab.goto(f"{self.url}/approvals{path}")
        return tab

    async def sign_in(self, name: str, path: str = "/", **options: Any) -> Page:
        """Open the page, and paste a token."""
        tab = await self.visit(path, **options)
        await tab.get_by_label("token as a caller").fill(self.desk.tokens[name])
        await tab.get_by_role("button", name="Sign in").click()
        await tab.wait_for_url(f"{self.url}/approvals{path}")
        return tab

    def _console(self, kind: str, text: str, place: str) -> None:
        expected = text.startswith("Failed to load resource: the server responded with a status of ")
        if kind in {"error", "warning"} and place.startswith(self.url) and not expected:
            self.complaints.append(text)


async def visitor(browser: Browser, **options: Any) -> BrowserContext:
    """Open a profile that takes the certificate made here for good."""
    given: dict[str, Any] = {"locale": "en-GB", "timezone_id": "UTC", "viewport": {"width": 1200, "height": 900}}
    context = await browser.new_context(ignore_https_errors=True, **given | options)
    context.set_default_timeout(LONGEST_MS)
    return context


@asynccontextmanager
async def team(browser: Browser, folder: Path, **settings: str) -> AsyncIterator[Team]:
    """Serve the simulator to a team, over TLS as behind a proxy."""
    desk = Desk(folder / "callers.toml")
    for name, lines in TEAM.items():
        desk.let_in(name, *lines)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        url = f"https://localhost:{bound.getsockname()[1]}"
        async with listening(create_app()) as api:
            known = read_settings(
                {
                    "BARRACK_API_URL": f"{api}/api",
                    "BARRACK_API_KEY": "sim-key",
                    "BARRACK_STATE": str(folder / "state.db"),
                    "BARRACK_HTTP_TOKENS_FILE": str(desk.path),
                    "BARRACK_PUBLIC_URL": url,
                    **settings,
                }
            )
            async with open_server(known, remote=True) as house:
                assert house.callers is not None
                assert house.page is not None
                gate = open_gate(known, house.callers, "/mcp")
                page = house.page(gate.credentials)
                app = http_app(house.server, gate=gate, hosts=frozenset({url.removeprefix("https://")}), page=page)
                async with secured(app, bound, folder) as trusts:
                    made = Team(browser, url, desk, api, trusts)
                    try:
                        yield made
                    finally:
                        for context in made.contexts:
                            await context.close()


@asynccontextmanager
async def secured(app: ASGIApp, bound: socket.socket, folder: Path) -> AsyncIterator[ssl.SSLContext]:
    """Serve an application over TLS; gives what trusts it."""
    chain = folder / "tls.pem"
    chain.write_bytes(certify())
    config = uvicorn.Config(
        app, log_level="warning", http="h11", ws="none", ssl_certfile=chain, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield ssl.create_default_context(cafile=str(chain))
    finally:
        server.should_exit = True
        await running


def certify() -> bytes:
    """Make a key and a certificate of this machine, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + made.public_bytes(serialization.Encoding.PEM)


@asynccontextmanager
async def provider(*users: str) -> AsyncIterator[str]:
    """Run an identity provider as a process of its own; gives its issuer.

    Args:
        users: Whom it knows: their claims, as JSON.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    claims = [part for user in users for part in ("--user-claims", user)]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "-p", str(port), *claims]
    process = await anyio.open_process(command, stdout=None, stderr=None)
    try:
        async with httpx2.AsyncClient(trust_env=False) as http:
            with anyio.fail_after(60):
                while True:
                    try:
                        known = await http.get(f"http://127.0.0.1:{port}/.well-known/openid-configuration")
                        break
                    except httpx2.TransportError:
                        await anyio.sleep(0.1)
        yield str(known.json()["issuer"])
    finally:
        process.terminate()
        await process.wait()
