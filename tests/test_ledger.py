"""The ledger: what was sent and never answered stops the same call, across processes and restarts, until one looks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Risk
from barrack_mcp.dispatch.writes.ledger import (
    UNDER_WAY_S,
    Entry,
    Held,
    Ledger,
    Why,
    belongs,
    digest_of,
)
from barrack_mcp.state.owner import is_gone, process
from barrack_mcp.state.store import SqliteStore, Standing, StoreError
from barrack_mcp.state.store.sqlite import KEPT_S
from tests.support import booking
from tests.support.clock import Clock
from tests.support.contending import go, hear, start
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

ACCOUNT = "https://barrack.example/api 5e1f"
ARGUMENTS = {"name": "data-1", "region": "CANADA-1", "tier": "legacy", "size_gb": 100}
LOOK = ("list_volumes", {"region": "CANADA-1", "tier": "legacy"})
DIGEST = digest_of("create_volume", ARGUMENTS, ACCOUNT)

CONTENDER = """
import sys, anyio
from barrack_mcp.dispatch.writes.ledger import Ledger
from barrack_mcp.state.store import SqliteStore, Start
async def main():
    won = []
    async def one():
        entry = ledger.draft("d", "create_volume", {}, ("list_volumes", {}), "a")
        held = await ledger.begin(Start(entry=entry))
        won.append(held is None)
        if held is not None:
            assert held.why == "under_way", held
    async with SqliteStore(sys.argv[1]) as store:
        ledger = Ledger(store)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
    sys.stdout.write(f"{sum(won)}\\n"); sys.stdout.flush(); sys.stdin.readline()
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
anyio.run(main)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def begin(ledger: Ledger, digest: str = DIGEST, account: str = ACCOUNT) -> Entry | Held:
    return await booking.begin(ledger, digest, "create_volume", ARGUMENTS, LOOK, account)


async def begun(ledger: Ledger, digest: str = DIGEST, account: str = ACCOUNT) -> Entry:
    entry = await begin(ledger, digest, account)
    assert isinstance(entry, Entry)
    return entry


async def stopped(ledger: Ledger) -> Held:
    held = await begin(ledger)
    assert isinstance(held, Held)
    assert await booking.held(ledger, DIGEST) == held
    return held


def test_the_ledger_keeps_what_a_second_call_would_do_once_more() -> None:
    kept = {operation.tool for operation in OPERATIONS if belongs(operation)}
    assert {operation.tool for operation in OPERATIONS if operation.risk is Risk.SPEND} <= kept
    assert {"create_firewall", "create_ssh_key", "create_startup_script", "create_custom_image"} <= kept
    assert not [tool for tool in kept if BY_TOOL[tool].reads or BY_TOOL[tool].risk is Risk.DESTROY]


def test_equal_calls_have_one_digest_and_others_another() -> None:
    assert digest_of("create_volume", dict(reversed(ARGUMENTS.items())), ACCOUNT) == DIGEST
    others = [
        digest_of("clone_volume", ARGUMENTS, ACCOUNT),
        digest_of("create_volume", ARGUMENTS | {"size_gb": 101}, ACCOUNT),
        digest_of("create_volume", ARGUMENTS | {"bootable": True}, ACCOUNT),
        digest_of("create_volume", ARGUMENTS, "https://barrack.example/api 0000"),
    ]
    assert len({DIGEST, *others}) == 5


async def test_a_call_without_an_answer_stops_the_same_call_until_the_read_that_tells(path: Path, clock: Clock) -> None:
    async with SqliteStore(path, now=clock) as store:
        ledger = Ledger(store, now=clock)
        await ledger.close(await begun(ledger), "unknown")
    async with SqliteStore(path, now=clock) as store:
        restarted = Ledger(store, now=clock)
        for _ in range(3):
            held = await stopped(restarted)
            assert held.why is Why.UNKNOWN
        assert held.sentence == (
            "The same call was sent at 1970-01-12 13:46:40 UTC, and nobody knows whether it took place. Nothing was "
            "sent now, since it could happen (and cost) twice: look with list_volumes first, then call again if it did "
            "not."
        )
        clock.at += 5
        assert await restarted.looked(ACCOUNT, *LOOK, read_at=clock.at) == 1
        assert await restarted.open_entries() == []
        assert await booking.held(restarted, DIGEST) is None
        await begun(restarted)


