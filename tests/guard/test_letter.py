"""The guard to the letter: what a refusal still shows, what is told of a question, and how a call came to pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from mcp.types import ElicitResult

from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.guard.ruling import Passed, Shown
from tests.support.clock import Clock
from tests.support.house import House, Person, house, says_yes

pytestmark = pytest.mark.anyio


def says_no(_: str) -> ElicitResult:
    return ElicitResult(action="decline")


async def test_whoever_is_refused_by_a_person_at_the_client_still_sees_the_plan() -> None:
    async with house(era="legacy", person=Person(says_no)) as made:
        for tool in ("delete_instance", "deploy_instance", "reboot_instance"):
            outcome = await made.call(tool, **made.good(tool))
            assert (outcome["outcome"], outcome["plan"]["risk"]) == ("refused", BY_TOOL[tool].risk), tool
        assert made.effects == []


@pytest.mark.parametrize("person", [Person(says_yes), None], ids=["asked", "out of band"])
async def test_what_a_person_is_asked_is_told_word_for_word_or_by_the_request_that_holds_it(
    person: Person | None,
) -> None:
    told: list[Shown] = []

    async def on_shown(shown: Shown) -> None:
        told.append(shown)

    async with house(person=person, on_shown=on_shown) as made:
        outcome = await made.call("reboot_instance", **made.good("reboot_instance"))
        assert [shown.question for shown in told] == ([None] if person is None else person.questions)
        assert [shown.approval for shown in told] == ([outcome["approval"]["id"]] if person is None else [None])


async def test_the_same_arguments_in_another_order_are_the_same_call() -> None:
    async with house() as made:
        arguments = made.good("deploy_instance")
        first = await made.call("deploy_instance", **arguments)
        again = await made.call("deploy_instance", **dict(reversed(arguments.items())))
        assert again["approval"]["id"] == first["approval"]["id"]


async def passed(made: House, tool: str, **changed: Any) -> Passed:
    caller = made.dispatcher.caller
    values = made.good(tool) | changed
    ruling = await made.dispatcher.guard.rule(BY_TOOL[tool], values, replace(caller))
    assert isinstance(ruling, Passed), ruling
    await ruling.turn.give_back()
    return ruling


async def test_a_call_that_passes_says_how_and_by_which_request() -> None:
    async with house(unattended=["spend"], max_hourly_cost=None, clock=Clock()) as made:
        assert (await passed(made, "deploy_instance")).how == "unattended"
        assert (await passed(made, "create_ssh_key")).how == "never asks"
        asked = await made.dispatcher.guard.rule(
            BY_TOOL["reboot_instance"], made.good("reboot_instance"), made.dispatcher.caller
        )
        waiting = (await made.approvals.pending())[0]
        assert not isinstance(asked, Passed)
        await made.approvals.approve(waiting.id, by="ada", typed=waiting.must_type)
        agreed = await passed(made, "reboot_instance")
        assert (agreed.how, agreed.approval) == ("approved by ada", waiting.id)
        assert agreed.plan is not None
        assert agreed.read is not None
