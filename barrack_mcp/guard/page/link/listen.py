"""The page's own web server, which is loaded once there is something to show."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Final

import anyio

from barrack_mcp.api.http.listener import Listener
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.page.about import About, Books
from barrack_mcp.guard.page.link.page import create_page

_MAX_CONNECTIONS: Final = 64
_END_STREAMS_S: Final = 1.0


async def serve_page(
    approvals: Approvals,
    bound: socket.socket,
    *,
    secret: str,
    room: str,
    hosts: list[str],
    passphrase: str | None,
    about: About,
    costs: Books | None,
    started: Callable[[], None],
    now: Callable[[], float] = time.time,
) -> None:
    """Serve the page on a socket until cancelled; answers under way are finished then.

    Args:
        approvals: What it shows and decides.
        bound: Where it listens.
        secret: What lets a person in.
        room: The path below which it lives.
        hosts: Names under which it answers.
        passphrase: Hash of what has to be typed at the sign-in; None where a link is enough.
        about: For what it speaks.
        costs: The accounts whose costs are shown; None where none are.
        started: Called once it listens.
        now: The time in seconds since 1970.
    """
    page = create_page(
        approvals,
        secret=secret,
        room=room,
        allowed_hosts=hosts,
        passphrase=passphrase,
        about=about,
        costs=costs,
        now=now,
    )

    async def end_streams() -> None:
        page.state.live.close()

    server = Listener(page, finish=end_streams, seconds=_END_STREAMS_S, started=started, most=_MAX_CONNECTIONS)
    async with anyio.create_task_group() as tasks:
        # shielded, so that uvicorn ends by its own wish and lets answers under way finish
        with anyio.CancelScope(shield=True):
            tasks.start_soon(_stop_when_cancelled, server)
            await server.serve(sockets=[bound])
        tasks.cancel_scope.cancel()


async def _stop_when_cancelled(server: Listener) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        server.should_exit = True
