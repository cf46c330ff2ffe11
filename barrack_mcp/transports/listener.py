"""A web server on one address, that ends on a signal: first what was sent is finished, then the connections close."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from types import FrameType
from typing import Final

from starlette.types import ASGIApp

from barrack_mcp.api.http.listener import Listener
from barrack_mcp.server.watch import NOBODY, Watch
from barrack_mcp.transports.ending import ENDING


async def listen(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    drain: Callable[[], Awaitable[None]],
    drain_seconds: float,
    watch: Watch = NOBODY,
) -> None:
    """Serve an application until a signal that ends it; a second signal ends the process at once.

    Args:
        app: The application.
        host: Address to listen on.
        port: Port to listen on.
        drain: Turns away what comes from then on, and returns when nothing is under way that must be finished.
        drain_seconds: Time for that.
        watch: Told of connections that are turned away.

    Raises:
        OSError: The address can't be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = Listener(
        app,
        finish=drain,
        seconds=drain_seconds,
        most=_most_connections(),
        lingers=True,
        full=partial(watch.busy, "connections"),
    )
    with socket.create_server((host, port), family=family) as bound, _ending_on_signals(server):
        await server.serve(sockets=[bound])


def _most_connections() -> int:
    """How many connections this process may hold, and still open what else it needs."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return _CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _CONNECTIONS if files == resource.RLIM_INFINITY else max(1, min(_CONNECTIONS, files - _OTHER_FILES))


_CONNECTIONS: Final = 2_048
_OTHER_FILES: Final = 128
"""Connections to the API, the state, the record, the log."""


@contextlib.contextmanager
def _ending_on_signals(server: Listener) -> Iterator[None]:
    def heard(number: int, _: FrameType | None) -> None:
        if server.should_exit:
            os._exit(128 + number)
        server.should_exit = True

    before = {number: signal.signal(number, heard) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