@pytest.mark.parametrize("outcome", ["done", "failed"])
async def test_after_a_definite_answer_the_same_purchase_may_be_made_again(path: Path, outcome: Any) -> None:
    async with SqliteStore(path) as store:
        ledger = Ledger(store)
        for _ in range(3):
            await ledger.close(await begun(ledger), outcome)
        assert await ledger.open_entries() == []


async def test_other_arguments_and_other_accounts_are_not_stopped(path: Path) -> None:
    async with SqliteStore(path) as store:
        ledger = Ledger(store)
        await ledger.close(await begun(ledger), "unknown")
        await begun(ledger, "another")
        other = "https://barrack.example/api 0000"
        await begun(ledger, digest_of("create_volume", ARGUMENTS, other), other)


@pytest.mark.parametrize(
    ("tool", "arguments", "enough"),
    [
        ("list_volumes", {"region": "CANADA-1", "tier": "legacy"}, True),
        ("list_volumes", {"region": "CANADA-1", "tier": "legacy", "page": 1, "limit": 50}, True),
        ("list_volumes", {"page": 2}, False),
        ("list_volumes", {"page": 9999, "limit": 100}, False),
        ("list_volumes", {"page": 1, "limit": 1}, False),
        ("list_volumes", {"limit": 20, "detail": "full"}, True),
        ("list_volumes", {"status": "available"}, False),
        ("list_volumes", {"region": "CANADA-1"}, True),
        ("list_volumes", {}, True),
        ("list_volumes", {"region": "NORWAY-1"}, False),
        ("list_volumes", {"region": "CANADA-1", "tier": "legacy", "status": "ACTIVE"}, False),
        ("list_instances", {"region": "CANADA-1", "tier": "legacy"}, False),
        ("list_volume_types", {"region": "CANADA-1", "tier": "legacy"}, False),
    ],
)
async def test_the_read_has_to_be_the_one_named_or_a_wider_one(
    path: Path, tool: str, arguments: dict[str, Any], *, enough: bool
) -> None:
    async with SqliteStore(path) as store:
        ledger = Ledger(store)
        await ledger.close(await begun(ledger), "unknown")
        (entry,) = await ledger.open_entries()
        assert await ledger.looked(ACCOUNT, tool, arguments, read_at=entry.since) == enough
        assert (await booking.held(ledger, DIGEST) is None) is enough


async def test_a_read_of_another_account_or_from_before_shows_nothing(path: Path, clock: Clock) -> None:
    async with SqliteStore(path, now=clock) as store:
        ledger = Ledger(store, now=clock)
        entry = await begun(ledger)
        clock.at += 30
        await ledger.close(entry, "unknown")
        assert not await ledger.looked("https://barrack.example/api 0000", *LOOK, read_at=clock.at)
        assert not await ledger.looked(ACCOUNT, *LOOK, read_at=clock.at - 1)
        await stopped(ledger)
        assert await ledger.looked(ACCOUNT, *LOOK, read_at=clock.at)


async def test_of_equal_calls_at_once_the_second_is_told_that_the_first_is_under_way(path: Path, clock: Clock) -> None:
    async with SqliteStore(path, now=clock) as store, SqliteStore(path, now=clock) as other_store:
        ledger, other = Ledger(store, now=clock), Ledger(other_store, now=clock)
        entry = await begun(ledger)
        for each in (ledger, other):
            held = await stopped(each)
            assert held.why is Why.UNDER_WAY
            assert "still under way" in held.sentence
            assert not await each.looked(ACCOUNT, *LOOK, read_at=clock.at + 1)
        await ledger.close(entry, "done")
        await begun(other)


