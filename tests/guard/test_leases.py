"""A machine that is bought may have an end: it is shown in the question, kept, and held to what one may cost."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult

from barrack_mcp.account.leases import lease_of
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Risk
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.simulator import market
from barrack_mcp.state.leases import HOUR_S
from barrack_mcp.state.store import End, Entry, Lease, Overtaken, SqliteStore, Start, StoreError
from tests.support.clock import Clock
from tests.support.house import ERAS, House, Person, house, says_yes
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

MACHINES = ("deploy_instance", "restore_instance", "restore_snapshot")
SPENDING = [operation.tool for operation in OPERATIONS if operation.risk is Risk.SPEND]
WAYS = (*ERAS, "out of band")


async def leases(made: House) -> dict[str, Lease]:
    found = made.dispatcher.account.leases
    assert found is not None
    return dict(await found.all(made.dispatcher.account.id))


def test_what_buys_a_machine_takes_a_lease_and_nothing_else_does() -> None:
    asked = {tool for tool, each in BY_TOOL.items() if "lease_hours" in arguments_schema(each.arguments)["properties"]}
    assert asked == set(MACHINES)


@pytest.mark.parametrize(("tool", "way"), [*zip(MACHINES, WAYS, strict=True)])
async def test_the_question_says_when_the_lease_ends_and_the_machine_has_it_once_it_is_bought(
    tool: str, way: str
) -> None:
    person = Person(says_yes) if way != "out of band" else None
    async with house(era=way if person else "auto", person=person) as made:
        arguments = made.good(tool) | {"lease_hours": 24}
        outcome = await made.call(tool, **arguments)
        if person is None:
            asked = await made.approvals.find(outcome["approval"]["id"])
            shown = " ".join(asked.plan["bill"])
            await made.approvals.approve(asked.id, by="a test")
            outcome = await made.call(tool, **arguments)
        else:
            (shown,) = person.questions
        assert "Its lease is 24 hours from the purchase" in shown
        assert "whoever runs barrack-mcp reap then hibernates it" in shown
        assert outcome["outcome"] == "done"
        assert "Its lease ends 13 Jan 1970 13:46 UTC (24 hours)" in outcome["message"]
        assert outcome["result"]["lease_ends"] == "1970-01-13T13:46:40Z"
        (lease,) = (await leases(made)).values()
        assert (lease.until, lease.hours, lease.how) == (made.clock.at + 24 * HOUR_S, 24, tool)
        sent = made.barrack.journal[-1]
        assert (sent["operation"], "lease_hours" in (sent["body"] or {})) == (tool, False)
        rows = (await made.call("list_instances"))["instances"]
        assert [row["instance_id"] for row in rows if "lease_ends" in row] == [lease.instance]
        one = (await made.call("get_instance", instance_id=lease.instance))["instance"]
        assert one["lease_ends"] == "1970-01-13T13:46:40Z"


async def test_a_yes_for_one_lease_is_none_for_another() -> None:
    async with house() as made:
        arguments = made.good("deploy_instance")
        asked = await made.call("deploy_instance", **arguments, lease_hours=2)
        await made.approvals.approve(asked["approval"]["id"], by="a test")
        other = await made.call("deploy_instance", **arguments, lease_hours=200)
        assert (other["outcome"], made.effects) == ("approval_required", [])


async def test_without_one_the_operators_default_holds_and_without_that_there_is_none() -> None:
    async with house(unattended=["spend"], lease_hours=8) as made:
        assert "(8 hours)" in (await made.call("deploy_instance", **made.good("deploy_instance")))["message"]
        assert [lease.how for lease in (await leases(made)).values()] == ["default"]
    async with house(unattended=["spend"]) as made:
        outcome = await made.call("deploy_instance", **made.good("deploy_instance"))
        assert ("lease" in outcome["message"], await leases(made)) == (False, {})


@pytest.mark.parametrize(("left", "default", "kept"), [(5, None, 5), (5, 8, 5), (-5, 8, 8), (-5, None, None)])
async def test_a_restored_machine_keeps_a_lease_that_runs_and_leaves_one_that_has_ended(
    left: int, default: int | None, kept: int | None
) -> None:
    async with house(unattended=["spend"], lease_hours=default) as made:
        machine = made.good("restore_instance")["instance_id"]
        account = made.dispatcher.account
        assert account.leases is not None
        until = made.clock.at + left * HOUR_S
        await account.leases.keep(account.id, machine, until=until, caller="ann", how="set_lease")
        assert (await made.call("restore_instance", instance_id=machine))["outcome"] == "done"
        found = (await leases(made)).get(machine)
        assert (found and round((found.until - made.clock.at) / HOUR_S)) == kept


@pytest.mark.parametrize("tool", MACHINES)
async def test_the_lease_of_a_purchase_of_which_nobody_knows_is_the_machines_if_it_took_place(tool: str) -> None:
    async with house(unattended=["spend"]) as made:
        arguments = made.good(tool) | ({} if tool == "restore_instance" else {"name": "anew-1"})
        made.play({"method": "POST", "path": "*", "times": 9, "action": "status", "status": 502, "after_effect": False})
        outcome = await made.call(tool, **arguments, lease_hours=3)
        assert outcome["outcome"] == "unknown", outcome
        assert "If it took place: its lease ends" in outcome["message"]
        made.play()
        # it comes late, when nobody looks any more
        await made.api.send(BY_TOOL[tool], arguments)
        rows = (await made.call("list_instances"))["instances"]
        assert len([row for row in rows if "lease_ends" in row]) == 1


async def test_a_purchase_that_is_looked_up_as_done_has_its_lease() -> None:
    async with house(unattended=["spend"]) as made:
        made.play({"method": "POST", "path": "*", "times": 1, "action": "status", "status": 502, "after_effect": True})
        outcome = await made.call("deploy_instance", **made.good("deploy_instance"), lease_hours=3)
        assert (outcome["outcome"], "It took place all the same" in outcome["message"]) == ("done", True)
        (lease,) = (await leases(made)).values()
        assert lease.instance == outcome["result"]["data"]["instance_id"]


async def test_a_purchase_without_an_answer_is_held_back_under_another_lease_too() -> None:
    async with house(unattended=["spend"]) as made:
        made.play({"method": "POST", "path": "*", "times": 9, "action": "status", "status": 502, "after_effect": False})
        arguments = made.good("deploy_instance")
        assert (await made.call("deploy_instance", **arguments))["outcome"] == "unknown"
        made.play()
        assert (await made.call("deploy_instance", **arguments, lease_hours=3))["outcome"] == "refused"
        assert made.effects == []


class Full(SqliteStore):
    """A state that is full once a call was sent."""

    async def finish(self, end: End) -> bool:  # noqa: ARG002 - a store's own name
        raise StoreError("full")


async def test_a_lease_is_kept_before_its_machine_is_bought_whatever_becomes_of_the_state_or_the_process() -> None:
    clock = Clock()
    async with Full(":memory:", now=clock) as store, house(unattended=["spend"], store=store, clock=clock) as made:
        good = made.good("deploy_instance")
        outcome = await made.call("deploy_instance", **good, lease_hours=3)
        assert (outcome["outcome"], made.effects) == ("done", ["deploy_instance"])
        assert "Its lease ends" in outcome["message"]
        (lease,) = (await leases(made)).values()
        assert (lease.instance, lease.hours) == (f"={good['name']}", 3)
        machine = (await made.call("get_instance", instance_id=outcome["result"]["data"]["instance_id"]))["instance"]
        assert machine["lease_ends"]


async def test_a_call_that_is_cancelled_while_it_is_written_down_is_not_sent_and_leaves_nothing_open() -> None:
    class Slow(SqliteStore):
        begun, go_on = anyio.Event(), anyio.Event()

        async def begin(self, start: Start) -> Entry | Overtaken | None:
            found = await super().begin(start)
            self.begun.set()
            await self.go_on.wait()
            return found

    clock = Clock()
    async with Slow(":memory:", now=clock) as store, house(unattended=["spend"], store=store, clock=clock) as made:
        good = made.good("deploy_instance")
        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(made.dispatcher.call, "deploy_instance", good | {"lease_hours": 3})
                await store.begun.wait()
                tasks.cancel_scope.cancel()
                store.go_on.set()
        assert (made.effects, await leases(made), await store.open_entries()) == ([], {}, [])
        assert await made.dispatcher.account.find_purchases() == []
        assert (await made.call("deploy_instance", **good))["outcome"] == "done"


async def test_a_lease_that_can_not_be_kept_is_told_and_the_purchase_is_done_all_the_same() -> None:
    clock = Clock()
    async with Full(":memory:", now=clock) as store, house(unattended=["spend"], store=store, clock=clock) as made:
        # without a name nothing tells before the purchase which machine it is
        outcome = await made.call(
            "restore_snapshot", **made.good("restore_snapshot") | {"lease_hours": 3, "name": None}
        )
        assert (outcome["outcome"], made.effects) == ("done", ["restore_snapshot"])
        assert "its lease could not be kept, so no reaping ends it" in outcome["message"]


# What one machine may cost


async def price(made: House, tool: str) -> Decimal:
    """What the machine costs per hour, by what is shown where its lease is an hour."""
    shown = (await made.call(tool, **made.good(tool) | {"lease_hours": 1}))["plan"]["bill"]
    line = next(each for each in shown if each.startswith("Its lease"))
    return Decimal(line.split(", ")[1].split(" ")[0].replace(",", ""))


@pytest.mark.promise("M2")
@pytest.mark.parametrize("unattended", [[], ["spend"]])
@pytest.mark.parametrize("tool", MACHINES)
async def test_a_machine_that_costs_more_over_its_lease_than_allowed_is_refused_and_so_is_one_without(
    tool: str, unattended: list[str]
) -> None:
    async with house() as made:
        hourly = await price(made, tool)
    limit: dict[str, Any] = {"max_machine_cost": hourly * 10}
    async with house(unattended=unattended, **limit) as made:
        arguments = made.good(tool)
        endless = await made.call(tool, **arguments)
        assert (endless["outcome"], "this call gives it none" in endless["message"]) == ("refused", True)
        long = await made.call(tool, **arguments, lease_hours=11)
        assert (long["outcome"], "over its lease this machine would cost more" in long["message"]) == ("refused", True)
        assert f"({hourly * 10} USD)" in long["message"]
        assert "BARRACK_" not in endless["message"] + long["message"]
        assert made.effects == []
        short = await made.call(tool, **arguments, lease_hours=10)
        assert short["outcome"] == ("done" if unattended else "approval_required")


async def test_a_default_lease_counts_for_what_a_machine_may_cost() -> None:
    async with house() as made:
        hourly = await price(made, "deploy_instance")
    for hours, outcome in ((10, "done"), (11, "refused")):
        async with house(unattended=["spend"], lease_hours=hours, max_machine_cost=hourly * 10) as made:
            assert (await made.call("deploy_instance", **made.good("deploy_instance")))["outcome"] == outcome


async def test_what_is_no_machine_is_not_held_to_what_one_may_cost() -> None:
    async with house(unattended=["spend"], max_machine_cost=Decimal("0.0001")) as made:
        for tool in ("create_volume", "create_snapshot", "resize_volume"):
            assert (await made.call(tool, **made.good(tool)))["outcome"] == "done"


def raise_prices(patch: pytest.MonkeyPatch) -> None:
    """Make all that is sold twice as dear."""
    for model, gpu in market.GPUS.items():
        patch.setitem(market.GPUS, model, replace(gpu, prices={name: 2 * each for name, each in gpu.prices.items()}))
    for kind, (tier, prices) in market.VOLUME_PRICES.items():
        patch.setitem(market.VOLUME_PRICES, kind, (tier, {name: 2 * each for name, each in prices.items()}))
    for name, each in market.SNAPSHOT_PRICES.items():
        patch.setitem(market.SNAPSHOT_PRICES, name, 2 * each)


@pytest.mark.promise("M2")
@pytest.mark.parametrize(("tool", "way"), [*zip(SPENDING, itertools.cycle(WAYS), strict=False)])
async def test_what_costs_more_than_was_shown_is_not_bought_but_asked_about_anew(
    tool: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def agrees(question: str) -> ElicitResult:
        if len(person.questions) == 1:
            raise_prices(monkeypatch)
        return says_yes(question)

    person = Person(agrees)
    async with house(era=way if way in ERAS else "auto", person=person if way in ERAS else None) as made:
        arguments = made.good(tool)
        told = await made.call(tool, **arguments)
        if way not in ERAS:
            await made.approvals.approve(told["approval"]["id"], by="a test")
            raise_prices(monkeypatch)
            told = await made.call(tool, **arguments)
        assert (told["outcome"], "changed since you were asked" in told["message"]) == ("refused", True)
        assert made.effects == []
        anew = await made.call(tool, **arguments)
        assert anew["outcome"] == ("done" if way in ERAS else "approval_required")
        assert len(person.questions) == (2 if way in ERAS else 0)


@pytest.mark.promise("M2")
@pytest.mark.parametrize("tool", MACHINES)
async def test_a_machine_that_has_become_too_dear_since_it_was_shown_is_refused_whatever_was_said(
    tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house() as made:
        hourly = await price(made, tool)
    async with house(max_machine_cost=hourly * 10) as made:
        arguments = made.good(tool) | {"lease_hours": 10}
        asked = await made.call(tool, **arguments)
        await made.approvals.approve(asked["approval"]["id"], by="a test")
        raise_prices(monkeypatch)
        told = await made.call(tool, **arguments)
        assert (told["outcome"], "over its lease this machine would cost more" in told["message"]) == ("refused", True)
        assert made.effects == []


def test_a_machine_is_known_by_its_id_before_its_name() -> None:
    def lease(instance: str) -> Lease:
        return Lease(
            account="a", instance=instance, since=0, until=1, hours=None, set_by="ann", set_at=0, how="set_lease"
        )

    both = {"BRK-1D": lease("BRK-1D"), "=train": lease("=train")}
    row = {"instance_id": "BRK-1D", "vm_name": "train"}
    assert lease_of(row, both) == both["BRK-1D"]
    assert lease_of(row | {"instance_id": "BRK-2D"}, both) == both["=train"]
    assert lease_of({"instance_id": "BRK-2D", "vm_name": "other"}, both) is None
