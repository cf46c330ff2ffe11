"""The promise that every store keeps, whatever it is built on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from barrack_mcp.state.store.records import Approval, Entry, Lease, Place, Purchase, Status, Trace


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

    async def add_approval(self, approval: Approval) -> Approval:
        """Keep a new live approval, unless its binding has one; answers the one that is kept."""
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

    async def add_entry(self, entry: Entry) -> Entry:
        """Keep a new live entry, unless its digest has one; answers the one that is kept. Old ones are forgotten."""
        ...

    async def open_entry(self, digest: str) -> Entry | None:
        """Find the open entry of a digest."""
        ...

    async def swap_entry(self, before: Entry, after: Entry) -> bool:
        """Put `after` in the place of `before`: True for the one caller that still found `before` there."""
        ...

    async def open_entries(self, account: str | None = None) -> list[Entry]:
        """List the open entries, of one account or of all, oldest first."""
        ...

    async def line_up(self, account: str, owner: str, *, until: float) -> list[Place]:
        """Take the last place in the line of those who want to change an account; answers the line, the first first."""
        ...

    async def line(self, account: str) -> list[Place]:
        """List the places in an account's line, the first first."""
        ...

    async def leave(self, place: Place) -> None:
        """Take a place out of its line; one that is gone already stays so."""
        ...

    async def leave_traces(self, traces: Sequence[Trace], *, since: float, most: int) -> None:
        """Put the last changes of things in the place of the ones before.

        Args:
            traces: Each of another thing.
            since: Older ones are forgotten, in seconds since 1970.
            most: Of the rest, as many as this are kept, the newest.
        """
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

    async def keep_purchase(self, purchase: Purchase) -> None:
        """Put a purchase in the place of the one of its id, if there is one."""
        ...

    async def drop_purchase(self, purchase_id: str) -> None:
        """Forget a purchase; one that is forgotten already stays so."""
        ...

    async def purchases(self, account: str) -> list[Purchase]:
        """List the purchases of an account, in the order in which they were first kept."""
        ...
