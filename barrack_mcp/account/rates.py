"""What each thing of an answer costs per hour, beside what the API says of it: only where the price list tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from barrack_mcp.account import money
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.spending.standing import Price
from barrack_mcp.account.things import TIMES
from barrack_mcp.api.body import is_list
from barrack_mcp.api.text import mention, nearest
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME, Kind


def _rate(kind: Kind, row: JsonObject, prices: Prices) -> JsonObject:
    """What one thing costs per hour as it stands."""
    if kind is INSTANCE:
        billed = money.billed(row.get("status"))
        told = {"billed_at": billed and billed.value, "hourly_rate": money.rounded(prices.instance(row, billed))}
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
        asleep = _tell_asleep(prices.currency) if _KINDS[operation.tool] is INSTANCE else ""
        said = (f"Rates are in {prices.currency} per hour.", operation.billing, asleep)
        data["billing"] = " ".join(part for part in said if part)
    if rows and is_list(operation):
        data["sum"] = add_up(rows, prices.currency)
    elif rows and "hourly_rate" not in rows[0]:
        data["billing"] += " What this one costs is not known now."


def _tell_asleep(currency: str) -> str:
    """Say the one rate that the price list doesn't hold."""
    hourly = money.HIBERNATED_HOURLY.get(currency)
    return "" if hourly is None else f"Hibernated, an instance costs {money.write_rate(hourly, currency)}."


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


CHANGING_COST: Final = frozenset(
    {"deploy_instance", "start_instance", "stop_instance", "reboot_instance", "hibernate_instance", "restore_instance"}
    | {"delete_instance", "create_volume", "clone_volume", "resize_volume", "delete_volume"}
    | {"create_snapshot", "restore_snapshot", "delete_snapshot"}
)
"""The operations after which somebody wants to know what a thing costs now."""


def costs_now(
    operation: Operation, values: Mapping[str, Any], data: JsonObject, before: JsonObject | None, prices: Prices
) -> tuple[str, JsonObject]:
    """Say what a thing costs per hour once a call is done, in words and as fields; nothing if unknown.

    Args:
        operation: What was done.
        values: Its arguments.
        data: What the API answered.
        before: The thing as it was, where it was read.
        prices: What things cost.
    """
    root = data.get(operation.result or "")
    made = {**values, **(root if isinstance(root, dict) else {})}
    was = before or {}
    full = prices.instance(was, money.Billed.FULL)
    now: Decimal | None = None
    match operation.tool:
        case "deploy_instance" | "restore_snapshot":
            rate, words = prices.instance(made, money.Billed.FULL), "It costs {} once ACTIVE."
        case "restore_instance":
            rate, words = full, "It costs {} once ACTIVE."
        case "start_instance" | "stop_instance" | "reboot_instance":
            rate, words = full, "It costs {}, stopped or running."
        case "hibernate_instance":
            rate, words = prices.instance(was, money.Billed.HIBERNATED), "Once HIBERNATED it costs {}"
            words += "." if full is None else f" instead of {money.write_rate(full, prices.currency)}."
        case "create_volume" | "clone_volume" | "resize_volume":
            rate, words = prices.volume(made), "It costs {}."
        case "create_snapshot":
            rate, words = prices.snapshot(made) if made.get("size_gb") else None, "It costs {}."
        case "delete_instance":
            rate, words, now = prices.instance(was, money.billed(was.get("status"))), _ENDED, Decimal(0)
        case "delete_volume":
            rate, words, now = prices.volume(was), _ENDED, Decimal(0)
        case _:
            rate, words, now = prices.snapshot(was) if was else None, _ENDED, Decimal(0)
    if rate is None:
        return "", {}
    fields = {"hourly_rate": money.rounded(rate if now is None else now), "currency": prices.currency}
    return words.format(money.write_rate(rate, prices.currency)), fields


_ENDED: Final = "It cost {} until now."


@dataclass(frozen=True)
class Quotation:
    """What one configuration costs.

    Attributes:
        words: It, for people.
        values: It, as data.
        machine: Whether it is a machine.
        hourly: What it costs per hour.
        currency: In which currency.
        price: The same by any price list.
    """

    words: str
    values: JsonObject
    machine: bool
    hourly: Decimal
    currency: str
    price: Price


def quote(operation: Operation, values: Mapping[str, Any], data: JsonObject, currency: str) -> list[Quotation]:
    """Price the configuration asked about per hour, by tier; nothing if none was, or if it can't be told.

    Args:
        operation: What was read; all but `quote_price` quote nothing.
        values: Its arguments.
        data: Its answer, the part of the price list that the API chose to send.
        currency: Currency to quote in where the call names none.
    """
    found: Any = data.get("pricing_data") or {}
    if operation.tool != "quote_price" or not isinstance(found, dict):
        return []
    shown = str(values.get("currency") or currency)
    prices = Prices(found, shown)
    model, kind = values.get("gpu_model"), values.get("volume_type")
    count, size_gb = values.get("gpu_count") or 1, values.get("volume_size_gb")
    told = []
    for tier in [values["tier"]] if values.get("tier") else ("legacy", "advanced"):
        if model is not None:
            machine = {"tier": tier, "gpu_model": model, "gpu_count": count}
            words = f"{count} {TIMES} {mention(model)}, {tier}"
            price: Price = partial(_machine_price, machine)
            if hourly := price(prices):
                told.append(Quotation(words, machine, True, hourly, shown, price))  # noqa: FBT003 - as it is named
        if kind is not None and size_gb is not None:
            disk = {"tier": tier, "volume_type": kind, "size_gb": size_gb}
            price = partial(_disk_price, disk)
            if hourly := price(prices):
                told.append(Quotation(f"{kind} of {size_gb:,} GB, {tier}", disk, False, hourly, shown, price))  # noqa: FBT003 - as above
    return told


def _machine_price(machine: JsonObject, prices: Prices) -> Decimal | None:
    return prices.instance(machine, money.Billed.FULL)


def _disk_price(disk: JsonObject, prices: Prices) -> Decimal | None:
    return prices.volume(disk)


def no_such_model(operation: Operation, values: Mapping[str, Any], data: JsonObject) -> str:
    """Say which GPU models there are when a quote came back as a price list without the wanted one; else nothing."""
    wanted = values.get("gpu_model")
    found: Any = data.get("pricing_data") or {}
    models = Prices(found, "").models if operation.tool == "quote_price" else []
    if wanted is None or not models or wanted in models or found.get("price"):
        return ""
    near = nearest(str(wanted), models, cutoff=0.5)
    hint = f" Did you mean {mention(near)}?" if near else ""
    shown = ", ".join(mention(model) for model in models[:_MOST])
    return f"gpu_model: the price list has no such model. It has: {shown}.{hint}"


_MOST: Final = 50
