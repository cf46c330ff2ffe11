"""The state of one account: its things, its credits, and what is still to happen to them.

Nothing runs in the background. Each call first settles the world up to its own time: what was due happens in order,
and the credits are drawn between, in closed form.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from barrack_mcp.simulator.clock import EPOCH
from barrack_mcp.simulator.market import HIBERNATED_PRICES, gpu_hourly, snapshot_hourly, volume_hourly
from barrack_mcp.simulator.meter import MINUTE_S, NANO, Meter, money, per_minute, tick

FULL_RATE = ("ACTIVE", "SHUTOFF")
"""A stopped machine costs what a running one costs: its hardware stays reserved."""

HISTORY_S = 30 * 86_400
"""How long before the epoch an account's history begins."""

UNBOUNDED = 10**30
"""The purse of history, so that it can't run dry before the epoch."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls: the key, the name, the currency, and whether the profile is complete."""

    key: str
    user: str
    currency: str
    credit: float
    complete: bool = True


@dataclass(slots=True)
class Rule:
    """One rule of a firewall or of an instance."""

    id: str
    direction: str
    ethertype: str
    protocol: str
    remote_ip_prefix: str
    port_range_min: int | None
    port_range_max: int | None


@dataclass(slots=True)
class Bill:
    """A row of billing. It outlives its thing."""

    billing_id: str
    resource_id: str
    name: str
    tier: str
    rate: int
    status: str
    meter: Meter
    gpu_type: str = ""
    gpu_count: int = 0
    size_gb: int = 0


@dataclass(slots=True)
class Instance:
    """A machine."""

    id: str
    name: str
    tier: str
    region: str
    gpu_model: str
    gpu_count: int
    boot_source: str
    image_name: str
    ssh_key_ids: list[str]
    created_at: float
    private_ip: str
    bill: Bill
    status: str = "CREATING"
    wants_ip: bool = True
    public_ip: str | None = None
    rules: list[Rule] = field(default_factory=list)
    startup_script_id: str | None = None
    cloud_init: bool = False
    jupyter: bool = False


@dataclass(slots=True)
class Volume:
    """A disk. `boot` says that its instance boots from it; `owned` that it goes when the instance goes."""

    id: str
    name: str
    tier: str
    region: str
    volume_type: str
    size_gb: int
    created_at: float
    bill: Bill
    status: str = "creating"
    bootable: bool = False
    os_image: str | None = None
    instance_id: str | None = None
    attachment: str | None = None
    boot: bool = False
    owned: bool = False


@dataclass(slots=True)
class Snapshot:
    """A copy of a machine's disk, with what it takes to make the machine anew."""

    id: str
    name: str
    description: str
    region: str
    size_gb: int
    instance_id: str
    instance_name: str
    gpu_model: str
    gpu_count: int
    image_name: str
    ssh_key_ids: list[str]
    created_at: float
    bill: Bill
    status: str = "creating"


@dataclass(slots=True)
class Image:
    """An image made from a snapshot. It outlives the snapshot."""

    id: str
    name: str
    region: str
    size_gb: int
    snapshot_id: str
    created_at: float
    status: str = "creating"


@dataclass(slots=True)
class Firewall:
    """Rules shared by the instances in `attachments` (id -> status of the attachment)."""

    id: str
    name: str
    description: str
    region: str
    created_at: float
    status: str = "CREATING"
    rules: list[Rule] = field(default_factory=list)
    attachments: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Key:
    """The public half of an SSH key. The private half is never kept."""

    id: str
    name: str
    public_key: str
    created_at: float


@dataclass(slots=True)
class Script:
    """A startup script."""

    id: str
    name: str
    script: str
    created_at: float
    updated_at: float


