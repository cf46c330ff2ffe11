"""What a month comes to: what was spent in it, and what runs until its end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from barrack_mcp.account.reading import Listing
from barrack_mcp.account.spending.bills import Spent, Window, midnight, sum_up

_HOUR_S: Final = 3_600
_LONGER: Final = timedelta(days=31)


def project_month(bills: tuple[Listing, ...], hourly: Decimal | None, currency: str, *, now: float) -> Decimal | None:
    """Answer what this month comes to at most, in UTC: its bills until now, and an hourly cost from now to its end.

    Args:
        bills: All that was billed.
        hourly: What all costs per hour from now on; None if that is not known.
        currency: Currency of the sum.
        now: Seconds since 1970.

    Returns:
        The sum; None unless all of it is known and in that currency.
    """
    spent = sum_up(bills, Window(since=begin_of_month(now)), currency=currency, now=now)
    return project(spent, hourly, currency, now=now)


def project(spent: Spent, hourly: Decimal | None, currency: str, *, now: float) -> Decimal | None:
    """Answer what this month comes to by what was spent in it until now; see `project_month`."""
    if hourly is None or spent.untold or spent.unread or spent.at_most.keys() - {currency}:
        return None
    end = midnight((_first_day(now) + _LONGER).replace(day=1))
    return spent.at_most.get(currency, Decimal(0)) + hourly * Decimal(end - now) / _HOUR_S


def begin_of_month(now: float) -> float:
    """When this month began, in UTC."""
    return midnight(_first_day(now))


def _first_day(now: float) -> date:
    return datetime.fromtimestamp(now, UTC).date().replace(day=1)
