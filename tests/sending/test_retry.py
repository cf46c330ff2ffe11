"""What is sent again, how often and when: every kind of failure, a budget for all, one deadline a call."""

from __future__ import annotations

import email.utils
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx2
import pytest

from barrack_mcp.api.client import Attempt, Client
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.api.retry import Budget, Circuit
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.answers import Answers, Behaviour, client, in_turn, json
from tests.support.clock import Clock
from tests.support.pairs import pairs
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

STATE: Any = create_app(now=lambda: 0.0).state.barrack.state()
READS = [operation for operation in OPERATIONS if operation.reads]
WRITES = [operation for operation in OPERATIONS if not operation.reads]
LIST = BY_TOOL["list_instances"]
STOP = BY_TOOL["stop_instance"]
STOPPED = {"instance_id": "BRK-1D"}
GOOD = json({"success": True})
REFUSED = httpx2.ConnectError("refused")
WALL = 1_800_000_000.0

each_read = pytest.mark.parametrize("operation", READS, ids=lambda operation: operation.tool)
each_write = pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.tool)


class Run:
    """One client over scripted answers, whose clock the test reads."""

    def __init__(self, *answers: Behaviour, seconds: float = 30, random: float = 0.5) -> None:
        self.clock = Clock()
        self.transport = Answers(in_turn(*answers))
        self.attempts: list[Attempt] = []
        timing = {"random": lambda: random, "wall": lambda: WALL}
        self.client: Client = client(self.transport, seconds=seconds, clock=self.clock, timing=timing)

    async def send(self, operation: Operation = LIST, arguments: dict[str, Any] | None = None) -> Any:
        given = arguments if arguments is not None else examples.good(operation, STATE)
        with anyio.fail_after(PATIENT_S):
            return await self.client.send(operation, given, on_attempt=self.attempts.append)

    async def failure(self, operation: Operation = LIST, arguments: dict[str, Any] | None = None) -> ApiError:
        with pytest.raises(ApiError) as error:
            await self.send(operation, arguments)
        return error.value

    @property
    def requests(self) -> int:
        return len(self.transport.requests)


def silence(clock: Callable[[], Clock], seconds: float) -> Callable[[], Awaitable[httpx2.Response]]:
    """No answer; by the clock of the test it lasts so long, in truth a moment."""

    async def late() -> httpx2.Response:
        clock().at += seconds
        raise httpx2.ReadTimeout("late")

    return late


def _named(part: Any) -> str:
    match part:
        case Operation():
            return part.tool
        case httpx2.Response():
            return str(part.status_code)
        case Exception():
            return type(part).__name__
        case _:
            return str(part)


@pytest.mark.promise("N2")
@each_write
async def test_a_write_that_was_never_sent_is_sent_until_it_arrives_once(operation: Operation) -> None:
    run = Run(REFUSED, httpx2.ConnectTimeout("slow"), GOOD)
    assert await run.send(operation) == {"success": True}
    assert run.attempts == [
        Attempt(1, None, Failure.UNREACHABLE),
        Attempt(2, None, Failure.UNREACHABLE),
        Attempt(3, 200, None),
    ]
    assert run.requests == 3


@pytest.mark.parametrize(
    ("operation", "answer"),
    pairs(
        WRITES,
        [
            *(json({"detail": "Boom"}, status) for status in (500, 502, 503, 504)),
            httpx2.ReadError("reset"),
            httpx2.RemoteProtocolError("half an answer"),
            httpx2.WriteError("broken pipe"),
            httpx2.ReadTimeout("late"),
            httpx2.Response(200, text="<html>", headers={"content-type": "text/html"}),
            httpx2.Response(101),
        ],
        ids=_named,
    ),
)
async def test_a_write_that_may_have_been_applied_is_never_sent_again(operation: Operation, answer: Behaviour) -> None:
    run = Run(answer, GOOD)
    error = await run.failure(operation)
    assert error.uncertain
    assert run.requests == error.attempts == 1
    assert not run.clock.slept


@each_write
async def test_a_write_that_became_uncertain_after_a_first_refusal_ends_there(operation: Operation) -> None:
    run = Run(REFUSED, json({"detail": "Boom"}, 502), GOOD)
    error = await run.failure(operation)
    assert (error.failure, error.attempts, run.requests) == (Failure.BROKEN, 2, 2)


@pytest.mark.promise("N4")
@pytest.mark.parametrize(
    ("operation", "kind"), pairs(READS, [500, 502, 503, 504, "stall", "reset", "web page", "refused"], ids=_named)
)
async def test_a_read_that_fails_twice_is_answered_the_third_time(operation: Operation, kind: int | str) -> None:
    run: Run
    bad: dict[int | str, Behaviour] = {
        "stall": silence(lambda: run.clock, 10),
        "reset": httpx2.ReadError("reset"),
        "web page": httpx2.Response(200, text="<html>"),
        "refused": REFUSED,
    }
    failing = bad.get(kind) or json({"detail": "Boom"}, int(kind))
    run = Run(failing, failing, GOOD, random=1.0)
    assert await run.send(operation) == {"success": True}
    assert run.requests == len(run.attempts) == 3
    assert run.clock.slept == [0.25, 0.5]


