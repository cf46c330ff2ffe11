"""One client at two pipes: how much at once, and how it ends."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    REQUEST_TIMEOUT,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    TextContent,
)

from barrack_mcp.transports.stdio import connection, frames
from tests.stdio.speaking import INITIALIZE, Here, here, line, modern, request
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

SECRET = "an exception's own text"


@dataclass
class Desk:
    """A server whose one tool waits until it is let go."""

    begun: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    go: anyio.Event = field(default_factory=anyio.Event)
    _came: anyio.Event = field(default_factory=anyio.Event)

    def server(self) -> Server[Any]:
        async def call(context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
            if params.name == "crash":
                raise ZeroDivisionError(SECRET)
            self.begun.append(params.name)
            self._came.set()
            self._came = anyio.Event()
            if params.name == "ask":
                return await _asked(context)
            try:
                if params.name == "shielded":
                    with anyio.CancelScope(shield=True):
                        await self.go.wait()
                    # what a write's handler still has to do, and may be cancelled in
                    for _ in range(50):
                        await anyio.lowlevel.checkpoint()
                else:
                    await self.go.wait()
            except anyio.get_cancelled_exc_class():
                self.cancelled.append(params.name)
                raise
            return CallToolResult(
                content=[TextContent(type="text", text="x" * (200_000 if params.name == "big" else 100))]
            )

        return Server("desk", on_call_tool=call)

    async def has(self, calls: int) -> None:
        while len(self.begun) < calls:
            await self._came.wait()


async def _asked(context: ServerRequestContext[Any]) -> CallToolResult:
    """Ask the client twice; say what came of it."""
    said: list[str] = []
    for seconds in (0.01, 1_000):
        try:
            form: Any = {"type": "object", "properties": {}}
            question = ElicitRequest(params=ElicitRequestFormParams(message="Really?", requested_schema=form))
            answer = await context.session.send_request(question, ElicitResult, request_read_timeout_seconds=seconds)
            said.append(answer.action)
        except MCPError as error:
            said.append(str(error.code))
    return CallToolResult(content=[TextContent(type="text", text=" ".join(said))])


def call(ident: Any, name: str = "wait") -> dict[str, Any]:
    return modern(ident, "tools/call", name=name, arguments={})


def code(answer: dict[str, Any]) -> int:
    return int(answer["error"]["code"])


async def _legacy(served: Here) -> None:
    assert "result" in await served.talk.ask(request(0, "initialize", **INITIALIZE))
    await served.talk.say({"jsonrpc": "2.0", "method": "notifications/initialized"})


@pytest.mark.promise("R3")
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_of_500_calls_at_once_256_wait_the_rest_hear_busy_and_a_ping_is_answered(era: str) -> None:
    desk = Desk()
    make = modern if era == "modern" else request
    async with here(desk.server()) as served:
        if era == "legacy":
            await _legacy(served)
        calls = [make(f"c{number}", "tools/call", name="wait", arguments={}) for number in range(500)]
        for at in range(0, 500, 50):
            await served.talk.say(*calls[at : at + 50])
        for number in range(256, 500):
            refused = await served.talk.answer(f"c{number}")
            assert code(refused) == frames.BUSY
            assert refused["error"]["message"] == connection.BUSY
        pong = await served.talk.ask(make("p", "ping"))
        # the newer era has no ping, but it answers
        assert ("result" in pong) == (era == "legacy")
        await desk.has(256)
        desk.go.set()
        for number in range(256):
            assert "result" in await served.talk.answer(f"c{number}")
        assert "result" in await served.talk.ask(make("after", "tools/call", name="wait", arguments={}))
        served.hang_up()
    assert len(desk.begun) == 257


async def test_pings_wait_in_a_room_of_their_own_which_ends_too() -> None:
    under_way = connection.UnderWay()
    for number in range(256):
        assert under_way.has_room(10, ping=False)
        under_way.begin(number, 10)
    assert not under_way.has_room(10, ping=False)
    assert not under_way.has_room(10_000, ping=True)
    for number in range(256):
        assert under_way.has_room(10, ping=True)
        under_way.begin(f"p{number}", 10)
    assert not under_way.has_room(10, ping=True)


async def test_long_frames_under_way_fill_the_room_before_their_number_does() -> None:
    desk = Desk()
    async with here(desk.server()) as served:
        for number in range(5):
            message = call(number)
            message["params"]["arguments"] = {"a": "x" * (frames.MOST_BYTES - 400)}
            data = line(message)
            while data:
                await served.talk.send(data[:60_000])
                data = data[60_000:]
        assert code(await served.talk.answer(4)) == frames.BUSY
        desk.go.set()
        for number in range(4):
            assert "result" in await served.talk.answer(number)
        served.hang_up()


@pytest.mark.promise("R1")
async def test_a_broken_frame_is_answered_and_the_next_good_one_served() -> None:
    desk = Desk()
    desk.go.set()
    async with here(desk.server()) as served:
        await served.talk.send(b"\n[]\n" + line(call(1))[:-2] + b"\n" + b"x" * 50_000 + b"\n")
        for expected in (frames.NOT_JSON, frames.BATCH, frames.NOT_JSON):
            assert (await served.talk.answer(None))["error"]["message"] == expected
        assert (await served.talk.answer(1))["error"]["message"] == frames.NOT_JSON
        await served.talk.send(b'{"jsonrpc":"2.0","id":1,"result":5}\n{"jsonrpc":"2.0","id":"x","result":{}}\n')
        assert "result" in await served.talk.ask(call(1))
        assert served.talk.frames == 5
        served.hang_up()


async def test_an_id_under_way_is_not_taken_twice_nor_answered_for_another_frame() -> None:
    desk = Desk()
    async with here(desk.server()) as served:
        await served.talk.say(call(7), call(7), call("7"))
        await served.talk.send(b'{"jsonrpc":"1.0","id":7,"method":"ping"}\n')
        for expected in (connection.ID_TAKEN, connection.ID_TAKEN, frames.NO_REQUEST):
            refused = await served.talk.answer(None)
            assert (code(refused), refused["error"]["message"]) == (INVALID_REQUEST, expected)
        desk.go.set()
        assert "result" in await served.talk.answer(7)
        assert "result" in await served.talk.ask(call(7))
        served.hang_up()
    assert len(desk.begun) == 2


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_cancelled_call_is_never_answered_and_makes_room(era: str) -> None:
    desk = Desk()
    async with here(desk.server()) as served:
        if era == "legacy":
            await _legacy(served)
        make = modern if era == "modern" else request
        await served.talk.say(make(1, "tools/call", name="wait", arguments={}))
        await desk.has(1)
        await served.talk.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
        # nothing is under way any more, or the end of the input would be waited out
        served.hang_up()
    assert desk.cancelled == ["wait"]
    assert 1 not in served.talk.answered()


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_an_exception_nobody_foresaw_keeps_its_text_to_itself(era: str) -> None:
    async with here(Desk().server()) as served:
        if era == "legacy":
            await _legacy(served)
        make = modern if era == "modern" else request
        answer = await served.talk.ask(make(1, "tools/call", name="crash", arguments={}))
        served.hang_up()
    assert code(answer) == INTERNAL_ERROR
    assert SECRET not in str(answer)


@pytest.mark.promise("P1")
async def test_at_the_end_of_input_calls_under_way_finish_and_their_answers_are_sent() -> None:
    desk = Desk()
    async with here(desk.server()) as served:
        # the last frame needs no line feed
        await served.talk.send(line(call(1)) + line(call(2)).rstrip())
        served.hang_up()
        await desk.has(2)
        desk.go.set()
    assert served.talk.answered() == {1, 2}
    assert served.talk.frames == 2
    assert desk.cancelled == []


@pytest.mark.promise("P1")
@pytest.mark.parametrize("how", ["end", "stop"])
async def test_a_call_that_outlasts_the_deadline_is_cancelled_and_hears_so(how: str) -> None:
    desk = Desk()
    async with here(desk.server(), drain_seconds=0.05) as served:
        await served.talk.say(call(1))
        await desk.has(1)
        if how == "end":
            served.hang_up()
        else:
            served.connection.stop()
        await served.ended.wait()
    assert desk.cancelled == ["wait"]
    assert "error" in await served.talk.answer(1)
    if how == "stop":
        served.hang_up()


@pytest.mark.promise("P1")
async def test_a_stop_waits_for_sent_writes_alone_and_reads_no_more() -> None:
    desk, asked, written = Desk(), anyio.Event(), anyio.Event()

    async def drain() -> None:
        asked.set()
        await written.wait()

    async with here(desk.server(), drain=drain) as served:
        await served.talk.say(call(1, "read"))
        await desk.has(1)
        served.connection.stop()
        await asked.wait()
        await served.talk.say(call(2, "late"))
        assert not served.ended.is_set()
        written.set()
    assert desk.begun == ["read"]
    assert desk.cancelled == ["read"]
    assert 2 not in served.talk.answered()
    served.hang_up()


@pytest.mark.promise("P1")
async def test_the_answer_of_a_write_that_was_waited_for_is_sent() -> None:
    desk = Desk()

    async def drain() -> None:
        desk.go.set()

    async with here(desk.server(), drain=drain) as served:
        await served.talk.say(call(1, "shielded"))
        await desk.has(1)
        served.connection.stop()
    assert "result" in await served.talk.answer(1)
    served.hang_up()


@pytest.mark.promise("P1")
@pytest.mark.parametrize("how", ["end", "stop", "answer"])
async def test_a_question_that_nobody_can_answer_any_more_does_not_hold_up_the_end(how: str) -> None:
    async with here(Desk().server()) as served:
        await _legacy(served)
        await served.talk.say(request("c", "tools/call", name="ask", arguments={}))
        first = await served.talk.next("elicitation/create")
        second = await served.talk.next("elicitation/create")
        assert first["id"] != second["id"]
        if how == "stop":
            served.connection.stop()
        elif how == "answer":
            await served.talk.say({"jsonrpc": "2.0", "id": str(second["id"]), "result": {"action": "decline"}})
            await served.talk.answer("c")
        if how != "stop":
            served.hang_up()
    if how == "stop":
        served.hang_up()
    if how != "answer":
        (block,) = (await served.talk.answer("c"))["result"]["content"]
        assert block["text"] == f"{REQUEST_TIMEOUT} {CONNECTION_CLOSED}"


async def test_a_drain_that_fails_is_logged_and_the_end_comes(caplog: pytest.LogCaptureFixture) -> None:
    async def drain() -> None:
        raise ZeroDivisionError

    async with here(Desk().server(), drain=drain) as served:
        served.hang_up()
    assert "could not be awaited" in caplog.text


@pytest.mark.promise("P1")
async def test_a_client_that_is_gone_is_an_end_and_what_it_asked_for_still_finishes() -> None:
    desk = Desk()
    incoming, to_server = os.pipe()
    from_server, outgoing = os.pipe()
    os.close(from_server)
    served = connection.Connection(desk.server(), incoming, outgoing)
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(served.serve)
            os.write(to_server, line(call(1)) + line(call(2)) + b"[]\n")
            await desk.has(2)
            desk.go.set()
    assert desk.cancelled == []
    for descriptor in (incoming, outgoing, to_server):
        os.close(descriptor)


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="descriptors that don't block are POSIX's")
async def test_pipes_that_somebody_made_non_blocking_are_served_all_the_same() -> None:
    desk = Desk()
    desk.go.set()
    async with here(desk.server(), blocking=False) as served:
        await served.talk.send(line(call(1)))
        assert "result" in await served.talk.answer(1)
        # more than the pipe holds
        await served.talk.say(*(call(number, "big") for number in range(2, 40)))
        for number in range(2, 40):
            assert "result" in await served.talk.answer(number)
        served.hang_up()
