"""Disks: created, attached, cloned, grown, deleted."""

from __future__ import annotations

from functools import partial

from pydantic import model_validator

from barrack_mcp.simulator.calls import Call, pick, route
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.market import VOLUME_CREDIT, VOLUME_PRICES
from barrack_mcp.simulator.routes.instances import answer_for
from barrack_mcp.simulator.routes.needs import need_available, need_os_image, need_purse, need_region, need_status
from barrack_mcp.simulator.rules import (
    Body,
    ImageName,
    Json,
    Name,
    Region,
    SomeIds,
    Tier,
    VolumeSize,
    VolumeType,
    misfit,
    refusal,
)
from barrack_mcp.simulator.world import Volume, World

CREATE_S, ATTACH_S = 20, 10


class _NewVolume(Body):
    name: Name
    size_gb: VolumeSize
    region: Region
    tier: Tier
    volume_type: VolumeType
    bootable: bool | None = None
    os_image: ImageName | None = None

    @model_validator(mode="after")
    def _check_boot_source(self) -> _NewVolume:
        if self.bootable and self.os_image is None:
            raise misfit("This field is required when bootable is true.", "os_image")
        return self


class _Copy(Body):
    name: Name
    volume_type: VolumeType | None = None


class _Size(Body):
    size_gb: VolumeSize


class _Several(Body):
    volume_ids: SomeIds


def show_volume(world: World, volume: Volume) -> Json:
    """A disk as the API shows it."""
    instance = world.instances.get(volume.instance_id or "")
    names = ("size_gb", "volume_type", "tier", "region", "status", "bootable", "os_image", "instance_id")
    where = instance and pick(instance, instance_id="id", vm_name="name") | pick(volume, "boot", status="attachment")
    row = pick(volume, *names, volume_id="id", volume_name="name")
    return row | {"attachment": where, "created_at": iso(volume.created_at)}


def _answer(world: World, volume: Volume, message: str) -> Json:
    return {"message": message, "volume": show_volume(world, volume), "tier": volume.tier}


def add_volume(world: World, volume: Volume) -> Volume:
    """Put up a disk that is available after 20 seconds and bills from now."""
    world.put(world.volumes, volume)
    world.charge(volume)
    world.become(volume, "available", CREATE_S)
    return volume


def _suggest_name(world: World) -> str:
    """The first free of volume1, volume2, ..."""
    taken = {volume.name for volume in world.volumes.values()}
    return next(name for number in range(1, len(taken) + 2) if (name := f"volume{number}") not in taken)


@route("GET", "/volumes/")
def list_volumes(call: Call) -> Json:
    """The disks, oldest first, and a free name for the next."""
    world = call.world
    found = call.filter(world.volumes.values(), "region", "tier")
    return call.page("volumes", found, lambda volume: show_volume(world, volume), next_name=_suggest_name(world))


@route("GET", "/volumes/{volume_id}/")
def get_volume(call: Call) -> Json:
    """One disk."""
    return {"volume": show_volume(call.world, call.find(call.world.volumes))}


def _need_type(volume_type: str, tier: str) -> None:
    if VOLUME_PRICES[volume_type][0] != tier:
        raise refusal(400, "VOLUME_TYPE_NOT_IN_TIER", f"{volume_type} volumes do not exist in the {tier} tier")


def _need_growable(volume: Volume, done: str) -> None:
    if volume.tier != "advanced":
        raise refusal(400, "TIER_NOT_SUPPORTED", f"Only volumes of the advanced tier can be {done}")
    if volume.status != "in-use":
        need_available(volume)


@route("POST", "/volumes/", status=201)
def create_volume(call: Call) -> Json:
    """Creates a disk, which bills from now."""
    world, wanted = call.world, call.read(_NewVolume)
    need_purse(world, VOLUME_CREDIT[world.account.currency])
    _need_type(wanted.volume_type, wanted.tier)
    need_region(wanted.region, wanted.tier)
    world.volumes.need_free(wanted.name)
    os_image = wanted.os_image if wanted.bootable else None
    if os_image is not None:
        need_os_image(os_image, wanted.region, wanted.tier)
    facts = wanted.model_dump(exclude={"bootable", "os_image"})
    volume = add_volume(world, Volume(**facts, bootable=os_image is not None, os_image=os_image))
    return _answer(world, volume, "Volume is being created")


