"""The web server under the transports and under the approval page: it leaves signals to the process, and ends softly.

uvicorn's own dies by the signal it was sent, and cuts off what it still does.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final, cast

import anyio
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_CLOSE_S: Final = 1
"""For the last answers; after it, streams that their clients keep open are cut, as if their clients had gone."""
_CUT_S: Final = 2
"""For what served those streams to notice."""
_HEAD: Final = 32 * 1_024
"""Bytes of a request's head."""
IDLE_S: Final = 10.0
"""How long a connection may bring no whole request."""


def _send_at_once(transport: asyncio.Transport) -> None:
    """Let a connection's answers go as they are written, without waiting for the client to confirm their head.

    That takes 40 ms each. The event loop does so by itself only where it has made the listening socket, too.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Connection(H11Protocol):
    """One connection. Where there may be only so many, those that ask for nothing give way to who comes.

    Where all of them ask for something, who comes is told so.

    Args:
        full: Called for each that is told so.
    """

    def __init__(self, *args: Any, full: Callable[[], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._full = full
        self._most = self.config.limit_concurrency
        # nobody is refused for how many there are: somebody silent has gone before
        self.limit_concurrency = None
        self._silent_since = self.loop.time()
        self._watch: asyncio.TimerHandle | None = None

    @property
    def silent(self) -> bool:
        """Whether it brought no whole request that is still to be answered."""
        # uvicorn has no cycle before the first request
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take a connection; the one that was silent for longest goes, if there are too many."""
        super().connection_made(transport)
        _send_at_once(transport)
        if self._most is None:
            return
        self._watch = self.loop.call_later(IDLE_S, self._look)
        if len(self.connections) > self._most:
            others = [each for each in self.connections if isinstance(each, _Connection) and each is not self]
            silent = [each for each in others if each.silent]
            if silent:
                min(silent, key=lambda each: each._silent_since).transport.abort()  # noqa: SLF001 - its own kind
            else:
                self._full()
                self.app = _tell_full

    def connection_lost(self, exc: Exception | None) -> None:
        """Look after it no more."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._silent_since = self.loop.time()
        super().on_response_complete()

    def _look(self) -> None:
        """Close it if it was silent for too long."""
        left = self._silent_since + IDLE_S - self.loop.time()
        if self.silent and left <= 0:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(max(left, 1.0), self._look)


async def _tell_full(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer that there are too many connections, and close this one."""
    headers = {"Retry-After": "1", "Connection": "close"}
    await PlainTextResponse("Busy: too many are connected. Try again soon.", 503, headers)(scope, receive, send)


class Listener(uvicorn.Server):
    """Serves an application until `should_exit` is set.

    Args:
        app: The application.
        finish: Awaited when the end begins, before the connections are closed.
        seconds: Time for that.
        lingers: Whether the application answers who comes meanwhile; else nobody new is let in.
        full: Called where somebody comes and there are as many connections, each of which asks for something.
        started: Called once it listens.
        most: Connections at once, each of which has to ask for something soon; None for any number, for any time.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        finish: Callable[[], Awaitable[None]],
        seconds: float,
        started: Callable[[], None] = lambda: None,
        most: int | None = None,
        lingers: bool = False,
        full: Callable[[], None] = lambda: None,
    ) -> None:
        config = uvicorn.Config(
            app,
            # h11 alone: no accidental dependence on what else is installed
            http=cast("type[asyncio.Protocol]", partial(_Connection, full=full)),
            ws="none",
            log_level="warning",
            # the process's own log, which knows what to hide
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=_HEAD,
            limit_concurrency=most,
            timeout_graceful_shutdown=_CLOSE_S + _CUT_S,
        )
        super().__init__(config)
        self._finish = finish
        self._seconds = seconds
        self._started = started
        self._lingers = lingers

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is under way, and let nobody new in; then close."""
        if not self._lingers:
            self._let_nobody_in()
        with anyio.move_on_after(self._seconds):
            await self._finish()
        self._let_nobody_in()
        # a stream has no end of its own, and what is cancelled in the middle says so at length
        cut = asyncio.get_running_loop().call_later(_CLOSE_S, self._cut)
        try:
            await super().shutdown(sockets)
        finally:
            cut.cancel()

    def _let_nobody_in(self) -> None:
        for server in self.servers:
            server.close()

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, _Connection):
                connection.transport.abort()
