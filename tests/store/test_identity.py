"""Which state a file is: a copy, an older version and one that was moved are not what was used."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from barrack_mcp.state.store import SqliteStore, StoreError, database

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


def rows(path: Path, table: str) -> list[Any]:
    with sqlite3.connect(path) as tables:
        return tables.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608 - ours


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
