"""The guard: what a call would do is read, decided, asked, and held to; a yes is good once, for exactly that."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from barrack_mcp.account.account import Once
from barrack_mcp.account.desk import Beside
from barrack_mcp.account.reading import Reader
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import JsonObject, Operation, Risk
from barrack_mcp.catalogue.marks import masked
from barrack_mcp.catalogue.outcome import Plan
from barrack_mcp.guard.approvals import Approval, ApprovalError, Approvals, NotPending, Status, TooManyPending
from barrack_mcp.guard.approvals.binding import bindings
from barrack_mcp.guard.asking.asker import Asked, Asker
from barrack_mcp.guard.asking.meanings import NOTHING_MEANT, Meanings, Meant
from barrack_mcp.guard.asking.question import Consent, Question, Reply
from barrack_mcp.guard.asking.telling import can_be_shown, question, tell_claim
from barrack_mcp.guard.consent.sentences import (
    ANSWERED_ELSEWHERE,
    AT_A_TERMINAL,
    CHANGED,
    TOO_MUCH,
    settle,
    tell_waiting,
)
from barrack_mcp.guard.decide import (
    Decision,
    Facts,
    Mode,
    Policy,
    decide,
    must_read,
    why_unasked,
)
from barrack_mcp.guard.plans import PLANNERS, Binding, Planned, gather_facts, may_open, plan, recollect
from barrack_mcp.guard.ruling.call import Book, Call, Caller
from barrack_mcp.guard.ruling.limits import NOT_ALLOWED, refuse
from barrack_mcp.guard.ruling.ruling import SENT_NOTHING, Passed, Ruling, Shown, Stopped, Waiting, digest, unheard
from barrack_mcp.guard.turns import BusyError, Turn, Turns
from barrack_mcp.state.store import OPEN_ENDED, Overtaken, Yes

__all__ = ["Caller", "Guard"]

_log = logging.getLogger(__name__)


class Guard:
    """Stands between calls and the API.

    Args:
        policy: What the operator set.
        approvals: Keeps requests out of band and used answers.
        turns: Sees to it that an account is changed by one call at a time.
        secrets: Key the digests that bind an answer to its call, newest first.
        on_request: Told of each new request out of band; it must not raise.
        on_shown: Told of what a person is asked; what it raises stops the call.
        place: Where a person answers requests out of band, in words; `{id}` stands for the request's.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        approvals: Approvals,
        turns: Turns,
        secrets: Sequence[bytes],
        on_request: Callable[[Approval], Awaitable[None]] | None = None,
        on_shown: Callable[[Shown], Awaitable[None]] = unheard,
        place: str = AT_A_TERMINAL,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.policy, self._approvals = policy, approvals
        self._turns, self._secrets = turns, secrets
        self._on_request, self._on_shown = on_request, on_shown
        self._place, self._now = place, now
        self._meanings = Meanings(now)

    def meant_by(self, operation: Operation, arguments: Mapping[str, Any], caller: Caller) -> Meant:
        """Answer what the words of a call stood for when a person was asked about it; nothing if nobody was.

        Args:
            operation: What would be done.
            arguments: Its arguments as they came.
            caller: Who asks for it.
        """
        state = caller.asker.state if caller.asker is not None else None
        given = self._bindings(operation, arguments, caller)
        if state is None:
            return self._meanings.of(given[0])
        put = Question.of(state)
        return put.meant if put.given in given else NOTHING_MEANT

    async def rule(
        self,
        operation: Operation,
        values: JsonObject,
        caller: Caller,
        *,
        book: Book,
        given: Mapping[str, Any] | None = None,
        meant: Meant = NOTHING_MEANT,
        read: Reader | None = None,
        beside: Beside | None = None,
    ) -> Ruling:
        """Let a call pass, refuse it, or get a person's yes for it. What holds it back in its book is raised.

        Args:
            operation: What would be done.
            values: Its validated arguments, with ids for names.
            caller: Who asks for it.
            book: Where it is written down: before anybody is asked it is looked up there, and begun when it passes.
            given: Its arguments as they came.
            meant: What the words in them stand for.
            read: Reads for the question, which may tell again what the call was told already; the last look never does.
            beside: Reads what its sending wants to know; done while the last look is taken, so that nobody waits for
                one after the other.

        Raises:
            ApiError: What the call is about could not be read, so it was not sent.
            StoreError: The state can't be read or written, so it was not sent.
        """
        call = Call(
            operation,
            values,
            caller,
            given=self._bindings(operation, values if given is None else given, caller)[0],
            meant=meant,
            bindings=self._bindings(operation, values, caller),
            book=book,
            read=read or caller.account.recall,
            beside=beside,
        )
        known = self._facts(call)
        first = decide(known)
        if first is Decision.NOT_ALLOWED:
            return Stopped(NOT_ALLOWED[operation.risk])
        if first is not Decision.ALLOW:
            return await self._with_a_yes(call, first)
        most = replace(known, wide=may_open(operation.tool, values), overwrites=operation.overwrites(values))
        worst = decide(most)
        if worst is Decision.ALLOW and not must_read(self.policy.within(caller.allowance), operation):
            return await self._in_turn(call, partial(self._unasked, call, most))
        return await self._unless_wide(call, worst)

    async def _in_turn(self, call: Call, last: Callable[[Turn], Awaitable[Ruling]]) -> Ruling:
        """Take the last look at a call in its account's turn, which it keeps if it passes.

        Whoever waits for a person holds nothing: the turn is taken when all but the last look is over.
        """
        whose = call.caller
        try:
            turn = await self._turns.take(whose.account.id, tell=whose.tell, recall=call.operation.risk in _MONEY)
        except BusyError as busy:
            return Stopped(str(busy))
        ruling: Ruling | None = None
        try:
            ruling = await last(turn)
        finally:
            if not isinstance(ruling, Passed):
                await call.book.drop()
                await turn.give_back()
        return ruling

    async def _unless_wide(self, call: Call, worst: Decision) -> Ruling:
        """Pass what needs no yes, but for what the operator excludes; find or ask for one if it opens widely.

        Args:
            call: Its operation's own risk needs no yes.
            worst: What is decided if it opens something widely.
        """
        if worst is not Decision.ALLOW and (told := await self._found(call, worst)) is not None:
            return told
        wide: Planned | None = None

        async def last(turn: Turn) -> Ruling:
            nonlocal wide
            once = Once(call.caller.account.read)
            planned = await self._plan(call, once, turn=turn)
            if (stopped := self._against(call, planned)) is not None:
                return stopped
            facts = self._facts(call, planned)
            if decide(facts) is Decision.ALLOW:
                return await self._begun(call, Passed(why_unasked(facts), turn, digest(planned.plan), read=once))
            if worst is Decision.REQUEST:
                return await self._request(call, planned, turn)
            wide = planned
            return Stopped(NOT_ALLOWED[Risk.EXPOSE if facts.wide else facts.risk], planned.plan)

        ruling = await self._in_turn(call, last)
        return ruling if wide is None or worst is Decision.NOT_ALLOWED else await self._put(call, worst, wide)

    async def _with_a_yes(self, call: Call, way: Decision) -> Ruling:
        """Find the yes that this call has, or ask for it."""
        if (told := await self._found(call, way)) is not None:
            return told
        planned = await self._plan(call, call.read)
        return self._against(call, planned) or await self._put(call, way, planned)

    async def _found(self, call: Call, way: Decision) -> Ruling | None:
        """Find the answer that this call has; None if nobody was asked yet."""
        asker = call.caller.asker
        if asker is not None and (state := asker.state) is not None:
            if way is not Decision.ASK:
                # sealed where the client may be asked; here it may not
                return Stopped(f"{ANSWERED_ELSEWHERE} {SENT_NOTHING}")
            return await self._answered(call, asker, Question.of(state))
        out_of_band = way is Decision.REQUEST or self.policy.mode is Mode.AUTO
        asked = await call.book.look_up(call.bindings if out_of_band else ())
        told = None if asked is None else await self._redeemed(call, self._approvals.judge(asked))
        # what waits elsewhere is answered here by whoever sits here
        here = way is Decision.ASK and asker is not None and asker.at_terminal
        return None if here and isinstance(told, Waiting) else told

    async def _put(self, call: Call, way: Decision, planned: Planned) -> Ruling:
        """Ask for a yes, the way it is got."""
        if way is Decision.REQUEST or (asker := call.caller.asker) is None:
            return await self._request(call, planned)
        return await self._ask(call, asker, planned)

    async def _unasked(self, call: Call, most: Facts, turn: Turn) -> Ruling:
        """Pass what needs no yes by the most that it may do, but for what makes no sense whoever wants it."""
        if call.operation.risk is Risk.CHANGE and call.operation.tool in PLANNERS:
            once = Once(call.caller.account.recall)
            try:
                planned = await self._plan(call, once, turn=turn)
            except ApiError as error:
                # nobody is asked here, so what can't be read is left to the API to judge
                _log.info("no plan for %s: %s", call.operation.tool, error.failure)
            else:
                if planned.refusal is not None:
                    return Stopped(planned.refusal, planned.plan)
                return await self._begun(call, Passed(why_unasked(most), turn, read=once))
        return await self._begun(call, Passed(why_unasked(most), turn))

    async def _begun(self, call: Call, passed: Passed, yes: Yes | None = None) -> Ruling:
        """Write down that what passes is about to be sent; its yes is used up by that."""
        return passed if await call.book.begin(passed.turn, yes) is None else Stopped(_USED)

    async def _plan(
        self, call: Call, read: Reader, binding: Binding = Binding.NOT_YET, *, turn: Turn | None = None
    ) -> Planned:
        caller, policy = call.caller, self.policy.within(call.caller.allowance)
        held = None if turn is None else turn.holdings
        return await plan(
            call.operation,
            call.values,
            read=read,
            currency=self.policy.currency,
            now=self._now(),
            binding=binding,
            known=await recollect(
                caller.account, call.operation, call.values, caller=caller.subject, policy=policy, held=held
            ),
            beside=None if turn is None else call.beside,
        )

    async def _step_back(self, call: Call, read: Reader, turn: Turn | None) -> Planned | None:
        """Read again what binds, and that alone; None if the target is gone."""
        try:
            return await self._plan(call, read, Binding.ALONE, turn=turn)
        except ApiError as error:
            if error.status in (404, 410):
                return None
            raise

    def _facts(self, call: Call, planned: Planned | None = None) -> Facts:
        policy, asker = self.policy.within(call.caller.allowance), call.caller.asker
        can_ask = asker is not None and asker.can_ask and not policy.four_eyes
        return gather_facts(call.operation, policy, planned, can_ask=can_ask)

    def _against(self, call: Call, planned: Planned) -> Stopped | None:
        """Say what no yes can pass: what the operator forbids, and what can't succeed."""
        return self._forbidden(call, planned) or (planned.refusal and Stopped(planned.refusal, planned.plan)) or None

    def _forbidden(self, call: Call, planned: Planned) -> Stopped | None:
        """Say what the operator forbids."""
        return refuse(decide(self._facts(call, planned)), self.policy.within(call.caller.allowance), planned)

    async def _ask(self, call: Call, asker: Asker, planned: Planned) -> Ruling:
        must_type = planned.typed_for(call.operation.risk)
        claim = tell_claim(call.caller.subject, call.caller.on_behalf_of)
        asked = question(planned.plan, must_type=must_type, claim=claim)
        if asked is None:
            return Stopped(TOO_MUCH, planned.plan)
        await self._show(call, planned.plan, question=asked)
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
            waits=await self._waits(call),
            asked=now,
            until=now + self.policy.question_seconds,
        )
        reply = await asker.ask(asked, put, now=self._now)
        return reply if isinstance(reply, Asked) else await self._by(call, put, reply, planned)

    async def _show(self, call: Call, shown: Plan, **how: str) -> None:
        """Take note of what a person is asked, and for whom."""
        who, by = call.caller.subject, call.caller.on_behalf_of
        await self._on_shown(Shown(call.operation, call.values, who, shown, on_behalf_of=by, **how))

    async def _answered(self, call: Call, asker: Asker, put: Question) -> Ruling:
        """Take the answer that came with a second call; nothing is read for one that is a person's no."""
        if put.binding not in call.bindings:
            return Stopped(f"The answer belongs to another call. {SENT_NOTHING}")
        if self._now() >= put.until:
            return Stopped(f"The answer came too late. {SENT_NOTHING} Calling again asks anew.", shown=put.plan)
        return await self._by(call, put, asker.answer(put, now=self._now()))

    async def _by(self, call: Call, put: Question, reply: Reply, planned: Planned | None = None) -> Ruling:
        """Go by an answer: where no person gave it, one is asked out of band if the operator lets both ways be used."""
        if reply.consent is Consent.YES:
            return await self._in_turn(call, partial(self._agreed, call, put))
        if not (reply.consent.nobody and self.policy.mode is Mode.AUTO):
            if reply.consent is Consent.DECLINED and put.waits is not None:
                with suppress(ApprovalError):
                    await self._approvals.deny(put.waits, by=call.here)
            no = f"{reply.sentence} {SENT_NOTHING}"
            return Stopped(no, shown=put.plan) if planned is None else Stopped(no, planned.plan)
        # the same question is not to be answered by the client after all
        if not await self._approvals.use(put.nonce, until=put.until + _REDEEMABLE_S):
            asked = await self._approvals.live(*call.bindings)
            told = None if asked is None else await self._redeemed(call, asked)
            return told or Stopped(_USED, shown=put.plan)
        planned = planned or await self._plan(call, call.read)
        return self._against(call, planned) or await self._request(call, planned)

    async def _agreed(self, call: Call, put: Question, turn: Turn) -> Ruling:
        """Hold a yes to what was shown, and use it up."""
        once = Once(call.caller.account.read)
        fresh = await self._step_back(call, once, turn)
        if (stopped := await self._moved(call, fresh, put.fingerprint, put.total)) is not None:
            return stopped
        # one given in time may be used a little later, but never twice
        yes = Yes(nonce=put.nonce, until=put.until + _REDEEMABLE_S)
        elicited = Passed("elicited", turn, put.plan, read=once)
        if (waits := put.waits or await self._waits(call)) is None:
            return await self._begun(call, elicited, yes)
        return await self._agreed_for(call, waits, elicited, yes)

    async def _agreed_for(self, call: Call, waits: str, elicited: Passed, yes: Yes) -> Ruling:
        """Use up a yes that was given here to what waits for one elsewhere, too: both are answered by it."""
        while True:
            try:
                taken = await self._approvals.draft_taken(waits, by=call.here)
            except NotPending as over:
                if over.approval.status is Status.EXPIRED:
                    return await self._begun(call, elicited, yes)
                good = await self._approvals.use(str(yes.nonce), until=yes.until)
                return settle(over.approval, place=self._place, now=self._now()) if good else Stopped(_USED)
            overtaken = await call.book.begin(elicited.turn, replace(yes, approval=(taken.before, taken.used)))
            if overtaken is None:
                await self._approvals.witness_taken(taken)
                return replace(elicited, how=f"approved by {taken.used.decided_by}", approval=waits)
            if overtaken is Overtaken.USED:
                return Stopped(_USED)

    async def _waits(self, call: Call) -> str | None:
        """Find the request that waits elsewhere for a call whose person sits here; None if nobody or nothing does."""
        if call.caller.asker is None or not call.caller.asker.at_terminal:
            return None
        asked = await self._approvals.live(*call.bindings)
        return asked.id if asked is not None and asked.status in OPEN_ENDED else None

    async def _moved(self, call: Call, fresh: Planned | None, fingerprint: str, total: float | None) -> Stopped | None:
        """Refuse what is no longer as it was shown, or may not be any more, with a plan of how it stands now."""
        if fresh is not None and fresh.is_as_shown(fingerprint, total) and self._against(call, fresh) is None:
            return None
        self._meanings.forget(call.given)
        try:
            now = await self._plan(call, call.caller.account.read)
        except ApiError as error:
            _log.info("no plan for %s: %s", call.operation.tool, error.failure)
            return Stopped(CHANGED)
        told = f"{CHANGED} {now.refusal}" if now.refusal is not None else CHANGED
        return self._forbidden(call, now) or Stopped(told, now.plan)

    async def _redeemed(self, call: Call, asked: Approval) -> Ruling | None:
        """Use up the answer given out of band; None if it was about what is no longer so, or is no more."""
        if asked.status is not Status.APPROVED:
            return await self._told(call, asked, None)
        unasked = False

        async def last(turn: Turn) -> Ruling:
            nonlocal unasked
            told = await self._told(call, asked, turn)
            unasked = told is None
            return told or Stopped(CHANGED)

        ruling = await self._in_turn(call, last)
        return None if unasked else ruling

    async def _told(self, call: Call, asked: Approval, turn: Turn | None) -> Ruling | None:
        """Say what came of a request; a yes is held to what was shown, and used up if this is its call's turn."""
        once = Once(call.caller.account.read)
        fingerprint = None
        if asked.status in OPEN_ENDED:
            fresh = await self._step_back(call, once, turn)
            if fresh is not None and (stopped := self._forbidden(call, fresh)) is not None:
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
            return await self._redeemed(call, approval)
        if approval.status is not Status.PENDING:
            self._meanings.forget(call.given)  # the next call of these words means what they mean by then
        if approval.status is not Status.USED or turn is None:
            return settle(approval, place=self._place, now=self._now())
        return await self._moved(call, None, approval.fingerprint, None)

    async def _request(self, call: Call, planned: Planned, turn: Turn | None = None) -> Stopped | Waiting:
        """Ask for a yes out of band; a turn that is held is left with it."""
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
            await self._show(call, put, approval=approval.id)
        except BaseException:
            # nobody is to say yes to what the record doesn't hold
            await self._approvals.withdraw(approval)
            raise
        if self._on_request is not None:
            await self._on_request(approval)
        return Waiting(tell_waiting(approval, place=self._place, now=self._now()), approval, put)

    def _bindings(self, operation: Operation, arguments: Mapping[str, Any], caller: Caller) -> Sequence[str]:
        who = (caller.subject, caller.account.id, caller.on_behalf_of)
        return bindings(self._secrets, operation.tool, arguments, *who)


_MONEY: Final = frozenset({Risk.SPEND, Risk.DESTROY})
"""The risks of what costs, or costs no more: they are held against what is known here alone."""
_REDEEMABLE_S: Final = 60.0
_USED: Final = f"This answer was used already. {SENT_NOTHING}"
_NOTHING: Final = ""
"""The fingerprint of what is no more, or not as it was shown."""
