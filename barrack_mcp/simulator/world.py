"""The state of one account: its things, its credits, and what is still to happen to them.

Nothing runs in the background. Each call first settles the world up to its own time: what was due happens in order,
and the credits are drawn between, in closed form.
"""

from __future__ import annotations

import heapq
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from barrack_mcp.simulator.clock import EPOCH
from barrack_mcp.simulator.market import (
    GB_PER_TB,
    GPUS,
    HIBERNATED_PRICES,
    SNAPSHOT_GB,
    SNAPSHOT_PRICES,
    VOLUME_PRICES,
    Prices,
)
from barrack_mcp.simulator.meter import MINUTE_S, NANO, Books, Meter, money, per_minute, tick
from barrack_mcp.simulator.rules import Json, code_of, missing, refusal

FULL_RATE = ("ACTIVE", "SHUTOFF")
"""A stopped machine costs what a running one costs: its hardware stays reserved."""

HISTORY_S = 30 * 86_400
"""How long before the epoch an account's history begins."""

_PRICE_DIGITS = 4
"""Digits of a price in the list."""

UNBOUNDED = 10**30
"""The purse of history, so that it can't run dry before the epoch."""


@dataclass(frozen=True, slots=True)
class Move:
    """A way of a machine from one settled state to another."""

    source: str
    via: str
    seconds: float
    to: str


MOVES = {
    "start": Move("SHUTOFF", "STARTING", 30, "ACTIVE"),
    "stop": Move("ACTIVE", "STOPPING", 30, "SHUTOFF"),
    "reboot": Move("ACTIVE", "REBOOTING", 30, "ACTIVE"),
    "restore": Move("HIBERNATED", "RESTORING", 120, "ACTIVE"),
    "hibernate": Move("ACTIVE", "HIBERNATING", 60, "HIBERNATED"),
}


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls: the key, the name, the currency, and whether the profile is complete."""

    key: str
    user: str
    currency: str
    credit: float
    complete: bool = True


@dataclass(slots=True, kw_only=True)
class Thing:
    """Whatever an account holds. Its id and its time are given when it is put up."""

    name: str
    id: str = field(init=False)
    created_at: float = field(init=False)


@dataclass(slots=True, kw_only=True)
class Billed(Thing, ABC):
    """A thing with a row of billing, which outlives it."""

    tier: str
    region: str
    billing_id: str = field(init=False)
    meter: Meter = field(default_factory=Meter)

    @property
    @abstractmethod
    def prices(self) -> Prices:
        """What the price list says of its kind."""

    @abstractmethod
    def hourly(self, price: float) -> float:
        """What it costs an hour at its full rate, by the price of its kind."""


@dataclass(slots=True, kw_only=True)
class Instance(Billed):
    """A machine."""

    gpu_model: str
    gpu_count: int
    boot_source: str
    image_name: str
    ssh_key_ids: list[str]
    status: str = "CREATING"
    wants_ip: bool = True
    public_ip: str | None = None
    private_ip: str = field(init=False)
    rules: list[Json] = field(default_factory=list)
    startup_script_id: str | None = None
    cloud_init: bool = False
    jupyter: bool = False

    @property
    def prices(self) -> Prices:
        """What one of its GPUs costs."""
        return GPUS[self.gpu_model].prices

    def hourly(self, price: float) -> float:
        """What it costs an hour, running or stopped."""
        return price * self.gpu_count


@dataclass(slots=True, kw_only=True)
class Volume(Billed):
    """A disk. `boot` says that its instance boots from it; `owned` that it goes when the instance goes."""

    volume_type: str
    size_gb: int
    status: str = "creating"
    bootable: bool = False
    os_image: str | None = None
    instance_id: str | None = None
    attachment: str | None = None
    boot: bool = False
    owned: bool = False

    @property
    def prices(self) -> Prices:
        """What a TB of its type costs."""
        return VOLUME_PRICES[self.volume_type][1]

    def hourly(self, price: float) -> float:
        """What it costs an hour, by its size."""
        return price * self.size_gb / GB_PER_TB


@dataclass(slots=True, kw_only=True)
class Snapshot(Billed):
    """A copy of a machine's disk, with what it takes to make the machine anew."""

    tier: str = "legacy"
    description: str
    size_gb: int = SNAPSHOT_GB
    instance_id: str
    instance_name: str
    gpu_model: str
    gpu_count: int
    image_name: str
    ssh_key_ids: list[str]
    status: str = "creating"

    @property
    def prices(self) -> Prices:
        """What one of the usual size costs."""
        return SNAPSHOT_PRICES

    def hourly(self, price: float) -> float:
        """What it costs an hour, by its size."""
        return price * self.size_gb / SNAPSHOT_GB


