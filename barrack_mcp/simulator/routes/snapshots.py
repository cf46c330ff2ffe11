"""Snapshots of legacy machines, the machines restored from them, and the images made from them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import StringConstraints

from barrack_mcp.simulator.calls import Call, pick, route
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.routes.deploy import answer_deployed, build
from barrack_mcp.simulator.routes.needs import need_available, need_machine, need_profile, need_status
from barrack_mcp.simulator.rules import MAX_NAME, Body, Json, Name, SomeIds, refusal
from barrack_mcp.simulator.world import Image, Instance, Snapshot, World

SNAPSHOT_S, IMAGE_S = 120, 90
_MACHINE = ("gpu_model", "gpu_count", "image_name", "ssh_key_ids")
"""What a snapshot remembers of its machine to make it anew."""
_IMAGE_NAME = re.compile(r"[A-Za-z0-9 ._-]{3,30}")
_Line = Annotated[str, StringConstraints(max_length=1000)]


class _NewSnapshot(Body):
    name: Name
    description: _Line | None = None


class _Restoration(Body):
    name: Name | None = None


class _NewImage(Body):
    name: _Line


class _Several(Body):
    snapshot_ids: SomeIds


def show_snapshot(world: World, snapshot: Snapshot) -> Json:
    """A snapshot as the API shows it."""
    image = _image_of(world, snapshot.id)
    return {
        **pick(snapshot, "description", "status", "region", "tier", "size_gb", snapshot_id="id", snapshot_name="name"),
        **pick(snapshot, instance_id="instance_id", vm_name="instance_name", gpu_type="gpu_model"),
        "gpu_count": snapshot.gpu_count,
        "image_id": image.id if image else None,
        "created_at": iso(snapshot.created_at),
    }


def show_image(image: Image) -> Json:
    """An image as the API shows it."""
    row = pick(image, "name", "status", "region", "tier", "size_gb", "snapshot_id", image_id="id")
    return row | {"created_at": iso(image.created_at)}


def _image_of(world: World, snapshot_id: str) -> Image | None:
    return next((image for image in world.images.values() if image.snapshot_id == snapshot_id), None)


def _need_complete(snapshot: Snapshot) -> None:
    if snapshot.status != "SUCCESS":
        raise refusal(409, "SNAPSHOT_NOT_READY", f"The snapshot is {snapshot.status}: wait until it is complete")


@route("GET", "/snapshots/")
def list_snapshots(call: Call) -> Json:
    """The snapshots, oldest first."""
    found = call.filter(call.world.snapshots.values(), "region")
    return call.page("snapshots", found, lambda snapshot: show_snapshot(call.world, snapshot))


@route("GET", "/snapshots/{snapshot_id}/")
def get_snapshot(call: Call) -> Json:
    """One snapshot."""
    return {"snapshot": show_snapshot(call.world, call.find(call.world.snapshots))}


@route("POST", "/instances/{instance_id}/snapshots/", status=201)
def create_snapshot(call: Call) -> Json:
    """Copies the disk of an ACTIVE legacy machine, which goes on running; the copy bills while it exists."""
    world, instance, wanted = call.world, call.find(call.world.instances), call.read(_NewSnapshot)
    need_profile(world)
    if instance.tier != "legacy":
        raise refusal(400, "TIER_NOT_SUPPORTED", "Snapshots exist in the legacy tier only")
    need_status(instance, "ACTIVE", what="take a snapshot of")
    if any(volume.boot for volume in world.volumes_of(instance)):
        raise refusal(400, "BOOT_VOLUME", "No snapshot can be taken of an instance that boots from a volume")
    if any(each.instance_id == instance.id and each.status == "creating" for each in world.snapshots.values()):
        raise refusal(409, "SNAPSHOT_IN_PROGRESS", "A snapshot of this instance is being created already")
    world.snapshots.need_free(wanted.name)
    snapshot = Snapshot(
        name=wanted.name,
        description=wanted.description or "",
        **pick(instance, "region", *_MACHINE, instance_id="id", instance_name="name"),
    )
    world.put(world.snapshots, snapshot)
    world.charge(snapshot)
    world.become(snapshot, "SUCCESS", SNAPSHOT_S)
    return {"message": "Snapshot is being created", "data": show_snapshot(world, snapshot)}


@route("POST", "/snapshots/{snapshot_id}/restore/", status=201)
def restore_snapshot(call: Call) -> Json:
    """Makes a new machine from a snapshot, in the same region, with new addresses; it bills like any other."""
    world, snapshot, wanted = call.world, call.find(call.world.snapshots), call.read(_Restoration)
    need_profile(world)
    _need_complete(snapshot)
    suffix = "-restored"
    instance = Instance(
        name=wanted.name or snapshot.name[: MAX_NAME - len(suffix)] + suffix,
        boot_source="snapshot",
        **pick(snapshot, "tier", "region", *_MACHINE),
    )
    world.instances.need_free(instance.name)
    need_machine(world, instance)
    answer = answer_deployed(build(world, instance), "Snapshot is being restored")
    answer["data"]["snapshot_id"] = snapshot.id
    return answer


@route("DELETE", "/snapshots/{snapshot_id}/")
def delete_snapshot(call: Call) -> Json:
    """Deletes a snapshot, for good; images made from it stay."""
    snapshot = call.find(call.world.snapshots)
    _need_complete(snapshot)
    call.world.end_snapshot(snapshot)
    return {"message": "Snapshot deleted", "snapshot_id": snapshot.id}


@route("GET", "/images/")
def list_custom_images(call: Call) -> Json:
    """The images, oldest first."""
    return call.page("images", call.filter(call.world.images.values(), "region"), show_image)


@route("GET", "/images/{image_id}/")
def get_custom_image(call: Call) -> Json:
    """One image."""
    return {"image": show_image(call.find(call.world.images))}


@route("POST", "/snapshots/{snapshot_id}/image/", status=201)
def create_custom_image(call: Call) -> Json:
    """Makes an image from a complete snapshot that has none yet."""
    world, name = call.world, call.read(_NewImage).name
    if not _IMAGE_NAME.fullmatch(name):
        raise refusal(400, "INVALID_IMAGE_NAME", "Invalid image name")
    need_profile(world)
    if not world.snapshots:
        raise refusal(404, "NO_SNAPSHOTS_AVAILABLE", "No snapshots available")
    snapshot = call.find(world.snapshots)
    _need_complete(snapshot)
    other = _image_of(world, snapshot.id)
    if other is not None:
        message = f"An image already exists for this snapshot: {other.name}"
        raise refusal(409, "IMAGE_EXISTS_FOR_SNAPSHOT", message, image_id=other.id)
    world.images.need_free(name)
    image = Image(name=name, region=snapshot.region, size_gb=snapshot.size_gb, snapshot_id=snapshot.id)
    world.put(world.images, image)
    world.become(image, "available", IMAGE_S)
    return {"message": "Image is being created", "image": show_image(image)}


@route("DELETE", "/images/{image_id}/")
def delete_custom_image(call: Call) -> Json:
    """Deletes an image, for good; machines made from it stay."""
    image = call.find(call.world.images)
    need_available(image)
    del call.world.images[image.id]
    return {"message": "Image deleted", "image_id": image.id}


def _relate(world: World, snapshot_id: str) -> Json:
    image = _image_of(world, snapshot_id)
    shown = pick(image, "id", "name", "status") if image else None
    return {"snapshot_id": snapshot_id, "has_image": image is not None, "image": shown}


@route("GET", "/snapshots/{snapshot_id}/image-relationship/")
def get_snapshot_image(call: Call) -> Json:
    """Whether a snapshot has an image, and which."""
    return _relate(call.world, call.find(call.world.snapshots).id)


@route("POST", "/snapshots/image-relationships/", reads=True)
def list_snapshot_images(call: Call) -> Json:
    """The same for several snapshots; ids that are none of this account's are left out."""
    known = [each for each in call.read(_Several).snapshot_ids if each in call.world.snapshots]
    return {"relationships": [_relate(call.world, snapshot_id) for snapshot_id in known]}
