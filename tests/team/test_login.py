"""Who somebody is who comes by HTTP: by the file, by the identity provider, and on whose behalf they say they come."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from mcp import Client
from mcp.client.sse import sse_client
from starlette.types import Receive, Scope, Send

from barrack_mcp.catalogue import OFFERS, Risk
from barrack_mcp.config import SettingsError, read_settings
from barrack_mcp.config.callers import Callers
from barrack_mcp.config.identity import Identity, Proof, UnknownYetError, claim
from barrack_mcp.guard.approvals.approvers import Approvers, Person
from barrack_mcp.server.house import open_server
from barrack_mcp.simulator import create_app
from barrack_mcp.state.store import Approval, Status
from barrack_mcp.transports.login import issuer as provider
from barrack_mcp.transports.login import open_gate
from barrack_mcp.transports.login.credentials import Credentials
from barrack_mcp.transports.login.resource import Resource
from barrack_mcp.transports.web import sse_app
from tests.support.callers import Served, served
from tests.support.house import ERAS
from tests.support.issuer import AUDIENCE, Issuer, keyed, private_key, public, sign, unsigned
from tests.support.listening import listening
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

each_era = pytest.mark.parametrize("era", ERAS)
ALL = "barrack:read barrack:change barrack:spend barrack:interrupt barrack:expose barrack:destroy"
READ_INSTANCES = ('risks = ["read", "interrupt"]', 'toolsets = ["instances"]')
REQUEST = Approval(
    id="a-1",
    binding="b",
    caller="ci-bot",
    tool="stop_instance",
    arguments={},
    plan={},
    must_type=None,
    fingerprint="f",
    status=Status.PENDING,
    created_at=1.0,
    expires_at=2.0,
)


@dataclass
class Team:
    """A server, its identity provider, and the API behind it."""

    served: Served
    issuer: Issuer
    api: str

    async def requests(self) -> int:
        """How many requests the API received."""
        async with httpx2.AsyncClient() as http:
            told: Any = (await http.get(f"{self.api}/_sim/requests")).json()
        return len(told["requests"] if isinstance(told, dict) else told)

    async def ask(self, token: str, tool: str = "get_credit_balance", path: str = "/mcp") -> httpx2.Response:
        """Call a tool in the newer era, without a client."""
        return await self.served.ask(path, [("authorization", f"Bearer {token}"), *naming(tool)], json=call(tool))


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def naming(tool: str) -> list[tuple[str, str]]:
    return [
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", tool),
    ]


@asynccontextmanager
async def team(folder: Path, *algorithms: str, rows: str = "", **settings: str) -> AsyncIterator[Team]:
    """Serve a simulator for whoever an identity provider knows."""
    made = Issuer(*algorithms)
    async with listening(made.app) as made.url, listening(create_app()) as api:
        given = {
            "BARRACK_SIMULATOR": "",
            "BARRACK_API_URL": f"{api}/api",
            "BARRACK_API_KEY": "sim-key",
            "BARRACK_OIDC_ISSUER": made.url,
            "BARRACK_OIDC_AUDIENCE": AUDIENCE,
            **settings,
        }
        async with served(folder, {"bot": ()}, rows=rows, **given) as server:
            yield Team(server, made, api)


def test_a_request_that_names_nobody_else_is_kept_as_earlier_versions_kept_it() -> None:
    text = REQUEST.to_json()
    assert "on_behalf_of" not in json.loads(text)
    assert Approval.from_json(text).to_json() == text
    claimed = replace(REQUEST, on_behalf_of="ada")
    assert Approval.from_json(claimed.to_json()) == claimed


@pytest.mark.parametrize("name", ["ada", "https://login.example/u/1", "team\\ada", "<ada>", "a" * 255])
def test_whoever_is_claimed_to_be_acted_for_approves_none_of_it_however_their_name_is_shown(name: str) -> None:
    claimed = replace(REQUEST, on_behalf_of=claim(name))
    assert Approvers().why_not(Person(name=name, approver=True), claimed) is not None
    assert Approvers().why_not(Person(name="eve", approver=True), claimed) is None


@pytest.mark.promise("H1")
@pytest.mark.promise("R4")
async def test_no_token_but_one_that_the_issuer_signed_for_this_server_lets_anybody_in(tmp_path: Path) -> None:
    async with team(tmp_path, "RS256", "ES256") as made:
        issuer, now = made.issuer, int(time.time())
        good = issuer.token(scope=ALL)
        claims = jwt.decode(good, options={"verify_signature": False})
        kid = "k-RS256"
        secret = private_key("RS256").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        own = public("evil", "RS256", private_key("RS256", "evil"))
        header, payload, signature = good.split(".")
        other_payload = unsigned({**claims, "sub": "root"}, {}).split(".")[1]
        wrong = {
            "expired": issuer.token(scope=ALL, exp=now - 60),
            "not yet": issuer.token(scope=ALL, nbf=now + 120),
            "made later": issuer.token(scope=ALL, iat=now + 120),
            "other audience": issuer.token(scope=ALL, aud="https://other.example/mcp"),
            "audience begins alike": issuer.token(scope=ALL, aud=f"{AUDIENCE}/more"),
            "other audiences": issuer.token(scope=ALL, aud=["a", "b"]),
            "other issuer": issuer.token(scope=ALL, iss="https://evil.example"),
            "issuer with a slash more": issuer.token(scope=ALL, iss=f"{issuer.url}/"),
            **{f"no {claim}": issuer.token(scope=ALL, **{claim: None}) for claim in ("exp", "aud", "iss", "sub")},
            "subject is a number": sign(private_key("RS256"), "RS256", {**claims, "sub": "a\nb"}, {"kid": kid}),
            "none": unsigned(claims, {"alg": "none", "typ": "JWT"}),
            "None": unsigned(claims, {"alg": "None", "kid": kid}, b"x"),
            "no algorithm": unsigned(claims, {"kid": kid}, b"x"),
            "an algorithm that is a list": unsigned(claims, {"alg": ["RS256"], "kid": kid}, b"x"),
            "keyed by what is public": keyed(secret, claims, {"kid": kid}),
            "another key": sign(private_key("RS256", "evil"), "RS256", claims, {"kid": kid}),
            "another key, by its own name": sign(private_key("RS256", "evil"), "RS256", claims, {"kid": "evil"}),
            "another key, by no name": sign(private_key("RS256", "evil"), "RS256", claims),
            "a key that it brings": sign(
                private_key("RS256", "evil"),
                "RS256",
                claims,
                {"kid": "evil", "jwk": own, "jku": "https://evil.example"},
            ),
            "another key's algorithm": sign(private_key("RS256"), "PS256", claims, {"kid": kid}),
            "another key's name": sign(private_key("RS256"), "RS256", claims, {"kid": "k-ES256"}),
            "something critical": issuer.token(scope=ALL, header={"crit": ["exp"], "exp": now}),
            "a key name that is a path": issuer.token(scope=ALL, header={"kid": "../../dev/null"}),
            "what ends a session": issuer.token(scope=ALL, header={"typ": "logout+jwt"}),
            "cut": good[:-4],
            "another's words": f"{header}.{other_payload}.{signature}",
            "unsigned": f"{header}.{payload}.",
            "two parts": f"{header}.{payload}",
            "five parts": f"{good}.a.b",
            "deep": f"{unsigned({}, {}).split('.', maxsplit=1)[0]}{'W1tb' * 3000}.{payload}.{signature}",
            "long": good + "A" * 20_000,
        }
        before = await made.requests()
        statuses = {why: (await made.ask(token)).status_code for why, token in wrong.items()}
        assert statuses == dict.fromkeys(wrong, 401)
        twice = [("authorization", f"Bearer {good}")] * 2
        assert await made.served.status(headers=[*twice, *naming("list_volumes")], json=call("list_volumes")) == 401
        for path in (f"/mcp?access_token={good}", f"/mcp?a=1&access%5Ftoken={good}"):
            for headers in ([], [("authorization", f"Bearer {good}")]):
                sent = [*headers, *naming("list_volumes")]
                assert await made.served.status(path, sent, json=call("list_volumes")) == 401
        assert await made.requests() == before
        assert (await made.ask(good)).json()["result"]["structuredContent"]["balance"]
        assert await made.requests() > before


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "ES384", "EdDSA"])
async def test_whatever_asymmetric_algorithm_an_issuer_signs_with_its_tokens_are_read(
    tmp_path: Path, algorithm: str
) -> None:
    async with team(tmp_path, algorithm) as made:
        for token in (
            made.issuer.token(scope="openid barrack:read"),
            made.issuer.token(scp=["barrack:read"], header={"kid": None}),
            made.issuer.token(scp="barrack:read", aud=[AUDIENCE, "other"], header={"typ": "at+jwt"}, nbf=None),
        ):
            assert (await made.ask(token)).status_code == 200


@pytest.mark.promise("R4")
async def test_a_client_is_told_where_to_get_a_token_and_what_it_is_good_for(tmp_path: Path) -> None:
    async with team(tmp_path, BARRACK_READ_ONLY="1") as made:
        refused = await made.served.ask(json={})
        place = f"{made.served.url}/.well-known/oauth-protected-resource"
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer ")
        assert f'resource_metadata="{place}/mcp"' in refused.headers["www-authenticate"]
        async with httpx2.AsyncClient() as http:
            for address in (place, f"{place}/mcp", f"{place}/mcp/readonly"):
                told = (await http.get(address)).json()
                assert told["resource"] == f"{made.served.url}/mcp"
                assert told["authorization_servers"] == [made.issuer.url]
                assert told["scopes_supported"] == ["barrack:read"]
                assert told["bearer_methods_supported"] == ["header"]
            assert (await http.post(place)).status_code == 405
            named = (await http.get(place, headers={"host": "bot.example.com"})).json()
            assert named["resource"] == AUDIENCE
            assert (await http.get(place, headers={"host": "evil.example"})).status_code == 421
            assert (await http.get(f"{place}other")).status_code == 401
            # /metrics is asked for by whatever name leads to it; none of it is told on
            for name in ("[", 'evil"', "evil.example/x", "a b"):
                counts = await http.get(f"{made.served.url}/metrics", headers={"host": name})
                assert counts.status_code in (401, 404)
                assert "evil" not in counts.headers.get("www-authenticate", "")
    resource = Resource(path="/mcp", issuer="https://login.example.com", scopes=())
    assert resource.where({"type": "http", "headers": []}) == (
        "http://localhost/.well-known/oauth-protected-resource/mcp"
    )
    async with team(tmp_path, BARRACK_PUBLIC_URL="https://bot.example.com") as made, httpx2.AsyncClient() as http:
        told = (await http.get(f"{made.served.url}/.well-known/oauth-protected-resource")).json()
        assert told["resource"] == AUDIENCE
        assert len(told["scopes_supported"]) == len(Risk)


@each_era
async def test_what_a_caller_may_is_what_their_row_says_as_far_as_their_token_is_good_for_it(
    tmp_path: Path, era: str
) -> None:
    rows = """
        [staff]
        group = "staff"
        risks = ["read"]
        [Ada]
        subject = "ada"
        toolsets = ["volumes"]
        [ops]
        group = "ops"
        toolsets = ["instances"]
    """
    everything = set(OFFERS)
    reads = {name for name, each in OFFERS.items() if each.reads}
    of = {kind: {name for name, each in OFFERS.items() if each.toolset == kind} for kind in ("volumes", "instances")}
    shown: list[tuple[dict[str, Any], set[str]]] = [
        ({"sub": "ada"}, of["volumes"]),
        ({"sub": "ada", "groups": ["staff"]}, of["volumes"]),
        ({"sub": "ada", "scope": "barrack:read"}, of["volumes"] & reads),
        ({"sub": "bob", "groups": ["ops", "staff"]}, reads),
        ({"sub": "bob", "groups": "ops"}, of["instances"]),
        ({"sub": "bob", "groups": ["other", 7, None], "scope": "openid barrack:read"}, reads),
        ({"sub": "bob", "scope": ALL}, everything),
        ({"sub": "bob", "scope": "barrack:everything barrack:read"}, reads),
        ({"sub": "bob", "scope": "barrack:everything"}, set()),
    ]
    async with team(tmp_path, rows=rows) as made:
        for claims, expected in shown:
            token = made.issuer.token(**claims)
            async with made.served.client("", token=token, mode=era) as client:
                assert {tool.name for tool in (await client.list_tools()).tools} == expected, claims
        # known, but nothing says what they may; or by a name that is another's
        nothing: list[dict[str, Any]] = [
            {"sub": "eve"},
            {"sub": "eve", "scope": "openid"},
            *({"sub": name, "scope": ALL} for name in ("bot", "Ada", "staff", "reap", "local:0")),
        ]
        for claims in nothing:
            refused = await made.ask(made.issuer.token(**claims))
            assert refused.status_code == 403, claims
            assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
        # what can't be followed lets nobody in, whatever their token is good for
        made.served.desk.path.write_text("nonsense", encoding="utf-8")
        assert (await made.ask(made.issuer.token(scope=ALL))).status_code == 403


@each_era
@pytest.mark.promise("R4")
async def test_a_tool_for_which_a_token_is_not_good_asks_for_one_that_is_and_is_not_run(
    tmp_path: Path, era: str
) -> None:
    rows = "\n".join(['["of ada"]', 'subject = "ada"', *READ_INSTANCES]).replace("of ada", "ada-row")
    settings = {"BARRACK_UNATTENDED": "interrupt"}
    async with team(tmp_path, rows=rows, **settings) as made:
        token = made.issuer.token(scope="barrack:read")
        before = await made.requests()
        if era == "legacy":
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "stop_instance"}}
            headers = [("authorization", f"Bearer {token}"), ("accept", "application/json, text/event-stream")]
            refused = await made.served.ask(headers=headers, json=body)
            listed = await made.served.ask(headers=headers, json=[{**body, "params": {"name": "list_volumes"}}, body])
            assert listed.status_code == 403
        else:
            refused = await made.ask(token, "stop_instance")
        assert refused.status_code == 403
        challenge = refused.headers["www-authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert 'scope="barrack:interrupt barrack:read"' in challenge
        assert "resource_metadata=" in challenge
        # what no scope would open is no tool at all
        async with made.served.client("", token=token, mode=era) as client:
            for tool in ("delete_instance", "delete_volume", "list_volumes"):
                with pytest.raises(Exception, match="Unknown tool"):
                    await client.call_tool(tool, {})
        assert await made.requests() == before
        more = made.issuer.token(scope="barrack:read barrack:interrupt")
        async with made.served.client("", token=more, mode=era) as client:
            done = await client.call_tool("stop_instance", {"instance_id": "train-1"})
            assert (done.structured_content or {})["outcome"] == "done"


async def test_a_token_of_the_file_and_one_of_the_issuer_let_in_side_by_side(tmp_path: Path) -> None:
    async with team(tmp_path) as made:
        assert (await made.ask(made.served.desk.tokens["bot"])).status_code == 200
        assert (await made.ask(made.issuer.token(scope=ALL))).status_code == 200
        assert (await made.ask(made.served.desk.tokens["bot"][:-1] + "x")).status_code == 401
        # nobody asked the issuer about what is not its own
        assert made.issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_an_issuer_that_is_down_keeps_those_in_whose_key_is_known_and_lets_nobody_else_in(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as made:
        made.issuer.down = True
        unheard = await made.ask(made.issuer.token(scope=ALL))
        assert unheard.status_code == 503
        assert int(unheard.headers["retry-after"]) > 0
        assert await made.requests() == 0


async def test_keys_are_read_when_they_are_needed_and_never_more_often_than_is_fair() -> None:
    issuer = Issuer()
    async with listening(issuer.app) as issuer.url:
        seldom = provider.Issuer(issuer.url, audience=AUDIENCE)
        assert issuer.asked == []
        for number in range(20):
            assert await seldom.access(issuer.token())
            assert await seldom.access(issuer.token(header={"kid": f"made-up-{number}"})) is None
        assert len(issuer.asked) == 2
        soon = provider.Issuer(issuer.url, audience=AUDIENCE, between=0)
        old = issuer.token()
        assert await soon.access(old)
        issuer.rotate("k-2")
        assert await soon.access(issuer.token())
        # what the issuer took back is good no more
        assert await soon.access(old) is None
        issuer.down = True
        assert await soon.access(issuer.token())
        issuer.rotate("k-3")
        with pytest.raises(UnknownYetError):
            await soon.access(issuer.token())
        issuer.down = False
        assert await soon.access(issuer.token())


async def test_a_caller_who_goes_while_keys_are_read_keeps_nobody_else_out() -> None:
    issuer, asked, go = Issuer(), anyio.Event(), anyio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asked.set()
            await go.wait()
        await issuer.app(scope, receive, send)

    async with listening(slow) as issuer.url, anyio.create_task_group() as tasks:
        known = provider.Issuer(issuer.url, audience=AUDIENCE)
        first = anyio.CancelScope()

        async def leave() -> None:
            with first:
                await known.access(issuer.token())

        tasks.start_soon(leave)
        await asked.wait()
        first.cancel()
        go.set()
        with anyio.fail_after(PATIENT_S):
            assert await known.access(issuer.token())


async def test_who_has_signed_in_is_known_by_the_token_of_that_sign_in_alone() -> None:
    issuer = Issuer()
    async with listening(issuer.app) as issuer.url:
        known = Credentials(Callers(), provider.Issuer(issuer.url, audience=AUDIENCE))

        async def of(claims: dict[str, Any], nonce: str = "n-1") -> Identity | None:
            return await known.of_id_token(issuer.token(**claims), client_id="page", nonce=nonce)

        signed_in: dict[str, Any] = {"aud": "page", "nonce": "n-1", "groups": ["ops"], "scope": ALL}
        assert await of(signed_in) == Identity("ada", Proof.ISSUER, groups=frozenset({"ops"}))
        for wrong in ({"nonce": "n-2"}, {"nonce": None}, {"aud": AUDIENCE}, {"aud": ["page", "other"]},
                      {"azp": "other"}, {"exp": 1}, {"iss": "https://evil.example"}):  # fmt: skip
            assert await of({**signed_in, **wrong}) is None, wrong
        assert await of({**signed_in, "nonce": ""}, nonce="") is None
        # neither is good for the other's place
        assert await known.of_token(issuer.token(**signed_in)) is None
        told = await known.issuer.provider() if known.issuer is not None else None
        assert told is not None
        assert told.authorization == f"{issuer.url}/authorize"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"BARRACK_OIDC_ISSUER": "https://login.example"}, "BARRACK_OIDC_ISSUER and BARRACK_OIDC_AUDIENCE go together"),
        ({"BARRACK_OIDC_AUDIENCE": "x"}, "BARRACK_OIDC_ISSUER and BARRACK_OIDC_AUDIENCE go together"),
        ({"BARRACK_OIDC_ISSUER": "http://login.example", "BARRACK_OIDC_AUDIENCE": "x"}, "BARRACK_OIDC_ISSUER must"),
    ],
)
async def test_an_issuer_that_could_not_be_trusted_is_refused_at_the_start(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    settings = {"BARRACK_SIMULATOR": "1", "BARRACK_STATE": str(tmp_path / "state.db"), **given}
    with pytest.raises(SettingsError, match=said):
        async with open_server(read_settings(settings), remote=True):
            pass


async def test_over_sse_a_token_of_the_issuer_lets_in_and_is_good_for_what_it_says(tmp_path: Path) -> None:
    async with team(tmp_path) as made:
        settings = read_settings(
            {
                "BARRACK_SIMULATOR": "1",
                "BARRACK_STATE": str(tmp_path / "sse.db"),
                "BARRACK_OIDC_ISSUER": made.issuer.url,
                "BARRACK_OIDC_AUDIENCE": AUDIENCE,
            }
        )
        async with open_server(settings, remote=True) as house:
            assert house.callers is not None
            gate = open_gate(settings, house.callers, "/sse")
            async with listening(sse_app(house.server, gate=gate)) as url:
                headers = {"Authorization": f"Bearer {made.issuer.token(scope='barrack:read')}"}
                async with Client(sse_client(f"{url}/sse", headers=headers), mode="legacy") as client:
                    assert {tool.name for tool in (await client.list_tools()).tools} == {
                        name for name, each in OFFERS.items() if each.reads
                    }
                async with httpx2.AsyncClient() as http:
                    refused = await http.get(f"{url}/sse")
                    assert refused.status_code == 401
                    assert "/oauth-protected-resource/sse" in refused.headers["www-authenticate"]
                    body = call("stop_instance")
                    assert (await http.post(f"{url}/messages/", json=body, headers=headers)).status_code == 403
