"""A quote is whole: what one configuration costs, what all then costs, whether it is to be had, and may be bought."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import anyio

from barrack_mcp.account import money
from barrack_mcp.account.account import Account
from barrack_mcp.account.desk import Desk
from barrack_mcp.account.rates import Quotation
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.spending.overview import tell_time
from barrack_mcp.account.spending.shares import UNTOLD, Budget, reckon_share
from barrack_mcp.account.spending.standing import Standing
from barrack_mcp.account.things import objects, write_time
from barrack_mcp.api.errors import ApiError
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.dispatch.reads import stock
from barrack_mcp.guard.decide import Policy, Sums, passed_limit
from barrack_mcp.guard.ruling.assessment import find_budget
from barrack_mcp.guard.ruling.limits import foretell
from barrack_mcp.state.store import StoreError

SECONDS: Final = 4.0
"""Time for all that stands beside a quote."""

HOLDS_S: Final = 600
"""How long a quote is taken as told: a purchase is priced anew, and asked about with its own price."""

_DAY_HOURS: Final = 24
_log = logging.getLogger(__name__)
_SPECS: Final = "list_gpu_specs"


@dataclass(frozen=True)
class _Beside:
    """What a quote is held against."""

    standing: Standing
    stock: Listing
    specs: list[JsonObject]
    policy: Policy
    lease_hours: int | None
    now: float
    """By the account's clock."""
    asked_at: float
    """By ours."""
    budget: Budget | None


async def tell_quotes(
    quotations: list[Quotation], data: JsonObject, *, account: Account, caller: str, policy: Policy, now: float
) -> None:
    """Add to a quote what all would then cost, whether there is stock, and whether the operator's limits let it pass.

    Args:
        quotations: What was quoted.
        data: The typed answer; changed in place.
        account: Whose credit it would take.
        caller: Whose purchase it would be.
        policy: What the operator set, for that caller.
        now: Seconds since 1970.
    """
    desk = Desk(account.recall, seconds=SECONDS, deeds=account.deeds)
    async with desk.side_by_side() as sheet:
        standing = Standing.ask(sheet, bills=policy.by_month)
        machines = any(each.machine for each in quotations)
        there = sheet.rows("list_gpu_stock", {}, "the stock") if machines else Listing()
    specs = await _specs(account) if machines else []
    budget = await _find_budget(account, caller, policy)
    beside = _Beside(standing, there, specs, policy, account.lease_hours, tell_time(standing, now), now, budget)
    quotes = [_quote(each, beside) for each in quotations]
    data["quotes"] = [told for told, _ in quotes]
    data["billing"] = " ".join(sentence for _, sentences in quotes for sentence in sentences)


async def _find_budget(account: Account, caller: str, policy: Policy) -> Budget | None:
    """What the caller's own purchases are held against; None where that isn't limited, or can't be told."""
    try:
        return await find_budget(account, caller, policy)
    except StoreError as error:
        _log.error("%s", error)
        return None


async def _specs(account: Account) -> list[JsonObject]:
    with anyio.move_on_after(SECONDS):
        try:
            return objects((await account.recall(_SPECS, {})).get("specs"))
        except ApiError:
            return []
    return []


