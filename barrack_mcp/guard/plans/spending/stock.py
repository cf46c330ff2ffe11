"""Whether what is to run is to be had: refused before anybody is asked where the stock says that it isn't."""

from __future__ import annotations

from decimal import Decimal

from barrack_mcp.account import money
from barrack_mcp.account.desk import Sheet
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.things import joined, objects, text
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.plans.draft import Draft
from barrack_mcp.guard.plans.instances import gpus


def ask_stock(sheet: Sheet) -> Listing:
    """Order what GPUs there are to be had; it doesn't bind, since only what is sent can find out for certain."""
    return sheet.rows("list_gpu_stock", {}, "which GPUs there are to be had")


def refuse_without_stock(draft: Draft, machine: JsonObject, stock: Listing) -> None:
    """Refuse a machine of which Barrack says that there is none to be had in its region; silence refuses nothing.

    Args:
        draft: The plan.
        machine: Its GPUs and its region, as a row or as the arguments that make it.
        stock: What there is to be had, as far as it was read.
    """
    model, region = text(machine, "gpu_type", "gpu_model"), text(machine, "region")
    count = money.amount(machine.get("gpu_count"))
    rows = [row for row in stock.rows if model is not None and text(row, "gpu_model") == model]
    here = [row for row in rows if region is not None and text(row, "region") == region]
    if draft.refusal is not None or not here or any(_may_have(row, count) for row in here):
        return
    elsewhere = [mention(str(row["region"])) for row in rows if row not in here and _has(row, count)]
    draft.refusal = (
        f"Not done: Barrack says that no such machine ({gpus(machine)}) is to be had in "
        f"{mention(str(region))} now; {f'there are some in {joined(elsewhere)}' if elsewhere else 'nor elsewhere'}. It "
        "would cost nothing until it runs. Nothing was sent. (Tool: list_gpu_stock.)"
    )
    draft.safer = [Safer(tool="list_gpu_stock", arguments={}, why="It shows where there are free GPUs of which kind.")]


def _available(row: JsonObject, count: Decimal | None) -> Decimal | None:
    """How many are to be had by a row of the stock, of machines with so many GPUs if it says that; None if unknown."""
    for each in objects(row.get("configurations")):
        if count is not None and money.amount(each.get("gpu_count")) == count:
            return money.amount(str(each.get("available")).rstrip("+"))
    return money.amount(str(row.get("available")).rstrip("+"))


def _may_have(row: JsonObject, count: Decimal | None) -> bool:
    found = _available(row, count)
    return found is None or found > 0


def _has(row: JsonObject, count: Decimal | None) -> bool:
    return (_available(row, count) or 0) > 0


def refuse_too_many(draft: Draft, machine: JsonObject, prices: Prices) -> None:
    """Refuse more GPUs than a machine can have by the price list."""
    count, most = money.amount(machine.get("gpu_count")), prices.most_gpus(machine)
    if draft.refusal is not None or count is None or most is None or count <= most:
        return
    draft.refusal = (
        f"Not done: a machine can have at most {most:,f} GPUs of this model, and {count:,f} were asked for. Nothing "
        f"was sent, and nothing costs; ask for {most:,f} (gpu_count), or for several machines."
    )
    draft.safer = [Safer(tool="list_gpu_stock", arguments={}, why="It shows the sizes that there are of each model.")]
