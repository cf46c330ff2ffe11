"""What a purchase comes to: its price, its lease, how long the credit lasts with it, and what limits it."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.leases import say_who_reaps
from barrack_mcp.account.spending.overview import tell_time
from barrack_mcp.account.spending.purchases import makes
from barrack_mcp.account.spending.shares import Budget, reckon_share
from barrack_mcp.account.spending.standing import Price, Standing
from barrack_mcp.account.things import Thing, counted, objects, said, sentence, text, write_time
from barrack_mcp.api.text import mention, nearest, recognize
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME
from barrack_mcp.catalogue.signs import Made
from barrack_mcp.guard.plans.draft import Draft, Inquiry, cost
from barrack_mcp.guard.plans.instances import rate_in_words

FULL_RATE: Final = "The full rate counts from ACTIVE on, stopped or not, until it is hibernated or deleted."
UNKNOWN_REGION: Final = "The region asked for is not in Barrack's list of regions, as far as it was read."


def bought(
    inquiry: Inquiry, standing: Standing, draft: Draft, price: Price, *, now: Decimal | None = Decimal(0)
) -> Draft:
    """Put prices, balance and runway into the plan of a purchase; without a price it is refused.

    Args:
        inquiry: The call.
        standing: How the account stands.
        draft: The plan so far; its summary lacks the price and the full stop.
        price: What the call adds per hour.
        now: What the target costs per hour already.
    """
    added = price(standing.prices(inquiry.currency))
    if added is None:
        draft.summary += ", for a price that is not known."
        why = "Barrack's price list doesn't hold it" if standing.price_list.known else "the prices could not be read"
        models = standing.prices(inquiry.currency).models
        near = nearest(str(inquiry.arguments.get("gpu_model", "")), models)
        hint = f" Did you mean {mention(near)}?" if near not in (None, inquiry.arguments.get("gpu_model")) else ""
        draft.refusal = draft.refusal or (
            f"The price of this can't be told, because {why}.{hint} Nothing was sent; get_pricing shows the price list."
        )
        return draft
    outlook = standing.outlook(price, inquiry.currency, at=tell_time(standing, inquiry.now))
    draft.summary += f", {_added(added, inquiry.currency, to=now)}."
    draft.cost = cost(inquiry, now=now, after=None if now is None else now + added, account_after=outlook.told_after)
    draft.bill = [*outlook.sentences, *draft.bill]
    draft.facts |= {"price": str(added.normalize()), "currency": inquiry.currency}
    draft.hourly_now, draft.hourly_after = outlook.hourly_now, outlook.hourly_after
    draft.read_in_part = standing.read_in_part
    draft.warnings += _taken(inquiry, standing)
    draft.balance, draft.runway_hours = outlook.balance, outlook.runway_hours
    if inquiry.known.by_month:
        draft.month_cost = standing.month(price, inquiry.currency, now=tell_time(standing, inquiry.now))
        if draft.month_cost is not None:
            draft.bill.append(f"This month all would come to {money.write(draft.month_cost, inquiry.currency)}.")
    if inquiry.known.budget is not None:
        _hold_against(inquiry.known.budget, inquiry, standing, draft, price)
    return draft


def _taken(inquiry: Inquiry, standing: Standing) -> list[str]:
    """Warn where something of that kind has the name already that a new one is to have."""
    made, name = inquiry.operation.sign, str(inquiry.arguments.get("name"))
    listed = ((INSTANCE, standing.instances), (VOLUME, standing.volumes), (SNAPSHOT, standing.snapshots))
    named = (
        thing
        for kind, listing in listed
        if isinstance(made, Made) and made.kind == kind
        for row in listing.rows
        if (thing := Thing(kind, row)).name == name
    )
    # no word of the caller is shown: it is the account's own by then
    return [
        f"{sentence(thing.in_words)} has this name already, and names are unique, so Barrack will probably refuse."
        for thing in islice(named, 1)
    ]


def _hold_against(budget: Budget, inquiry: Inquiry, standing: Standing, draft: Draft, price: Price) -> None:
    """Put into the plan of a purchase what of its caller's budget it takes."""
    draft.share = reckon_share(
        budget,
        standing,
        price,
        currency=inquiry.currency,
        now=inquiry.now,
        bill_time=tell_time(standing, inquiry.now),
        taken=None if makes(inquiry.operation) else draft.things[0],
    )
    budgets = (
        (budget.hourly, draft.share.hourly_after, money.write_rate),
        (budget.monthly, draft.share.month_after, lambda cost, currency: f"{money.write(cost, currency)} this month"),
    )
    for most, after, write in budgets:
        if most is not None and after is not None:
            costs = f"what {mention(budget.caller)} has bought would cost {write(after, inquiry.currency)}"
            draft.bill.append(f"With it, {costs}; their budget is {most} {inquiry.currency}.")


