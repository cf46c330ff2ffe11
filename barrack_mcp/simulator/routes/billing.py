"""The bills: one row a thing, which outlives it. The three bodies are the vendor's published ones, key by key."""

from __future__ import annotations

from collections.abc import Callable

from barrack_mcp.simulator.calls import Call, pick, route
from barrack_mcp.simulator.clock import iso, zoneless
from barrack_mcp.simulator.meter import money
from barrack_mcp.simulator.rules import Json
from barrack_mcp.simulator.world import Billed, Instance, Snapshot, Sold, Volume


def _bills(call: Call, kind: type[Sold], argument: str) -> list[Sold]:
    things = [thing for thing in call.world.billed if isinstance(thing, kind) and thing.meter.started is not None]
    return call.filter(things, **{argument: "id"})


def _row(call: Call, thing: Billed, write: Callable[[float], str], status: str, description: str) -> Json:
    meter = thing.meter
    minutes, nano = meter.read(call.world.now)
    return {
        "start_time": write(meter.started or 0.0),
        "end_time": None if meter.ended is None else write(meter.ended),
        "total_duration_minutes": minutes,
        "per_minute_rate": money(meter.rate or call.world.full_rate(thing), 9),
        "total_cost": money(nano),
        "currency": call.world.account.currency,
        "status": status,
        "description": description,
    }


def _page(call: Call, things: list[Sold], show: Callable[[Sold], Json], **counts: int) -> Json:
    read = [thing.meter.read(call.world.now) for thing in things]
    minutes = sum(each for each, _ in read)
    summary = {
        "totalMinutes": minutes,
        "activeCount": sum(thing.meter.ended is None for thing in things),
        "averageUsage": round(minutes / len(things), 2) if things else 0,
        "totalCost": money(sum(nano for _, nano in read)),
    }
    return call.page("records", things, show, summary=summary | counts) | {"currency": call.world.account.currency}


@route("GET", "/instances/billing/", bare=True)
def get_instance_billing(call: Call) -> Json:
    """What the machines have cost, one row each, those that are gone included.

    As in the vendor's example the counts need not add up to `total`: what is stopped or on its way is in none.
    """
    things = _bills(call, Instance, "instance_id")

    def status(thing: Instance) -> str:
        if thing.meter.ended is not None:
            return "completed"
        return "hibernated" if thing.status == "HIBERNATED" else "active"

    def show(thing: Instance) -> Json:
        return {
            **pick(thing, billing_id="billing_id", instance_id="id", vm_name="name", gpu_type="gpu_model"),
            **pick(thing, "gpu_count", "tier"),
            **_row(call, thing, iso, status(thing), f"{thing.gpu_count} x {thing.gpu_model} for {thing.name}"),
        }

    statuses = [status(thing) for thing in things]
    active = sum(thing.status == "ACTIVE" for thing in things)
    ended, asleep = statuses.count("completed"), statuses.count("hibernated")
    return _page(call, things, show, activeCount=active, completedCount=ended, hibernatedCount=asleep)


@route("GET", "/snapshots/billing/", bare=True)
def get_snapshot_billing(call: Call) -> Json:
    """What the snapshots have cost."""
    things = _bills(call, Snapshot, "snapshot_id")

    def show(thing: Snapshot) -> Json:
        status = "active" if thing.meter.ended is None else "completed"
        return {
            **pick(thing, "size_gb", "tier", billing_id="billing_id", snapshot_id="id", snapshot_name="name"),
            **_row(call, thing, iso, status, f"Snapshot {thing.name}"),
        }

    size = sum(thing.size_gb for thing in things)
    return _page(call, things, show, totalSizeGB=size) | {"tier": "legacy"}


@route("GET", "/volumes/billing/", bare=True)
def get_volume_billing(call: Call) -> Json:
    """What the volumes have cost. Times bear no zone here, and tiers are capitalised (VERIFIED)."""
    things = _bills(call, Volume, "volume_id")

    def show(thing: Volume) -> Json:
        return {
            **pick(thing, "size_gb", billing_id="billing_id", volume_id="id", volume_name="name"),
            "tier": thing.tier.capitalize(),
            **_row(call, thing, zoneless, thing.status, f"Volume {thing.name}"),
        }

    return _page(call, things, show, totalSizeGB=sum(thing.size_gb for thing in things))
