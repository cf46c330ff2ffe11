"""The web server under the transports and the page, at sockets of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import anyio
import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from barrack_mcp.api.http.listener import Listener
from barrack_mcp.simulator import create_app, server

pytestmark = pytest.mark.anyio


async def finished() -> None:
    """Nothing is under way."""


def ours() -> uvicorn.Server:
    return Listener(PlainTextResponse("ok"), finish=finished, seconds=0)


def simulated() -> uvicorn.Server:
    return server._server(create_app())  # noqa: SLF001 - what serves has no other door


@pytest.mark.parametrize("made", [ours, simulated])
async def test_an_answer_waits_for_nothing_that_its_client_confirms_late(made: Callable[[], uvicorn.Server]) -> None:
    """A system confirms a head after 40 ms, for which the body would wait otherwise, at each answer."""
    web = made()
    with socket.create_server(("127.0.0.1", 0)) as bound:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(web.serve, [bound])
            async with await anyio.connect_tcp(*bound.getsockname()) as client:
                await client.send(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
                await client.receive()
                (held,) = web.server_state.connections
                assert isinstance(held, asyncio.Protocol)
                taken = held.transport.get_extra_info("socket")
                assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            web.should_exit = True
