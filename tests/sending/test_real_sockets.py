"""Sending over real sockets: servers that refuse, stall, drip and never end, and the simulator's own faults."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import pytest
from pydantic import SecretStr

from barrack_mcp.api.client import Attempt, Client, open_client
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation
from barrack_mcp.simulator import create_app, faults
from tests.support import examples
from tests.support.patience import PATIENT_S
from tests.support.running import KEY, listening

pytestmark = pytest.mark.anyio

READS = [operation for operation in OPERATIONS if operation.reads]
WRITES = [operation for operation in OPERATIONS if not operation.reads]
LIST = BY_TOOL["list_instances"]
STOP = BY_TOOL["stop_instance"]
STOPPED = {"instance_id": "BRK-1D"}

each_write = pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.tool)


async def no_wait(_: float) -> None:
    await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def connected(
    url: str, *, seconds: float = 20, sleep: Callable[[float], Awaitable[None]] = no_wait
) -> AsyncIterator[Client]:
    async with open_client(
        url=f"{url}/api",
        key=SecretStr(KEY),
        auth_header="Authorization",
        auth_template="Bearer {key}",
        seconds=seconds,
        # the clock by which its requests end, which a busy machine doesn't hurry
        now=anyio.current_time,
        sleep=sleep,
        random=lambda: 0.0,
    ) as api:
        yield api


def state_of(barrack: Any) -> Any:
    return json.loads(json.dumps(barrack.state()))


@pytest.mark.slow
@pytest.mark.promise("N2")
@each_write
async def test_a_write_refused_twice_at_the_socket_has_one_effect(operation: Operation) -> None:
    app = create_app(now=lambda: 0.0)
    barrack = app.state.barrack
    attempts: list[Attempt] = []
    # bound but not listening: connections are refused, and nobody else takes the port
    closed = socket.socket()
    closed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    closed.bind(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    with anyio.fail_after(PATIENT_S):
        async with AsyncExitStack() as stack:

            async def open_in_the_end(_: float) -> None:
                if len(attempts) == 2:
                    closed.close()
                    await stack.enter_async_context(listening(app, port=port))

            api = await stack.enter_async_context(connected(f"http://127.0.0.1:{port}", sleep=open_in_the_end))
            await api.send(operation, examples.good(operation, state_of(barrack)), on_attempt=attempts.append)
    assert [attempt.failure for attempt in attempts] == [Failure.UNREACHABLE, Failure.UNREACHABLE, None]
    assert len(barrack.requests) == len(barrack.journal) == 1


@pytest.mark.slow
@pytest.mark.parametrize("action", ["reset", "truncate", "garbage", "status"])
async def test_no_write_whose_answer_is_lost_after_its_effect_is_sent_again(action: str) -> None:
    app = create_app(now=lambda: 0.0)
    barrack = app.state.barrack
    lost = {"action": action, "after_effect": True, "times": 9} | ({"status": 502} if action == "status" else {})
    with anyio.fail_after(PATIENT_S):
        async with listening(app) as url, connected(url) as api:
            for operation in WRITES:
                barrack.reset()
                barrack.faults.replace(faults.parse([lost]))
                with pytest.raises(ApiError) as error:
                    await api.send(operation, examples.good(operation, state_of(barrack)))
                assert error.value.uncertain, operation.tool
                assert error.value.attempts == len(barrack.requests) == len(barrack.journal) == 1, operation.tool


@pytest.mark.promise("N4")
async def test_every_read_whose_connection_breaks_twice_is_answered() -> None:
    app = create_app(now=lambda: 0.0)
    barrack = app.state.barrack
    broken = (None, Failure.SILENT)
    with anyio.fail_after(PATIENT_S):
        async with listening(app) as url:
            for operation in READS:
                barrack.reset()
                arguments = examples.good(operation, state_of(barrack))
                barrack.faults.replace(faults.parse([{"action": "reset"}, {"action": "truncate"}]))
                attempts: list[Attempt] = []
                # a client each: all reads together would spend the budget of one
                async with connected(url) as api:
                    assert await api.send(operation, arguments, on_attempt=attempts.append), operation.tool
                told = [(attempt.status, attempt.failure) for attempt in attempts]
                assert told == [broken, broken, (200, None)], operation.tool
                assert len(barrack.requests) == 3, operation.tool


@pytest.mark.slow
@pytest.mark.promise("N4")
async def test_a_read_that_stalls_twice_is_answered_within_its_time() -> None:
    app = create_app(now=lambda: 0.0)
    app.state.barrack.faults.replace(faults.parse([{"action": "stall", "times": 2}]))
    attempts: list[Attempt] = []
    with anyio.fail_after(30):
        async with listening(app) as url, connected(url, seconds=6) as api:
            assert (await api.send(LIST, {}, on_attempt=attempts.append))["instances"]
    assert len(attempts) == 3


async def test_429_of_the_simulator_is_waited_for_by_a_write_and_has_one_effect() -> None:
    app = create_app(now=lambda: 0.0)
    barrack = app.state.barrack
    barrack.faults.replace(faults.parse([{"action": "status", "status": 429, "headers": {"Retry-After": "2"}}]))
    slept: list[float] = []

    async def noted(seconds: float) -> None:
        slept.append(seconds)

    with anyio.fail_after(PATIENT_S):
        async with listening(app) as url, connected(url, sleep=noted) as api:
            await api.send(STOP, examples.good(STOP, state_of(barrack)))
    assert len(barrack.journal) == 1
    assert slept == [2]


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


async def silent(connection: anyio.abc.SocketStream) -> None:
    await connection.send(HEAD + b"Content-Length: 20\r\n\r\n")
    await anyio.sleep_forever()


async def mute(_: anyio.abc.SocketStream) -> None:
    await anyio.sleep_forever()


async def dripping(connection: anyio.abc.SocketStream) -> None:
    await connection.send(HEAD + b"Content-Length: 100000\r\n\r\n")
    while True:
        await connection.send(b" ")
        await anyio.sleep(0.02)


async def dripping_head(connection: anyio.abc.SocketStream) -> None:
    await connection.send(HEAD)
    while True:
        await connection.send(b"X")
        await anyio.sleep(0.02)


async def endless(connection: anyio.abc.SocketStream) -> None:
    await connection.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        await connection.send(b"1000\r\n" + b" " * 0x1000 + b"\r\n")


async def informing(connection: anyio.abc.SocketStream) -> None:
    while True:
        await connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await anyio.sleep(0.02)


async def hanging_up(connection: anyio.abc.SocketStream) -> None:
    await connection.aclose()


@asynccontextmanager
async def serving(
    answer: Callable[[anyio.abc.SocketStream], Awaitable[None]],
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads a request and then does as the test says; gives its address and what it was sent."""
    heard: list[bytes] = []

    async def served(connection: anyio.abc.SocketStream) -> None:
        async with connection:
            try:
                heard.append(await connection.receive())
                await answer(connection)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
                return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - no Django here
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, served)
        yield f"http://127.0.0.1:{port}", heard
        tasks.cancel_scope.cancel()