def _quote(quotation: Quotation, beside: _Beside) -> tuple[JsonObject, list[str]]:
    """One configuration: as data, and in sentences."""
    currency, hourly = quotation.currency, quotation.hourly
    until = datetime.fromtimestamp(beside.now + HOLDS_S, UTC)
    told: JsonObject = {
        **quotation.values,
        "currency": currency,
        "hourly": money.rounded(hourly),
        "daily": money.rounded(hourly * _DAY_HOURS),
        "monthly": float(round(hourly * money.MONTH_HOURS, 2)),
        "holds_until": until.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    a_day = f"{money.write(hourly * _DAY_HOURS, currency)} a day"
    sentences = [
        f"{quotation.words}: {money.write_rate(hourly, currency)}, {a_day}, {money.write_month(hourly, currency)}.",
    ]
    sentences += _tell_account(quotation, beside, told)
    if quotation.machine:
        sentences += _tell_stock(quotation, beside, told)
    sentences += _tell_limits(quotation, beside, told)
    kept = "Barrack holds no price, so a purchase is asked about with the price that it has then."
    sentences.append(f"Taken as told until {write_time(until.timestamp())}; {kept}")
    return told, sentences


def _tell_account(quotation: Quotation, beside: _Beside, told: JsonObject) -> list[str]:
    """What all would cost with it, and how long the credit would last."""
    outlook = beside.standing.outlook(quotation.price, quotation.currency, at=beside.now)
    told["account_hourly_after"] = money.rounded(outlook.told_after)
    told["account_complete"] = outlook.hourly_after is not None
    if outlook.runway_hours is not None and outlook.runway_hours.is_finite():
        told["runway_hours_after"] = money.rounded(outlook.runway_hours)
    return outlook.sentences


def _tell_stock(quotation: Quotation, beside: _Beside, told: JsonObject) -> list[str]:
    """Whether it is to be had and where; if not, what comes nearest."""
    if not beside.stock.readable:
        return ["Whether it is to be had is not known: the stock could not be read."]
    wanted, count = quotation.values, int(quotation.values["gpu_count"])
    data: JsonObject = {"stocks": [dict(row) for row in beside.stock.rows]}
    prices = beside.standing.prices(quotation.currency)
    stock.complete(data, {"gpu_count": count}, prices=prices, specs=beside.specs)
    rows = [row for row in objects(data["stocks"]) if stock.is_available(row)]
    own = [row for row in rows if _is(row, wanted)]
    told["in_stock"] = bool(own)
    told["regions"] = [str(row.get("region")) for row in own]
    if own:
        return [f"In stock in {', '.join(mention(str(row.get('region'))) for row in own)}."]
    least = max((row.get("vram_gb") or 0 for row in objects(data["stocks"]) if _is(row, wanted)), default=0)
    near = next((row for row in rows if (row.get("vram_gb") or 0) >= least and "hourly_rate" in row), None)
    doubt = "" if beside.stock.complete else " as far as the stock was read"
    if near is None:
        return [f"Not in stock anywhere{doubt}, and nothing else with as many GPUs and as much VRAM."]
    told["cheapest_in_stock"] = {
        name: near[name] for name in ("gpu_model", "region", "tier", "hourly_rate", "vram_gb") if name in near
    }
    rate = money.write_rate(Decimal(str(near["hourly_rate"])), quotation.currency)
    named = f"{mention(str(near.get('gpu_model')))} in {mention(str(near.get('region')))}, {rate}"
    return [f"Not in stock anywhere{doubt}. The cheapest with as many GPUs and as much VRAM that is: {named}."]


def _is(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    tier = str(row.get("tier") or wanted["tier"]).lower()
    return bool(row.get("gpu_model") == wanted["gpu_model"] and tier == wanted["tier"])


def _tell_limits(quotation: Quotation, beside: _Beside, told: JsonObject) -> list[str]:
    """Whether the operator's limits would let it pass, by the sums that a purchase is held against."""
    policy = beside.policy
    standing, own = beside.standing, policy.currency
    outlook, rate = standing.outlook(quotation.price, own), quotation.price(standing.prices(own))
    machine: Decimal | None = Decimal(0)
    if quotation.machine and policy.max_machine_cost is not None:
        hours = beside.lease_hours
        machine = None if rate is None else money.FOREVER if hours is None else rate * hours
    sums = Sums(
        hourly_after=outlook.hourly_after,
        runway_hours_after=outlook.runway_hours,
        month_cost=standing.month(quotation.price, own, now=beside.now),
        machine_cost=machine,
        share=UNTOLD
        if beside.budget is None
        else reckon_share(
            beside.budget, standing, quotation.price, currency=own, now=beside.asked_at, bill_time=beside.now
        ),
    )
    limit = passed_limit(sums, policy)
    told["allowed"] = limit is None
    if limit is None:
        return ["It keeps the operator's limits."] if policy.limits_spending else []
    told["limit"] = foretell(limit, policy, sums)
    return [told["limit"]]
