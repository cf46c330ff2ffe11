"""The store of one machine: an SQLite file shared by all its processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import anyio.to_thread

from barrack_mcp.state.store.database import Database, StoreError
from barrack_mcp.state.store.records import Approval, Status
from barrack_mcp.state.store.sqlite_entries import ENTRIES, SqliteEntries

__all__ = ["KEPT_S", "SLACK_S", "SqliteStore", "StoreError"]

SLACK_S: Final = 3600.0
"""How long a used nonce is remembered past its time, should a clock be set back."""
KEPT_S: Final = 30 * 86_400.0
"""How long a closed approval is kept to be shown."""

_T = TypeVar("_T")

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
    ENTRIES,
)
_COUNT: Final = "UPDATE counters SET value = value + 1 WHERE name = 'approvals'"


class SqliteStore(SqliteEntries):
    """Keeps state in one SQLite file; a `Store`.

    Args:
        path: The file, opened at the first use; `:memory:` is gone with the object.
        now: The time in seconds since 1970.
    """

    def __init__(self, path: Path | str, *, now: Callable[[], float] = time.time) -> None:
        super().__init__(Database(path, _MIGRATIONS), now=now)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the file."""
        await anyio.to_thread.run_sync(self._database.close)

    async def use(self, nonce: str, *, until: float) -> bool:
        """Use a nonce up; see `Store.use`."""
        now = self._now()
        if until <= now:
            return False

        def step() -> bool:
            with self._database.transaction() as table:
                table.execute("DELETE FROM nonces WHERE until <= ?", (now - SLACK_S,))
                return table.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, until)).rowcount == 1

        return await _in_thread(step)

    async def add_approval(self, approval: Approval) -> Approval:
        """Keep a new approval, unless its binding has a live one; see `Store.add_approval`."""
        now = self._now()

        def step() -> Approval:
            with self._database.transaction() as table:
                table.execute("DELETE FROM approvals WHERE expires_at <= ?", (now - KEPT_S,))
                row = table.execute(
                    "SELECT record FROM approvals WHERE live AND binding = ?", (approval.binding,)
                ).fetchone()
                if row is not None:
                    return _read(row[0])
                table.execute(
                    "INSERT INTO approvals (id, binding, live, status, expires_at, record) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        approval.id,
                        approval.binding,
                        approval.live,
                        approval.status,
                        approval.expires_at,
                        approval.to_json(),
                    ),
                )
                table.execute(_COUNT)
                return approval

        return await _in_thread(step)

    async def find_approval(self, approval_id: str) -> Approval | None:
        """Find an approval by its id."""
        return await self._one("SELECT record FROM approvals WHERE id = ?", approval_id)

    async def live_approval(self, binding: str) -> Approval | None:
        """Find the live approval of a binding."""
        return await self._one("SELECT record FROM approvals WHERE live AND binding = ?", binding)

    async def swap_approval(self, before: Approval, after: Approval) -> bool:
        """Put one approval in the place of another; see `Store.swap_approval`."""

        def step() -> bool:
            with self._database.transaction() as table:
                swapped = table.execute(
                    "UPDATE approvals SET live = ?, status = ?, record = ? WHERE id = ? AND record = ?",
                    (after.live, after.status, after.to_json(), before.id, before.to_json()),
                ).rowcount
                if swapped and after.status is not before.status:
                    table.execute(_COUNT)
                return swapped == 1

        return await _in_thread(step)

    async def approvals(self, statuses: Collection[Status], *, limit: int) -> list[Approval]:
        """List the approvals that stand at one of these, newest first."""
        marks = ", ".join("?" * len(statuses))

        def step() -> list[Approval]:
            with self._database.reading() as table:
                rows = table.execute(
                    f"SELECT record FROM approvals WHERE status IN ({marks}) ORDER BY number DESC LIMIT ?",  # noqa: S608  # only question marks
                    (*statuses, limit),
                )
                return [_read(row[0]) for row in rows]

        return await _in_thread(step)

    async def changes(self) -> int:
        """Count the changes until now; see `Store.changes`."""

        def step() -> int:
            with self._database.reading() as table:
                return int(table.execute("SELECT value FROM counters WHERE name = 'approvals'").fetchone()[0])

        return await _in_thread(step)

    async def _one(self, query: str, key: str) -> Approval | None:
        def step() -> Approval | None:
            with self._database.reading() as table:
                row = table.execute(query, (key,)).fetchone()
                return None if row is None else _read(row[0])

        return await _in_thread(step)


def _read(record: str) -> Approval:
    try:
        return Approval.from_json(record)
    except (ValueError, TypeError, KeyError):
        raise StoreError(
            "The state file holds an approval that this version can't read; move the file away and start again."
        ) from None


async def _in_thread(step: Callable[[], _T]) -> _T:
    return await anyio.to_thread.run_sync(step)
