"""The web server under the transports and under the approval page: it leaves signals to the process, and ends softly.

uvicorn's own dies by the signal it was sent, and cuts off what it still does.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import anyio
import uvicorn
from starlette.types import ASGIApp

_CLOSE_S: Final = 1
"""For the last answers, and for streams that their clients keep open."""


class Listener(uvicorn.Server):
    """Serves an application until `should_exit` is set.

    Args:
        app: The application.
        finish: Awaited once nobody new is let in, before the connections are closed.
        seconds: Time for that.
        started: Called once it listens.
        most: Connections at once; None for any number.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        finish: Callable[[], Awaitable[None]],
        seconds: float,
        started: Callable[[], None] = lambda: None,
        most: int | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            # h11 alone: no accidental dependence on what else is installed
            http="h11",
            ws="none",
            log_level="warning",
            # the process's own log, which knows what to hide
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=most,
            timeout_graceful_shutdown=_CLOSE_S,
        )
        super().__init__(config)
        self._finish = finish
        self._seconds = seconds
        self._started = started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody new in, finish what is under way, then close."""
        for server in self.servers:
            server.close()
        with anyio.move_on_after(self._seconds):
            await self._finish()
        await super().shutdown(sockets)
