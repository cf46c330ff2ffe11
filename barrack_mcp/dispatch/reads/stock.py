"""Stock with what it costs and is: prices, VRAM and sizes, the cheapest that is to be had first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from barrack_mcp.account import money
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.things import objects
from barrack_mcp.api.body import add_notes
from barrack_mcp.catalogue import JsonObject

_IN_THE_NAME: Final = re.compile(r"([0-9]{2,4})GB", re.IGNORECASE)
_FIRST_NUMBER: Final = re.compile(r"[0-9]+")


def complete(data: JsonObject, values: Mapping[str, Any], *, prices: Prices, specs: object) -> None:
    """Add to each row of a stock what it costs and is, and leave out what doesn't fit the wish.

    Args:
        data: The typed answer; changed in place.
        values: The arguments of the call.
        prices: The price list; empty where it could not be read.
        specs: The specifications; none where they could not be read.
    """
    rows = objects(data.get("stocks"))
    if not rows:
        return
    known = objects(specs)
    count, least = values.get("gpu_count"), values.get("min_vram_gb")
    for row in rows:
        row.update(_facts(row, known, prices, count))
        if count is not None:
            # what is said of other sizes is not asked for
            row.pop("configurations", None)
    fitting = [row for row in rows if _has(row.get("max_gpu_count"), count) and _has(row.get("vram_gb"), least)]
    data["stocks"] = sorted(fitting, key=_order)
    if fitting:
        size = (
            f"hourly_rate is that of an instance with {count} of them, instances_available how many such there are."
            if count
            else "configurations: GPUs in an instance, and how many such instances there are."
        )
        data["billing"] = f"Rates are in {prices.currency} per hour; gpu_hourly_rate is that of one GPU. {size}"
    if not fitting:
        add_notes(data, _largest(rows, count, least))


def _facts(row: JsonObject, specs: list[JsonObject], prices: Prices, count: int | None) -> JsonObject:
    most = prices.most_gpus(row) or _most(row, specs)
    rate = prices.instance({**row, "gpu_count": 1}, money.Billed.FULL)
    told = {
        "instances_available": _available(row, count) if count else None,
        "hourly_rate": money.rounded(rate * count) if count and rate is not None else None,
        "gpu_hourly_rate": money.rounded(rate),
        "vram_gb": _vram(row, specs),
        "max_gpu_count": int(most) if most is not None else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def is_available(row: JsonObject) -> bool:
    """Whether the stock says that there is at least one of what was asked for."""
    left = _FIRST_NUMBER.search(str(row.get("instances_available", row.get("available"))))
    return left is not None and int(left[0]) > 0


def _available(row: JsonObject, count: int) -> str | None:
    """How many instances of this size there are, as the API says it; none if it sells no such size."""
    sizes = objects(row.get("configurations"))
    told = [size.get("available") for size in sizes if money.amount(size.get("gpu_count")) == count]
    return str(told[0]) if told and told[0] is not None else "0" if sizes else None


def _most(row: JsonObject, specs: list[JsonObject]) -> Decimal | None:
    """The largest size that is known of a model, where the price list doesn't tell."""
    sizes = [*_of(row, specs), *objects(row.get("configurations"))]
    return max((count for size in sizes if (count := money.amount(size.get("gpu_count"))) is not None), default=None)


def _vram(row: JsonObject, specs: list[JsonObject]) -> int | float | None:
    """VRAM of one GPU: from the smallest size, since larger ones may tell that of all GPUs together."""
    single = [_told(size) for size in _of(row, specs) if money.amount(size.get("gpu_count")) == 1]
    told = next((vram for vram in single if vram is not None), None)
    if told is not None:
        return int(told) if told == int(told) else float(told)
    named = _IN_THE_NAME.search(str(row.get("gpu_model")))
    return int(named[1]) if named else None


def _told(size: JsonObject) -> Decimal | None:
    inner = size.get("specs")
    return money.amount(size.get("vram_gb") or (inner.get("vram_gb") if isinstance(inner, dict) else None))


def _of(row: JsonObject, specs: Iterable[JsonObject]) -> list[JsonObject]:
    return [size for size in specs if size.get("gpu_model") == row.get("gpu_model")]


def _has(known: object, wanted: int | None) -> bool:
    """Whether what is known of a row reaches what is wanted; what isn't known may."""
    return wanted is None or known is None or (money.amount(known) or Decimal(0)) >= wanted


def _order(row: JsonObject) -> tuple[bool, float]:
    """What is to be had before what is sold out, the cheap before the dear, what has no price last."""
    left = _FIRST_NUMBER.search(str(row.get("instances_available", row.get("available"))))
    rate = row.get("hourly_rate", row.get("gpu_hourly_rate"))
    return left is not None and int(left[0]) == 0, float("inf") if rate is None else float(rate)


def _largest(rows: list[JsonObject], count: int | None, least: int | None) -> str:
    """Say how far a wish is from what there is at all, sold out or not."""
    most = max((row["max_gpu_count"] for row in rows if "max_gpu_count" in row), default=None)
    vram = max((row["vram_gb"] for row in rows if "vram_gb" in row), default=None)
    asked = [f"instances with {count} GPUs"] * (count is not None) + [f"{least} GB of VRAM a GPU"] * (least is not None)
    there = [f"{most} GPUs in one instance"] * (most is not None) + [f"{vram} GB of VRAM a GPU"] * (vram is not None)
    return f"No model here offers {' and '.join(asked)}; the most there is: {', '.join(there) or 'not known'}."
