"""The account in one page: credit, what everything costs per hour, and how long the credit lasts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.desk import Desk, Single
from barrack_mcp.account.standing import Standing
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.server.resources.reading import Reads

COSTING: Final = tuple(BY_TOOL[tool] for tool in ("list_instances", "list_volumes", "list_snapshots"))
"""The lists of what costs money while it exists."""
PRICES: Final = BY_TOOL["get_pricing"]
CREDIT: Final = BY_TOOL["get_credit_balance"]

_SECONDS: Final = 10.0
_COUNTED: Final = ("instances", "volumes", "snapshots")
_COVERS: Final = (
    "A stopped (SHUTOFF) instance counts at its full rate; one on the way, at the rate where it will arrive."
)


async def account(reads: Reads) -> Answer:
    """Read the balance and add what the account costs per hour, as far as that can be read.

    The answer is that of `get_credit_balance` with `burn`: `currency`, `hourly`, `counted` by kind, `unpriced` things
    whose price is not known, `complete` (all were read), `runway_hours` (null if unknown or nothing is spent).
    """
    answer = await reads.answer(CREDIT.tool, {})
    if answer.is_error:
        return answer
    burn, note = await _burn(reads, answer.structured.get("balance") or {})
    notes = [*answer.structured.get("notes", []), note]
    return replace(answer, structured={**answer.structured, "burn": burn, "notes": notes, "billing": CREDIT.billing})


async def _burn(reads: Reads, balance: JsonObject) -> tuple[JsonObject | None, str]:
    if not reads.offers(PRICES, *COSTING):
        return None, "What it costs per hour is left out: the reads that it takes are not all on offer here."
    async with Desk(reads.quietly, seconds=_SECONDS).side_by_side() as sheet:
        standing = Standing.ask(sheet, credit=Single(balance))
    lists = (standing.instances, standing.volumes, standing.snapshots)
    if not standing.price_list.known or not all(listing.readable for listing in lists):
        return None, "What it costs per hour can't be told now: the price list or what costs could not be read."
    currency = reads.dispatcher.currency
    burn, outlook = standing.burn(currency), standing.outlook(lambda _: Decimal(0), currency)
    runway = outlook.runway_hours
    return {
        "currency": currency,
        "hourly": money.rounded(burn.hourly),
        "counted": {name: len(listing.rows) for name, listing in zip(_COUNTED, lists, strict=True)},
        "unpriced": burn.unpriced,
        "complete": standing.read_in_full,
        "runway_hours": money.rounded(runway) if runway is not None and runway.is_finite() else None,
    }, _COVERS if standing.read_in_full else f"Not everything was read: it costs at least this much. {_COVERS}"
