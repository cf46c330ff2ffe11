"""A plan in the making: what a kind's room finds out, and how it becomes the plan that a person sees."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeAlias

from barrack_mcp.account import money
from barrack_mcp.account.deeds import Deeds
from barrack_mcp.account.desk import Binding, Desk, Single
from barrack_mcp.account.leases import Term
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.spending.shares import UNTOLD, Budget, Share
from barrack_mcp.account.things import Thing, ago, joined, marks, usable_id
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject, Operation, Risk
from barrack_mcp.catalogue.kinds import Kind
from barrack_mcp.catalogue.outcome import Cost, Plan, Safer
from barrack_mcp.guard.decide import Sums
from barrack_mcp.state.store import Trace

_A_CENT: Final = 0.01
"""By how much a sum may move between question and answer."""
_MOST_NAMED: Final = 100
"""Things that are looked up by their ids for one plan; the rest stays without a name, which protects it."""


@dataclass(frozen=True)
class Planned:
    """What a call would do, and what the guard needs to decide on it and to hold it to that.

    Attributes:
        plan: For people and the model.
        must_type: What a person types to agree to a destruction: the target's name; its id if it has none, if the
            name is over 50 characters or can't be typed as it is shown; `delete N` in bulk. Empty where a call makes
            something new.
        protected_by: Every name and id of the target and of what the call would destroy or interrupt with it, as the
            API has them, for the operator's globs.
        touches_unread: Whether the name or the id of any of these could not be read.
        fingerprint: Digest of the facts that a person agrees to; another one means that the target was renamed,
            replaced, attached, changed or priced anew. Balance, cost so far and age don't count.
        hourly_now: What all of the account costs per hour now, in the settings' currency; for spending only, None
            unless everything was read and priced. What is being made or started counts at the rate it will have.
        hourly_after: The same after the call.
        balance: Credit left, in its own currency; for spending only, None if unknown.
        runway_hours_after: How long it lasts after the call; `Infinity` if nothing is spent, None if unknown.
        month_cost: What this month comes to at most after the call; None if unknown, or if no limit asks for it.
        machine_cost: What a machine that is bought costs over its lease; `Infinity` without one, None if unknown.
        share: What the caller's own purchases cost, where a budget asks for it.
        read_in_part: The lists of what costs that could not be read in full, so that no sum can be told.
        refusal: Why the call can't make sense and must not be sent; None if it can.
        overwrites: Whether a text that is there would be lost to another, or nobody can tell.
        wide: Whether it opens something to more of the internet than goes unasked, or nobody can tell.
    """

    plan: Plan
    must_type: str
    protected_by: tuple[str, ...]
    fingerprint: str
    touches_unread: bool = False
    hourly_now: Decimal | None = None
    hourly_after: Decimal | None = None
    balance: Decimal | None = None
    runway_hours_after: Decimal | None = None
    month_cost: Decimal | None = None
    machine_cost: Decimal | None = Decimal(0)
    share: Share = UNTOLD
    read_in_part: tuple[str, ...] = ()
    refusal: str | None = None
    wide: bool = False
    overwrites: bool = False

    @property
    def sums(self) -> Sums:
        """What the operator's limits are held against."""
        return Sums(
            hourly_after=self.hourly_after,
            runway_hours_after=self.runway_hours_after,
            month_cost=self.month_cost,
            machine_cost=self.machine_cost,
            share=self.share,
        )

    @property
    def why_no_sum(self) -> str:
        """Why a limit of the operator's can't be kept, whatever anyone says; empty if the sum is known."""
        if not self.read_in_part:
            return ""
        return (
            "It is not done: the operator limits what may be spent, and what all costs can't be told, since not all "
            f"could be read: {joined(self.read_in_part)}. No approval passes that. Tell the user."
        )

    @property
    def hides_names(self) -> bool:
        """Whether what the call would touch may bear a name that nobody read; what is refused touches nothing."""
        return self.touches_unread and self.refusal is None

    def typed_for(self, risk: Risk) -> str | None:
        """What a person has to type to agree to a call of this risk; None where a plain yes is enough."""
        return self.must_type if risk is Risk.DESTROY else None

    def is_as_shown(self, fingerprint: str, total: float | None) -> bool:
        """Whether all that a person agreed to still stands: the facts as they were, the sum to the cent.

        Args:
            fingerprint: That of the plan that was shown.
            total: What it said all of the account would cost per hour.
        """
        now = self.plan.total
        same = now == total if now is None or total is None else round(abs(now - total), 4) <= _A_CENT
        return same and self.fingerprint == fingerprint


