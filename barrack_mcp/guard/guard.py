"""The guard: what a call would do is read, decided, asked, and held to; a yes is good once, for exactly that."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from barrack_mcp.account.account import Once
from barrack_mcp.account.desk import Beside
from barrack_mcp.account.reading import Reader
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import JsonObject, Operation, Risk
from barrack_mcp.guard.approvals import Approval, Approvals
from barrack_mcp.guard.approvals.binding import bindings
from barrack_mcp.guard.asking.meanings import NOTHING_MEANT, Meanings, Meant
from barrack_mcp.guard.asking.question import Question
from barrack_mcp.guard.consent.elicitation import Elicitation
from barrack_mcp.guard.consent.out_of_band import OutOfBand
from barrack_mcp.guard.consent.waiting import AT_A_TERMINAL
from barrack_mcp.guard.decide import Decision, Facts, Mode, Policy, decide, must_read, why_unasked
from barrack_mcp.guard.plans import PLANNERS, Planned, may_open
from barrack_mcp.guard.ruling.assessment import Assessor
from barrack_mcp.guard.ruling.call import Book, Call, Caller
from barrack_mcp.guard.ruling.holding import begin, in_turn
from barrack_mcp.guard.ruling.limits import NOT_ALLOWED
from barrack_mcp.guard.ruling.ruling import (
    ANSWERED_ELSEWHERE,
    SENT_NOTHING,
    Passed,
    Ruling,
    Shown,
    Stopped,
    Waiting,
    digest,
    unheard,
)
from barrack_mcp.guard.turns import Turn, Turns

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
        self._meanings = Meanings(now)
        self._assessor = Assessor(policy, now)
        self._out_of_band = OutOfBand(
            assessor=self._assessor,
            approvals=approvals,
            turns=turns,
            meanings=self._meanings,
            on_request=on_request,
            on_shown=on_shown,
            place=place,
            now=now,
        )
        self._elicitation = Elicitation(
            policy=policy,
            assessor=self._assessor,
            approvals=approvals,
            turns=turns,
            meanings=self._meanings,
            out_of_band=self._out_of_band,
            on_shown=on_shown,
            now=now,
        )

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
        known = self._assessor.facts(call)
        first = decide(known)
        if first is Decision.NOT_ALLOWED:
            return Stopped(NOT_ALLOWED[operation.risk])
        if first is not Decision.ALLOW:
            return await self._get_a_yes(call, first)
        most = replace(known, wide=may_open(operation.tool, values), overwrites=operation.overwrites(values))
        worst = decide(most)
        if worst is Decision.ALLOW and not must_read(self._assessor.policy_for(call), operation):
            return await in_turn(self._turns, call, partial(self._pass_unasked, call, most))
        return await self._pass_unless_wide(call, worst)

    async def _pass_unless_wide(self, call: Call, worst: Decision) -> Ruling:
        """Pass what needs no yes, but for what the operator excludes; find or ask for one if it opens widely.

        Args:
            call: Its operation's own risk needs no yes.
            worst: What is decided if it opens something widely.
        """
        if worst is not Decision.ALLOW and (told := await self._find_answer(call, worst)) is not None:
            return told
        wide: Planned | None = None

        async def last(turn: Turn) -> Ruling:
            nonlocal wide
            once = Once(call.caller.account.read)
            planned = await self._assessor.plan(call, once, turn=turn)
            if (stopped := self._assessor.against(call, planned)) is not None:
                return stopped
            facts = self._assessor.facts(call, planned)
            if decide(facts) is Decision.ALLOW:
                return await begin(call, Passed(why_unasked(facts), turn, digest(planned.plan), read=once))
            if worst is Decision.REQUEST:
                return await self._out_of_band.request(call, planned, turn)
            wide = planned
            return Stopped(NOT_ALLOWED[Risk.EXPOSE if facts.wide else facts.risk], planned.plan)

        ruling = await in_turn(self._turns, call, last)
        return ruling if wide is None or worst is Decision.NOT_ALLOWED else await self._ask(call, worst, wide)

    async def _get_a_yes(self, call: Call, way: Decision) -> Ruling:
        """Find the yes that this call has, or ask for it."""
        if (told := await self._find_answer(call, way)) is not None:
            return told
        planned = await self._assessor.plan(call, call.read)
        return self._assessor.against(call, planned) or await self._ask(call, way, planned)

    async def _find_answer(self, call: Call, way: Decision) -> Ruling | None:
        """Find the answer that this call has; None if nobody was asked yet."""
        asker = call.caller.asker
        if asker is not None and (state := asker.state) is not None:
            if way is not Decision.ASK:
                # sealed where the client may be asked; here it may not
                return Stopped(f"{ANSWERED_ELSEWHERE} {SENT_NOTHING}")
            return await self._elicitation.take_answer(call, asker, Question.of(state))
        out_of_band = way is Decision.REQUEST or self.policy.mode is Mode.AUTO
        asked = await call.book.look_up(call.bindings if out_of_band else ())
        told = None if asked is None else await self._out_of_band.redeem(call, self._approvals.judge(asked))
        # what waits elsewhere is answered here by whoever sits here
        here = way is Decision.ASK and asker is not None and asker.at_terminal
        return None if here and isinstance(told, Waiting) else told

    async def _ask(self, call: Call, way: Decision, planned: Planned) -> Ruling:
        """Ask for a yes, the way it is got."""
        if way is Decision.REQUEST or (asker := call.caller.asker) is None:
            return await self._out_of_band.request(call, planned)
        return await self._elicitation.ask(call, asker, planned)

    async def _pass_unasked(self, call: Call, most: Facts, turn: Turn) -> Ruling:
        """Pass what needs no yes by the most that it may do, but for what makes no sense whoever wants it."""
        if call.operation.risk is Risk.CHANGE and call.operation.tool in PLANNERS:
            once = Once(call.caller.account.recall)
            try:
                planned = await self._assessor.plan(call, once, turn=turn)
            except ApiError as error:
                # nobody is asked here, so what can't be read is left to the API to judge
                _log.info("no plan for %s: %s", call.operation.tool, error.failure)
            else:
                if planned.refusal is not None:
                    return Stopped(planned.refusal, planned.plan)
                return await begin(call, Passed(why_unasked(most), turn, read=once))
        return await begin(call, Passed(why_unasked(most), turn))

    def _bindings(self, operation: Operation, arguments: Mapping[str, Any], caller: Caller) -> Sequence[str]:
        who = (caller.subject, caller.account.id, caller.on_behalf_of)
        return bindings(self._secrets, operation.tool, arguments, *who)
