"""The truth about money: what a machine costs in the state it is in. Pure: no clock, no network.

Source: the vendor's platform guide of June 2025 for which states are billed; prices always come from the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final


class Billed(StrEnum):
    """At which rate a state is billed."""

    FULL = "full rate"
    HIBERNATED = "hibernated rate"
    NOTHING = "not billed"


BY_STATE: Final[Mapping[str, Billed]] = MappingProxyType(
    {
        "ACTIVE": Billed.FULL,
        "SHUTOFF": Billed.FULL,
        "HIBERNATED": Billed.HIBERNATED,
        "DELETED": Billed.NOTHING,
        "CREATING": Billed.NOTHING,
        "BUILD": Billed.NOTHING,
        "STARTING": Billed.NOTHING,
        "STOPPING": Billed.NOTHING,
        "HIBERNATING": Billed.NOTHING,
        "RESTORING": Billed.NOTHING,
        "REBOOTING": Billed.NOTHING,
        "DELETING": Billed.NOTHING,
    }
)
"""What each state costs. A state that is not here is one whose price nobody has told."""

HIBERNATED_HOURLY: Final[Mapping[str, Decimal]] = MappingProxyType(
    {"USD": Decimal("0.01"), "EUR": Decimal("0.01"), "INR": Decimal(1)}
)
"""The reduced rate an hour: the one price that the pricing answer does not hold."""


def billed(status: object) -> Billed | None:
    """At which rate an instance in this state is billed; None if that is not known."""
    return BY_STATE.get(status.upper()) if isinstance(status, str) else None


MONTH_HOURS: Final = 730
"""Hours in a month, as cloud prices are compared: 8,760 a year by 12."""

FOREVER: Final = Decimal("Infinity")
"""How long credit lasts when nothing is spent."""

_CENT: Final = Decimal("0.01")
_LARGEST: Final = 10**10
"""No true price, count, size or balance is larger; sums of products stay exact below it."""

_ARRIVES_AT: Final[Mapping[str, Billed]] = MappingProxyType(
    {"HIBERNATING": Billed.HIBERNATED, "DELETING": Billed.NOTHING, "DELETED": Billed.NOTHING}
)


def settled(status: object) -> Billed:
    """At which rate an instance will be billed once it has arrived where it is going.

    What is being made, started or restored costs nothing on the way and the full rate soon, so a limit must count it.
    A state whose price nobody has told counts as the full rate.
    """
    rate = billed(status)
    if rate is Billed.NOTHING:
        return _ARRIVES_AT.get(str(status).upper(), Billed.FULL)
    return rate or Billed.FULL


def instance_hourly(rate: Billed | None, *, gpu_count: object, price: Decimal | None, currency: str) -> Decimal | None:
    """Answer what an instance costs per hour at a rate; None if that can't be told.

    Args:
        rate: At which rate it is billed.
        gpu_count: How many GPUs it has.
        price: Price of one of them for an hour.
        currency: USD, EUR or INR.
    """
    match rate:
        case Billed.NOTHING:
            return Decimal(0)
        case Billed.HIBERNATED:
            return HIBERNATED_HOURLY.get(currency)
        case Billed.FULL if price is not None and (count := amount(gpu_count)) is not None and count >= 0:
            return price * count
        case _:
            return None


def runway_hours(balance: Decimal, hourly: Decimal) -> Decimal:
    """Answer how many hours a balance lasts at an hourly cost: 0 if it is used up, `FOREVER` if nothing is spent."""
    if balance <= 0:
        return Decimal(0)
    return balance / hourly if hourly > 0 else FOREVER


def rounded(value: Decimal | None) -> float | None:
    """Round an amount for a JSON answer."""
    return None if value is None else float(round(value, 4))


def write(value: Decimal, currency: str) -> str:
    """Write an amount for people, to the cent, or finer where there is less than one: `1,007.40 USD`."""
    return f"{value:,.2f} {currency}" if value == 0 or abs(value) >= _CENT else _fine(value, currency)


def write_rate(hourly: Decimal, currency: str) -> str:
    """Write an hourly rate for people, to as many as four digits: `0.69 USD an hour`."""
    return f"{_fine(hourly, currency)} an hour"


def write_month(hourly: Decimal, currency: str) -> str:
    """Write for people what an hourly rate is in a month: `1,007.40 USD a month`."""
    return f"{write(hourly * MONTH_HOURS, currency)} a month"


def _fine(value: Decimal, currency: str) -> str:
    whole, _, fraction = f"{value:,.4f}".partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2} {currency}"


def amount(value: object) -> Decimal | None:
    """Read a number, which the API may send as an integer, a fraction or a string; None for what can't be true."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _exact(value)
    try:
        number = Decimal(value) if isinstance(value, str | Decimal) else None
    except (InvalidOperation, ValueError):
        return None
    return number if number is not None and number.is_finite() and abs(number) <= _LARGEST else None


@lru_cache(maxsize=1024, typed=True)
def _exact(number: float) -> Decimal | None:
    """Write a number out; prices and counts come again in row after row. What is no number is within no limit."""
    return Decimal(str(number)) if abs(number) <= _LARGEST else None
