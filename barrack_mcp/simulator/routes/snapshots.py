"""Snapshots of legacy machines, the machines restored from them, and the images made from them."""

from __future__ import annotations

from barrack_mcp.simulator.calls import Call, Json, RefusedError, Route, matching, missing, paged, rule
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.market import SNAPSHOT_GB
from barrack_mcp.simulator.meter import Meter
from barrack_mcp.simulator.routes.deploy import Plan, build, deployed
from barrack_mcp.simulator.routes.instances import find as find_instance
from barrack_mcp.simulator.routes.instances import need_machine, need_profile, need_status
from barrack_mcp.simulator.rules import IMAGE_NAME, Field, ids, name50, need_free_name, read, text
from barrack_mcp.simulator.world import Bill, Image, Snapshot

SNAPSHOT_S, IMAGE_S = 120, 90
MAX_NAME = 50

_CREATE = {"name": Field(name50), "description": Field(text(0, 1000), required=False)}
_RESTORE = {"name": Field(name50, required=False)}
_IMAGE = {"name": Field(text(0, 1000))}
_IDS = {"snapshot_ids": Field(ids(least=1))}


def shown(call: Call, snapshot: Snapshot) -> Json:
    """A snapshot as the API shows it."""
    image = _image_of(call, snapshot.id)
    return {
        "snapshot_id": snapshot.id,
        "snapshot_name": snapshot.name,
        "description": snapshot.description,
        "status": snapshot.status,
        "region": snapshot.region,
        "tier": "legacy",
        "size_gb": snapshot.size_gb,
        "instance_id": snapshot.instance_id,
        "vm_name": snapshot.instance_name,
        "gpu_type": snapshot.gpu_model,
        "gpu_count": snapshot.gpu_count,
        "image_id": image.id if image else None,
        "created_at": iso(snapshot.created_at),
    }


def image_shown(image: Image) -> Json:
    """An image as the API shows it."""
    return {
        "image_id": image.id,
        "name": image.name,
        "status": image.status,
        "region": image.region,
        "tier": "legacy",
        "size_gb": image.size_gb,
        "snapshot_id": image.snapshot_id,
        "created_at": iso(image.created_at),
    }


def _no_snapshot(call: Call) -> RefusedError:
    if call.world.snapshots:
        return missing("Snapshot")
    return rule(404, "NO_SNAPSHOTS_AVAILABLE", "No snapshots available")


def _find(call: Call) -> Snapshot:
    snapshot = call.world.snapshots.get(call.ids["snapshot_id"])
    if snapshot is None:
        raise missing("Snapshot")
    return snapshot


def _find_image(call: Call) -> Image:
    image = call.world.images.get(call.ids["image_id"])
    if image is None:
        raise missing("Image")
    return image


def _image_of(call: Call, snapshot_id: str) -> Image | None:
    return next((image for image in call.world.images.values() if image.snapshot_id == snapshot_id), None)


def _need_complete(snapshot: Snapshot) -> None:
    if snapshot.status != "SUCCESS":
        raise rule(409, "SNAPSHOT_NOT_READY", f"The snapshot is {snapshot.status}: wait until it is complete")


def list_snapshots(call: Call) -> Json:
    """The snapshots, oldest first."""
    found = matching(call, call.world.snapshots.values(), region="region")
    return paged(call, "snapshots", found, lambda snapshot: shown(call, snapshot))


def get_snapshot(call: Call) -> Json:
    """One snapshot."""
    return {"snapshot": shown(call, _find(call))}


def create_snapshot(call: Call) -> Json:
    """Copies the disk of an ACTIVE legacy machine, which goes on running; the copy bills while it exists."""
    world, instance, wanted = call.world, find_instance(call), read(call.body, _CREATE)
    need_profile(world)
    if instance.tier != "legacy":
        raise rule(400, "TIER_NOT_SUPPORTED", "Snapshots exist in the legacy tier only")
    need_status(instance, "ACTIVE", what="take a snapshot of")
    if any(volume.boot for volume in world.volumes_of(instance)):
        raise rule(400, "BOOT_VOLUME", "No snapshot can be taken of an instance that boots from a volume")
    if any(each.instance_id == instance.id and each.status == "creating" for each in world.snapshots.values()):
        raise rule(409, "SNAPSHOT_IN_PROGRESS", "A snapshot of this instance is being created already")
    need_free_name("Snapshot", wanted["name"], world.snapshots.values())
    snapshot_id = world.next_id("BRK-{}S")
    bill = Bill(f"{snapshot_id}B", snapshot_id, wanted["name"], "legacy", 0, "active", Meter(), size_gb=SNAPSHOT_GB)
    snapshot = Snapshot(
        id=snapshot_id,
        name=wanted["name"],
        description=wanted["description"] or "",
        region=instance.region,
        size_gb=SNAPSHOT_GB,
        instance_id=instance.id,
        instance_name=instance.name,
        gpu_model=instance.gpu_model,
        gpu_count=instance.gpu_count,
        image_name=instance.image_name,
        ssh_key_ids=list(instance.ssh_key_ids),
        created_at=call.now,
        bill=bill,
    )
    world.snapshots[snapshot_id] = snapshot
    world.snapshot_bills[snapshot_id] = bill
    world.price_snapshot(snapshot)
    world.later(SNAPSHOT_S, lambda: setattr(snapshot, "status", "SUCCESS"))
    return {"message": "Snapshot is being created", "data": shown(call, snapshot)}


