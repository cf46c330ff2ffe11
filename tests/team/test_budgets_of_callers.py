"""A caller's budget is held against what that caller bought, and against nothing of anybody else's."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.guard.decide import Allowance
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.market import HIBERNATED_PRICES
from barrack_mcp.simulator.meter import NANO
from barrack_mcp.state.store import SqliteStore
from tests.support.clock import Clock
from tests.support.house import House, house

pytestmark = pytest.mark.anyio

VOLUME: Final = {"tier": "advanced", "region": "FIN-01", "volume_type": "NVMe", "size_gb": 1_000}
A_CENT: Final = Decimal("0.01")
A_VOLUME: Final = Decimal("0.3")
"""What that costs an hour."""
HOUR_S: Final = 3_600
SPENDS: Final = ("spend", "interrupt", "destroy")
CALLERS: Final = ("ada", "ben", "cat")
SEEDS: Final = (1, 2)
"""As many as the suite has time for; more were tried by hand."""


class Team:
    """Callers of one house, each with a budget."""

    def __init__(self, made: House, **hourly: Decimal | str) -> None:
        self.made = made
        self.budgets = {name: Allowance(max_hourly_cost=Decimal(most)) for name, most in hourly.items()}

    async def call(self, caller: str, tool: str, **arguments: Any) -> dict[str, Any]:
        who = Caller(caller, self.made.dispatcher.account, allowance=self.budgets.get(caller, Allowance()))
        answer = await self.made.dispatcher.call(tool, arguments, who)
        assert isinstance(answer, Answer)
        return dict(answer.structured)

    async def buy(self, caller: str, name: str, **other: Any) -> str:
        """Buy a volume; answers what came of it."""
        return str((await self.call(caller, "create_volume", **{**VOLUME, "name": name, **other}))["outcome"])

    def pass_time(self, seconds: float) -> None:
        """Let time go by, here and at Barrack."""
        self.made.clock.at += seconds
        self.made.barrack.clock.advance(seconds)


@pytest.mark.promise("H2")
async def test_a_budget_counts_what_its_caller_bought_and_says_what_of_it_is_used() -> None:
    async with house(unattended=SPENDS) as made:
        team = Team(made, ada="0.7", ben="0.3")
        assert [await team.buy("ada", f"ada-{at}") for at in range(2)] == ["done", "done"]
        told = await team.call("ada", "create_volume", **VOLUME, name="ada-2")
        assert told["outcome"] == "refused"
        assert (
            "what you have bought here costs 0.60 USD an hour, with this it would cost 0.90 USD an hour"
            in (told["message"])
        )
        assert "the operator allows you less (0.7 USD an hour)" in told["message"]
        # ben's is whole, though all that runs costs more than anybody's budget
        assert [await team.buy("ben", f"ben-{at}") for at in range(2)] == ["done", "refused"]
        # who has no budget is held to the operator's limits alone
        assert await team.buy("cat", "cat-0") == "done"
        assert made.effects == ["create_volume"] * 4


@pytest.mark.promise("H2")
async def test_what_is_hibernated_or_deleted_is_free_again_at_once_and_a_machine_costs_at_its_full_rate() -> None:
    async with house(unattended=SPENDS) as made:
        team = Team(made, ada="0.3")
        assert await team.buy("ada", "one") == "done"
        assert await team.buy("ada", "two") == "refused"
        team.pass_time(60)
        assert (await team.call("ada", "delete_volume", volume_id="one"))["outcome"] == "done"
        assert await team.buy("ada", "two") == "done"
        team = Team(made, ben="2.2")
        machine = made.good("deploy_instance") | {"gpu_count": 1}
        first = await team.call("ben", "deploy_instance", **machine | {"name": "ben-1"})
        assert first["outcome"] == "done", first
        rate = Decimal(str(first["billing"]["hourly_rate"]))
        team = Team(made, ben=rate * Decimal("1.5"))
        assert (await team.call("ben", "deploy_instance", **machine | {"name": "ben-2"}))["outcome"] == "refused"
        team.pass_time(1_200)
        assert (await team.call("ben", "hibernate_instance", instance_id="ben-1"))["outcome"] == "done"
        assert (await team.call("ben", "deploy_instance", **machine | {"name": "ben-2"}))["outcome"] == "done"
        team.pass_time(1_200)
        assert (await team.call("ben", "restore_instance", instance_id="ben-1"))["outcome"] == "refused"


@pytest.mark.promise("H2")
async def test_who_grows_or_wakes_what_another_bought_pays_for_it_from_then_on_and_the_other_does_not() -> None:
    async with house(unattended=SPENDS) as made:
        team = Team(made, ada="0.5", ben="0.4", cat="0.7")
        assert await team.buy("ada", "shared") == "done"
        team.pass_time(60)
        grow = {"volume_id": "shared", "size_gb": 2_000}
        # the growth alone would fit
        assert (await team.call("ben", "resize_volume", **grow))["outcome"] == "refused"
        assert (await team.call("cat", "resize_volume", **grow))["outcome"] == "done"
        assert await team.buy("ada", "own") == "done"
        assert await team.buy("cat", "more") == "refused"
        # what it grew by is held against who owns it, not the whole once more
        assert (await team.call("cat", "resize_volume", volume_id="shared", size_gb=2_300))["outcome"] == "done"


@pytest.mark.promise("H2")
async def test_what_was_bought_is_known_after_a_new_start_and_counts_though_no_answer_came(tmp_path: Path) -> None:
    app, clock = create_app(now=lambda: 0.0), Clock()
    lost = {"method": "POST", "path": "/volumes/", "action": "reset", "after_effect": True}
    blind = {"method": "GET", "path": "/volumes/", "action": "status", "status": 500, "times": 99}
    async with (
        SqliteStore(tmp_path / "state.db", now=clock) as store,
        house(app=app, store=store, clock=clock, unattended=SPENDS) as made,
    ):
        made.play(lost)
        assert await Team(made, ada="0.7").buy("ada", "found") == "done"
        # with a budget it would not be sent where nothing can be read
        made.play(lost, blind)
        assert await Team(made).buy("ada", "unknown") == "unknown"
        made.play()
    async with (
        SqliteStore(tmp_path / "state.db", now=clock) as store,
        house(app=app, store=store, clock=clock, unattended=SPENDS) as made,
    ):
        team = Team(made, ada="0.7", ben="0.7")
        for passing in (0, 2 * HOUR_S):
            team.pass_time(passing)
            told = await team.call("ada", "create_volume", **VOLUME, name="third")
            assert "costs 0.60 USD an hour" in told["message"], told
        assert await team.buy("ben", "third") == "done"
        made.play(blind)
        assert await team.buy("ben", "fourth") == "refused"


@pytest.mark.promise("H2")
async def test_what_did_not_take_place_takes_nothing_of_a_budget() -> None:
    async with house(unattended=SPENDS) as made:
        team = Team(made, ada="0.3")
        made.play({"method": "POST", "path": "/volumes/", "action": "status", "status": 400})
        assert await team.buy("ada", "one") == "failed"
        made.play({"method": "POST", "path": "/volumes/", "action": "reset", "times": 9})
        assert await team.buy("ada", "two") == "unknown"
        made.play()
        # for an hour it may still come to light
        assert await team.buy("ada", "three") == "refused"
        team.pass_time(HOUR_S)
        assert await team.buy("ada", "three") == "done"
        assert made.effects == ["create_volume"]


@pytest.mark.promise("H2")
async def test_a_machines_system_volume_counts_with_it() -> None:
    async with house(unattended=SPENDS) as made:
        wanted = {
            **made.good("deploy_instance"), "name": "big", "gpu_count": 1,
            "os_volume": {"name": "big-disk", "size_gb": 4_000},
        }  # fmt: skip
        told = await Team(made, ada="100").call("ada", "deploy_instance", **wanted)
        assert told["outcome"] == "done", told
        world = made.barrack.world("sim-key")
        own = [each for each in (*world.instances.values(), *world.volumes.values()) if each.name.startswith("big")]
        assert len(own) == 2
        costs = sum(Decimal(world.full_rate(each)) * 60 / NANO for each in own)
        team = Team(made, ada=costs + A_VOLUME - Decimal("0.01"), ben="0.3")
        assert await team.buy("ada", "more") == "refused"
        assert await Team(made, ada=costs + A_VOLUME + Decimal("0.01")).buy("ada", "more") == "done"


@pytest.mark.promise("H2")
async def test_a_month_is_what_the_callers_things_cost_in_it_those_gone_too_and_what_runs_to_its_end() -> None:
    async with house(unattended=SPENDS) as made:
        team = Team(made)

        def limited(most: str) -> None:
            team.budgets["ada"] = Allowance(max_monthly_cost=Decimal(most))

        limited("400")
        assert await team.buy("ada", "first") == "done"
        team.pass_time(10 * HOUR_S)
        assert (await team.call("ada", "delete_volume", volume_id="first"))["outcome"] == "done"
        spent = A_VOLUME * 10
        rest = A_VOLUME * Decimal((end_of_month(made) - made.barrack.clock.now()) / HOUR_S)
        limited(str(spent + rest - 1))
        told = await team.call("ada", "create_volume", **VOLUME, name="second")
        assert told["outcome"] == "refused"
        assert f"comes to {spent:.2f} USD this month" in told["message"]
        assert f"with this it would come to {spent + rest:.2f} USD" in told["message"]
        limited(str(spent + rest + 1))
        assert await team.buy("ada", "second") == "done"
        # of what one takes over, only what it cost since is one's own
        team.budgets = {"ben": Allowance(max_monthly_cost=2 * rest + 1)}
        team.pass_time(60)
        assert (await team.call("ben", "resize_volume", volume_id="second", size_gb=2_000))["outcome"] == "done"
        limited(str(spent + rest + 1))
        assert await team.buy("ada", "third") == "done"


def end_of_month(made: House) -> float:
    now = datetime.fromtimestamp(made.barrack.clock.now(), UTC)
    return datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.promise("H2")
async def test_where_it_can_not_be_read_who_bought_what_nobody_with_a_budget_buys(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    async with SqliteStore(file) as store, house(store=store, unattended=SPENDS) as made:
        team = Team(made, ada="100")
        assert await team.buy("ada", "one") == "done"
        tables = sqlite3.connect(file)
        with tables:
            tables.execute("UPDATE purchases SET record = '{}'")
        assert await team.buy("ada", "two") == "refused"
        # nor is anything bought of which nobody could know later who did
        with tables:
            tables.execute("DROP TABLE purchases")
        tables.close()
        assert await team.buy("ben", "three") == "refused"
        assert made.effects == ["create_volume"]


@pytest.mark.promise("H2")
async def test_a_quote_and_a_plan_tell_what_of_the_callers_own_budget_a_purchase_would_take() -> None:
    async with house() as made:
        team = Team(made, ada="0.5")
        wanted = {"resource_type": "volumes", "tier": "advanced", "volume_type": "NVMe", "volume_size_gb": 2_000}
        (quoted,) = (await team.call("ada", "quote_price", **wanted))["quotes"]
        assert (quoted["allowed"], "0.5 USD an hour for what you buy" in quoted["limit"]) == (False, True)
        asked = await team.call("ada", "create_volume", **VOLUME, name="one")
        assert asked["outcome"] == "approval_required"
        assert (
            "With it, what ada has bought would cost 0.30 USD an hour; their budget is 0.5 USD."
            in (asked["plan"]["bill"])
        )


def cost_of(made: House, names: set[str]) -> Decimal:
    """What things of these names cost per hour by the simulator's own prices."""
    world = made.barrack.world("sim-key")
    total = Decimal(0)
    for each in (*world.instances.values(), *world.volumes.values(), *world.snapshots.values()):
        if each.name in names and getattr(each, "status", "") not in ("DELETED", "DELETING"):
            asleep = each.status in ("HIBERNATED", "HIBERNATING")
            total += Decimal(str(HIBERNATED_PRICES["USD"])) if asleep else Decimal(world.full_rate(each)) * 60 / NANO
    return total


