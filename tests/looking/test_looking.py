"""When we look, how long, and what is said; and what a state of an instance proves."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.dispatch.writes.looking.look import LOOKS_AT, look, look_with, note
from tests.looking.scripted import DOWN, GONE, ID, Script, judged, vm

pytestmark = pytest.mark.anyio


async def test_an_effect_that_comes_late_is_waited_for_and_then_seen_at_once() -> None:
    sleeps: list[float] = []
    answers = [vm(), vm(), vm(status="STOPPING"), vm(status="SHUTOFF")]
    looked = await judged("stop_instance", ID, sleeps=sleeps, get_instance=answers)
    assert looked.outcome == "done"
    assert sleeps == [1]
    assert looked.result == {**ID, "status": "STOPPING"}
    assert looked.sentence == (
        "It took place all the same, as get_instance shows: it was ACTIVE before, and is STOPPING now. "
        "It was sent once."
    )


async def test_what_is_not_seen_in_three_looks_is_unknown_and_says_where_to_look() -> None:
    sleeps: list[float] = []
    looked = await judged("stop_instance", ID, sleeps=sleeps, get_instance=vm())
    assert list(LOOKS_AT) == [0, 1, 3]
    assert sleeps == [1, 2]
    assert looked.outcome == "unknown"
    assert looked.look_with == look_with(BY_TOOL["stop_instance"], ID)
    assert looked.sentence == (
        "Whether it took effect is not known: it is ACTIVE. It was sent once and is not sent again by itself; look "
        "with get_instance before doing it again, or it may happen (and cost) twice."
    )


async def test_an_api_that_fails_while_we_look_is_asked_again() -> None:
    looked = await judged("stop_instance", ID, get_instance=[vm(), DOWN, DOWN, vm(status="SHUTOFF")])
    assert looked.outcome == "done"
    looked = await judged("stop_instance", ID, get_instance=[vm(), DOWN])
    assert "the API did not answer when we looked" in looked.sentence


async def test_without_a_reading_from_before_nothing_is_read_or_claimed() -> None:
    script = Script({"get_instance": DOWN})
    assert await note(BY_TOOL["stop_instance"], ID, read=script) is None
    looked = await look(BY_TOOL["stop_instance"], ID, before=None, sent_at=0, read=script)
    assert looked.outcome == "unknown"
    assert len(script.reads) == 1


async def test_looking_ends_with_its_time() -> None:
    async def never(tool: str, arguments: JsonObject) -> JsonObject:
        await anyio.sleep_forever()
        raise AssertionError(tool, arguments)

    before = await note(BY_TOOL["stop_instance"], ID, read=Script({"get_instance": vm()}))
    with anyio.fail_after(10):
        assert await note(BY_TOOL["stop_instance"], ID, read=never, seconds=0.05) is None
        for seconds in (0.05, 0):
            looked = await look(BY_TOOL["stop_instance"], ID, before=before, sent_at=0, read=never, seconds=seconds)
            assert looked.outcome == "unknown"


@pytest.mark.parametrize(
    ("tool", "was", "now", "words"),
    [
        ("stop_instance", "SHUTOFF", "SHUTOFF", "it was SHUTOFF before the call, too"),
        ("start_instance", "starting", "ACTIVE", "it was STARTING before the call, too"),
        ("stop_instance", None, "SHUTOFF", "not known, so that nothing seen now proves anything"),
        ("stop_instance", "ACTIVE", None, "its state is not told now"),
        ("stop_instance", "ACTIVE", "\x1b[31m", "it is «\\u001b[31M»"),
        ("reboot_instance", "ACTIVE", "ACTIVE", "it is ACTIVE, as it would be either way"),
        ("reboot_instance", "ACTIVE", "SHUTOFF", "it is SHUTOFF"),
    ],
)
async def test_a_state_that_proves_nothing_is_not_taken_for_proof(
    tool: str, was: str | None, now: str | None, words: str
) -> None:
    looked = await judged(tool, ID, get_instance=[vm(status=was), vm(status=now)])
    assert looked.outcome == "unknown"
    assert words in looked.sentence


async def test_where_looking_again_can_tell_no_more_there_is_one_look() -> None:
    sleeps: list[float] = []
    await judged("stop_instance", ID, sleeps=sleeps, get_instance=vm(status="SHUTOFF"))
    assert sleeps == []


async def test_an_instance_that_is_gone_or_unreadable_has_not_stopped() -> None:
    unreadable: list[Any] = [GONE, {}, {"instance": {}}, {"instance": "what"}]
    for after in unreadable:
        looked = await judged("stop_instance", ID, get_instance=[vm(), after])
        assert looked.outcome == "unknown"
