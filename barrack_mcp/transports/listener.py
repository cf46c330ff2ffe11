"""A web server on one address, that ends on a signal: first what was sent is finished, then the connections close."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import anyio
import uvicorn
from starlette.types import ASGIApp

_CLOSE_SECONDS: Final = 1
"""For the last answers, and for streams that their clients keep open."""


async def listen(
    app: ASGIApp, *, host: str, port: int, drain: Callable[[], Awaitable[None]], drain_seconds: float
) -> None:
    """Serve an application until SIGTERM or SIGINT; a second signal ends the process at once.

    Args:
        app: The application.
        host: Address to listen on.
        port: Port to listen on.
        drain: Returns when nothing is under way that must be finished.
        drain_seconds: Time for that.

    Raises:
        OSError: The address can't be listened on.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        # h11 alone: no accidental dependence on what else is installed
        http="h11",
        ws="none",
        timeout_graceful_shutdown=_CLOSE_SECONDS,
        # the process's own log, which knows what to hide
        log_config=None,
    )
    with _opened(host, port) as listening:
        await _Listener(config, drain, drain_seconds).serve(sockets=[listening])


@contextmanager
def _opened(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        yield listening


class _Listener(uvicorn.Server):
    """The usual one dies by the signal it was sent, and cuts off what it still does."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]], seconds: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._seconds = seconds

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        async with anyio.create_task_group() as tasks:
            if sys.platform != "win32":
                tasks.start_soon(self._heed_signals)
            await super().serve(sockets)
            tasks.cancel_scope.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        with anyio.move_on_after(self._seconds):
            await self._drain()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if sys.platform == "win32":
            with super().capture_signals():
                yield
        else:
            yield

    async def _heed_signals(self) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                if self.should_exit:
                    os._exit(128 + number)
                self.should_exit = True
