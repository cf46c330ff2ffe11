"""Every write, and every way to lose its answer: one effect, and never a word too much about it."""

from __future__ import annotations

import anyio
import pytest

from barrack_mcp.account.pages import presented
from barrack_mcp.catalogue import BY_TOOL, Operation
from tests.looking.asking import FAULTS, WRITES, lost, on_a_socket
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

each_write = pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.tool)

ONLY_FOR_A_WHILE = {"reboot_instance"}
"""Writes whose effect can't be seen any more once the thing has settled."""

SETTLED_S = 400.0


@each_write
async def test_a_write_whose_answer_is_lost_takes_place_once_and_is_seen(operation: Operation) -> None:
    with anyio.fail_after(PATIENT_S):
        async with lost() as room:
            looked = await room.through(operation.tool, FAULTS["truncate"] | {"after_effect": True})
            assert room.effects == [operation.tool]
            assert looked.outcome == "done", looked.sentence
            assert looked.result
            assert "unexpected" not in presented(operation, looked.result, {})
            assert "It was sent once." in looked.sentence


@each_write
async def test_a_write_that_never_took_place_is_never_done(operation: Operation) -> None:
    with anyio.fail_after(PATIENT_S):
        async with lost() as room:
            looked = await room.through(operation.tool, FAULTS["reset"])
            assert room.effects == []
            assert looked.outcome == "unknown"
            assert looked.result is None


@each_write
async def test_what_has_settled_by_the_time_we_look_is_still_seen_or_unknown(operation: Operation) -> None:
    async with lost() as room:
        looked = await room.through(operation.tool, FAULTS["reset"] | {"after_effect": True}, wait=SETTLED_S)
        assert room.effects == [operation.tool]
        assert looked.outcome == ("unknown" if operation.tool in ONLY_FOR_A_WHILE else "done"), looked.sentence


@each_write
async def test_time_alone_makes_nothing_done(operation: Operation) -> None:
    async with lost() as room:
        looked = await room.through(operation.tool, FAULTS["reset"], wait=SETTLED_S)
        assert room.effects == []
        assert looked.outcome == "unknown", looked.sentence


@each_write
async def test_without_a_reading_from_before_an_old_state_is_no_proof(operation: Operation) -> None:
    """The same call once more, after it took place: nothing changes, and nothing may be claimed."""
    async with lost() as room:
        values = room.good(operation.tool)
        await room.send(operation.tool, values, action="reset", after_effect=True)
        room.barrack.clock.advance(SETTLED_S)
        looked = await room.looked(operation.tool, values, None)
        assert looked.outcome == "unknown", looked.sentence


@each_write
async def test_a_second_call_on_top_of_an_effect_claims_nothing(operation: Operation) -> None:
    async with lost() as room:
        values = room.good(operation.tool)
        await room.send(operation.tool, values, action="reset", after_effect=True)
        room.barrack.clock.advance(SETTLED_S)
        before = await room.note(operation.tool, values)
        sent_at = room.barrack.clock.now()
        await room.send(operation.tool, values, action="reset")
        looked = await room.looked(operation.tool, values, before, sent_at=sent_at)
        assert room.effects == [operation.tool]
        assert looked.outcome == "unknown", looked.sentence


@each_write
async def test_looking_reads_alone_and_stops_as_soon_as_it_sees(operation: Operation) -> None:
    async with lost() as room:
        await room.through(operation.tool, FAULTS["reset"] | {"after_effect": True})
        assert all(BY_TOOL[tool].reads for tool, _ in room.reads)
        assert len(room.reads) <= 3


async def test_at_least_nine_in_ten_are_done_whether_we_look_at_once_or_later() -> None:
    cases = [(operation, wait) for operation in WRITES for wait in (0.0, 30.0, SETTLED_S)]
    done = 0
    for operation, wait in cases:
        async with lost() as room:
            looked = await room.through(operation.tool, FAULTS["truncate"] | {"after_effect": True}, wait=wait)
            done += looked.outcome == "done"
    assert done / len(cases) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "writes"), [("reset", WRITES), ("truncate", WRITES), ("stall", WRITES[::5])])
async def test_it_holds_on_a_real_connection_too(fault: str, writes: list[Operation]) -> None:
    with anyio.fail_after(PATIENT_S):
        async with on_a_socket() as room:
            for operation in writes:
                room.barrack.reset()
                looked = await room.through(operation.tool, FAULTS[fault] | {"after_effect": True})
                assert room.effects == [operation.tool]
                assert looked.outcome == "done", looked.sentence
