"""The store of one machine: an SQLite file shared by all its processes."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import anyio.to_thread

from barrack_mcp.state.owner import is_gone
from barrack_mcp.state.store import tables as step
from barrack_mcp.state.store.database import MEMORY, Database, StoreError
from barrack_mcp.state.store.identity import count_write, identify
from barrack_mcp.state.store.records import (
    Approval,
    End,
    Entry,
    Holdings,
    Lease,
    Overtaken,
    Place,
    Purchase,
    Queue,
    Start,
    Status,
    Trace,
    Yes,
)

SLACK_S: Final = 30 * 86_400.0
"""How long a used nonce is remembered past its time, should a clock be set on and back by less than that."""
KEPT_S: Final = 30 * 86_400.0
"""How long a closed approval is kept to be shown; and an entry, open or not: after a month nobody asks again."""
_NONCE_BYTES: Final = 18
_SET_BACK: Final = (
    "The state is an older version of itself: it was set back while it was in use. Start the server again, and look "
    "first at what was bought meanwhile."
)

_T = TypeVar("_T")


class SqliteStore:
    """Keeps state in one SQLite file; a `Store`, whose methods say what each of these promises.

    Args:
        path: The file, opened at the first use; `:memory:` is gone with the object.
        now: The time in seconds since 1970.
    """

    def __init__(self, path: Path | str, *, now: Callable[[], float] = time.time) -> None:
        self._path = None if str(path) == MEMORY else Path(path)
        self._database = Database(path, step.MIGRATIONS)
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

        def read() -> str:
            with self._database.transaction() as tables:
                return identify(tables, self._path)

        found = await anyio.to_thread.run_sync(read)
        self._identity = self._identity or found
        self._see_that_it_is_the_same(found)
        return found

    def _see_that_it_is_the_same(self, found: str) -> None:
        if self._identity and found != self._identity:
            raise StoreError(_SET_BACK)

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

    async def begin(self, start: Start) -> Entry | Overtaken | None:
        """Write down that a call is about to be sent."""
        now = self._now()

        def write(tables: sqlite3.Connection) -> Entry | Overtaken | None:
            self._see_that_it_is_the_same(identify(tables, self._path))
            if start.entry is not None and (
                held := step.hold_entry(tables, start.entry.digest, forgotten=now - KEPT_S)
            ):
                return held
            if start.yes is not None and (over := _use_up(tables, start.yes, now)) is not None:
                return over
            if start.entry is not None:
                step.add_entry(tables, start.entry)
            for purchase in start.purchases:
                step.keep_purchase(tables, purchase)
            if start.lease is not None:
                step.swap_lease(tables, start.lease)
            return None

        return await self._write(write)

    async def finish(self, end: End) -> bool:
        """Write down what came of a call."""

        def write(tables: sqlite3.Connection) -> bool:
            if end.entry is not None:
                step.swap_entry(tables, *end.entry)
            for purchase in end.purchases:
                step.keep_purchase(tables, purchase)
            for purchase in end.dropped:
                step.drop_purchase(tables, purchase)
            if end.traces:
                step.leave_traces(tables, end.traces, since=end.since, most=end.most)
            if end.place is not None:
                step.leave(tables, end.place)
            # each by itself: not before the first that fails
            swapped = [step.swap_lease(tables, swap) for swap in end.leases]
            return all(swapped)

        return await self._write(write)

    async def look_up(self, digest: str, bindings: Sequence[str]) -> tuple[Entry | None, Approval | None]:
        """Find what is known of a call."""
        since = self._now() - KEPT_S

        def read(tables: sqlite3.Connection) -> tuple[Entry | None, Approval | None]:
            entries = step.find(tables, Entry, "entries WHERE live AND sent_at > ? AND digest = ?", since, digest)
            approvals = (step.find(tables, Approval, "approvals WHERE live AND binding = ?", each) for each in bindings)
            return next(iter(entries), None), next((found[0] for found in approvals if found), None)

        return await self._read(read)

    async def use(self, nonce: str, *, until: float) -> bool:
        """Use a nonce up."""
        now = self._now()

        def write(tables: sqlite3.Connection) -> bool:
            return step.use(tables, nonce, until=until, forgotten=now - SLACK_S)

        return until > now and await self._write(write)

    async def is_used(self, nonce: str) -> bool:
        """Whether a nonce was used."""
        return await self._read(lambda tables: step.is_used(tables, nonce))

    async def add_approval(self, approval: Approval, *, most: int, place: Place | None = None) -> Approval | None:
        """Keep a new approval, unless its binding has a live one."""
        now = self._now()

        def write(tables: sqlite3.Connection) -> Approval | None:
            if place is not None:
                step.leave(tables, place)
            tables.execute("DELETE FROM approvals WHERE expires_at <= ?", (now - KEPT_S,))
            if held := step.find(tables, Approval, "approvals WHERE live AND binding = ?", approval.binding):
                return held[0]
            if step.count_pending(tables, approval.caller, now=now) >= most:
                return None
            step.add_approval(tables, approval)
            return approval

        return await self._write(write)

    async def find_approval(self, approval_id: str) -> Approval | None:
        """Find an approval by its id."""
        found = await self._find(Approval, "approvals WHERE id = ?", approval_id)
        return found[0] if found else None

    async def live_approval(self, binding: str) -> Approval | None:
        """Find the live approval of a binding."""
        found = await self._find(Approval, "approvals WHERE live AND binding = ?", binding)
        return found[0] if found else None

    async def swap_approval(self, before: Approval, after: Approval) -> bool:
        """Put one approval in the place of another."""
        return await self._write(lambda tables: step.swap_approval(tables, before, after))

    async def approvals(self, statuses: Collection[Status], *, limit: int) -> list[Approval]:
        """List the approvals that stand at one of these, newest first."""
        marks = ", ".join("?" * len(statuses))
        query = f"approvals WHERE status IN ({marks}) ORDER BY number DESC LIMIT ?"
        return await self._find(Approval, query, *statuses, limit)

    async def changes(self) -> int:
        """Count the changes until now."""
        query = "SELECT value FROM counters WHERE name = 'approvals'"
        return await self._read(lambda tables: int(tables.execute(query).fetchone()[0]))

    async def swap_entry(self, before: Entry, after: Entry) -> bool:
        """Put one entry in the place of another."""
        return await self._write(lambda tables: step.swap_entry(tables, before, after))

    async def open_entries(self, account: str | None = None) -> list[Entry]:
        """List the open entries, of one account or of all, oldest first."""
        query = "entries WHERE live AND sent_at > ? AND (? IS NULL OR account = ?) ORDER BY number"
        return await self._find(Entry, query, self._now() - KEPT_S, account, account)

    async def line_up(self, account: str, owner: str, *, until: float, recall: bool = False) -> Queue:
        """Take the last place in an account's line."""
        since = self._now()

        def write(tables: sqlite3.Connection) -> Queue:
            places = step.line_up(tables, account, owner, since=since, until=until)
            return Queue(places=places, holdings=step.holdings(tables, account) if recall else None)

        return await self._write(write)

    async def line(self, account: str) -> list[Place]:
        """List the places in an account's line."""
        return await self._read(lambda tables: step.line(tables, account))

    async def leave(self, place: Place) -> None:
        """Take a place out of its line."""
        await self._write(lambda tables: step.leave(tables, place))

    async def traces(self, account: str, things: Collection[str]) -> list[Trace]:
        """List the last changes of these things of an account."""
        return await self._read(lambda tables: step.traces(tables, account, [*things]))

    async def keep_lease(self, lease: Lease) -> None:
        """Put a machine's lease in the place of the one before."""
        await self._write(lambda tables: step.keep_lease(tables, lease))

    async def swap_lease(self, before: Lease, after: Lease | None) -> bool:
        """Put another lease, or none, in the place of one."""
        return await self._write(lambda tables: step.swap_lease(tables, (before, after)))

    async def leases(self, account: str) -> list[Lease]:
        """List the leases of an account's machines."""
        return await self._read(lambda tables: step.leases(tables, account))

    async def purchases(self, account: str) -> list[Purchase]:
        """List the purchases of an account."""
        return await self._read(lambda tables: step.purchases(tables, account))

    async def holdings(self, account: str) -> Holdings:
        """Answer what of an account is known here alone."""
        return await self._read(lambda tables: step.holdings(tables, account))

    async def _write(self, write: Callable[[sqlite3.Connection], _T]) -> _T:
        def alone() -> _T:
            with self._database.transaction() as tables:
                done = write(tables)
                count_write(tables, self._path)
                return done

        return await anyio.to_thread.run_sync(alone)

    async def _read(self, read: Callable[[sqlite3.Connection], _T]) -> _T:
        def among_others() -> _T:
            with self._database.reading() as tables:
                return read(tables)

        return await anyio.to_thread.run_sync(among_others)

    async def _find(self, kind: type[step.R], query: str, *values: object) -> list[step.R]:
        return await self._read(lambda tables: step.find(tables, kind, query, *values))


def _use_up(tables: sqlite3.Connection, yes: Yes, now: float) -> Overtaken | None:
    """Use a yes up, or say why it is no longer good: then nothing of it is used."""
    if yes.nonce is not None and (yes.until <= now or step.is_used(tables, yes.nonce)):
        return Overtaken.USED
    if yes.approval is not None and not step.swap_approval(tables, *yes.approval):
        return Overtaken.ANSWERED
    if yes.nonce is not None:
        step.use(tables, yes.nonce, until=yes.until, forgotten=now - SLACK_S)
    return None
