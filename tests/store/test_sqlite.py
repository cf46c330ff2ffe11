"""The SQLite store: single use and atomic swaps across processes, privacy, and plain words for failures."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from barrack_mcp.state.store import Approval, SqliteStore, Status, StoreError
from barrack_mcp.state.store.database import Database
from barrack_mcp.state.store.sqlite import KEPT_S, SLACK_S
from tests.support.contending import contend

pytestmark = pytest.mark.anyio

PENDING = Approval(
    id="ap-one",
    binding="b",
    caller="local:1",
    tool="delete_instance",
    arguments={"zeta": 1, "alpha": [None, "ü"]},
    plan={"summary": "s"},
    must_type="train-1",
    fingerprint="f",
    status=Status.PENDING,
    created_at=1_000.25,
    expires_at=1_600.25,
)

CONTENDER = """
import sys, anyio
from barrack_mcp.state.store import SqliteStore
async def main():
    won = []
    async def one():
        won.append(await store.use("nonce", until=4e9))
    async with SqliteStore(sys.argv[1]) as store:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
    sys.stdout.write(str(sum(won)))
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
anyio.run(main)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.sqlite"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_nonce_is_good_once_and_another_one_is_good_too(path: Path) -> None:
    async with SqliteStore(path, now=lambda: 100) as store:
        assert await store.use("a", until=200)
        assert not await store.use("a", until=200)
        assert not await store.use("a", until=300)
        assert await store.use("b", until=200)


async def test_a_nonce_stays_used_when_the_store_is_opened_again(path: Path) -> None:
    async with SqliteStore(path) as store:
        assert await store.use("a", until=4e9)
    assert not await store.use("a", until=4e9)
    async with SqliteStore(path) as other:
        assert not await other.use("a", until=4e9)
    await store.aclose()


@pytest.mark.parametrize(("now", "good"), [(199.0, True), (200.0, False), (201.0, False)])
async def test_a_nonce_is_good_until_its_time_is_over(now: float, *, good: bool) -> None:
    async with SqliteStore(":memory:", now=lambda: now) as store:
        assert await store.use("a", until=200) is good


async def test_used_nonces_are_forgotten_an_hour_past_their_time(path: Path) -> None:
    clock = [0.0]
    async with SqliteStore(path, now=lambda: clock[0]) as store:
        for number in range(50):
            await store.use(f"old-{number}", until=10)
        clock[0] = 9 + SLACK_S
        await store.use("within", until=1e9)
        assert rows(path, "nonces") == 51
        clock[0] = 10 + SLACK_S
        await store.use("after", until=1e9)
    assert rows(path, "nonces") == 2


def rows(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # ours
    finally:
        connection.close()


async def test_of_twenty_at_once_in_one_process_one_uses_the_nonce() -> None:
    won: list[bool] = []

    async def one() -> None:
        won.append(await store.use("nonce", until=4e9))

    async with SqliteStore(":memory:") as store, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(one)
    assert sorted(won) == [False] * 19 + [True]


@pytest.mark.slow
def test_of_twenty_at_once_in_four_processes_that_make_the_file_one_uses_the_nonce(path: Path) -> None:
    assert sorted(contend(CONTENDER, path)) == ["0", "0", "0", "1"]


async def test_an_approval_comes_back_as_it_went_in_and_in_its_order(path: Path) -> None:
    async with SqliteStore(path, now=lambda: 1_000) as store:
        assert await store.add_approval(PENDING) == PENDING
        found = await store.find_approval("ap-one")
        assert found == PENDING
        assert list(found.arguments) == ["zeta", "alpha"]
        assert await store.live_approval("b") == PENDING
        assert await store.find_approval("ap-two") is None
        assert await store.live_approval("c") is None


async def test_a_binding_has_one_live_approval_and_then_room_for_the_next() -> None:
    second = replace(PENDING, id="ap-two")
    async with SqliteStore(":memory:", now=lambda: 1_000) as store:
        await store.add_approval(PENDING)
        assert await store.add_approval(second) == PENDING
        assert await store.swap_approval(PENDING, replace(PENDING, status=Status.USED))
        assert await store.add_approval(second) == second


@pytest.mark.parametrize(
    ("changed", "live"),
    [
        ({"status": Status.APPROVED}, True),
        ({"status": Status.DENIED}, True),
        ({"status": Status.EXPIRED}, True),
        ({"status": Status.DENIED, "told_at": 1.0}, False),
        ({"status": Status.EXPIRED, "told_at": 1.0}, False),
        ({"status": Status.USED}, False),
    ],
)
async def test_an_answer_is_live_until_it_is_told_or_used(changed: dict[str, Status | float], *, live: bool) -> None:
    after = replace(PENDING, **changed)  # type: ignore[arg-type]  # fields by name
    async with SqliteStore(":memory:", now=lambda: 1_000) as store:
        await store.add_approval(PENDING)
        assert await store.swap_approval(PENDING, after)
        assert (await store.live_approval("b") == after) is live


async def test_a_swap_wants_the_approval_as_it_is_and_changes_nothing_else() -> None:
    denied = replace(PENDING, status=Status.DENIED)
    async with SqliteStore(":memory:", now=lambda: 1_000) as store:
        await store.add_approval(PENDING)
        assert await store.swap_approval(PENDING, denied)
        assert not await store.swap_approval(PENDING, replace(PENDING, status=Status.APPROVED))
        assert not await store.swap_approval(replace(denied, id="ap-two"), PENDING)
        assert await store.find_approval("ap-one") == denied


async def test_changes_count_additions_and_new_statuses_only() -> None:
    async with SqliteStore(":memory:", now=lambda: 1_000) as store:
        assert await store.changes() == 0
        await store.add_approval(PENDING)
        await store.add_approval(PENDING)
        assert await store.changes() == 1
        wrong = replace(PENDING, wrong_names=1)
        await store.swap_approval(PENDING, wrong)
        assert await store.changes() == 1
        await store.swap_approval(wrong, replace(wrong, status=Status.DENIED))
        await store.swap_approval(wrong, replace(wrong, status=Status.APPROVED))
        assert await store.changes() == 2


async def test_a_list_is_newest_first_of_the_statuses_asked_for_and_no_longer_than_asked() -> None:
    async with SqliteStore(":memory:", now=lambda: 1_000) as store:
        for number, status in enumerate([Status.PENDING, Status.DENIED, Status.PENDING, Status.USED]):
            await store.add_approval(replace(PENDING, id=f"ap-{number}", binding=f"b{number}", status=status))
        assert [a.id for a in await store.approvals([Status.PENDING], limit=9)] == ["ap-2", "ap-0"]
        assert [a.id for a in await store.approvals([Status.PENDING, Status.USED], limit=2)] == ["ap-3", "ap-2"]


async def test_old_approvals_are_forgotten() -> None:
    clock = [1_000.0]
    async with SqliteStore(":memory:", now=lambda: clock[0]) as store:
        await store.add_approval(PENDING)
        clock[0] = PENDING.expires_at + KEPT_S
        await store.add_approval(replace(PENDING, id="ap-two", binding="c", expires_at=clock[0] + 600))
        assert await store.find_approval("ap-one") is None


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
        await store.add_approval(PENDING)
    connection = sqlite3.connect(path)
    connection.execute("""UPDATE approvals SET record = '{"id": "ap-one", "status": "pending", "new": 1}'""")
    connection.commit()
    connection.close()
    async with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="an approval that this version can't read"):
            await store.find_approval("ap-one")