FindTerm: TypeAlias = Callable[[], Awaitable[Term | None]]
"""Answers the lease that a purchase gives; raises StoreError."""


async def no_term() -> Term | None:
    """Where no purchase gives a lease."""
    return None


LastChanges: TypeAlias = Callable[[Iterable[Thing]], Awaitable[Mapping[tuple[str, str], Trace]]]
"""Answers by whom and when things were last changed through us, by their type and id; raises StoreError."""


async def none_known(_: Iterable[Thing]) -> Mapping[tuple[str, str], Trace]:
    """Where nothing is known of earlier changes."""
    return {}


@dataclass(frozen=True)
class Known:
    """What we know ourselves, and the API doesn't; without it nothing is known.

    Attributes:
        deeds: What was made through us a moment ago, which counts though no list shows it yet.
        last_changes: By whom and when things were last changed through us.
        find_term: Which lease the purchase gives.
        budget: What the caller's own purchases are held against; None where nothing limits them.
        by_month: Whether what the month comes to counts, which takes the bills.
        brought: Whether the caller brought the key of the account.
    """

    deeds: Deeds | None = None
    last_changes: LastChanges = none_known
    find_term: FindTerm = no_term
    budget: Budget | None = None
    by_month: bool = False
    brought: bool = False


@dataclass(frozen=True)
class Inquiry:
    """One call to plan.

    Attributes:
        operation: What would be done.
        arguments: Its validated arguments.
        desk: Sends the reads.
        currency: Currency of prices.
        now: Unix seconds, for ages.
        known: What we know ourselves.
    """

    operation: Operation
    arguments: JsonObject
    desk: Desk
    currency: str
    now: float
    known: Known = field(default_factory=Known)

    async def tell_last_changes(self, found: Sequence[Thing]) -> Mapping[tuple[str, str], str]:
        """Say by whom and when things were last changed through us, by their type and id; for showing alone."""
        if self.desk.binding is not Binding.NOT_YET:
            return {}
        known = await self.known.last_changes(found)
        return {
            key: f"changed through us {ago(self.now - last.at)} by {mention(last.caller)}"
            for key, last in known.items()
        }

    def prices(self, price_list: Single) -> Prices:
        """What things cost, by a price list that was ordered."""
        return Prices(price_list.known, self.currency)