@dataclass(slots=True, kw_only=True)
class Image(Thing):
    """An image made from a snapshot. It outlives the snapshot."""

    tier: str = "legacy"
    region: str
    size_gb: int
    snapshot_id: str
    status: str = "creating"


@dataclass(slots=True, kw_only=True)
class Firewall(Thing):
    """Rules shared by the instances in `attachments` (id -> status of the attachment)."""

    description: str
    region: str
    status: str = "CREATING"
    rules: list[Json] = field(default_factory=list)
    attachments: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Key(Thing):
    """The public half of an SSH key. The private half is never kept."""

    public_key: str


@dataclass(slots=True, kw_only=True)
class Script(Thing):
    """A startup script."""

    script: str
    updated_at: float


Held = TypeVar("Held", bound=Thing)
Sold = TypeVar("Sold", bound=Billed)


class Shelf(dict[str, Held]):
    """The things of one kind by id: what the kind is called, which word of a path names one, how its ids look."""

    def __init__(self, kind: str, argument: str, form: str) -> None:
        super().__init__()
        self.kind, self.argument, self.form = kind, argument, form

    def find(self, thing_id: str) -> Held:
        """The thing of this id; refuse if there is none."""
        if thing_id not in self:
            raise missing(self.kind)
        return self[thing_id]

    def need_free(self, name: str, *, but: Thing | None = None) -> None:
        """Refuse a name that another thing of the kind bears."""
        if any(thing.name == name and thing is not but for thing in self.values()):
            raise refusal(409, code_of(self.kind, "NAME_EXISTS"), f"{self.kind} name already exists")


