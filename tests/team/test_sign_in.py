"""People sign in to the approval page by the identity provider: a code with PKCE, and an ID token that is verified."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from barrack_mcp.catalogue import Risk
from barrack_mcp.config import SettingsError, read_settings
from barrack_mcp.server.house import open_server
from tests.page.conftest import text_of
from tests.support.browser import PUBLIC, Browser, browsing
from tests.support.callers import Served, served
from tests.support.issuer import AUDIENCE, Issuer
from tests.support.listening import listening

pytestmark = pytest.mark.anyio

ADA: Mapping[str, Sequence[str]] = {"ada": ()}
CLIENT = "approvals"
EVERY = " ".join(f"barrack:{risk}" for risk in Risk)
CALLBACK = f"{PUBLIC}/approvals/callback"
WAYS = {"BARRACK_OIDC_AUDIENCE": AUDIENCE, "BARRACK_OIDC_CLIENT_ID": CLIENT, "BARRACK_PUBLIC_URL": PUBLIC}


@dataclass
class Team:
    """A server, and the identity provider that people sign in at."""

    served: Served
    issuer: Issuer

    async def request(self) -> str:
        """Have ada, who calls by a token, ask for a yes; answers the request's id."""
        async with self.served.client("ada") as client:
            told = (await client.call_tool("stop_instance", {"instance_id": "train-1"})).structured_content or {}
        return str(told["approval"]["id"])

    async def sign_in(self, browser: Browser, *, to: str = "", **changed: str) -> httpx2.Response:
        """Go the whole way, as a browser does that is led; what the provider sends along may be changed."""
        led = await self.ask(browser, to=to)
        query = {name: values[0] for name, values in parse_qs(urlsplit(led).query).items()} | changed
        return await browser.get("/approvals/callback", params={name: each for name, each in query.items() if each})

    async def ask(self, browser: Browser, *, to: str = "") -> str:
        """Sign in at the provider; answers where it leads back to."""
        begun = await browser.open(f"/approvals/sign-in/issuer?to={to}")
        assert begun.status_code == 303
        async with httpx2.AsyncClient(trust_env=False) as provider:
            return str((await provider.get(begun.headers["location"])).headers["location"])


@asynccontextmanager
async def team(
    folder: Path, callers: Mapping[str, Sequence[str]] = ADA, /, *, rows: str = "", **settings: str
) -> AsyncIterator[Team]:
    issuer = Issuer()
    async with listening(issuer.app) as url:
        issuer.url = url
        issuer.signs_in = {"sub": "grace", "groups": ["sre"], "email": "g.hopper@example.com"}
        ways = {**WAYS, "BARRACK_OIDC_ISSUER": url, "BARRACK_APPROVERS": "group:sre", **settings}
        async with served(folder, callers, rows=rows, **ways) as made:
            yield Team(made, issuer)


