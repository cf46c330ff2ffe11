"""New machines: from a deployment, or from a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field

from barrack_mcp.simulator.calls import Call, Json, Route, misfit, missing, rule
from barrack_mcp.simulator.market import GPUS, REGIONS, has_os_image
from barrack_mcp.simulator.meter import Meter
from barrack_mcp.simulator.routes.instances import make_rule, need_machine, need_profile
from barrack_mcp.simulator.routes.volumes import add_volume
from barrack_mcp.simulator.rules import (
    SECURITY_RULE,
    Field,
    choice,
    flag,
    identifier,
    ids,
    listed,
    name50,
    need_free_name,
    read,
    record,
    rule_misfits,
    text,
    tier,
    utf8,
    volume_gb,
)
from barrack_mcp.simulator.world import Bill, Instance, Volume, World

MAX_CLOUD_INIT_BYTES = 16_384
MIN_PASSWORD = 8
BUILD_AFTER_S, ACTIVE_AFTER_S = 60, 180

_FIELDS = {
    "name": Field(name50),
    "tier": Field(tier),
    "region": Field(choice(*REGIONS)),
    "gpu_model": Field(choice(*GPUS)),
    "gpu_count": Field(choice(1, 2, 4, 8)),
    "boot_source": Field(choice("os_image", "volume", "custom_image")),
    "os_image": Field(text(1, 200), required=False),
    "volume_id": Field(identifier, required=False),
    "image_id": Field(identifier, required=False),
    "os_volume": Field(record({"name": Field(name50), "size_gb": Field(volume_gb)}), required=False),
    "ssh_key_ids": Field(ids(least=1)),
    "public_ip": Field(flag, required=False),
    "security_rules": Field(listed(record(SECURITY_RULE, rule_misfits)), required=False),
    "cloud_init": Field(utf8(MAX_CLOUD_INIT_BYTES), required=False),
    "startup_script_id": Field(identifier, required=False),
    "jupyter_password": Field(text(MIN_PASSWORD, 128), required=False),
}
_BOOT_FIELD = {"os_image": "os_image", "volume": "volume_id", "custom_image": "image_id"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new machine shall be."""

    name: str
    tier: str
    region: str
    gpu_model: str
    gpu_count: int
    boot_source: str
    image_name: str
    ssh_key_ids: list[str]
    wants_ip: bool = True
    rules: list[Json] = field(default_factory=list)
    startup_script_id: str | None = None
    cloud_init: bool = False
    jupyter: bool = False


def build(world: World, plan: Plan) -> Instance:
    """Put up a machine that is CREATING now, then BUILD, and ACTIVE after 180 seconds."""
    instance_id = world.next_id("BRK-{}D")
    bill = Bill(
        f"{instance_id}B", instance_id, plan.name, plan.tier, 0, "active", Meter(), plan.gpu_model, plan.gpu_count
    )
    instance = Instance(
        id=instance_id,
        name=plan.name,
        tier=plan.tier,
        region=plan.region,
        gpu_model=plan.gpu_model,
        gpu_count=plan.gpu_count,
        boot_source=plan.boot_source,
        image_name=plan.image_name,
        ssh_key_ids=plan.ssh_key_ids,
        created_at=world.now,
        private_ip=world.next_address("10.20"),
        bill=bill,
        wants_ip=plan.wants_ip,
        rules=[make_rule(world, values) for values in plan.rules],
        startup_script_id=plan.startup_script_id,
        cloud_init=plan.cloud_init,
        jupyter=plan.jupyter,
    )
    world.instances[instance_id] = instance
    world.instance_bills[instance_id] = bill
    world.set_status(instance, "CREATING")
    world.later(BUILD_AFTER_S, lambda: world.set_status(instance, "BUILD"))
    world.later(ACTIVE_AFTER_S, lambda: come_up(world, instance))
    return instance


def come_up(world: World, instance: Instance) -> None:
    """A machine is ACTIVE for the first time; its public address, if wanted, comes now."""
    if instance.wants_ip:
        instance.public_ip = world.next_address("198.18")
    world.set_status(instance, "ACTIVE")


def deployed(instance: Instance, message: str) -> Json:
    """The answer to what made a machine."""
    return {
        "message": message,
        "data": {
            "instance_id": instance.id,
            "name": instance.name,
            "status": instance.status,
            "tier": instance.tier,
            "region": instance.region,
            "gpu_model": instance.gpu_model,
            "gpu_count": instance.gpu_count,
        },
    }


