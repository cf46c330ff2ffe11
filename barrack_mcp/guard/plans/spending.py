"""What is bought when something is made, grown or woken: its price, and how long the credit lasts with it."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import Final

from pydantic import ValidationError

from barrack_mcp.account import money
from barrack_mcp.account.desk import Sheet
from barrack_mcp.account.leases import say_who_reaps
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.spending.overview import tell_time
from barrack_mcp.account.spending.purchases import makes
from barrack_mcp.account.spending.shares import Budget, reckon_share
from barrack_mcp.account.spending.standing import Price, Standing
from barrack_mcp.account.things import (
    COMPLETE,
    Thing,
    counted,
    joined,
    labels,
    objects,
    said,
    sentence,
    size,
    text,
    things,
    usable_id,
    usable_name,
    write_time,
)
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.catalogue.signs import Made
from barrack_mcp.guard.exposure import ANYTHING, Ingress, opened, read_rules
from barrack_mcp.guard.plans.draft import Draft, Inquiry, cost, require
from barrack_mcp.guard.plans.instances import gpus, rate_in_words
from barrack_mcp.guard.plans.openings import rules_of, tell_openings
from barrack_mcp.guard.plans.states import is_allowed, refuse_by_state, refuse_unfinished
from barrack_mcp.guard.plans.volumes import volume_facts

FULL_RATE: Final = "The full rate counts from ACTIVE on, stopped or not, until it is hibernated or deleted."
UNTIL_DELETED: Final = "A volume costs until it is deleted, attached or not."
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
        draft.refusal = draft.refusal or (
            f"The price of this can't be told, because {why}. Nothing was sent; get_pricing shows the price list."
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


async def restore_instance(inquiry: Inquiry) -> Draft:
    """A hibernated instance runs again at the full rate."""
    instance_id = inquiry.arguments["instance_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_instance", {"instance_id": instance_id})
        standing = Standing.ask(sheet, bills=inquiry.known.by_month)
        path = {"instance_id": instance_id}
        firewalls = sheet.rows("list_instance_firewalls", path, "what its firewalls let in", binds=True)
        stock = ask_stock(sheet)
    instance = require(found, INSTANCE, instance_id)
    row = instance.row

    def now_costs(prices: Prices) -> Decimal | None:
        return prices.instance(row, money.settled(instance.status))

    def price(prices: Prices) -> Decimal | None:
        full, now = prices.instance(row, money.Billed.FULL), now_costs(prices)
        return None if full is None or now is None else full - now

    label = instance.with_facts(said(row, "status"), gpus(row), said(row, "region"))
    draft = Draft(
        summary=f"Restore instance {label} at the full rate",
        target=instance.target(gpus=gpus(row), public_ip=said(row, "public_ip")),
        things=[instance],
        widely=tell_openings(opened([], rules_of(row, firewalls)), "this instance, once it runs"),
        kept=["its system disk and volumes"],
        bill=[FULL_RATE],
        warnings=["Its addresses may change: what reaches it by its old public IP may have to be told the new one."],
    )
    if instance.status not in ("", "HIBERNATED") and not is_allowed(instance, "restore"):
        draft.warnings.append(f"It is {said(row, 'status')}; restoring wants HIBERNATED, so Barrack may refuse.")
    refuse_by_state(draft, instance, "restore", costs=_costs_now(inquiry, standing, instance))
    refuse_without_stock(draft, row, stock)
    bought(inquiry, standing, draft, price, now=now_costs(standing.prices(inquiry.currency)))
    return await lease(inquiry, standing, draft, lambda prices: prices.instance(row, money.Billed.FULL))


def _costs_now(inquiry: Inquiry, standing: Standing, instance: Thing) -> str | None:
    hourly = standing.prices(inquiry.currency).instance(instance.row, money.billed(instance.status))
    return rate_in_words(instance, hourly, inquiry.currency)


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


async def create_volume(inquiry: Inquiry) -> Draft:
    """A new volume costs while it exists."""
    wanted = inquiry.arguments
    async with inquiry.desk.side_by_side() as sheet:
        standing = Standing.ask(sheet, bills=inquiry.known.by_month)
        regions = sheet.rows("list_regions", {}, "the regions")
    region = known_region(wanted["region"], regions.rows)

    where = f" in {region}" if region else ""
    draft = Draft(
        summary=f"Buy a volume of {wanted['size_gb']:,} GB ({wanted['volume_type']}, {wanted['tier']}){where}",
        target={"type": "volume", "id": None, "name": wanted["name"], "region": region},
        bill=[UNTIL_DELETED],
        warnings=[] if region else [UNKNOWN_REGION],
    )
    return bought(inquiry, standing, draft, lambda prices: prices.volume(wanted))


def known_region(wanted: str, rows: object) -> str | None:
    """The region as Barrack lists it; None if it doesn't."""
    for row in objects(rows):
        if wanted in (row.get("name"), row.get("code")):
            return said({"region": wanted}, "region")
    return None