@pytest.mark.slow
@pytest.mark.promise("N7")
@pytest.mark.parametrize(
    "answer", [silent, mute, dripping, dripping_head, endless, informing, hanging_up], ids=lambda each: each.__name__
)
@pytest.mark.parametrize(("operation", "requests"), [(LIST, 3), (STOP, 1)], ids=["read", "write"])
async def test_an_answer_that_never_ends_ends_with_the_time_of_the_call(
    answer: Callable[[anyio.abc.SocketStream], Awaitable[None]], operation: Operation, requests: int
) -> None:
    with anyio.fail_after(30):
        async with serving(answer) as (url, heard), connected(url, seconds=1.5) as api:
            begun = anyio.current_time()
            with pytest.raises(ApiError) as error:
                await api.send(operation, STOPPED if operation is STOP else {})
            took = anyio.current_time() - begun
    assert error.value.failure is Failure.SILENT
    # endless text is too large at once, and then not asked for again
    assert len(heard) == error.value.attempts
    assert error.value.attempts in ({1, requests} if answer is endless else {requests})
    assert took < 1.5 + 3


@pytest.mark.slow
@pytest.mark.parametrize("operation", [LIST, STOP], ids=["read", "write"])
async def test_time_that_runs_out_while_connecting_means_never_sent(operation: Operation) -> None:
    # a listener whose queue is full leaves connections hanging
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - the standard library's own
            filler.connect_ex(address)
        try:
            with anyio.fail_after(30):
                async with connected(f"http://127.0.0.1:{address[1]}", seconds=0.9) as api:
                    with pytest.raises(ApiError) as error:
                        await api.send(operation, STOPPED if operation is STOP else {})
        finally:
            for filler in fillers:
                filler.close()
    assert error.value.failure is Failure.UNREACHABLE
    assert not error.value.uncertain
    assert "timed out" in error.value.words


async def test_cancelling_a_read_closes_its_connection_at_once() -> None:
    begun, closed = anyio.Event(), anyio.Event()

    async def watched(connection: anyio.abc.SocketStream) -> None:
        begun.set()
        try:
            await connection.receive()
        except anyio.EndOfStream:
            closed.set()

    with anyio.fail_after(20):
        async with serving(watched) as (url, heard), connected(url) as api, anyio.create_task_group() as tasks:

            async def read() -> None:
                await api.send(LIST, {})

            tasks.start_soon(read)
            await begun.wait()
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await closed.wait()
    assert len(heard) == 1
