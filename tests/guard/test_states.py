"""What makes a yes single-use lives and dies with what seals it: a state lost, moved, copied, set back, not kept."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, ElicitResult, InputRequiredResult
from pydantic import SecretStr

from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.config import Settings
from barrack_mcp.dispatch.writes.looking import look as looking
from barrack_mcp.server.house import open_server
from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.faults import parse
from barrack_mcp.state.store import SqliteStore, StoreError
from tests.support import examples
from tests.support.house import Person, says_yes
from tests.support.patience import PATIENT_S
from tests.support.running import listening, product

pytestmark = pytest.mark.anyio

KEYS = "an operator's own key, of 32 characters or more"
TOOL = "reboot_instance"


class Barrack:
    """A simulator on a socket, and the servers of ours that a test puts before it."""

    def __init__(self, app: Any, address: str) -> None:
        self.app = app
        self.address = address

    @property
    def effects(self) -> list[str]:
        return [each["operation"] for each in self.app.state.barrack.journal]

    @asynccontextmanager
    async def server(self, state: Path, **settings: Any) -> AsyncIterator[Client]:
        made = Settings(
            api_url=f"{self.address}/api",
            api_key="sim-key",
            state=state,
            state_keys=(SecretStr(KEYS),),
            audit=str(state.parent.parent / "audit.jsonl"),
            **settings,
        )
        async with (
            open_server(made) as house,
            Client(house.server, mode="auto", elicitation_callback=Person(says_yes)) as client,
        ):
            yield client


@pytest.fixture
async def barrack() -> AsyncIterator[Barrack]:
    app = create_app(now=lambda: 0.0)
    async with listening(app) as address:
        yield Barrack(app, address)


async def asked(client: Client) -> tuple[str, ElicitResult]:
    """Ask, and keep the sealed question with its yes."""
    first = await client.session.call_tool(TOOL, {"instance_id": "train-1"}, allow_input_required=True)
    assert isinstance(first, InputRequiredResult)
    assert first.request_state is not None
    return first.request_state, ElicitResult(action="accept", content={"approve": True})


async def redeemed(client: Client, sealed: tuple[str, ElicitResult]) -> str:
    try:
        result = await client.session.call_tool(
            TOOL,
            {"instance_id": "train-1"},
            input_responses={"approval": sealed[1]},
            request_state=sealed[0],
            allow_input_required=True,
        )
    except MCPError as error:
        return str(error.code)
    assert isinstance(result, CallToolResult)
    return str((result.structured_content or {})["outcome"])


def remove(state: Path) -> None:
    for file in state.parent.glob(f"{state.name}*"):
        file.unlink()


def move_away(state: Path) -> None:
    for file in state.parent.glob(f"{state.name}*"):
        file.rename(file.with_name(f"old-{file.name}"))


def damage(state: Path) -> None:
    remove(state)
    state.write_bytes(b"no state at all" * 1000)


@pytest.mark.promise("G21")
@pytest.mark.parametrize("happens", [remove, move_away, damage])
async def test_a_yes_outlives_no_state_that_was_lost_between_question_and_answer(
    barrack: Barrack, tmp_path: Path, happens: Callable[[Path], None]
) -> None:
    state = tmp_path / "state" / "state.db"
    async with barrack.server(state) as first:
        sealed = await asked(first)
        assert await redeemed(first, sealed) == "done"
    happens(state)
    for _ in range(3):
        async with barrack.server(state) as later:
            assert await redeemed(later, sealed) == "-32602"
    assert barrack.effects == [TOOL]


@pytest.mark.promise("G21")
@pytest.mark.parametrize("happens", [remove, move_away])
async def test_a_server_whose_state_goes_while_it_runs_changes_nothing_any_more_and_reads_go_on(
    barrack: Barrack, tmp_path: Path, happens: Callable[[Path], None]
) -> None:
    state = tmp_path / "state" / "state.db"
    async with barrack.server(state, unattended=("spend",)) as client:
        sealed = await asked(client)
        happens(state)
        assert await redeemed(client, sealed) == "refused"
        for tool, arguments in (
            ("create_startup_script", {"name": "s", "script": "#!/bin/sh\n"}),
            ("create_volume", {"name": "v", "size_gb": 10, "region": "CANADA-1", "tier": "legacy"}),
        ):
            told = (await client.call_tool(tool, arguments)).structured_content or {}
            assert told["outcome"] == "refused"
        assert not (await client.call_tool("list_volumes", {})).is_error
    assert barrack.effects == []


@pytest.mark.promise("G21")
async def test_a_yes_is_good_with_one_of_three_states_that_share_their_keys(barrack: Barrack, tmp_path: Path) -> None:
    states = [tmp_path / name / "state.db" for name in ("one", "two", "three")]
    async with barrack.server(states[0]) as first:
        sealed = await asked(first)
    for _ in range(2):
        for state in states:
            async with barrack.server(state) as client:
                await redeemed(client, sealed)
    assert barrack.effects == [TOOL]


@pytest.mark.promise("G21")
@pytest.mark.parametrize("whole", [True, False])
async def test_a_yes_is_not_good_with_a_copy_of_its_state(barrack: Barrack, tmp_path: Path, *, whole: bool) -> None:
    state = tmp_path / "state" / "state.db"
    async with barrack.server(state) as first:
        sealed = await asked(first)
    copy = tmp_path / "copy" / "state.db"
    if whole:
        shutil.copytree(state.parent, copy.parent)
    else:
        copy.parent.mkdir()
        shutil.copy2(state, copy)
    async with barrack.server(state) as first, barrack.server(copy) as other:
        assert await redeemed(other, sealed) == "-32602"
        assert await redeemed(first, sealed) == "done"
    assert barrack.effects == [TOOL]


@pytest.mark.promise("G21")
async def test_a_state_that_is_set_back_to_an_older_version_makes_no_yes_good_again(
    barrack: Barrack, tmp_path: Path
) -> None:
    state = tmp_path / "state" / "state.db"
    async with barrack.server(state) as first:
        sealed = await asked(first)
    older = state.read_bytes()
    async with barrack.server(state) as second:
        assert await redeemed(second, sealed) == "done"
    # in place, so that it is the same file
    with state.open("r+b") as file:
        file.write(older)
        file.truncate()
    for end in ("-wal", "-shm"):
        state.with_name(f"{state.name}{end}").unlink(missing_ok=True)
    async with barrack.server(state) as third:
        assert await redeemed(third, sealed) == "-32602"
    assert barrack.effects == [TOOL]


@pytest.mark.promise("G21")
@pytest.mark.parametrize("unattended", [(), ("spend", "interrupt", "expose", "destroy")])
async def test_where_the_state_can_not_be_kept_from_the_start_nothing_is_changed_and_the_first_answer_says_so(
    barrack: Barrack, tmp_path: Path, unattended: tuple[str, ...]
) -> None:
    (tmp_path / "state").write_text("no folder")
    state = tmp_path / "state" / "state.db"
    async with barrack.server(state, unattended=unattended) as client:
        first = (await client.call_tool("list_volumes", {})).structured_content or {}
        second = (await client.call_tool("list_volumes", {})).structured_content or {}
        (note,) = [each for each in first["notes"] if "Nothing is changed until that is mended" in each]
        assert "BARRACK_STATE" in note
        assert note not in second.get("notes", [])
        for tool, arguments in (
            (TOOL, {"instance_id": "train-1"}),
            ("create_startup_script", {"name": "s", "script": "#!/bin/sh\n"}),
        ):
            result = await client.session.call_tool(tool, arguments, allow_input_required=True)
            assert isinstance(result, CallToolResult)
            assert (result.structured_content or {})["outcome"] == "refused"
    assert barrack.effects == []


async def test_an_id_stays_as_long_as_its_state_and_is_another_s_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with SqliteStore(path) as store, SqliteStore(path) as other, SqliteStore(":memory:") as memory:
        mine = await store.identity()
        assert await other.use("n", until=4e9)
        assert await other.identity() == mine == await store.identity()
        assert await memory.identity() != mine
    async with SqliteStore(path) as store:
        assert await store.identity() == mine
    (tmp_path / "state.db.count").unlink()
    async with SqliteStore(path) as store, SqliteStore(path) as other:
        anew = await store.identity()
        assert anew != mine
        (tmp_path / "state.db.count").write_text("999")
        assert await other.identity() not in (anew, mine)
        with pytest.raises(StoreError, match="set back while it was in use"):
            await store.identity()
    for text in ("", "no number"):
        (tmp_path / "state.db.count").write_text(text)
        async with SqliteStore(path) as store:
            assert await store.identity() not in (anew, mine)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is closed to root")
async def test_what_can_not_be_counted_is_not_written(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "state" / "state.db") as store:
        assert await store.use("n", until=4e9)
        (tmp_path / "state").chmod(0o500)
        with pytest.raises(StoreError):
            await store.use("m", until=4e9)
        (tmp_path / "state").chmod(0o700)
        assert await store.use("m", until=4e9)


async def test_an_answer_that_came_through_the_client_counts_nowhere_where_people_are_asked_elsewhere(
    barrack: Barrack, tmp_path: Path
) -> None:
    state = tmp_path / "state" / "state.db"
    async with barrack.server(state) as first:
        sealed = await asked(first)
    for approval in ("out-of-band", "refuse"):
        async with barrack.server(state, approval=approval) as other:
            assert await redeemed(other, sealed) == "refused"
    assert barrack.effects == []


@pytest.mark.slow
@pytest.mark.promise("G21")
async def test_a_purchase_that_was_cut_off_is_not_made_twice_across_a_restart_where_no_state_can_be_kept(
    tmp_path: Path,
) -> None:
    app = create_app(now=lambda: 0.0)
    cut = {"method": "POST", "path": "/instances/deploy/", "action": "reset", "after_effect": True, "times": 5}
    app.state.barrack.faults.replace(parse([cut]))
    (tmp_path / "file").write_text("no folder")
    arguments = examples.good(BY_TOOL["deploy_instance"], json.loads(json.dumps(app.state.barrack.state())))
    with anyio.fail_after(PATIENT_S):
        async with listening(app) as address:
            settings = {
                "BARRACK_API_URL": f"{address}/api",
                "BARRACK_API_KEY": "sim-key",
                "BARRACK_STATE": str(tmp_path / "file" / "state.db"),
                "BARRACK_AUDIT": str(tmp_path / "audit.jsonl"),
                "BARRACK_UNATTENDED": "spend",
            }
            for _ in range(2):
                async with product(settings=settings) as client:
                    told = await client.call_tool("deploy_instance", arguments)
                    assert (told.structured_content or {})["outcome"] == "refused"
                    read = (await client.call_tool("list_instances", {})).structured_content or {}
                    assert [each for each in read["notes"] if "Nothing is changed until that is mended" in each]
    assert not app.state.barrack.journal


@pytest.mark.promise("G21")
async def test_a_purchase_counts_as_under_way_for_as_long_as_the_settings_let_it_be(
    barrack: Barrack, tmp_path: Path
) -> None:
    state = tmp_path / "state" / "state.db"
    arguments = examples.good(BY_TOOL["create_volume"], json.loads(json.dumps(barrack.app.state.barrack.state())))
    barrack.app.state.barrack.faults.replace(
        parse([{"method": "POST", "path": "/volumes/create/", "action": "stall", "after_effect": True}])
    )
    async with barrack.server(state, unattended=("spend",), timeout=300) as client, SqliteStore(state) as store:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "create_volume", arguments)
            with anyio.fail_after(PATIENT_S):
                while not (entries := await store.open_entries()):
                    pass
            (entry,) = entries
            assert entry.since - entry.sent_at >= 300 + looking.SECONDS
            tasks.cancel_scope.cancel()
        barrack.app.state.barrack.faults.replace([])
