"""Disks: created, attached, cloned, grown, deleted."""

from __future__ import annotations

from functools import partial

from barrack_mcp.simulator.calls import Call, Json, Route, matching, misfit, missing, paged, rule
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.market import REGIONS, VOLUME_CREDIT, VOLUME_PRICES, has_os_image
from barrack_mcp.simulator.meter import Meter
from barrack_mcp.simulator.routes.instances import find, need_credit, need_profile, need_status
from barrack_mcp.simulator.rules import (
    Field,
    choice,
    flag,
    ids,
    name50,
    need_free_name,
    read,
    text,
    tier,
    volume_gb,
    volume_type,
)
from barrack_mcp.simulator.world import Bill, Volume, World

CREATE_S, ATTACH_S = 20, 10

_CREATE = {
    "name": Field(name50),
    "size_gb": Field(volume_gb),
    "region": Field(choice(*REGIONS)),
    "tier": Field(tier),
    "volume_type": Field(volume_type),
    "bootable": Field(flag, required=False),
    "os_image": Field(text(1, 200), required=False),
}
_CLONE = {"name": Field(name50), "volume_type": Field(volume_type, required=False)}
_RESIZE = {"size_gb": Field(volume_gb)}
_VOLUME_IDS = {"volume_ids": Field(ids(least=1))}


def shown(world: World, volume: Volume) -> Json:
    """A disk as the API shows it."""
    instance = world.instances.get(volume.instance_id or "")
    attachment = instance and {
        "instance_id": instance.id,
        "vm_name": instance.name,
        "status": volume.attachment,
        "boot": volume.boot,
    }
    return {
        "volume_id": volume.id,
        "volume_name": volume.name,
        "size_gb": volume.size_gb,
        "volume_type": volume.volume_type,
        "tier": volume.tier,
        "region": volume.region,
        "status": volume.status,
        "bootable": volume.bootable,
        "os_image": volume.os_image,
        "instance_id": volume.instance_id,
        "attachment": attachment,
        "created_at": iso(volume.created_at),
    }


def _find(call: Call) -> Volume:
    return _known(call.world, call.ids["volume_id"])


def _known(world: World, volume_id: str) -> Volume:
    volume = world.volumes.get(volume_id)
    if volume is None:
        raise missing("Volume")
    return volume


def add_volume(
    world: World, *, name: str, size_gb: int, region: str, tier: str, volume_type: str, os_image: str | None = None
) -> Volume:
    """Put up a disk that is available after 20 seconds and bills from now. With an OS image it is bootable."""
    volume_id = world.next_id("BRK-{}V")
    bill = Bill(f"VBILL_{world.random.getrandbits(40):010x}", volume_id, name, tier, 0, "creating", Meter())
    volume = Volume(volume_id, name, tier, region, volume_type, size_gb, world.now, bill)
    volume.bootable, volume.os_image = os_image is not None, os_image
    world.volumes[volume_id] = volume
    world.volume_bills[volume_id] = bill
    world.price_volume(volume)
    world.later(CREATE_S, lambda: _ready(volume))
    return volume


def _ready(volume: Volume) -> None:
    if volume.status == "creating":
        volume.status = volume.bill.status = "available"


def next_name(world: World) -> str:
    """The name that the API suggests for the next volume: the first free of volume1, volume2, ..."""
    taken = {volume.name for volume in world.volumes.values()}
    return next(name for number in range(1, len(taken) + 2) if (name := f"volume{number}") not in taken)


def list_volumes(call: Call) -> Json:
    """The disks, oldest first, and a free name for the next."""
    found = matching(call, call.world.volumes.values(), region="region", tier="tier")
    return paged(call, "volumes", found, lambda volume: shown(call.world, volume), next_name=next_name(call.world))


def get_volume(call: Call) -> Json:
    """One disk."""
    return {"volume": shown(call.world, _find(call))}


def _need_type(volume_type: str, tier: str) -> None:
    if VOLUME_PRICES[volume_type][0] != tier:
        raise rule(400, "VOLUME_TYPE_NOT_IN_TIER", f"{volume_type} volumes do not exist in the {tier} tier")


def _need_purse(world: World) -> None:
    need_profile(world)
    need_credit(world, VOLUME_CREDIT.of(world.account.currency))


def create_volume(call: Call) -> Json:
    """Creates a disk, which bills from now."""
    world, wanted = call.world, read(call.body, _CREATE)
    if wanted["bootable"] and wanted["os_image"] is None:
        raise misfit({"os_image": ["This field is required when bootable is true."]})
    _need_purse(world)
    _need_type(wanted["volume_type"], wanted["tier"])
    if wanted["tier"] not in REGIONS[wanted["region"]][1]:
        raise rule(400, "REGION_NOT_IN_TIER", f"{wanted['region']} does not offer the {wanted['tier']} tier")
    need_free_name("Volume", wanted["name"], world.volumes.values())
    if not wanted.pop("bootable"):
        wanted["os_image"] = None
    elif not has_os_image(wanted["os_image"], wanted["region"], wanted["tier"]):
        raise rule(404, "OS_IMAGE_NOT_FOUND", "OS image not found in this region and tier")
    volume = add_volume(world, **wanted)
    return {"message": "Volume is being created", "volume": shown(world, volume), "tier": volume.tier}


