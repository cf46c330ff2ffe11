"""The page's own web server, which is loaded once there is something to show."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Final

import anyio
import uvicorn

from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.page.app import create_page

_MAX_CONNECTIONS: Final = 64
_GRACE_S: Final = 1


async def serve_page(
    approvals: Approvals,
    bound: socket.socket,
    *,
    secret: str,
    hosts: list[str],
    started: Callable[[], None],
    now: Callable[[], float] = time.time,
) -> None:
    """Serve the page on a socket until cancelled; answers under way are finished then.

    Args:
        approvals: What it shows and decides.
        bound: Where it listens.
        secret: What lets a person in.
        hosts: Names under which it answers.
        started: Called once it listens.
        now: The time in seconds since 1970.
    """
    page = create_page(approvals, secret=secret, allowed_hosts=hosts, now=now)
    config = uvicorn.Config(
        page,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config, started)
    async with anyio.create_task_group() as tasks:
        # shielded, so that uvicorn ends by its own wish and lets answers under way finish
        with anyio.CancelScope(shield=True):
            tasks.start_soon(_stop_with, server, page.state.live.close)
            await server.serve(sockets=[bound])
        tasks.cancel_scope.cancel()


async def _stop_with(server: uvicorn.Server, end_streams: Callable[[], None]) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        end_streams()
        server.should_exit = True


class _Server(uvicorn.Server):
    """A server that leaves signals to the process and says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()
