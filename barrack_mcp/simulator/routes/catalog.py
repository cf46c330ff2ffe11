"""The reads of what Barrack sells: prices, GPUs, stock, regions, OS images, volume types, and what is left to spend."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from barrack_mcp.simulator.calls import MAX_DIGITS, Call, Json, Route, matching, misfit, wanted_tier, whole_number
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
from barrack_mcp.simulator.rules import Field, choice, integer, read
from barrack_mcp.simulator.rules import tier as tier_check
from barrack_mcp.simulator.world import World

_QUERY = {
    "tier": Field(tier_check, required=False),
    "currency": Field(choice(*CURRENCIES), required=False),
    "resource_type": Field(choice("volumes", "snapshots", "gpus"), required=False),
    "gpu_model": Field(choice(*GPUS), required=False),
    "gpu_count": Field(choice(1, 2, 4, 8), required=False),
    "volume_type": Field(choice(*VOLUME_PRICES), required=False),
    "volume_size_gb": Field(integer(1, 1_048_576), required=False),
}
_NUMBERS = ("gpu_count", "volume_size_gb")


def _volume_pricing() -> Json:
    tiers: Json = {tier: {} for tier in TIERS}
    for kind, (tier, prices) in VOLUME_PRICES.items():
        tiers[tier][kind] = {"prices": prices.shown(), "unit": "per TB per hour"}
    return tiers


def _gpu_pricing() -> Json:
    tiers: Json = {tier: {} for tier in TIERS}
    for model, gpu in GPUS.items():
        tiers[gpu.tier][model] = {
            "prices": gpu.prices.shown(),
            "max_count": gpu.max_count,
            "unit": "per GPU per hour",
        }
    return tiers


def _pricing(call: Call) -> Json:
    # The published example asks for one volume type and is answered with the whole list, so nothing is filtered.
    return {
        "message": "Pricing information retrieved successfully",
        "pricing_data": {
            "volumes": {
                "pricing": _volume_pricing(),
                "minimum_size_gb": MIN_VOLUME_GB,
                "description": "Volumes are billed per TB per hour for as long as they exist.",
            },
            "snapshots": {
                "pricing": {
                    "legacy": {
                        "prices": SNAPSHOT_PRICES.shown(),
                        "fixed_size_gb": 100,
                        "unit": "per hour (fixed 100GB)",
                    }
                },
                "description": "Snapshots are available in the legacy tier only.",
            },
            "gpus": {"pricing": _gpu_pricing(), "description": "GPU instances are billed per minute."},
            "metadata": {
                "supported_currencies": list(CURRENCIES),
                "supported_tiers": list(TIERS),
                "volume_minimum_size_gb": MIN_VOLUME_GB,
                "authenticated_user": call.world.account.user,
                "authentication_type": "api_key",
                "timestamp": int(call.now),
            },
        },
    }


def get_pricing(call: Call) -> Json:
    """The price list; the query may narrow it, and must fit."""
    given: Json = dict(call.query)
    for name in _NUMBERS:
        value = given.get(name)
        if value is not None:
            if not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS):
                raise misfit({name: ["A valid integer is required."]})
            given[name] = int(value)
    read(given, _QUERY)
    return _pricing(call)


def quote_price(call: Call) -> Json:
    """The price list; the body may narrow it, and must fit."""
    read(call.body, _QUERY)
    return _pricing(call)


@dataclass(frozen=True, slots=True)
class Stock:
    """How many GPUs of a model are free in a region."""

    model: str
    tier: str
    region: str
    available: int


def stock(world: World) -> list[Stock]:
    """Free GPUs by model and region. Only a hibernated machine gives its GPUs back; a stopped one keeps them."""
    taken: Counter[tuple[str, str]] = Counter()
    for instance in world.instances.values():
        if instance.status != "HIBERNATED":
            taken[instance.gpu_model, instance.region] += instance.gpu_count
    return [
        Stock(model, gpu.tier, region, max(0, capacity * world.stock_factor - taken[model, region]))
        for model, gpu in GPUS.items()
        for region, capacity in gpu.capacity.items()
    ]


def available(world: World, model: str, region: str) -> int:
    """How many GPUs of this model one could have in this region now."""
    return next((row.available for row in stock(world) if (row.model, row.region) == (model, region)), 0)


def _counts(gpu: Gpu) -> list[int]:
    return [count for count in (1, 2, 4, 8) if count <= gpu.max_count]


def _show_stock(row: Stock) -> Json:
    return {
        "gpu_model": row.model,
        "region": row.region,
        "tier": row.tier,
        "available": row.available,
        "configurations": [
            {"gpu_count": count, "available": row.available // count} for count in _counts(GPUS[row.model])
        ],
    }


def list_gpu_stock(call: Call) -> Json:
    """What could be deployed now."""
    rows = matching(call, stock(call.world), region="region", gpu_model="model", tier="tier")
    return {"stocks": [_show_stock(row) for row in rows]}


def specs(model: str, count: int) -> Json:
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
        "regions": list(gpu.capacity),
    }


def list_gpu_specs(call: Call) -> Json:
    """Every configuration on sale."""
    rows = [specs(model, count) for model, gpu in GPUS.items() for count in _counts(gpu)]
    wanted_tier(call)
    whole_number(call, "gpu_count", 1, 8)
    wanted = {name: call.query[name] for name in ("gpu_model", "gpu_count", "tier") if call.query.get(name)}
    region = call.query.get("region")
    found = [
        row
        for row in rows
        if all(str(row[name]).lower() == value.lower() for name, value in wanted.items())
        and (not region or region in row["regions"])
    ]
    return {"specs": found, "metadata": {"total": len(found), "supported_tiers": list(TIERS)}}


def list_regions(call: Call) -> Json:
    """Where machines can run."""
    tier = wanted_tier(call)
    return {
        "regions": [
            {"name": name, "country": country, "tier": tiers[0], "tiers": list(tiers)}
            for name, (country, tiers) in REGIONS.items()
            if not tier or tier in tiers
        ]
    }


def list_os_images(call: Call) -> Json:
    """What machines can boot from; `name` is what a deployment asks for."""
    return {"images": [image.shown() for image in matching(call, os_images(), region="region", tier="tier")]}


def list_volume_types(call: Call) -> Json:
    """Volume types by tier, priced in the account's currency."""
    region, tier = call.query.get("region"), wanted_tier(call)
    currency = call.world.account.currency
    offered = REGIONS[region][1] if region in REGIONS else () if region else TIERS
    types: Json = {name: [] for name in TIERS if name in offered and (not tier or name == tier)}
    for kind, (of_tier, prices) in VOLUME_PRICES.items():
        if of_tier in types:
            rate = {"price": prices.of(currency), "currency": currency, "unit": "per TB per hour"}
            types[of_tier].append({"type": kind, "tier": of_tier, "minimum_size_gb": MIN_VOLUME_GB, "rate": rate})
    return {"volume_types": types}


def get_credit_balance(call: Call) -> Json:
    """The credits left, drawn up to this simulated minute."""
    return {"balance": {"amount": call.world.balance_shown(), "currency": call.world.account.currency}}


ROUTES = (
    Route("get_credit_balance", "GET", "/balance/", get_credit_balance),
    Route("get_pricing", "GET", "/pricing/", get_pricing),
    Route("quote_price", "POST", "/pricing/", quote_price),
    Route("list_gpu_stock", "GET", "/gpu-stocks/", list_gpu_stock),
    Route("list_gpu_specs", "GET", "/gpu-specs/", list_gpu_specs),
    Route("list_regions", "GET", "/regions/", list_regions),
    Route("list_os_images", "GET", "/os-images/", list_os_images),
    Route("list_volume_types", "GET", "/volumes/types/", list_volume_types),
)
