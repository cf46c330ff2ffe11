"""A client that answers the question itself, with nobody there: no yes is made of it, and no person is blamed."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.types import CallToolResult, ElicitResult, InputRequiredResult

from barrack_mcp.catalogue import Operation
from barrack_mcp.guard.decide import Mode
from tests.support.house import ASKING, ERAS, Person, house, says_yes

pytestmark = pytest.mark.anyio

CANCEL, DECLINE = ElicitResult(action="cancel"), ElicitResult(action="decline")
BY_ITSELF = [(CANCEL, 0.0), (CANCEL, 60.0), (DECLINE, 0.0), (DECLINE, 0.49)]
"""What clients answer without a person, and after how many seconds."""
IN_TURN = [(operation, *BY_ITSELF[at % len(BY_ITSELF)]) for at, operation in enumerate(ASKING)]


def answers(reply: ElicitResult, after: float) -> Person:
    return Person(lambda _: reply, reads_s=after)


@pytest.mark.promise("G23")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("operation", "reply", "after"), IN_TURN)
async def test_what_a_client_answers_by_itself_leads_out_of_band_where_one_yes_has_one_effect(
    operation: Operation, reply: ElicitResult, after: float, era: str
) -> None:
    async with house(era=era, person=answers(reply, after)) as made:
        arguments = made.good(operation.tool)
        outcome = await made.call(operation.tool, **arguments)
        assert (outcome["outcome"], made.effects) == ("approval_required", [])
        assert "declined" not in outcome["message"]
        again = await made.call(operation.tool, **arguments)
        assert again["approval"]["id"] == outcome["approval"]["id"]
        asked = await made.approvals.find(again["approval"]["id"])
        await made.approvals.approve(asked.id, by="ada", typed=asked.must_type)
        assert (await made.call(operation.tool, **arguments))["outcome"] == "done"
        assert made.effects == [operation.tool]


@pytest.mark.promise("G23")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("reply", "after"), BY_ITSELF)
async def test_where_the_client_alone_may_ask_it_is_refused_and_nobody_is_blamed(
    reply: ElicitResult, after: float, era: str
) -> None:
    async with house(era=era, person=answers(reply, after), mode=Mode.ELICIT) as made:
        outcome = await made.call("stop_instance", **made.good("stop_instance"))
        assert (outcome["outcome"], made.effects) == ("refused", [])
        assert "was not answered by a person" in outcome["message"]
        assert "person declined" not in outcome["message"]
        assert await made.approvals.pending() == []


@pytest.mark.promise("G23")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.ELICIT])
async def test_a_no_that_took_as_long_as_reading_is_a_persons_and_asks_nobody_else(mode: Mode, era: str) -> None:
    async with house(era=era, person=answers(DECLINE, 0.5), mode=mode) as made:
        outcome = await made.call("stop_instance", **made.good("stop_instance"))
        assert (outcome["outcome"], made.effects) == ("refused", [])
        assert outcome["message"].startswith("The person declined. Nothing was sent")
        assert await made.approvals.pending() == []


@pytest.mark.promise("G4")
async def test_a_question_that_went_out_of_band_can_not_be_answered_through_the_client_after_all() -> None:
    async with house(person=answers(CANCEL, 0.0)) as made:
        arguments = made.good("create_volume")
        first = await made.client.session.call_tool("create_volume", arguments, allow_input_required=True)
        assert isinstance(first, InputRequiredResult)

        async def answered(reply: ElicitResult) -> dict[str, Any]:
            result = await made.client.session.call_tool(
                "create_volume", arguments, input_responses={"approval": reply}, request_state=first.request_state
            )
            assert isinstance(result, CallToolResult)
            return dict(result.structured_content or {})

        waiting = await answered(CANCEL)
        assert waiting["outcome"] == "approval_required"
        # sent once more, it is the same request; turned into a yes, it is none
        assert (await answered(CANCEL))["approval"] == waiting["approval"]
        assert (await answered(says_yes("Approve?")))["outcome"] == "refused"
        assert made.effects == []
        await made.approvals.approve(waiting["approval"]["id"], by="ada")
        assert (await made.call("create_volume", **arguments))["outcome"] == "done"
        assert (await answered(CANCEL))["outcome"] == "refused"
        assert made.effects == ["create_volume"]


async def test_what_changed_before_the_client_answered_by_itself_is_asked_as_it_is_then() -> None:
    person = answers(CANCEL, 0.0)
    async with house(person=person) as made:
        arguments = made.good("stop_instance")
        machine = made.barrack.world("sim-key").instances[arguments["instance_id"]]

        def shut(_: str) -> ElicitResult:
            made.barrack.world("sim-key").set_status(machine, "SHUTOFF")
            return CANCEL

        person.answer = shut
        outcome = await made.call("stop_instance", **arguments)
        assert (outcome["outcome"], outcome["plan"]["target"]["status"]) == ("refused", "SHUTOFF")
        assert await made.approvals.pending() == []
