"""The promise that every store keeps, whatever it is built on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

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
)


class Store(Protocol):
    """Keeps what calls leave behind. Every method is one atomic step, across threads and processes.

    Rules about approvals are not made here: a store keeps, finds and swaps; who may do what is the guard's.
    Every method raises `StoreError`, with a sentence for the operator, when the state can't be read or written.
    """

    async def identity(self) -> str:
        """Answer what tells this state from every other, its own copies and older versions included.

        It raises where the state can't be written, or is not any more what it was when this was asked first.
        """
        ...

    def new_nonce(self) -> str:
        """Make a nonce; it is good with this state alone, and not any more once that may have lost what it held."""
        ...

    def gone(self, owner: str) -> bool:
        """Whether the process in which a holder was has ended; False where that isn't known."""
        ...

    def holds(self, place: Place) -> bool:
        """Whether a place that this process took is still its own for sure, as far as others can tell its end."""
        ...

    def pace(self, account: str, *, per_minute: int, burst: int) -> Callable[[float], Awaitable[float]] | None:
        """Answer what claims a request towards an account, of those that all servers may send together.

        None where each sends for itself. It takes the seconds that the request can wait and answers those that it has
        to; if these are more, nothing was claimed. It never raises: where the state can't be asked, nothing is to wait.

        Args:
            account: What tells the account from others.
            per_minute: Requests in any minute at most.
            burst: Of these, so many may go at once, the rest evenly.
        """
        ...

    async def begin(self, start: Start) -> Entry | Overtaken | None:
        """Write down that a call is about to be sent, and use its yes up: all of it, or nothing.

        Returns:
            What is in the way: the open entry of its entry's digest, or why its yes is no longer good. None if it is
            written down, and the call may be sent.
        """
        ...

    async def finish(self, end: End) -> bool:
        """Write down what came of a call; answers whether each machine still had the lease that it was said to."""
        ...

    async def look_up(self, digest: str, bindings: Sequence[str]) -> tuple[Entry | None, Approval | None]:
        """Find what is known of a call: the open entry of its digest, and the live approval of the first of these."""
        ...

    async def use(self, nonce: str, *, until: float) -> bool:
        """Use a nonce up: True for its first use ever, False for each later one and from `until` on.

        Args:
            nonce: Any text.
            until: When what carries the nonce lapses, in seconds since 1970; it is forgotten some time after.
        """
        ...

    async def is_used(self, nonce: str) -> bool:
        """Whether a nonce was used, until some time after it has lapsed."""
        ...

    async def add_approval(self, approval: Approval, *, most: int, place: Place | None = None) -> Approval | None:
        """Keep a new live approval, unless its binding has one; answers the one that is kept.

        Args:
            approval: The new one.
            most: As many may wait of one caller's; None is answered, and nothing kept, where these wait already.
            place: In the line, to be left with it in any case.
        """
        ...

    async def find_approval(self, approval_id: str) -> Approval | None:
        """Find an approval by its id."""
        ...

    async def live_approval(self, binding: str) -> Approval | None:
        """Find the live approval of a binding."""
        ...

    async def swap_approval(self, before: Approval, after: Approval) -> bool:
        """Put `after` in the place of `before`: True for the one caller that still found `before` there."""
        ...

    async def approvals(self, statuses: Collection[Status], *, limit: int) -> list[Approval]:
        """List the approvals that stand at one of these, newest first."""
        ...

    async def changes(self) -> int:
        """Count the approvals added and the changes of their status until now; it only grows."""
        ...

    async def swap_entry(self, before: Entry, after: Entry) -> bool:
        """Put `after` in the place of `before`: True for the one caller that still found `before` there."""
        ...

    async def open_entries(self, account: str | None = None) -> list[Entry]:
        """List the open entries, of one account or of all, oldest first."""
        ...

    async def line_up(self, account: str, owner: str, *, until: float, recall: bool = False) -> Queue:
        """Take the last place in the line of those who want to change an account; answers the line.

        Args:
            account: Digest of the account.
            owner: The holder, in a process.
            until: When the place counts no more, in seconds since 1970.
            recall: Whether to answer what of the account is known here, too.
        """
        ...

    async def line(self, account: str) -> list[Place]:
        """List the places in an account's line, the first first."""
        ...

    async def leave(self, place: Place) -> None:
        """Take a place out of its line; one that is gone already stays so."""
        ...

    async def traces(self, account: str, things: Collection[str]) -> list[Trace]:
        """List the last changes of these things of an account, as far as there are any."""
        ...

    async def keep_lease(self, lease: Lease) -> None:
        """Put a machine's lease in the place of the one before, if it had one."""
        ...

    async def swap_lease(self, before: Lease, after: Lease | None) -> bool:
        """Put `after`, or nothing, in the place of `before`: True for the one caller that still found that there."""
        ...

    async def leases(self, account: str) -> list[Lease]:
        """List the leases of an account's machines, the one that ends first first."""
        ...

    async def purchases(self, account: str) -> list[Purchase]:
        """List the purchases of an account, in the order in which they were first kept."""
        ...

    async def holdings(self, account: str) -> Holdings:
        """Answer what of an account is known here alone."""
        ...
