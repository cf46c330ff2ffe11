"""What stands against a call, whichever asks for it: each said once, in the API's words."""

from __future__ import annotations

from barrack_mcp.simulator.market import GPUS, REGIONS, find_os_image
from barrack_mcp.simulator.routes.catalog import count_free
from barrack_mcp.simulator.rules import code_of, refusal
from barrack_mcp.simulator.world import Image, Instance, Volume, World


def need_profile(world: World) -> None:
    """Refuse what creates things until the profile is complete."""
    if not world.account.complete:
        raise refusal(400, "PROFILE_INCOMPLETE", "Profile incomplete")


def need_credit(world: World, amount: float) -> None:
    """Refuse what the credits do not cover."""
    if world.credit < amount:
        facts = {"balance": world.credit, "required": round(amount, 4), "currency": world.account.currency}
        raise refusal(402, "INSUFFICIENT_CREDITS", "Insufficient credits", **facts)


def need_purse(world: World, amount: float) -> None:
    """Refuse what creates things unless the profile is complete and the credits cover it."""
    need_profile(world)
    need_credit(world, amount)


def need_machine(world: World, instance: Instance) -> None:
    """Refuse a machine that is not in stock or whose first hour the credits do not cover."""
    model, region = instance.gpu_model, instance.region
    left = count_free(world).get((model, region), 0)
    if left < instance.gpu_count:
        raise refusal(409, "OUT_OF_STOCK", f"Out of stock: {left} x {model} available in {region}", available=left)
    need_credit(world, instance.hourly(world.priced(instance.prices)[world.account.currency]))


def need_region(region: str, tier: str) -> None:
    """Refuse a tier that the region does not offer."""
    if tier not in REGIONS[region][1]:
        raise refusal(400, "REGION_NOT_IN_TIER", f"{region} does not offer the {tier} tier")


def need_os_image(name: str, region: str, tier: str, gpu_model: str | None = None) -> None:
    """Refuse an image that is not there, or that does not fit the GPU."""
    image = find_os_image(name, region, tier)
    if image is None:
        raise refusal(404, "OS_IMAGE_NOT_FOUND", "OS image not found in this region and tier")
    fitting = image.get("gpu_models", list(GPUS))
    if gpu_model is not None and gpu_model not in fitting:
        message = f"The image {name} is not available for {gpu_model}: choose {' or '.join(fitting)}"
        raise refusal(400, "IMAGE_NOT_AVAILABLE_FOR_GPU", message)


def need_status(instance: Instance, *allowed: str, what: str) -> None:
    """Refuse unless the machine is in one of these states."""
    if instance.status not in allowed:
        message = f"Cannot {what} an instance in state {instance.status}: it must be {' or '.join(allowed)}"
        raise refusal(409, "INVALID_INSTANCE_STATE", message, current_status=instance.status)


def need_available(thing: Volume | Image) -> None:
    """Refuse a disk or an image that is still being made, or in use."""
    kind = type(thing).__name__
    if thing.status != "available":
        message = f"The {kind.lower()} is {thing.status}, not available"
        raise refusal(409, code_of(kind, "NOT_AVAILABLE"), message)