async def test_three_requests_are_all_there_are_for_one_call() -> None:
    run = Run(json({"detail": "Boom"}, 503))
    error = await run.failure()
    assert (run.requests, error.attempts) == (3, 3)
    assert [attempt.status for attempt in run.attempts] == [503, 503, 503]
    assert error.sentence == "Barrack says «Boom» (HTTP 503)."


@pytest.mark.parametrize("random", [0.0, 0.3, 1.0])
async def test_waits_are_a_random_part_of_a_doubling_bound(random: float) -> None:
    run = Run(json({}, 500), random=random)
    await run.failure()
    assert run.clock.slept == [random * 0.25, random * 0.5]


@pytest.mark.parametrize(
    ("status", "body"), [(400, {}), (401, {}), (404, {}), (409, {}), (302, {}), (501, {}), (200, {"success": False})]
)
async def test_what_would_be_refused_again_is_asked_but_once(status: int, body: dict[str, Any]) -> None:
    run = Run(json(body, status), GOOD)
    await run.failure()
    assert run.requests == 1


async def test_an_answer_that_is_too_large_is_not_fetched_again() -> None:
    run = Run(httpx2.Response(200, content=b"[]", headers={"content-length": "52428800"}), GOOD)
    error = await run.failure()
    assert (error.failure, run.requests) == (Failure.SILENT, 1)
    assert "larger than 4 MiB" in error.words


async def test_an_empty_success_answers_a_write_but_not_a_read() -> None:
    assert await Run(httpx2.Response(200)).send(STOP, STOPPED) == {}
    error = await Run(httpx2.Response(200)).failure()
    assert (error.failure, error.words) == (Failure.SILENT, "The answer is empty")


@pytest.mark.promise("N5")
@pytest.mark.parametrize("operation", [LIST, STOP], ids=lambda operation: operation.tool)
@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ("3", [3.125]),
        (email.utils.formatdate(WALL + 4, usegmt=True), [4.125]),
        ("Thu, 01 Jan 1970 00:00:00 GMT", [0.125]),
        ("0", [0.125]),
        ("-1", [0.125]),
        ("NaN", [0.125]),
        ("soon", [0.125]),
        (None, [0.125]),
    ],
)
async def test_a_wait_that_the_api_asks_for_is_kept_if_it_fits(
    operation: Operation, header: str | None, waited: list[float]
) -> None:
    headers = {"retry-after": header} if header is not None else {}
    run = Run(httpx2.Response(429, json={"detail": "Slow down"}, headers=headers), GOOD)
    assert await run.send(operation, STOPPED if operation is STOP else {}) == {"success": True}
    assert run.requests == 2
    assert run.clock.slept == waited


@pytest.mark.promise("N5")
@pytest.mark.parametrize("operation", [LIST, STOP], ids=lambda operation: operation.tool)
@pytest.mark.parametrize(
    ("header", "told"), [("1e9", 1e9), ("28", 28), (email.utils.formatdate(WALL + 600, usegmt=True), 600)]
)
async def test_a_wait_that_does_not_fit_is_told_at_once(operation: Operation, header: str, told: float) -> None:
    run = Run(httpx2.Response(429, json={"detail": "Slow down"}, headers={"retry-after": header}), GOOD)
    error = await run.failure(operation, STOPPED if operation is STOP else {})
    assert (error.failure, error.retry_after, error.uncertain) == (Failure.THROTTLED, told, False)
    assert run.requests == error.attempts == 1
    assert not run.clock.slept


async def test_waits_that_add_up_end_with_the_time_of_the_call() -> None:
    run = Run(json({"detail": "Slow down"}, 429, retry_after="14"), GOOD, seconds=30)
    run.transport.default = json({"detail": "Slow down"}, 429, retry_after="14")
    error = await run.failure()
    assert (run.requests, run.clock.slept) == (2, [14.125])
    assert error.retry_after == 14


async def test_a_broken_api_that_names_a_time_is_left_alone_until_then() -> None:
    run = Run(json({}, 503, retry_after="5"), GOOD)
    await run.send()
    assert run.clock.slept == [5.125]


@pytest.mark.promise("N6")
@pytest.mark.parametrize(
    "failing", [REFUSED, json({"detail": "Down"}, 503), httpx2.ReadError("reset")], ids=["refused", "503", "reset"]
)
@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "at once"])
async def test_a_hundred_calls_while_the_api_is_down_send_140_requests_at_most(
    failing: Behaviour,
    at_once: bool,  # noqa: FBT001 - a table's column
) -> None:
    run = Run(failing)
    if at_once:
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(run.failure)
    else:
        for _ in range(100):
            assert (await run.failure()).failure in (Failure.UNREACHABLE, Failure.BROKEN, Failure.SILENT)
    assert run.requests <= 140
    # the budget alone keeps the bound; what can't be reached is soon not even tried
    assert run.requests <= (50 if failing is REFUSED else 130)


