"""Stdio, for one client that started this process: frames in and out, how many at once, and how it ends.

Ours instead of the SDK's, which answers no malformed frame, reads frames of any length and doesn't end on signals.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any, Final, TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.dispatcher import coerce_request_id
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp.types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)

from barrack_mcp.transports.ending import ENDING
from barrack_mcp.transports.stdio import frames
from barrack_mcp.transports.stdio.frames import Refusal
from barrack_mcp.transports.stdio.greeter import NOT_GREETED, Greeted, take_over
from barrack_mcp.transports.stdio.pipes import (
    Loop,
    Sink,
    Source,
    fill_standard_descriptors,
    is_unread,
    taken_stdin,
    taken_stdout,
)

MOST_UNDER_WAY: Final = 256
"""Requests that may wait for their answers; `ping` passes up to twice as many."""
MOST_BYTES_UNDER_WAY: Final = 4 * frames.MOST_BYTES
DRAIN_SECONDS: Final = 30.0

BUSY: Final = (
    "Too much is under way (256 requests, or 16 MiB of them). Wait for answers, then send this again. Nothing was done."
)
ID_TAKEN: Final = "A request with this id is under way; each needs an id of its own. Nothing was done."

_BATCH: Final = 65_536
_PING_BYTES: Final = 4_096
_SETTLE_SECONDS: Final = 0.25
"""For the answer of a write that has just been drained."""
_GONE_SECONDS: Final = 0.2
"""Between two looks whether anybody still reads our answers."""
_CLOSE_SECONDS: Final = 1.0
"""For the last frames, once nothing is awaited any more."""
_EXIT_SECONDS: Final = 1.75
"""For those and everything else that closes at the end."""

Drain: TypeAlias = Callable[[], Awaitable[None]]

_log = logging.getLogger(__name__)


async def serve_stdio(server: Server[Any], *, drain: Drain | None = None, drain_seconds: float = DRAIN_SECONDS) -> None:
    """Serve the client at this process's stdin and stdout until it goes or a signal comes.

    Takes both, and the signals, for as long as the process lives: what anything else prints goes to stderr, and once
    this has returned the process is gone within seconds, whatever still hangs. A second signal ends it at once.

    Args:
        server: What to serve.
        drain: Returns when no write is under way that has been sent to the API; awaited before ending on a signal.
            Without it, every request under way is awaited.
        drain_seconds: How long requests and writes may take to finish, in seconds.
    """
    # before anything of the client's is moved
    greeted = take_over()
    fill_standard_descriptors()
    connection = Connection(
        server, taken_stdin(), taken_stdout(), drain=drain, drain_seconds=drain_seconds, greeted=greeted
    )
    _end_on_signals(connection, drain_seconds)
    await connection.serve(closing=partial(_end_hard_after, _EXIT_SECONDS))


class Connection:
    """One client at two file descriptors."""

    def __init__(
        self,
        server: Server[Any],
        incoming: int,
        outgoing: int,
        *,
        drain: Drain | None = None,
        drain_seconds: float = DRAIN_SECONDS,
        greeted: Greeted = NOT_GREETED,
    ) -> None:
        """Open nothing yet.

        Args:
            server: What to serve.
            incoming: File descriptor to read frames from; of any kind, and left open.
            outgoing: File descriptor to write frames to; likewise.
            drain: As in `serve_stdio`.
            drain_seconds: Likewise.
            greeted: What the client said before, and what it was answered.
        """
        self._server = server
        self._incoming = incoming
        self._outgoing = outgoing
        self._drain = drain
        self._drain_seconds = drain_seconds
        self._heard = greeted.heard
        self._unspoken = greeted.unspoken
        self._loop: Loop = asyncio.get_running_loop()
        self._under_way = UnderWay()
        self._unsaid = greeted.unsaid
        self._leaving = [self._under_way.leave(len(self._unsaid))] if self._unsaid else []
        self._asked: set[RequestId] = set()
        self._asks = anyio.Event()
        self._ended = anyio.Event()
        self._stopped = anyio.Event()

    def stop(self) -> None:
        """Stop reading, let what has been sent finish, and end. From any thread.

        Raises:
            RuntimeError: The event loop is gone; so is this.
        """
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def serve(self, *, closing: Callable[[], None] = lambda: None) -> None:
        """Serve until the input ends, the client is gone, or `stop` is called; then finish within the deadline.

        Args:
            closing: Called when nothing is awaited any more, or the deadline is over.
        """
        to_server, for_server = anyio.create_memory_object_stream[SessionMessage | Exception]()
        from_server, to_client = anyio.create_memory_object_stream[SessionMessage]()
        async with anyio.create_task_group() as tasks, anyio.create_task_group() as reading:
            tasks.start_soon(self._write, to_client)
            tasks.start_soon(self._serve, for_server, from_server.clone())
            reading.start_soon(self._read, to_server, from_server)
            await self._until_done(to_server)
            reading.cancel_scope.cancel()
            closing()
            # closed streams end both tasks by themselves; what hangs is left behind
            to_server.close()
            from_server.close()
            tasks.cancel_scope.deadline = anyio.current_time() + _CLOSE_SECONDS

    async def _until_done(self, to_server: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        async with anyio.create_task_group() as waiting:

            async def after(event: anyio.Event, finished: Callable[[], Awaitable[None]]) -> None:
                await event.wait()
                waiting.start_soon(self._ask_nobody, to_server)
                with anyio.move_on_after(self._drain_seconds):
                    await finished()
                waiting.cancel_scope.cancel()

            waiting.start_soon(after, self._ended, self._requests_finished)
            waiting.start_soon(after, self._stopped, self._writes_finished)
            await self._ended.wait()
            # who closes its end of the input may still wait for answers; who is gone doesn't
            while not is_unread(self._outgoing):  # noqa: ASYNC110 - a pipe whose reader goes wakes nobody
                await anyio.sleep(_GONE_SECONDS)
            self._stopped.set()

    async def _requests_finished(self) -> None:
        await self._under_way.none()
        await self._drained()

    async def _writes_finished(self) -> None:
        if self._drain is None:
            await self._under_way.none()
        await self._drained()
        with anyio.move_on_after(_SETTLE_SECONDS):
            await self._under_way.none()

    async def _drained(self) -> None:
        if self._drain is not None:
            try:
                await self._drain()
            except Exception:  # noqa: BLE001 - logged, and the end must come all the same
                _log.exception("what was under way could not be awaited")

    async def _ask_nobody(self, to_server: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        """Answer the server's own questions, so that no call waits for a client that can't answer any more."""
        error = ErrorData(code=CONNECTION_CLOSED, message="The client is gone.")
        while True:
            while self._asked:
                answer = JSONRPCError(jsonrpc="2.0", id=self._asked.pop(), error=error)
                await to_server.send(SessionMessage(answer))
            self._asks = anyio.Event()
            await self._asks.wait()

    async def _serve(
        self,
        for_server: MemoryObjectReceiveStream[SessionMessage | Exception],
        from_server: MemoryObjectSendStream[SessionMessage],
    ) -> None:
        await self._server.run(for_server, from_server, self._server.create_initialization_options())

    async def _read(
        self,
        to_server: MemoryObjectSendStream[SessionMessage | Exception],
        to_client: MemoryObjectSendStream[SessionMessage],
    ) -> None:
        splitter = frames.Splitter()
        source = Source(self._incoming, self._loop)
        chunk = self._heard or await source.next()
        while chunk:
            for frame, whole in splitter.feed(chunk):
                await self._take(frame, whole, to_server, to_client)
            chunk = await source.next()
        for frame, whole in splitter.finish():
            await self._take(frame, whole, to_server, to_client)
        self._ended.set()

    async def _take(
        self,
        frame: bytes,
        whole: bool,  # noqa: FBT001 - the splitter's word
        to_server: MemoryObjectSendStream[SessionMessage | Exception],
        to_client: MemoryObjectSendStream[SessionMessage],
    ) -> None:
        if self._stopped.is_set():
            return
        read = self._admitted(frames.read(frame) if whole else frames.too_long(frame), len(frame))
        if isinstance(read, Refusal):
            await to_client.send(SessionMessage(read.answer()))
        elif isinstance(read, JSONRPCRequest):
            unanswered = partial(self._unanswered, self._under_way.begin(read.id, len(frame)))
            await to_server.send(SessionMessage(read, ServerMessageMetadata(on_request_unanswered=unanswered)))
        elif read is not None:
            if isinstance(read, JSONRPCResponse | JSONRPCError) and read.id is not None:
                self._asked.discard(coerce_request_id(read.id))
            await to_server.send(SessionMessage(read))

    def _admitted(self, read: frames.Read, size: int) -> frames.Read:
        if isinstance(read, Refusal) and read.id is not None and read.id in self._under_way:
            # under its id the client would take this for the answer to the other
            return Refusal(read.code, read.message)
        if isinstance(read, JSONRPCRequest):
            if read.id in self._under_way:
                return Refusal(INVALID_REQUEST, ID_TAKEN)
            if not self._under_way.has_room(size, ping=read.method == "ping"):
                return Refusal(frames.BUSY, BUSY, read.id)
        return read

    async def _unanswered(self, request: RequestId) -> None:
        self._under_way.end(request)

    async def _write(self, to_client: MemoryObjectReceiveStream[SessionMessage]) -> None:
        async with to_client, Sink(self._outgoing, self._loop) as sink:
            if self._unsaid:
                await self._send(sink, self._unsaid, self._leaving)
            async for first in to_client:
                messages = [first.message]
                data = self._written(first.message)
                while len(data) < _BATCH:
                    try:
                        messages.append(to_client.receive_nowait().message)
                    except (anyio.WouldBlock, anyio.EndOfStream):
                        break
                    data += self._written(messages[-1])
                # the client may use an id again as soon as it has the answer, which may be before we know that it has
                leaving = [self._under_way.free(ident) for ident in map(_answered, messages) if ident is not None]
                await self._send(sink, data, leaving)

    async def _send(self, sink: Sink, data: bytes, leaving: Iterable[Hashable]) -> None:
        # for a client that is gone nothing is written, but what was begun for it still ends
        if not sink.gone:
            await sink.write(data)
        if sink.gone:
            self._stopped.set()
        for left in leaving:
            self._under_way.end(left)

    def _written(self, message: JSONRPCMessage) -> bytes:
        match message:
            case JSONRPCRequest():
                self._asked.add(message.id)
                self._asks.set()
            case JSONRPCResponse(id=str() as ident) if ident == self._unspoken:
                # the client has that answer
                self._unspoken = None
                return b""
            case JSONRPCNotification(method="notifications/cancelled", params={"requestId": int() | str() as given_up}):
                self._asked.discard(given_up)
        return frames.written(message) or b""


def _answered(message: JSONRPCMessage) -> RequestId | None:
    """Name the request that a message answers."""
    return message.id if isinstance(message, JSONRPCResponse | JSONRPCError) else None


@dataclass
class UnderWay:
    """The requests that wait for their answers, as the SDK tells them apart: "7" is 7."""

    _sizes: dict[Hashable, int] = field(default_factory=dict)
    _bytes: int = 0
    _left: anyio.Event = field(default_factory=anyio.Event)

    def __contains__(self, request: RequestId) -> bool:
        return coerce_request_id(request) in self._sizes

    def has_room(self, size: int, *, ping: bool) -> bool:
        """Whether one more may wait; small pings may when nothing else does."""
        if ping and size <= _PING_BYTES:
            return len(self._sizes) < 2 * MOST_UNDER_WAY
        return len(self._sizes) < MOST_UNDER_WAY and self._bytes + size <= MOST_BYTES_UNDER_WAY

    def begin(self, request: RequestId, size: int) -> RequestId:
        """Count a request of so many bytes; answers the key to end it by."""
        key = coerce_request_id(request)
        self._sizes[key] = size
        self._bytes += size
        return key

    def free(self, request: RequestId) -> Hashable:
        """Let an id be used again while its answer is on its way out; answers the key to end that by."""
        leaving = object()
        if (size := self._sizes.pop(coerce_request_id(request), None)) is not None:
            self._sizes[leaving] = size
        return leaving

    def leave(self, size: int) -> Hashable:
        """Count an answer of so many bytes that is on its way out already; answers the key to end it by."""
        leaving = object()
        self._sizes[leaving] = size
        self._bytes += size
        return leaving

    def end(self, key: Hashable) -> None:
        """Count it no more; nothing if it was not counted."""
        self._bytes -= self._sizes.pop(key, 0)
        if not self._sizes:
            self._left.set()
            self._left = anyio.Event()

    async def none(self) -> None:
        """Wait until none is."""
        while self._sizes:
            await self._left.wait()


def _end_on_signals(connection: Connection, seconds: float) -> None:
    """Let the first signal stop the connection and the second end the process."""
    seen: list[int] = []

    def heard(number: int, _: FrameType | None) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        try:
            connection.stop()
        except RuntimeError:
            # it has ended already, and the process is about to
            os._exit(0)
        # also where the event loop itself hangs
        _end_hard_after(seconds + _SETTLE_SECONDS + _EXIT_SECONDS)

    for number in ENDING:
        signal.signal(number, heard)


def _end_hard_after(seconds: float) -> None:
    """End the process, whatever hangs, unless it has ended by itself before."""
    timer = threading.Timer(seconds, os._exit, [0])
    timer.daemon = True
    timer.start()
