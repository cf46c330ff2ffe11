"""The credit with what eats it: what all costs per hour, and until when that lasts."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.account import Account
from barrack_mcp.account.desk import Desk, Single
from barrack_mcp.account.spending.overview import tell_end, tell_time
from barrack_mcp.account.spending.standing import Standing
from barrack_mcp.api.body import add_notes
from barrack_mcp.catalogue import JsonObject

SECONDS: Final = 5.0
"""Time for the reads beside the balance."""

_KINDS: Final = ("instances", "volumes", "snapshots")
_COVERS: Final = (
    "A stopped (SHUTOFF) instance counts at its full rate; one on the way, at the rate where it will arrive."
)


async def tell_burn(account: Account, data: JsonObject, *, currency: str, now: float) -> None:
    """Add to a balance what all costs per hour and how long the credit lasts, as far as that can be read soon.

    Args:
        account: Whose.
        data: The typed answer with the balance; changed in place.
        currency: Currency of prices.
        now: Seconds since 1970.
    """
    balance = data.get("balance")
    credit = Single(balance if isinstance(balance, dict) else {})
    async with Desk(account.recall, seconds=SECONDS, deeds=account.deeds).side_by_side() as sheet:
        standing = Standing.ask(sheet, credit=credit)
    lists = (standing.instances, standing.volumes, standing.snapshots)
    if not standing.price_list.known or not all(listing.readable for listing in lists):
        add_notes(data, "What all costs per hour can't be told now: the price list or what costs could not be read.")
        return
    burn, at = standing.burn(currency), tell_time(standing, now)
    told: JsonObject = {
        "currency": currency,
        "hourly": money.rounded(burn.hourly),
        "monthly": float(round(burn.hourly * money.MONTH_HOURS, 2)),
        "counted": {name: len(listing.rows) for name, listing in zip(_KINDS, lists, strict=True)},
        "unpriced": burn.unpriced,
        "complete": standing.read_in_full and not burn.unpriced,
    }
    runway = standing.outlook(lambda _: Decimal(0), currency).runway_hours
    if runway is not None and runway.is_finite():
        told |= {"runway_hours": money.rounded(runway)} | tell_end(at, runway)
    data["burn"] = told
    at_least = "" if told["complete"] else "at least "
    rate = f"{money.write_rate(burn.hourly, currency)}, {money.write_month(burn.hourly, currency)}"
    lasting = standing.tell_lasting(currency, at=at)
    data["billing"] = " ".join([f"All that costs: {at_least}{rate}.", *lasting])
    add_notes(
        data,
        _COVERS if told["complete"] else f"Not all was read or has a known price: it costs at least this. {_COVERS}",
    )
