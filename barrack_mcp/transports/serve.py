"""Serves a house over stdio, streamable HTTP or SSE on loopback."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal, TypeAlias

import anyio

# before all else, where few imports are under way: the classes of the SDK are made by calls so deep that within many
# imports Python gives back and takes anew, ten thousand times, the piece of memory in which a call's variables lie
import mcp.server.lowlevel  # noqa: F401 - for that alone

from barrack_mcp.account.things import counted
from barrack_mcp.api.http import is_loopback, write_place
from barrack_mcp.config import Settings, SettingsError
from barrack_mcp.dispatch.reaping import keep_reaping
from barrack_mcp.dispatch.writes.looking import look
from barrack_mcp.server.contract import mention
from barrack_mcp.server.house import House, open_server
from barrack_mcp.server.watch import NOBODY
from barrack_mcp.state.audit.origin import coming_from
from barrack_mcp.transports.greeting import AT_A_TERMINAL, is_at_terminal, listening
from barrack_mcp.transports.stdio.connection import serve_stdio

Transport: TypeAlias = Literal["stdio", "http", "sse"]

_SETTLED_S: Final = 0.1
"""What is loaded to open a connection takes half of that of the processor, and nobody shall wait for it."""

_log = logging.getLogger(__name__)


async def serve(
    settings: Settings, transport: Transport, *, host: str, port: int, reap_every: int | None = None
) -> None:
    """Serve until the client goes (stdio) or a signal comes (HTTP, SSE).

    Args:
        settings: What the operator set.
        transport: How calls come in.
        host: The address to listen on.
        port: Its port.
        reap_every: After how many minutes each to end what is past its lease; None for never.

    Raises:
        SettingsError: The address can be reached from elsewhere, or is taken; or nothing can be reaped here.
    """
    if reap_every is not None and (transport == "stdio" or settings.read_only):
        why = "BARRACK_READ_ONLY is on" if settings.read_only else "over stdio the client ends this process"
        raise SettingsError(f"--reap-every: can't be kept, since {why}; run barrack-mcp reap by a timer instead.")
    if settings.key is None and settings.keys_file is None and not settings.keys_from_callers:
        _log.warning("No API key is set: tools are listed, but every call fails until BARRACK_API_KEY is set.")
    if transport == "stdio":
        if is_at_terminal():
            _log.warning(AT_A_TERMINAL)
        async with open_server(settings) as house:
            mention(settings, house.contract, datetime.now(UTC).date())
            with coming_from(transport=transport):
                async with _beside(house):
                    await serve_stdio(house.server, drain=house.drain, drain_seconds=_longest(settings))
        return
    if not is_loopback(host) and (not settings.has_login or settings.public_url is None):
        raise SettingsError(_OPEN)
    from barrack_mcp.transports.bounds import Bounds  # noqa: PLC0415 - stdio needs none of these: they slow its start
    from barrack_mcp.transports.listener import listen  # noqa: PLC0415 - likewise
    from barrack_mcp.transports.monitoring.routes import open_metrics  # noqa: PLC0415 - likewise
    from barrack_mcp.transports.web import make_app, path_of  # noqa: PLC0415 - likewise

    metrics = open_metrics(settings)
    watch = metrics or NOBODY
    async with open_server(settings, remote=True, watch=watch) as house:
        mention(settings, house.contract, datetime.now(UTC).date())
        bounds = Bounds(watch=watch)
        app = make_app(house, settings, transport, bounds=bounds, metrics=metrics)
        address = f"http://{write_place(host, port)}{path_of(transport)}"
        _log.warning(listening(settings, transport=transport, address=address, api=house.api))
        try:
            async with _beside(house, reap_every):
                drain = partial(bounds.drain, beside=house.drain)
                await listen(app, host=host, port=port, drain=drain, drain_seconds=_longest(settings), watch=watch)
        except OSError:
            raise SettingsError(f"Port {port} on {host} can't be opened; is it taken? Try another --port.") from None


@asynccontextmanager
async def _beside(house: House, reap_every: int | None = None) -> AsyncIterator[None]:
    """Do what is done beside the serving until that ends; an error of that comes through as it is.

    Args:
        house: What is served.
        reap_every: After how many minutes each to end what is past its lease; None for never.
    """
    raised: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_warm, house)
        if reap_every is not None:
            every = counted(reap_every, "minute")
            _log.warning("What is past its lease is hibernated, as reap does it, every %s.", every)
            tasks.start_soon(keep_reaping, house.reapers, reap_every * 60.0)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised below
            raised = error
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised


async def _warm(house: House) -> None:
    """Hold a connection to the API ready for the first call, once what a client asks at its start is answered."""
    await anyio.sleep(_SETTLED_S)
    await house.accounts.shared.client.warm()


def _longest(settings: Settings) -> float:
    """How long a write that was sent may take to end: its own time, and that of looking what became of it."""
    return settings.timeout + look.SECONDS


_OPEN: Final = (
    "--host must be this machine (127.0.0.1, ::1 or localhost): anyone who reaches another address could spend your "
    "credits. To serve others, say who may call (BARRACK_HTTP_TOKENS_FILE, see barrack-mcp callers, or "
    "BARRACK_OIDC_ISSUER), put a proxy with TLS before it, and give its address (BARRACK_PUBLIC_URL)."
)
