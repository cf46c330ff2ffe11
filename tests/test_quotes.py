"""A quote says before a purchase what the purchase would say: its price, what all then costs, stock, and the limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from barrack_mcp.catalogue import JsonObject
from barrack_mcp.simulator import create_app
from tests.support.house import House, house

pytestmark = pytest.mark.anyio

MACHINE = {"tier": "legacy", "gpu_model": "RTX-A6000", "gpu_count": 2}
LIMITS: dict[str, JsonObject] = {
    "hourly": {"max_hourly_cost": Decimal(6)},
    "runway": {"min_runway_hours": Decimal(48)},
    "machine": {"max_machine_cost": Decimal(100)},
}


async def quoted(made: House, **arguments: Any) -> tuple[JsonObject, str]:
    answer = await made.call("quote_price", **arguments)
    (one,) = answer["quotes"]
    return one, answer["billing"]


async def test_a_quote_says_per_hour_day_and_month_and_what_all_then_costs() -> None:
    async with house() as made:
        told, text = await quoted(made, **MACHINE)
        balance = made.state["balance"]
        after = balance["hourly"] + 1.38
        assert (told["hourly"], told["daily"], told["monthly"]) == (1.38, 33.12, 1007.4)
        assert told["account_hourly_after"] == pytest.approx(after, abs=0.001)
        assert told["account_complete"] is True
        assert told["runway_hours_after"] == pytest.approx(balance["amount"] / after, abs=0.01)
        assert "1.38 USD an hour, 33.12 USD a day, 1,007.40 USD a month" in text
        assert "All that runs would then cost 6.39 USD an hour" in text
        assert told["allowed"] is True
        assert told["holds_until"].endswith("Z")
        assert "Taken as told until 15 Jan 2026" in text
        assert made.effects == []


async def test_a_volume_is_quoted_by_its_size() -> None:
    async with house() as made:
        told, text = await quoted(made, volume_type="NVMe", volume_size_gb=2_000)
        assert (told["size_gb"], told["hourly"]) == (2_000, 0.6)
        assert "in_stock" not in told
        assert "stock" not in text


@pytest.mark.parametrize("limit", LIMITS)
async def test_a_quote_foretells_the_limit_that_refuses_the_purchase_and_is_right(limit: str) -> None:
    async with house(unattended=["spend"], **LIMITS[limit]) as made:
        told, text = await quoted(made, **MACHINE)
        assert told["allowed"] is False
        assert told["limit"] in text
        assert str(next(iter(LIMITS[limit].values()))) in told["limit"]
        refused = await made.call("deploy_instance", **made.good("deploy_instance") | {"gpu_count": 2})
        assert refused["outcome"] == "refused"
        assert made.effects == []


@pytest.mark.parametrize("limit", [{"max_hourly_cost": Decimal(7)}, {"min_runway_hours": Decimal(24)}])
async def test_a_quote_within_the_limits_is_bought(limit: JsonObject) -> None:
    async with house(unattended=["spend"], **limit) as made:
        told, text = await quoted(made, **MACHINE)
        assert told["allowed"] is True
        assert "It keeps the operator's limits." in text
        bought = await made.call("deploy_instance", **made.good("deploy_instance") | {"gpu_count": 2})
        assert bought["outcome"] == "done", bought


async def test_a_limit_that_can_not_be_told_to_be_kept_is_not_said_to_be() -> None:
    async with house(max_hourly_cost=Decimal(1_000)) as made:
        made.play({"method": "GET", "path": "/volumes/", "times": 99, "action": "status", "status": 500})
        told, text = await quoted(made, **MACHINE)
        assert (told["allowed"], told["account_complete"]) == (False, False)
        assert "not all could be read" in text


async def test_what_is_sold_out_is_told_with_the_cheapest_that_comes_up_to_it() -> None:
    app = create_app(now=lambda: 0.0)
    app.state.barrack.world("sim-key").stock_factor = 0
    async with house(app=app) as made:
        told, text = await quoted(made, **MACHINE)
        assert told["in_stock"] is False
        assert "nothing else with as many GPUs" in text
        made.barrack.world("sim-key").stock_factor = 1
        told, text = await quoted(made, **MACHINE)
        assert told["in_stock"] is True
        assert "CANADA-1" in told["regions"]
        assert "In stock in" in text


async def test_of_a_model_without_stock_another_is_named() -> None:
    async with house() as made:
        world = made.barrack.world("sim-key")
        for machine in list(world.instances.values()):
            machine.gpu_model, machine.region, machine.gpu_count = "B300-262GB", "FIN-01", 8
            machine.status = "ACTIVE"
        told, _ = await quoted(made, gpu_model="B300-262GB", gpu_count=8)
        assert told["in_stock"] is True
        assert told["regions"] == ["FIN-03"]


async def test_a_quote_whose_stock_can_not_be_read_says_so() -> None:
    async with house() as made:
        made.play({"method": "GET", "path": "/gpu-stocks/", "times": 99, "action": "status", "status": 500})
        told, text = await quoted(made, **MACHINE)
        assert "in_stock" not in told
        assert "the stock could not be read" in text


async def test_the_price_list_alone_is_no_quote() -> None:
    async with house() as made:
        assert "quotes" not in await made.call("quote_price")
        assert len(made.sent) == 1
