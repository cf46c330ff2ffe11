"""What is bought when something runs again: a hibernated instance, or a snapshot as a new one."""

from __future__ import annotations

from decimal import Decimal

from barrack_mcp.account import money
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.spending.standing import Standing
from barrack_mcp.account.things import COMPLETE, Thing, labels, said, size, text, things, usable_id
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.exposure import ANYTHING, Ingress, opened, read_rules
from barrack_mcp.guard.plans.draft import Draft, Inquiry, require
from barrack_mcp.guard.plans.instances import gpus
from barrack_mcp.guard.plans.openings import rules_of, tell_openings
from barrack_mcp.guard.plans.spending.purchase import FULL_RATE, bought, lease, tell_rate_now
from barrack_mcp.guard.plans.spending.stock import ask_stock, refuse_without_stock
from barrack_mcp.guard.plans.states import is_allowed, refuse_by_state, refuse_unfinished


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
    refuse_by_state(draft, instance, "restore", costs=tell_rate_now(inquiry, standing, instance))
    refuse_without_stock(draft, row, stock)
    bought(inquiry, standing, draft, price, now=now_costs(standing.prices(inquiry.currency)))
    return await lease(inquiry, standing, draft, lambda prices: prices.instance(row, money.Billed.FULL))


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
