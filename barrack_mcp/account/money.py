"""The truth about money: what a machine costs in the state it is in. Pure: no clock, no network.

Source: the vendor's platform guide of June 2025 for which states are billed; prices always come from the API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final


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
_LARGEST: Final = Decimal(10) ** 10
"""No true price, count, size or balance is larger; sums of products stay exact below it."""

_GB_PER_UNIT: Final[Mapping[str, int]] = MappingProxyType({"tb": 1000, "gb": 1})
_ARRIVES_AT: Final[Mapping[str, Billed]] = MappingProxyType(
    {"HIBERNATING": Billed.HIBERNATED, "DELETING": Billed.NOTHING, "DELETED": Billed.NOTHING}
)


@dataclass(frozen=True, slots=True)
class Burn:
    """What an account's things cost per hour together."""

    hourly: Decimal
    unpriced: int
    """How many things have no known price and are missing from the sum."""


def gpu_price(pricing: Mapping[str, Any], *, tier: object, model: object, currency: str) -> Decimal | None:
    """Read the price of one GPU for an hour from `pricing_data`; None if it is not there."""
    return _price(_node(pricing, "gpus", "pricing", str(tier).lower(), model), currency)


def volume_hourly(
    pricing: Mapping[str, Any], *, tier: object, volume_type: object, size_gb: object, currency: str
) -> Decimal | None:
    """Answer what a volume costs per hour; None if the price list doesn't tell.

    Args:
        pricing: `pricing_data`, which prices a type per TB and hour (documented), read as 1000 GB.
        tier: The volume's tier, in either case.
        volume_type: SSD, HDD or NVMe.
        size_gb: Its size in GB.
        currency: USD, EUR or INR.
    """
    return _sized(_node(pricing, "volumes", "pricing", str(tier).lower(), volume_type), size_gb, currency)


def dearest_volume_hourly(
    pricing: Mapping[str, Any], *, tier: object, size_gb: object, currency: str
) -> Decimal | None:
    """Answer the most that a volume of this tier can cost per hour, where its type is not said."""
    types = _node(pricing, "volumes", "pricing", str(tier).lower())
    prices = [_sized(each, size_gb, currency) for each in types.values()] if isinstance(types, Mapping) else []
    return max((price for price in prices if price is not None), default=None)


def snapshot_hourly(pricing: Mapping[str, Any], *, size_gb: object, currency: str) -> Decimal | None:
    """Answer what a snapshot costs per hour; without a size, what one of the price list's fixed size costs.

    The vendor's pages disagree on whether size counts; the price is taken for `fixed_size_gb`, in proportion.
    """
    node = _node(pricing, "snapshots", "pricing", "legacy")
    price = _price(node, currency)
    fixed = amount(node.get("fixed_size_gb")) if isinstance(node, Mapping) else None
    size = amount(size_gb)
    if price is None or not fixed or size is None:
        return price
    return price * size / fixed


def _node(pricing: object, *steps: object) -> object:
    node = pricing
    for step in steps:
        if not isinstance(node, Mapping) or not isinstance(step, str) or step not in node:
            return None
        node = node[step]
    return node


def _price(node: object, currency: str) -> Decimal | None:
    price = amount(_node(node, "prices", currency))
    return price if price is not None and price >= 0 else None


def _sized(node: object, size_gb: object, currency: str) -> Decimal | None:
    """Price a size by a rate whose unit reads like `per TB per hour`; another unit is not guessed at."""
    price, size = _price(node, currency), amount(size_gb)
    words = str(_node(node, "unit") or "per TB per hour").casefold().split()
    per = next((_GB_PER_UNIT[word] for word in words if word in _GB_PER_UNIT), None)
    if price is None or size is None or size < 0 or per is None or "hour" not in words:
        return None
    return price * size / per


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


def hourly_rate(*, status: object, gpu_count: object, price: Decimal | None, currency: str) -> float | None:
    """Answer what an instance costs per hour as it stands; None if that can't be told.

    Args:
        status: Its state.
        gpu_count: How many GPUs it has.
        price: Price of one of them for an hour.
        currency: USD, EUR or INR.
    """
    return rounded(instance_hourly(billed(status), gpu_count=gpu_count, price=price, currency=currency))


def burn(
    pricing: Mapping[str, Any],
    *,
    instances: Iterable[Mapping[str, Any]],
    volumes: Iterable[Mapping[str, Any]],
    snapshots: Iterable[Mapping[str, Any]],
    currency: str,
) -> Burn:
    """Sum what all these cost per hour, each instance at the rate of the state it is in or on its way to.

    Args:
        pricing: `pricing_data`.
        instances: Rows of `list_instances`.
        volumes: Rows of `list_volumes`.
        snapshots: Rows of `list_snapshots`.
        currency: USD, EUR or INR.
    """
    rates = [
        *(_of_instance(pricing, row, currency) for row in instances),
        *(
            volume_hourly(
                pricing,
                tier=row.get("tier"),
                volume_type=row.get("volume_type"),
                size_gb=row.get("size_gb"),
                currency=currency,
            )
            for row in volumes
        ),
        *(snapshot_hourly(pricing, size_gb=row.get("size_gb"), currency=currency) for row in snapshots),
    ]
    known = [rate for rate in rates if rate is not None]
    return Burn(sum(known, Decimal(0)), len(rates) - len(known))


def _of_instance(pricing: Mapping[str, Any], row: Mapping[str, Any], currency: str) -> Decimal | None:
    price = gpu_price(pricing, tier=row.get("tier"), model=row.get("gpu_type"), currency=currency)
    return instance_hourly(settled(row.get("status")), gpu_count=row.get("gpu_count"), price=price, currency=currency)


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
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() and abs(number) <= _LARGEST else None
