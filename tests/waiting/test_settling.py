"""`wait_seconds`: a change is done, given its turn back, and then waited for; whatever ends that, it stays done."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation
from barrack_mcp.dispatch.waits import UNHEARD_S
from barrack_mcp.simulator import create_app
from tests.support.clock import Clock
from tests.support.house import ERAS, House, Person, house, says_yes
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

FREE = ["spend", "interrupt", "expose", "destroy"]
WAITING = [operation for operation in OPERATIONS if operation.settles is not None]
LISTENS: Any = {"progress_token": "one"}
"""What a client sends along that wants to hear how its call goes on; in this process nobody else would."""
OFTEN = 12.0
"""Seconds between two words at most."""


@asynccontextmanager
async def moving(**more: Any) -> AsyncIterator[House]:
    """A house whose simulator moves with its clock, second by second."""
    clock = Clock()
    async with house(clock=clock, app=create_app(now=clock, speed=1), **{"unattended": FREE} | more) as made:
        yield made


class Heard:
    """What a client hears while its call goes on."""

    def __init__(self) -> None:
        self.all: list[tuple[float, float | None, str]] = []

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.all.append((progress, total, message or ""))


async def called(made: House, tool: str, *, heard: Heard | None = None, **arguments: Any) -> JsonObject:
    """What a call answers to a client that listens, or that doesn't."""
    result = await made.client.call_tool(
        tool, made.good(tool) | arguments, progress_callback=heard, meta=LISTENS if heard else None
    )
    return dict(result.structured_content or {})


@pytest.mark.promise("M4")
@pytest.mark.parametrize("operation", WAITING, ids=lambda operation: operation.tool)
async def test_what_takes_its_time_is_waited_for_and_stands_as_it_should(operation: Operation) -> None:
    async with moving() as made:
        outcome = await called(made, operation.tool, heard=Heard(), wait_seconds=600)
        assert outcome["outcome"] == "done", outcome
        assert outcome["settled"]["ended"] == "there", outcome
        settles = operation.settles
        assert settles is not None
        assert outcome["settled"]["status"].upper() in {name.upper() for name in settles.kind.names_of(settles.state)}
        assert outcome["settled"]["seconds"] <= settles.usually.least + 1
        assert "Next: " not in outcome["message"]
        assert "look_with" not in outcome
        assert made.effects == [operation.tool]
        assert all("wait_seconds" not in (effect["body"] or {}) for effect in made.barrack.journal)


@pytest.mark.promise("M4")
@pytest.mark.parametrize("era", ERAS)
async def test_a_machine_is_bought_and_awaited_by_one_call_and_eight_looks(era: str) -> None:
    heard = Heard()
    async with moving(era=era, unattended=(), person=Person(says_yes)) as made:
        outcome = await called(made, "deploy_instance", heard=heard, wait_seconds=600)
        assert outcome["settled"] == {"ended": "there", "status": "ACTIVE", "seconds": 180} | {
            "public_ip": outcome["settled"]["public_ip"]
        }
        assert outcome["confirmed"]["how"] == "elicited"
        assert (
            f"is ACTIVE now, after 180 s of waiting; its public IP is {outcome['settled']['public_ip']}."
            in (outcome["message"])
        )
        since = made.sent[made.sent.index(("POST", "/instances/deploy/")) + 1 :]
        assert len([path for _, path in since if path.startswith("/instances/")]) <= 8
    told = [progress for progress, _, _ in heard.all]
    assert all(earlier < later for earlier, later in itertools.pairwise(told))
    assert max(later - earlier for earlier, later in itertools.pairwise(told)) <= OFTEN
    assert any("is CREATING" in words and "it usually takes 3 to 10 minutes" in words for _, _, words in heard.all)
    assert {round(total or 0) for progress, total, _ in heard.all if 1 < progress < 179} == {180}


async def test_a_client_that_hears_nothing_is_answered_before_it_gives_up_and_told_how_to_go_on() -> None:
    async with moving() as made:
        outcome = await called(made, "deploy_instance", wait_seconds=600)
        assert outcome["outcome"] == "done"
        assert outcome["settled"]["ended"] == "late"
        assert outcome["settled"]["seconds"] == UNHEARD_S
        assert outcome["look_with"]["tool"] in ("get_instance", "wait_for_status")
        assert "is still CREATING after 45 s of waiting; it usually takes 3 to 10 minutes." in outcome["message"]


async def test_what_fails_after_it_was_done_is_told_as_that_with_the_reason() -> None:
    async with moving() as made:
        broken = {"success": True, "instance": {"instance_id": "BRK-1D", "status": "ERROR", "fault": "No host found"}}
        made.play({"method": "GET", "path": "*", "action": "status", "status": 200, "body": broken, "times": 99})
        outcome = await called(made, "deploy_instance", heard=Heard(), wait_seconds=600)
        assert outcome["outcome"] == "done"
        assert (outcome["settled"]["ended"], outcome["settled"]["status"]) == ("failed", "ERROR")
        assert "is ERROR now: «No host found»." in outcome["message"]


async def test_the_account_is_free_for_the_next_change_while_somebody_waits() -> None:
    async with moving() as made, anyio.create_task_group() as tasks:
        asleep, wake = anyio.Event(), anyio.Event()

        async def sleep(_: float) -> None:
            asleep.set()
            await wake.wait()
            made.clock.at += 600

        object.__setattr__(made.dispatcher.account, "sleep", sleep)
        waited: list[JsonObject] = []

        async def wait() -> None:
            waited.append(await called(made, "deploy_instance", heard=Heard(), wait_seconds=600))

        with anyio.fail_after(PATIENT_S):
            tasks.start_soon(wait)
            await asleep.wait()
            other = await called(made, "create_firewall")
            assert other["outcome"] == "done"
            wake.set()
    assert waited[0]["settled"]["ended"] == "there"


@pytest.mark.promise("M4")
@pytest.mark.parametrize("era", ERAS)
async def test_a_cancel_ends_the_waiting_and_not_what_was_done(era: str) -> None:
    async with moving(era=era) as made:
        asleep, ended = anyio.Event(), anyio.Event()

        async def sleep(_: float) -> None:
            asleep.set()
            try:
                await anyio.sleep_forever()
            finally:
                ended.set()

        object.__setattr__(made.dispatcher.account, "sleep", sleep)
        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: called(made, "deploy_instance", heard=Heard(), wait_seconds=600))
                await asleep.wait()
                sent = len(made.sent)
                tasks.cancel_scope.cancel()
            await ended.wait()
        assert len(made.sent) == sent
        assert made.effects == ["deploy_instance"]


@pytest.mark.parametrize("seconds", [0, 601, -1])
async def test_how_long_to_wait_has_its_bounds(seconds: int) -> None:
    async with moving() as made:
        outcome = await called(made, "start_instance", wait_seconds=seconds)
        assert outcome["outcome"] == "refused"
        assert outcome["message"].startswith("wait_seconds: must be 1 to 600 seconds.")
        assert made.effects == []


async def test_how_long_to_wait_is_no_part_of_what_a_person_agrees_to() -> None:
    async with moving(unattended=()) as made:
        first = await called(made, "hibernate_instance", wait_seconds=60)
        assert first["outcome"] == "approval_required"
        again = await called(made, "hibernate_instance", wait_seconds=90)
        assert again["approval"]["id"] == first["approval"]["id"]
