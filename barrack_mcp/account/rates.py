"""What each thing of an answer costs per hour, beside what the API says of it: only where the price list tells."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from barrack_mcp.account import money
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.models import FEW, MANY

Rate: TypeAlias = Callable[[JsonObject, JsonObject, str], JsonObject]

ADDED: Final[Mapping[str, int]] = MappingProxyType({"hourly_rate": MANY, "billed_at": FEW})
"""The fields added to a row, each with up to how many rows a concise list keeps it."""


def _instance(row: JsonObject, pricing: JsonObject, currency: str) -> JsonObject:
    price = money.gpu_price(
        pricing, tier=row.get("tier"), model=row.get("gpu_model") or row.get("gpu_type"), currency=currency
    )
    status = row.get("status")
    rate = money.hourly_rate(status=status, gpu_count=row.get("gpu_count"), price=price, currency=currency)
    return {"billed_at": money.billed(status), "hourly_rate": rate}


def _volume(row: JsonObject, pricing: JsonObject, currency: str) -> JsonObject:
    rate = money.volume_hourly(
        pricing,
        tier=row.get("tier"),
        volume_type=row.get("volume_type"),
        size_gb=row.get("size_gb"),
        currency=currency,
    )
    return _told(rate)


def _snapshot(row: JsonObject, pricing: JsonObject, currency: str) -> JsonObject:
    return _told(money.snapshot_hourly(pricing, size_gb=row.get("size_gb"), currency=currency))


def _told(rate: Decimal | None) -> JsonObject:
    return {} if rate is None else {"hourly_rate": money.rounded(rate)}


RATES: Final[Mapping[str, Rate]] = MappingProxyType(
    {
        "list_instances": _instance,
        "get_instance": _instance,
        "list_volumes": _volume,
        "get_volume": _volume,
        "list_snapshots": _snapshot,
        "get_snapshot": _snapshot,
    }
)
"""How the things of an operation's answer are priced, by its tool."""


def priced(operation: Operation, data: JsonObject) -> list[JsonObject]:
    """The things of an answer that have a rate; none if this operation shows no such things."""
    if operation.tool not in RATES:
        return []
    found: Any = data.get(operation.result or "")
    return [row for row in (found if isinstance(found, list) else [found]) if isinstance(row, dict) and row]


def rate(operation: Operation, data: JsonObject, pricing: JsonObject, currency: str) -> None:
    """Add to each thing of a typed answer what it costs per hour as it stands, and to the answer how bills run.

    Args:
        operation: What was read.
        data: Its answer; changed in place.
        pricing: `pricing_data`; empty if it could not be read.
        currency: USD, EUR or INR.
    """
    rows = priced(operation, data)
    for row in rows:
        row.update(RATES[operation.tool](row, pricing, currency))
    if rows:
        data["billing"] = f"Rates are in {currency} per hour. {operation.billing or ''}".strip()


def buys(operation: Operation) -> bool:
    """Whether its arguments alone say what the thing that it makes will cost."""
    return {"tier", "gpu_model", "gpu_count"} <= operation.arguments.model_fields.keys()


def bought(values: Mapping[str, Any], pricing: JsonObject, currency: str) -> tuple[str, JsonObject]:
    """Say what a deployed instance costs per hour once it is ACTIVE, in words and as fields; nothing if unknown."""
    price = money.gpu_price(pricing, tier=values.get("tier"), model=values.get("gpu_model"), currency=currency)
    hourly = money.instance_hourly(money.Billed.FULL, gpu_count=values.get("gpu_count"), price=price, currency=currency)
    if hourly is None:
        return "", {}
    rate_ = money.rounded(hourly)
    return f"It costs {money.write_rate(hourly, currency)} once ACTIVE.", {"hourly_rate": rate_, "currency": currency}


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
    model, kind = values.get("gpu_model"), values.get("volume_type")
    count, size_gb = values.get("gpu_count") or 1, values.get("volume_size_gb")
    told = []
    for tier in [values["tier"]] if values.get("tier") else ("legacy", "advanced"):
        if model is not None:
            price = money.gpu_price(found, tier=tier, model=model, currency=shown)
            hourly = money.instance_hourly(money.Billed.FULL, gpu_count=count, price=price, currency=shown)
            told += (
                [f"{count} \N{MULTIPLICATION SIGN} {mention(model)}, {tier}: {money.write_rate(hourly, shown)}."]
                if hourly
                else []
            )
        if kind is not None and size_gb is not None:
            hourly = money.volume_hourly(found, tier=tier, volume_type=kind, size_gb=size_gb, currency=shown)
            told += [f"{kind} of {size_gb:,} GB, {tier}: {money.write_rate(hourly, shown)}."] if hourly else []
    return " ".join(told)


def no_such_model(operation: Operation, values: Mapping[str, Any], data: JsonObject) -> str:
    """Say which GPU models there are when a quote came back as a price list without the wanted one; else nothing."""
    wanted = values.get("gpu_model")
    found: Any = data.get("pricing_data") or {}
    tiers = ((found.get("gpus") or {}).get("pricing") or {}) if operation.tool == "quote_price" else {}
    models = list(dict.fromkeys(model for tier in tiers.values() if isinstance(tier, dict) for model in tier))
    if wanted is None or not models or wanted in models or found.get("price"):
        return ""
    near = difflib.get_close_matches(str(wanted), models, n=1, cutoff=0.5)
    hint = f" Did you mean {mention(near[0])}?" if near else ""
    shown = ", ".join(mention(model) for model in models[:_MOST])
    return f"gpu_model: the price list has no such model. It has: {shown}.{hint}"


_MOST: Final = 50
