"""Approvals by somebody else, over real HTTP: who asks, who may say yes, and whose yes is none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client

from barrack_mcp.catalogue import JsonObject
from barrack_mcp.config import SettingsError, read_settings
from barrack_mcp.server.house import open_server
from barrack_mcp.simulator import create_app
from barrack_mcp.transports.login.credentials import Credentials
from barrack_mcp.transports.web import sse_app
from tests.page.conftest import text_of
from tests.support.browser import PUBLIC, browsing
from tests.support.callers import Desk, Served, served
from tests.support.house import ERAS, Person, says_yes
from tests.support.listening import listening

pytestmark = pytest.mark.anyio

each_era = pytest.mark.parametrize("era", ERAS)
TEAM: Mapping[str, Sequence[str]] = {"ada": ("approver = true",), "grace": ("approver = true",), "eve": ()}
CALL = ("delete_volume", {"volume_id": "checkpoints"})


@dataclass
class Team(Served):
    """A server for a team, and the simulator that it sends to."""

    api: str

    async def effects(self) -> list[str]:
        """The tools that took effect."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            told = (await http.get(f"{self.api}/_sim/journal")).json()
        return [each["operation"] for each in (told["journal"] if isinstance(told, dict) else told)]

    async def delete(self, client: Client) -> JsonObject:
        """Make the call that wants a yes."""
        return dict((await client.call_tool(*CALL)).structured_content or {})


@asynccontextmanager
async def team(folder: Path, callers: Mapping[str, Sequence[str]] = TEAM, /, **settings: str) -> AsyncIterator[Team]:
    async with listening(create_app()) as api:
        given = {
            "BARRACK_SIMULATOR": "",
            "BARRACK_API_URL": f"{api}/api",
            "BARRACK_API_KEY": "sim-key",
            "BARRACK_PUBLIC_URL": PUBLIC,
            **settings,
        }
        async with served(folder, callers, **given) as made:
            yield Team(made.url, made.house, made.desk, api)


@pytest.mark.promise("H3")
@each_era
async def test_what_one_asks_for_another_approves_and_it_runs_once(tmp_path: Path, era: str) -> None:
    async with team(tmp_path) as made, made.client("ada", mode=era) as ada:
        asked = await made.delete(ada)
        assert (asked["outcome"], await made.effects()) == ("approval_required", [])
        waits = asked["approval"]["id"]
        assert f"on the approval page, {PUBLIC}/approvals/requests/{waits}, by another person" in asked["message"]
        async with browsing(made.url) as grace:
            assert (await grace.open(f"/approvals/requests/{waits}")).status_code == 401
            entered = await grace.sign_in(made.desk.tokens["grace"], to=waits)
            assert entered.headers["location"] == f"/approvals/requests/{waits}"
            assert "Asked by ada" in text_of(await grace.open(f"/approvals/requests/{waits}"))
            assert (await grace.answer(waits, yes=True, typed="checkpoints")).status_code == 303
            assert "approved by grace" in text_of(await grace.open())
        done = await made.delete(ada)
        assert (done["outcome"], await made.effects()) == ("done", ["delete_volume"])
        assert (done["confirmed"]["how"], done["confirmed"]["by"]) == ("page", "grace")
        assert "grace approved it on the approval page." in done["message"]
        record = (tmp_path / "audit.jsonl").read_text(encoding="utf-8")
        assert "grace on the page" in record


@pytest.mark.promise("H3")
async def test_nobody_approves_what_they_ask_for_but_may_withdraw_it(tmp_path: Path) -> None:
    async with team(tmp_path) as made, made.client("ada") as client, browsing(made.url) as ada:
        waits = (await made.delete(client))["approval"]["id"]
        await ada.sign_in(made.desk.tokens["ada"])
        shown = await ada.open(f"/approvals/requests/{waits}")
        assert "You asked for this yourself, so somebody else has to approve it." in text_of(shown)
        assert "/approve" not in shown.text
        refused = await ada.answer(waits, yes=True, typed="checkpoints")
        assert refused.status_code == 403
        assert (await made.delete(client))["outcome"] == "approval_required"
        assert (await ada.answer(waits, yes=False)).status_code == 303
        assert ((await made.delete(client))["outcome"], await made.effects()) == ("refused", [])