class World:
    """Everything of one account, as of `now`."""

    def __init__(self, account: Account, *, seed: int, index: int) -> None:
        self.account = account
        self.now = EPOCH - HISTORY_S
        self.instances = Shelf[Instance]("Instance", "instance_id", "BRK-{}D")
        self.volumes = Shelf[Volume]("Volume", "volume_id", "BRK-{}V")
        self.snapshots = Shelf[Snapshot]("Snapshot", "snapshot_id", "BRK-{}S")
        self.images = Shelf[Image]("Image", "image_id", "BRK-{}I")
        self.firewalls = Shelf[Firewall]("Firewall", "firewall_id", "FW-{}")
        self.keys = Shelf[Key]("SSH key", "key_id", "KEY-{}")
        self.scripts = Shelf[Script]("Script", "script_id", "SCR-{}")
        self.billed: list[Billed] = []
        self.stock_factor = 1
        self.balance = UNBOUNDED
        self.books = Books()
        self.price_level = 1.0
        self._burn = 0
        self._running: dict[str, Instance] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._laid_up = 0
        self.random = random.Random(f"{seed}/{account.key}")  # noqa: S311 - ids, not secrets
        self._number = 100_000 + 200_000 * index + self.random.randrange(50_000)
        self._address = index << 14
        self._rules = 0

    def open_purse(self) -> None:
        """End the scenario's history: it is the epoch, and the account has its credit."""
        self.settle(EPOCH)
        self.balance = round(self.account.credit * NANO)

    # Names and numbers

    def put(self, shelf: Shelf[Held], thing: Held) -> Held:
        """Put up a new thing: it gets an id that this account never had, its time, and its row of billing."""
        self._number += self.random.randint(1, 20)
        thing.id, thing.created_at = shelf.form.format(f"{self._number:06d}"), self.now
        shelf[thing.id] = thing
        if isinstance(thing, Billed):
            volume = isinstance(thing, Volume)
            thing.billing_id = f"VBILL_{self.random.getrandbits(40):010x}" if volume else f"{thing.id}B"
            self.billed.append(thing)
        return thing

    def next_address(self, network: str) -> str:
        """An address that no machine of this account had before, in a network that is routed nowhere."""
        self._address += 1
        return f"{network}.{self._address >> 8 & 255}.{self._address & 255}"

    def next_rule_number(self) -> str:
        """The id of another rule of a firewall."""
        self._rules += 1
        return str(self._rules)

    # Time and money

    def later(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let something happen after so many simulated seconds; no closure, as it has to be copied with this world."""
        self._laid_up += 1
        heapq.heappush(self._events, (self.now + seconds, self._laid_up, happen))

    def become(self, thing: Volume | Snapshot | Image | Firewall, status: str, seconds: float) -> None:
        """Let a thing that is being made be ready after so many simulated seconds, if it is being made still."""
        self.later(seconds, partial(_ripen, thing, thing.status, status))

    def settle(self, to: float) -> None:
        """Bring the world up to a time: what was due happens in order, and credits are drawn, perhaps to the last."""
        while True:
            due = self._events[0][0] if self._events else None
            until = to if due is None else min(due, to)
            dry = self._runs_dry()
            if dry is not None and dry <= until:
                self._draw(dry)
                for instance in list(self._running.values()):
                    self.move(instance, "hibernate")
                continue
            self._draw(until)
            if due is None or due > to:
                return
            heapq.heappop(self._events)[2]()

    def _draw(self, to: float) -> None:
        since, until = tick(self.now), tick(to)
        if until > since:
            self.books.note(since, until, self._burn)
            self.balance = max(0, self.balance - (until - since) * self._burn)
        self.now = max(self.now, to)

    def _runs_dry(self) -> float | None:
        """When the credits of running machines reach 0: on a whole minute, since that is when they are drawn."""
        if not self._running:
            return None
        if self.balance <= 0:
            return self.now
        return float((tick(self.now) - (-self.balance // self._burn)) * MINUTE_S)

    def priced(self, prices: Prices) -> Prices:
        """Prices of the list at the level that they have now."""
        if self.price_level == 1.0:
            return prices
        return {currency: round(price * self.price_level, _PRICE_DIGITS) for currency, price in prices.items()}

    def reprice(self, level: float) -> None:
        """Let all prices of the list be so many times what they were at the start; what runs costs that from now on."""
        self.price_level = level
        for thing in self.billed:
            running = not isinstance(thing, Instance) or thing.status in FULL_RATE
            if thing.meter.rate and running:
                self.charge(thing)

    def full_rate(self, thing: Billed) -> int:
        """What a thing costs a minute at its full rate."""
        return per_minute(thing.hourly(self.priced(thing.prices)[self.account.currency]))

    def charge(self, thing: Billed, rate: int | None = None) -> None:
        """Bill a thing from now on, at its full rate unless another is given."""
        rate = self.full_rate(thing) if rate is None else rate
        self._burn += rate - thing.meter.rate
        thing.meter.turn(self.now, rate)

    def _end(self, shelf: Shelf[Sold], thing: Sold) -> None:
        self._burn -= thing.meter.rate
        thing.meter.turn(self.now, 0)
        del shelf[thing.id]

    @property
    def credit(self) -> float:
        """The credits left."""
        return money(self.balance)

    @property
    def hourly(self) -> float:
        """What the account spends an hour as things stand."""
        return money(self._burn * 60)

    # Machines

    def set_status(self, instance: Instance, status: str) -> None:
        """Put a machine into a state, with the bill and the public address that it has there."""
        instance.status = status
        asleep = per_minute(HIBERNATED_PRICES[self.account.currency]) if status == "HIBERNATED" else 0
        self.charge(instance, self.full_rate(instance) if status in FULL_RATE else asleep)
        if status in FULL_RATE:
            self._running[instance.id] = instance
        else:
            self._running.pop(instance.id, None)
        if status == "HIBERNATING":
            instance.public_ip = None
        elif status == "ACTIVE" and instance.wants_ip and instance.public_ip is None:
            instance.public_ip = self.next_address("198.18")

    def move(self, instance: Instance, verb: str) -> None:
        """Send a machine on its way to a state."""
        move = MOVES[verb]
        self.set_status(instance, move.via)
        self.later(move.seconds, partial(self.set_status, instance, move.to))

    def end_instance(self, instance: Instance) -> None:
        """A machine is gone: its own disk with it, the user's volumes stay, its bill stands."""
        self.set_status(instance, "DELETED")
        self._end(self.instances, instance)
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

    def volumes_by_instance(self) -> dict[str, list[Volume]]:
        """The same of every machine that has any, by its id."""
        found: dict[str, list[Volume]] = {}
        for volume in self.volumes.values():
            if volume.instance_id is not None:
                found.setdefault(volume.instance_id, []).append(volume)
        return found

    def release(self, volume: Volume) -> None:
        """A volume is free again."""
        volume.instance_id = volume.attachment = None
        volume.boot, volume.status = False, "available"

    def end_volume(self, volume: Volume) -> None:
        """A volume is gone, for good; its bill stands."""
        self._end(self.volumes, volume)
        volume.status = "deleted"

    def end_snapshot(self, snapshot: Snapshot) -> None:
        """A snapshot is gone, for good; its bill and its images stand."""
        self._end(self.snapshots, snapshot)


def _ripen(thing: Volume | Snapshot | Image | Firewall, before: str, status: str) -> None:
    if thing.status == before:
        thing.status = status
