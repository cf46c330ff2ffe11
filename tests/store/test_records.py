"""What a store keeps of calls, turns and itself: each row as it went in, in its order, for its account alone."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from barrack_mcp.state.store import Entry, Place, SqliteStore, Standing, StoreError, database
from barrack_mcp.state.store.sqlite import KEPT_S
from tests.support.clock import Clock

pytestmark = pytest.mark.anyio

START = 10 * KEPT_S
ENTRY = Entry(
    id="e-1",
    digest="d",
    account="a",
    tool="deploy_instance",
    arguments={"name": "é", "sizes": [1, 2]},
    look_tool="list_instances",
    look_arguments={},
    owner="p",
    standing=Standing.SENT,
    sent_at=START,
    since=START,
)


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


@pytest.fixture
async def store(path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(path, now=clock) as opened:
        yield opened


def rows(path: Path, table: str) -> list[Any]:
    with sqlite3.connect(path) as tables:
        return tables.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608 - ours


async def test_an_entry_comes_back_as_it_went_in_and_one_of_its_digest_is_live(store: SqliteStore, path: Path) -> None:
    assert await store.open_entry("d") is None
    assert await store.add_entry(ENTRY) == ENTRY
    assert await store.open_entry("d") == ENTRY
    assert await store.open_entry("another") is None
    assert await store.add_entry(replace(ENTRY, id="e-2")) == ENTRY
    number, *columns = rows(path, "entries")[0]
    assert (number, columns) == (1, ["e-1", "d", "a", 1, START, ENTRY.to_json()])
    assert json.dumps(json.loads(ENTRY.to_json()), separators=(",", ":")) == ENTRY.to_json()


async def test_an_entry_gives_way_to_what_became_of_it_once(store: SqliteStore) -> None:
    closed = replace(await store.add_entry(ENTRY), standing=Standing.CLOSED)
    assert await store.swap_entry(ENTRY, closed)
    assert not await store.swap_entry(ENTRY, closed)
    assert await store.open_entry("d") is None
    again = replace(ENTRY, id="e-2")
    assert await store.add_entry(again) == again


async def test_open_entries_are_listed_oldest_first_of_one_account_or_of_all(store: SqliteStore) -> None:
    entries = [replace(ENTRY, id=f"e-{at}", digest=f"d-{at}", account="ab"[at % 2]) for at in range(4)]
    for entry in entries:
        await store.add_entry(entry)
    await store.swap_entry(entries[0], replace(entries[0], standing=Standing.LOOKED))
    assert await store.open_entries() == entries[1:]
    assert await store.open_entries("a") == [entries[2]]
    assert await store.open_entries("b") == [entries[1], entries[3]]
    assert await store.open_entries("c") == []


@pytest.mark.parametrize(("later", "kept"), [(0.0, True), (KEPT_S - 1, True), (KEPT_S, False), (KEPT_S + 1, False)])
async def test_after_a_month_an_entry_is_neither_found_nor_kept(
    store: SqliteStore,
    clock: Clock,
    path: Path,
    later: float,
    kept: bool,  # noqa: FBT001 - a table's column
) -> None:
    await store.add_entry(ENTRY)
    clock.at += later
    assert (await store.open_entry("d") is not None) is kept
    assert (await store.open_entries() != []) is kept
    await store.add_entry(replace(ENTRY, id="e-2", digest="other", sent_at=clock.at))
    assert len(rows(path, "entries")) == 1 + kept


async def test_places_are_kept_in_their_order_for_their_account_until_they_are_left(
    store: SqliteStore, clock: Clock
) -> None:
    first = await store.line_up("a", "one", until=START + 5)
    clock.at += 1
    second = await store.line_up("a", "two", until=START + 6)
    other = await store.line_up("b", "three", until=START + 7)
    assert first == Place(number=1, account="a", owner="one", since=START, until=START + 5)
    assert second == Place(number=2, account="a", owner="two", since=START + 1, until=START + 6)
    assert await store.line("a") == [first, second]
    await store.leave(first)
    assert (await store.line("a"), await store.line("b"), await store.line("c")) == ([second], [other], [])


def count_beside(path: Path) -> Path:
    return path.with_name("state.db.count")


async def identity(path: Path) -> str:
    async with SqliteStore(path) as store:
        return await store.identity()


async def test_a_state_has_one_identity_for_as_long_as_it_is_itself(path: Path) -> None:
    made = await identity(path)
    assert len(made) == 32
    async with SqliteStore(path) as store:
        assert await store.identity() == made
        assert await store.use("n", until=1e12)
        assert await store.identity() == made
    assert await identity(path) == made
    assert count_beside(path).read_text() == "2"
    assert len(rows(path, "identity")) == 1


async def test_a_state_in_memory_has_one_of_its_own_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with SqliteStore(":memory:") as store, SqliteStore(":memory:") as other:
        made = await store.identity()
        assert await store.use("n", until=1e12)
        assert await store.identity() == made != await other.identity()
    assert list(tmp_path.iterdir()) == []


async def test_a_copy_and_a_state_whose_count_is_gone_or_unreadable_get_another_identity(path: Path) -> None:
    made = [await identity(path)]
    copied = path.with_name("copy.db")
    shutil.copy2(path, copied)
    shutil.copy2(count_beside(path), copied.with_name("copy.db.count"))
    made.append(await identity(copied))
    count_beside(path).unlink()
    made.append(await identity(path))
    count_beside(path).write_text("many")
    made.append(await identity(path))
    assert len({*made}) == 4
    assert await identity(path) == made[-1]


async def test_a_state_that_is_set_back_while_it_is_used_says_so_and_is_another_afterwards(path: Path) -> None:
    async with SqliteStore(path) as store:
        made = await store.identity()
        count_beside(path).write_text("99")
        with pytest.raises(StoreError, match="an older version of itself"):
            await store.identity()
    assert await identity(path) != made


async def test_a_state_that_was_moved_while_it_is_used_is_told_whatever_lies_in_its_place(path: Path) -> None:
    async with SqliteStore(path) as store:
        assert await store.use("n", until=1e12)
        moved = path.rename(path.with_name("moved.db"))
        with pytest.raises(StoreError, match="was moved, deleted or exchanged while it was in use"):
            await store.use("m", until=1e12)
        shutil.copy2(moved, path)
        with pytest.raises(StoreError, match="was moved, deleted or exchanged while it was in use"):
            await store.open_entries()
        moved.replace(path)
        assert await store.use("m", until=1e12)


class Busy:
    """A connection whose first words fail."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)

    def execute(self, _: str) -> None:
        if self.codes:
            error = sqlite3.OperationalError("no")
            error.sqlite_errorcode = self.codes.pop(0)
            raise error


def test_the_switch_to_writing_ahead_is_tried_again_while_another_process_makes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy: Any = Busy(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT)
    database.write_ahead(busy)
    assert busy.codes == []
    full: Any = Busy(sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)
    with pytest.raises(sqlite3.OperationalError):
        database.write_ahead(full)
    assert len(full.codes) == 1
    monkeypatch.setattr(database, "BUSY_S", -1)
    late: Any = Busy(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY)
    with pytest.raises(sqlite3.OperationalError):
        database.write_ahead(late)
    assert len(late.codes) == 1