@pytest.mark.promise("H3")
async def test_who_is_no_approver_sees_their_own_requests_alone_and_approves_none(tmp_path: Path) -> None:
    async with (
        team(tmp_path, BARRACK_FOUR_EYES="off") as made,
        made.client("ada") as ada,
        made.client("eve") as own,
        browsing(made.url) as eve,
    ):
        theirs, hers = [(await made.delete(client))["approval"]["id"] for client in (ada, own)]
        await eve.sign_in(made.desk.tokens["eve"])
        listed = await eve.open()
        assert (theirs in listed.text, hers in listed.text) == (False, True)
        assert (await eve.open(f"/approvals/requests/{theirs}")).status_code == 404
        assert (await eve.open("/approvals/costs")).status_code == 404
        told = await eve.answer(hers, yes=True, typed="checkpoints")
        assert (told.status_code, "not among those who may approve" in text_of(told)) == (403, True)
        for yes in (True, False):
            assert (await eve.answer(theirs, yes=yes, typed="checkpoints")).status_code in (403, 404)
        assert [(await made.delete(client))["outcome"] for client in (ada, own)] == ["approval_required"] * 2
        assert await made.effects() == []


@pytest.mark.promise("H3")
@each_era
async def test_with_four_eyes_a_callers_own_client_is_not_asked_and_its_yes_is_none(tmp_path: Path, era: str) -> None:
    person = Person(says_yes)
    async with team(tmp_path) as made, made.client("ada", mode=era, elicitation_callback=person) as ada:
        assert (await made.delete(ada))["outcome"] == "approval_required"
        assert (person.questions, await made.effects()) == ([], [])


@each_era
async def test_without_four_eyes_a_caller_is_asked_through_the_client_and_may_approve_their_own(
    tmp_path: Path, era: str
) -> None:
    person = Person(says_yes)
    async with (
        team(tmp_path, BARRACK_FOUR_EYES="off") as made,
        made.client("ada", mode=era, elicitation_callback=person) as asked,
        made.client("grace", mode=era) as unasked,
        browsing(made.url) as grace,
    ):
        assert (await made.delete(asked))["confirmed"]["how"] == "elicited"
        assert len(person.questions) == 1
        waiting = (await unasked.call_tool("stop_instance", {"instance_id": "train-1"})).structured_content or {}
        await grace.sign_in(made.desk.tokens["grace"])
        assert (await grace.answer(waiting["approval"]["id"], yes=True)).status_code == 303
        assert (await grace.answer(waiting["approval"]["id"], yes=False)).status_code == 303


async def test_approvers_may_be_named_in_the_settings_too(tmp_path: Path) -> None:
    async with (
        team(tmp_path, {"ada": (), "eve": ()}, BARRACK_APPROVERS="eve") as made,
        made.client("ada") as ada,
        browsing(made.url) as eve,
    ):
        waits = (await made.delete(ada))["approval"]["id"]
        await eve.sign_in(made.desk.tokens["eve"])
        assert (await eve.answer(waits, yes=True, typed="checkpoints")).status_code == 303
        assert (await made.delete(ada))["confirmed"]["by"] == "eve"


async def test_who_is_put_out_or_no_approver_any_more_can_do_nothing_from_the_next_request_on(tmp_path: Path) -> None:
    async with (
        team(tmp_path) as made,
        made.client("ada") as ada,
        browsing(made.url) as grace,
        browsing(made.url) as other,
    ):
        waits = (await made.delete(ada))["approval"]["id"]
        for browser in (grace, other):
            await browser.sign_in(made.desk.tokens["grace"])
        shown = await grace.open(f"/approvals/requests/{waits}")
        assert shown.status_code == 200
        made.desk.put_out("grace")
        assert (await grace.open()).status_code == 401
        assert (await grace.answer(waits, yes=True, typed="checkpoints")).status_code == 401
        # the same name with another token is another sign-in
        made.desk.let_in("grace")
        assert (await other.open()).status_code == 401
        await grace.sign_in(made.desk.tokens["grace"])
        assert (await grace.open(f"/approvals/requests/{waits}")).status_code == 404
        assert (await made.delete(ada))["outcome"] == "approval_required"


