"""The tables of the state, and what is done to them: each step a part of one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from typing import Any, Final, TypeVar

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.records import (
    Approval,
    Entry,
    Holdings,
    Lease,
    Place,
    Purchase,
    Record,
    Status,
    Swap,
    Trace,
)

MIGRATIONS: Final = (
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

R = TypeVar("R", Approval, Entry, Purchase)
"""A record that is kept as JSON."""


def find(tables: sqlite3.Connection, kind: type[R], query: str, *values: object) -> list[R]:
    """Find records.

    Args:
        tables: The state.
        kind: What they are.
        query: Where, which of them, and in which order.
        values: For its marks.

    Raises:
        StoreError: One of them is none of this version's.
    """
    try:
        rows = tables.execute(f"SELECT record FROM {query}", values)  # noqa: S608 - each query stands in this room
        return [kind.from_json(row[0]) for row in rows]
    except (ValueError, TypeError, KeyError):
        raise StoreError(f"The state file holds {_UNREADABLE[kind]}") from None


def use(tables: sqlite3.Connection, nonce: str, *, until: float, forgotten: float) -> bool:
    """Use a nonce up; those that lapsed long ago are forgotten."""
    tables.execute("DELETE FROM nonces WHERE until <= ?", (forgotten,))
    return tables.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, until)).rowcount == 1


def is_used(tables: sqlite3.Connection, nonce: str) -> bool:
    """Whether a nonce was used."""
    return tables.execute("SELECT 1 FROM nonces WHERE nonce = ?", (nonce,)).fetchone() is not None


def add_approval(tables: sqlite3.Connection, approval: Approval) -> None:
    """Keep a new approval."""
    added = {"id": approval.id, "binding": approval.binding, "expires_at": approval.expires_at}
    _insert(tables, "approvals", added | {"status": approval.status, **_columns(approval)})
    tables.execute(_COUNT)


def count_pending(tables: sqlite3.Connection, caller: str, *, now: float) -> int:
    """Count the approvals that wait of a caller's."""
    found = find(tables, Approval, "approvals WHERE status = ? AND expires_at > ?", Status.PENDING, now)
    return sum(each.caller == caller for each in found)


def swap_approval(tables: sqlite3.Connection, before: Approval, after: Approval) -> bool:
    """Put one approval in the place of another, if that still stands as it was."""
    swapped = _swap(tables, "approvals", before, {"status": after.status, **_columns(after)})
    if swapped and after.status is not before.status:
        tables.execute(_COUNT)
    return swapped


def hold_entry(tables: sqlite3.Connection, digest: str, *, forgotten: float) -> Entry | None:
    """Find the live entry of a digest; old ones are forgotten."""
    tables.execute("DELETE FROM entries WHERE sent_at <= ?", (forgotten,))
    held = find(tables, Entry, "entries WHERE live AND digest = ?", digest)
    return held[0] if held else None


def add_entry(tables: sqlite3.Connection, entry: Entry) -> None:
    """Keep a new entry."""
    added = {"id": entry.id, "digest": entry.digest, "account": entry.account, "sent_at": entry.sent_at}
    _insert(tables, "entries", added | _columns(entry))


def swap_entry(tables: sqlite3.Connection, before: Entry, after: Entry) -> bool:
    """Put one entry in the place of another, if that still stands as it was."""
    return _swap(tables, "entries", before, _columns(after))


def line_up(tables: sqlite3.Connection, account: str, owner: str, *, since: float, until: float) -> list[Place]:
    """Take the last place in an account's line."""
    query = "INSERT INTO places (account, owner, since, until) VALUES (?, ?, ?, ?)"
    tables.execute(query, (account, owner, since, until))
    return line(tables, account)


def line(tables: sqlite3.Connection, account: str) -> list[Place]:
    """List the places in an account's line."""
    query = "SELECT number, account, owner, since, until FROM places WHERE account = ? ORDER BY number"
    return [Place(**dict(zip(_PLACE, row, strict=True))) for row in tables.execute(query, (account,))]


def leave(tables: sqlite3.Connection, place: Place) -> None:
    """Take a place out of its line."""
    tables.execute("DELETE FROM places WHERE number = ?", (place.number,))


