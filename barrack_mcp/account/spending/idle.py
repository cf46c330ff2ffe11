"""What costs and is of no use, as far as can be told from outside: each with its saving, and the calls for that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.leases import lease_of
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.spending.standing import Standing
from barrack_mcp.account.things import Thing, objects, text, usable_id, write_time
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME, Kind
from barrack_mcp.state.store import Lease


@dataclass(frozen=True)
class Idle:
    """Something that costs and seems to be of no use.

    Attributes:
        thing: It.
        why: What makes it seem so, in a phrase.
        saving: What it would save per hour; None if that is not known.
        tools: The calls that save it, in their order: each takes the thing's id and nothing else.
    """

    thing: Thing
    why: str
    saving: Decimal | None
    tools: tuple[str, ...] = field(default=())

    @property
    def calls(self) -> list[JsonObject]:
        """The calls, ready to be made; none if the id is of no use to a tool."""
        thing_id = usable_id(self.thing.id)
        if thing_id is None:
            return []
        return [{"tool": tool, "arguments": {self.thing.kind.arguments[0]: thing_id}} for tool in self.tools]

    def fields(self) -> JsonObject:
        """Answer it as data."""
        told = {
            "type": self.thing.kind.type,
            "id": self.thing.id,
            "name": self.thing.name,
            "status": self.thing.status or None,
            "region": text(self.thing.row, "region"),
            "why": self.why,
            "saves_hourly": money.rounded(self.saving),
            "saves_monthly": None if self.saving is None else float(round(self.saving * money.MONTH_HOURS, 2)),
            "calls": self.calls,
        }
        return {name: value for name, value in told.items() if value is not None}

    def in_words(self, currency: str) -> str:
        """Say it in a sentence, with the calls that save it."""
        ways = " then ".join(self.tools)
        saves = "" if self.saving is None else f", which saves {money.write_rate(self.saving, currency)}"
        what = f"{self.thing.in_words} {self.why}"
        return f"{what}: {ways}{saves}." if ways else f"{what}{saves}."


def find_idle(
    standing: Standing,
    prices: Prices,
    *,
    leases: Mapping[str, Lease],
    at: float,
    offered: Collection[str],
) -> list[Idle]:
    """Find what costs and seems to be of no use, what saves most first.

    Args:
        standing: What the account has.
        prices: What things cost.
        leases: Until when machines may run, by their ids.
        at: The time by the clock of the leases.
        offered: The tools on offer: no other is named.
    """
    found = [
        *_machines(standing.instances.rows, prices, leases, at),
        *_volumes(standing.volumes.rows, prices),
        *_snapshots(standing, prices),
    ]
    kept = [
        Idle(each.thing, each.why, each.saving, each.tools if set(each.tools) <= set(offered) else ())
        for each in found
        if each.saving is None or each.saving > 0
    ]
    return sorted(kept, key=lambda each: -(each.saving or Decimal(0)))


def _machines(rows: Iterable[JsonObject], prices: Prices, leases: Mapping[str, Lease], at: float) -> Iterator[Idle]:
    for machine in _things(INSTANCE, rows):
        lease = lease_of(machine.row, leases)
        why = []
        if machine.status == "SHUTOFF":
            why.append("is stopped and costs the full rate")
        if lease is not None and lease.until <= at and machine.status in _ENDS:
            why.append(f"is past its lease, which ended {write_time(lease.until)}")
        if why:
            full, asleep = (prices.instance(machine.row, rate) for rate in (money.Billed.FULL, money.Billed.HIBERNATED))
            saving = None if full is None or asleep is None else full - asleep
            yield Idle(machine, " and ".join(why), saving, _ENDS[machine.status])


_ENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "ACTIVE": ("hibernate_instance",),
    # only what runs can be hibernated
    "SHUTOFF": ("start_instance", "hibernate_instance"),
}
"""What brings a machine that costs the full rate to rest, by its state."""


def _volumes(rows: Iterable[JsonObject], prices: Prices) -> Iterator[Idle]:
    for volume in _things(VOLUME, rows):
        held = any(volume.row.get(name) for name in ("instance_id", "attachment", "attachments"))
        if volume.status == "AVAILABLE" and not held:
            yield Idle(volume, "is attached to nothing", prices.volume(volume.row), ("delete_volume",))


def _snapshots(standing: Standing, prices: Prices) -> Iterator[Idle]:
    machines = {machine.id for machine in _things(INSTANCE, standing.instances.rows)}
    for snapshot in _things(SNAPSHOT, standing.snapshots.rows):
        origin = text(snapshot.row, "instance_id")
        why = []
        if snapshot.row.get("has_image") is True or text(snapshot.row, "image_id"):
            why.append("has an image, which stays without it")
        if origin is not None and origin not in machines and standing.instances.complete:
            why.append("is of a machine that is gone")
        if why:
            yield Idle(snapshot, " and ".join(why), prices.snapshot(snapshot.row), ("delete_snapshot",))


def _things(kind: Kind, rows: Iterable[JsonObject]) -> list[Thing]:
    return [Thing(kind, row) for row in objects([*rows])]
