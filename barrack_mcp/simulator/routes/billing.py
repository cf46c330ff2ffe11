"""The bills: a row for each time through which a thing cost the same, which outlives it, a thing's latest first.

The three bodies are the vendor's published ones, key by key.
"""

from __future__ import annotations

from collections.abc import Callable

from barrack_mcp.simulator.calls import Call, pick, route
from barrack_mcp.simulator.clock import iso, zoneless
from barrack_mcp.simulator.meter import Stretch, money
from barrack_mcp.simulator.rules import Json
from barrack_mcp.simulator.world import Instance, Snapshot, Sold, Volume

Bill = tuple[Sold, Stretch, int]
"""One row of a thing's bill, and its number."""


def _bills(call: Call, kind: type[Sold], argument: str) -> list[Bill[Sold]]:
    things = call.filter([thing for thing in call.world.billed if isinstance(thing, kind)], **{argument: "id"})
    # plain tuples: there are as many as the account ever had things, and a page shows a few
    return [
        (thing, stretches[at], at + 1)
        for thing in things
        for stretches in (thing.meter.stretches,)
        for at in range(len(stretches) - 1, -1, -1)
    ]


def _row(call: Call, bill: Bill[Sold], write: Callable[[float], str], status: str, description: str) -> Json:
    thing, stretch, number = bill
    minutes, nano = stretch.read(call.world.now)
    return {
        "billing_id": thing.billing_id if number == 1 else f"{thing.billing_id}-{number}",
        "start_time": write(stretch.started),
        "end_time": None if stretch.ended is None else write(stretch.ended),
        "total_duration_minutes": minutes,
        "per_minute_rate": money(stretch.rate, 9),
        "total_cost": money(nano),
        "currency": call.world.account.currency,
        "status": status,
        "description": description,
    }


def _page(call: Call, bills: list[Bill[Sold]], show: Callable[[Bill[Sold]], Json], **counts: int) -> Json:
    read = [stretch.read(call.world.now) for _, stretch, _ in bills]
    minutes = sum(each for each, _ in read)
    summary = {
        "totalMinutes": minutes,
        "activeCount": sum(stretch.ended is None for _, stretch, _ in bills),
        "averageUsage": round(minutes / len(bills), 2) if bills else 0,
        "totalCost": money(sum(nano for _, nano in read)),
    }
    return call.page("records", bills, show, summary=summary | counts) | {"currency": call.world.account.currency}


@route("GET", "/instances/billing/", bare=True)
def get_instance_billing(call: Call) -> Json:
    """What the machines have cost, those that are gone included.

    As in the vendor's example the counts need not add up to `total`: what is stopped is in none.
    """
    bills = _bills(call, Instance, "instance_id")

    def show(bill: Bill[Instance]) -> Json:
        thing, stretch, _ = bill
        going = "hibernated" if thing.status == "HIBERNATED" else "active"
        status = "completed" if stretch.ended is not None else going
        return {
            **pick(thing, instance_id="id", vm_name="name", gpu_type="gpu_model"),
            **pick(thing, "gpu_count", "tier"),
            **_row(call, bill, iso, status, f"{thing.gpu_count} x {thing.gpu_model} for {thing.name}"),
        }

    going = [thing.status for thing, stretch, _ in bills if stretch.ended is None]
    active, asleep = going.count("ACTIVE"), going.count("HIBERNATED")
    ended = len(bills) - len(going)
    return _page(call, bills, show, activeCount=active, completedCount=ended, hibernatedCount=asleep)


@route("GET", "/snapshots/billing/", bare=True)
def get_snapshot_billing(call: Call) -> Json:
    """What the snapshots have cost."""
    bills = _bills(call, Snapshot, "snapshot_id")

    def show(bill: Bill[Snapshot]) -> Json:
        thing, stretch, _ = bill
        status = "active" if stretch.ended is None else "completed"
        return {
            **pick(thing, "size_gb", "tier", snapshot_id="id", snapshot_name="name"),
            **_row(call, bill, iso, status, f"Snapshot {thing.name}"),
        }

    size = sum({thing.id: thing.size_gb for thing, _, _ in bills}.values())
    return _page(call, bills, show, totalSizeGB=size) | {"tier": "legacy"}


@route("GET", "/volumes/billing/", bare=True)
def get_volume_billing(call: Call) -> Json:
    """What the volumes have cost. Times bear no zone here, and tiers are capitalised (VERIFIED)."""
    bills = _bills(call, Volume, "volume_id")

    def show(bill: Bill[Volume]) -> Json:
        thing, _, _ = bill
        return {
            **pick(thing, "size_gb", volume_id="id", volume_name="name"),
            "tier": thing.tier.capitalize(),
            **_row(call, bill, zoneless, thing.status, f"Volume {thing.name}"),
        }

    size = sum({thing.id: thing.size_gb for thing, _, _ in bills}.values())
    return _page(call, bills, show, totalSizeGB=size)
