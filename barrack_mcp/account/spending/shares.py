"""What one caller's own purchases cost: the share of an account that is held against the caller's budget.

Who bought a thing pays for it. Who wakes or grows what somebody else bought takes it over, whole and from then on: so
nobody can run up another's share, and nobody's machine runs unpaid. Who hibernates or deletes a thing changes whose it
is not. What nobody bought through us is nobody's share, and counts for the operator's own limits alone.

A purchase counts from before it is sent. Until the account's lists show what was bought, its price is reckoned from
what was asked for; what lists that were read whole don't show after a while never came to be, or is gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from barrack_mcp.account import money
from barrack_mcp.account.deeds import NEW_S
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.spending.bills import BILLS, Spent, Window
from barrack_mcp.account.spending.month import begin_of_month, project
from barrack_mcp.account.spending.standing import Price, Standing
from barrack_mcp.account.things import Thing, moment
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME, Kind
from barrack_mcp.state.store import Bought, Purchase

AWAITED_S: Final = 3_600.0
"""How long something is awaited of which nobody knows whether it was made."""
_SLACK_S: Final = 120.0
"""By how much two clocks may differ when it is told which of two things came first."""
_NOTHING: Final = Decimal(0)

_Rows: TypeAlias = dict[str, JsonObject]


@dataclass(frozen=True)
class Budget:
    """What a caller may spend, and what is known of who bought what.

    Attributes:
        caller: Whose it is.
        hourly: What the caller's own purchases may cost per hour; None for no limit.
        monthly: What they may come to in a month; None for no limit.
        purchases: All of the account, the first first.
    """

    caller: str
    hourly: Decimal | None = None
    monthly: Decimal | None = None
    purchases: Sequence[Purchase] = ()


@dataclass(frozen=True)
class Share:
    """What a caller's own purchases cost, without and with one more; None for what can't be told.

    Attributes:
        hourly_now: Per hour, now.
        hourly_after: Per hour, with the call.
        month_now: In this month, as things are.
        month_after: In this month, with the call.
    """

    hourly_now: Decimal | None = None
    hourly_after: Decimal | None = None
    month_now: Decimal | None = None
    month_after: Decimal | None = None


UNTOLD: Final = Share()


def reckon_share(
    budget: Budget,
    standing: Standing,
    price: Price,
    *,
    currency: str,
    now: float,
    bill_time: float,
    taken: Thing | None = None,
) -> Share:
    """Answer what a caller's own purchases cost, without and with one more.

    Args:
        budget: Whose share it is, and who bought what.
        standing: How the account stands.
        price: What the call adds per hour.
        currency: Currency of prices.
        now: Seconds since 1970.
        bill_time: The same by the account's clock.
        taken: What is there already and is grown or woken; None where something is made.
    """
    prices, added = standing.prices(currency), price(standing.prices(currency))
    ledgers = [
        _Ledger(kind, listing, budget, prices, now=now, skew=bill_time - now)
        for kind, listing in (
            (INSTANCE, standing.instances),
            (VOLUME, standing.volumes),
            (SNAPSHOT, standing.snapshots),
        )
    ]
    hourly = _sum(ledger.hourly() for ledger in ledgers)
    if taken is not None and not any(ledger.owns(taken) for ledger in ledgers):
        # it is the caller's from now on, with what it cost before
        added = _sum([added, _price(prices, taken.kind, taken.row, settled=True)])
    after = _sum([hourly, added])
    if budget.monthly is None:
        return Share(hourly, after)
    spent = Spent(Window(since=begin_of_month(bill_time)))
    for kind, bills in zip((kind for _, kind in BILLS), standing.bills, strict=True):
        for ledger in ledgers:
            if ledger.kind is kind:
                ledger.add_bills(spent, bills, currency=currency, now=bill_time)
    return Share(
        hourly,
        after,
        project(spent, hourly, currency, now=bill_time),
        project(spent, after, currency, now=bill_time),
    )


class _Ledger:
    """The things of one kind that a caller pays for."""

    def __init__(
        self, kind: Kind, listing: Listing, budget: Budget, prices: Prices, *, now: float, skew: float
    ) -> None:
        self.kind = kind
        self._listing, self._prices, self._caller = listing, prices, budget.caller
        self._now, self._skew = now, skew
        self._rows: _Rows = {at: row for row in [*listing.rows, *listing.made] if (at := Thing(kind, row).id)}
        bought = [each for each in budget.purchases if each.kind == kind.type]
        self._of: dict[str, list[Purchase]] = {}
        for each in bought:
            if each.thing is not None:
                self._of.setdefault(each.thing, []).append(each)
        self._unnamed = [each for each in bought if each.thing is None and each.caller == budget.caller]
        self._found = {each.id: self._candidates(each) for each in self._unnamed}

    def owns(self, thing: Thing) -> bool:
        """Whether the caller pays for a thing now."""
        if thing.kind is not self.kind or thing.id is None:
            return False
        bought = self._of.get(thing.id)
        if bought is not None:
            return bought[-1].caller == self._caller
        return any(thing.id in found for found in self._found.values())

    def hourly(self) -> Decimal | None:
        """What the caller's things cost per hour; None if that can't be told."""
        own = [(at, bought) for at, bought in self._of.items() if bought[-1].caller == self._caller]
        if (own or self._unnamed) and not self._listing.complete:
            return None
        shown = {at: row for found in self._found.values() for at, row in found.items()}
        return _sum(
            [
                *(self._cost(at, bought) for at, bought in own),
                *(_price(self._prices, self.kind, row, settled=True) for row in shown.values()),
                *(self._awaited(each) for each in self._unnamed if not self._found[each.id]),
            ]
        )

    def _cost(self, at: str, bought: list[Purchase]) -> Decimal | None:
        last, row = bought[-1], self._rows.get(at)
        if row is not None:
            # what was grown a moment ago may be listed as it was
            grown = {} if last.anew or self._age(last) >= NEW_S else last.row
            return _price(self._prices, self.kind, {**row, **grown}, settled=True)
        if last.standing is Bought.GONE:
            return _NOTHING
        return self._awaited(last)

    def _awaited(self, purchase: Purchase) -> Decimal | None:
        """What something costs that a whole list doesn't show: its price for a while, then nothing."""
        seconds = AWAITED_S if purchase.standing is Bought.AWAITED else NEW_S
        if purchase.anew and self._age(purchase) < seconds:
            return _price(self._prices, self.kind, purchase.row, settled=False)
        return _NOTHING

    def _age(self, purchase: Purchase) -> float:
        return self._now - purchase.at

    def _candidates(self, purchase: Purchase) -> _Rows:
        """What a purchase may have made of which nobody knows: what nobody else bought, of its name and its time."""
        return {
            at: row
            for at, row in self._rows.items()
            if at not in self._of and self._may_be(purchase, Thing(self.kind, row).name, row.get("created_at"))
        }

    def _may_be(self, purchase: Purchase, name: str | None, made: object) -> bool:
        """Whether something of that name, made then, may be what was bought."""
        if purchase.name is not None and (name or "").strip() != purchase.name.strip():
            return False
        made_at, sent_at = moment(made), purchase.at + self._skew
        return made_at is None or sent_at - _SLACK_S <= made_at < sent_at + AWAITED_S

    def add_bills(self, spent: Spent, bills: Listing, *, currency: str, now: float) -> None:
        """Add to a sum what the caller's things were billed for while they were the caller's."""
        if not bills.complete:
            spent.unread.append(bills.what)
        for row in bills.rows:
            thing = Thing(self.kind, row)
            for window in self._windows(thing, row):
                within = Window(max(window.since, spent.window.since), window.until)
                spent.add(row, currency=currency, now=now, within=within)

    def _windows(self, thing: Thing, row: JsonObject) -> list[Window]:
        """When a billed thing was the caller's."""
        bought = self._of.get(thing.id or "")
        if bought is None:
            awaited = any(
                thing.id in self._found[each.id] or self._may_be(each, thing.name, row.get("start_time"))
                for each in self._unnamed
            )
            return [Window()] if awaited else []
        starts = [-math.inf if each.anew else each.at + self._skew for each in bought]
        return [
            Window(since, until)
            for each, since, until in zip(bought, starts, [*starts[1:], math.inf], strict=True)
            if each.caller == self._caller
        ]


def _price(prices: Prices, kind: Kind, row: Mapping[str, Any], *, settled: bool) -> Decimal | None:
    """What a thing costs per hour: in the state it is in or on its way to, else as it will be once it runs."""
    if kind is INSTANCE:
        return prices.instance(row, money.settled(row.get("status")) if settled else money.Billed.FULL)
    if kind is SNAPSHOT:
        return prices.snapshot(row)
    if row.get("volume_type") is None:
        # the system volume of a machine is bought without its type being said
        return prices.dearest_volume(tier=row.get("tier"), size_gb=row.get("size_gb"))
    return prices.volume(row)


def _sum(costs: Iterable[Decimal | None]) -> Decimal | None:
    """All costs together; None if one of them isn't known."""
    total = _NOTHING
    for each in costs:
        if each is None:
            return None
        total += each
    return total
