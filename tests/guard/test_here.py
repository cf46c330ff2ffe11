"""The person sits at the terminal where the call is made: they are asked there, also about what waits elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client
from mcp.types import ElicitResult

from barrack_mcp.catalogue import Operation
from barrack_mcp.guard.approvals import Status
from barrack_mcp.guard.decide import Mode
from barrack_mcp.server.tools import create_server
from tests.support.house import ASKING, ERAS, House, Person, house, says_yes

pytestmark = pytest.mark.anyio

HERE = "local:0 at a terminal"
NO, CLOSED = ElicitResult(action="decline"), ElicitResult(action="cancel")


@asynccontextmanager
async def terminal(
    made: House, answer: Callable[[str], ElicitResult | Awaitable[ElicitResult]], era: str = "auto"
) -> AsyncIterator[tuple[Person, Callable[..., Awaitable[dict[str, Any]]]]]:
    """Sit at a terminal of the same house: who is asked there, and what makes a call."""
    person, dispatcher = Person(answer), made.dispatcher
    server = create_server(dispatcher, lambda _: dispatcher.caller, at_terminal=True)
    async with Client(server, mode=era, elicitation_callback=person) as client:

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            return dict((await client.call_tool(tool, arguments)).structured_content or {})

        yield person, call


@pytest.mark.promise("G24")
@pytest.mark.parametrize(("operation", "era"), [(each, ERAS[at % 2]) for at, each in enumerate(ASKING)])
async def test_what_waits_elsewhere_is_asked_here_and_the_yes_is_that_requests_own(
    operation: Operation, era: str
) -> None:
    async with house() as made, terminal(made, says_yes, era) as (person, call):
        arguments = made.good(operation.tool)
        waiting = (await made.call(operation.tool, **arguments))["approval"]["id"]
        outcome = await call(operation.tool, **arguments)
        assert (outcome["outcome"], len(person.questions)) == ("done", 1), outcome
        assert (outcome["confirmed"]["how"], outcome["confirmed"]["by"]) == ("terminal", HERE)
        request = await made.approvals.find(waiting)
        assert (request.status, request.decided_by) == (Status.USED, HERE)
        assert await made.approvals.pending() == []
        assert made.effects == [operation.tool]


@pytest.mark.promise("G24")
@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.ELICIT])
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("meanwhile", ["approved", "approved and used", "denied", "lapsed", "asked for"])
async def test_answered_here_and_elsewhere_it_has_one_effect_at_most(meanwhile: str, era: str, mode: Mode) -> None:
    async with (
        house() as made,
        house(app=made.app, store=made.store, clock=made.clock, mode=mode, question_seconds=1000) as other,
    ):
        arguments = made.good("create_volume")
        waiting = "" if meanwhile == "asked for" else (await made.call("create_volume", **arguments))["approval"]["id"]

        async def answered_elsewhere(question: str) -> ElicitResult:
            if meanwhile.startswith("approved"):
                await made.approvals.approve(waiting, by="ada")
            if meanwhile == "approved and used":
                assert (await made.call("create_volume", **arguments))["outcome"] == "done"
            elif meanwhile == "denied":
                await made.approvals.deny(waiting, by="ada")
            elif meanwhile == "lapsed":
                made.clock.at += 600
                return says_yes(question)
            elif meanwhile == "asked for":
                assert (await made.call("create_volume", **arguments))["outcome"] == "approval_required"
            return says_yes(question)

        async with terminal(other, answered_elsewhere, era) as (person, call):
            outcome = await call("create_volume", **arguments)
        assert len(person.questions) == 1
        refused = meanwhile in ("denied", "approved and used")
        assert outcome["outcome"] == ("refused" if refused else "done"), outcome
        # and whoever made the call elsewhere makes it again: there is no second effect
        assert (await made.call("create_volume", **arguments))["outcome"] in ("approval_required", "refused")
        assert made.effects == (["create_volume"] if not refused or meanwhile == "approved and used" else [])


@pytest.mark.promise("G24")
@pytest.mark.parametrize("era", ERAS)
async def test_a_no_here_is_that_requests_answer_and_a_question_that_is_closed_lets_it_wait(era: str) -> None:
    async with house() as made:
        arguments = made.good("stop_instance")
        waiting = (await made.call("stop_instance", **arguments))["approval"]["id"]
        async with terminal(made, lambda _: CLOSED, era) as (_, call):
            outcome = await call("stop_instance", **arguments)
            assert (outcome["outcome"], "closed the question" in outcome["message"]) == ("refused", True)
        assert [each.id for each in await made.approvals.pending()] == [waiting]
        async with terminal(made, lambda _: NO, era) as (_, call):
            outcome = await call("stop_instance", **arguments)
            assert (outcome["outcome"], "person declined" in outcome["message"]) == ("refused", True)
        request = await made.approvals.find(waiting)
        assert (request.status, request.decided_by) == (Status.DENIED, HERE)
        assert "said no" in (await made.call("stop_instance", **arguments))["message"]
        assert made.effects == []


async def test_a_no_here_takes_back_a_yes_that_was_given_elsewhere_meanwhile() -> None:
    async with house() as made:
        arguments = made.good("stop_instance")
        waiting = (await made.call("stop_instance", **arguments))["approval"]["id"]

        async def too_late(_: str) -> ElicitResult:
            await made.approvals.approve(waiting, by="ada")
            return NO

        async with terminal(made, too_late) as (_, call):
            assert (await call("stop_instance", **arguments))["outcome"] == "refused"
        assert (await made.call("stop_instance", **arguments))["outcome"] == "refused"
        assert made.effects == []


async def test_a_yes_that_was_given_elsewhere_runs_and_nobody_is_asked_here() -> None:
    async with house() as made, terminal(made, says_yes) as (person, call):
        arguments = made.good("stop_instance")
        await made.approvals.approve((await made.call("stop_instance", **arguments))["approval"]["id"], by="ada")
        outcome = await call("stop_instance", **arguments)
        assert (outcome["outcome"], outcome["confirmed"]["by"], person.questions) == ("done", "ada", [])


async def test_where_people_are_asked_out_of_band_alone_a_terminal_is_no_way_round() -> None:
    async with house(mode=Mode.OUT_OF_BAND) as made, terminal(made, says_yes) as (person, call):
        arguments = made.good("stop_instance")
        waiting = await made.call("stop_instance", **arguments)
        assert (await call("stop_instance", **arguments))["approval"] == waiting["approval"]
        assert (person.questions, made.effects) == ([], [])


async def test_what_changed_since_the_request_was_made_is_asked_here_as_it_is_now() -> None:
    async with house() as made, terminal(made, says_yes) as (person, call):
        arguments = made.good("stop_instance")
        waiting = (await made.call("stop_instance", **arguments))["approval"]["id"]
        made.barrack.world("sim-key").instances[arguments["instance_id"]].name = "another"
        outcome = await call("stop_instance", **arguments)
        assert (outcome["outcome"], outcome["confirmed"]["how"]) == ("done", "terminal")
        assert "another" in person.questions[0]
        assert (await made.approvals.find(waiting)).status is Status.EXPIRED
        assert made.effects == ["stop_instance"]
