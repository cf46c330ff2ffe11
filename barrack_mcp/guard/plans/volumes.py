"""What happens to volumes that are attached, detached or deleted."""

from __future__ import annotations

from barrack_mcp.account import money
from barrack_mcp.account.desk import Single
from barrack_mcp.account.things import (
    Thing,
    age,
    counted,
    labels,
    said,
    said_when,
    size,
    spent,
    text,
    things,
    usable_id,
)
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import INSTANCE, VOLUME
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.plans.draft import Draft, Inquiry, cost, name_all, require
from barrack_mcp.guard.plans.instances import ask_prices, boots, rate_in_words
from barrack_mcp.guard.plans.states import refuse_by_state, refuse_unfinished

_IN_USE = frozenset({"IN-USE", "ATTACHED", "ATTACHING"})
"""States of a volume that an instance has."""

_LAST_USE = ("last_used_at", "last_attached_at", "detached_at", "last_used")
"""Where the API may say when a volume was in use; none is documented."""


def holder(volume: Thing) -> Thing | None:
    """The instance that a volume is attached to, as far as the API tells."""
    held = volume.row.get("attachment")
    rows = held if isinstance(held, list) else [held]
    row = next((each for each in rows if isinstance(each, dict)), {})
    instance = Thing(INSTANCE, row, asked=text(volume.row, "instance_id"))
    return instance if instance.id else None


def volume_facts(volume: Thing, now: float) -> JsonObject:
    """What a plan tells of a volume."""
    held = holder(volume)
    return {
        "size": size(volume.row, "size_gb"),
        "volume_type": said(volume.row, "volume_type"),
        "tier": said(volume.row, "tier"),
        "attached_to": held.label if held else None,
        "last_use": next((told for name in _LAST_USE if (told := said_when(volume.row, name))), None),
        "age": age(volume.row, now),
    }


async def delete_volume(inquiry: Inquiry) -> Draft:
    """The volume and its data are gone for good."""
    volume_id = inquiry.arguments["volume_id"]
    path = {"volume_id": volume_id}
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_volume", path)
        price_list = ask_prices(sheet)
        bills = sheet.rows("get_volume_billing", path, "what it has cost so far")
    volume = require(found, VOLUME, volume_id)
    row = volume.row
    now = inquiry.prices(price_list).volume(row)
    held = holder(volume)
    if held is not None:
        (held,) = await name_all(inquiry, [held])
    facts = (said(row, "status"), size(row, "size_gb"), said(row, "volume_type"), said(row, "region"))
    draft = Draft(
        summary=f"Delete volume {volume.with_facts(*facts)} and all data on it for good.",
        target=volume.target(**volume_facts(volume, inquiry.now)),
        things=[volume],
        cost=cost(
            inquiry,
            now=now,
            after=None if now is None else now * 0,
            spent=spent(bills.rows, of=volume, currency=inquiry.currency),
        ),
        lost=[f"all data on it ({size(row, 'size_gb') or 'size unknown'})"],
        kept=["volumes that were cloned from it"],
        warnings=[
            *([] if text(row, *_LAST_USE) else ["When it was last used is not told by Barrack."]),
            "Whether clones of it exist is not told by Barrack.",
        ],
        facts={"holder": held.id if held else None},
    )
    if row.get("bootable") is True:
        draft.warnings.insert(0, "It is bootable: instances may be meant to boot from it.")
    costs = None if now is None else money.write_rate(now, inquiry.currency)
    if held or volume.status in _IN_USE:
        draft.touched = [held] if held else []
        draft.touches_unread = held is None
        draft.safer = _detach(held, volume) if held else []
        draft.refusal = (
            f"Not done: {volume.in_words} is attached to {held.in_words if held else 'an instance'}, and Barrack "
            f"deletes detached volumes only.{f' It costs {costs}, attached or not.' if costs else ''} Nothing was "
            "sent; detach it first (tool: detach_volumes)."
        )
    else:
        refuse_unfinished(draft, volume, "deleting", costs=costs)
    return draft


def _detach(held: Thing, volume: Thing) -> list[Safer]:
    instance_id = usable_id(held.id)
    if instance_id is None:
        return []
    arguments = {"instance_id": instance_id, "volume_ids": [volume.asked]}
    return [Safer(tool="detach_volumes", arguments=arguments, why="Detaching takes it off and keeps its data.")]


