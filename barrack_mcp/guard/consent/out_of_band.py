"""A yes out of band: a request that a person answers elsewhere, and that its call asks for when it comes again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from barrack_mcp.account.account import Once
from barrack_mcp.catalogue.marks import masked
from barrack_mcp.catalogue.outcome import Plan
from barrack_mcp.guard.approvals import Approval, Approvals, Status, TooManyPending
from barrack_mcp.guard.asking.meanings import Meanings
from barrack_mcp.guard.asking.telling import can_be_shown
from barrack_mcp.guard.consent.waiting import settle, tell_waiting
from barrack_mcp.guard.plans import Planned
from barrack_mcp.guard.ruling.assessment import Assessor
from barrack_mcp.guard.ruling.call import Call
from barrack_mcp.guard.ruling.holding import in_turn
from barrack_mcp.guard.ruling.ruling import CHANGED, TOO_MUCH, Passed, Ruling, Shown, Stopped, Waiting, digest
from barrack_mcp.guard.turns import Turn, Turns
from barrack_mcp.state.store import OPEN_ENDED, Yes

_NOTHING: Final = ""
"""The fingerprint of what is no more, or not as it was shown."""


class OutOfBand:
    """Requests a person's yes where they approve, and uses it when the call comes again.

    Args:
        assessor: Reads what a call would do.
        approvals: Keeps the requests.
        turns: Sees to it that an account is changed by one call at a time.
        meanings: Keeps what the words of a call stood for.
        on_request: Told of each new request; it must not raise.
        on_shown: Told of what a person is asked; what it raises stops the call.
        place: Where a person answers, in words; `{id}` stands for the request's.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        assessor: Assessor,
        approvals: Approvals,
        turns: Turns,
        meanings: Meanings,
        on_request: Callable[[Approval], Awaitable[None]] | None,
        on_shown: Callable[[Shown], Awaitable[None]],
        place: str,
        now: Callable[[], float],
    ) -> None:
        self._assessor, self._approvals = assessor, approvals
        self._turns, self._meanings = turns, meanings
        self._on_request, self._on_shown = on_request, on_shown
        self._place, self._now = place, now

    async def request(self, call: Call, planned: Planned, turn: Turn | None = None) -> Stopped | Waiting:
        """Ask for a yes; a turn that is held is left with it."""
        if not can_be_shown(planned.plan):
            return Stopped(TOO_MUCH, planned.plan)
        try:
            approval = await self._approvals.request(
                binding=call.bindings[0],
                caller=call.caller.subject,
                tool=call.operation.tool,
                arguments=masked(call.operation, call.values),
                plan=planned.plan.model_dump(mode="json", exclude_none=True),
                must_type=planned.typed_for(call.operation.risk),
                fingerprint=planned.fingerprint,
                on_behalf_of=call.caller.on_behalf_of,
                known_as=call.caller.known_as,
                place=None if turn is None else turn.place,
            )
        except TooManyPending as error:
            return Stopped(str(error), planned.plan)
        if turn is not None:
            turn.has_left()
        self._meanings.keep(call.given, call.meant, until=approval.expires_at)
        # an open request shows what it showed when it was made
        put = Plan.model_validate(approval.plan)
        try:
            await self._on_shown(Shown.of(call, put, approval=approval.id))
        except BaseException:
            # nobody is to say yes to what the record doesn't hold
            await self._approvals.withdraw(approval)
            raise
        if self._on_request is not None:
            await self._on_request(approval)
        return Waiting(tell_waiting(approval, place=self._place, now=self._now()), approval, put)

    async def redeem(self, call: Call, asked: Approval) -> Ruling | None:
        """Use up the answer given; None if it was about what is no longer so, or is no more."""
        if asked.status is not Status.APPROVED:
            return await self._use(call, asked, None)
        unasked = False

        async def last(turn: Turn) -> Ruling:
            nonlocal unasked
            told = await self._use(call, asked, turn)
            unasked = told is None
            return told or Stopped(CHANGED)

        ruling = await in_turn(self._turns, call, last)
        return None if unasked else ruling

    def tell(self, approval: Approval) -> Stopped | Waiting:
        """Say of a request without a yes how it stands."""
        return settle(approval, place=self._place, now=self._now())

    async def _use(self, call: Call, asked: Approval, turn: Turn | None) -> Ruling | None:
        """Say what came of a request; a yes is held to what was shown, and used up if this is its call's turn."""
        once = Once(call.caller.account.read)
        fingerprint = None
        if asked.status in OPEN_ENDED:
            fresh = await self._assessor.step_back(call, once, turn)
            if fresh is not None and (stopped := self._assessor.forbidden(call, fresh)) is not None:
                return stopped
            fingerprint = _NOTHING
            if fresh is not None and fresh.is_as_shown(asked.fingerprint, Plan.model_validate(asked.plan).total):
                fingerprint = asked.fingerprint
        good = fingerprint == asked.fingerprint and self._approvals.judge(asked).status is Status.APPROVED
        if turn is not None and good:
            yes = Yes(approval=(asked, self._approvals.use_up(asked)))
            if await call.book.begin(turn, yes) is None:
                self._meanings.forget(call.given)
                shown = digest(Plan.model_validate(asked.plan))
                return Passed(f"approved by {asked.decided_by}", turn, shown, asked.id, once)
        # it waits, is answered otherwise, was shown otherwise, or somebody was faster
        approval = await self._approvals.redeem(asked.binding, fingerprint=fingerprint, use=turn is not None)
        if approval is None:
            # what the names stood for may be another thing's by now
            return Stopped(CHANGED) if self._meanings.forget(call.given) else None
        if approval.status is Status.APPROVED:
            # a person said so while this was read: the last look is due in its turn
            return await self.redeem(call, approval)
        if approval.status is not Status.PENDING:
            self._meanings.forget(call.given)  # the next call of these words means what they mean by then
        if approval.status is not Status.USED or turn is None:
            return self.tell(approval)
        return await self._assessor.changed(call)