def restore_snapshot(call: Call) -> Json:
    """Makes a new machine from a snapshot, in the same region, with new addresses; it bills like any other."""
    world, snapshot, wanted = call.world, _find(call), read(call.body, _RESTORE)
    need_profile(world)
    _need_complete(snapshot)
    suffix = "-restored"
    name = wanted["name"] or snapshot.name[: MAX_NAME - len(suffix)] + suffix
    need_free_name("Instance", name, world.instances.values())
    need_machine(world, snapshot.gpu_model, snapshot.gpu_count, snapshot.region)
    plan = Plan(
        name=name,
        tier="legacy",
        region=snapshot.region,
        gpu_model=snapshot.gpu_model,
        gpu_count=snapshot.gpu_count,
        boot_source="snapshot",
        image_name=snapshot.image_name,
        ssh_key_ids=list(snapshot.ssh_key_ids),
    )
    answer = deployed(build(world, plan), "Snapshot is being restored")
    answer["data"]["snapshot_id"] = snapshot.id
    return answer


def delete_snapshot(call: Call) -> Json:
    """Deletes a snapshot, for good; images made from it stay."""
    snapshot = _find(call)
    _need_complete(snapshot)
    call.world.end_snapshot(snapshot)
    return {"message": "Snapshot deleted", "snapshot_id": snapshot.id}


def list_custom_images(call: Call) -> Json:
    """The images, oldest first."""
    return paged(call, "images", matching(call, call.world.images.values(), region="region"), image_shown)


def get_custom_image(call: Call) -> Json:
    """One image."""
    return {"image": image_shown(_find_image(call))}


def create_custom_image(call: Call) -> Json:
    """Makes an image from a complete snapshot that has none yet."""
    world, name = call.world, read(call.body, _IMAGE)["name"]
    if not IMAGE_NAME.fullmatch(name):
        raise rule(400, "INVALID_IMAGE_NAME", "Invalid image name")
    need_profile(world)
    snapshot = world.snapshots.get(call.ids["snapshot_id"])
    if snapshot is None:
        raise _no_snapshot(call)
    _need_complete(snapshot)
    other = _image_of(call, snapshot.id)
    if other is not None:
        message = f"An image already exists for this snapshot: {other.name}"
        raise rule(409, "IMAGE_EXISTS_FOR_SNAPSHOT", message, image_id=other.id)
    need_free_name("Image", name, world.images.values())
    image = Image(world.next_id("BRK-{}I"), name, snapshot.region, snapshot.size_gb, snapshot.id, call.now)
    world.images[image.id] = image
    world.later(IMAGE_S, lambda: setattr(image, "status", "available"))
    return {"message": "Image is being created", "image": image_shown(image)}


def delete_custom_image(call: Call) -> Json:
    """Deletes an image, for good; machines made from it stay."""
    image = _find_image(call)
    if image.status != "available":
        raise rule(409, "IMAGE_NOT_AVAILABLE", f"The image is {image.status}, not available")
    del call.world.images[image.id]
    return {"message": "Image deleted", "image_id": image.id}


def _relationship(call: Call, snapshot_id: str) -> Json:
    image = _image_of(call, snapshot_id)
    return {
        "snapshot_id": snapshot_id,
        "has_image": image is not None,
        "image": {"id": image.id, "name": image.name, "status": image.status} if image else None,
    }


def get_snapshot_image(call: Call) -> Json:
    """Whether a snapshot has an image, and which."""
    return _relationship(call, _find(call).id)


def list_snapshot_images(call: Call) -> Json:
    """The same for several snapshots; ids that are none of this account's are left out."""
    wanted = read(call.body, _IDS)["snapshot_ids"]
    known = [snapshot_id for snapshot_id in wanted if snapshot_id in call.world.snapshots]
    return {"relationships": [_relationship(call, snapshot_id) for snapshot_id in known]}


_ONE = "/snapshots/{snapshot_id}/"
ROUTES = (
    Route("list_snapshots", "GET", "/snapshots/", list_snapshots),
    Route("create_snapshot", "POST", "/instances/{instance_id}/snapshots/", create_snapshot, writes=True, status=201),
    Route("get_snapshot", "GET", _ONE, get_snapshot),
    Route("restore_snapshot", "POST", f"{_ONE}restore/", restore_snapshot, writes=True, status=201),
    Route("delete_snapshot", "DELETE", _ONE, delete_snapshot, writes=True),
    Route("list_custom_images", "GET", "/images/", list_custom_images),
    Route("get_custom_image", "GET", "/images/{image_id}/", get_custom_image),
    Route("create_custom_image", "POST", f"{_ONE}image/", create_custom_image, writes=True, status=201),
    Route("delete_custom_image", "DELETE", "/images/{image_id}/", delete_custom_image, writes=True),
    Route("get_snapshot_image", "GET", f"{_ONE}image-relationship/", get_snapshot_image),
    Route("list_snapshot_images", "POST", "/snapshots/image-relationships/", list_snapshot_images),
)
