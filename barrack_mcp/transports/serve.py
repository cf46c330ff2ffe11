"""Serves a house over stdio, streamable HTTP or SSE on loopback."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import anyio
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from barrack_mcp import __version__
from barrack_mcp.account.things import counted
from barrack_mcp.api.http import is_loopback, write_place
from barrack_mcp.config import Settings, SettingsError
from barrack_mcp.dispatch.writes import look
from barrack_mcp.server.contract import mention
from barrack_mcp.server.house import House, open_server
from barrack_mcp.server.watch import NOBODY
from barrack_mcp.state.audit.origin import coming_from
from barrack_mcp.transports.approvals import Beside
from barrack_mcp.transports.bounds import LONGEST, SESSIONS, Bounds
from barrack_mcp.transports.door import Door
from barrack_mcp.transports.greeting import AT_A_TERMINAL, is_at_terminal, listening
from barrack_mcp.transports.hearing import Hearing
from barrack_mcp.transports.login import Gate, open_gate
from barrack_mcp.transports.monitoring.requests import RequestIds
from barrack_mcp.transports.monitoring.routes import METRICS, open_metrics, routes
from barrack_mcp.transports.narrowing import MESSAGES, Narrowed
from barrack_mcp.transports.stdio.connection import serve_stdio

Transport: TypeAlias = Literal["stdio", "http", "sse"]

_HTTP: Final = "/mcp"
_SSE: Final = "/sse"

_SETTLED_S: Final = 0.1
"""What is loaded to open a connection takes half of that of the processor, and nobody shall wait for it."""

_SECURITY: Final = TransportSecuritySettings(
    # `Door` judges host and origin, whole; the SDK would take any port, and one loopback address of many
    enable_dns_rebinding_protection=False
)

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
    if settings.key is None:
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
    from barrack_mcp.transports.listener import listen  # noqa: PLC0415 - stdio needs no web server, and it would slow its start

    metrics = open_metrics(settings)
    watch = metrics or NOBODY
    async with open_server(settings, remote=True, watch=watch) as house:
        mention(settings, house.contract, datetime.now(UTC).date())
        # where any of many servers may get a client's next request, none keeps a session for it
        over_http = partial(http_app, stateless=isinstance(settings.state, SecretStr))
        make, path = (over_http, _HTTP) if transport == "http" else (sse_app, _SSE)
        gate = open_gate(settings, house.callers, path) if house.callers is not None else None
        page = None if gate is None or house.page is None else house.page(gate.credentials)
        bounds = Bounds(watch=watch)
        beside = routes(house, settings, metrics)
        app = make(house.server, gate=gate, hosts=_hosts(settings), page=page, beside=beside, bounds=bounds)
        address = f"http://{write_place(host, port)}{path}"
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
            for reaper in house.reapers:
                tasks.start_soon(reaper.keep_reaping, reap_every * 60.0)
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


def _hosts(settings: Settings) -> frozenset[str]:
    """The names under which this server is reached, beside this machine's own."""
    public = {urlsplit(settings.public_url).netloc} if settings.public_url is not None else set()
    return frozenset(name.lower() for name in {*settings.allowed_hosts, *public})


def _behind(
    app: ASGIApp,
    gate: Gate | None,
    hosts: frozenset[str],
    transport: Transport,
    page: ASGIApp | None,
) -> ASGIApp:
    """Put an application behind the door, and behind the login where there is one; whoever knocks has an id."""
    path = _HTTP if transport == "http" else _SSE
    # what gathers metrics comes by an address that changes, and its token comes with no page of another place
    anyhow = frozenset() if gate is None else frozenset({METRICS})
    door = Door(Narrowed(app, path) if gate is None else gate.close(app, path), hosts, anyhow)
    return RequestIds(Hearing(door if page is None else Beside(page, door)), transport)


def http_app(
    server: Server[Any],
    *,
    gate: Gate | None = None,
    hosts: frozenset[str] = frozenset(),
    page: ASGIApp | None = None,
    beside: Sequence[Route] = (),
    bounds: Bounds | None = None,
    stateless: bool = False,
) -> ASGIApp:
    """Serve streamable HTTP under `/mcp`, both eras, and `/health`.

    Args:
        server: What to serve.
        gate: Lets callers in; None for whoever can reach it.
        hosts: Names under which it is reached, beside this machine's own, in small letters.
        page: The approval page for those who sign in; None where there is none.
        beside: What is served beside.
        bounds: How much may be under way; the usual, if None.
        stateless: Whether clients of the older era get no session, so that any server answers any of their requests;
            they can't be asked anything then, and what wants a yes waits for it elsewhere.
    """
    app = server.streamable_http_app(
        stateless_http=stateless,
        streamable_http_path=_HTTP,
        transport_security=_SECURITY,
        custom_starlette_routes=[Route("/health", _health), *beside],
        max_request_body_size=LONGEST,
        max_sessions=SESSIONS,
    )
    return _behind((bounds or Bounds()).hold(app), gate, hosts, "http", page)


def sse_app(
    server: Server[Any],
    *,
    gate: Gate | None = None,
    hosts: frozenset[str] = frozenset(),
    page: ASGIApp | None = None,
    beside: Sequence[Route] = (),
    bounds: Bounds | None = None,
) -> ASGIApp:
    """Serve the older transport of two paths, `/sse` and `/messages/`, and `/health`; see `http_app`."""
    bounds = bounds or Bounds()
    # what its stream answers is under way for longer than the request it comes by
    server.middleware.insert(0, bounds.hold_call)
    sse = SseServerTransport(MESSAGES, security_settings=_SECURITY, max_request_body_size=LONGEST)

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        async with sse.connect_sse(scope, receive, send) as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    app = Starlette(
        routes=[
            Route("/health", _health),
            *beside,
            _only_get(_SSE, stream),
            Mount(MESSAGES, app=sse.handle_post_message),
        ],
    )
    return _behind(bounds.hold(app), gate, hosts, "sse", page)


def _only_get(path: str, app: Any) -> Route:
    """Serve GET alone. Clients that don't know which transport this is POST first, and fall back by a 405."""
    route = Route(path, endpoint=_Endpoint(app), methods=["GET"])
    # Starlette adds it to each GET, and a stream answers no HEAD
    route.methods = {"GET"}
    return route


class _Endpoint:
    """An ASGI application as a route's endpoint; Starlette takes plain functions for request handlers."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "version": __version__})
