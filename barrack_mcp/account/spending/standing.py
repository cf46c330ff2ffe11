"""How an account stands: what all in it costs per hour, and how long its credit lasts, also with something more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from barrack_mcp.account import money
from barrack_mcp.account.desk import Sheet, Single
from barrack_mcp.account.prices import Burn, Prices
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.spending.bills import BILLS, PAGES
from barrack_mcp.account.spending.month import project_month
from barrack_mcp.account.things import text, write_time
from barrack_mcp.api.text import mention

Price: TypeAlias = Callable[[Prices], Decimal | None]
"""What something costs per hour by a price list; None if that is not known."""

_HOURS_A_DAY: Final = 24
_SHORT_HOURS: Final = 72
_LONG_HOURS: Final = 10 * 365 * 24
"""Beyond this no date is told."""


@dataclass(frozen=True)
class Outlook:
    """How an account stands once a call is done. Hourly costs are in the settings' currency, the balance in its own.

    Attributes:
        hourly_now: What all costs per hour; None unless everything was read and priced.
        hourly_after: The same after the call.
        told_after: What is told of that: the same, or what all that could be read and priced costs.
        balance: Credit left; None if unknown.
        runway_hours: How long it lasts after the call; None if unknown.
        sentences: All of that for people.
    """

    hourly_now: Decimal | None
    hourly_after: Decimal | None
    told_after: Decimal
    balance: Decimal | None
    runway_hours: Decimal | None
    sentences: list[str]


@dataclass(frozen=True)
class Standing:
    """How an account stands, by the reads that tell it."""

    price_list: Single
    credit: Single
    instances: Listing
    volumes: Listing
    snapshots: Listing
    bills: tuple[Listing, ...] = ()
    """All that was billed, where that was asked for."""

    @classmethod
    def ask(cls, sheet: Sheet, *, credit: Single | None = None, bills: bool = False) -> Standing:
        """Order the reads; all of them bind, since a person agrees to the sum.

        Args:
            sheet: Takes the orders.
            credit: The balance, where it was read already.
            bills: Whether all that was billed counts, too.
        """
        return cls(
            price_list=sheet.one("get_pricing", {}, "the prices", binds=True),
            credit=credit or sheet.one("get_credit_balance", {}, "the balance", binds=True),
            instances=sheet.rows("list_instances", {}, "the instances that run", binds=True),
            volumes=sheet.rows("list_volumes", {}, "the volumes", binds=True),
            snapshots=sheet.rows("list_snapshots", {}, "the snapshots", binds=True),
            bills=tuple(
                sheet.rows(tool, {}, f"the bills of the {kind.plural}", binds=True, pages=PAGES) for tool, kind in BILLS
            )
            if bills
            else (),
        )

    def prices(self, currency: str) -> Prices:
        """The price list in a currency; empty if it could not be read."""
        return Prices(self.price_list.known, currency)

    def burn(self, currency: str) -> Burn:
        """What all that could be read costs per hour."""
        return self.prices(currency).burn(
            instances=[*self.instances.rows, *self.instances.made],
            volumes=[*self.volumes.rows, *self.volumes.made],
            snapshots=[*self.snapshots.rows, *self.snapshots.made],
        )

    @property
    def read_in_full(self) -> bool:
        """Whether nothing that costs was left out."""
        return not self.read_in_part

    @property
    def read_in_part(self) -> list[str]:
        """The lists of what costs that could not be read in full, each with how far it was."""
        costing = (self.instances, self.volumes, self.snapshots)
        return [f"{listing.what} ({listing.so_far})" for listing in costing if not listing.complete]

    def outlook(self, price: Price, currency: str, *, at: float | None = None) -> Outlook:
        """Say how the account stands with something more.

        Args:
            price: What the call adds per hour.
            currency: Currency of prices.
            at: When that would begin, in seconds since 1970, to say until when the credit lasts.
        """
        burn, added = self.burn(currency), price(self.prices(currency))
        now, after = self._hourly(burn, added)
        balance, own = self.balance(currency)
        sentences = []
        at_least = "" if after is not None else "at least "
        total = burn.hourly + (added or Decimal(0))
        sentences.append(f"All that runs would then cost {at_least}{money.write_rate(total, currency)}.")
        if balance is None:
            return Outlook(now, after, total, None, None, [*sentences, "How long the credit lasts is not known."])
        own_after, own_total = after, total
        if own != currency:
            sentences.append(f"The balance is in {own}, not in {currency}; how long it lasts is reckoned in {own}.")
            burn, added = self.burn(own), price(self.prices(own))
            _, own_after = self._hourly(burn, added)
            own_total = burn.hourly + (added or Decimal(0))
        runway = None if own_after is None else money.runway_hours(balance, own_after)
        hours = money.runway_hours(balance, own_total)
        sentences.append(_lasting(balance, own, hours, known=runway is not None, at=at))
        return Outlook(now, after, total, balance, runway, sentences)

    def tell_lasting(self, currency: str, *, at: float) -> list[str]:
        """Say how long the credit lasts if all stays as it is.

        Args:
            currency: Currency of prices.
            at: From when on, in seconds since 1970.
        """
        balance, own = self.balance(currency)
        if balance is None:
            return ["How long the credit lasts is not known: the balance could not be read."]
        burn = self.burn(own)
        hours = money.runway_hours(balance, burn.hourly)
        known, _ = self._hourly(burn, None)
        reckoned = [f"The balance is in {own}, not in {currency}."] if own != currency else []
        return [*reckoned, _lasting(balance, own, hours, known=known is not None, at=at, then="")]

    def month(self, price: Price, currency: str, *, now: float) -> Decimal | None:
        """What this month comes to at most with something more; None where any of it is not known."""
        if not self.bills:
            return None
        _, after = self._hourly(self.burn(currency), price(self.prices(currency)))
        return project_month(self.bills, after, currency, now=now)

    def _hourly(self, burn: Burn, added: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
        """What all costs before and after; None where something is not known."""
        if not self.read_in_full or burn.unpriced:
            return None, None
        return burn.hourly, None if added is None else burn.hourly + added

    def balance(self, currency: str) -> tuple[Decimal | None, str]:
        """The credit and its currency: the one wanted, else the one that holds any."""
        told = self.credit.known
        by_currency = told.get("by_currency")
        if isinstance(by_currency, dict):
            amounts = {name: found for name, value in by_currency.items() if (found := money.amount(value)) is not None}
            others = [name for name, found in amounts.items() if found > 0]
            own = currency if amounts.get(currency) or not others else others[0]
            return amounts.get(own), mention(own)
        return money.amount(told.get("amount")), mention(text(told, "currency") or currency).upper()


def _lasting(
    balance: Decimal, currency: str, hours: Decimal, *, known: bool, at: float | None, then: str = "then "
) -> str:
    left = f"The balance is {money.write(balance, currency)}"
    if not hours.is_finite():
        return f"{left}."
    ends = "" if at is None or hours > _LONG_HOURS else f", until {write_time(at + float(hours) * 3600)}"
    lasts = f"{left}; it {then}lasts {'' if known else 'at most '}{_duration(hours)}{ends}."
    return lasts if hours > _SHORT_HOURS else f"{lasts} When it runs out, running instances are hibernated."


def _duration(hours: Decimal) -> str:
    if hours >= 2 * _HOURS_A_DAY:
        return f"{hours:,.0f} hours (about {hours / _HOURS_A_DAY:,.0f} days)"
    return f"{hours:,.1f} hours"
