"""The fake behind a real socket, where its faults are real."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from barrack_mcp.simulator.app import create_app
from barrack_mcp.simulator.faults import TRANSPORT

GRACE_S = 1
"""How long calls that are under way may take once the server shall stop."""


class _Protocol(H11Protocol):
    """HTTP/1.1 that lets the application reach the connection, to reset or to cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent has it
        super().connection_made(transport)
        # the event loop does so by itself only where it has made the listening socket, too
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, TRANSPORT: transport}


def _bound(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def _server(app: ASGIApp) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def serve(*, host: str, port: int, app: ASGIApp | None = None) -> None:
    """Serve an application of ours, a fresh fake if None, until SIGINT or SIGTERM, then return.

    Blocks; prints nothing; warnings go to stderr. Raises OSError if the port is taken.
    """
    server, bound = _server(app if app is not None else create_app()), _bound(host, port)
    # uvicorn raises a signal anew once it has ended: then there is nothing left to interrupt
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    server.run(sockets=[bound])


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an application of ours while the block runs; gives its address, such as `http://127.0.0.1:40123`."""
    server, bound = _server(app), _bound(host, port)
    address = bound.getsockname()[1]
    running = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield f"http://{host}:{address}"
    finally:
        server.should_exit = True
        await running