def _boot_volume(world: World, wanted: Json) -> Volume:
    volume = world.volumes.get(wanted["volume_id"])
    if volume is None:
        raise missing("Volume")
    if (volume.region, volume.tier) != (wanted["region"], wanted["tier"]):
        raise rule(400, "REGION_MISMATCH", "The boot volume is in another region or tier")
    if not volume.bootable:
        raise rule(400, "VOLUME_NOT_BOOTABLE", "The volume is not bootable")
    if volume.status != "available":
        raise rule(409, "VOLUME_NOT_AVAILABLE", f"The boot volume is {volume.status}, not available")
    return volume


def _custom_image(world: World, wanted: Json) -> str:
    image = world.images.get(wanted["image_id"])
    if image is None:
        raise missing("Image")
    if image.region != wanted["region"] or wanted["tier"] != "legacy":
        raise rule(400, "REGION_MISMATCH", "The image is in another region or tier")
    if image.status != "available":
        raise rule(409, "IMAGE_NOT_AVAILABLE", f"The image is {image.status}, not available")
    return image.name


def _need_place(wanted: Json) -> None:
    gpu = GPUS[wanted["gpu_model"]]
    if gpu.tier != wanted["tier"]:
        raise rule(400, "GPU_MODEL_NOT_IN_TIER", f"This GPU model belongs to the {gpu.tier} tier")
    if wanted["tier"] not in REGIONS[wanted["region"]][1]:
        raise rule(400, "REGION_NOT_IN_TIER", f"{wanted['region']} does not offer the {wanted['tier']} tier")
    if wanted["gpu_count"] > gpu.max_count:
        raise rule(400, "GPU_COUNT_NOT_OFFERED", f"At most {gpu.max_count} GPUs of this model fit into one instance")


def deploy_instance(call: Call) -> Json:
    """Creates a machine, which bills from when it is ACTIVE."""
    world, wanted = call.world, read(call.body, _FIELDS)
    source = _BOOT_FIELD[wanted["boot_source"]]
    if wanted[source] is None:
        raise misfit({source: [f"This field is required when boot_source is {wanted['boot_source']}."]})
    need_profile(world)
    _need_place(wanted)
    need_free_name("Instance", wanted["name"], world.instances.values())
    if any(key_id not in world.keys for key_id in wanted["ssh_key_ids"]):
        raise missing("SSH key")
    if wanted["startup_script_id"] is not None and wanted["startup_script_id"] not in world.scripts:
        raise missing("Script")
    volume = None
    image_name = wanted["os_image"]
    if source == "volume_id":
        volume = _boot_volume(world, wanted)
        image_name = volume.os_image
    elif source == "image_id":
        image_name = _custom_image(world, wanted)
    elif not has_os_image(image_name, wanted["region"], wanted["tier"]):
        raise rule(404, "OS_IMAGE_NOT_FOUND", "OS image not found in this region and tier")
    if wanted["os_volume"]:
        need_free_name("Volume", wanted["os_volume"]["name"], world.volumes.values())
    need_machine(world, wanted["gpu_model"], wanted["gpu_count"], wanted["region"])
    plan = Plan(
        **{
            name: wanted[name]
            for name in ("name", "tier", "region", "gpu_model", "gpu_count", "boot_source", "ssh_key_ids")
        },
        startup_script_id=wanted["startup_script_id"],
        image_name=image_name,
        wants_ip=wanted["public_ip"] is not False,
        rules=wanted["security_rules"] or [],
        cloud_init=bool(wanted["cloud_init"]),
        jupyter=wanted["jupyter_password"] is not None,
    )
    instance = build(world, plan)
    if volume is None and wanted["os_volume"]:
        volume = _os_volume(world, instance, wanted["os_volume"])
    if volume is not None:
        volume.instance_id, volume.attachment, volume.boot = instance.id, "SUCCESS", True
        volume.status = volume.bill.status = "in-use"
    return deployed(instance, "Instance deployment started")


def _os_volume(world: World, instance: Instance, wanted: Json) -> Volume:
    volume = add_volume(
        world,
        name=wanted["name"],
        size_gb=wanted["size_gb"],
        region=instance.region,
        tier=instance.tier,
        volume_type="SSD" if instance.tier == "legacy" else "NVMe",
        os_image=instance.image_name,
    )
    volume.owned = True
    return volume


ROUTES = (Route("deploy_instance", "POST", "/instances/deploy/", deploy_instance, writes=True, status=201),)
