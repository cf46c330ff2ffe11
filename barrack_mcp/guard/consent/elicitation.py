"""A yes through the client: the question is put in the call's own conversation, and its answer held to what it showed.

Where no person answered and the operator lets both ways be used, one is asked out of band.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from barrack_mcp.account.account import Once
from barrack_mcp.guard.approvals import ApprovalError, Approvals, NotPending, Status
from barrack_mcp.guard.asking.asker import Asked, Asker
from barrack_mcp.guard.asking.meanings import Meanings
from barrack_mcp.guard.asking.question import Consent, Question, Reply
from barrack_mcp.guard.asking.telling import question, tell_claim
from barrack_mcp.guard.consent.out_of_band import OutOfBand
from barrack_mcp.guard.decide import Mode, Policy
from barrack_mcp.guard.plans import Planned
from barrack_mcp.guard.ruling.assessment import Assessor
from barrack_mcp.guard.ruling.call import Call
from barrack_mcp.guard.ruling.holding import begin, in_turn
from barrack_mcp.guard.ruling.ruling import SENT_NOTHING, TOO_MUCH, USED, Passed, Ruling, Shown, Stopped, digest
from barrack_mcp.guard.turns import Turn, Turns
from barrack_mcp.state.store import OPEN_ENDED, Overtaken, Yes

_REDEEMABLE_S: Final = 60.0


class Elicitation:
    """Puts a question through the client, and goes by its answer.

    Args:
        policy: What the operator set.
        assessor: Reads what a call would do.
        approvals: Keeps used answers, and requests that wait elsewhere for the same call.
        turns: Sees to it that an account is changed by one call at a time.
        meanings: Keeps what the words of a call stood for.
        out_of_band: Asks where the client can't.
        on_shown: Told of what a person is asked; what it raises stops the call.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        assessor: Assessor,
        approvals: Approvals,
        turns: Turns,
        meanings: Meanings,
        out_of_band: OutOfBand,
        on_shown: Callable[[Shown], Awaitable[None]],
        now: Callable[[], float],
    ) -> None:
        self._policy, self._assessor, self._approvals = policy, assessor, approvals
        self._turns, self._meanings = turns, meanings
        self._out_of_band, self._on_shown, self._now = out_of_band, on_shown, now

    async def ask(self, call: Call, asker: Asker, planned: Planned) -> Ruling:
        """Put the question; where the answer comes within the same call, go by it."""
        must_type = planned.typed_for(call.operation.risk)
        claim = tell_claim(call.caller.subject, call.caller.on_behalf_of)
        asked = question(planned.plan, must_type=must_type, claim=claim)
        if asked is None:
            return Stopped(TOO_MUCH, planned.plan)
        await self._on_shown(Shown.of(call, planned.plan, question=asked))
        now = self._now()
        put = Question(
            tool=call.operation.tool,
            given=call.given,
            meant=call.meant,
            nonce=self._approvals.new_nonce(),
            binding=call.bindings[0],
            fingerprint=planned.fingerprint,
            total=planned.plan.total,
            plan=digest(planned.plan),
            must_type=must_type,
            waits=await self._find_waiting(call),
            asked=now,
            until=now + self._policy.question_seconds,
        )
        reply = await asker.ask(asked, put, now=self._now)
        return reply if isinstance(reply, Asked) else await self._go_by(call, put, reply, planned)

    async def take_answer(self, call: Call, asker: Asker, put: Question) -> Ruling:
        """Take the answer that came with a second call; nothing is read for one that is a person's no."""
        if put.binding not in call.bindings:
            return Stopped(f"The answer belongs to another call. {SENT_NOTHING}")
        if self._now() >= put.until:
            return Stopped(f"The answer came too late. {SENT_NOTHING} Calling again asks anew.", shown=put.plan)
        return await self._go_by(call, put, asker.answer(put, now=self._now()))

    async def _go_by(self, call: Call, put: Question, reply: Reply, planned: Planned | None = None) -> Ruling:
        """Go by an answer: where no person gave it, one is asked out of band if the operator lets both ways be used."""
        if reply.consent is Consent.YES:
            return await in_turn(self._turns, call, partial(self._agree, call, put))
        if not (reply.consent.nobody and self._policy.mode is Mode.AUTO):
            if reply.consent is Consent.DECLINED and put.waits is not None:
                with suppress(ApprovalError):
                    await self._approvals.deny(put.waits, by=call.here)
            no = f"{reply.sentence} {SENT_NOTHING}"
            return Stopped(no, shown=put.plan) if planned is None else Stopped(no, planned.plan)
        # the same question is not to be answered by the client after all
        if not await self._approvals.use(put.nonce, until=put.until + _REDEEMABLE_S):
            asked = await self._approvals.live(*call.bindings)
            told = None if asked is None else await self._out_of_band.redeem(call, asked)
            return told or Stopped(USED, shown=put.plan)
        planned = planned or await self._assessor.plan(call, call.read)
        return self._assessor.against(call, planned) or await self._out_of_band.request(call, planned)

    async def _agree(self, call: Call, put: Question, turn: Turn) -> Ruling:
        """Hold a yes to what was shown, and use it up."""
        once = Once(call.caller.account.read)
        fresh = await self._assessor.step_back(call, once, turn)
        as_shown = fresh is not None and fresh.is_as_shown(put.fingerprint, put.total)
        if fresh is None or not as_shown or self._assessor.against(call, fresh) is not None:
            self._meanings.forget(call.given)
            return await self._assessor.changed(call)
        # one given in time may be used a little later, but never twice
        yes = Yes(nonce=put.nonce, until=put.until + _REDEEMABLE_S)
        elicited = Passed("elicited", turn, put.plan, read=once)
        if (waits := put.waits or await self._find_waiting(call)) is None:
            return await begin(call, elicited, yes)
        return await self._agree_elsewhere(call, waits, elicited, yes)

    async def _agree_elsewhere(self, call: Call, waits: str, elicited: Passed, yes: Yes) -> Ruling:
        """Use up a yes that was given here to what waits for one elsewhere, too: both are answered by it."""
        while True:
            try:
                taken = await self._approvals.draft_taken(waits, by=call.here)
            except NotPending as over:
                if over.approval.status is Status.EXPIRED:
                    return await begin(call, elicited, yes)
                good = await self._approvals.use(str(yes.nonce), until=yes.until)
                return self._out_of_band.tell(over.approval) if good else Stopped(USED)
            overtaken = await call.book.begin(elicited.turn, replace(yes, approval=(taken.before, taken.used)))
            if overtaken is None:
                await self._approvals.witness_taken(taken)
                return replace(elicited, how=f"approved by {taken.used.decided_by}", approval=waits)
            if overtaken is Overtaken.USED:
                return Stopped(USED)

    async def _find_waiting(self, call: Call) -> str | None:
        """Find the request that waits elsewhere for a call whose person sits here; None if nobody or nothing does."""
        if call.caller.asker is None or not call.caller.asker.at_terminal:
            return None
        asked = await self._approvals.live(*call.bindings)
        return asked.id if asked is not None and asked.status in OPEN_ENDED else None
