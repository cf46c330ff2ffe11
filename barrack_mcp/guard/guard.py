"""The guard: what a call would do is read, decided, asked, and held to; a yes is good once, for exactly that."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, TypeAlias

from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import JsonObject, Operation, Risk
from barrack_mcp.catalogue.marks import masked
from barrack_mcp.catalogue.outcome import Plan
from barrack_mcp.guard import approvals as out_of_band
from barrack_mcp.guard.approvals import Approval, Approvals
from barrack_mcp.guard.ask import Asked, Asker, Reply, Verdict
from barrack_mcp.guard.decide import (
    Decision,
    Facts,
    Mode,
    asks,
    decide,
    exceeds,
    exposes_widely,
    falls_below,
    is_protected,
)
from barrack_mcp.guard.plans import PLANNERS, Planned, Reader, plan
from barrack_mcp.guard.telling import question

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the operator set.

    Attributes:
        mode: How a yes is got.
        unattended: Risks that run without one.
        protect: Globs of names and ids that nothing may interrupt or destroy.
        max_hourly_cost: What all that runs may cost per hour after a call, in `currency`.
        min_runway_hours: How long the credit has to last after a call.
        currency: Currency of prices.
        question_seconds: Time for an answer through the client.
    """

    mode: Mode = Mode.AUTO
    unattended: frozenset[Risk] = frozenset()
    protect: tuple[str, ...] = ()
    max_hourly_cost: Decimal | None = None
    min_runway_hours: Decimal | None = None
    currency: str = "USD"
    question_seconds: float = 120.0


@dataclass(frozen=True)
class Caller:
    """Who makes a call, and how a question reaches the person behind it.

    Attributes:
        subject: The token's subject, else `local:<uid>`.
        asker: Asks through the client; None where there is none.
    """

    subject: str
    asker: Asker | None = None


@dataclass(frozen=True)
class Passed:
    """The call may be sent, once.

    Attributes:
        how: `never asks`, `unattended`, `elicited` or `approved by …`; for the record.
        plan: What it would do, if that was read.
    """

    how: str
    plan: Plan | None = None


@dataclass(frozen=True)
class Stopped:
    """The call is refused; nothing of it was sent."""

    sentence: str
    plan: Plan | None = None


@dataclass(frozen=True)
class Waiting:
    """A person has yet to approve, out of band."""

    sentence: str
    approval: Approval
    plan: Plan


Ruling: TypeAlias = Passed | Stopped | Waiting | Asked


@dataclass(frozen=True)
class _Call:
    operation: Operation
    values: JsonObject
    caller: Caller
    binding: str


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """What a person was shown and for how long, to hold the answer to."""

    nonce: str
    binding: str
    fingerprint: str
    must_type: str | None
    until: float


