"""No limit on spending is passed, by whatever is bought, in whatever order, however many at once."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import anyio
import pytest

from barrack_mcp.simulator.market import HIBERNATED_PRICES
from barrack_mcp.simulator.meter import NANO
from tests.support.house import ERAS, House, Person, house, says_yes

pytestmark = pytest.mark.anyio

SEQUENCES: Final = 15
"""As many as the suite has time for."""
AT_ONCE, ROUNDS = 8, 2
MACHINES = ("deploy_instance", "restore_instance", "restore_snapshot")
BUYING = (*MACHINES, "create_volume", "resize_volume", "clone_volume", "create_snapshot")
ASLEEP, GONE = ("HIBERNATED", "HIBERNATING"), ("DELETED", "DELETING")
HOUR_S: Final = 3_600
A_CENT: Final = Decimal("0.01")


def world_of(made: House) -> Any:
    return made.barrack.world("sim-key")


def per_hour(nano_a_minute: int) -> Decimal:
    return Decimal(nano_a_minute) * 60 / NANO


def burn(made: House) -> Decimal:
    """What all costs per hour by the simulator's own prices, what is on its way at the rate that it comes to."""
    world, asleep = world_of(made), Decimal(str(HIBERNATED_PRICES["USD"]))
    machines = [each for each in world.instances.values() if each.status not in GONE]
    rates = [asleep if each.status in ASLEEP else per_hour(world.full_rate(each)) for each in machines]
    storage = [*world.volumes.values(), *world.snapshots.values()]
    return sum([*rates, *(per_hour(world.full_rate(each)) for each in storage)], Decimal(0))


def month(made: House) -> Decimal:
    """What the month comes to: what the simulator's books drew in it, and what runs to its end."""
    world = world_of(made)
    now = datetime.fromtimestamp(made.barrack.clock.now(), UTC)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    drawn = Decimal(world.books.sum(first.timestamp(), now.timestamp())) / NANO
    return drawn + burn(made) * Decimal((after - now).total_seconds()) / HOUR_S


def balance(made: House) -> Decimal:
    return Decimal(world_of(made).balance) / NANO


def passed(made: House, limits: Mapping[str, Decimal]) -> list[str]:
    """The limits that the account as a whole has passed."""
    found = {
        "max_hourly_cost": burn(made) > limits.get("max_hourly_cost", Decimal(10**9)) + A_CENT,
        "min_runway_hours": balance(made) / burn(made) < limits.get("min_runway_hours", Decimal(0)) - A_CENT,
        "max_monthly_cost": month(made) > limits.get("max_monthly_cost", Decimal(10**9)) + A_CENT,
    }
    return [name for name, is_so in found.items() if is_so]


def limits_at(made: House, chance: random.Random) -> dict[str, Any]:
    """Some limits that the account keeps as it is, with room for a few purchases."""
    room = Decimal(str(round(chance.uniform(0, 6), 2)))
    after = burn(made) + room
    drawn_on = (month(made) / burn(made)) * after
    all_ = {
        "max_hourly_cost": after,
        "min_runway_hours": balance(made) / after,
        "max_monthly_cost": drawn_on,
        "max_machine_cost": Decimal(chance.randint(5, 60)),
    }
    kept = chance.sample(sorted(all_), chance.randint(1, 4))
    return {name: all_[name].quantize(A_CENT) for name in kept}


def purchase(tool: str, good: Mapping[str, Any], chance: random.Random, number: int) -> dict[str, Any]:
    arguments = dict(good)
    if "name" in arguments or tool in ("clone_volume", "restore_snapshot"):
        arguments["name"] = f"bought-{number}"
    if tool in MACHINES and chance.random() < 0.7:
        arguments["lease_hours"] = chance.randint(1, 40)
    if "size_gb" in arguments:
        arguments["size_gb"] = chance.choice((1_000, 4_000, 9_000))
    if "gpu_count" in arguments:
        arguments["gpu_count"] = chance.choice((1, 2))
    return arguments