async def clone_volume(inquiry: Inquiry) -> Draft:
    """A copy of a volume costs beside the original."""
    volume, standing = await _volume(inquiry)
    row = volume.row
    kind = inquiry.arguments.get("volume_type") or row.get("volume_type")

    label = volume.with_facts(size(row, "size_gb"), said(row, "volume_type"), said(row, "region"))
    draft = Draft(
        summary=f"Copy volume {label} into a new volume",
        target=volume.target(**volume_facts(volume, inquiry.now)),
        things=[volume],
        kept=["the original, which goes on costing beside the copy"],
        bill=[UNTIL_DELETED],
        warnings=_advanced_only(volume, "cloned"),
    )
    return bought(inquiry, standing, draft, lambda prices: prices.volume(row | {"volume_type": kind}))


async def resize_volume(inquiry: Inquiry) -> Draft:
    """A volume grows, for good, and costs by its new size."""
    volume, standing = await _volume(inquiry)
    row, wanted = volume.row, inquiry.arguments["size_gb"]
    costs, has = standing.prices(inquiry.currency).volume(row), money.amount(row.get("size_gb"))

    def price(prices: Prices) -> Decimal | None:
        now, after = prices.volume(row), prices.volume(row | {"size_gb": wanted})
        return None if now is None or after is None else after - now

    label = volume.with_facts(said(row, "status"), said(row, "volume_type"), said(row, "region"))
    draft = Draft(
        summary=f"Grow volume {label} from {size(row, 'size_gb') or 'an unknown size'} to {wanted:,} GB",
        target=volume.target(**volume_facts(volume, inquiry.now)),
        things=[volume],
        kept=["the data on it"],
    )
    if has is not None and wanted <= has:
        draft.summary = f"Keep volume {label} at {size(row, 'size_gb')}"
        draft.refusal = (
            f"The volume has {size(row, 'size_gb')} already, and a volume can only grow."
            f"{f' It costs {money.write_rate(costs, inquiry.currency)}.' if costs is not None else ''} Nothing was "
            "sent; ask for more, or make a smaller one and move the data (tool: create_volume)."
        )
        draft.safer = _smaller(volume, wanted)
        # it stays as it is, and so does its price
        return bought(inquiry, standing, draft, lambda _: costs and costs * 0, now=costs)
    draft.bill = ["It can't shrink again: the only way back is a new, smaller volume."]
    draft.warnings = ["The file system on it has to be grown, too.", *_advanced_only(volume, "resized")]
    return bought(inquiry, standing, draft, price, now=costs)


def _smaller(volume: Thing, size_gb: int) -> list[Safer]:
    """Offer a new volume of the size that was asked for, where what is known of the old one makes a good call."""
    same = {name: volume.row.get(name) for name in ("region", "tier", "volume_type")}
    arguments = {"name": usable_name(volume.name, "-small"), "size_gb": size_gb, **same}
    try:
        wanted = BY_TOOL["create_volume"].arguments.model_validate(arguments).model_dump(exclude_unset=True)
    except ValidationError:
        return []
    why = "A new one of that size can take the data; it costs beside the old one until that is deleted."
    return [Safer(tool="create_volume", arguments=wanted, why=why)]


async def _volume(inquiry: Inquiry) -> tuple[Thing, Standing]:
    volume_id = inquiry.arguments["volume_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_volume", {"volume_id": volume_id})
        standing = Standing.ask(sheet, bills=inquiry.known.by_month)
    return require(found, VOLUME, volume_id), standing


def _advanced_only(volume: Thing, done: str) -> list[str]:
    tier = (text(volume.row, "tier") or "advanced").lower()
    if tier == "advanced":
        return []
    return [f"Probably only volumes of the advanced tier can be {done}; this is {mention(tier)}."]


async def create_snapshot(inquiry: Inquiry) -> Draft:
    """A snapshot costs while it exists."""
    instance_id = inquiry.arguments["instance_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_instance", {"instance_id": instance_id})
        standing = Standing.ask(sheet, bills=inquiry.known.by_month)
    instance = require(found, INSTANCE, instance_id)
    row = instance.row
    own = things(SNAPSHOT, standing.snapshots.rows, where=lambda each: text(each, "instance_id") == instance_id)
    label = instance.with_facts(said(row, "status"), gpus(row), said(row, "region"))
    draft = Draft(
        summary=f"Take a snapshot of instance {label}",
        target=instance.target(gpus=gpus(row), snapshots=labels(own)),
        things=[instance],
        kept=["the instance and its disks"],
        bill=["A snapshot costs until it is deleted; the price is for the size in the price list."],
        warnings=["The instance may pause while it is taken. Attached volumes are not in it."],
    )
    if instance.status not in ("", "ACTIVE") and not is_allowed(instance, "create_snapshot"):
        draft.warnings.append(f"It is {said(row, 'status')}; a snapshot wants ACTIVE, so Barrack will probably refuse.")
    refuse_by_state(draft, instance, "create_snapshot", costs=_costs_now(inquiry, standing, instance))
    if (tier := (text(row, "tier") or "legacy").lower()) != "legacy":
        draft.warnings.append(f"Snapshots exist in the legacy tier only; this is {mention(tier)}.")
    return bought(
        inquiry,
        standing,
        draft,
        lambda prices: prices.snapshot({}),
    )


