"""The ledger's part of the SQLite store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import anyio.to_thread

from barrack_mcp.state.store.database import Database, StoreError
from barrack_mcp.state.store.entries import Entry

ENTRIES_KEPT_S: Final = 30 * 86_400.0
"""How long an entry is kept, open or not: after a month nobody asks again, and the file stays small."""

ENTRIES: Final = """
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
    """
"""What makes the table."""

_T = TypeVar("_T")


class SqliteEntries:
    """Keeps the ledger's entries in an SQLite database; an `EntryStore`.

    Args:
        database: The database, whose migrations make the table.
        now: The time in seconds since 1970.
    """

    def __init__(self, database: Database, *, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    async def add_entry(self, entry: Entry) -> Entry:
        """Keep a new open entry, unless its digest has one; see `EntryStore.add_entry`."""
        now = self._now()

        def step() -> Entry:
            with self._database.transaction() as table:
                table.execute("DELETE FROM entries WHERE sent_at <= ?", (now - ENTRIES_KEPT_S,))
                row = table.execute("SELECT record FROM entries WHERE live AND digest = ?", (entry.digest,)).fetchone()
                if row is not None:
                    return _read(row[0])
                table.execute(
                    "INSERT INTO entries (id, digest, account, live, sent_at, record) VALUES (?, ?, ?, ?, ?, ?)",
                    (entry.id, entry.digest, entry.account, entry.open, entry.sent_at, entry.to_json()),
                )
                return entry

        return await _in_thread(step)

    async def open_entry(self, digest: str) -> Entry | None:
        """Find the open entry of a digest."""
        found = await self._select("digest = ?", digest)
        return found[0] if found else None

    async def swap_entry(self, before: Entry, after: Entry) -> bool:
        """Put one entry in the place of another; see `EntryStore.swap_entry`."""

        def step() -> bool:
            with self._database.transaction() as table:
                swapped = table.execute(
                    "UPDATE entries SET live = ?, record = ? WHERE id = ? AND record = ?",
                    (after.open, after.to_json(), before.id, before.to_json()),
                ).rowcount
                return swapped == 1

        return await _in_thread(step)

    async def open_entries(self, account: str | None = None) -> list[Entry]:
        """List the open entries, of one account or of all, oldest first."""
        return await self._select("account = ?", account) if account is not None else await self._select("1")

    async def _select(self, condition: str, *values: str) -> list[Entry]:
        since = self._now() - ENTRIES_KEPT_S

        def step() -> list[Entry]:
            with self._database.reading() as table:
                rows = table.execute(
                    f"SELECT record FROM entries WHERE live AND sent_at > ? AND {condition} ORDER BY number",  # noqa: S608 - ours
                    (since, *values),
                )
                return [_read(row[0]) for row in rows]

        return await _in_thread(step)


def _read(record: str) -> Entry:
    try:
        return Entry.from_json(record)
    except (ValueError, TypeError, KeyError):
        raise StoreError(
            "The state file holds an entry that this version can't read; move the file away and start again, but look "
            "first at what was bought."
        ) from None


async def _in_thread(step: Callable[[], _T]) -> _T:
    return await anyio.to_thread.run_sync(step)