async def test_a_call_that_takes_longer_than_any_may_counts_as_unknown(path: Path, clock: Clock) -> None:
    async with SqliteStore(path, now=clock) as store:
        entry = await begun(Ledger(store, now=clock))
        other = Ledger(store, now=clock)
        clock.at += UNDER_WAY_S - 1
        assert (await stopped(other)).why is Why.UNDER_WAY
        clock.at += 1
        assert (await stopped(other)).why is Why.UNKNOWN
        assert not await other.looked(ACCOUNT, *LOOK, read_at=entry.sent_at - 1)
        assert await other.looked(ACCOUNT, *LOOK, read_at=clock.at)


async def test_an_answer_that_comes_after_somebody_looked_reopens_nothing(path: Path, clock: Clock) -> None:
    async with SqliteStore(path, now=clock) as store:
        ledger = Ledger(store, now=clock)
        entry = await begun(ledger)
        clock.at += UNDER_WAY_S
        assert await ledger.looked(ACCOUNT, *LOOK, read_at=clock.at)
        again = await begun(ledger)
        await ledger.close(entry, "unknown")
        assert await ledger.open_entries() == [again]


async def test_a_call_that_could_not_be_written_down_is_not_under_way(path: Path) -> None:
    path.mkdir()
    async with SqliteStore(path) as store:
        ledger = Ledger(store)
        with pytest.raises(StoreError):
            await begin(ledger)
    path.rmdir()
    async with SqliteStore(path) as store:
        ledger = Ledger(store)
        entry = await begun(ledger)
        assert ledger.under_way(entry)


async def test_a_call_that_ended_here_without_being_closed_counts_as_unknown_at_once(path: Path) -> None:
    async with SqliteStore(path) as store:
        ledger = Ledger(store)
        entry = await begun(ledger)
        await store.aclose()
        path.chmod(0o600)
        path.write_bytes(b"no database at all, only a name. " * 100)
        path.with_name("state.sqlite-wal").unlink(missing_ok=True)
        path.with_name("state.sqlite-shm").unlink(missing_ok=True)
        with pytest.raises(StoreError):
            await ledger.close(entry, "done")
        assert not ledger.under_way(entry)


async def test_entries_are_forgotten_after_a_month(path: Path, clock: Clock) -> None:
    async with SqliteStore(path, now=clock) as store:
        ledger = Ledger(store, now=clock)
        await ledger.close(await begun(ledger), "unknown")
        clock.at += KEPT_S - 1
        await stopped(ledger)
        clock.at += 1
        assert await booking.held(ledger, DIGEST) is None
        assert await ledger.open_entries() == []
        await begun(ledger)


async def test_the_state_holds_no_secret_and_no_account(path: Path) -> None:
    secret = {"name": "n", "jupyter_password": "canary-password"}
    async with SqliteStore(path) as store:
        ledger = Ledger(store)
        digest = digest_of("deploy_instance", secret, "canary-account")
        await booking.begun(ledger, digest, "deploy_instance", {"name": "n"}, ("list_instances", {}), "canary-account")
    assert b"canary" not in path.read_bytes()


async def test_an_entry_of_another_version_is_told(path: Path) -> None:
    async with SqliteStore(path) as store:
        ledger = Ledger(store)
        await begun(ledger)
        with store._database.transaction() as table:  # noqa: SLF001 - a file of another version can be had no other way
            table.execute("""UPDATE entries SET record = '{"standing": "sent", "new": 1}'""")
        with pytest.raises(StoreError, match="an entry that this version can't read"):
            await booking.held(ledger, DIGEST)


