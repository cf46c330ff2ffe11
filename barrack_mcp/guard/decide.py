"""Decide: a pure function of the risk, the settings, the target and what is known of the caller."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from barrack_mcp.account.spending.shares import UNTOLD, Share
from barrack_mcp.api.text import fold_looks
from barrack_mcp.catalogue import BY_TOOL, Operation, Risk
from barrack_mcp.catalogue.outcome import Plan

_NEVER_ASK: Final = frozenset({Risk.READ, Risk.CHANGE})
_HURTS: Final = frozenset({Risk.INTERRUPT, Risk.DESTROY})


class Mode(StrEnum):
    """How a person's yes is got."""

    AUTO = "auto"
    """Through the client if it can be asked, else out of band."""
    ELICIT = "elicit"
    OUT_OF_BAND = "out-of-band"
    REFUSE = "refuse"


class Decision(StrEnum):
    """Whether a call may go on."""

    ALLOW = "allow"
    ASK = "ask"
    """Ask through the client."""
    REQUEST = "request"
    """Ask out of band."""
    PROTECTED = "protected"
    TOO_COSTLY = "too_costly"
    TOO_SHORT = "too_short"
    TOO_MUCH = "too_much"
    """The month comes to too much with it."""
    TOO_DEAR = "too_dear"
    """The machine costs too much over its lease, or has none."""
    OVER_BUDGET = "over_budget"
    """What the caller bought costs too much per hour with it."""
    OVER_MONTH = "over_month"
    """What the caller bought comes to too much this month with it."""
    NOT_ALLOWED = "not_allowed"
    """It needs a yes that nobody can be asked for."""


_WAYS: Final[Mapping[tuple[Mode, bool], Decision]] = MappingProxyType(
    {
        (Mode.AUTO, True): Decision.ASK,
        (Mode.AUTO, False): Decision.REQUEST,
        (Mode.ELICIT, True): Decision.ASK,
        (Mode.ELICIT, False): Decision.NOT_ALLOWED,
        (Mode.OUT_OF_BAND, True): Decision.REQUEST,
        (Mode.OUT_OF_BAND, False): Decision.REQUEST,
        (Mode.REFUSE, True): Decision.NOT_ALLOWED,
        (Mode.REFUSE, False): Decision.NOT_ALLOWED,
    }
)
"""The way to a yes, by mode and by whether the client can be asked."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the operator set.

    Attributes:
        mode: How a yes is got.
        unattended: Risks that run without one.
        protect: Globs of names and ids that nothing may interrupt or destroy.
        max_hourly_cost: What all that runs may cost per hour after a call, in `currency`.
        min_runway_hours: How long the credit has to last after a call.
        max_monthly_cost: What a month may come to: what was spent in it, and what runs to its end; in `currency`.
        max_machine_cost: What one machine may cost over its lease, in `currency`.
        hourly_budget: What the caller's own purchases may cost per hour, in `currency`.
        monthly_budget: What the caller's own purchases may come to in a month, as above.
        currency: Currency of prices.
        question_seconds: Time for an answer through the client.
        four_eyes: Whether somebody else than who asks has to say yes, so that their own client is not asked.
    """

    mode: Mode = Mode.AUTO
    unattended: frozenset[Risk] = frozenset()
    protect: tuple[str, ...] = ()
    max_hourly_cost: Decimal | None = None
    min_runway_hours: Decimal | None = None
    max_monthly_cost: Decimal | None = None
    max_machine_cost: Decimal | None = None
    hourly_budget: Decimal | None = None
    monthly_budget: Decimal | None = None
    currency: str = "USD"
    question_seconds: float = 120.0
    four_eyes: bool = False

    @property
    def limits_spending(self) -> bool:
        """Whether a purchase may be refused for what it costs, whatever anyone says."""
        all_ = (self.max_hourly_cost, self.min_runway_hours, self.max_monthly_cost, self.max_machine_cost)
        return self.has_budget or any(each is not None for each in all_)

    @property
    def has_budget(self) -> bool:
        """Whether the caller's own purchases are limited."""
        return self.hourly_budget is not None or self.monthly_budget is not None

    @property
    def by_month(self) -> bool:
        """Whether what a month comes to is limited."""
        return self.max_monthly_cost is not None or self.monthly_budget is not None

    def within(self, allowance: Allowance) -> Policy:
        """The same, as it holds for a caller who may less."""
        return replace(
            self,
            protect=(*self.protect, *allowance.protect),
            hourly_budget=allowance.max_hourly_cost,
            monthly_budget=allowance.max_monthly_cost,
        )


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What one caller may, of what the operator lets all do; it only ever narrows.

    Attributes:
        tools: The tools that the caller may use; None for all on offer.
        protect: Further globs of names and ids that nothing of this caller's may interrupt or destroy.
        max_hourly_cost: What this caller's own purchases may cost per hour.
        max_monthly_cost: What they may come to in a month: what they cost in it, and what runs to its end.
    """

    tools: frozenset[str] | None = None
    protect: tuple[str, ...] = ()
    max_hourly_cost: Decimal | None = None
    max_monthly_cost: Decimal | None = None

    def names(self, tool: str) -> bool:
        """Whether the caller may use a tool."""
        return self.tools is None or tool in self.tools


ALL_ALLOWED: Final = Allowance()


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What the limits are held against, each as in `Planned`; None for what is not known."""

    hourly_after: Decimal | None
    runway_hours_after: Decimal | None
    machine_cost: Decimal | None
    month_cost: Decimal | None = None
    share: Share = UNTOLD


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a decision rests on."""

    risk: Risk
    """That of its operation."""
    wide: bool = False
    """Whether it opens something to more of the internet than goes unasked."""
    replaces: bool = False
    """Whether it renames or replaces what is there, though nothing stops by it."""
    overwrites: bool = False
    """Whether a text that is there is lost by it."""
    unattended: frozenset[Risk] = frozenset()
    """What the operator lets run without asking."""
    protected: bool = False
    """Whether the target, or something lost with it, bears a protected name or id."""
    limit: Decision | None = None
    """The spending limit that it passes, or may pass."""
    mode: Mode = Mode.AUTO
    can_ask: bool = False


def decide(facts: Facts) -> Decision:
    """Decide whether a call may go on by itself, is refused whatever anyone says, or needs a person's yes."""
    if facts.protected and (facts.risk in _HURTS or facts.replaces):
        return Decision.PROTECTED
    if facts.risk is Risk.SPEND and facts.limit is not None:
        return facts.limit
    if asks(facts.risk, wide=facts.wide, overwrites=facts.overwrites) <= facts.unattended:
        return Decision.ALLOW
    return _WAYS[facts.mode, facts.can_ask]


