"""The whole fake: its accounts, its clock, its faults, and what it remembers of the calls."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable

from barrack_mcp.simulator.clock import Clock, iso
from barrack_mcp.simulator.faults import Faults
from barrack_mcp.simulator.meter import MINUTE_S, money
from barrack_mcp.simulator.routes import firewalls, instances, keys, scripts, snapshots, volumes
from barrack_mcp.simulator.rules import Json, JsonValue
from barrack_mcp.simulator.scenarios import SCENARIOS, accounts
from barrack_mcp.simulator.world import World

MAIN_KEY = "sim-key"
MASK = "********"
REMEMBERED = 20_000
"""How many calls and effects are remembered; the oldest are forgotten, so that a long run does not grow."""

MAX_REMEMBERED_TEXT = 20_000
_SECRETS = ("password", "private_key", "api_key", "token", "secret")


def mask(value: JsonValue) -> JsonValue:
    """A body as it may be remembered: without secrets, and with texts of a bounded length."""
    if isinstance(value, dict):
        return {
            name: MASK if any(word in name.lower() for word in _SECRETS) else mask(each) for name, each in value.items()
        }
    if isinstance(value, list):
        return [mask(each) for each in value]
    if isinstance(value, str):
        return MASK if "PRIVATE KEY" in value else value[:MAX_REMEMBERED_TEXT]
    return value


class Barrack:
    """A Barrack in a box. `journal` lists the effects that took place, `requests` every call that came."""

    def __init__(
        self, *, scenario: str = "small", seed: int = 1, speed: float = 60.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = Clock(speed=speed, now=now)
        self.faults = Faults()
        self.scenario, self.seed = scenario, seed
        self.reset()

    def reset(self, scenario: str | None = None, seed: int | None = None) -> None:
        """Begin again, in the same scenario unless another is named. Raises ValueError if there is no such."""
        scenario = self.scenario if scenario is None else scenario
        if scenario not in SCENARIOS:
            raise ValueError(f"There is no such scenario: choose one of {', '.join(SCENARIOS)}.")
        self.scenario = scenario
        self.seed = self.seed if seed is None else seed
        self.clock.restart()
        self.faults.replace([])
        self.worlds = accounts(self.scenario, self.seed)
        self.journal: deque[Json] = deque(maxlen=REMEMBERED)
        self.requests: deque[Json] = deque(maxlen=REMEMBERED)
        self._random = random.Random(self.seed)  # noqa: S311 - request ids, not secrets

    def next_request_id(self) -> str:
        """Eight hex digits, the same in every run with the same seed."""
        return f"{self._random.getrandbits(32):08x}"

    def world(self, key: str) -> World:
        """An account, settled up to now."""
        world = self.worlds[key]
        world.settle(self.clock.now())
        return world

    def remember(self, book: deque[Json], **entry: JsonValue) -> None:
        """Note a call or its effect in its book."""
        number = book[-1]["seq"] + 1 if book else 1
        said = {name: mask(value) for name, value in entry.items()}
        book.append({"seq": number, **said, "at": iso(self.clock.now())})

    def show_books(self) -> JsonValue:
        """What was drawn from the main account, and when: each stretch of time through which all cost the same."""
        return [
            {
                "since": iso(draw.since * MINUTE_S),
                "until": iso(draw.until * MINUTE_S),
                "per_minute": money(draw.rate, 9),
                "drawn": money((draw.until - draw.since) * draw.rate, 9),
            }
            for draw in self.world(MAIN_KEY).books.draws
        ]

    def state(self) -> Json:
        """The whole of the main account, in a stable order."""
        world = self.world(MAIN_KEY)
        disks = world.volumes_by_instance()
        return {
            "scenario": self.scenario,
            "seed": self.seed,
            "clock": {"now": iso(world.now), "speed": self.clock.speed, "advanced_s": self.clock.advanced_s},
            "account": {"user": world.account.user, "profile_complete": world.account.complete},
            "balance": {"amount": world.credit, "currency": world.account.currency, "hourly": world.hourly},
            "instances": [
                instances.show_whole_instance(world, each, disks.get(each.id, ())) for each in world.instances.values()
            ],
            "volumes": [volumes.show_volume(world, each) for each in world.volumes.values()],
            "snapshots": [snapshots.show_snapshot(world, each) for each in world.snapshots.values()],
            "images": [snapshots.show_image(each) for each in world.images.values()],
            "firewalls": [firewalls.show_firewall(world, each) for each in world.firewalls.values()],
            "ssh_keys": [keys.show_key(each) for each in world.keys.values()],
            "scripts": [scripts.show_script(each) for each in world.scripts.values()],
        }