@pytest.mark.promise("H3")
async def test_whom_the_provider_signs_in_approves_by_their_group_and_is_recorded_by_their_subject(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as made, browsing(made.served.url) as grace:
        waits = await made.request()
        assert "Sign in with your organisation" in text_of(await grace.open(f"/approvals/requests/{waits}"))
        entered = await made.sign_in(grace, to=waits)
        assert (entered.status_code, entered.headers["location"]) == (303, f"/approvals/requests/{waits}")
        assert (await grace.answer(waits, yes=True)).status_code == 303
        assert "approved by grace" in text_of(await grace.open())
        async with made.served.client("ada") as client:
            done = (await client.call_tool("stop_instance", {"instance_id": "train-1"})).structured_content or {}
        assert (done["outcome"], done["confirmed"]["by"]) == ("done", "grace")


ROW = '[Grace]\nsubject = "00u123"\napprover = true\n'


@pytest.mark.promise("H3")
async def test_who_is_claimed_by_the_name_of_their_row_approves_none_of_it(tmp_path: Path) -> None:
    headers = {"X-Barrack-On-Behalf-Of": "grace"}
    async with (
        team(tmp_path, rows=ROW) as made,
        browsing(made.served.url) as grace,
        made.served.client("ada", headers=headers) as bot,
    ):
        made.issuer.signs_in = {"sub": "00u123"}
        assert (await made.sign_in(grace)).status_code == 303
        claimed = (await bot.call_tool("stop_instance", {"instance_id": "train-1"})).structured_content or {}
        assert (await grace.answer(claimed["approval"]["id"], yes=True)).status_code != 303
        assert (await bot.call_tool("stop_instance", {"instance_id": "train-1"})).structured_content == claimed
        assert (await grace.answer(await made.request(), yes=True)).status_code == 303


@pytest.mark.promise("H3")
async def test_who_asks_by_a_login_and_approves_by_a_token_is_one_person(tmp_path: Path) -> None:
    async with (
        team(tmp_path, {"ada": ("approver = true",)}, rows=ROW) as made,
        browsing(made.served.url) as ada,
        made.served.client("", token=made.issuer.token(sub="00u9", email="Ada@example.com", scope=EVERY)) as asking,
    ):
        waits = (await asking.call_tool("stop_instance", {"instance_id": "train-1"})).structured_content or {}
        await ada.sign_in(made.served.desk.tokens["ada"])
        assert (await ada.answer(waits["approval"]["id"], yes=True)).status_code != 303


@pytest.mark.promise("H3")
async def test_approvers_are_named_by_their_rows_and_nobody_else_may_bear_that_name(tmp_path: Path) -> None:
    plain = '[Grace]\nsubject = "00u123"\n[Out]\nsubject = "00u7"\nrisks = []\n'
    async with (
        team(tmp_path, rows=plain, BARRACK_APPROVERS="Grace,group:sre") as made,
        browsing(made.served.url) as grace,
        browsing(made.served.url) as other,
    ):
        waits = await made.request()
        # the one has a row's name for a subject, the other a row that keeps them out
        for stranger in ({"sub": "Grace", "groups": ["sre"]}, {"sub": "00u7", "groups": ["sre"]}):
            made.issuer.signs_in = stranger
            await made.sign_in(other)
            assert (await other.answer(waits, yes=True)).status_code != 303
        made.issuer.signs_in = {"sub": "00u123"}
        await made.sign_in(grace)
        assert (await grace.answer(waits, yes=True)).status_code == 303


async def test_a_key_may_stand_under_the_name_of_a_row(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text('Grace = "sim-key-eur"\n', encoding="utf-8")
    keys.chmod(0o600)
    async with (
        team(tmp_path, rows=ROW, BARRACK_KEYS_FILE=str(keys)) as made,
        made.served.client("", token=made.issuer.token(sub="00u123")) as grace,
        made.served.client("ada") as ada,
    ):
        one, other = [(await each.call_tool("get_credit_balance", {})).structured_content for each in (grace, ada)]
        assert one != other


async def test_the_way_to_the_provider_holds_a_challenge_a_state_and_a_nonce_and_no_secret(tmp_path: Path) -> None:
    async with team(tmp_path) as made, browsing(made.served.url) as grace:
        begun = await grace.open("/approvals/sign-in/issuer?to=ap-abc")
        query = parse_qs(urlsplit(begun.headers["location"]).query)
        assert begun.headers["location"].startswith(f"{made.issuer.url}/authorize?")
        assert {
            name: query[name] for name in ("response_type", "client_id", "redirect_uri", "code_challenge_method")
        } == {
            "response_type": ["code"],
            "client_id": [CLIENT],
            "redirect_uri": [CALLBACK],
            "code_challenge_method": ["S256"],
        }
        assert "openid" in query["scope"][0].split()
        told = [query[name][0] for name in ("state", "nonce", "code_challenge")]
        assert [len(each) for each in told] == [43, 43, 43]
        cookie = begun.headers["set-cookie"]
        assert cookie.startswith("__Host-barrack_sign_in=v1.")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax", "Max-Age=600"} <= set(cookie.split("; "))
        assert not any(each in cookie for each in told)
        other = parse_qs(urlsplit((await grace.open("/approvals/sign-in/issuer")).headers["location"]).query)
        assert not {other[name][0] for name in ("state", "nonce", "code_challenge")} & set(told)


NO_SIGN_IN: Sequence[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {"state": "x" * 43}),
    ({}, {"state": ""}),
    ({}, {"code": "another"}),
    ({}, {"code": ""}),
    ({}, {"code": "", "error": "access_denied"}),
    ({}, {"iss": "https://other.example"}),
    ({"aud": "another-client"}, {}),
    ({"aud": AUDIENCE}, {}),
    ({"aud": [CLIENT, AUDIENCE]}, {}),
    ({"azp": "another-client"}, {}),
    ({"nonce": "another"}, {}),
    ({"nonce": None}, {}),
    ({"iss": "https://other.example"}, {}),
    ({"exp": 1_000_000_000}, {}),
    ({"sub": None}, {}),
]
"""What the provider signs otherwise, and what is sent along otherwise."""


@pytest.mark.promise("H3")
async def test_what_is_no_sign_in_of_this_browser_for_this_page_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team(tmp_path) as made:
        signs = made.issuer.token
        for number, (sends, changed) in enumerate(NO_SIGN_IN):
            monkeypatch.setattr(made.issuer, "token", lambda sends=sends, **claims: signs(**claims | sends))
            # each from another address: who fails too often isn't heard at all
            async with browsing(made.served.url, headers={"X-Forwarded-For": f"203.0.113.{number}"}) as grace:
                refused = await made.sign_in(grace, **changed)
                assert (refused.status_code, "__Host-barrack_approvals" in str(refused.headers)) == (401, False)
                assert "did not sign you in here" in text_of(refused)
                assert (await grace.open()).status_code == 401
        monkeypatch.setattr(made.issuer, "token", signs)
        async with browsing(made.served.url) as grace:
            assert (await made.sign_in(grace)).status_code == 303


async def test_a_way_back_works_once_and_in_the_browser_that_began_it(tmp_path: Path) -> None:
    async with (
        team(tmp_path) as made,
        browsing(made.served.url) as grace,
        browsing(made.served.url) as victim,
    ):
        back = urlsplit(await made.ask(grace))
        # whoever lures another browser to it signs nobody in
        assert (await victim.get(f"{back.path}?{back.query}")).status_code == 401
        await victim.open("/approvals/sign-in/issuer")
        assert (await victim.get(f"{back.path}?{back.query}")).status_code == 401
        begun = dict(grace.cookies)
        assert (await grace.get(f"{back.path}?{back.query}")).status_code == 303
        grace.cookies.update(begun)
        assert (await grace.get(f"{back.path}?{back.query}")).status_code == 401


@pytest.mark.promise("H3")
@pytest.mark.parametrize("claim", [{"sub": "ada-2", "preferred_username": "Ada"}, {"sub": "ada-2", "email": "ADA"}])
async def test_four_eyes_know_a_caller_by_what_else_the_provider_calls_them(
    tmp_path: Path, claim: dict[str, str]
) -> None:
    async with team(tmp_path) as made, browsing(made.served.url) as ada:
        made.issuer.signs_in = {"groups": ["sre"], **claim}
        waits = await made.request()
        await made.sign_in(ada)
        told = await ada.answer(waits, yes=True)
        assert (told.status_code, "You asked for this yourself" in text_of(told)) == (403, True)


async def test_who_is_in_no_approving_group_sees_nothing_of_others_and_who_bears_anothers_name_nothing_at_all(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as made, browsing(made.served.url) as eve, browsing(made.served.url) as forger:
        waits = await made.request()
        made.issuer.signs_in = {"sub": "eve", "groups": ["dev"], "email": "sre"}
        assert (await made.sign_in(eve)).status_code == 303
        assert (await eve.open()).status_code == 200
        assert (await eve.open(f"/approvals/requests/{waits}")).status_code == 404
        # ada of the provider is not ada of the callers' file
        made.issuer.signs_in = {"sub": "ada", "groups": ["sre"]}
        await made.sign_in(forger)
        assert (await forger.open()).status_code == 401


async def test_a_session_of_many_groups_fits_a_cookie_with_those_that_count(tmp_path: Path) -> None:
    async with team(tmp_path) as made, browsing(made.served.url) as grace:
        waits = await made.request()
        made.issuer.signs_in = {
            "sub": "grace",
            "groups": [*(f"a-group-of-many-{number}" for number in range(400)), "sre"],
        }
        entered = await made.sign_in(grace)
        assert len(entered.headers["set-cookie"]) < 4_096
        assert (await grace.answer(waits, yes=True)).status_code == 303


async def test_where_the_provider_is_silent_it_is_said_and_nobody_is_let_in(tmp_path: Path) -> None:
    async with team(tmp_path) as made, browsing(made.served.url) as grace:
        made.issuer.down = True
        answer = await grace.open("/approvals/sign-in/issuer")
        assert (answer.status_code, "doesn't answer" in text_of(answer)) == (503, True)


async def test_without_tokens_the_provider_alone_lets_in_and_without_a_client_tokens_alone_do(tmp_path: Path) -> None:
    (other := tmp_path / "other").mkdir()
    async with team(tmp_path, {}, BARRACK_HTTP_TOKENS_FILE="") as made, browsing(made.served.url) as grace:
        shown = await grace.open("/approvals/sign-in")
        assert ("caller_token" in shown.text, "sign-in/issuer" in shown.text) == (False, True)
        assert (await made.sign_in(grace)).status_code == 303
        assert (await grace.open()).status_code == 200
    async with team(other, BARRACK_OIDC_CLIENT_ID="") as made, browsing(made.served.url) as grace:
        shown = await grace.open("/approvals/sign-in")
        assert ("caller_token" in shown.text, "sign-in/issuer" in shown.text) == (True, False)
        for path in ("/approvals/sign-in/issuer", "/approvals/callback?code=a&state=b"):
            assert (await grace.open(path)).status_code == 404


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"BARRACK_OIDC_CLIENT_ID": AUDIENCE}, "a client of its own"),
        ({"BARRACK_OIDC_ISSUER": "", "BARRACK_OIDC_AUDIENCE": ""}, "needs BARRACK_OIDC_ISSUER"),
        ({"BARRACK_PUBLIC_URL": ""}, "BARRACK_PUBLIC_URL"),
    ],
)
async def test_a_client_that_could_be_none_of_the_pages_is_said_at_the_start(
    tmp_path: Path, settings: dict[str, str], told: str
) -> None:
    given = {"BARRACK_SIMULATOR": "1", "BARRACK_STATE": str(tmp_path / "state.db"), **WAYS}
    given |= {"BARRACK_OIDC_ISSUER": "https://id.example.com", **settings}
    with pytest.raises(SettingsError, match=told):
        async with open_server(read_settings(given), remote=True):
            pass