async def restore_snapshot(inquiry: Inquiry) -> Draft:
    """A new instance is made from a snapshot, and billed."""
    snapshot_id = inquiry.arguments["snapshot_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_snapshot", {"snapshot_id": snapshot_id})
        standing = Standing.ask(sheet, bills=inquiry.known.by_month)
        stock = ask_stock(sheet)
    snapshot = require(found, SNAPSHOT, snapshot_id)
    row = snapshot.row
    source = text(row, "instance_id")
    # one at most: a list holds each id once
    origin = things(
        INSTANCE, standing.instances.rows, where=lambda each: source == text(each, "instance_id") is not None
    )
    machine = await _machine(inquiry, snapshot, origin)

    label = snapshot.with_facts(said(row, "status"), said(row, "region"))
    what = gpus(machine) or "GPUs unknown"
    draft = Draft(
        summary=f"Make a new instance ({what}) from snapshot {label}",
        target=snapshot.target(size=size(row, "size_gb"), gpus=gpus(machine), taken_of=labels(origin)),
        things=[snapshot],
        widely=tell_openings(opened([], _brought(snapshot, origin, standing)), "the new instance, if its rules come"),
        staying=origin,
        kept=["the snapshot, which goes on costing", *(f"instance {each.label}, as it is" for each in origin)],
        bill=[FULL_RATE],
        warnings=[
            "This makes a new instance with new addresses, in the snapshot's region; it sets no existing one back."
        ],
        facts={"gpus": [machine.get("gpu_type"), machine.get("gpu_count")]},
    )
    if snapshot.status not in COMPLETE:
        draft.warnings.append(f"The snapshot is {said(row, 'status')}: restoring needs a complete one.")
    draft.safer = _wake(origin, "The instance that it was taken of is hibernated: restoring that makes no second one.")
    refuse_unfinished(draft, snapshot, "restoring")
    refuse_without_stock(draft, {**machine, "region": row.get("region")}, stock)

    def price(prices: Prices) -> Decimal | None:
        return prices.instance(machine, money.Billed.FULL)

    return await lease(inquiry, standing, bought(inquiry, standing, draft, price), price)


def _brought(snapshot: Thing, origin: list[Thing], standing: Standing) -> list[Ingress]:
    """What a restored instance may let in: by rules that the snapshot shows, or those of the one it was taken of."""
    if "security_rules" in snapshot.row:
        return read_rules(snapshot.row["security_rules"])
    if origin:
        return [rule for each in origin for rule in read_rules(each.row.get("security_rules"))]
    # of an instance that is gone no rules are left that could come with it; one that isn't told may be there
    gone = standing.instances.complete and text(snapshot.row, "instance_id") is not None
    return [] if gone else [ANYTHING]


async def _machine(inquiry: Inquiry, snapshot: Thing, origin: list[Thing]) -> dict[str, object]:
    """The GPUs that a restored instance has: told by the snapshot, by its instance, or by that one's bill."""
    rows = [snapshot.row, *(thing.row for thing in origin)]
    source = usable_id(text(snapshot.row, "instance_id"))
    if source and not any(_has_gpus(row) for row in rows):
        async with inquiry.desk.side_by_side() as sheet:
            bills = sheet.rows(
                "get_instance_billing", {"instance_id": source}, "which GPUs it was taken of", binds=True
            )
        rows = [row for row in bills.rows if text(row, "instance_id") == source]
    told = next((row for row in rows if _has_gpus(row)), {})
    return {
        "gpu_type": told.get("gpu_type"),
        "gpu_count": told.get("gpu_count"),
        # snapshots exist in the legacy tier only (documented)
        "tier": text(snapshot.row, "tier") or "legacy",
    }


def _has_gpus(row: dict[str, object]) -> bool:
    return text(row, "gpu_type") is not None and money.amount(row.get("gpu_count")) is not None


def _wake(found: list[Thing], why: str) -> list[Safer]:
    asleep = (thing for thing in found if thing.status == "HIBERNATED")
    ids = [at for thing in asleep if (at := usable_id(thing.id))]
    return [Safer(tool="restore_instance", arguments={"instance_id": at}, why=why) for at in ids]
