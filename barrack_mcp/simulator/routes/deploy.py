"""New machines."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, model_validator

from barrack_mcp.simulator.calls import Call, pick, route
from barrack_mcp.simulator.market import GPUS, keeps_public_ip
from barrack_mcp.simulator.routes.instances import make_rule
from barrack_mcp.simulator.routes.needs import need_available, need_machine, need_os_image, need_profile, need_region
from barrack_mcp.simulator.routes.volumes import add_volume
from barrack_mcp.simulator.rules import (
    Body,
    GpuCount,
    GpuModel,
    Id,
    ImageName,
    Json,
    Name,
    Region,
    SecurityRule,
    SomeIds,
    Tier,
    VolumeSize,
    misfit,
    one_of,
    refusal,
)
from barrack_mcp.simulator.world import Image, Instance, Volume, World

MAX_CLOUD_INIT_BYTES = 16_384
BUILD_AFTER_S, ACTIVE_AFTER_S = 60, 180
_BOOT_FIELD = {"os_image": "os_image", "volume": "volume_id", "custom_image": "image_id"}


def _short(text: str) -> str:
    if len(text.encode()) > MAX_CLOUD_INIT_BYTES:
        raise misfit(f"Ensure this field has no more than {MAX_CLOUD_INIT_BYTES} bytes.")
    return text


class _OSVolume(Body):
    name: Name
    size_gb: VolumeSize


class _Deployment(Body):
    name: Name
    tier: Tier
    region: Region
    gpu_model: GpuModel
    gpu_count: GpuCount
    boot_source: Annotated[str, one_of(*_BOOT_FIELD)]
    os_image: ImageName | None = None
    volume_id: Id | None = None
    image_id: Id | None = None
    os_volume: _OSVolume | None = None
    ssh_key_ids: SomeIds
    public_ip: bool | None = None
    security_rules: list[SecurityRule] | None = None
    cloud_init: Annotated[str, AfterValidator(_short)] | None = None
    startup_script_id: Id | None = None
    jupyter_password: Annotated[str, StringConstraints(min_length=8, max_length=128)] | None = None

    @model_validator(mode="after")
    def _check_boot_source(self) -> _Deployment:
        source = _BOOT_FIELD[self.boot_source]
        if getattr(self, source) is None:
            raise misfit(f"This field is required when boot_source is {self.boot_source}.", source)
        return self


def build(world: World, instance: Instance) -> Instance:
    """Put up a machine that is CREATING now, then BUILD, and ACTIVE after 180 seconds."""
    world.put(world.instances, instance)
    instance.private_ip = world.next_address("10.20")
    world.set_status(instance, "CREATING")
    world.later(BUILD_AFTER_S, partial(world.set_status, instance, "BUILD"))
    world.later(ACTIVE_AFTER_S, partial(world.set_status, instance, "ACTIVE"))
    return instance


def answer_deployed(instance: Instance, message: str) -> Json:
    """The answer to what made a machine."""
    names = ("name", "status", "tier", "region", "gpu_model", "gpu_count")
    return {"message": message, "data": pick(instance, *names, instance_id="id")}


def _find_boot_volume(world: World, wanted: _Deployment) -> Volume | None:
    if wanted.boot_source != "volume":
        return None
    volume = world.volumes.find(wanted.volume_id or "")
    if (volume.region, volume.tier) != (wanted.region, wanted.tier):
        raise refusal(400, "REGION_MISMATCH", "The boot volume is in another region or tier")
    if not volume.bootable:
        raise refusal(400, "VOLUME_NOT_BOOTABLE", "The volume is not bootable")
    need_available(volume)
    return volume


def _find_custom_image(world: World, wanted: _Deployment) -> Image:
    image = world.images.find(wanted.image_id or "")
    if image.region != wanted.region or wanted.tier != "legacy":
        raise refusal(400, "REGION_MISMATCH", "The image is in another region or tier")
    need_available(image)
    return image


def _need_place(wanted: _Deployment) -> None:
    gpu = GPUS[wanted.gpu_model]
    if gpu.tier != wanted.tier:
        raise refusal(400, "GPU_MODEL_NOT_IN_TIER", f"This GPU model belongs to the {gpu.tier} tier")
    need_region(wanted.region, wanted.tier)
    if wanted.gpu_count > gpu.max_count:
        raise refusal(400, "GPU_COUNT_NOT_OFFERED", f"At most {gpu.max_count} GPUs of this model fit into one instance")


@route("POST", "/instances/deploy/", status=201)
def deploy_instance(call: Call) -> Json:
    """Creates a machine, which bills from when it is ACTIVE."""
    world, wanted = call.world, call.read(_Deployment)
    need_profile(world)
    _need_place(wanted)
    world.instances.need_free(wanted.name)
    for key_id in wanted.ssh_key_ids:
        world.keys.find(key_id)
    if wanted.startup_script_id is not None:
        world.scripts.find(wanted.startup_script_id)
    volume = _find_boot_volume(world, wanted)
    if wanted.boot_source == "custom_image":
        image_name = _find_custom_image(world, wanted).name
    else:
        image_name = (volume.os_image if volume else wanted.os_image) or ""
        need_os_image(image_name, wanted.region, wanted.tier, wanted.gpu_model)
    if wanted.os_volume:
        world.volumes.need_free(wanted.os_volume.name)
    same = ("name", "tier", "region", "gpu_model", "gpu_count", "boot_source", "ssh_key_ids", "startup_script_id")
    instance = Instance(
        **pick(wanted, *same),
        image_name=image_name,
        wants_ip=wanted.public_ip is not False or keeps_public_ip(image_name),
        cloud_init=bool(wanted.cloud_init),
        jupyter=wanted.jupyter_password is not None,
    )
    need_machine(world, instance)
    instance.rules = [make_rule(world, each) for each in wanted.security_rules or ()]
    build(world, instance)
    if volume is None and wanted.os_volume:
        volume = _add_os_volume(world, instance, wanted.os_volume)
    if volume is not None:
        volume.instance_id, volume.attachment, volume.boot = instance.id, "SUCCESS", True
        volume.status = "in-use"
    return answer_deployed(instance, "Instance deployment started")


def _add_os_volume(world: World, instance: Instance, wanted: _OSVolume) -> Volume:
    volume = Volume(
        **pick(instance, "region", "tier", os_image="image_name"),
        **dict(wanted),
        volume_type="SSD" if instance.tier == "legacy" else "NVMe",
        bootable=True,
        owned=True,
    )
    return add_volume(world, volume)