def delete_volume(call: Call) -> Json:
    """Deletes a free disk with all that is on it, for good."""
    volume = _find(call)
    if volume.instance_id is not None:
        raise rule(409, "VOLUME_ATTACHED", "The volume is attached to an instance: detach it first")
    if volume.status != "available":
        raise rule(409, "VOLUME_NOT_AVAILABLE", f"The volume is {volume.status}, not available")
    call.world.end_volume(volume)
    return {"message": "Volume deleted", "volume_id": volume.id, "tier": volume.tier}


def clone_volume(call: Call) -> Json:
    """Copies an advanced disk; the copy bills as a disk of its own, and may be of the tier's other type."""
    world, volume, wanted = call.world, _find(call), read(call.body, _CLONE)
    _need_purse(world)
    _need_advanced(volume, "cloned")
    if volume.status == "creating":
        raise rule(409, "VOLUME_NOT_AVAILABLE", "The volume is creating, not available")
    kind = wanted["volume_type"] or volume.volume_type
    _need_type(kind, volume.tier)
    need_free_name("Volume", wanted["name"], world.volumes.values())
    copy = add_volume(
        world,
        name=wanted["name"],
        size_gb=volume.size_gb,
        region=volume.region,
        tier=volume.tier,
        volume_type=kind,
        os_image=volume.os_image,
    )
    return {"message": "Volume is being cloned", "volume": shown(world, copy), "tier": copy.tier}


def resize_volume(call: Call) -> Json:
    """Grows an advanced disk; it never shrinks again."""
    volume, wanted = _find(call), read(call.body, _RESIZE)
    _need_advanced(volume, "resized")
    if volume.status == "creating":
        raise rule(409, "VOLUME_NOT_AVAILABLE", "The volume is creating, not available")
    if wanted["size_gb"] <= volume.size_gb:
        raise rule(400, "VOLUME_CANNOT_SHRINK", f"The new size must be larger than {volume.size_gb} GB")
    volume.size_gb = wanted["size_gb"]
    call.world.price_volume(volume)
    return {"message": "Volume resized", "volume": shown(call.world, volume), "tier": volume.tier}


def _need_advanced(volume: Volume, done: str) -> None:
    if volume.tier != "advanced":
        raise rule(400, "TIER_NOT_SUPPORTED", f"Only volumes of the advanced tier can be {done}")


def attach_volumes(call: Call) -> Json:
    """Gives free disks to an ACTIVE machine, all or none."""
    world, instance = call.world, find(call)
    volumes = [_known(world, volume_id) for volume_id in read(call.body, _VOLUME_IDS)["volume_ids"]]
    need_status(instance, "ACTIVE", what="attach volumes to")
    for volume in volumes:
        if volume.region != instance.region:
            raise rule(400, "REGION_MISMATCH", "The volume is in another region than the instance")
        if volume.tier != instance.tier:
            raise rule(400, "TIER_MISMATCH", "The volume is of another tier than the instance")
        if volume.instance_id is not None:
            raise rule(409, "VOLUME_ATTACHED", "The volume is attached to an instance already")
        if volume.status != "available":
            raise rule(409, "VOLUME_NOT_AVAILABLE", f"The volume is {volume.status}, not available")
    for volume in volumes:
        volume.instance_id, volume.attachment = instance.id, "ATTACHING"
        volume.status = volume.bill.status = "in-use"
        world.later(ATTACH_S, partial(_attached, volume))
    return _answer(call, "Volumes are being attached", volumes)


def _attached(volume: Volume) -> None:
    if volume.attachment is not None:
        volume.attachment = "SUCCESS"


def detach_volumes(call: Call) -> Json:
    """Takes disks from an ACTIVE machine, all or none; what is on them stays."""
    world, instance = call.world, find(call)
    volumes = [_known(world, volume_id) for volume_id in read(call.body, _VOLUME_IDS)["volume_ids"]]
    need_status(instance, "ACTIVE", what="detach volumes from")
    for volume in volumes:
        if volume.instance_id != instance.id:
            raise rule(409, "VOLUME_NOT_ATTACHED", "The volume is not attached to this instance")
        if volume.boot:
            raise rule(409, "BOOT_VOLUME", "The boot volume cannot be detached")
    for volume in volumes:
        world.release(volume)
    return _answer(call, "Volumes detached", volumes)


def _answer(call: Call, message: str, volumes: list[Volume]) -> Json:
    instance = find(call)
    return {
        "message": message,
        "instance_id": instance.id,
        "volume_ids": [volume.id for volume in volumes],
        "tier": instance.tier,
    }


ROUTES = (
    Route("list_volumes", "GET", "/volumes/", list_volumes),
    Route("create_volume", "POST", "/volumes/", create_volume, writes=True, status=201),
    Route("get_volume", "GET", "/volumes/{volume_id}/", get_volume),
    Route("attach_volumes", "POST", "/instances/{instance_id}/attach-volumes/", attach_volumes, writes=True),
    Route("detach_volumes", "POST", "/instances/{instance_id}/detach-volumes/", detach_volumes, writes=True),
    Route("clone_volume", "POST", "/volumes/{volume_id}/clone/", clone_volume, writes=True, status=201),
    Route("resize_volume", "POST", "/volumes/{volume_id}/resize/", resize_volume, writes=True),
    Route("delete_volume", "DELETE", "/volumes/{volume_id}/", delete_volume, writes=True),
)
