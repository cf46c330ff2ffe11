"""How often a call waits for the Redis that servers share: counted by what Redis itself hears, whatever the call is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final

import pytest

from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation, Risk
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.guard.asking.asker import Asked, Asker
from barrack_mcp.guard.decide import Allowance, Mode
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.state.store.redis import RedisStore
from tests.support import examples
from tests.support.clock import Clock
from tests.support.guarding import an_asker
from tests.support.house import ASKING, House, house, says_yes
from tests.support.redis import Monitor, RedisServer, need_redis

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MOST: Final = 4
"""Trips of each leg of a guarded call: until a person is asked, and once they said yes."""
MOST_OF_A_READ: Final = 2
LIMITED: Final = Allowance(max_hourly_cost=Decimal(999))
"""With a budget, what was bought has to be known, too."""
CHANGES: Final = [each for each in OPERATIONS if each.risk is Risk.CHANGE]
READS: Final = [each for each in OPERATIONS if each.reads]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    need_redis()
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@asynccontextmanager
async def watched(redis: RedisServer, **policy: Any) -> AsyncIterator[tuple[House, Monitor]]:
    """A house whose state is in this Redis, and holds nothing yet."""
    redis.says("FLUSHALL")
    clock = Clock()
    async with RedisStore(redis.url, now=clock) as store, Monitor(redis.port) as heard:
        await store.identity()
        kept: Any = store
        async with house(store=kept, clock=clock, lease_hours=8, **policy) as made:
            yield made, heard


async def call(made: House, operation: Operation, arguments: JsonObject, asker: Asker | None = None) -> Answer | Asked:
    caller = Caller("ada", made.dispatcher.account, asker=asker, allowance=LIMITED)
    return await made.dispatcher.call(operation.tool, arguments, caller)


def done(answer: Answer | Asked) -> bool:
    return isinstance(answer, Answer) and answer.structured["outcome"] == "done"


def question_in(asked: Asked) -> str:
    """The words that the client puts to its person."""
    (request,) = (asked.result.input_requests or {}).values()
    return str(request.params.message)  # type: ignore[union-attr]  # it is an elicitation


@pytest.mark.promise("H7")
@pytest.mark.parametrize("operation", ASKING, ids=lambda operation: operation.tool)
async def test_a_call_to_which_a_client_s_person_says_yes_waits_for_redis_four_times_at_most_before_and_after(
    operation: Operation, redis: RedisServer
) -> None:
    async with watched(redis) as (made, heard):
        arguments = made.good(operation.tool)
        await heard.trips()
        asked = await call(made, operation, arguments, an_asker())
        before = await heard.trips()
        assert isinstance(asked, Asked)
        made.clock.at += 10
        answer = await call(made, operation, arguments, an_asker(asked, says_yes(question_in(asked))))
        assert done(answer), answer
        after = await heard.trips()
        assert (before <= MOST, after <= MOST) == (True, True), (before, after)


@pytest.mark.promise("H7")
@pytest.mark.parametrize("operation", ASKING, ids=lambda operation: operation.tool)
async def test_so_does_one_that_is_approved_out_of_band(operation: Operation, redis: RedisServer) -> None:
    async with watched(redis, mode=Mode.OUT_OF_BAND) as (made, heard):
        arguments = made.good(operation.tool)
        await heard.trips()
        asked = await call(made, operation, arguments)
        before = await heard.trips()
        assert isinstance(asked, Answer)
        waits = await made.approvals.find(asked.structured["approval"]["id"])
        await made.approvals.approve(waits.id, by="ben", typed=waits.must_type)
        await heard.trips()
        assert done(await call(made, operation, arguments))
        after = await heard.trips()
        assert (before <= MOST, after <= MOST) == (True, True), (before, after)


@pytest.mark.promise("H7")
async def test_one_that_asks_nobody_and_a_read_wait_for_it_less_often(redis: RedisServer) -> None:
    for operation in [*CHANGES, *READS]:
        async with watched(redis) as (made, heard):
            arguments = examples.good(operation, made.barrack.state())
            await heard.trips()
            await call(made, operation, arguments)
            trips = await heard.trips()
            assert trips <= (MOST_OF_A_READ if operation.reads else MOST), (operation.tool, trips)
