"""Over random months of an account, what we say of its money is what the simulator's books say, to the cent."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.account.spending.bills import Window, midnight
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.clock import EPOCH
from barrack_mcp.simulator.market import CURRENCIES
from barrack_mcp.simulator.meter import NANO, tick
from barrack_mcp.simulator.routes import instances, snapshots, volumes
from barrack_mcp.simulator.rules import RefusedError
from barrack_mcp.simulator.scenarios import Story
from barrack_mcp.simulator.world import Account, World
from tests.support.house import House, house

HOUR, DAY = 3_600, 86_400
CENT = 0.01
KEY = "sim-key"
STARTS = {"over a month's end": 0, "over the clocks of spring": 54, "over those of autumn": 275}
"""Days after the epoch, a 15th of January."""
MACHINES = (("RTX-A6000", "CANADA-1"), ("H100-SXM5-80GB", "FIN-01"), ("B300-262GB", "FIN-01"))
DISKS = (("CANADA-1", "SSD"), ("FIN-01", "NVMe"), ("FIN-01", "HDD"))


@pytest.fixture(autouse=True, params=["Europe/Berlin"])
def _elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine be where clocks change, which no sum may notice."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class History:
    """One account's month, lived through the API's own operations; what the API refuses didn't happen."""

    def __init__(self, currency: str, start: float) -> None:
        self.world = World(Account(KEY, "dev@example.com", currency, 5_000_000.0), seed=1, index=0)
        self.world.now = start
        self.world.stock_factor = 100
        self.world.balance = round(self.world.account.credit * NANO)
        self.story = Story(self.world)
        self.keys = [self.story.key("laptop")]
        self.number = itertools.count(1)

    def live(self, deeds: list[tuple[str, int, int]], *, until: float) -> None:
        for deed, which, seconds in deeds:
            if self.world.now + seconds > until:
                break
            with suppress(RefusedError):
                getattr(self, deed)(which)
            self.story.wait(seconds)
        # nothing is on its way when the sums are compared
        self.story.wait(max(0.0, until - self.world.now) + 601)

    def deploy(self, which: int) -> None:
        model, region = MACHINES[which % len(MACHINES)]
        count = (1, 2, 4)[which % 3]
        self.story.deploy(f"machine-{next(self.number)}", region, model, self.keys, gpu_count=count)

    def volume(self, which: int) -> None:
        region, kind = DISKS[which % len(DISKS)]
        self.story.volume(f"disk-{next(self.number)}", region, kind, 100 + 700 * (which % 5))

    def snapshot(self, which: int) -> None:
        if machine := self._one(self.world.instances, which):
            self.story.snapshot(f"copy-{next(self.number)}", machine)

    def stop(self, which: int) -> None:
        self._machine(instances.stop_instance, which)

    def start(self, which: int) -> None:
        self._machine(instances.start_instance, which)

    def reboot(self, which: int) -> None:
        self._machine(instances.reboot_instance, which)

    def hibernate(self, which: int) -> None:
        self._machine(instances.hibernate_instance, which)

    def restore(self, which: int) -> None:
        self._machine(instances.restore_instance, which)

    def end_machine(self, which: int) -> None:
        self._machine(instances.delete_instance, which)

    def end_volume(self, which: int) -> None:
        if disk := self._one(self.world.volumes, which):
            self.story.do(volumes.delete_volume, volume_id=disk)

    def grow(self, which: int) -> None:
        if disk := self._one(self.world.volumes, which):
            larger = {"size_gb": self.world.volumes[disk].size_gb + 500}
            self.story.do(volumes.resize_volume, larger, volume_id=disk)

    def end_snapshot(self, which: int) -> None:
        if copy := self._one(self.world.snapshots, which):
            self.story.do(snapshots.delete_snapshot, snapshot_id=copy)

    def reprice(self, which: int) -> None:
        self.world.reprice((1.0, 1.1, 0.87, 2.0)[which % 4])

    def _machine(self, deed: Any, which: int) -> None:
        if machine := self._one(self.world.instances, which):
            self.story.do(deed, instance_id=machine)

    def _one(self, shelf: Any, which: int) -> str:
        return list(shelf)[which % len(shelf)] if shelf else ""


DEEDS = [name for name in vars(History) if not name.startswith("_") and name != "live"]
ONCE = st.tuples(st.sampled_from([*DEEDS, "deploy", "volume"]), st.integers(0, 11), st.integers(1, 2 * DAY))


@pytest.mark.promise("M1")
@pytest.mark.parametrize("season", STARTS)
@settings(max_examples=12)
@given(
    deeds=st.lists(ONCE, min_size=15, max_size=60),
    currency=st.sampled_from(CURRENCIES),
    days=st.tuples(st.integers(0, 31), st.integers(0, 31)),
)
def test_burn_runway_and_what_was_spent_are_those_of_the_books(
    season: str, deeds: list[tuple[str, int, int]], currency: str, days: tuple[int, int]
) -> None:
    start = EPOCH + STARTS[season] * DAY
    history = History(currency, start)
    history.live(deeds, until=start + 30 * DAY)
    first = datetime.fromtimestamp(start, UTC).date()
    since, until = (first + timedelta(days=number) for number in sorted(days))
    anyio.run(hold_against_the_books, history.world, currency, since, until)


async def hold_against_the_books(world: World, currency: str, since: date, until: date) -> None:
    app = create_app(now=lambda: 0.0)
    barrack = app.state.barrack
    barrack.worlds[KEY] = world
    barrack.clock.advance(world.now - EPOCH)
    async with house(app=app) as made:
        told = await made.call("get_spending_overview", currency=currency)
        assert told["complete"] is True, told["unread"]
        assert told["burn"]["hourly"] == pytest.approx(world.hourly, abs=CENT)
        assert told["balance"]["amount"] == pytest.approx(world.credit, abs=CENT)
        if world.hourly:
            assert told["runway"]["hours"] == pytest.approx(world.credit / world.hourly, rel=0.001)
        today = datetime.fromtimestamp(world.now, UTC).date()
        for name, begin in (("today", today), ("this_month", today.replace(day=1)), ("all_time", date(2025, 1, 1))):
            assert spent(told["spent"][name], currency) == pytest.approx(drawn(world, begin, None), abs=CENT), name
        for window in ((since, until), (since, None), (None, until)):
            assert await billed(made, currency, *window) == pytest.approx(drawn(world, *window), abs=CENT), window


def spent(told: JsonObject, currency: str) -> float:
    assert told["currency"] == currency or not told["rows"]
    assert "at_most" not in told
    return float(told["cost"])


async def billed(made: House, currency: str, since: date | None, until: date | None) -> float:
    days = {name: str(day) for name, day in (("since", since), ("until", until)) if day is not None}
    told = [await made.call(f"get_{kind}_billing", **days) for kind in ("instance", "volume", "snapshot")]
    return sum(spent(each["between"], currency) for each in told)


def drawn(world: World, since: date | None, until: date | None) -> float:
    """What the books drew from the beginning of one day to the end of another."""
    begin = (
        world.books.draws[0].since * 60 if since is None and world.books.draws else midnight(since or date(2025, 1, 1))
    )
    end = world.now if until is None else min(world.now, midnight(until) + DAY)
    return float(world.books.sum(begin, max(begin, end)) / NANO)


def test_the_day_that_ends_a_month_is_in_it_and_the_clocks_change_no_day() -> None:
    assert tick(Window.of_days("2026-03-29", "2026-03-29").until) - tick(midnight(date(2026, 3, 29))) == 24 * 60
    assert Window.of_days("2026-01-31", "2026-01-31").until == midnight(date(2026, 2, 1))