async def buy_at_random(seed: int) -> tuple[int, int, list[str]]:
    """One sequence: purchases, eight at once, over limits of its own; how many were done, refused, what was passed."""
    chance = random.Random(seed)  # noqa: S311 - a sequence that can be had again
    async with house() as fresh:
        limits = limits_at(fresh, chance)
    asks = chance.random() < 0.3
    person = Person(says_yes) if asks else None
    unattended: list[str] = [] if asks else ["spend"]
    told: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    wrong: list[str] = []
    async with house(era=chance.choice(ERAS), person=person, unattended=unattended, **limits) as made:

        async def buy(tool: str, arguments: dict[str, Any]) -> None:
            told.append((tool, arguments, await made.call(tool, **arguments)))

        good = {tool: made.good(tool) for tool in BUYING}
        for turn in range(ROUNDS):
            tools = [chance.choice(BUYING) for _ in range(AT_ONCE)]
            calls = [(tool, purchase(tool, good[tool], chance, turn * AT_ONCE + at)) for at, tool in enumerate(tools)]
            before = len(made.effects)
            async with anyio.create_task_group() as tasks:
                for tool, arguments in calls:
                    tasks.start_soon(buy, tool, arguments)
            # with time the credit is used up, which no purchase does
            wrong += passed(made, limits) if len(made.effects) > before else []
            made.barrack.clock.advance(chance.choice((0, 600, 7_200)))
        most = limits.get("max_machine_cost")
        for tool, arguments, outcome in told:
            if most is not None and tool in MACHINES and outcome["outcome"] == "done":
                rate = Decimal(str(outcome["billing"]["hourly_rate"]))
                if "lease_hours" not in arguments or rate * arguments["lease_hours"] > most:
                    wrong.append("max_machine_cost")
    outcomes = [outcome["outcome"] for _, _, outcome in told]
    return outcomes.count("done"), outcomes.count("refused"), wrong


@pytest.mark.slow
@pytest.mark.promise("M2")
async def test_no_sequence_of_purchases_eight_at_once_passes_a_limit() -> None:
    ended = [await buy_at_random(seed) for seed in range(SEQUENCES)]
    assert [(seed, wrong) for seed, (_, _, wrong) in enumerate(ended) if wrong] == []
    assert sum(done for done, _, _ in ended) > SEQUENCES
    assert sum(refused for _, refused, _ in ended) > SEQUENCES


@pytest.mark.promise("M2")
@pytest.mark.parametrize("unattended", [[], ["spend"]])
async def test_what_the_month_comes_to_is_what_was_spent_in_it_and_what_runs_to_its_end(unattended: list[str]) -> None:
    async with house(max_monthly_cost=Decimal(10**6)) as made:
        made.barrack.clock.advance(20 * HOUR_S)
        now = month(made)
        asked = await made.call("create_volume", **made.good("create_volume"))
        (line,) = [each for each in asked["plan"]["bill"] if each.startswith("This month all would come to")]
        told = Decimal(line.removeprefix("This month all would come to ").removesuffix(" USD.").replace(",", ""))
        assert told > now
        app = made.app
    for limit, outcome in ((told + 1, "approval_required"), (told - 1, "refused")):
        wanted = "done" if unattended and outcome != "refused" else outcome
        async with house(app=app, unattended=unattended, max_monthly_cost=limit) as made:
            found = await made.call("create_volume", **made.good("create_volume") | {"name": f"m-{limit:.0f}"})
            assert found["outcome"] == wanted, found
            if outcome == "refused":
                assert f"this month would come to more than the operator allows ({limit} USD)" in found["message"]
                assert "BARRACK_" not in found["message"]
            if unattended:
                break
    assert made.effects == (["create_volume"] if unattended else [])


@pytest.mark.promise("M2")
@pytest.mark.parametrize("unread", ["/instances/billing/", "/volumes/billing/", "/snapshots/billing/", "/instances/"])
async def test_a_month_that_can_not_be_read_whole_is_no_month_that_keeps_its_limit(unread: str) -> None:
    async with house(unattended=["spend"], max_monthly_cost=Decimal(10**6)) as made:
        made.play({"method": "GET", "path": unread, "times": 99, "action": "status", "status": 500})
        told = await made.call("create_volume", **made.good("create_volume"))
        assert (told["outcome"], made.effects) == ("refused", [])
        assert "can't be told" in told["message"]
