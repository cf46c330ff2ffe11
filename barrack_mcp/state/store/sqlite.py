"""The store of one machine: an SQLite file shared by all its processes."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import anyio.to_thread

from barrack_mcp.state.owner import is_gone
from barrack_mcp.state.store.database import MEMORY, Database, StoreError
from barrack_mcp.state.store.identity import count_write, identify
from barrack_mcp.state.store.records import Approval, Entry, Lease, Place, Purchase, Record, Status, Trace

SLACK_S: Final = 30 * 86_400.0
"""How long a used nonce is remembered past its time, should a clock be set on and back by less than that."""
KEPT_S: Final = 30 * 86_400.0
"""How long a closed approval is kept to be shown; and an entry, open or not: after a month nobody asks again."""
_NONCE_BYTES: Final = 18

_MIGRATIONS: Final = (
    """
    CREATE TABLE nonces (nonce TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX nonces_by_time ON nonces (until);
    CREATE TABLE approvals (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        binding TEXT NOT NULL,
        live INTEGER NOT NULL,
        status TEXT NOT NULL,
        expires_at REAL NOT NULL,
        record TEXT NOT NULL
    );
    CREATE UNIQUE INDEX live_approvals ON approvals (binding) WHERE live;
    CREATE INDEX approvals_by_status ON approvals (status);
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counters VALUES ('approvals', 0)
    """,
    """
    CREATE TABLE entries (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        digest TEXT NOT NULL,
        account TEXT NOT NULL,
        live INTEGER NOT NULL,
        sent_at REAL NOT NULL,
        record TEXT NOT NULL
    );
    CREATE UNIQUE INDEX live_entries ON entries (digest) WHERE live;
    CREATE INDEX entries_by_time ON entries (sent_at)
    """,
    """
    CREATE TABLE places (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        account TEXT NOT NULL,
        owner TEXT NOT NULL,
        since REAL NOT NULL,
        until REAL NOT NULL
    )
    """,
    """
    INSERT INTO counters VALUES ('writes', 0);
    CREATE TABLE identity (id TEXT NOT NULL, place TEXT NOT NULL)
    """,
    """
    CREATE TABLE traces (
        account TEXT NOT NULL,
        thing TEXT NOT NULL,
        caller TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (account, thing)
    ) WITHOUT ROWID;
    CREATE INDEX traces_by_time ON traces (at)
    """,
    """
    CREATE TABLE leases (
        account TEXT NOT NULL,
        instance TEXT NOT NULL,
        since REAL NOT NULL,
        until REAL NOT NULL,
        hours REAL,
        set_by TEXT NOT NULL,
        set_at REAL NOT NULL,
        how TEXT NOT NULL,
        claimed_by TEXT,
        claimed_until REAL NOT NULL,
        PRIMARY KEY (account, instance)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE purchases (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        account TEXT NOT NULL,
        record TEXT NOT NULL
    );
    CREATE INDEX purchases_by_account ON purchases (account)
    """,
)
_SET_BACK: Final = (
    "The state is an older version of itself: it was set back while it was in use. Start the server again, and look "
    "first at what was bought meanwhile."
)
_TRACE: Final = ("account", "thing", "caller", "at")
_LEASE: Final = tuple(each.name for each in fields(Lease))
_PLACE: Final = ("number", "account", "owner", "since", "until")
_COUNT: Final = "UPDATE counters SET value = value + 1 WHERE name = 'approvals'"
_UNREADABLE: Final[Mapping[type[Record], str]] = {
    Approval: "an approval that this version can't read; move the file away and start again.",
    Entry: "an entry that this version can't read; move the file away and start again, but look first at what was "
    "bought.",
    Purchase: "a purchase that this version can't read, so who pays for what isn't known; install the version that "
    "wrote it.",
}

_T = TypeVar("_T")
_R = TypeVar("_R", Approval, Entry, Purchase)


class SqliteStore:
    """Keeps state in one SQLite file; a `Store`, whose methods say what each of these promises.

    Args:
        path: The file, opened at the first use; `:memory:` is gone with the object.
        now: The time in seconds since 1970.
    """

    def __init__(self, path: Path | str, *, now: Callable[[], float] = time.time) -> None:
        self._path = None if str(path) == MEMORY else Path(path)
        self._database = Database(path, _MIGRATIONS)
        self._now = now
        self._identity = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the file."""
        await anyio.to_thread.run_sync(self._database.close)

    async def identity(self) -> str:
        """Answer what tells this state from every other, its own copies and older versions included."""

        def step() -> str:
            with self._database.transaction() as tables:
                return identify(tables, self._path)

        found = await anyio.to_thread.run_sync(step)
        self._identity = self._identity or found
        if found != self._identity:
            raise StoreError(_SET_BACK)
        return found

    def new_nonce(self) -> str:
        """Make a nonce; what carries it is sealed for this state."""
        return secrets.token_urlsafe(_NONCE_BYTES)

    def gone(self, owner: str) -> bool:
        """Whether a process of this machine has ended."""
        return is_gone(owner)

    def holds(self, place: Place) -> bool:  # noqa: ARG002 - others
        """Whether a place is held: the processes of one machine see each other."""
        return True

    def pace(self, account: str, *, per_minute: int, burst: int) -> None:
        """Answer nothing: each process of a machine keeps its own pace."""

    async def use(self, nonce: str, *, until: float) -> bool:
        """Use a nonce up."""
        now = self._now()

        def step(tables: sqlite3.Connection) -> bool:
            tables.execute("DELETE FROM nonces WHERE until <= ?", (now - SLACK_S,))
            return tables.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, until)).rowcount == 1

        return until > now and await self._write(step)

    async def is_used(self, nonce: str) -> bool:
        """Whether a nonce was used."""

        def step() -> bool:
            with self._database.reading() as tables:
                return tables.execute("SELECT 1 FROM nonces WHERE nonce = ?", (nonce,)).fetchone() is not None

        return await anyio.to_thread.run_sync(step)

    async def add_approval(self, approval: Approval) -> Approval:
        """Keep a new approval, unless its binding has a live one."""
        forgotten = self._now() - KEPT_S

        def step(tables: sqlite3.Connection) -> Approval:
            tables.execute("DELETE FROM approvals WHERE expires_at <= ?", (forgotten,))
            if held := _found(tables, Approval, "approvals WHERE live AND binding = ?", approval.binding):
                return held[0]
            added = {"id": approval.id, "binding": approval.binding, "expires_at": approval.expires_at}
            _insert(tables, "approvals", added | {"status": approval.status, **_columns(approval)})
            tables.execute(_COUNT)
            return approval

        return await self._write(step)

    async def find_approval(self, approval_id: str) -> Approval | None:
        """Find an approval by its id."""
        found = await self._read(Approval, "approvals WHERE id = ?", approval_id)
        return found[0] if found else None

    async def live_approval(self, binding: str) -> Approval | None:
        """Find the live approval of a binding."""
        found = await self._read(Approval, "approvals WHERE live AND binding = ?", binding)
        return found[0] if found else None

    async def swap_approval(self, before: Approval, after: Approval) -> bool:
        """Put one approval in the place of another."""

        def step(tables: sqlite3.Connection) -> bool:
            swapped = _swap(tables, "approvals", before, {"status": after.status, **_columns(after)})
            if swapped and after.status is not before.status:
                tables.execute(_COUNT)
            return swapped

        return await self._write(step)

    async def approvals(self, statuses: Collection[Status], *, limit: int) -> list[Approval]:
        """List the approvals that stand at one of these, newest first."""
        marks = ", ".join("?" * len(statuses))
        query = f"approvals WHERE status IN ({marks}) ORDER BY number DESC LIMIT ?"
        return await self._read(Approval, query, *statuses, limit)

    async def changes(self) -> int:
        """Count the changes until now."""

        def step() -> int:
            with self._database.reading() as tables:
                return int(tables.execute("SELECT value FROM counters WHERE name = 'approvals'").fetchone()[0])

        return await anyio.to_thread.run_sync(step)

    async def add_entry(self, entry: Entry) -> Entry:
        """Keep a new entry, unless its digest has a live one."""
        forgotten = self._now() - KEPT_S

        def step(tables: sqlite3.Connection) -> Entry:
            tables.execute("DELETE FROM entries WHERE sent_at <= ?", (forgotten,))
            if held := _found(tables, Entry, "entries WHERE live AND digest = ?", entry.digest):
                return held[0]
            added = {"id": entry.id, "digest": entry.digest, "account": entry.account, "sent_at": entry.sent_at}
            _insert(tables, "entries", added | _columns(entry))
            return entry

        return await self._write(step)

    async def open_entry(self, digest: str) -> Entry | None:
        """Find the open entry of a digest."""
        found = await self._read(
            Entry, "entries WHERE live AND sent_at > ? AND digest = ?", self._now() - KEPT_S, digest
        )
        return found[0] if found else None

    async def swap_entry(self, before: Entry, after: Entry) -> bool:
        """Put one entry in the place of another."""
        return await self._write(lambda tables: _swap(tables, "entries", before, _columns(after)))

    async def open_entries(self, account: str | None = None) -> list[Entry]:
        """List the open entries, of one account or of all, oldest first."""
        query = "entries WHERE live AND sent_at > ? AND (? IS NULL OR account = ?) ORDER BY number"
        return await self._read(Entry, query, self._now() - KEPT_S, account, account)

    async def line_up(self, account: str, owner: str, *, until: float) -> list[Place]:
        """Take the last place in an account's line."""
        since = self._now()

        def step(tables: sqlite3.Connection) -> list[Place]:
            query = "INSERT INTO places (account, owner, since, until) VALUES (?, ?, ?, ?)"
            tables.execute(query, (account, owner, since, until))
            return _line(tables, account)

        return await self._write(step)

    async def line(self, account: str) -> list[Place]:
        """List the places in an account's line."""

        def step() -> list[Place]:
            with self._database.reading() as tables:
                return _line(tables, account)

        return await anyio.to_thread.run_sync(step)

    async def leave(self, place: Place) -> None:
        """Take a place out of its line."""
        await self._write(lambda tables: tables.execute("DELETE FROM places WHERE number = ?", (place.number,)))

    async def leave_traces(self, traces: Sequence[Trace], *, since: float, most: int) -> None:
        """Put the last changes of things in the place of the ones before."""

        def step(tables: sqlite3.Connection) -> None:
            rows = [(trace.account, trace.thing, trace.caller, trace.at) for trace in traces]
            tables.executemany("INSERT OR REPLACE INTO traces VALUES (?, ?, ?, ?)", rows)
            tables.execute("DELETE FROM traces WHERE at <= ?", (since,))
            surplus = "SELECT at FROM traces ORDER BY at DESC LIMIT 1 OFFSET ?"
            tables.execute(f"DELETE FROM traces WHERE at <= ({surplus})", (most,))  # noqa: S608 - ours

        await self._write(step)

    async def traces(self, account: str, things: Collection[str]) -> list[Trace]:
        """List the last changes of these things of an account."""
        marks = ", ".join("?" * len(things))
        query = f"SELECT account, thing, caller, at FROM traces WHERE account = ? AND thing IN ({marks})"  # noqa: S608 - ours

        def step() -> list[Trace]:
            with self._database.reading() as tables:
                rows = tables.execute(query, (account, *things)).fetchall()
            return [Trace(**dict(zip(_TRACE, row, strict=True))) for row in rows]

        return await anyio.to_thread.run_sync(step)

    async def keep_lease(self, lease: Lease) -> None:
        """Put a machine's lease in the place of the one before."""
        await self._write(lambda tables: _put_lease(tables, lease))

    async def swap_lease(self, before: Lease, after: Lease | None) -> bool:
        """Put another lease, or none, in the place of one."""
        same = " AND ".join(f"{name} IS ?" for name in _LEASE)

        def step(tables: sqlite3.Connection) -> bool:
            query = f"DELETE FROM leases WHERE {same}"  # noqa: S608 - the names are ours
            found = tables.execute(query, astuple(before)).rowcount == 1
            if found and after is not None:
                _put_lease(tables, after)
            return found

        return await self._write(step)

    async def leases(self, account: str) -> list[Lease]:
        """List the leases of an account's machines."""
        query = f"SELECT {', '.join(_LEASE)} FROM leases WHERE account = ? ORDER BY until, instance"  # noqa: S608 - ours

        def step() -> list[Lease]:
            with self._database.reading() as tables:
                rows = tables.execute(query, (account,)).fetchall()
            return [Lease(**dict(zip(_LEASE, row, strict=True))) for row in rows]

        return await anyio.to_thread.run_sync(step)

    async def keep_purchase(self, purchase: Purchase) -> None:
        """Put a purchase in the place of the one of its id."""
        query = (
            "INSERT INTO purchases (id, account, record) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET record = excluded.record"
        )
        await self._write(lambda tables: tables.execute(query, (purchase.id, purchase.account, purchase.to_json())))

    async def drop_purchase(self, purchase_id: str) -> None:
        """Forget a purchase."""
        await self._write(lambda tables: tables.execute("DELETE FROM purchases WHERE id = ?", (purchase_id,)))

    async def purchases(self, account: str) -> list[Purchase]:
        """List the purchases of an account."""
        return await self._read(Purchase, "purchases WHERE account = ? ORDER BY number", account)

    async def _write(self, step: Callable[[sqlite3.Connection], _T]) -> _T:
        def alone() -> _T:
            with self._database.transaction() as tables:
                done = step(tables)
                count_write(tables, self._path)
                return done

        return await anyio.to_thread.run_sync(alone)

    async def _read(self, kind: type[_R], query: str, *values: object) -> list[_R]:
        def step() -> list[_R]:
            with self._database.reading() as tables:
                return _found(tables, kind, query, *values)

        return await anyio.to_thread.run_sync(step)


