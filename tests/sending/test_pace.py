"""Turns to send: 16 at once, 256 waiting, 400 a minute."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest

from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.api.pace import AT_ONCE, PER_MINUTE, WAITING, Pace
from barrack_mcp.catalogue import BY_TOOL
from tests.support.answers import Answers, client, json
from tests.support.clock import Clock
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

LIST = BY_TOOL["list_instances"]
GOOD = json({"success": True})


class Crowd(httpx2.AsyncBaseTransport):
    """Keeps all requests until told, and counts how many were there at once."""

    def __init__(self) -> None:
        self.go = anyio.Event()
        self.here = 0
        self.most = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.here += 1
        self.most = max(self.most, self.here)
        try:
            await self.go.wait()
            return httpx2.Response(200, json={"success": True})
        finally:
            self.here -= 1


async def outcome(api: Any, outcomes: Counter[str]) -> None:
    try:
        await api.send(LIST, {})
    except ApiError as error:
        outcomes["sent after all" if error.attempts or error.uncertain else error.failure] += 1
    else:
        outcomes["done"] += 1


async def settled() -> None:
    for _ in range(50):
        await anyio.lowlevel.checkpoint()


@pytest.mark.promise("R3")
async def test_of_500_calls_at_once_16_are_sent_256_wait_and_the_rest_is_told_busy() -> None:
    crowd = Crowd()
    api = client(crowd, timing={"per_minute": None})
    outcomes: Counter[str] = Counter()
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            for _ in range(500):
                tasks.start_soon(outcome, api, outcomes)
            await settled()
            assert outcomes == {Failure.BUSY: 500 - AT_ONCE - WAITING}
            assert crowd.here == AT_ONCE
            crowd.go.set()
    assert crowd.most == AT_ONCE
    assert outcomes == {"done": AT_ONCE + WAITING, Failure.BUSY: 500 - AT_ONCE - WAITING}


async def test_a_call_that_waits_its_time_out_was_never_sent() -> None:
    crowd = Crowd()
    api = client(crowd, seconds=0.2)
    outcomes: Counter[str] = Counter()
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            async with anyio.create_task_group() as first:
                for _ in range(AT_ONCE + 3):
                    first.start_soon(outcome_or_silence, api, outcomes)
            tasks.cancel_scope.cancel()
    assert outcomes[Failure.BUSY] == 3


async def outcome_or_silence(api: Any, outcomes: Counter[str]) -> None:
    with pytest.raises(ApiError) as error:
        await api.send(BY_TOOL["stop_instance"], {"instance_id": "BRK-1D"})
    outcomes[error.value.failure] += 1


async def test_a_turn_that_comes_too_late_by_the_clock_is_given_back() -> None:
    clock = Clock()
    pace = Pace(per_minute=None, now=clock, sleep=clock.sleep)
    for _ in range(AT_ONCE + 1):
        with pytest.raises(ApiError, match="nothing was sent") as error:
            async with pace.turn(clock.at - 1):
                pytest.fail("too late")
        assert error.value.failure is Failure.BUSY
    async with pace.turn(clock.at + 1):
        pass


async def test_a_cancelled_call_leaves_its_place_to_the_next() -> None:
    crowd = Crowd()
    api = client(crowd, timing={"per_minute": None})
    outcomes: Counter[str] = Counter()
    with anyio.fail_after(PATIENT_S):
        for _ in range(3):
            async with anyio.create_task_group() as tasks:
                for _ in range(AT_ONCE + WAITING):
                    tasks.start_soon(outcome, api, outcomes)
                await settled()
                assert crowd.here == AT_ONCE
                tasks.cancel_scope.cancel()
            assert not outcomes
        crowd.go.set()
        await outcome(api, outcomes)
    assert outcomes == {"done": 1}


async def test_no_minute_holds_more_than_400_requests_and_they_come_evenly() -> None:
    clock = Clock()
    sent: list[float] = []

    async def noted() -> httpx2.Response:
        sent.append(clock.at)
        return GOOD

    api = client(Answers(noted), seconds=30, clock=clock)
    for _ in range(900):
        await api.send(LIST, {})
    for start, at in enumerate(sent):
        assert len([other for other in sent[start:] if other < at + 60 - 1e-6]) <= PER_MINUTE
    pauses = [later - earlier for earlier, later in itertools.pairwise(sent[150:])]
    assert max(pauses) < 0.3
    assert sum(pauses) == pytest.approx(0.2 * len(pauses), rel=0.01)


async def test_a_burst_beyond_the_time_of_the_call_is_told_at_once_when_to_come_back() -> None:
    clock = Clock()
    transport = Answers(GOOD)
    api = client(transport, seconds=5, clock=clock, timing={"per_minute": 40})
    for _ in range(10):
        await api.send(LIST, {})
    assert not clock.slept
    for _ in range(2):
        await api.send(LIST, {})
    assert clock.slept == pytest.approx([2, 2])
    held = client(transport, seconds=1, clock=clock, timing={"per_minute": 4})
    await held.send(LIST, {})
    with pytest.raises(ApiError) as error:
        await held.send(LIST, {})
    assert error.value.failure is Failure.THROTTLED
    assert error.value.retry_after == pytest.approx(20)
    assert "at most 4 requests a minute" in error.value.words
    assert error.value.attempts == 0


async def test_a_turn_that_is_cancelled_while_it_waits_is_not_counted() -> None:
    clock = Clock()
    asleep = anyio.Event()

    async def forever(_: float) -> None:
        asleep.set()
        await anyio.sleep_forever()

    pace = Pace(per_minute=4, now=clock, sleep=forever)
    async with pace.turn(clock.at + 100):
        pass
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:

            async def turn() -> None:
                async with pace.turn(clock.at + 100):
                    pytest.fail("not its turn")

            tasks.start_soon(turn)
            await asleep.wait()
            tasks.cancel_scope.cancel()
    clock.at += 20
    async with pace.turn(clock.at):
        pass


async def test_beside_other_servers_a_request_waits_as_long_as_all_of_them_have_to() -> None:
    clock = Clock()
    asked: list[float] = []
    delays = iter([0.0, 3.0, 7.0, 0.0])

    async def claim(most: float) -> float:
        asked.append(most)
        await anyio.lowlevel.checkpoint()
        return next(delays)

    pace = Pace(per_minute=PER_MINUTE, now=clock, sleep=clock.sleep, claim=claim)
    for patience in (5, 5):
        async with pace.turn(clock.at + patience):
            pass
    assert clock.slept == [3.0]
    # the second is told by what is known since the first, and nobody is asked
    for _ in range(2):
        with pytest.raises(ApiError, match="share a state send together at most 400 requests a minute") as error:
            async with pace.turn(clock.at + 5):
                pytest.fail("not its turn")
        assert error.value.failure is Failure.THROTTLED
        assert error.value.retry_after == pytest.approx(7)
    assert asked == pytest.approx([5, 5, 5])
    clock.at += 7
    async with pace.turn(clock.at + 5):
        pass
    assert clock.slept == pytest.approx([3.0])


async def test_a_server_without_a_limit_claims_nothing() -> None:
    clock = Clock()

    async def claim(_: float) -> float:
        pytest.fail("nobody has to be asked")

    pace = Pace(per_minute=None, now=clock, sleep=clock.sleep, claim=claim)
    async with pace.turn(clock.at + 1):
        pass
