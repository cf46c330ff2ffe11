"""Servers that share a Redis send together no more than one of them might."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
import httpx2
import pytest

from barrack_mcp.api.pace import BURST, PER_MINUTE
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.state.store.redis.link import SECONDS, Link
from barrack_mcp.state.store.redis.rate import ALONE_S, HOLDS_S, TOGETHER, Rate
from barrack_mcp.state.store.redis.scripts import ROOM
from tests.support.answers import Answers, client, json
from tests.support.clock import Clock
from tests.support.patience import PATIENT_S
from tests.support.redis import RedisServer, need_redis

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LIST = BY_TOOL["list_instances"]
EVENLY_S = (60 + HOLDS_S) / (PER_MINUTE - BURST)
PATIENT = 600.0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    need_redis()
    with RedisServer(tmp_path) as server:
        yield server


@asynccontextmanager
async def servers(redis: RedisServer, count: int, **more: Any) -> AsyncIterator[list[Rate]]:
    """Servers that share a Redis and an account, each with connections of its own."""
    links = [Link(redis.url) for _ in range(count)]
    try:
        yield [Rate(link, "an account", per_minute=PER_MINUTE, burst=BURST, **more) for link in links]
    finally:
        for link in links:
            await link.aclose()


async def at_once(rate: Rate) -> int:
    """How many requests a server sends before one has to wait."""
    count = 0
    while not await rate.claim(0):
        count += 1
    return count


async def claim_all(rate: Rate, count: int) -> list[float]:
    """Claim for so many at once."""
    delays: list[float] = []

    async def claim() -> None:
        delays.append(await rate.claim(PATIENT))

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(claim)
    return delays


@pytest.mark.promise("H6")
async def test_two_servers_send_together_no_more_than_400_requests_in_any_minute(redis: RedisServer) -> None:
    sent: list[float] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    async def noted() -> httpx2.Response:
        # nobody waits here: it is counted for when it would have been sent
        sent.append(monotonic() + (slept.pop() if slept else 0.0))
        return json({"success": True})

    async with servers(redis, 2) as rates:
        timing = {"now": monotonic, "sleep": sleep}
        both = [client(Answers(noted), seconds=PATIENT, timing=timing | {"claim": rate.claim}) for rate in rates]
        for _ in range(500):
            for api in both:
                await api.send(LIST, {})
    sent.sort()
    assert len(sent) == 1_000
    for start, at in enumerate(sent):
        # what was claimed may be sent two seconds later than it might have been
        assert sum(other < at + 60 for other in sent[start : start + PER_MINUTE + 1]) <= PER_MINUTE
    # and they wait no longer than that takes
    assert sent[-1] - sent[0] <= (len(sent) - BURST + 2 * TOGETHER) * (EVENLY_S + 0.001)
    # what is kept of it is one number, until it says nothing any more
    (kept,) = redis.says("KEYS", "*").splitlines()
    assert kept.startswith(f"{ROOM}:pace:")
    assert 0 < int(redis.says("TTL", kept)) <= PATIENT


@pytest.mark.promise("H6")
async def test_beside_a_server_that_floods_another_waits_for_what_that_had_under_way(redis: RedisServer) -> None:
    async with servers(redis, 2) as (floods, other):
        await at_once(floods)
        delays = await claim_all(floods, 16)
        assert max(delays) <= 16.5 * EVENLY_S
        assert 0 < await other.claim(PATIENT) <= 17.5 * EVENLY_S
        # who can't wait that long is told how long it is, and takes nothing from who can
        told = [await other.claim(0) for _ in range(50)]
        assert max(told) <= 18.5 * EVENLY_S
        assert await floods.claim(PATIENT) <= 18.5 * EVENLY_S


@pytest.mark.promise("H6")
async def test_what_many_servers_claim_and_do_not_send_leaves_a_part_of_the_burst_to_who_comes(
    redis: RedisServer,
) -> None:
    async with servers(redis, 21) as (busy, *idle):
        for each in idle:
            assert not await each.claim(0)
        assert await at_once(busy) >= BURST // 2 - len(idle)


@pytest.mark.promise("H4")
async def test_while_redis_is_gone_a_server_goes_on_by_its_own_pace(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    async with servers(redis, 2, now=clock) as (rate, other):
        await at_once(other)
        assert await rate.claim(0) > 0
        redis.kill()
        assert [await rate.claim(0) for _ in range(50)] == [0.0] * 50
        assert caplog.text.count("each server keeps to its own requests a minute") == 1
        redis.start()
        await at_once(other)
        # it is asked again only after a while
        assert await rate.claim(0) == 0
        clock.at += ALONE_S
        assert await rate.claim(0) > 0


@pytest.mark.promise("H4")
async def test_while_redis_is_slow_only_who_finds_that_out_waits_for_it(redis: RedisServer) -> None:
    clock = Clock()
    async with servers(redis, 1, now=clock) as (rate,):
        redis.signal(signal.SIGSTOP)
        began = monotonic()
        assert await claim_all(rate, 16) == [0.0] * 16
        # not once for each of the sixteen
        assert monotonic() - began < 8 * SECONDS
        clock.at += ALONE_S
        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(rate.claim, 0.0)
                await anyio.wait_all_tasks_blocked()
                began = monotonic()
                assert await rate.claim(0) == 0
                assert monotonic() - began < SECONDS / 2
                redis.signal(signal.SIGCONT)
        # the one that asked was answered, and claimed some more
        clock.at += HOLDS_S
        assert await at_once(rate) < BURST


async def test_what_was_claimed_and_not_sent_in_time_is_not_sent_on_it(redis: RedisServer) -> None:
    clock = Clock()
    async with servers(redis, 2, now=clock) as (rate, other):
        assert not await rate.claim(0)
        await at_once(other)
        assert not await rate.claim(0)
        clock.at += HOLDS_S
        assert await rate.claim(0) > 0


async def test_a_clock_of_redis_that_was_set_back_stops_nobody(redis: RedisServer) -> None:
    async with servers(redis, 1) as (rate,):
        await at_once(rate)
        kept = redis.says("KEYS", "*")
        redis.says("SET", kept, str(int(redis.says("GET", kept)) + 3_600_000))
        assert 0 < await rate.claim(PATIENT) <= 1.5 * EVENLY_S