async def test_an_api_that_cannot_be_reached_is_left_alone_then_tried_by_one_call() -> None:
    run = Run(REFUSED)
    while run.requests < 5:
        await run.failure()
    error = await run.failure()
    assert (error.failure, error.attempts, run.requests) == (Failure.UNREACHABLE, 0, 5)
    assert "left alone for 5 s" in error.words
    assert not error.uncertain
    run.clock.at += 5.1
    assert (await run.failure()).attempts == 1
    assert run.requests == 6
    run.clock.at += 5.1
    run.transport.default = GOOD
    assert await run.send() == {"success": True}
    run.transport.default = in_turn(REFUSED, GOOD)
    assert await run.send() == {"success": True}


async def test_while_one_call_tries_the_others_fail_fast_and_a_cancelled_try_frees_the_way() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(5):
        with pytest.raises(ApiError), circuit.watching():
            raise ApiError(Failure.UNREACHABLE, "Gone")
    assert circuit.is_open
    clock.at += 6
    with pytest.raises(KeyboardInterrupt), circuit.watching():
        _interrupted_while_others_fail(circuit)
    with pytest.raises(ApiError), circuit.watching():
        raise ApiError(Failure.BROKEN, "Reached, though")
    circuit.check()


def test_while_one_call_tries_what_ends_beside_it_frees_nothing_and_after_it_failed_another_may_try() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    gone = ApiError(Failure.UNREACHABLE, "Gone")
    before, trying = circuit.watching(), circuit.watching()
    before.__enter__()
    for _ in range(5):
        with pytest.raises(ApiError), circuit.watching():
            raise gone
    clock.at += 6
    trying.__enter__()
    assert not before.__exit__(ApiError, gone, None)
    clock.at += 6
    with pytest.raises(ApiError, match="left alone"):
        circuit.check()
    assert not trying.__exit__(ApiError, gone, None)
    clock.at += 6
    with circuit.watching():
        pass
    circuit.check()


def _interrupted_while_others_fail(circuit: Circuit) -> None:
    with pytest.raises(ApiError), circuit.watching():
        pytest.fail("a second try at once")
    raise KeyboardInterrupt


def test_who_comes_while_the_api_is_left_alone_or_tried_is_told_when_to_come_again() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(5):
        with pytest.raises(ApiError), circuit.watching():
            raise ApiError(Failure.UNREACHABLE, "Gone")
    opened = clock.at
    for gone_by, told in ((0.0, 5.0), (1.5, 3.5), (4.5, 1.0)):
        clock.at = opened + gone_by
        with pytest.raises(ApiError) as left_alone:
            circuit.check()
        assert left_alone.value.retry_after == told
    # the moment it is over, one call tries; who comes meanwhile waits a second
    clock.at = opened + 5.0
    with circuit.watching():
        with pytest.raises(ApiError) as tried:
            circuit.check()
        assert tried.value.retry_after == 1.0
    circuit.check()


def test_the_budget_grows_with_calls_up_to_its_reserve() -> None:
    budget = Budget()
    for _ in range(1_000):
        budget.earn()
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]
    for _ in range(5):
        assert not budget.spend()
        budget.earn()
    assert budget.spend()


@pytest.mark.slow
async def test_a_stalled_read_gets_a_third_of_the_time_and_leaves_the_rest() -> None:
    answers: list[Behaviour] = []

    async def stalled() -> httpx2.Response:
        await anyio.sleep_forever()
        raise AssertionError

    answers = [stalled, stalled, GOOD]
    transport = Answers(in_turn(*answers))
    # the real clock: three shares of the time, and an answer within it
    api = client(transport, seconds=3, timing={"now": anyio.current_time, "sleep": anyio.sleep, "random": lambda: 0.0})
    begun = anyio.current_time()
    with anyio.fail_after(20):
        assert await api.send(LIST, {}) == {"success": True}
    assert len(transport.requests) == 3
    assert 1.5 < anyio.current_time() - begun < 3


async def test_a_cancelled_read_ends_at_once_and_is_not_sent_again() -> None:
    begun = anyio.Event()

    async def stalled() -> httpx2.Response:
        begun.set()
        await anyio.sleep_forever()
        raise AssertionError

    transport = Answers(stalled)
    api = client(transport)
    attempts: list[Attempt] = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                await api.send(LIST, {}, on_attempt=attempts.append)

            tasks.start_soon(read)
            await begun.wait()
            tasks.cancel_scope.cancel()
    assert len(transport.requests) == 1
    assert not attempts


async def test_a_write_under_a_shield_is_finished_though_its_caller_is_gone() -> None:
    begun, go = anyio.Event(), anyio.Event()

    async def slow() -> httpx2.Response:
        begun.set()
        await go.wait()
        return GOOD

    api = client(Answers(slow))
    done: list[Any] = []
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:

            async def write() -> None:
                with anyio.CancelScope(shield=True):
                    done.append(await api.send(STOP, STOPPED))

            tasks.start_soon(write)
            await begun.wait()
            tasks.cancel_scope.cancel()
            go.set()
    assert done == [{"success": True}]
