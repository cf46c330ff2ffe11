"""An application on loopback, as a web server serves it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application on loopback while the block runs; gives its address."""
    bound = socket.create_server(("127.0.0.1", 0))
    # each connection has it from here; without it a second piece of an answer waits 40 ms for the first
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(app, log_level="warning", http="h11", ws="none", timeout_graceful_shutdown=1)
    listener = uvicorn.Server(config)
    running = asyncio.create_task(listener.serve(sockets=[bound]))
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        listener.should_exit = True
        await running