@dataclass
class Draft:
    """What was found out. The lists are as in `Plan`, the rest as in `Planned`.

    All but `warnings`, `kept` and `safer` is shown whole or the call is refused, so nothing in it says "and more".
    """

    summary: str
    target: JsonObject
    things: list[Thing] = field(default_factory=list)
    """The target, if it exists."""
    must_type: str | None = None
    cost: Cost | None = None
    widely: list[str] = field(default_factory=list)
    """Whom it opens to that may not go unasked; comes before all else that it opens to. What tells it binds."""
    opens: list[str] = field(default_factory=list)
    gained: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    uncertain: list[str] = field(default_factory=list)
    bill: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    safer: list[Safer] = field(default_factory=list)
    touched: list[Thing] = field(default_factory=list)
    """What goes or stops with the target."""
    overwrites: bool = False
    touches_unread: bool = False
    """Whether there may be more of it, which could not be read."""
    staying: list[Thing] = field(default_factory=list)
    """What the plan says is kept beside the target: a yes is good only while it is there."""
    facts: JsonObject = field(default_factory=dict)
    """What a person agrees to beside the facts of the target."""
    hourly_now: Decimal | None = None
    hourly_after: Decimal | None = None
    balance: Decimal | None = None
    runway_hours: Decimal | None = None
    month_cost: Decimal | None = None
    machine_cost: Decimal | None = Decimal(0)
    share: Share = UNTOLD
    read_in_part: list[str] = field(default_factory=list)
    refusal: str | None = None

    def planned(self, inquiry: Inquiry) -> Planned:
        """Finish the plan."""
        plan = Plan(
            summary=self.summary,
            risk=inquiry.operation.risk,
            target=self.target,
            cost=self.cost,
            opens=[*self.widely, *self.opens],
            gained=self.gained,
            runs=self.runs,
            lost=self.lost,
            uncertain=self.uncertain,
            bill=self.bill,
            kept=self.kept,
            warnings=list(dict.fromkeys([*self.warnings, *inquiry.desk.unread])),
            safer=self.safer,
        )
        must_type = self.must_type
        if must_type is None:
            must_type = self.things[0].to_type if self.things else ""
        concerned = [*self.things, *self.touched]
        return Planned(
            plan=plan,
            must_type=must_type,
            protected_by=marks(concerned),
            touches_unread=self.touches_unread or not all(thing.is_identified for thing in concerned),
            fingerprint=_digest(
                [
                    inquiry.operation.tool,
                    [thing.facts for thing in self.things],
                    sorted([thing.kind.type, str(thing.id)] for thing in self.staying),
                    # whom it opens to hangs on what else is in force by then
                    self.widely,
                    self.facts,
                ]
            ),
            hourly_now=self.hourly_now,
            hourly_after=self.hourly_after,
            balance=self.balance,
            runway_hours_after=self.runway_hours,
            month_cost=self.month_cost,
            machine_cost=self.machine_cost,
            share=self.share,
            read_in_part=tuple(self.read_in_part),
            refusal=self.refusal,
            wide=bool(self.widely),
            overwrites=self.overwrites,
        )


class NotThereError(Exception):
    """The API answered, but not with the target.

    Attributes:
        thing: What was asked for.
    """

    def __init__(self, thing: Thing) -> None:
        super().__init__(thing.kind.words)
        self.thing = thing


def require(found: Single, kind: Kind, asked: str) -> Thing:
    """Answer the target as it was read.

    Raises:
        NotThereError: The answer was without it.
    """
    thing = Thing(kind, found.known, asked=asked)
    if not found.data:
        raise NotThereError(thing)
    return thing


async def name_all(inquiry: Inquiry, found: list[Thing]) -> list[Thing]:
    """Look up what is known by its id alone, so that people and globs know it by its name."""
    ids = [at for thing in found if not thing.is_identified and (at := usable_id(thing.id))][:_MOST_NAMED]
    if not ids:
        return found
    kind = found[0].kind
    async with inquiry.desk.side_by_side() as sheet:
        details = {
            at: sheet.one(kind.get_tool, {kind.arguments[0]: at}, f"{kind.words} {mention(at)}", binds=True)
            for at in ids
        }
    return [
        Thing(kind, {**thing.row, **details[thing.id].known}, asked=thing.asked) if thing.id in details else thing
        for thing in found
    ]


def not_found(thing: Thing) -> Draft:
    """Refuse a call whose target the answer was without."""
    return Draft(
        summary=f"Nothing is known of {thing.in_words}.",
        target=thing.target(),
        things=[thing],
        refusal=f"Barrack answered without the {thing.kind.words}, so what would happen to it can't be said. "
        "Nothing was sent; check the id.",
    )


def cost(
    inquiry: Inquiry,
    *,
    now: Decimal | None,
    after: Decimal | None,
    spent: Decimal | None = None,
    account_after: Decimal | None = None,
) -> Cost:
    """What the target costs, before and after, and what all of the account does then."""
    return Cost(
        currency=inquiry.currency,
        hourly_now=money.rounded(now),
        hourly_after=money.rounded(after),
        spent_so_far=money.rounded(spent),
        account_hourly_after=money.rounded(account_after),
    )


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
