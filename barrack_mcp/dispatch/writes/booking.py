"""What is written down of a write: at once before it is sent, at once when it is known what came of it.

Before: its yes is used up, the ledger knows it, its caller pays for what it buys, and the machine that it buys has its
lease, under its name as long as its id isn't known. All of it is one step of the state, so that a process that ends at
any moment leaves either a call that was never sent, or one of which all is known that has to be. After: what became of
these, who changed what, and the place in the line, in one step again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import anyio
import anyio.lowlevel

from barrack_mcp.account.account import Account
from barrack_mcp.account.leases import NO_LEASE, Given, give_lease, gives_lease, settle_lease, tell_end, write_end
from barrack_mcp.account.spending.purchases import draft_purchases, end_purchases, ends_purchases, settle_purchases
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.marks import masked
from barrack_mcp.dispatch.writes.ledger import Entry, Held, Ledger, Outcome, belongs, digest_of
from barrack_mcp.dispatch.writes.looking import look as looking
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.guard.turns import Turn
from barrack_mcp.state.leases import ClaimedError
from barrack_mcp.state.store import Approval, End, Lease, Overtaken, Purchase, Start, StoreError, Swap, Yes

_log = logging.getLogger(__name__)


class HeldBackError(Exception):
    """The same call is open: it was sent, and nobody knows what became of it."""

    def __init__(self, held: Held) -> None:
        super().__init__(held.sentence)
        self.held = held


@dataclass(frozen=True)
class Told:
    """What there is to say of a machine's lease: in words, and as fields."""

    words: str = ""
    fields: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class _Begun:
    """What was written down before a call is sent."""

    turn: Turn
    entry: Entry | None
    purchases: Sequence[Purchase]
    given: Given


@dataclass(eq=False)
class Booking:
    """A write, as the state knows it.

    Attributes:
        ledger: Knows what was sent.
        operation: What is sent.
        values: Its validated arguments.
        caller: Who asked for it.
    """

    ledger: Ledger
    operation: Operation
    values: JsonObject
    caller: Caller
    _begun: _Begun | None = field(default=None, init=False)

    @property
    def account(self) -> Account:
        """Whose it is."""
        return self.caller.account

    async def look_up(self, bindings: Sequence[str]) -> Approval | None:
        """Find the live request for a yes to it.

        Raises:
            HeldBackError: The same call is open.
            StoreError: The state can't be read or written.
        """
        await self.ledger.check()
        held, approval = await self.ledger.look_up(self._digest, bindings)
        if held is not None:
            raise HeldBackError(held)
        return approval

    async def begin(self, turn: Turn, yes: Yes | None = None) -> Overtaken | None:
        """Write down that it is about to be sent, and use its yes up; answers why that is no longer good.

        Raises:
            HeldBackError: The same call is open.
            StoreError: It can't be written down, so it must not be sent.
        """
        operation, values, who = self.operation, self.values, self.caller.subject
        given = await give_lease(self.account, operation, values, caller=who, known=turn.holdings)
        purchases = draft_purchases(self.account, operation, values, caller=who)
        entry = self._draft_entry() if belongs(operation) else None
        with anyio.CancelScope(shield=True):
            # whoever is cancelled in here has to know what there is to be dropped
            found = await self.ledger.begin(Start(yes=yes, entry=entry, purchases=purchases, lease=given.swap))
            if found is None:
                self._begun = _Begun(turn, entry, purchases, given)
        await anyio.lowlevel.checkpoint_if_cancelled()
        if isinstance(found, Held):
            raise HeldBackError(found)
        return found

    async def drop(self) -> None:
        """Take back what was written down of a call that is not sent after all, also while being cancelled."""
        with anyio.CancelScope(shield=True):
            await self.close("failed")

    async def close(self, outcome: Outcome, data: JsonObject | None = None) -> Told:
        """Write down what came of it, the first time; what can't be written is told by the log, and stays open.

        Args:
            outcome: Whether it took place.
            data: What the API answered, where it did.

        Returns:
            What there is to say of the lease of the machine that it bought.
        """
        begun, self._begun = self._begun, None
        if begun is None:
            return Told()
        lease, swaps = self._settle_lease(begun.given, outcome, data)
        fits = False
        try:
            end = await self._draft_end(begun, outcome, data)
            end = replace(end, leases=swaps, place=begun.turn.place)
            fits = await self.ledger.close(begun.entry, outcome, end)
            begun.turn.has_left()
            if not fits and lease is not None and outcome != "failed" and self.account.leases is not None:
                await self.account.leases.put(self.account.id, lease)
                fits = True
        except (StoreError, ClaimedError) as error:
            # what stays open there is held back, what is awaited counts, and a lease stays as it began
            _log.error("%s", error or "the lease of a machine could not be kept: a process ends it")
        if outcome == "failed" or not gives_lease(self.operation):
            return Told()
        return self._tell(lease, begun.given, kept=fits or begun.given.swap is not None, sure=data is not None)

    @property
    def _digest(self) -> str:
        """What equal calls have in common; empty where the ledger doesn't keep it."""
        if not belongs(self.operation):
            return ""
        # another lease makes no other purchase of it
        return digest_of(self.operation.tool, self.operation.on_the_wire(self.values), self.account.id)

    def _draft_entry(self) -> Entry:
        where = looking.look_with(self.operation, self.values)
        shown = masked(self.operation, self.values)
        return self.ledger.draft(
            self._digest, self.operation.tool, shown, (where.tool, where.arguments), self.account.id
        )

    async def _draft_end(self, begun: _Begun, outcome: Outcome, data: JsonObject | None) -> End:
        """Write up who changed what, or may have, and what became of what was bought."""
        account, operation, values = self.account, self.operation, self.values
        if outcome == "failed":
            return End(dropped=begun.purchases)
        end = account.note_changes(operation, values, data or {}, caller=self.caller.subject)
        if data is None:
            return end
        if not ends_purchases(operation):
            return replace(end, purchases=settle_purchases(account, operation, values, data, begun.purchases))
        held = begun.turn.holdings
        known = held.purchases if held is not None else await account.find_purchases() if account.purchases else ()
        ended = end_purchases(account, operation, values, data, known)
        return replace(end, purchases=ended.purchases, dropped=ended.dropped)

    def _settle_lease(
        self, given: Given, outcome: Outcome, data: JsonObject | None
    ) -> tuple[Lease | None, Sequence[Swap]]:
        if given is NO_LEASE:
            return None, ()
        if outcome == "failed":
            return None, [] if given.swap is None else [given.swap[::-1]]
        try:
            return settle_lease(self.operation, given, data)
        except LookupError as error:
            _log.error("nothing tells which machine the lease is of that %s gives", error)
            return None, ()

    def _tell(self, lease: Lease | None, given: Given, *, kept: bool, sure: bool) -> Told:
        """Say until when a machine that was bought may run, or that this could not be kept."""
        if given.lease is None and self.account.leases is not None:
            return Told()
        if lease is None or not kept:
            wanted = "lease_hours" in self.values or self.account.lease_hours is not None
            return Told(_NOT_KEPT if wanted and self.account.leases is not None else "")
        told = tell_end(lease, brought=self.account.brought)
        if not sure:
            return Told(f"If it took place: {told[:1].lower()}{told[1:]}")
        return Told(told, {"lease_ends": write_end(lease)})


_NOT_KEPT: Final = (
    "But its lease could not be kept, so no reaping ends it: it costs until somebody hibernates or deletes it. The "
    "server's log says why; tell the user."
)