@dataclass
class Market:
    """Three callers who buy, grow and destroy at random, and whose things are whose by the test's own books."""

    team: Team
    chance: random.Random
    owner: dict[str, str] = field(default_factory=dict)
    outcomes: list[str] = field(default_factory=list)

    async def act(self, number: int, volumes: list[str]) -> None:
        """Do one thing."""
        team, chance = self.team, self.chance
        caller = chance.choice([*team.budgets])
        tool = chance.choice(("create_volume", "create_volume", "create_snapshot", "deploy_instance", "resize_volume"))
        if volumes and (tool == "resize_volume" or chance.random() < 0.2):
            name = chance.choice(volumes)
            grown = {"size_gb": 1_000 * (number % 9 + 2)} if tool == "resize_volume" else {}
            told = await team.call(caller, tool if grown else "delete_volume", volume_id=name, **grown)
        else:
            name, tool = f"bought-{number}", tool if tool != "resize_volume" else "create_volume"
            wanted = VOLUME if tool == "create_volume" else team.made.good(tool)
            told = await team.call(caller, tool, **{**wanted, "name": name})
        self.outcomes.append(told["outcome"])
        if told["outcome"] == "done":
            self.owner[name] = caller

    def passed(self) -> list[str]:
        """Whose things cost more than their budget, by the simulator's own prices."""
        own = {caller: {name for name, whose in self.owner.items() if whose == caller} for caller in self.team.budgets}
        costs = {caller: cost_of(self.team.made, names) for caller, names in own.items()}
        # the simulator counts a minute in whole nano-units
        most = {who: (each.max_hourly_cost or 0) + A_CENT for who, each in self.team.budgets.items()}
        return [who for who in most if costs[who] > most[who]]


@pytest.mark.promise("M2")
@pytest.mark.parametrize("seed", SEEDS)
async def test_no_sequence_of_purchases_by_three_callers_eight_at_once_passes_a_budget(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a sequence that can be had again
    async with house(unattended=SPENDS) as made:
        market = Market(Team(made, **{name: str(round(chance.uniform(1, 3), 2)) for name in CALLERS}), chance)
        for turn in range(3):
            there = {each.name for each in made.barrack.world("sim-key").volumes.values()}
            async with anyio.create_task_group() as tasks:
                for at in range(8):
                    tasks.start_soon(market.act, turn * 8 + at, sorted(there & market.owner.keys()))
            assert market.passed() == []
            market.team.pass_time(chance.choice((0, 600, 7_200)))
    done, refused = (market.outcomes.count(each) for each in ("done", "refused"))
    assert min(done, refused) > 2, market.outcomes