async def attach_volumes(inquiry: Inquiry) -> Draft:
    """The instance gets the volumes, which cost as before."""
    instance_id, ids = inquiry.arguments["instance_id"], inquiry.arguments["volume_ids"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_instance", {"instance_id": instance_id})
        price_list = ask_prices(sheet)
        details = {at: sheet.one("get_volume", {"volume_id": at}, f"volume {mention(at)}", binds=True) for at in ids}
    instance = require(found, INSTANCE, instance_id)
    volumes = [Thing(VOLUME, details[at].known, asked=at) for at in ids]
    hourly = inquiry.prices(price_list).instance(instance.row, money.billed(instance.status))
    draft = Draft(
        summary=f"Attach {counted(len(volumes), 'volume')} to instance "
        f"{instance.with_facts(said(instance.row, 'status'))}.",
        target=instance.target(volumes=labels(volumes)),
        things=[instance, *volumes],
        gained=[volume.in_words for volume in volumes],
        kept=["its bill: a volume costs the same, attached or not"],
    )
    if instance.status == "HIBERNATED":
        refuse_by_state(draft, instance, "attach_volumes", costs=rate_in_words(instance, hourly, inquiry.currency))
        return draft
    for volume in volumes:
        if draft.refusal is None:
            _refuse_to_attach(draft, volume, instance)
    return draft


def _refuse_to_attach(draft: Draft, volume: Thing, instance: Thing) -> None:
    """Refuse a volume that an instance has, that is elsewhere, or that is still being made."""
    held = holder(volume)
    if held is not None and held.id == instance.id:
        draft.refusal = f"Not done: {volume.in_words} is attached to this instance already. Nothing was sent."
        draft.safer = [
            Safer(tool="get_instance", arguments={"instance_id": instance.asked}, why="It shows what is attached.")
        ]
    elif held is not None or volume.status in _IN_USE:
        where = held.in_words if held else "an instance"
        draft.refusal = (
            f"Not done: {volume.in_words} is attached to {where}, and a volume is attached to one instance at a time. "
            "Nothing was sent; detach it there first (tool: detach_volumes)."
        )
        draft.safer = _detach(held, volume) if held else []
    elif _differs(volume, instance, "region"):
        draft.refusal = (
            f"Not done: {volume.in_words} is in {said(volume.row, 'region')} and {instance.in_words} in "
            f"{said(instance.row, 'region')}; a volume is attached in its own region. Nothing was sent."
        )
        arguments = {"region": text(instance.row, "region")}
        draft.safer = [Safer(tool="list_volumes", arguments=arguments, why="It shows the volumes of that region.")]
    else:
        refuse_unfinished(draft, volume, "attaching")


def _differs(one: Thing, other: Thing, field: str) -> bool:
    """Whether both are told, and aren't the same."""
    here, there = text(one.row, field), text(other.row, field)
    return None not in (here, there) and here != there


async def detach_volumes(inquiry: Inquiry) -> Draft:
    """The data goes offline for the instance; it stays and costs as before."""
    instance_id, ids = inquiry.arguments["instance_id"], inquiry.arguments["volume_ids"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_instance", {"instance_id": instance_id})
        details = {
            volume_id: sheet.one("get_volume", {"volume_id": volume_id}, f"volume {mention(volume_id)}", binds=True)
            for volume_id in ids
        }
    instance = require(found, INSTANCE, instance_id)
    attached = {each.id: each for each in things(VOLUME, instance.row.get("volume_attachments"))}
    volumes = [
        Thing(VOLUME, {**(attached[at].row if at in attached else {}), **details[at].known}, asked=at) for at in ids
    ]
    draft = Draft(
        summary=f"Detach {counted(len(volumes), 'volume')} from instance "
        f"{instance.with_facts(said(instance.row, 'status'))}.",
        target=instance.target(volumes=labels(volumes)),
        things=[instance, *volumes],
        kept=["the data on what is detached"],
        lost=[f"access of the instance to {volume.in_words}" for volume in volumes],
        uncertain=["what was not written yet: the data goes offline at once, so unmount first"],
        bill=["Detaching saves nothing: a volume costs the same until it is deleted."],
    )
    boot = [attached[at] for at in ids if at in attached and boots(attached[at])]
    if boot:
        draft.warnings.append(f"The instance boots from {boot[0].label}, which Barrack will probably not detach.")
    draft.refusal = next((no for at in ids if (no := _not_there(at, instance, attached, details[at]))), None)
    if draft.refusal is not None:
        draft.safer = _where_they_are(ids, instance, details)
    return draft


def _where_they_are(ids: list[str], instance: Thing, details: dict[str, Single]) -> list[Safer]:
    """Offer to detach what is attached elsewhere from there, or to look at what has no place."""
    for at in ids:
        held = holder(Thing(VOLUME, details[at].known))
        if held and held.id != instance.id and (there := usable_id(held.id)):
            arguments = {"instance_id": there, "volume_ids": [at]}
            return [Safer(tool="detach_volumes", arguments=arguments, why="It is attached to that instance.")]
    return [Safer(tool="get_instance", arguments={"instance_id": instance.asked}, why="It shows what is attached.")]


def _not_there(at: str, instance: Thing, attached: dict[str | None, Thing], detail: Single) -> str | None:
    """Say why a volume can't be detached from this instance; None if it can, or if that is not known."""
    volume = Thing(VOLUME, detail.known, asked=at)
    held = holder(volume)
    if at in attached or (held and held.id == instance.id):
        return None
    if detail.missing:
        return f"Barrack knows no volume {mention(at)}. Nothing was sent."
    if held:
        return (
            f"The {volume.in_words} is attached to another instance, {held.label}, not to this one. Nothing was sent."
        )
    if detail.data and isinstance(instance.row.get("volume_attachments"), list):
        return f"The {volume.in_words} is not attached to this instance. Nothing was sent."
    return None
