"""Every write through the whole house, into every fault: one effect, and one honest outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio
import pytest

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation
from barrack_mcp.dispatch.writes.ledger import belongs
from tests.support.house import House, house
from tests.support.pairs import pairs
from tests.support.patience import PATIENT_S
from tests.support.running import EVERY_RISK

pytestmark = pytest.mark.anyio

WRITES = [operation for operation in OPERATIONS if not operation.reads]
REPEATED = [operation for operation in WRITES if belongs(operation)]
UNATTENDED = tuple(EVERY_RISK.split(","))
HASTE_S = 0.6
"""Time for a call whose answer never comes; its reads have a share of that."""

FAULTS: dict[str, dict[str, Any]] = {
    "reset": {"action": "reset"},
    "stall": {"action": "stall"},
    "drip": {"action": "slow"},
    "truncate": {"action": "truncate"},
    "garbage": {"action": "garbage"},
    "huge": {"action": "status", "status": 200, "body": {"message": "x" * 5_000_000}},
    "redirect": {"action": "redirect"},
    **{str(status): {"action": "status", "status": status} for status in (500, 502, 503, 504)},
}
NEVER_ENDS = ("stall", "drip")

each_write = pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.tool)


def befallen(faults: Iterable[str]) -> pytest.MarkDecorator:
    """Every write and one fault, and every fault and one write of each method; what never ends takes its time."""
    return pytest.mark.parametrize(
        ("operation", "fault"),
        pairs(WRITES, faults, ids=_named, marks=lambda fault: pytest.mark.slow if fault in NEVER_ENDS else ()),
    )


def _named(part: Operation | str) -> str:
    return part if isinstance(part, str) else part.tool


def sent(made: House, operation: Operation, arguments: dict[str, Any]) -> int:
    """Count the requests that the API got for this write."""
    path = operation.path.format_map(arguments)
    return made.sent.count((operation.method, path))


async def ruined(operation: Operation, fault: str, **more: Any) -> tuple[dict[str, Any], list[str], int]:
    """Call a write into a fault; answer what was told, what took place, and how often it was sent."""
    async with house(unattended=UNATTENDED, seconds=HASTE_S if fault in NEVER_ENDS else 30) as made:
        arguments = made.good(operation.tool)
        made.play({"method": operation.method, **FAULTS[fault], **more})
        outcome = await made.call(operation.tool, **arguments)
        return outcome, made.effects, sent(made, operation, arguments)


@pytest.mark.promise("N3")
@befallen(FAULTS)
async def test_a_write_whose_answer_is_lost_is_done_once_and_said_to_be(operation: Operation, fault: str) -> None:
    with anyio.fail_after(PATIENT_S):
        outcome, effects, requests = await ruined(operation, fault, after_effect=True)
    assert effects == [operation.tool]
    assert requests == 1
    assert outcome["outcome"] == "done", outcome
    assert "It was sent once." in outcome["message"]


@pytest.mark.promise("N3")
@befallen(fault for fault in FAULTS if fault != "drip")  # whose effect takes place first
async def test_a_write_that_is_lost_on_its_way_is_unknown_and_never_done(operation: Operation, fault: str) -> None:
    with anyio.fail_after(PATIENT_S):
        outcome, effects, requests = await ruined(operation, fault)
    assert effects == []
    assert requests == 1
    assert outcome["outcome"] == "unknown", outcome
    assert BY_TOOL[outcome["look_with"]["tool"]].reads


@pytest.mark.promise("N2")
@each_write
async def test_a_write_that_the_api_throttles_twice_is_done_once_and_no_look_is_needed(operation: Operation) -> None:
    async with house(unattended=UNATTENDED) as made:
        arguments = made.good(operation.tool)
        made.play({"method": operation.method, "action": "status", "status": 429, "times": 2})
        outcome = await made.call(operation.tool, **arguments)
        assert outcome["outcome"] == "done", outcome
        assert made.effects == [operation.tool]
        assert sent(made, operation, arguments) == 3


@pytest.mark.promise("N9")
@pytest.mark.parametrize("operation", REPEATED, ids=lambda operation: operation.tool)
async def test_what_nobody_knows_the_outcome_of_is_not_done_again_until_somebody_has_looked(
    operation: Operation,
) -> None:
    blind = {"method": "GET", "action": "status", "status": 500, "times": 1_000}
    async with house(unattended=UNATTENDED) as made:
        arguments = made.good(operation.tool)
        made.play({"method": operation.method, "action": "reset", "after_effect": True}, blind)
        first = await made.call(operation.tool, **arguments)
        assert first["outcome"] == "unknown", first
        for _ in range(3):
            held = await made.call(operation.tool, **arguments)
            assert held["outcome"] == "refused"
            assert held["look_with"] == first["look_with"]
            assert "nobody knows whether it took place" in held["message"]
        assert made.effects == [operation.tool]
        # a look that fails tells nothing
        assert (await made.call(**_called(first)))["outcome"] == "failed"
        assert (await made.call(operation.tool, **arguments))["outcome"] == "refused"
        made.play()
        assert "outcome" not in await made.call(**_called(first))
        again = await made.call(operation.tool, **arguments)
        # a snapshot has one image, so the plan itself refuses another
        assert again["outcome"] in {"done", "failed"} or operation.tool == "create_custom_image", again
        assert "nobody knows" not in again["message"]


def _called(outcome: dict[str, Any]) -> dict[str, Any]:
    return {"tool": outcome["look_with"]["tool"], **outcome["look_with"]["arguments"]}


async def test_what_is_open_is_held_back_before_a_person_is_asked() -> None:
    async with house(unattended=UNATTENDED) as made:
        arguments = made.good("create_volume")
        made.play(
            {"method": "POST", "action": "reset", "after_effect": True},
            {"method": "GET", "action": "status", "status": 500, "times": 1_000},
        )
        await made.call("create_volume", **arguments)
        async with house(app=made.app, store=made.store) as asking:
            assert (await asking.call("create_volume", **arguments))["outcome"] == "refused"
            assert await asking.approvals.pending() == []
