"""The SQLite store: single use and atomic swaps across processes, privacy, and plain words for failures."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from barrack_mcp.state.store import SqliteStore, StoreError
from barrack_mcp.state.store.database import Database
from tests.support.stores import PENDING

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.sqlite"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_store_that_was_closed_opens_its_file_again(path: Path) -> None:
    async with SqliteStore(path) as store:
        assert await store.use("a", until=4e9)
    assert not await store.use("a", until=4e9)
    await store.aclose()


async def test_the_file_and_its_folder_are_its_owners_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        async with SqliteStore(path) as store:
            await store.use("a", until=4e9)
            assert {file.name: mode(file) for file in path.parent.iterdir()} == {
                "state.sqlite": 0o600,
                "state.sqlite-wal": 0o600,
                "state.sqlite-shm": 0o600,
                "state.sqlite.count": 0o600,
            }
            assert mode(path.parent) == 0o700
    finally:
        os.umask(before)


async def test_a_file_that_others_could_read_is_closed_to_them_and_their_folder_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    file = tmp_path / "state.sqlite"
    file.touch(mode=0o644)
    async with SqliteStore(file) as store:
        await store.changes()
    assert (mode(file), mode(tmp_path)) == (0o600, 0o755)


async def test_a_file_of_a_newer_version_is_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    async with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="newer barrack-mcp"):
            await store.changes()
    assert path.exists()


def test_a_later_version_brings_the_tables_up_to_date_and_keeps_the_rows(path: Path) -> None:
    first = ["CREATE TABLE t (a)"]
    old = Database(path, first)
    with old.transaction() as table:
        table.execute("INSERT INTO t VALUES (1)")
    old.close()
    new = Database(path, [*first, "ALTER TABLE t ADD COLUMN b DEFAULT 2; CREATE TABLE u (c)"])
    with new.reading() as table:
        assert table.execute("SELECT a, b FROM t").fetchall() == [(1, 2)]
        assert table.execute("PRAGMA user_version").fetchone() == (2,)
    new.close()


def test_a_block_that_raises_leaves_nothing_behind(path: Path) -> None:
    database = Database(path, ["CREATE TABLE t (a)"])

    def fail() -> None:
        with database.transaction() as table:
            table.execute("INSERT INTO t VALUES (1)")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with database.reading() as table:
        assert table.execute("SELECT count(*) FROM t").fetchone() == (0,)
    database.close()


def broken(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, it only has its name. " * 100)


def a_folder(path: Path) -> None:
    path.mkdir(parents=True)


def under_a_file(path: Path) -> None:
    path.parent.touch()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (broken, "is not a state file of barrack-mcp; move it away, or set BARRACK_STATE to another place."),
        (a_folder, "can't be opened (Is a directory); set BARRACK_STATE to a place that can be written."),
        (under_a_file, "can't be opened (File exists); set BARRACK_STATE to a place that can be written."),
    ],
)
async def test_a_file_that_is_no_use_is_told_in_one_sentence(
    path: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    spoil(path)
    async with SqliteStore(path) as store:
        for use in (store.changes, partial(store.use, "a", until=4e9)):
            with pytest.raises(StoreError) as caught:
                await use()
            assert str(caught.value) == f"The state file {path} {sentence}"


async def test_a_damaged_file_is_told_as_damaged(path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.use("a", until=4e9)
    data = bytearray(path.read_bytes())
    data[100:] = b"\xff" * (len(data) - 100)
    path.write_bytes(data)
    async with SqliteStore(path) as store:
        with pytest.raises(StoreError, match=r"is damaged; move it away and start again"):
            await store.use("b", until=4e9)


def test_a_full_disk_and_a_read_only_file_are_told_and_keep_nothing_half_done(path: Path) -> None:
    database = Database(path, ["CREATE TABLE t (a)"])

    def fill() -> None:
        with database.transaction() as table:
            table.executemany("INSERT INTO t VALUES (?)", [("x" * 5_000,)] * 100)

    with database.reading() as table:
        table.execute("PRAGMA max_page_count = 10")
    with pytest.raises(StoreError, match="the disk is full"):
        fill()
    with database.reading() as table:
        assert table.execute("SELECT count(*) FROM t").fetchone() == (0,)
        table.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="can't be written"):
        fill()
    database.close()


def test_a_mistake_of_ours_is_told_with_what_sqlite_says(path: Path) -> None:
    database = Database(path, [])
    with pytest.raises(StoreError, match=r"can't be used .*no such table: absent"), database.reading() as table:
        table.execute("SELECT * FROM absent")
    with pytest.raises(StoreError, match="can't be used"), database.reading() as table:
        table.execute("SELECT ?", ())
    database.close()


def test_a_file_that_another_process_holds_is_told_as_busy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(path, []).close()
    path.parent.mkdir(exist_ok=True)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("barrack_mcp.state.store.database.BUSY_S", 0.02)
    with pytest.raises(StoreError, match="held by another process; try again"), Database(path, []).reading():
        pass
    holder.execute("ROLLBACK")
    holder.close()


async def test_a_record_of_another_version_is_told(path: Path) -> None:
    async with SqliteStore(path, now=lambda: 1_000) as store:
        await store.add_approval(PENDING, most=9)
    connection = sqlite3.connect(path)
    connection.execute("""UPDATE approvals SET record = '{"id": "ap-one", "status": "pending", "new": 1}'""")
    connection.commit()
    connection.close()
    async with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="an approval that this version can't read"):
            await store.find_approval("ap-one")
