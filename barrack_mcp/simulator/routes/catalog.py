"""The reads of what Barrack sells: prices, GPUs, stock, regions, OS images, volume types, and what is left to spend."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from pydantic import Field

from barrack_mcp.simulator.calls import Call, route
from barrack_mcp.simulator.market import (
    CURRENCIES,
    GPUS,
    MIN_VOLUME_GB,
    REGIONS,
    SNAPSHOT_PRICES,
    TIERS,
    VOLUME_PRICES,
    Gpu,
    os_images,
)
from barrack_mcp.simulator.rules import Body, Currency, GpuCount, GpuModel, Json, Tier, VolumeType, one_of
from barrack_mcp.simulator.world import World


class _Wish(Body):
    tier: Tier | None = None
    currency: Currency | None = None
    resource_type: Annotated[str, one_of("volumes", "snapshots", "gpus")] | None = None
    gpu_model: GpuModel | None = None
    gpu_count: GpuCount | None = None
    volume_type: VolumeType | None = None
    volume_size_gb: Annotated[int, Field(ge=1, le=1_048_576)] | None = None


class _Count(Body):
    gpu_count: Annotated[int, Field(ge=1, le=8)] | None = None


def _list_prices(call: Call) -> Json:
    # The published example asks for one volume type and is answered with the whole list, so nothing is filtered.
    volumes: Json = {tier: {} for tier in TIERS}
    for kind, (tier, prices) in VOLUME_PRICES.items():
        volumes[tier][kind] = {"prices": call.world.priced(prices), "unit": "per TB per hour"}
    gpus: Json = {tier: {} for tier in TIERS}
    for model, gpu in GPUS.items():
        row = {"prices": call.world.priced(gpu.prices), "max_count": gpu.max_count, "unit": "per GPU per hour"}
        gpus[gpu.tier][model] = row
    snapshots = {"prices": call.world.priced(SNAPSHOT_PRICES), "fixed_size_gb": 100, "unit": "per hour (fixed 100GB)"}
    return {
        "message": "Pricing information retrieved successfully",
        "pricing_data": {
            "volumes": {
                "pricing": volumes,
                "minimum_size_gb": MIN_VOLUME_GB,
                "description": "Volumes are billed per TB per hour for as long as they exist.",
            },
            "snapshots": {
                "pricing": {"legacy": snapshots},
                "description": "Snapshots are available in the legacy tier only.",
            },
            "gpus": {"pricing": gpus, "description": "GPU instances are billed per minute."},
            "metadata": {
                "supported_currencies": list(CURRENCIES),
                "supported_tiers": list(TIERS),
                "volume_minimum_size_gb": MIN_VOLUME_GB,
                "authenticated_user": call.world.account.user,
                "authentication_type": "api_key",
                "timestamp": int(call.world.now),
            },
        },
    }


@route("GET", "/pricing/")
def get_pricing(call: Call) -> Json:
    """The price list; the query may narrow it, and must fit."""
    call.read_query(_Wish)
    return _list_prices(call)


@route("POST", "/pricing/", reads=True)
def quote_price(call: Call) -> Json:
    """The price list; the body may narrow it, and must fit."""
    call.read(_Wish)
    return _list_prices(call)


def count_free(world: World) -> dict[tuple[str, str], int]:
    """Free GPUs by model and region. Only a hibernated machine gives its GPUs back; a stopped one keeps them."""
    taken: Counter[tuple[str, str]] = Counter()
    for instance in world.instances.values():
        if instance.status != "HIBERNATED":
            taken[instance.gpu_model, instance.region] += instance.gpu_count
    return {
        (model, region): max(0, capacity * world.stock_factor - taken.get((model, region), 0))
        for model, gpu in GPUS.items()
        for region, capacity in gpu.capacity.items()
    }


def _counts(gpu: Gpu) -> list[int]:
    return [count for count in (1, 2, 4, 8) if count <= gpu.max_count]


@route("GET", "/gpu-stocks/")
def list_gpu_stock(call: Call) -> Json:
    """What could be deployed now."""
    rows = []
    for (model, region), free in count_free(call.world).items():
        gpu = GPUS[model]
        each = [{"gpu_count": count, "available": free // count} for count in _counts(gpu)]
        row = {"gpu_model": model, "region": region, "tier": gpu.tier, "available": free, "configurations": each}
        rows.append(row)
    return {"stocks": call.filter(rows, "region", "gpu_model", "tier")}


def specify(model: str, count: int) -> Json:
    """What a machine with so many of these GPUs has."""
    gpu = GPUS[model]
    return {
        "gpu_model": model,
        "gpu_count": count,
        "vcpu": gpu.vcpu * count,
        "ram_gb": gpu.ram_gb * count,
        "root_disk_gb": 100,
        "ephemeral_gb": gpu.ephemeral_gb * count,
        "vram_gb": gpu.vram_gb * count,
        "tier": gpu.tier,
    }


@route("GET", "/gpu-specs/")
def list_gpu_specs(call: Call) -> Json:
    """Every configuration on sale."""
    call.read_query(_Count)
    rows = [
        specify(model, count) | {"regions": list(gpu.capacity)} for model, gpu in GPUS.items() for count in _counts(gpu)
    ]
    found = call.filter(rows, "gpu_model", "gpu_count", "tier")
    region = call.query.get("region")
    found = [row for row in found if not region or region in row["regions"]]
    return {"specs": found, "metadata": {"total": len(found), "supported_tiers": list(TIERS)}}


@route("GET", "/regions/")
def list_regions(call: Call) -> Json:
    """Where machines can run."""
    tier = call.read_tier()
    return {
        "regions": [
            {"name": name, "country": country, "tier": tiers[0], "tiers": list(tiers)}
            for name, (country, tiers) in REGIONS.items()
            if not tier or tier in tiers
        ]
    }


@route("GET", "/os-images/")
def list_os_images(call: Call) -> Json:
    """What machines can boot from; `name` is what a deployment asks for."""
    return {"images": call.filter(os_images(), "region", "tier")}


@route("GET", "/volumes/types/")
def list_volume_types(call: Call) -> Json:
    """Volume types by tier, priced in the account's currency."""
    region, tier = call.query.get("region"), call.read_tier()
    currency = call.world.account.currency
    offered = REGIONS[region][1] if region in REGIONS else () if region else TIERS
    types: Json = {name: [] for name in TIERS if name in offered and (not tier or name == tier)}
    for kind, (of_tier, prices) in VOLUME_PRICES.items():
        if of_tier in types:
            rate = {"price": call.world.priced(prices)[currency], "currency": currency, "unit": "per TB per hour"}
            types[of_tier].append({"type": kind, "tier": of_tier, "minimum_size_gb": MIN_VOLUME_GB, "rate": rate})
    return {"volume_types": types}


@route("GET", "/balance/")
def get_credit_balance(call: Call) -> Json:
    """The credits left, drawn up to this simulated minute."""
    return {"balance": {"amount": call.world.credit, "currency": call.world.account.currency}}