@route("DELETE", "/volumes/{volume_id}/")
def delete_volume(call: Call) -> Json:
    """Deletes a free disk with all that is on it, for good."""
    volume = call.find(call.world.volumes)
    if volume.instance_id is not None:
        raise refusal(409, "VOLUME_ATTACHED", "The volume is attached to an instance: detach it first")
    need_available(volume)
    call.world.end_volume(volume)
    return {"message": "Volume deleted", "volume_id": volume.id, "tier": volume.tier}


@route("POST", "/volumes/{volume_id}/clone/", status=201)
def clone_volume(call: Call) -> Json:
    """Copies an advanced disk; the copy bills as a disk of its own, and may be of the tier's other type."""
    world, volume, wanted = call.world, call.find(call.world.volumes), call.read(_Copy)
    need_purse(world, VOLUME_CREDIT[world.account.currency])
    _need_growable(volume, "cloned")
    volume_type = wanted.volume_type or volume.volume_type
    _need_type(volume_type, volume.tier)
    world.volumes.need_free(wanted.name)
    same = pick(volume, "size_gb", "region", "tier", "bootable", "os_image")
    copy = Volume(name=wanted.name, volume_type=volume_type, **same)
    return _answer(world, add_volume(world, copy), "Volume is being cloned")


@route("POST", "/volumes/{volume_id}/resize/")
def resize_volume(call: Call) -> Json:
    """Grows an advanced disk; it never shrinks again."""
    volume, size_gb = call.find(call.world.volumes), call.read(_Size).size_gb
    _need_growable(volume, "resized")
    if size_gb <= volume.size_gb:
        raise refusal(400, "VOLUME_CANNOT_SHRINK", f"The new size must be larger than {volume.size_gb} GB")
    volume.size_gb = size_gb
    call.world.charge(volume)
    return _answer(call.world, volume, "Volume resized")


@route("POST", "/instances/{instance_id}/attach-volumes/")
def attach_volumes(call: Call) -> Json:
    """Gives free disks to an ACTIVE machine, all or none."""
    world, instance = call.world, call.find(call.world.instances)
    volumes = [world.volumes.find(volume_id) for volume_id in call.read(_Several).volume_ids]
    need_status(instance, "ACTIVE", what="attach volumes to")
    for volume in volumes:
        if volume.region != instance.region:
            raise refusal(400, "REGION_MISMATCH", "The volume is in another region than the instance")
        if volume.tier != instance.tier:
            raise refusal(400, "TIER_MISMATCH", "The volume is of another tier than the instance")
        if volume.instance_id is not None:
            raise refusal(409, "VOLUME_ATTACHED", "The volume is attached to an instance already")
        need_available(volume)
    for volume in volumes:
        volume.instance_id, volume.attachment, volume.status = instance.id, "ATTACHING", "in-use"
        world.later(ATTACH_S, partial(_finish_attaching, volume))
    return answer_for(instance, "Volumes are being attached", volume_ids=[volume.id for volume in volumes])


def _finish_attaching(volume: Volume) -> None:
    if volume.attachment is not None:
        volume.attachment = "SUCCESS"


@route("POST", "/instances/{instance_id}/detach-volumes/")
def detach_volumes(call: Call) -> Json:
    """Takes disks from an ACTIVE machine, all or none; what is on them stays."""
    world, instance = call.world, call.find(call.world.instances)
    volumes = [world.volumes.find(volume_id) for volume_id in call.read(_Several).volume_ids]
    need_status(instance, "ACTIVE", what="detach volumes from")
    for volume in volumes:
        if volume.instance_id != instance.id:
            raise refusal(409, "VOLUME_NOT_ATTACHED", "The volume is not attached to this instance")
        if volume.boot:
            raise refusal(409, "BOOT_VOLUME", "The boot volume cannot be detached")
    for volume in volumes:
        world.release(volume)
    return answer_for(instance, "Volumes detached", volume_ids=[volume.id for volume in volumes])