def leave_traces(tables: sqlite3.Connection, traces: Sequence[Trace], *, since: float, most: int) -> None:
    """Put the last changes of things in the place of the ones before; the oldest are forgotten."""
    rows = [(trace.account, trace.thing, trace.caller, trace.at) for trace in traces]
    tables.executemany("INSERT OR REPLACE INTO traces VALUES (?, ?, ?, ?)", rows)
    tables.execute("DELETE FROM traces WHERE at <= ?", (since,))
    surplus = "SELECT at FROM traces ORDER BY at DESC LIMIT 1 OFFSET ?"
    tables.execute(f"DELETE FROM traces WHERE at <= ({surplus})", (most,))  # noqa: S608 - ours


def traces(tables: sqlite3.Connection, account: str, things: Sequence[str]) -> list[Trace]:
    """List the last changes of these things of an account."""
    marks = ", ".join("?" * len(things))
    query = f"SELECT account, thing, caller, at FROM traces WHERE account = ? AND thing IN ({marks})"  # noqa: S608 - ours
    return [Trace(**dict(zip(_TRACE, row, strict=True))) for row in tables.execute(query, (account, *things))]


def keep_lease(tables: sqlite3.Connection, lease: Lease) -> None:
    """Put a machine's lease in the place of the one before, if it had one."""
    marks = ", ".join("?" * len(_LEASE))
    tables.execute(f"INSERT OR REPLACE INTO leases ({', '.join(_LEASE)}) VALUES ({marks})", astuple(lease))  # noqa: S608 - ours


def swap_lease(tables: sqlite3.Connection, swap: Swap) -> bool:
    """Put another lease, or none, in the place of one, or of none, if a machine still has that."""
    before, after = swap
    if before is not None:
        same = " AND ".join(f"{name} IS ?" for name in _LEASE)
        found = tables.execute(f"DELETE FROM leases WHERE {same}", astuple(before)).rowcount == 1  # noqa: S608 - ours
    else:
        query = "SELECT 1 FROM leases WHERE account = ? AND instance = ?"
        found = after is None or tables.execute(query, (after.account, after.instance)).fetchone() is None
    if found and after is not None:
        keep_lease(tables, after)
    return found


def leases(tables: sqlite3.Connection, account: str) -> list[Lease]:
    """List the leases of an account's machines, the one that ends first first."""
    query = f"SELECT {', '.join(_LEASE)} FROM leases WHERE account = ? ORDER BY until, instance"  # noqa: S608 - ours
    return [Lease(**dict(zip(_LEASE, row, strict=True))) for row in tables.execute(query, (account,))]


def keep_purchase(tables: sqlite3.Connection, purchase: Purchase) -> None:
    """Put a purchase in the place of the one of its id, if there is one."""
    query = (
        "INSERT INTO purchases (id, account, record) VALUES (?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET record = excluded.record"
    )
    tables.execute(query, (purchase.id, purchase.account, purchase.to_json()))


def drop_purchase(tables: sqlite3.Connection, purchase: Purchase) -> None:
    """Forget a purchase."""
    tables.execute("DELETE FROM purchases WHERE id = ?", (purchase.id,))


def purchases(tables: sqlite3.Connection, account: str) -> list[Purchase]:
    """List the purchases of an account, in the order in which they were first kept."""
    return find(tables, Purchase, "purchases WHERE account = ? ORDER BY number", account)


def holdings(tables: sqlite3.Connection, account: str) -> Holdings:
    """Answer what of an account is known here alone."""
    return Holdings(purchases=purchases(tables, account), leases=leases(tables, account))


def _columns(record: Approval | Entry) -> dict[str, Any]:
    return {"live": record.live, "record": record.to_json()}


def _insert(tables: sqlite3.Connection, table: str, columns: Mapping[str, Any]) -> None:
    marks = ", ".join("?" * len(columns))
    tables.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", (*columns.values(),))  # noqa: S608 - ours


def _swap(tables: sqlite3.Connection, table: str, before: Approval | Entry, columns: Mapping[str, Any]) -> bool:
    """Put other columns in a record's place, if it still stands as it was."""
    places = ", ".join(f"{name} = ?" for name in columns)
    query = f"UPDATE {table} SET {places} WHERE id = ? AND record = ?"  # noqa: S608 - ours
    return tables.execute(query, (*columns.values(), before.id, before.to_json())).rowcount == 1
