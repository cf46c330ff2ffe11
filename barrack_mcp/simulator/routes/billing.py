"""The bills: a row for each time through which a thing cost the same, which outlives it, a thing's latest first.

The three bodies are the vendor's published ones, key by key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from barrack_mcp.simulator.calls import Call, pick, route
from barrack_mcp.simulator.clock import iso, zoneless
from barrack_mcp.simulator.meter import Stretch, money
from barrack_mcp.simulator.rules import Json
from barrack_mcp.simulator.world import Instance, Snapshot, Sold, Volume


@dataclass(frozen=True, slots=True)
class _Bill(Generic[Sold]):
    """One row of a thing's bill."""

    thing: Sold
    stretch: Stretch
    number: int

    @property
    def id(self) -> str:
        """The row's own."""
        return self.thing.billing_id if self.number == 1 else f"{self.thing.billing_id}-{self.number}"


def _bills(call: Call, kind: type[Sold], argument: str) -> list[_Bill[Sold]]:
    things = call.filter([thing for thing in call.world.billed if isinstance(thing, kind)], **{argument: "id"})
    return [
        _Bill(thing, stretch, number)
        for thing in things
        for number, stretch in reversed([*enumerate(thing.meter.stretches, 1)])
    ]


def _row(call: Call, bill: _Bill[Sold], write: Callable[[float], str], status: str, description: str) -> Json:
    stretch = bill.stretch
    minutes, nano = stretch.read(call.world.now)
    return {
        "billing_id": bill.id,
        "start_time": write(stretch.started),
        "end_time": None if stretch.ended is None else write(stretch.ended),
        "total_duration_minutes": minutes,
        "per_minute_rate": money(stretch.rate, 9),
        "total_cost": money(nano),
        "currency": call.world.account.currency,
        "status": status,
        "description": description,
    }


def _page(call: Call, bills: list[_Bill[Sold]], show: Callable[[_Bill[Sold]], Json], **counts: int) -> Json:
    read = [bill.stretch.read(call.world.now) for bill in bills]
    minutes = sum(each for each, _ in read)
    summary = {
        "totalMinutes": minutes,
        "activeCount": sum(bill.stretch.ended is None for bill in bills),
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

    def status(bill: _Bill[Instance]) -> str:
        if bill.stretch.ended is not None:
            return "completed"
        return "hibernated" if bill.thing.status == "HIBERNATED" else "active"

    def show(bill: _Bill[Instance]) -> Json:
        thing = bill.thing
        return {
            **pick(thing, instance_id="id", vm_name="name", gpu_type="gpu_model"),
            **pick(thing, "gpu_count", "tier"),
            **_row(call, bill, iso, status(bill), f"{thing.gpu_count} x {thing.gpu_model} for {thing.name}"),
        }

    statuses = [status(bill) for bill in bills]
    active = sum(bill.stretch.ended is None and bill.thing.status == "ACTIVE" for bill in bills)
    ended, asleep = statuses.count("completed"), statuses.count("hibernated")
    return _page(call, bills, show, activeCount=active, completedCount=ended, hibernatedCount=asleep)


@route("GET", "/snapshots/billing/", bare=True)
def get_snapshot_billing(call: Call) -> Json:
    """What the snapshots have cost."""
    bills = _bills(call, Snapshot, "snapshot_id")

    def show(bill: _Bill[Snapshot]) -> Json:
        status = "active" if bill.stretch.ended is None else "completed"
        return {
            **pick(bill.thing, "size_gb", "tier", snapshot_id="id", snapshot_name="name"),
            **_row(call, bill, iso, status, f"Snapshot {bill.thing.name}"),
        }

    size = sum({bill.thing.id: bill.thing.size_gb for bill in bills}.values())
    return _page(call, bills, show, totalSizeGB=size) | {"tier": "legacy"}


@route("GET", "/volumes/billing/", bare=True)
def get_volume_billing(call: Call) -> Json:
    """What the volumes have cost. Times bear no zone here, and tiers are capitalised (VERIFIED)."""
    bills = _bills(call, Volume, "volume_id")

    def show(bill: _Bill[Volume]) -> Json:
        thing = bill.thing
        return {
            **pick(thing, "size_gb", volume_id="id", volume_name="name"),
            "tier": thing.tier.capitalize(),
            **_row(call, bill, zoneless, thing.status, f"Volume {thing.name}"),
        }

    size = sum({bill.thing.id: bill.thing.size_gb for bill in bills}.values())
    return _page(call, bills, show, totalSizeGB=size)
