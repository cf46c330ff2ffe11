"""The page for those who sign in, by a clock that tests move: sessions that end, keys that change, many attempts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from barrack_mcp.config.callers import Callers
from barrack_mcp.guard.approvals import Approvals, Approvers
from barrack_mcp.guard.page.login.attempts import ALL, EACH, SPAN_S
from barrack_mcp.guard.page.login.page import COOKIE, SESSION_S, create_team_page
from barrack_mcp.guard.page.login.session import Seals
from barrack_mcp.state.store import SqliteStore
from barrack_mcp.transports.login.credentials import Credentials
from tests.support.callers import Desk as Files
from tests.support.clock import Clock

from .conftest import Desk, text_of

pytestmark = pytest.mark.anyio

OLD, NEW = "o" * 40, "n" * 40


@dataclass
class Team(Desk):
    """Everything around one page for those who sign in."""

    files: Files | None = None

    def visit(self, *keys: str, url: str = "https://bot.example.com", address: str = "") -> httpx2.AsyncClient:
        """A browser that nobody used before a server with these keys."""
        assert self.files is not None
        callers = Callers(self.files.path)
        page = create_team_page(
            self.approvals,
            public_url=url,
            keys=keys or (OLD,),
            callers=callers,
            by_token=True,
            approvers=Approvers(),
            identities=Credentials(callers),
            now=self.now,
        )
        origin = url.partition("/team")[0]
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin", "X-Forwarded-For": address or "203.0.113.1"}
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=page), base_url=origin, headers=headers)

    async def sign_in(self, browser: httpx2.AsyncClient, token: str | None = None) -> httpx2.Response:
        assert self.files is not None
        fields = {"caller_token": token or self.files.tokens["grace"]}
        return await browser.post("/approvals/sign-in", data=fields)


@pytest.fixture
async def team(tmp_path: Path) -> AsyncIterator[Team]:
    files = Files(tmp_path / "callers.toml")
    for name in ("ada", "grace"):
        files.let_in(name, "approver = true")
    files.let_in("eve")
    clock = Clock()
    async with SqliteStore(":memory:", now=clock) as store:
        yield Team(Approvals(store, ttl=600, now=clock), clock, files=files)


@pytest.mark.parametrize(("after", "code"), [(SESSION_S - 1, 200), (SESSION_S, 401)])
async def test_a_session_ends_by_itself_whatever_its_browser_keeps(team: Team, after: float, code: int) -> None:
    async with team.visit() as grace:
        await team.sign_in(grace)
        team.now.at += after
        assert (await grace.get("/approvals/")).status_code == code


async def test_keys_change_without_anybody_signing_in_anew(team: Team) -> None:
    async with team.visit(OLD) as before, team.visit(NEW, OLD) as between, team.visit(NEW) as after:
        await team.sign_in(before)
        asked = await team.ask()
        form = (await before.get(f"/approvals/requests/{asked.id}")).text
        between.cookies, after.cookies = before.cookies, before.cookies
        assert (await between.get("/approvals/")).status_code == 200
        assert (await after.get("/approvals/")).status_code == 401
        # nor a form that was shown before
        fields = {"mark": form.rpartition('name="mark" value="')[2][:64]}
        assert (await between.post(f"/approvals/requests/{asked.id}/deny", data=fields)).status_code == 303


async def test_what_is_sealed_for_a_sign_in_under_way_is_no_session(team: Team) -> None:
    async with team.visit() as stranger:
        sealed = Seals([OLD], now=team.now).seal("sign-in", {"name": "grace"}, until=team.now() + 600)
        stranger.cookies.set(COOKIE, sealed, domain="bot.example.com")
        assert (await stranger.get("/approvals/")).status_code == 401


async def test_wrong_tokens_are_counted_by_address_for_a_minute(team: Team) -> None:
    wrong = "bmcp_" + "x" * 43

    async def attempt(address: str, token: str | None = None) -> int:
        async with team.visit(address=address) as browser:
            browser._transport = shared  # noqa: SLF001 - one server for all
            return (await team.sign_in(browser, token)).status_code

    async with team.visit() as first:
        shared = first._transport  # noqa: SLF001 - as above
        assert [await attempt("2001:db8::1", wrong) for _ in range(EACH)] == [401] * EACH
        # the same network, whatever stands before it
        assert await attempt("192.0.2.1, 2001:db8::ffff", wrong) == 429
        assert await attempt("2001:db8:0:1::1") == 303
        # whatever goes wrong elsewhere keeps nobody out who has a token
        for number in range(ALL):
            assert await attempt(f"2001:db8:1:{number}::1", wrong) == 401
        assert await attempt("198.51.100.1") == 303
        team.now.at += SPAN_S
        assert await attempt("2001:db8::1") == 303


async def test_below_a_path_all_that_the_page_leads_to_is_there(team: Team) -> None:
    asked = await team.ask()
    async with team.visit(url="https://bot.example.com/team") as grace:
        entered = await team.sign_in(grace)
        assert entered.headers["location"] == "/team/approvals/"
        page = (await grace.get(f"/approvals/requests/{asked.id}")).text
        places: set[str] = set()
        for part in page.split('"')[1::2]:
            if part.startswith("/"):
                places.add(part)
        assert places
        assert all(place.startswith("/team/approvals/") for place in places)


async def test_who_is_no_approver_finds_their_own_among_many(team: Team) -> None:
    own = await team.ask(caller="eve")
    await team.approvals.deny(own.id, by="grace on the page")
    for _ in range(25):
        team.now.at += 1
        other = await team.ask(caller="ada")
        await team.approvals.deny(other.id, by="grace on the page")
    assert team.files is not None
    async with team.visit() as eve:
        await team.sign_in(eve, team.files.tokens["eve"])
        shown = text_of(await eve.get("/approvals/"))
        assert ("Asked by eve ; denied by grace" in shown, "Asked by ada" in shown) == (True, False)