def _found(tables: sqlite3.Connection, kind: type[_R], query: str, *values: object) -> list[_R]:
    try:
        rows = tables.execute(f"SELECT record FROM {query}", values)  # noqa: S608 - each query stands in this module
        return [kind.from_json(row[0]) for row in rows]
    except (ValueError, TypeError, KeyError):
        raise StoreError(f"The state file holds {_UNREADABLE[kind]}") from None


def _line(tables: sqlite3.Connection, account: str) -> list[Place]:
    query = "SELECT number, account, owner, since, until FROM places WHERE account = ? ORDER BY number"
    return [Place(**dict(zip(_PLACE, row, strict=True))) for row in tables.execute(query, (account,))]


def _columns(record: Approval | Entry) -> dict[str, Any]:
    return {"live": record.live, "record": record.to_json()}


def _insert(tables: sqlite3.Connection, table: str, columns: Mapping[str, Any]) -> None:
    marks = ", ".join("?" * len(columns))
    tables.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", (*columns.values(),))  # noqa: S608 - ours


def _put_lease(tables: sqlite3.Connection, lease: Lease) -> None:
    marks = ", ".join("?" * len(_LEASE))
    tables.execute(f"INSERT OR REPLACE INTO leases ({', '.join(_LEASE)}) VALUES ({marks})", astuple(lease))  # noqa: S608 - ours


def _swap(tables: sqlite3.Connection, table: str, before: Approval | Entry, columns: Mapping[str, Any]) -> bool:
    """Put other columns in a record's place, if it still stands as it was."""
    places = ", ".join(f"{name} = ?" for name in columns)
    query = f"UPDATE {table} SET {places} WHERE id = ? AND record = ?"  # noqa: S608 - ours
    return tables.execute(query, (*columns.values(), before.id, before.to_json())).rowcount == 1
