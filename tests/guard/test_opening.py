"""What the guard stands on: the state and what waits in it; the page, its address, and a browser to show it."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import stat
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.types import ErrorData
from pydantic import SecretStr

from barrack_mcp.config import Settings
from barrack_mcp.guard.approvals import Approval, Approvals, NotPending, WrongName
from barrack_mcp.guard.decide import Mode
from barrack_mcp.guard.opening import PAGE_ADDRESS, PAGE_SECRET, State, open_page, open_state
from barrack_mcp.guard.page import login_link
from barrack_mcp.server.house import open_server
from barrack_mcp.simulator import create_app
from barrack_mcp.state.store import SqliteStore, StoreError
from tests.support.clock import Clock
from tests.support.house import Person, house, says_yes
from tests.support.patience import PATIENT_S
from tests.support.running import KEY

pytestmark = pytest.mark.anyio

TTL = 600.0
OWN = "an operator's own key, of 32 characters or more"
RECORDS = """
import json, pathlib, sys
with open(sys.argv[1], "a") as record:
    record.write(json.dumps(sys.argv[2:]) + "\\n")
"""

WEBHOOK_S = 5.0
"""What a chat that never answers is given."""

posix = pytest.mark.skipif(os.name != "posix", reason="modes, and a browser by command, are POSIX's")


async def ask(state: State, binding: str = "b", must_type: str | None = None) -> Approval:
    return await state.approvals.request(
        binding=binding,
        caller="local:1000",
        tool="stop_instance",
        arguments={},
        plan={"summary": "Stop train-1."},
        must_type=must_type,
        fingerprint="seen",
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def browsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    """A browser that writes down its arguments."""
    script, record = tmp_path / "browser.py", tmp_path / "browsed"
    script.write_text(RECORDS)
    command = shlex.join([sys.executable, str(script), str(record)])
    monkeypatch.setenv("BROWSER", f"{command} %s")
    # the library looks once in a process for what there is
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr(webbrowser, "_browsers", {})

    def arguments() -> list[list[str]]:
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []

    return arguments


# The state


@posix
async def test_the_state_is_kept_with_a_key_of_its_own_that_the_next_process_finds(tmp_path: Path) -> None:
    path = tmp_path / "state" / "state.db"
    async with open_state(path, keys=(), ttl=TTL) as state:
        assert state.lasting
        (key,) = state.keys
        assert len(key) >= 32
        assert key != (path.parent / "seal.key").read_text()
        asked = await ask(state)
        assert asked.expires_at == asked.created_at + TTL
    assert mode(path.parent / "seal.key") == 0o600
    async with open_state(path, keys=(), ttl=TTL) as again:
        assert again.keys == (key,)
        assert await again.approvals.pending() == [asked]


async def test_the_operators_own_keys_are_used_and_none_is_made(tmp_path: Path) -> None:
    async with open_state(tmp_path / "state.db", keys=(OWN, "older"), ttl=TTL) as state:
        assert (len(state.keys), state.lasting) == (2, True)
        # what the operator set is never used as it is: it may seal for other states, too
        assert not {OWN, "older"} & set(state.keys)
        first = state.keys
    async with open_state(tmp_path / "state.db", keys=(OWN, "older"), ttl=TTL) as state:
        assert state.keys == first
    async with open_state(tmp_path / "another.db", keys=(OWN, "older"), ttl=TTL) as state:
        assert not {*first} & {*state.keys}
    assert not (tmp_path / "seal.key").exists()


@pytest.mark.parametrize("keys", [(), (OWN,)])
async def test_a_state_that_can_not_be_kept_keeps_nothing_until_it_can_and_the_log_says_so(
    tmp_path: Path, keys: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "folder").write_text("no folder")
    path = tmp_path / "folder" / "state.db"
    async with open_state(path, keys=keys, ttl=TTL) as state:
        assert not state.lasting
        assert "can't be opened" in (state.unkept or "")
        assert state.keys != keys
        with pytest.raises(StoreError):
            await ask(state)
        (tmp_path / "folder").unlink()
        asked = await ask(state)
    assert "Nothing is changed until that is mended; reading goes on." in caplog.text
    async with open_state(path, keys=keys, ttl=TTL) as again:
        assert await again.approvals.pending() == [asked]
        assert again.keys != state.keys


@posix
async def test_keys_that_others_can_read_and_a_file_that_is_no_state_are_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "seal.key").write_text(OWN)
    (tmp_path / "seal.key").chmod(0o644)
    async with (
        open_state(tmp_path / "state.db", keys=(), ttl=TTL) as state,
        open_state(tmp_path / "state.db", keys=(), ttl=TTL) as other,
    ):
        assert state.keys != other.keys
    assert "Others can read" in caplog.text
    assert OWN not in caplog.text
    caplog.clear()
    (tmp_path / "state.db").write_bytes(b"no database at all" * 1000)
    async with open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state:
        assert not state.lasting
    assert "Nothing is changed" in caplog.text
    assert (tmp_path / "state.db").read_bytes() == b"no database at all" * 1000


async def test_a_witness_hears_of_each_answer_that_counts_and_of_no_other(tmp_path: Path) -> None:
    told: list[tuple[str, str, str | None]] = []

    async def witness(approval: Approval) -> None:
        told.append((approval.id, approval.status, approval.decided_by))

    async with open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL, witness=witness) as state:
        yes, no, named = [await ask(state, each, "train-1" if each == "c" else None) for each in "abc"]
        assert told == []
        await state.approvals.approve(yes.id, by="ada")
        await state.approvals.deny(no.id, by="eve")
        for approval_id, decide in ((yes.id, Approvals.approve), (no.id, Approvals.approve), (no.id, Approvals.deny)):
            with pytest.raises(NotPending):
                await decide(state.approvals, approval_id, by="mallory")
        for _ in range(9):
            with pytest.raises(WrongName, match="not the name"):
                await state.approvals.approve(named.id, by="bob", typed="guess")
        assert told == [(yes.id, "approved", "ada"), (no.id, "denied", "eve")]
        with pytest.raises(WrongName, match="now denied"):
            await state.approvals.approve(named.id, by="bob", typed="guess")
        assert told[2:] == [(named.id, "denied", "bob, by 10 wrong names")]
        await state.approvals.redeem("a")
        assert len(told) == 3


# What waits in it


async def test_what_waits_out_of_band_is_not_asked_for_again_through_a_client() -> None:
    app, clock = create_app(now=lambda: 0.0), Clock()
    person = Person(says_yes)
    async with SqliteStore(":memory:", now=clock) as store:
        async with house(app=app, store=store, clock=clock) as made:
            asked = await made.call("stop_instance", **made.good("stop_instance"))
        async with house(app=app, store=store, clock=clock, person=person) as made:
            again = await made.call("stop_instance", **made.good("stop_instance"))
            assert (again["outcome"], again["approval"]) == ("approval_required", asked["approval"])
            assert (person.questions, made.effects) == ([], [])


@pytest.mark.parametrize(("mode", "outcome"), [(Mode.AUTO, "approval_required"), (Mode.ELICIT, "refused")])
async def test_a_client_that_can_not_ask_after_all_leads_out_of_band(mode: Mode, outcome: str) -> None:
    async def breaks(_: str) -> Any:
        return ErrorData(code=-32603, message="no window")

    async with house(era="legacy", person=Person(breaks), mode=mode) as made:
        assert (await made.call("stop_instance", **made.good("stop_instance")))["outcome"] == outcome
        assert made.effects == []


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.OUT_OF_BAND])
async def test_a_request_stays_the_same_while_it_waits_and_its_lapse_is_told_once(mode: Mode) -> None:
    async with house(mode=mode) as made:
        arguments = made.good("delete_volume")
        approval = (await made.call("delete_volume", **arguments))["approval"]
        for _ in range(3):
            made.clock.at += 199
            again = await made.call("delete_volume", **arguments)
            assert (again["outcome"], again["approval"]) == ("approval_required", approval)
        (kept,) = await made.approvals.pending()
        assert (kept.tool, kept.arguments, kept.must_type) == ("delete_volume", arguments, "checkpoints")
        assert kept.plan["summary"].startswith("Delete volume \u00abcheckpoints\u00bb")
        made.clock.at += 3
        lapsed = await made.call("delete_volume", **arguments)
        assert (lapsed["outcome"], "Nobody approved this call in time" in lapsed["message"]) == ("refused", True)
        anew = await made.call("delete_volume", **arguments)
        assert anew["outcome"] == "approval_required"
        assert anew["approval"]["id"] != approval["id"]
        assert made.effects == []


# The page


@posix
async def test_the_address_is_left_with_the_first_request_and_goes_at_the_end(tmp_path: Path) -> None:
    address = tmp_path / PAGE_ADDRESS
    with anyio.fail_after(PATIENT_S):
        async with (
            open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state,
            open_page(state, tmp_path, port=0, browser=False) as show,
        ):
            assert not address.exists()
            assert mode(tmp_path / PAGE_SECRET) == 0o600
            await show(await ask(state))
            assert mode(address) == 0o600
            url = address.read_text()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{22}", url)
            async with httpx2.AsyncClient(trust_env=False) as browser:
                assert (await browser.get(f"{url.rpartition('/')[0]}/static/page.css")).status_code == 200
            await show(await ask(state, "another"))
            assert address.read_text() == url
        assert not address.exists()
        assert (tmp_path / PAGE_SECRET).exists()
        assert not (tmp_path / "page.html").exists()


async def test_where_nothing_was_asked_for_the_address_of_another_server_stays(tmp_path: Path) -> None:
    (tmp_path / PAGE_ADDRESS).write_text("http://127.0.0.1:1")
    async with (
        open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state,
        open_page(state, tmp_path, port=0, browser=True),
    ):
        pass
    assert (tmp_path / PAGE_ADDRESS).read_text() == "http://127.0.0.1:1"


@pytest.mark.slow
@posix
async def test_the_browser_opens_a_file_of_the_owners_so_that_no_command_line_holds_the_way_in(
    tmp_path: Path, browsed: Callable[[], list[list[str]]]
) -> None:
    with anyio.fail_after(PATIENT_S):
        async with (
            open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state,
            open_page(state, tmp_path, port=0, browser=True) as show,
        ):
            asked = await ask(state)
            assert browsed() == []
            await show(asked)
            ((opened,),) = browsed()
            assert opened == (tmp_path / "page.html").as_uri()
            assert "token" not in opened
            door = Path(unquote(urlsplit(opened).path))
            assert mode(door) == 0o600
            link = re.findall(r'content="0;url=(http://127\.0\.0\.1:\d+/[\w-]+/enter\?[^"]+)"', door.read_text())[0]
            async with httpx2.AsyncClient(trust_env=False) as browser:
                entered = await browser.get(link)
                assert entered.status_code == 303
                assert entered.headers["location"].endswith(f"/requests/{asked.id}")
            async with httpx2.AsyncClient(trust_env=False) as second:
                assert (await second.get(link)).status_code != 303
            await show(asked)
            assert len(browsed()) == 1
            # one window is enough for all that waits
            another = await ask(state, "another")
            await show(another)
            assert len(browsed()) == 1
            for each in (asked, another):
                await state.approvals.deny(each.id, by="ada")
            await show(await ask(state, "a third"))
            assert len(browsed()) == 2
        assert not door.exists()


class Window(webbrowser.BaseBrowser):
    """A browser that shows a file to nobody, and remembers what it read there."""

    def __init__(self) -> None:
        super().__init__("window")
        self.shown: list[str] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002 - as the library has it
        self.shown.append(Path(unquote(urlsplit(url).path)).read_text())
        return True


async def test_what_the_browser_opens_leads_to_the_page_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Window()
    monkeypatch.setattr(webbrowser, "_tryorder", ["window"])
    monkeypatch.setattr(webbrowser, "_browsers", {"window": [None, window]})
    with anyio.fail_after(PATIENT_S):
        async with (
            open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state,
            open_page(state, tmp_path, port=0, browser=True) as show,
        ):
            await show(await ask(state))
            url = (tmp_path / PAGE_ADDRESS).read_text()
    assert len(window.shown) == 1
    assert re.fullmatch(
        rf'<!doctype html><meta http-equiv="refresh" content="0;url={re.escape(url)}/enter\?[^"<]+">'
        "<title>Barrack approval</title>",
        window.shown[0],
    )


async def test_without_a_screen_no_browser_is_opened(tmp_path: Path, browsed: Callable[[], list[list[str]]]) -> None:
    with anyio.fail_after(PATIENT_S):
        async with (
            open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state,
            open_page(state, tmp_path, port=0, browser=False) as show,
        ):
            await show(await ask(state))
    assert browsed() == []


@pytest.mark.slow
@posix
async def test_a_browser_that_is_not_there_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BROWSER", f"{tmp_path / 'no-such-browser'} %s")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr(webbrowser, "_browsers", {})
    with anyio.fail_after(PATIENT_S):
        async with (
            open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state,
            open_page(state, tmp_path, port=0, browser=True) as show,
        ):
            await show(await ask(state))
            assert (tmp_path / PAGE_ADDRESS).exists()
    assert "token" not in caplog.text


async def test_a_page_port_that_is_taken_leaves_the_request_waiting_and_the_log_says_so(
    tmp_path: Path, browsed: Callable[[], list[list[str]]], caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(PATIENT_S), socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with (
            open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state,
            open_page(state, tmp_path, port=port, browser=True) as show,
        ):
            asked = await ask(state)
            await show(asked)
            assert await state.approvals.pending() == [asked]
            assert f"The approval page could not be shown (The approval page can't have port {port};" in caplog.text
            assert not (tmp_path / PAGE_ADDRESS).exists()
            await state.approvals.approve(asked.id, by="ada")
    assert browsed() == []


async def test_an_address_that_can_not_be_left_is_told_and_the_request_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / PAGE_ADDRESS).mkdir()
    with anyio.fail_after(PATIENT_S):
        async with (
            open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state,
            open_page(state, tmp_path, port=0, browser=False) as show,
        ):
            await show(await ask(state))
            assert len(await state.approvals.pending()) == 1
    assert "The approval page could not be shown (" in caplog.text
    assert (tmp_path / PAGE_ADDRESS).is_dir()


@posix
async def test_a_secret_that_others_can_read_is_not_the_pages(tmp_path: Path) -> None:
    (tmp_path / PAGE_SECRET).write_text(OWN)
    (tmp_path / PAGE_SECRET).chmod(0o644)
    with anyio.fail_after(PATIENT_S):
        async with (
            open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state,
            open_page(state, tmp_path, port=0, browser=False) as show,
        ):
            await show(await ask(state))
            forged = login_link((tmp_path / PAGE_ADDRESS).read_text(), secret=OWN)
            async with httpx2.AsyncClient(trust_env=False) as browser:
                assert (await browser.get(forged)).status_code != 303


@pytest.mark.slow
@posix
@pytest.mark.parametrize("kept", [True, False])
async def test_the_house_shows_its_request_in_the_browser_and_a_taken_port_hinders_no_call(
    tmp_path: Path, browsed: Callable[[], list[list[str]]], caplog: pytest.LogCaptureFixture, *, kept: bool
) -> None:
    with anyio.fail_after(PATIENT_S), socket.create_server(("127.0.0.1", 0)) as taken:
        settings: dict[str, Any] = {
            "simulator": True,
            "api_key": KEY,
            "approval": "out-of-band",
            "browser": True,
            "state": tmp_path / "state.db",
            "page_port": 0 if kept else taken.getsockname()[1],
        }
        async with open_server(Settings(**settings)) as made, Client(made.server) as client:
            volumes = (await client.call_tool("list_volumes", {})).structured_content or {}
            volume_id = next(each["volume_id"] for each in volumes["volumes"] if each["status"] == "available")
            for _ in range(2):
                asked = (await client.call_tool("delete_volume", {"volume_id": volume_id})).structured_content or {}
                assert asked["outcome"] == "approval_required"
    assert len(browsed()) == int(kept)
    assert ("could not be shown" in caplog.text) is not kept


@posix
async def test_what_lies_in_the_address_s_place_neither_opens_it_to_others_nor_leads_it_away(tmp_path: Path) -> None:
    elsewhere, address = tmp_path / "elsewhere", tmp_path / PAGE_ADDRESS
    elsewhere.write_text("mine", encoding="utf-8")
    elsewhere.chmod(0o644)
    address.symlink_to(elsewhere)
    with anyio.fail_after(PATIENT_S):
        async with (
            open_state(tmp_path / "state.db", keys=(OWN,), ttl=TTL) as state,
            open_page(state, tmp_path, port=0, browser=False) as show,
        ):
            await show(await ask(state))
            assert not address.is_symlink()
            assert mode(address) == 0o600
    assert elsewhere.read_text(encoding="utf-8") == "mine"
    assert {path.name for path in tmp_path.iterdir()} >= {"elsewhere", PAGE_SECRET}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(f"{PAGE_ADDRESS}.")]


@pytest.mark.slow
async def test_a_chat_that_never_answers_keeps_no_call_waiting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as chat, anyio.fail_after(30):
        settings = Settings(
            simulator=True,
            state=tmp_path / "state.db",
            webhook_url=SecretStr(f"http://127.0.0.1:{chat.getsockname()[1]}/hook"),
        )
        async with open_server(settings) as made, Client(made.server) as client:
            begun = anyio.current_time()
            told = await client.call_tool("reboot_instance", {"instance_id": "train-1"})
            assert (told.structured_content or {})["outcome"] == "approval_required"
            assert anyio.current_time() - begun < WEBHOOK_S