class Guard:
    """Stands between calls and the API.

    Args:
        policy: What the operator set.
        approvals: Keeps requests out of band and used answers.
        read: Sends one read operation and presents its answer.
        secret: Keys the digests that bind an answer to its call.
        account: What tells one account from another: the API's URL and a digest of the key.
        on_request: Told of each new request out of band; it must not raise.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        approvals: Approvals,
        read: Reader,
        secret: bytes,
        account: str,
        on_request: Callable[[Approval], Awaitable[None]] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._policy = policy
        self._approvals = approvals
        self._read = read
        self._secret = secret
        self._account = account
        self._on_request = on_request
        self._now = now

    async def rule(self, operation: Operation, values: JsonObject, caller: Caller) -> Ruling:
        """Let a call pass, refuse it, or get a person's yes for it.

        Args:
            operation: What would be done.
            values: Its validated arguments.
            caller: Who asks for it.

        Raises:
            ApiError: What the call is about could not be read, so it was not sent.
            StoreError: The state can't be read or written, so it was not sent.
        """
        call = _Call(operation, values, caller, self._binding(operation, values, caller))
        known = self._facts(call)
        first = decide(known)
        if first is Decision.NOT_ALLOWED:
            return Stopped(_NOT_ALLOWED[operation.risk])
        if first is Decision.ALLOW and not self._must_read(operation):
            return await self._unasked(call, known)
        planned = await self._planned(call)
        if (stopped := self._against(call, planned)) is not None:
            return stopped
        if first is Decision.ALLOW:
            return Passed(_how(known), planned.plan)
        return await self._with_a_yes(call, planned, first)

    async def _with_a_yes(self, call: _Call, planned: Planned, way: Decision) -> Ruling:
        """Find the yes that this call has, or ask for it."""
        asker = call.caller.asker
        if asker is not None and (state := asker.state) is not None:
            return await self._answered(call, asker, planned, state)
        if way is Decision.REQUEST or self._policy.mode is Mode.AUTO:
            told = await self._redeemed(call, planned)
            if told is not None:
                return told
        if way is Decision.REQUEST or asker is None:
            return await self._request(call, planned)
        return await self._ask(call, asker, planned)

    async def _unasked(self, call: _Call, known: Facts) -> Ruling:
        """Pass what needs no yes, but for what makes no sense whoever wants it."""
        operation = call.operation
        if operation.risk is Risk.CHANGE and operation.tool in PLANNERS:
            try:
                planned = await self._planned(call)
            except ApiError as error:
                # nobody is asked here, so what can't be read is left to the API to judge
                _log.info("no plan for %s: %s", operation.tool, error.failure)
            else:
                if planned.refusal is not None:
                    return Stopped(planned.refusal, planned.plan)
        return Passed(_how(known))

    def _must_read(self, operation: Operation) -> bool:
        """Whether a call that needs no yes may still be refused for what it is about."""
        policy = self._policy
        if operation.risk is Risk.SPEND:
            return policy.max_hourly_cost is not None or policy.min_runway_hours is not None
        return bool(policy.protect) and operation.risk in (Risk.INTERRUPT, Risk.DESTROY)

    async def _planned(self, call: _Call) -> Planned:
        return await plan(call.operation, call.values, read=self._read, currency=self._policy.currency, now=self._now())

    def _facts(self, call: _Call, planned: Planned | None = None) -> Facts:
        policy, risk, asker = self._policy, call.operation.risk, call.caller.asker
        return Facts(
            risk=risk,
            wide=risk is Risk.EXPOSE and exposes_widely(call.values),
            unattended=risk in policy.unattended,
            protected=planned is not None and is_protected(planned.protected_by, policy.protect),
            too_costly=planned is not None and exceeds(planned.hourly_after, policy.max_hourly_cost),
            too_short=planned is not None and falls_below(planned.runway_hours_after, policy.min_runway_hours),
            mode=policy.mode,
            can_ask=asker is not None and asker.can_ask,
        )

    def _against(self, call: _Call, planned: Planned) -> Stopped | None:
        """Say what no yes can pass."""
        decision = decide(self._facts(call, planned))
        if decision in _WHATEVER_ANYONE_SAYS:
            return Stopped(f"{planned.plan.summary} {_WHATEVER_ANYONE_SAYS[decision]} {_SENT_NOTHING}", planned.plan)
        return None if planned.refusal is None else Stopped(planned.refusal, planned.plan)

    async def _ask(self, call: _Call, asker: Asker, planned: Planned) -> Ruling:
        must_type = _must_type(call, planned)
        shown = _Shown(
            nonce=secrets.token_urlsafe(18),
            binding=call.binding,
            fingerprint=planned.fingerprint,
            must_type=must_type,
            until=self._now() + self._policy.question_seconds,
        )
        reply = await asker.ask(
            question(planned.plan, must_type=must_type),
            must_type=must_type,
            state=asdict(shown),
            seconds=self._policy.question_seconds,
        )
        if isinstance(reply, Asked):
            return reply
        if reply.verdict in (Verdict.SILENT, Verdict.UNASKED) and self._policy.mode is Mode.AUTO:
            return await self._request(call, planned)
        if reply.verdict is not Verdict.YES:
            return _no(reply, planned)
        return await self._agreed(call, await self._planned(call), shown)

    async def _answered(self, call: _Call, asker: Asker, planned: Planned, state: JsonObject) -> Ruling:
        """Take the answer that came with a second call; `planned` was read just now, after it."""
        shown = _Shown(**state)
        if not hmac.compare_digest(shown.binding.encode(), call.binding.encode()):
            return Stopped(f"The answer belongs to another call. {_SENT_NOTHING}", planned.plan)
        if self._now() >= shown.until:
            return Stopped(f"The answer came too late. {_SENT_NOTHING} Calling again asks anew.", planned.plan)
        reply = asker.answer(shown.must_type)
        if reply.verdict is not Verdict.YES:
            return _no(reply, planned)
        return await self._agreed(call, planned, shown)

    async def _agreed(self, call: _Call, fresh: Planned, shown: _Shown) -> Ruling:
        """Hold a yes to what was shown, and use it up."""
        if (stopped := self._against(call, fresh)) is not None:
            return stopped
        if fresh.fingerprint != shown.fingerprint:
            return Stopped(_CHANGED, fresh.plan)
        # a yes given in time may be used a little later, but never twice
        if not await self._approvals.use(shown.nonce, until=shown.until + _REDEEMABLE_S):
            return Stopped(f"This answer was used already. {_SENT_NOTHING}", fresh.plan)
        return Passed("elicited", fresh.plan)

    async def _redeemed(self, call: _Call, planned: Planned) -> Ruling | None:
        """Use up the answer given out of band; None if nobody was asked yet."""
        redemption = await self._approvals.redeem(call.binding, fingerprint=planned.fingerprint)
        approval = redemption.approval
        if approval is None:
            return None
        match redemption.verdict:
            case out_of_band.Verdict.APPROVED if approval.fingerprint == planned.fingerprint:
                return Passed(f"approved by {approval.decided_by}", planned.plan)
            case out_of_band.Verdict.APPROVED:
                return Stopped(_CHANGED, planned.plan)
            case out_of_band.Verdict.PENDING:
                return Waiting(_waiting(approval), approval, planned.plan)
            case out_of_band.Verdict.DENIED:
                return Stopped(f"A person said no to this call. {_SENT_NOTHING}", planned.plan)
            case _:
                return Stopped(
                    f"Nobody approved this call in time. {_SENT_NOTHING} If the user still wants it, the same call "
                    "asks again.",
                    planned.plan,
                )

    async def _request(self, call: _Call, planned: Planned) -> Waiting:
        approval = await self._approvals.request(
            binding=call.binding,
            caller=call.caller.subject,
            tool=call.operation.tool,
            arguments=masked(call.operation, call.values),
            plan=planned.plan.model_dump(mode="json", exclude_none=True),
            must_type=_must_type(call, planned),
            fingerprint=planned.fingerprint,
        )
        if self._on_request is not None:
            await self._on_request(approval)
        return Waiting(_waiting(approval), approval, planned.plan)

    def _binding(self, operation: Operation, values: JsonObject, caller: Caller) -> str:
        """Digest all that a yes is good for; keyed, since arguments may hold a password that could be guessed."""
        bound = json.dumps([operation.tool, values, caller.subject, self._account], sort_keys=True)
        return hmac.new(self._secret, bound.encode(), hashlib.sha256).hexdigest()


def _how(facts: Facts) -> str:
    return "unattended" if asks(facts.risk, wide=facts.wide) else "never asks"


def _must_type(call: _Call, planned: Planned) -> str | None:
    return planned.must_type if call.operation.risk is Risk.DESTROY else None


def _no(reply: Reply, planned: Planned) -> Stopped:
    return Stopped(f"{reply.sentence} {_SENT_NOTHING}", planned.plan)


def _waiting(approval: Approval) -> str:
    clock = datetime.fromtimestamp(approval.expires_at, tz=UTC).strftime("%H:%M:%S UTC")
    return (
        f"Not done yet: it needs a person's yes, outside of this conversation (request {approval.id}, until {clock}). "
        "Nothing was sent to Barrack. Tell the user what is asked for; after their yes, repeat exactly this call."
    )


_REDEEMABLE_S: Final = 60.0
_SENT_NOTHING: Final = "Nothing was sent to Barrack."
_CHANGED: Final = (
    f"It changed since you were asked, so the yes is not good for it any more. {_SENT_NOTHING} Read the present state; "
    "if the user still wants it, the same call asks anew."
)
_WHATEVER_ANYONE_SAYS: Final = {
    Decision.PROTECTED: "It is not done: the operator protects this, or something that would be lost or stopped with "
    "it, and no approval passes that. Tell the user.",
    Decision.TOO_COSTLY: "It is not done: all that runs would cost more per hour than the operator allows, or what it "
    "would cost can't be told, and no approval passes that. Tell the user.",
    Decision.TOO_SHORT: "It is not done: the credit would not last as long as the operator wants it to, or how long it "
    "lasts can't be told, and no approval passes that. Tell the user.",
}
_OPERATOR: Final = (
    "and the operator has not allowed this without one that can be asked for here. Nothing was sent to Barrack; tell "
    "the user."
)
_NOT_ALLOWED: Final = {
    Risk.SPEND: f"Not done. It costs money and needs a person's yes, {_OPERATOR}",
    Risk.INTERRUPT: f"Not done. It interrupts what runs and needs a person's yes, {_OPERATOR}",
    Risk.EXPOSE: f"Not done. It opens a machine to much of the internet and needs a person's yes, {_OPERATOR}",
    Risk.DESTROY: f"Not done. It destroys something for good and needs a person's yes, {_OPERATOR}",
}
