"""Waiting for a thing: few looks at the right times, an end as soon as it is known, and honest words on every other."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barrack_mcp.account.reading import Reader, reader
from barrack_mcp.account.things import Thing
from barrack_mcp.account.waiting import Beat, End, Goal, Waited, next_look, state_of, wait
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.catalogue.kinds import FIREWALL, IMAGE, INSTANCE, KINDS, SNAPSHOT, VOLUME, Usually
from barrack_mcp.simulator import create_app
from tests.support.clock import Clock
from tests.support.patience import PATIENT_S
from tests.support.simulation import Simulation, simulated

pytestmark = pytest.mark.anyio

THREE_MINUTES = 180.0


@dataclass
class Waiter(Simulation):
    """Somebody who waits, on a clock that moves when they sleep."""

    clock: Clock
    read: Reader
    beats: list[Beat] = field(default_factory=list)

    async def wait(self, goal: Goal, *, seconds: float = 600, **more: Any) -> Waited:
        async def tell(beat: Beat) -> None:
            self.beats.append(beat)

        usual: dict[str, Any] = {
            "read": self.read, "tell": tell, "now": self.clock, "sleep": self.clock.sleep, "wall": lambda: 0.0,
        }  # fmt: skip
        return await wait(goal, seconds=seconds, **usual | more)

    @property
    def looks(self) -> int:
        """How often the things were looked at."""
        return len([method for method, _ in self.sent if method == "GET"])

    async def do(self, tool: str, **arguments: Any) -> JsonObject:
        """Do something at the API."""
        return dict(await self.api.send(BY_TOOL[tool], self.good(tool) | arguments))


@asynccontextmanager
async def waiter() -> AsyncIterator[Waiter]:
    clock = Clock()
    async with simulated(app=create_app(now=clock, speed=1)) as made:
        yield Waiter(api=made.api, app=made.app, clock=clock, read=reader(made.api))


def scripted(*answers: JsonObject | ApiError, kind: Any = INSTANCE) -> tuple[Reader, list[JsonObject | ApiError]]:
    """A reader that answers with each in its turn; the last one stays."""
    made: list[JsonObject | ApiError] = []

    async def read(tool: str, arguments: JsonObject) -> JsonObject:
        assert (tool, list(arguments)) == (kind.get_tool, [kind.arguments[0]])
        answer = answers[min(len(made), len(answers) - 1)]
        made.append(answer)
        if isinstance(answer, ApiError):
            raise answer
        return {BY_TOOL[tool].result or "": answer}

    return read, made


async def ended(*answers: JsonObject | ApiError, goal: Goal | None = None, seconds: float = 600) -> Waited:
    """What came of waiting for what answers so."""
    clock = Clock()
    goal = goal or Goal(INSTANCE, "BRK-1D")
    read, _ = scripted(*answers, kind=goal.kind)

    async def hear(_: Beat) -> None: ...

    return await wait(goal, read=read, seconds=seconds, tell=hear, now=clock, sleep=clock.sleep, wall=lambda: 0.0)


@pytest.mark.promise("M4")
def test_three_minutes_hold_eight_looks_at_most_however_long_it_usually_takes() -> None:
    for tenths in range(12_000):
        at, looks = 0.0, 0
        while at <= THREE_MINUTES:
            at, looks = next_look(at, tenths / 10), looks + 1
        assert looks <= 8, tenths / 10


@given(usual=st.floats(20, 1_200), gone_by=st.floats(0, 2_000))
def test_the_next_look_comes_later_and_none_steps_over_the_usual_end(usual: float, gone_by: float) -> None:
    at = next_look(gone_by, usual)
    assert at > gone_by
    assert gone_by >= usual or at <= usual + 1


@pytest.mark.promise("M4")
async def test_a_deployment_of_three_minutes_takes_eight_looks_at_most_and_its_end_is_seen_within_a_second() -> None:
    async with waiter() as made:
        done = await made.do("deploy_instance")
        before = made.looks
        waited = await made.wait(Goal(INSTANCE, done["data"]["instance_id"], ("ACTIVE",)))
        assert (waited.end, waited.state) == (End.THERE, "ACTIVE")
        assert made.looks - before <= 8
        assert THREE_MINUTES <= waited.seconds <= THREE_MINUTES + 1


@pytest.mark.promise("M4")
@pytest.mark.parametrize(
    ("tool", "kind", "way", "wanted"),
    [
        ("start_instance", INSTANCE, "STARTING", "ACTIVE"),
        ("stop_instance", INSTANCE, "STOPPING", "SHUTOFF"),
        ("reboot_instance", INSTANCE, "REBOOTING", "ACTIVE"),
        ("hibernate_instance", INSTANCE, "HIBERNATING", "HIBERNATED"),
        ("restore_instance", INSTANCE, "RESTORING", "ACTIVE"),
        ("create_snapshot", SNAPSHOT, "CREATING", "available"),
        ("create_custom_image", IMAGE, "CREATING", "available"),
        ("create_volume", VOLUME, "CREATING", "available"),
    ],
)
async def test_what_takes_as_long_as_it_usually_does_is_seen_to_be_over_within_a_second(
    tool: str, kind: Any, way: str, wanted: str
) -> None:
    async with waiter() as made:
        given = made.good(tool)
        done = await made.do(tool)
        made_thing = done.get(BY_TOOL[tool].result or "") or {}
        at = Thing(kind, made_thing).id or given["instance_id"]
        before, usual = made.looks, kind.ways[way].least
        waited = await made.wait(Goal(kind, at, (wanted,), left=tool == "reboot_instance", way=way))
        assert waited.end is End.THERE
        assert made.looks - before <= 8
        assert waited.seconds <= usual + 1


async def test_what_is_heard_meanwhile_grows_and_comes_often_enough_for_whoever_would_give_up() -> None:
    async with waiter() as made:
        done = await made.do("deploy_instance")
        await made.wait(Goal(INSTANCE, done["data"]["instance_id"]))
        times = [beat.seconds for beat in made.beats]
        assert times == sorted(times)
        assert all(later - earlier <= 11 for earlier, later in itertools.pairwise(times))
        assert {beat.state for beat in made.beats} == {"CREATING", "BUILD"}
        assert made.beats[-1].usually.in_words == "3 to 10 minutes"


@pytest.mark.parametrize("word", ["ERROR", "error", "FAILED"])
@pytest.mark.parametrize("goal", [Goal(INSTANCE, "BRK-1D"), Goal(INSTANCE, "BRK-1D", ("ACTIVE",), way="STARTING")])
@pytest.mark.promise("M4")
async def test_a_failure_ends_it_at_once_with_the_reason_that_the_api_gives(word: str, goal: Goal) -> None:
    row = {"status": word, "fault": {"message": "No host was found"}}
    waited = await ended({"status": "BUILD"}, row, goal=goal)
    assert (waited.end, waited.reason) == (End.FAILED, "«No host was found»")
    assert waited.seconds <= 8
    assert (await ended(row, goal=Goal(INSTANCE, "BRK-1D", ("ERROR",)))).end in (End.THERE, End.FAILED)


async def test_a_state_that_nobody_knows_is_one_on_the_way_never_a_failure() -> None:
    waited = await ended(*[{"status": "REPAINTING"}] * 3, {"status": "UNKNOWN"}, {"status": "ACTIVE"})
    assert (waited.end, waited.state) == (End.THERE, "ACTIVE")
    late = await ended({"status": "UNKNOWN"}, seconds=60)
    assert (late.end, late.state, late.seconds) == (End.LATE, "UNKNOWN", 60)


async def test_what_rests_in_another_state_is_told_soon_and_not_waited_for_to_the_end() -> None:
    waited = await ended({"status": "SHUTOFF"}, goal=Goal(INSTANCE, "BRK-1D", ("ACTIVE",)))
    assert waited.end is End.ELSEWHERE
    assert 20 <= waited.seconds <= 60
    soon = [{"status": "SHUTOFF"}] * 2 + [{"status": "STARTING"}, {"status": "ACTIVE"}]
    assert (await ended(*soon, goal=Goal(INSTANCE, "BRK-1D", ("ACTIVE",)))).end is End.THERE


async def test_what_was_sent_on_its_way_may_show_nothing_of_that_for_as_long_as_it_may_take() -> None:
    goal = Goal(VOLUME, "BRK-1V", ("available",), way="DETACHING")
    slow = [{"status": "in-use"}] * 4 + [{"status": "available"}]
    assert (await ended(*slow, goal=goal)).end is End.THERE
    waited = await ended({"status": "in-use"}, goal=goal)
    assert waited.end is End.ELSEWHERE
    assert waited.seconds >= VOLUME.ways["DETACHING"].most


async def test_a_thing_that_tells_no_state_is_not_taken_for_settled() -> None:
    waited = await ended({"instance_id": "BRK-1D"})
    assert (waited.end, waited.state) == (End.ELSEWHERE, "")


async def test_a_reboot_is_over_once_it_was_seen_under_way_or_must_be() -> None:
    goal = Goal(INSTANCE, "BRK-1D", ("ACTIVE",), left=True, way="REBOOTING")
    seen = await ended({"status": "ACTIVE"}, {"status": "REBOOTING"}, {"status": "ACTIVE"}, goal=goal)
    unseen = await ended({"status": "ACTIVE"}, goal=goal)
    assert (seen.end, unseen.end) == (End.THERE, End.THERE)
    assert unseen.seconds >= INSTANCE.ways["REBOOTING"].least


NOT_FOUND = ApiError(Failure.REJECTED, "Not found", status=404)


@pytest.mark.parametrize(
    ("goal", "answers", "end"),
    [
        (Goal(INSTANCE, "BRK-1D"), [NOT_FOUND], End.GONE),
        (Goal(INSTANCE, "BRK-1D", ("ACTIVE",)), [{"status": "BUILD"}, NOT_FOUND], End.GONE),
        (Goal(INSTANCE, "BRK-1D", ("DELETED",)), [{"status": "DELETING"}, NOT_FOUND], End.THERE),
        (Goal(INSTANCE, "BRK-1D"), [{"status": "DELETING"}, NOT_FOUND], End.THERE),
        (Goal(INSTANCE, "BRK-1D", ("ACTIVE",), new=True), [NOT_FOUND, NOT_FOUND, {"status": "ACTIVE"}], End.THERE),
        (Goal(INSTANCE, "BRK-1D", ("ACTIVE",), new=True), [NOT_FOUND], End.GONE),
    ],
)
async def test_what_is_not_there_is_gone_new_or_deleted_as_was_wanted(goal: Goal, answers: list[Any], end: End) -> None:
    assert (await ended(*answers, goal=goal)).end is end


@pytest.mark.parametrize(
    ("failure", "times", "end"),
    [
        (Failure.BROKEN, 2, End.THERE),
        (Failure.SILENT, 2, End.THERE),
        (Failure.THROTTLED, 2, End.THERE),
        (Failure.UNREACHABLE, 3, End.UNREAD),
        (Failure.UNAUTHORISED, 1, End.UNREAD),
        (Failure.REJECTED, 1, End.UNREAD),
    ],
)
async def test_reads_that_fail_on_the_way_are_borne_within_bounds(failure: Failure, times: int, end: End) -> None:
    waited = await ended({"status": "BUILD"}, *[ApiError(failure, "No")] * times, {"status": "ACTIVE"})
    assert waited.end is end
    assert (waited.error is not None) == (end is End.UNREAD)
    assert waited.state == ("ACTIVE" if end is End.THERE else "BUILD")


async def test_an_api_that_asks_for_patience_is_not_asked_before() -> None:
    clock = Clock()
    read, made = scripted(ApiError(Failure.THROTTLED, "No", retry_after=90.0), {"status": "ACTIVE"})

    async def hear(_: Beat) -> None: ...

    goal = Goal(INSTANCE, "BRK-1D")
    waited = await wait(goal, read=read, seconds=600, tell=hear, now=clock, sleep=clock.sleep)
    assert (waited.end, len(made)) == (End.THERE, 2)
    assert waited.seconds >= 90


async def test_who_goes_on_waiting_for_what_is_in_the_making_looks_when_it_should_be_over() -> None:
    clock = Clock()
    begun = clock() - 150
    row = {"status": "BUILD", "created_at": datetime.fromtimestamp(begun, UTC).isoformat()}
    made: list[float] = []

    async def read(tool: str, arguments: JsonObject) -> JsonObject:  # noqa: ARG001 - a reader's own names
        made.append(clock())
        return {"instance": row | ({"status": "ACTIVE"} if clock() >= begun + 180 else {})}

    async def hear(_: Beat) -> None: ...

    waited = await wait(
        Goal(INSTANCE, "BRK-1D"), read=read, seconds=240, tell=hear, now=clock, sleep=clock.sleep, wall=clock
    )
    assert waited.end is End.THERE
    assert waited.seconds <= 31
    assert len(made) == 2


@pytest.mark.promise("M4")
async def test_a_cancelled_wait_looks_no_more() -> None:
    looked, asleep = [], anyio.Event()

    async def read(tool: str, arguments: JsonObject) -> JsonObject:  # noqa: ARG001 - a reader's own names
        looked.append(1)
        return {"instance": {"status": "BUILD"}}

    async def sleep(_: float) -> None:
        asleep.set()
        await anyio.sleep_forever()

    async def hear(_: Beat) -> None: ...

    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                lambda: wait(Goal(INSTANCE, "BRK-1D"), read=read, seconds=600, tell=hear, now=Clock(), sleep=sleep)
            )
            await asleep.wait()
            tasks.cancel_scope.cancel()
    assert looked == [1]


@pytest.mark.parametrize(
    ("thing", "state"),
    [
        (Thing(VOLUME, {"status": "in-use", "attachment": {"status": "ATTACHING"}}), "ATTACHING"),
        (Thing(VOLUME, {"status": "in-use", "attachment": {"status": "SUCCESS"}}), "in-use"),
        (Thing(VOLUME, {"status": "available", "attachment": None}), "available"),
        (
            Thing(FIREWALL, {"status": "SUCCESS", "attachments": [{"status": "ATTACHING"}, {"status": "ERROR"}]}),
            "ERROR",
        ),
        (Thing(FIREWALL, {"status": "SUCCESS", "attachments": [{"status": "SUCCESS"}, 7]}), "SUCCESS"),
        (Thing(INSTANCE, {"status": "ACTIVE", "attachments": [{"status": "ATTACHING"}]}), "ACTIVE"),
    ],
)
def test_what_is_being_attached_is_on_its_way(thing: Thing, state: str) -> None:
    assert state_of(thing) == state


@pytest.mark.parametrize(
    ("usually", "words"),
    [
        (Usually(20, 60), "within a minute"),
        (Usually(30, 120), "within 2 minutes"),
        (Usually(60, 120), "1 to 2 minutes"),
        (Usually(180, 600), "3 to 10 minutes"),
    ],
)
def test_how_long_something_usually_takes_is_said_in_minutes(usually: Usually, words: str) -> None:
    assert usually.in_words == words


def test_every_state_that_a_kind_rests_in_is_none_on_the_way() -> None:
    for kind in KINDS:
        resting = {name.upper() for rest in kind.rests for name in rest}
        assert not resting & kind.ways.keys(), kind.type
        assert all(way == way.upper() for way in kind.ways), kind.type
