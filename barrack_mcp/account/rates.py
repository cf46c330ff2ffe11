"""What each thing of an answer costs per hour, beside what the API says of it: only where the price list tells."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from barrack_mcp.account import money
from barrack_mcp.account.prices import Prices
from barrack_mcp.api.body import is_list
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME, Kind
from barrack_mcp.catalogue.models import FEW, MANY

ADDED: Final[Mapping[str, int]] = MappingProxyType({"hourly_rate": MANY, "billed_at": FEW})
"""The fields added to a row, each with up to how many rows a concise list keeps it."""


def _rate(kind: Kind, row: JsonObject, prices: Prices) -> JsonObject:
    """What one thing costs per hour as it stands."""
    if kind is INSTANCE:
        billed = money.billed(row.get("status"))
        told = {"billed_at": billed, "hourly_rate": money.rounded(prices.instance(row, billed))}
    else:
        told = {"hourly_rate": money.rounded(prices.volume(row) if kind is VOLUME else prices.snapshot(row))}
    return {name: value for name, value in told.items() if value is not None}


_KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {tool: kind for kind in (INSTANCE, VOLUME, SNAPSHOT) for tool in (kind.list_tool, kind.get_tool)}
)
"""The kind of the things of an operation's answer that cost something, by its tool."""


def priced(operation: Operation, data: JsonObject) -> list[JsonObject]:
    """The things of an answer that have a rate; none if this operation shows no such things."""
    if operation.tool not in _KINDS:
        return []
    found: Any = data.get(operation.result or "")
    return [row for row in (found if isinstance(found, list) else [found]) if isinstance(row, dict) and row]


def rate(operation: Operation, data: JsonObject, prices: Prices) -> None:
    """Add to each thing of a typed answer what it costs per hour as it stands, and to the answer how bills run.

    Args:
        operation: What was read.
        data: Its answer; changed in place.
        prices: What things cost.
    """
    rows = priced(operation, data)
    for row in rows:
        row.update(_rate(_KINDS[operation.tool], row, prices))
    if rows:
        data["billing"] = f"Rates are in {prices.currency} per hour. {operation.billing or ''}".strip()
    if rows and is_list(operation):
        data["sum"] = add_up(rows, prices.currency)
    elif rows and "hourly_rate" not in rows[0]:
        data["billing"] += " What this one costs is not known now."


def add_up(rows: list[JsonObject], currency: str) -> JsonObject:
    """Sum the rates of things, to the hour and to the month, and count those without one."""
    known = [hourly for row in rows if (hourly := money.amount(row.get("hourly_rate"))) is not None]
    hourly = sum(known, Decimal(0))
    return {
        "things": len(known),
        "unpriced": len(rows) - len(known),
        "hourly": money.rounded(hourly),
        "monthly": float(round(hourly * money.MONTH_HOURS, 2)),
        "currency": currency,
    }


def tell_sum(operation: Operation, told: JsonObject, *, total: int | None) -> str:
    """Say in a sentence what the things of a list cost together, and of how many that is.

    Args:
        operation: What was read.
        told: The sum, as `add_up` gives it.
        total: How many such things there are, where that is known.
    """
    kind, currency = _KINDS[operation.tool], str(told["currency"])
    things, unpriced = told["things"], told["unpriced"]
    hourly = Decimal(str(told["hourly"]))
    beside = f", and {unpriced:,} whose price is not known" if unpriced else ""
    of = f" of {total:,}" if total is not None and total > things + unpriced else ""
    words = kind.words if things == 1 else kind.plural
    cost = f"{money.write_rate(hourly, currency)}, {money.write_month(hourly, currency)}"
    return f"{things:,}{of} {words} together, as they stand: {cost}{beside}."


def buys(operation: Operation) -> bool:
    """Whether its arguments alone say what the thing that it makes will cost."""
    return {"tier", "gpu_model", "gpu_count"} <= operation.arguments.model_fields.keys()


def bought(values: Mapping[str, Any], prices: Prices) -> tuple[str, JsonObject]:
    """Say what a deployed instance costs per hour once it is ACTIVE, in words and as fields; nothing if unknown."""
    hourly = prices.instance(values, money.Billed.FULL)
    if hourly is None:
        return "", {}
    words = f"It costs {money.write_rate(hourly, prices.currency)} once ACTIVE."
    return words, {"hourly_rate": money.rounded(hourly), "currency": prices.currency}


def quote(operation: Operation, values: Mapping[str, Any], data: JsonObject, currency: str) -> str:
    """Say what the configuration asked about costs per hour, by tier; nothing if none was, or if it can't be told.

    Args:
        operation: What was read; all but `quote_price` quote nothing.
        values: Its arguments.
        data: Its answer, the part of the price list that the API chose to send.
        currency: Currency to quote in where the call names none.
    """
    found: Any = data.get("pricing_data") or {}
    if operation.tool != "quote_price" or not isinstance(found, dict):
        return ""
    shown = str(values.get("currency") or currency)
    prices = Prices(found, shown)
    model, kind = values.get("gpu_model"), values.get("volume_type")
    count, size_gb = values.get("gpu_count") or 1, values.get("volume_size_gb")
    told = []
    for tier in [values["tier"]] if values.get("tier") else ("legacy", "advanced"):
        if model is not None:
            machine = {"tier": tier, "gpu_model": model, "gpu_count": count}
            hourly = prices.instance(machine, money.Billed.FULL)
            told += (
                [f"{count} \N{MULTIPLICATION SIGN} {mention(model)}, {tier}: {money.write_rate(hourly, shown)}."]
                if hourly
                else []
            )
        if kind is not None and size_gb is not None:
            hourly = prices.volume({"tier": tier, "volume_type": kind, "size_gb": size_gb})
            told += [f"{kind} of {size_gb:,} GB, {tier}: {money.write_rate(hourly, shown)}."] if hourly else []
    return " ".join(told)


def no_such_model(operation: Operation, values: Mapping[str, Any], data: JsonObject) -> str:
    """Say which GPU models there are when a quote came back as a price list without the wanted one; else nothing."""
    wanted = values.get("gpu_model")
    found: Any = data.get("pricing_data") or {}
    models = Prices(found, "").models if operation.tool == "quote_price" else []
    if wanted is None or not models or wanted in models or found.get("price"):
        return ""
    near = difflib.get_close_matches(str(wanted), models, n=1, cutoff=0.5)
    hint = f" Did you mean {mention(near[0])}?" if near else ""
    shown = ", ".join(mention(model) for model in models[:_MOST])
    return f"gpu_model: the price list has no such model. It has: {shown}.{hint}"


_MOST: Final = 50
