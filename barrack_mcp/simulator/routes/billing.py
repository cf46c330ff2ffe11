"""The bills: one row a thing, which outlives it. The three bodies are the vendor's published ones, key by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from barrack_mcp.simulator.calls import Call, Json, Route, matching, paged
from barrack_mcp.simulator.clock import iso, zoneless
from barrack_mcp.simulator.meter import money
from barrack_mcp.simulator.world import Bill


def _bills(call: Call, bills: Iterable[Bill], name: str) -> list[Bill]:
    return matching(call, (bill for bill in bills if bill.meter.started is not None), **{name: "resource_id"})


def _row(call: Call, bill: Bill, written: Callable[[float], str], description: str) -> Json:
    minutes, nano = bill.meter.read(call.now)
    ended = bill.meter.ended
    return {
        "start_time": written(bill.meter.started or 0.0),
        "end_time": None if ended is None else written(ended),
        "total_duration_minutes": minutes,
        "per_minute_rate": money(bill.rate, 9),
        "total_cost": money(nano),
        "currency": call.world.account.currency,
        "status": bill.status,
        "description": description,
    }


def _summary(call: Call, bills: list[Bill]) -> Json:
    minutes = sum(bill.meter.read(call.now)[0] for bill in bills)
    return {
        "totalMinutes": minutes,
        "activeCount": sum(bill.meter.ended is None and bill.status != "hibernated" for bill in bills),
        "averageUsage": round(minutes / len(bills), 2) if bills else 0,
        "totalCost": money(sum(bill.meter.read(call.now)[1] for bill in bills)),
    }


def _page(call: Call, bills: list[Bill], show: Callable[[Bill], Json], summary: Json) -> Json:
    return paged(call, "records", bills, show, summary=summary) | {"currency": call.world.account.currency}


def get_instance_billing(call: Call) -> Json:
    """What the machines have cost, one row each, those that are gone included."""
    bills = _bills(call, call.world.instance_bills.values(), "instance_id")

    def show(bill: Bill) -> Json:
        return {
            "billing_id": bill.billing_id,
            "instance_id": bill.resource_id,
            "vm_name": bill.name,
            "gpu_type": bill.gpu_type,
            "gpu_count": bill.gpu_count,
            "tier": bill.tier,
            **_row(call, bill, iso, f"{bill.gpu_count} x {bill.gpu_type} for {bill.name}"),
        }

    counts = {
        "completedCount": sum(bill.status == "completed" for bill in bills),
        "hibernatedCount": sum(bill.status == "hibernated" for bill in bills),
    }
    return _page(call, bills, show, _summary(call, bills) | counts)


def _disk_summary(call: Call, bills: list[Bill]) -> Json:
    return _summary(call, bills) | {"totalSizeGB": sum(bill.size_gb for bill in bills)}


def get_snapshot_billing(call: Call) -> Json:
    """What the snapshots have cost."""
    bills = _bills(call, call.world.snapshot_bills.values(), "snapshot_id")

    def show(bill: Bill) -> Json:
        return {
            "billing_id": bill.billing_id,
            "snapshot_id": bill.resource_id,
            "snapshot_name": bill.name,
            "size_gb": bill.size_gb,
            "tier": bill.tier,
            **_row(call, bill, iso, f"Snapshot {bill.name}"),
        }

    return _page(call, bills, show, _disk_summary(call, bills)) | {"tier": "legacy"}


def get_volume_billing(call: Call) -> Json:
    """What the volumes have cost. Times bear no zone here, and tiers are capitalised (VERIFIED)."""
    bills = _bills(call, call.world.volume_bills.values(), "volume_id")

    def show(bill: Bill) -> Json:
        return {
            "billing_id": bill.billing_id,
            "volume_id": bill.resource_id,
            "volume_name": bill.name,
            "size_gb": bill.size_gb,
            "tier": bill.tier.capitalize(),
            **_row(call, bill, zoneless, f"Volume {bill.name}"),
        }

    return _page(call, bills, show, _disk_summary(call, bills))


ROUTES = (
    Route("get_instance_billing", "GET", "/instances/billing/", get_instance_billing, bare=True),
    Route("get_snapshot_billing", "GET", "/snapshots/billing/", get_snapshot_billing, bare=True),
    Route("get_volume_billing", "GET", "/volumes/billing/", get_volume_billing, bare=True),
)
