"""One change at a time for an account: limits hold for many at once, and what was checked is what is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp import Client
from mcp.types import ElicitResult

from barrack_mcp.guard.turns import BusyError, Turn, Turns
from barrack_mcp.simulator import create_app
from barrack_mcp.state.owner import process
from barrack_mcp.state.store import SqliteStore, StoreError
from tests.support.clock import Clock
from tests.support.guarding import HOLD_S
from tests.support.house import ERAS, House, Person, house, says_yes
from tests.support.patience import PATIENT_S
from tests.support.running import EVERY_RISK, environment, listening, product

pytestmark = pytest.mark.anyio

EVERYTHING = EVERY_RISK.split(",")
GONE = f"{process().rpartition('/')[0]}/999999999#dead"
"""The name of a process of this machine that is no more."""


def purchase(made: House, at: int) -> dict[str, Any]:
    return dict(made.good("deploy_instance")) | {"name": f"bought-{at}"}


async def hourly(made: House) -> tuple[Decimal, Decimal]:
    """What all costs per hour, and what one purchase adds to it."""
    asked = await made.call("deploy_instance", **purchase(made, 0))
    cost = asked["plan"]["cost"]
    price = Decimal(str(cost["hourly_after"]))
    return Decimal(str(cost["account_hourly_after"])) - price, price


async def at_once(made: House, count: int) -> list[str]:
    """Buy so many at once; what came of each."""
    outcomes: list[str] = []

    async def one(at: int) -> None:
        outcomes.append((await made.call("deploy_instance", **purchase(made, at)))["outcome"])

    async with anyio.create_task_group() as tasks:
        for at in range(count):
            tasks.start_soon(one, at)
    return outcomes


# Limits


@pytest.mark.promise("G18")
async def test_fifty_purchases_at_once_pass_no_hourly_limit() -> None:
    async with house() as made:
        now, price = await hourly(made)
    async with house(unattended=["spend"], max_hourly_cost=now + price * Decimal("2.5")) as made:
        outcomes = await at_once(made, 50)
        assert (outcomes.count("done"), outcomes.count("refused")) == (2, 48)
        assert made.effects == ["deploy_instance"] * 2


@pytest.mark.promise("G18")
async def test_fifty_purchases_at_once_leave_the_runway_that_the_operator_wants() -> None:
    async with house() as made:
        now, price = await hourly(made)
        balance = Decimal(str((await made.call("get_credit_balance"))["balance"]["amount"]))
    async with house(unattended=["spend"], min_runway_hours=balance / (now + price * Decimal("3.5"))) as made:
        outcomes = await at_once(made, 50)
        assert (outcomes.count("done"), outcomes.count("refused")) == (3, 47)
        assert made.effects == ["deploy_instance"] * 3


@pytest.mark.promise("G18")
async def test_purchases_that_a_person_approved_one_by_one_pass_no_limit_together() -> None:
    async with house() as made:
        now, price = await hourly(made)
    async with house(max_hourly_cost=now + price * Decimal("2.5")) as made:
        assert set(await at_once(made, 12)) == {"approval_required"}
        for asked in await made.approvals.pending():
            await made.approvals.approve(asked.id, by="ada")
        outcomes = await at_once(made, 12)
        # each yes is also held to the sum that it showed
        assert 1 <= outcomes.count("done") <= 2
        assert made.effects == ["deploy_instance"] * outcomes.count("done")


@pytest.mark.promise("G18")
@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_purchases_to_which_the_client_s_person_said_yes_pass_no_limit_together(era: str) -> None:
    async with house() as made:
        now, price = await hourly(made)
    person = Person(says_yes)
    async with house(era=era, person=person, max_hourly_cost=now + price * Decimal("1.5")) as made:
        outcomes = await at_once(made, 8)
        assert (outcomes.count("done"), outcomes.count("refused")) == (1, 7)
        assert made.effects == ["deploy_instance"]


@pytest.mark.slow
@pytest.mark.promise("G18")
async def test_two_processes_on_one_state_pass_no_limit_together() -> None:
    async with house() as made:
        now, price = await hourly(made)
        wanted = [purchase(made, at) for at in range(12)]
    app = create_app(now=lambda: 0.0)
    with anyio.fail_after(PATIENT_S):
        async with listening(app) as address:
            settings = environment(
                BARRACK_API_URL=f"{address}/api",
                BARRACK_API_KEY="sim-key",
                BARRACK_UNATTENDED="spend",
                BARRACK_MAX_HOURLY_COST=str(now + price * Decimal("2.5")),
            )
            settings = {name: value for name, value in settings.items() if name.startswith("BARRACK_")}
            async with product(settings=settings) as one, product(settings=settings) as other:
                outcomes: list[str] = []

                async def buy(client: Client, arguments: dict[str, Any]) -> None:
                    told = (await client.call_tool("deploy_instance", arguments)).structured_content or {}
                    outcomes.append(told["outcome"])

                async with anyio.create_task_group() as tasks:
                    for at, arguments in enumerate(wanted):
                        tasks.start_soon(buy, (one, other)[at % 2], arguments)
    assert (outcomes.count("done"), outcomes.count("refused")) == (2, 10)
    assert [each["operation"] for each in app.state.barrack.journal] == ["deploy_instance"] * 2


# What was checked is what is sent


@pytest.mark.promise("G18")
@pytest.mark.parametrize("later", [0, 3, 10, 30, 100, 300, 1000])
async def test_no_script_is_exchanged_between_the_last_look_at_it_and_the_machine_that_runs_it(later: int) -> None:
    asked = anyio.Event()

    def agrees(question: str) -> ElicitResult:
        asked.set()
        return says_yes(question)

    async with house(person=Person(agrees), era="legacy") as made:
        script = made.state["scripts"][0]
        outcomes: dict[str, str] = {}

        async def deploy() -> None:
            arguments = dict(made.good("deploy_instance")) | {"startup_script_id": script["id"]}
            outcomes["deploy"] = (await made.call("deploy_instance", **arguments))["outcome"]

        async def swap() -> None:
            await asked.wait()
            for _ in range(later):
                await anyio.lowlevel.checkpoint()
            swapped = await made.call("update_startup_script", script_id=script["id"], script="#!/bin/sh\nevil")
            outcomes["swap"] = swapped["outcome"]

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(deploy)
            tasks.start_soon(swap)
        assert outcomes["swap"] == "done"
        if outcomes["deploy"] == "done":
            assert made.effects == ["deploy_instance", "update_startup_script"]
        else:
            assert (outcomes["deploy"], made.effects) == ("refused", ["update_startup_script"])


@pytest.mark.promise("G18")
async def test_between_the_last_look_and_the_sending_of_a_change_no_other_change_is_sent() -> None:
    async with house(unattended=EVERYTHING, protect=("nothing-here",)) as made:
        calls = [(tool, made.good(tool)) for tool in ("stop_instance", "create_volume", "create_firewall")]
        calls += [("create_startup_script", {"name": f"s-{at}", "script": "#!/bin/sh\n"}) for at in range(5)]

        async def one(tool: str, arguments: dict[str, Any]) -> None:
            await made.call(tool, **arguments)

        async with anyio.create_task_group() as tasks:
            for tool, arguments in calls:
                tasks.start_soon(one, tool, arguments)
        assert sorted(made.effects) == sorted(tool for tool, _ in calls)
        stopped = made.sent.index(("POST", f"/instances/{calls[0][1]['instance_id']}/stop/"))
        assert all(method == "GET" for method, _ in made.sent[stopped - 3 : stopped])


# The turn itself


async def taken(turns: Turns, account: str, into: list[Turn]) -> None:
    into.append(await turns.take(account))


async def test_calls_of_a_process_get_their_turns_in_the_order_in_which_they_came() -> None:
    order: list[int] = []
    async with SqliteStore(":memory:") as store:
        turns = Turns(store, hold=HOLD_S)

        async def one(at: int) -> None:
            turn = await turns.take("a")
            order.append(at)
            await turn.give_back()

        async with anyio.create_task_group() as tasks:
            for at in range(20):
                tasks.start_soon(one, at)
        assert order == list(range(20))
        assert await store.line(DIGEST_OF_A) == []


async def test_another_account_waits_for_nobody() -> None:
    async with SqliteStore(":memory:") as store:
        turns, hasty = Turns(store, hold=HOLD_S, patience=60), Turns(store, hold=HOLD_S, patience=0.01)
        held = await turns.take("a")
        await (await turns.take("b")).give_back()
        with pytest.raises(BusyError, match=r"since \d\d:\d\d:\d\d UTC"):
            await hasty.take("a")
        await held.give_back()
        await held.give_back()
        await (await turns.take("a")).give_back()


async def test_whoever_waits_too_long_or_is_cancelled_leaves_no_place_behind() -> None:
    async with SqliteStore(":memory:") as store:
        one, other = Turns(store, hold=HOLD_S), Turns(store, hold=HOLD_S, patience=0.05)
        held = await one.take("a")
        with pytest.raises(BusyError):
            await other.take("a")
        with anyio.move_on_after(0.02):
            await one.take("a")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other.take, "a")
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        await held.give_back()
        with anyio.fail_after(PATIENT_S):
            await (await one.take("a")).give_back()


async def test_a_turn_whose_process_is_gone_or_whose_time_is_over_holds_up_nobody() -> None:
    clock = Clock()
    async with SqliteStore(":memory:", now=clock) as store:
        turns, hasty = (Turns(store, now=clock, hold=HOLD_S, patience=patience) for patience in (60, 0.05))
        first = await turns.take("a")
        account = (await store.line(DIGEST_OF_A))[0].account
        await first.give_back()
        await store.line_up(account, GONE, until=clock.at + 1000)
        await (await turns.take("a")).give_back()
        await store.line_up(account, "elsewhere//1#abcd", until=clock.at + 1000)
        with pytest.raises(BusyError):
            await hasty.take("a")
        clock.at += 1000
        mine = await turns.take("a")
        lapsed = [mine.lapsed]
        clock.at += HOLD_S + 61
        assert [*lapsed, mine.lapsed] == [False, True]
        await mine.give_back()


DIGEST_OF_A = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


async def test_a_turn_that_can_not_be_given_back_in_the_state_is_given_back_here() -> None:
    class Full(SqliteStore):
        full = False

        async def leave(self, place: Any) -> None:
            if self.full:
                raise StoreError("full")
            await super().leave(place)

    async with Full(":memory:") as store:
        turns = Turns(store, hold=HOLD_S, patience=1)
        turn = await turns.take("a")
        store.full = True
        await turn.give_back()
        store.full = False
        await (await turns.take("a")).give_back()


async def test_a_call_whose_turn_does_not_come_is_refused_says_since_when_and_uses_up_no_yes() -> None:
    clock = Clock()
    async with house(clock=clock, turns={"patience": 0.05}) as made:
        arguments = made.good("stop_instance")
        asked = await made.call("stop_instance", **arguments)
        await made.approvals.approve(asked["approval"]["id"], by="ada")
        other = Turns(made.store, now=clock, hold=HOLD_S)
        turn = await other.take(made.dispatcher.account.id)
        held = await made.call("stop_instance", **arguments)
        assert held["outcome"] == "refused"
        assert "another change of this account has been under way since 13:46:40 UTC" in held["message"]
        assert made.effects == []
        await turn.give_back()
        assert (await made.call("stop_instance", **arguments))["outcome"] == "done"
        assert made.effects == ["stop_instance"]


async def test_whoever_waits_for_a_person_holds_up_nobody() -> None:
    asked, answer = anyio.Event(), anyio.Event()

    async def thinks(question: str) -> Any:
        asked.set()
        await answer.wait()
        return says_yes(question)

    async with house(era="legacy", person=Person(thinks)) as made, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: made.call("stop_instance", **made.good("stop_instance")))
        await asked.wait()
        with anyio.fail_after(PATIENT_S):
            assert (await made.call("create_firewall", **made.good("create_firewall")))["outcome"] == "done"
        answer.set()
    assert made.effects == ["create_firewall", "stop_instance"]


class Late:
    """The simulator, on which reading the volumes takes hours by the clock of whoever asks."""

    def __init__(self, clock: Clock) -> None:
        self._app: Any = create_app(now=lambda: 0.0)
        self.state = self._app.state
        self._clock = clock
        self.late = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)
        if self.late and (scope["method"], scope["path"]) == ("GET", "/api/volumes/"):
            self._clock.at += 10_000


async def test_what_took_too_long_before_it_was_sent_is_not_sent() -> None:
    clock = Clock()
    app = Late(clock)
    async with house(app=app, clock=clock, unattended=EVERYTHING, turns={"patience": 1}) as made:
        told = await made.call("create_volume", **made.good("create_volume"))
        assert (told["outcome"], "too much time" in told["message"]) == ("refused", True)
        assert made.effects == []
        app.late = False
        assert (await made.call("create_volume", **made.good("create_volume")))["outcome"] == "done"


# Who waits is told so

WAITS = "Waiting: another change of this account is under way, and one is made at a time. This one waits 30 s at most."


class Gate:
    """The simulator, which takes no change until its gate is open."""

    def __init__(self) -> None:
        self._app: Any = create_app(now=lambda: 0.0)
        self.state = self._app.state
        self.reached, self.opened = anyio.Event(), anyio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] != "GET":
            self.reached.set()
            await self.opened.wait()
        await self._app(scope, receive, send)


class Listener:
    """A client's ear for progress."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []
        self.first = anyio.Event()

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG002 - as the SDK names them
        self.heard.append(message)
        self.first.set()


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_waits_for_another_call_says_so_once_to_a_client_that_wants_to_hear(era: str) -> None:
    gate, listener = Gate(), Listener()
    async with house(era=era, app=gate, unattended=EVERYTHING) as made:
        stop, later = made.good("stop_instance"), made.good("create_firewall")

        async def create() -> None:
            await made.client.call_tool("create_firewall", later, progress_callback=listener)

        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: made.call("stop_instance", **stop))
                await gate.reached.wait()
                tasks.start_soon(create)
                await listener.first.wait()
                assert made.effects == []
                gate.opened.set()
        assert (listener.heard, made.effects) == ([WAITS], ["stop_instance", "create_firewall"])
        await made.client.call_tool("start_instance", stop, progress_callback=listener)
        assert listener.heard == [WAITS]


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_waits_for_another_process_says_so_too(era: str) -> None:
    listener = Listener()
    async with house(era=era, unattended=EVERYTHING) as made:
        other = Turns(made.store, now=made.clock, hold=HOLD_S)
        turn = await other.take(made.dispatcher.account.id)

        async def create() -> None:
            await made.client.call_tool("create_firewall", made.good("create_firewall"), progress_callback=listener)

        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(create)
                await listener.first.wait()
                assert made.effects == []
                await turn.give_back()
        assert (listener.heard, made.effects) == ([WAITS], ["create_firewall"])