@pytest.mark.slow
def test_of_twenty_equal_calls_in_four_processes_one_is_sent(path: Path) -> None:
    processes = [start(CONTENDER, path) for _ in range(4)]
    for started in processes:
        go(started)
    # all of them are alive until all have said what they got
    assert sorted(hear(started) for started in processes) == ["0", "0", "0", "1"]
    for started in processes:
        started.communicate("bye\n", timeout=PATIENT_S)
        assert started.returncode == 0


@pytest.mark.slow
async def test_what_a_killed_process_sent_counts_as_unknown_at_once(path: Path) -> None:
    started = start(CONTENDER, path)
    go(started)
    assert hear(started) == "1"
    async with SqliteStore(path) as store:
        ledger = Ledger(store)
        held = await booking.begin(ledger, "d")
        assert isinstance(held, Held)
        assert held.why is Why.UNDER_WAY
        started.kill()
        started.communicate(timeout=PATIENT_S)
        held = await booking.begin(ledger, "d")
        assert isinstance(held, Held)
        assert held.why is Why.UNKNOWN
        assert await ledger.looked("a", "list_volumes", {}, read_at=held.entry.sent_at + 1)
        await begun(ledger, "d", "a")


@pytest.mark.slow
def test_a_process_is_gone_only_if_that_is_certain() -> None:
    here = process()
    assert not is_gone(here)
    assert not is_gone(f"{here}#abcd")
    assert not is_gone("elsewhere//1")
    assert not is_gone("")
    place = here.rpartition("/")[0]
    assert not is_gone(f"{place}/{10**30}")
    assert not is_gone(f"{place}/1")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=PATIENT_S)
    assert is_gone(f"{place}/{ended.pid}")
    # the number alone says nothing of another machine's process
    assert not is_gone(f"elsewhere//{ended.pid}")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "done", "failed", "unknown", "crash", "look", "stale look", "wait"]),
        st.integers(0, 1),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_whatever_two_processes_do_no_call_is_sent_on_top_of_one_of_unknown_fate(steps: list[tuple[str, int]]) -> None:
    anyio.run(walk, steps)


async def walk(steps: list[tuple[str, int]]) -> None:
    """Two processes, and beside them the plain truth: the one call that is open, and whether anybody is at it."""
    clock = Clock()
    crashed: set[str] = set()
    async with SqliteStore(":memory:", now=clock) as store:

        def start() -> Ledger:
            return Ledger(store, now=clock, gone=lambda owner: owner in crashed)

        ledgers = [start(), start()]
        open_entry: Entry | None = None
        sender: int | None = None
        for step, who in steps:
            clock.at += 1
            if step == "begin":
                got = await begin(ledgers[who])
                assert isinstance(got, Entry) is (open_entry is None)
                if isinstance(got, Entry):
                    open_entry, sender = got, who
                else:
                    assert (got.why is Why.UNDER_WAY) is (sender is not None)
            elif step in ("done", "failed", "unknown") and open_entry is not None and sender == who:
                await ledgers[who].close(open_entry, step)  # type: ignore[arg-type]  # one of the three
                open_entry, sender = (open_entry if step == "unknown" else None), None
            elif step == "crash":
                crashed.add(ledgers[who]._owner)  # noqa: SLF001 - nobody else has to know it
                ledgers[who] = start()
                sender = None if sender == who else sender
            elif step in ("look", "stale look"):
                fresh = step == "look"
                freed = await ledgers[who].looked(ACCOUNT, *LOOK, read_at=clock.at if fresh else 0)
                assert freed == (fresh and open_entry is not None and sender is None)
                open_entry = None if freed else open_entry
            elif step == "wait":
                clock.at += UNDER_WAY_S
                sender = None
        entries = await ledgers[0].open_entries()
        assert [entry.id for entry in entries] == ([open_entry.id] if open_entry else [])
        assert all(entry.standing in (Standing.SENT, Standing.UNKNOWN) for entry in entries)