class World:
    """Everything of one account, as of `now`."""

    def __init__(self, account: Account, *, seed: int, index: int) -> None:
        self.account = account
        self.now = EPOCH - HISTORY_S
        self.instances: dict[str, Instance] = {}
        self.volumes: dict[str, Volume] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.images: dict[str, Image] = {}
        self.firewalls: dict[str, Firewall] = {}
        self.keys: dict[str, Key] = {}
        self.scripts: dict[str, Script] = {}
        self.instance_bills: dict[str, Bill] = {}
        self.volume_bills: dict[str, Bill] = {}
        self.snapshot_bills: dict[str, Bill] = {}
        self.stock_factor = 1
        self.balance = UNBOUNDED
        self._burn = 0
        self._running: dict[str, Instance] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._scheduled = 0
        self.random = random.Random(f"{seed}/{account.key}")  # noqa: S311 - ids, not secrets
        self._number = 100_000 + 200_000 * index + self.random.randrange(50_000)
        self._address = index << 14
        self._rule = 0

    def open_purse(self) -> None:
        """End the scenario's history: it is the epoch, and the account has its credit."""
        self.settle(EPOCH)
        self.balance = round(self.account.credit * NANO)

    # Names and numbers

    def next_id(self, form: str) -> str:
        """An id that this account never had, such as `BRK-123456D` for the form `BRK-{}D`."""
        self._number += self.random.randint(1, 20)
        return form.format(f"{self._number:06d}")

    def next_rule_id(self) -> str:
        """The id of a new rule: a plain number."""
        self._rule += 1
        return str(self._rule)

    def next_address(self, network: str) -> str:
        """An address that no machine of this account had before, in a network that is routed nowhere."""
        self._address += 1
        return f"{network}.{self._address >> 8 & 255}.{self._address & 255}"

    # Time and money

    def later(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let something happen after so many simulated seconds."""
        self._scheduled += 1
        heapq.heappush(self._events, (self.now + seconds, self._scheduled, happen))

    def settle(self, to: float) -> None:
        """Bring the world up to a time: what was due happens in order, and credits are drawn, perhaps to the last."""
        while True:
            due = self._events[0][0] if self._events else None
            until = to if due is None else min(due, to)
            dry = self._runs_dry()
            if dry is not None and dry <= until:
                self._draw(dry)
                for instance in list(self._running.values()):
                    self.hibernate(instance)
                continue
            self._draw(until)
            if due is None or due > to:
                return
            heapq.heappop(self._events)[2]()

    def _draw(self, to: float) -> None:
        minutes = tick(to) - tick(self.now)
        self.balance = max(0, self.balance - minutes * self._burn)
        self.now = max(self.now, to)

    def _runs_dry(self) -> float | None:
        """When the credits of running machines reach 0: on a whole minute, since that is when they are drawn."""
        if not self._running:
            return None
        if self.balance <= 0:
            return self.now
        return float((tick(self.now) - (-self.balance // self._burn)) * MINUTE_S)

    def _turn(self, meter: Meter, rate: int) -> None:
        self._burn += rate - meter.rate
        meter.turn(self.now, rate)

    def balance_shown(self) -> float:
        """The credits left."""
        return money(self.balance)

    def burn_shown(self) -> float:
        """What the account spends an hour as things stand."""
        return money(self._burn * 60)

    # Machines

    def full_rate(self, instance: Instance) -> int:
        """What a machine costs a minute while it is ACTIVE or SHUTOFF."""
        return per_minute(gpu_hourly(instance.gpu_model, instance.gpu_count, self.account.currency))

    def set_status(self, instance: Instance, status: str) -> None:
        """Put a machine into a state, and its bill at that state's rate."""
        instance.status = status
        bill, full = instance.bill, self.full_rate(instance)
        asleep = per_minute(HIBERNATED_PRICES.of(self.account.currency))
        rate = full if status in FULL_RATE else asleep if status == "HIBERNATED" else 0
        self._turn(bill.meter, rate)
        bill.rate = rate or full
        bill.status = "hibernated" if status == "HIBERNATED" else "active"
        if status in FULL_RATE:
            self._running[instance.id] = instance
        else:
            self._running.pop(instance.id, None)

    def move(self, instance: Instance, via: str, seconds: float, to: str) -> None:
        """Send a machine on its way to a state."""
        self.set_status(instance, via)
        self.later(seconds, lambda: self.set_status(instance, to))

    def hibernate(self, instance: Instance) -> None:
        """Put a machine to sleep: its public address is given back."""
        instance.public_ip = None
        self.move(instance, "HIBERNATING", 60, "HIBERNATED")

    def end_instance(self, instance: Instance) -> None:
        """A machine is gone: its own disk with it, the user's volumes stay, its bill stands."""
        self.set_status(instance, "DELETED")
        instance.bill.meter.end(self.now)
        instance.bill.status = "completed"
        del self.instances[instance.id]
        for firewall in self.firewalls.values():
            firewall.attachments.pop(instance.id, None)
        for volume in self.volumes_of(instance):
            if volume.owned:
                self.end_volume(volume)
            else:
                self.release(volume)

    # Disks

    def volumes_of(self, instance: Instance) -> list[Volume]:
        """The volumes of a machine, the one it boots from included."""
        return [volume for volume in self.volumes.values() if volume.instance_id == instance.id]

    def release(self, volume: Volume) -> None:
        """A volume is free again."""
        volume.instance_id = volume.attachment = None
        volume.boot = False
        volume.status = volume.bill.status = "available"

    def price_volume(self, volume: Volume) -> None:
        """Bill a volume by its size from now on."""
        rate = per_minute(volume_hourly(volume.volume_type, volume.size_gb, self.account.currency))
        volume.bill.size_gb, volume.bill.rate = volume.size_gb, rate
        self._turn(volume.bill.meter, rate)

    def end_volume(self, volume: Volume) -> None:
        """A volume is gone, for good; its bill stands."""
        self._end_bill(volume.bill, "deleted")
        del self.volumes[volume.id]

    def price_snapshot(self, snapshot: Snapshot) -> None:
        """Bill a snapshot from now on."""
        snapshot.bill.rate = per_minute(snapshot_hourly(snapshot.size_gb, self.account.currency))
        self._turn(snapshot.bill.meter, snapshot.bill.rate)

    def end_snapshot(self, snapshot: Snapshot) -> None:
        """A snapshot is gone, for good; its bill and its images stand."""
        self._end_bill(snapshot.bill, "completed")
        del self.snapshots[snapshot.id]

    def _end_bill(self, bill: Bill, status: str) -> None:
        self._turn(bill.meter, 0)
        bill.meter.end(self.now)
        bill.status = status