def _added(hourly: Decimal, currency: str, *, to: Decimal | None) -> str:
    """Say what a call adds to what its target costs already: more, nothing or less."""
    if to and not hourly:
        return "at no further cost"
    sum_ = f"for {money.write_rate(abs(hourly), currency)} ({money.write_month(abs(hourly), currency)})"
    return f"{sum_} less" if hourly < 0 else f"{sum_} more" if to else sum_


async def lease(inquiry: Inquiry, standing: Standing, draft: Draft, hourly: Price) -> Draft:
    """Put into the plan of a machine's purchase until when it may run, and what it costs until then.

    Args:
        inquiry: The call.
        standing: How the account stands.
        draft: The plan, its prices told.
        hourly: What the machine costs per hour once it runs.
    """
    term, rate = await inquiry.known.find_term(), hourly(standing.prices(inquiry.currency))
    if term is None:
        draft.machine_cost = None if rate is None else money.FOREVER
        return draft
    draft.machine_cost = None if rate is None else rate * Decimal(term.hours)
    until = "" if term.running is None else f"goes on until {write_time(term.running.until)}"
    long = until or f"is {counted(round(term.hours), 'hour')} from the purchase"
    costs = "" if draft.machine_cost is None else f", {money.write(draft.machine_cost, inquiry.currency)} at this rate"
    draft.bill.append(f"Its lease {long}{costs}: {say_who_reaps(brought=inquiry.known.brought)}")
    draft.facts |= term.facts
    return draft


def known_region(wanted: str, rows: object) -> str | None:
    """The region as Barrack lists it; None if it doesn't."""
    for row in objects(rows):
        if wanted in (row.get("name"), row.get("code")):
            return said({"region": wanted}, "region")
    return None


def tell_rate_now(inquiry: Inquiry, standing: Standing, instance: Thing) -> str | None:
    """Say what an instance costs as it stands; None if that isn't known."""
    hourly = standing.prices(inquiry.currency).instance(instance.row, money.billed(instance.status))
    return rate_in_words(instance, hourly, inquiry.currency)


def refuse_misspelt_region(draft: Draft, wanted: str, rows: object) -> None:
    """Refuse a region that Barrack lists in other letters; of one that it doesn't list it may know all the same."""
    if known_region(wanted, rows) is None:
        names = [name for row in objects(rows) for key in ("name", "code") if (name := text(row, key))]
        if (meant := recognize(wanted, names)) is not None:
            refuse_unlisted(draft, "region that is written so", meant, tool="list_regions")


def refuse_unlisted(draft: Draft, what: str, near: str | None, *, tool: str) -> None:
    """Refuse what a list of Barrack's has not, so that nobody is asked for it; and say what of it may be meant."""
    hint = f" Did you mean {mention(near)}?" if near is not None else ""
    draft.refusal = draft.refusal or f"Not done: Barrack lists no {what}.{hint} Nothing was sent. (Tool: {tool}.)"