async def test_a_session_is_good_at_every_replica_of_one_state_and_at_no_other_server(tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    keys = {"BARRACK_STATE_KEYS": "k" * 40}
    async with team(tmp_path, **keys) as made, browsing(made.url) as grace:
        await grace.sign_in(made.desk.tokens["grace"])
        own, same = {"BARRACK_HTTP_TOKENS_FILE": str(made.desk.path)}, {"BARRACK_STATE": str(tmp_path / "state.db")}
        for settings, code in ((keys | same, 200), (keys, 401), (same | {"BARRACK_STATE_KEYS": "l" * 40}, 401)):
            async with (
                team(elsewhere, {}, **own | settings) as other,
                browsing(other.url, cookies=grace.cookies) as there,
            ):
                assert (await there.open()).status_code == code


async def test_a_session_is_a_cookie_of_this_host_alone_that_no_script_reads_and_signing_out_ends_it(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as made, browsing(made.url) as grace, browsing(made.url) as forger:
        entered = await grace.sign_in(f" {made.desk.tokens['grace']}\n")
        name, *rest = entered.headers["set-cookie"].split("; ")
        assert name.startswith("__Host-barrack_approvals=v1.")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(rest)
        assert "Domain" not in entered.headers["set-cookie"]
        assert made.desk.tokens["grace"] not in name
        sealed = name.partition("=")[2]
        other = "B" if sealed[8] == "A" else "A"
        for wrong in (sealed[:-2], sealed[:8] + other + sealed[9:], sealed + "A" * 5_000, "v1.", "x"):
            forged = await forger.get("/approvals/", headers={"Cookie": f"__Host-barrack_approvals={wrong}"})
            assert forged.status_code == 401
        assert (await grace.submit("/approvals/sign-out", mark="0" * 64)).status_code == 403
        page = await grace.open()
        assert "Signed in as grace" in text_of(page)
        mark = page.text.partition('name="mark" value="')[2][:64]
        assert (await grace.submit("/approvals/sign-out", mark=mark)).status_code == 303
        assert (await grace.open()).status_code == 401
        # wherever else the cookie may be
        kept = await forger.get("/approvals/", headers={"Cookie": f"__Host-barrack_approvals={sealed}"})
        assert kept.status_code == 401


async def test_a_token_signs_in_by_the_form_alone_and_wrong_ones_are_soon_not_even_looked_at(tmp_path: Path) -> None:
    async with team(tmp_path) as made, browsing(made.url) as browser:
        token = made.desk.tokens["grace"]
        for path in (f"/approvals/sign-in?caller_token={token}", f"/approvals/?caller_token={token}"):
            assert "set-cookie" not in (await browser.open(path)).headers
        bearer = await browser.get("/approvals/", headers={"Authorization": f"Bearer {token}"})
        assert bearer.status_code == 401
        for origin in ("https://evil.example", "http://bot.example.com", "null"):
            answer = await browser.post("/approvals/sign-in", data={"caller_token": token}, headers={"Origin": origin})
            assert answer.status_code == 403
        assert (await browser.get("/approvals/", headers={"Host": "127.0.0.1:80"})).status_code == 421
        wrong = [(await browser.sign_in(f"{token[:-1]}{letter}")).status_code for letter in "-_-_-_-"]
        assert wrong == [401] * 5 + [429] * 2
        assert (await browser.sign_in(token)).status_code == 429
        elsewhere = {"X-Forwarded-For": "203.0.113.9", "Origin": PUBLIC}
        answer = await browser.post("/approvals/sign-in", data={"caller_token": token}, headers=elsewhere)
        assert answer.status_code == 303


async def test_a_mark_of_one_session_or_one_request_is_good_for_no_other(tmp_path: Path) -> None:
    async with (
        team(tmp_path) as made,
        made.client("ada") as ada,
        made.client("eve") as client,
        browsing(made.url) as grace,
        browsing(made.url) as other,
    ):
        waits = [(await made.delete(each))["approval"]["id"] for each in (ada, client)]
        for browser in (grace, other):
            await browser.sign_in(made.desk.tokens["grace"])
        shown = await grace.open(f"/approvals/requests/{waits[0]}")
        mark = shown.text.rpartition('name="mark" value="')[2][:64]
        for browser, approval_id in ((grace, waits[1]), (other, waits[0])):
            answer = await browser.submit(f"/approvals/requests/{approval_id}/deny", mark=mark)
            assert answer.status_code == 403
        # what is sent from another page is turned away whatever it holds
        foreign = await grace.post(
            f"/approvals/requests/{waits[0]}/deny", data={"mark": mark}, headers={"Origin": "https://evil.example"}
        )
        assert foreign.status_code == 403
        assert (await grace.submit(f"/approvals/requests/{waits[0]}/deny", mark=mark)).status_code == 303


async def test_over_the_older_transport_the_page_is_there_too(tmp_path: Path) -> None:
    async with team(tmp_path) as made:
        assert made.house.page is not None
        assert made.house.callers is not None
        app = sse_app(made.house.server, page=made.house.page(Credentials(made.house.callers)))
        async with listening(app) as url, browsing(url) as grace:
            assert (await grace.sign_in(made.desk.tokens["grace"])).status_code == 303
            assert (await grace.open()).status_code == 200


async def test_there_is_no_such_page_where_nobody_signs_in_or_no_browser_gets_there(tmp_path: Path) -> None:
    async with served(tmp_path, {"ada": ()}) as made:
        assert made.house.page is None
    settings = read_settings({"BARRACK_SIMULATOR": "1", "BARRACK_PUBLIC_URL": PUBLIC})
    async with open_server(settings, remote=True) as house:
        assert house.page is None


async def test_four_eyes_and_asking_the_caller_alone_can_t_both_be_had(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "callers.toml")
    desk.let_in("ada")
    given: dict[str, Any] = {
        "BARRACK_SIMULATOR": "1",
        "BARRACK_STATE": str(tmp_path / "state.db"),
        "BARRACK_HTTP_TOKENS_FILE": str(desk.path),
        "BARRACK_APPROVAL": "elicit",
    }
    with pytest.raises(SettingsError, match="BARRACK_FOUR_EYES=off"):
        async with open_server(read_settings(given), remote=True):
            pass
    async with open_server(read_settings({**given, "BARRACK_FOUR_EYES": "off"}), remote=True):
        pass


async def test_approvers_are_not_named_in_vain(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "callers.toml")
    desk.let_in("ada")
    given = {"BARRACK_SIMULATOR": "1", "BARRACK_STATE": str(tmp_path / "state.db"), "BARRACK_APPROVERS": "grace"}
    login = {"BARRACK_HTTP_TOKENS_FILE": str(desk.path)}
    for lacking in ({}, login, {"BARRACK_PUBLIC_URL": "https://bot.example.com"}):
        with pytest.raises(SettingsError, match="BARRACK_APPROVERS names who may say yes"):
            async with open_server(read_settings(given | lacking), remote=True):
                pass
    whole = given | login | {"BARRACK_PUBLIC_URL": "https://bot.example.com"}
    async with open_server(read_settings(whole), remote=True):
        pass
    with pytest.raises(SettingsError, match="no BARRACK_OIDC_ISSUER says who is of it"):
        async with open_server(read_settings(whole | {"BARRACK_APPROVERS": "group:sre"}), remote=True):
            pass


async def test_the_costs_are_those_of_the_account_that_a_request_is_about(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text('eve = "sim-key-eur"\nada = "sim-key"\n', encoding="utf-8")
    keys.chmod(0o600)
    async with (
        team(tmp_path, BARRACK_KEYS_FILE=str(keys)) as made,
        made.client("eve") as eve,
        browsing(made.url) as grace,
    ):
        name = (await eve.call_tool("list_instances", {"limit": 1})).structured_content["instances"][0]["vm_name"]
        asked = (await eve.call_tool("delete_instance", {"instance_id": name})).structured_content
        waits = asked["approval"]["id"]
        await grace.sign_in(made.desk.tokens["grace"])
        assert 'href="/approvals/costs?of=eve"' in (await grace.open(f"/approvals/requests/{waits}")).text
        found = {of: text_of(await grace.open(f"/approvals/costs?of={of}")) for of in ("eve", "ada", "nobody", "")}
        assert "in the account of eve" in found["eve"]
        assert "EUR" in found["eve"].partition("Credit")[2][:30]
        # ada's key is the server's own
        for of in ("ada", "nobody", ""):
            assert "in the account of all who have none of their own" in found[of]
            assert "USD" in found[of].partition("Credit")[2][:30]


@pytest.mark.promise("H3")
async def test_whom_a_bot_says_it_acts_for_is_shown_as_a_claim_and_can_t_approve_it(tmp_path: Path) -> None:
    async with team(tmp_path, {**TEAM, "ci-bot": ()}) as made, browsing(made.url) as ada, browsing(made.url) as grace:
        meta: Any = {"barrack-mcp/on-behalf-of": "Ada@example.com"}
        async with made.client("ci-bot") as bot:
            waits = ((await bot.call_tool(*CALL, meta=meta)).structured_content or {})["approval"]["id"]
        await ada.sign_in(made.desk.tokens["ada"])
        await grace.sign_in(made.desk.tokens["grace"])
        shown = text_of(await ada.open(f"/approvals/requests/{waits}"))
        assert "Asked by ci-bot , which says it acts for Ada@example.com , with delete_volume" in shown
        told = await ada.answer(waits, yes=True, typed="checkpoints")
        assert (told.status_code, "on your behalf" in text_of(told)) == (403, True)
        assert (await grace.answer(waits, yes=True, typed="checkpoints")).status_code == 303
