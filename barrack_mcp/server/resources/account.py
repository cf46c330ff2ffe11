"""The account in one page: credit, what everything costs per hour, and how long the credit lasts."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.server.resources.reading import Reads

COSTING: Final = tuple(BY_TOOL[tool] for tool in ("list_instances", "list_volumes", "list_snapshots"))
"""The lists of what costs money while it exists."""
PRICES: Final = BY_TOOL["get_pricing"]
CREDIT: Final = BY_TOOL["get_credit_balance"]

_log = logging.getLogger(__name__)

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
    try:
        pricing = await reads.quietly(PRICES.tool, {})
        read = [await reads.rows(operation) for operation in COSTING]
    except ApiError as error:
        _log.info("what the account costs could not be read: %s", error.failure)
        return None, "What it costs per hour can't be told now: the price list or what costs could not be read."
    instances, volumes, snapshots = (rows.rows for rows in read)
    currency = reads.dispatcher.currency
    burn = money.burn(
        pricing.get("pricing_data") or {},
        instances=instances,
        volumes=volumes,
        snapshots=snapshots,
        currency=currency,
    )
    complete = all(rows.complete for rows in read)
    credit = _credit(balance, currency)
    runway = money.runway_hours(credit, burn.hourly) if credit is not None and complete and not burn.unpriced else None
    return {
        "currency": currency,
        "hourly": money.rounded(burn.hourly),
        "counted": {"instances": len(instances), "volumes": len(volumes), "snapshots": len(snapshots)},
        "unpriced": burn.unpriced,
        "complete": complete,
        "runway_hours": money.rounded(runway) if runway is not None and runway.is_finite() else None,
    }, _COVERS if complete else f"Not everything was read: it costs at least this much. {_COVERS}"


def _credit(balance: JsonObject, currency: str) -> Decimal | None:
    """Credit in this currency; None if there is no telling."""
    if by_currency := balance.get("by_currency"):
        return money.amount(by_currency.get(currency))
    own = balance.get("currency")
    return money.amount(balance.get("amount")) if own is None or str(own).upper() == currency else None