def asks(risk: Risk, *, wide: bool, overwrites: bool = False) -> frozenset[Risk]:
    """The risks of one call that need a person's yes: its operation's, and that it opens something widely.

    A rule that doesn't open widely is no risk, and what opens widely is one whatever else it does. A change asks
    nobody, unless it overwrites a text.
    """
    own = frozenset({risk}) - ({Risk.EXPOSE} if overwrites else _NEVER_ASK | {Risk.EXPOSE})
    return own | {Risk.EXPOSE} if wide else own


def why_unasked(facts: Facts) -> str:
    """Say why a call that may go on by itself asked nobody, for the record."""
    return "unattended" if asks(facts.risk, wide=facts.wide, overwrites=facts.overwrites) else "never asks"


def must_read(policy: Policy, operation: Operation) -> bool:
    """Whether a call that needs no yes may still be refused for what it is about."""
    if operation.risk is Risk.SPEND:
        return policy.limits_spending
    return bool(policy.protect) and (may_hurt(operation.risk) or operation.replaces is not None)


def may_hurt(risk: Risk) -> bool:
    """Whether a call of this risk interrupts or destroys, so that it never reaches what is protected."""
    return risk in _HURTS


def without_forbidden(plan: Plan, decision: Decision) -> Plan:
    """A plan that is refused, less the ways to go on that the same settings refuse."""
    forbidden = _HURTS if decision is Decision.PROTECTED else {Risk.SPEND}
    return plan.model_copy(update={"safer": [way for way in plan.safer if BY_TOOL[way.tool].risk not in forbidden]})


def is_protected(marks: Collection[str], globs: Collection[str], *, unread: bool = False) -> bool:
    """Whether one of these names and ids matches a glob, as it is written or as it looks to the operator.

    Args:
        marks: The names and ids of all that a call touches.
        globs: What the operator protects.
        unread: Whether some of them could not be read: where anything is protected, they may be.
    """
    if unread and globs:
        return True
    # as written, too: what looks like two letters is still one for ?, and [!a-z] means it
    return any(
        fnmatch.fnmatchcase(mark, glob)
        for form in (str.lower, fold_looks)
        for mark, glob in itertools.product(map(form, marks), [*map(form, globs)])
    )


def passed_limit(sums: Sums, policy: Policy) -> Decision | None:
    """Answer the first of the limits that a purchase does not keep, the operator's own first; None if it keeps all."""
    if exceeds(sums.hourly_after, policy.max_hourly_cost):
        return Decision.TOO_COSTLY
    if falls_below(sums.runway_hours_after, policy.min_runway_hours):
        return Decision.TOO_SHORT
    if exceeds(sums.month_cost, policy.max_monthly_cost):
        return Decision.TOO_MUCH
    if exceeds(sums.machine_cost, policy.max_machine_cost):
        return Decision.TOO_DEAR
    if exceeds(sums.share.hourly_after, policy.hourly_budget):
        return Decision.OVER_BUDGET
    return Decision.OVER_MONTH if exceeds(sums.share.month_after, policy.monthly_budget) else None


def exceeds(cost: Decimal | None, limit: Decimal | None) -> bool:
    """Whether a cost is above the limit; one that isn't known can't be said to keep it."""
    return limit is not None and (cost is None or cost > limit)


def falls_below(hours: Decimal | None, limit: Decimal | None) -> bool:
    """Whether the credit would last shorter than the limit; unknown counts as shorter."""
    return limit is not None and (hours is None or hours < limit)
