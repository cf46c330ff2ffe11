"""One caller can't use up another's share of the way to the API, nor of the people who approve."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest

from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.api.pace import AT_ONCE, OF_ONE, WAITING, Pace, sharing
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.guard.approvals import MOST_PENDING
from barrack_mcp.guard.ruling.call import Caller
from tests.support.answers import client
from tests.support.clock import Clock
from tests.support.house import house
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

LIST = BY_TOOL["list_instances"]


class Gate(httpx2.AsyncBaseTransport):
    """Keeps each request until it is let through, one by one, the first first."""

    def __init__(self) -> None:
        self.kept: list[anyio.Event] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        kept = anyio.Event()
        self.kept.append(kept)
        await kept.wait()
        return httpx2.Response(200, json={"success": True})

    async def let_through(self) -> None:
        """Answer the request that came first."""
        self.kept.pop(0).set()
        await settled()


class Crowd:
    """Callers of one client, and what came of their calls, in the order in which they ended."""

    def __init__(self, tasks: Any, **timing: Any) -> None:
        self.gate = Gate()
        # of the real time, more than any machine takes for this
        self.api = client(self.gate, seconds=60, timing={"per_minute": None, **timing})
        self.ended: list[str] = []
        self.failures: Counter[tuple[str, str]] = Counter()
        self._tasks = tasks

    async def send(self, who: str, calls: int = 1) -> None:
        """Let a caller make calls, all at once."""
        for _ in range(calls):
            self._tasks.start_soon(self._one, who)
        await settled()

    async def _one(self, who: str) -> None:
        with sharing(who):
            try:
                await self.api.send(LIST, {})
            except ApiError as error:
                self.failures[who, error.failure] += 1
            else:
                self.ended.append(who)


async def settled() -> None:
    for _ in range(60):
        await anyio.lowlevel.checkpoint()


@pytest.mark.promise("R3")
async def test_beside_one_who_floods_anothers_call_is_the_next_that_is_sent() -> None:
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            crowd = Crowd(tasks)
            await crowd.send("ada", 500)
            assert crowd.failures == {("ada", Failure.BUSY): 500 - AT_ONCE - WAITING}
            await crowd.send("ben", 3)
            # somebody who waits gives way, of the longest line, and is told so
            assert crowd.failures == {("ada", Failure.BUSY): 500 - AT_ONCE - WAITING + 3}
            # what was sent before ends first; of the sixteen, those that go on are not more than ada's share
            for _ in range(AT_ONCE + 6):
                await crowd.gate.let_through()
            assert crowd.ended.count("ben") == 3
            assert crowd.ended.index("ben") <= AT_ONCE + 1
            tasks.cancel_scope.cancel()


@pytest.mark.promise("R3")
async def test_once_there_are_several_one_never_holds_all_places() -> None:
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            crowd = Crowd(tasks)
            await crowd.send("ben")
            await crowd.send("ada", 500)
            assert len(crowd.gate.kept) == 1 + OF_ONE
            # a place is free at once, though hundreds wait
            await crowd.send("cat")
            assert len(crowd.gate.kept) == 2 + OF_ONE
            tasks.cancel_scope.cancel()


@pytest.mark.promise("R3")
async def test_those_who_wait_take_turns_whoever_came_first_and_however_many_each_has() -> None:
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            crowd = Crowd(tasks)
            for who in ("ada", "ben", "cat"):
                await crowd.send(who, 40)
            for _ in range(AT_ONCE + 36):
                await crowd.gate.let_through()
            # ada began with more than her share, and waits until it is one
            turns = Counter(crowd.ended[AT_ONCE + 6 :])
            assert max(turns.values()) - min(turns.values()) <= 1
            assert not crowd.failures
            tasks.cancel_scope.cancel()


@pytest.mark.promise("R3")
async def test_who_waits_least_is_turned_away_last() -> None:
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            crowd = Crowd(tasks)
            await crowd.send("ada", 600)
            await crowd.send("ben", 600)
            busy = {who: crowd.failures[who, Failure.BUSY] for who in ("ada", "ben")}
            waiting = {who: 600 - busy[who] for who in busy}
            assert waiting["ada"] + waiting["ben"] == AT_ONCE + WAITING
            assert waiting["ben"] == WAITING // 2
            tasks.cancel_scope.cancel()


@pytest.mark.promise("R3")
async def test_the_requests_of_a_minute_are_shared_too() -> None:
    clock = Clock()
    sent: list[str] = []
    pace = Pace(per_minute=40, now=clock, sleep=clock.sleep)

    async def send(who: str) -> None:
        with sharing(who):
            try:
                async with pace.turn(clock.at + 600):
                    sent.append(who)
                    await anyio.lowlevel.checkpoint()
            except ApiError as error:
                assert error.failure is Failure.THROTTLED  # noqa: PT017 - one of two ends

    async with anyio.create_task_group() as tasks:
        for _ in range(60):
            tasks.start_soon(send, "ada")
        for _ in range(5):
            tasks.start_soon(send, "ben")
    last = max(at for at, who in enumerate(sent) if who == "ben")
    assert sent.count("ben") == 5
    assert last < AT_ONCE + 2 * 5 + 1


@pytest.mark.promise("R3")
async def test_a_cancelled_call_leaves_neither_a_place_nor_a_line_behind() -> None:
    with anyio.fail_after(PATIENT_S):
        for _ in range(3):
            async with anyio.create_task_group() as tasks:
                crowd = Crowd(tasks)
                await crowd.send("ada", 100)
                await crowd.send("ben", 100)
                tasks.cancel_scope.cancel()
            async with anyio.create_task_group() as later:
                crowd._tasks = later  # noqa: SLF001 - its own
                crowd.gate.kept.clear()
                await crowd.send("cat")
                await crowd.gate.let_through()
            assert crowd.ended == ["cat"]


@pytest.mark.promise("H2")
async def test_one_caller_can_not_fill_the_page_of_those_who_approve() -> None:
    async with house() as made:

        async def ask(who: str, number: int) -> dict[str, Any]:
            wanted = made.good("create_volume") | {"name": f"{who}-{number}"}
            answer: Any = await made.dispatcher.call("create_volume", wanted, Caller(who, made.dispatcher.account))
            return dict(answer.structured)

        told = [await ask("ada", number) for number in range(MOST_PENDING + 2)]
        assert [each["outcome"] for each in told] == ["approval_required"] * MOST_PENDING + ["refused"] * 2
        assert f"{MOST_PENDING} requests of this caller's wait" in told[-1]["message"]
        assert (await ask("ben", 0))["outcome"] == "approval_required"
        # what waits already is found by the same call, as ever, and an answer makes room
        assert (await ask("ada", 0))["outcome"] == "approval_required"
        await made.approvals.deny(told[0]["approval"]["id"], by="cat")
        assert (await ask("ada", MOST_PENDING))["outcome"] == "approval_required"
        assert len(await made.approvals.pending()) == MOST_PENDING + 1
