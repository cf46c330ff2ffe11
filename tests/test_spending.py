"""What an account spends, in one call: every figure is that of the simulator's own state and books."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from barrack_mcp.account.desk import Single
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.spending.bills import midnight
from barrack_mcp.account.spending.overview import tell_time
from barrack_mcp.account.spending.standing import Standing
from barrack_mcp.account.things import moment
from barrack_mcp.catalogue import OFFERS
from barrack_mcp.server.tools import output_schema
from barrack_mcp.simulator import create_app
from barrack_mcp.state.leases import Leases
from tests.support.house import House, house

pytestmark = pytest.mark.anyio

TOOL = "get_spending_overview"
HOUR, DAY = 3_600, 86_400


async def told(made: House, **arguments: Any) -> tuple[dict[str, Any], str]:
    answer = await made.answer(TOOL, **arguments)
    assert not answer.is_error, answer.text
    jsonschema.validate(answer.structured, output_schema(OFFERS[TOOL]))
    return dict(answer.structured), answer.text


def world_of(made: House) -> Any:
    return made.barrack.world("sim-key")


@pytest.mark.promise("M1")
async def test_burn_balance_and_runway_are_those_of_the_simulator() -> None:
    async with house() as made:
        data, text = await told(made)
        state = made.state["balance"]
        assert data["burn"]["hourly"] == pytest.approx(state["hourly"], abs=0.001)
        assert data["burn"]["monthly"] == pytest.approx(state["hourly"] * 730, abs=0.01)
        assert data["balance"] == {"amount": state["amount"], "currency": "USD"}
        assert data["runway"]["hours"] == pytest.approx(state["amount"] / state["hourly"], abs=0.01)
        ends = moment(data["runway"]["ends_at"])
        assert ends == pytest.approx(world_of(made).now + data["runway"]["hours"] * HOUR, abs=2)
        assert data["complete"] is True
        assert data["unread"] == []
        assert "5.01 USD an hour, 3,657.30 USD a month" in text
        assert "until 17 Jan 2026" in text


@pytest.mark.promise("M1")
@pytest.mark.parametrize("part", ["by_kind", "by_tier", "by_region", "by_gpu", "by_state"])
async def test_each_way_to_take_the_burn_apart_adds_up(part: str) -> None:
    async with house() as made:
        burn = (await told(made))[0]["burn"]
        whole = burn["by_kind"][0]["hourly"] if part in ("by_gpu", "by_state") else burn["hourly"]
        assert sum(share["hourly"] for share in burn[part]) == pytest.approx(whole, abs=0.001)
        assert [share["hourly"] for share in burn[part]] == sorted((s["hourly"] for s in burn[part]), reverse=True)


@pytest.mark.promise("M1")
async def test_what_was_spent_today_and_this_month_is_what_the_books_drew() -> None:
    async with house() as made:
        for days in (0, 16.4, 5):
            made.barrack.clock.advance(days * DAY)
            data, _ = await told(made)
            world = world_of(made)
            today = midnight(datetime.fromtimestamp(world.now, UTC).date())
            assert data["spent"]["today"]["cost"] == pytest.approx(drawn(made, today), abs=0.01)
            assert data["spent"]["all_time"]["cost"] == pytest.approx(drawn(made, 0), abs=0.01)
            first = moment(data["spent"]["this_month"]["since"])
            assert first is not None
            assert data["spent"]["this_month"]["cost"] == pytest.approx(drawn(made, first), abs=0.01)


def drawn(made: House, since: float) -> float:
    world = world_of(made)
    return float(world.books.sum(since, world.now) / 10**9)


async def test_what_is_idle_is_told_with_its_saving_and_the_calls_that_make_it() -> None:
    async with house(unattended=["interrupt", "destroy", "change"]) as made:
        data, text = await told(made)
        assert {(each["type"], each["name"]) for each in data["idle"]} == {
            ("instance", "notebook-1"),
            ("snapshot", "train-base"),
            ("volume", "cold-store"),
            ("volume", "checkpoints"),
        }
        assert sum(each["saves_hourly"] for each in data["idle"]) == pytest.approx(data["savings"]["hourly"])
        assert "ending that saves 0.88 USD an hour" in text
        before = made.state["balance"]["hourly"]
        for each in data["idle"]:
            for call in each["calls"]:
                answer = await made.call(call["tool"], **call["arguments"])
                assert answer["outcome"] == "done", answer
                made.barrack.clock.advance(300)
        assert before - made.state["balance"]["hourly"] == pytest.approx(data["savings"]["hourly"], abs=0.001)
        again, text = await told(made)
        assert again["idle"] == []
        assert "Costing without use" not in text


async def test_a_snapshot_of_a_machine_that_is_gone_is_idle_but_not_where_not_all_machines_were_read() -> None:
    async with house(unattended=["destroy"]) as made:
        await made.call("delete_instance", instance_id="train-2")
        made.barrack.clock.advance(300)
        data, text = await told(made)
        assert "train-2-before-upgrade" in {each["name"] for each in data["idle"]}
        assert "is of a machine that is gone" in text
        made.play({"method": "GET", "path": "/instances/", "times": 99, "action": "status", "status": 500})
        data, text = await told(made)
        assert "train-2-before-upgrade" not in {each["name"] for each in data["idle"]}
        assert data["complete"] is False
        assert any("the instances" in each for each in data["unread"])
        assert "at least" in text


async def test_a_machine_past_its_lease_is_idle() -> None:
    async with house() as made:
        leases = Leases(made.store, now=made.clock)
        account = made.dispatcher.account
        object.__setattr__(account, "leases", leases)
        machine = made.thing("instances", vm_name="train-1")["instance_id"]
        await leases.keep(account.id, machine, until=made.clock() + HOUR, caller="somebody", how="set_lease")
        assert "train-1" not in {each["name"] for each in (await told(made))[0]["idle"]}
        made.clock.at += HOUR
        data, _ = await told(made)
        (found,) = (each for each in data["idle"] if each["name"] == "train-1")
        assert "past its lease" in found["why"]
        assert found["calls"] == [{"tool": "hibernate_instance", "arguments": {"instance_id": machine}}]


async def test_no_call_is_named_that_is_not_on_offer() -> None:
    async with house() as made:
        made.dispatcher.surface = {tool: offer for tool, offer in OFFERS.items() if offer.reads}
        data, text = await told(made)
        assert len(data["idle"]) == 4
        assert all(each["calls"] == [] for each in data["idle"])
        assert "delete_volume" not in text


async def test_it_is_told_in_the_currency_that_was_asked_for_and_the_credit_in_its_own() -> None:
    async with house() as made:
        data, text = await told(made, currency="INR")
        assert data["currency"] == "INR"
        assert data["balance"]["currency"] == "USD"
        assert data["spent"]["today"]["currency"] == "USD"
        assert data["runway"]["hours"] == pytest.approx(49.9, abs=0.1)
        assert "INR an hour" in text


@pytest.mark.parametrize("path", ["/volumes/billing/", "/snapshots/", "/pricing/", "/balance/"])
async def test_what_can_not_be_read_is_named_and_the_rest_is_told(path: str) -> None:
    async with house() as made:
        made.play({"method": "GET", "path": path, "times": 99, "action": "status", "status": 500})
        data, text = await told(made)
        assert data["complete"] is False
        assert data["unread"]
        assert data["unread"][0] in text


async def test_names_from_the_account_are_marked_as_such_in_the_text() -> None:
    async with house() as made:
        world_of(made).instances[made.thing("instances", vm_name="notebook-1")["instance_id"]].name = "x\u202ey"
        data, text = await told(made)
        assert "\u202e" not in text + json.dumps(data, ensure_ascii=False)
        assert "«" in text


async def test_two_thousand_machines_take_a_bounded_number_of_requests_and_fit_an_answer() -> None:
    app = create_app(now=lambda: 0.0, scenario="large")
    async with house(app=app) as made:
        data, text = await told(made)
        state = made.state["balance"]
        assert len(made.sent) <= 70
        assert data["unread"] == []
        machines = next(share for share in data["burn"]["by_kind"] if share["name"] == "instance")
        assert machines["things"] + machines["unpriced"] == 2_000
        assert len(data["idle"]) == 50
        assert data["savings"]["things"] == 700
        assert "Of 700 idle things, the 50 that save most" in text
        assert len(json.dumps(data).encode()) <= 30_000
        assert len(text) < 8_000
        settled = sum(
            share["hourly"] for share in data["burn"]["by_state"] if share["name"] not in ("ERROR", "UNKNOWN")
        )
        others = sum(share["hourly"] for share in data["burn"]["by_kind"] if share["name"] != "instance")
        assert settled + others == pytest.approx(state["hourly"], abs=0.01)


def test_the_time_is_the_apis_where_it_is_another_than_ours() -> None:
    def standing(stamp: Any) -> Any:
        told = Single({"metadata": {"timestamp": stamp}})
        return Standing(told, Single(), Listing(), Listing(), Listing())

    assert tell_time(standing(1_000), 2_000.0) == 2_000
    assert tell_time(standing(1_000_000_000), 2_000_000_000.0) == 1_000_000_000
    assert tell_time(standing(1_700_000_000_000), 2_000_000_000.0) == 2_000_000_000
    assert tell_time(standing("soon"), 2_000_000_000.0) == 2_000_000_000


async def test_the_balance_bears_what_eats_it_and_until_when_it_lasts() -> None:
    async with house() as made:
        answer = await made.answer("get_credit_balance")
        data = answer.structured
        state = made.state["balance"]
        assert data["burn"]["hourly"] == pytest.approx(state["hourly"], abs=0.001)
        assert data["burn"]["runway_hours"] == pytest.approx(state["amount"] / state["hourly"], abs=0.01)
        assert data["burn"]["ends_at"].startswith("2026-01-17T11:54")
        assert data["burn"]["complete"] is True
        assert "All that costs: 5.01 USD an hour" in answer.text
        assert "until 17 Jan 2026" in answer.text
        made.play({"method": "GET", "path": "/volumes/", "times": 99, "action": "status", "status": 500})
        data = await made.call("get_credit_balance")
        assert "burn" not in data
        assert data["balance"]["amount"] == state["amount"]
        assert "can't be told now" in data["notes"][0]


@pytest.mark.parametrize("tool", ["list_instances", "list_volumes", "list_snapshots"])
async def test_every_list_that_costs_ends_with_its_sum(tool: str) -> None:
    async with house() as made:
        answer = await made.answer(tool)
        hourly = answer.structured["sum"]["hourly"]
        assert hourly > 0
        last = answer.text.splitlines()[-1]
        assert "an hour" in last
        assert "a month" in last
