"""What is bought when a volume or a snapshot is made, copied or grown."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from pydantic import ValidationError

from barrack_mcp.account import money
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.spending.standing import Standing
from barrack_mcp.account.things import Thing, labels, said, size, text, things, usable_name
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.plans.draft import Draft, Inquiry, require
from barrack_mcp.guard.plans.instances import gpus
from barrack_mcp.guard.plans.spending.purchase import (
    UNKNOWN_REGION,
    bought,
    known_region,
    refuse_misspelt_region,
    tell_rate_now,
)
from barrack_mcp.guard.plans.states import is_allowed, refuse_by_state
from barrack_mcp.guard.plans.volumes import volume_facts

_UNTIL_DELETED: Final = "A volume costs until it is deleted, attached or not."


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
        bill=[_UNTIL_DELETED],
        warnings=[] if region else [UNKNOWN_REGION],
    )
    refuse_misspelt_region(draft, wanted["region"], regions.rows)
    return bought(inquiry, standing, draft, lambda prices: prices.volume(wanted))


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
        bill=[_UNTIL_DELETED],
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
    refuse_by_state(draft, instance, "create_snapshot", costs=tell_rate_now(inquiry, standing, instance))
    if (tier := (text(row, "tier") or "legacy").lower()) != "legacy":
        draft.warnings.append(f"Snapshots exist in the legacy tier only; this is {mention(tier)}.")
    return bought(
        inquiry,
        standing,
        draft,
        lambda prices: prices.snapshot({}),
    )
