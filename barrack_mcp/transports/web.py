"""What is served over HTTP and SSE: both transports as applications, behind the door, with what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

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
from barrack_mcp.config import Settings
from barrack_mcp.guard.page.login.page import PATH
from barrack_mcp.server.house import House
from barrack_mcp.transports.bounds import LONGEST, SESSIONS, Bounds
from barrack_mcp.transports.door import Door
from barrack_mcp.transports.hearing import Hearing
from barrack_mcp.transports.login import Gate, open_gate
from barrack_mcp.transports.monitoring.requests import RequestIds
from barrack_mcp.transports.monitoring.routes import METRICS, routes
from barrack_mcp.transports.narrowing import MESSAGES, Narrowed
from barrack_mcp.transports.plain import Plain

if TYPE_CHECKING:
    from barrack_mcp.transports.monitoring.metrics import Metrics

OverWeb: TypeAlias = Literal["http", "sse"]

_HTTP: Final = "/mcp"
_SSE: Final = "/sse"

_SECURITY: Final = TransportSecuritySettings(
    # `Door` judges host and origin, whole; the SDK would take any port, and one loopback address of many
    enable_dns_rebinding_protection=False
)


def path_of(transport: OverWeb) -> str:
    """Answer the path at which a transport is served."""
    return _HTTP if transport == "http" else _SSE


def make_app(
    house: House, settings: Settings, transport: OverWeb, *, bounds: Bounds, metrics: Metrics | None
) -> ASGIApp:
    """Make the application that serves a house.

    Args:
        house: What to serve.
        settings: What the operator set.
        transport: How calls come in.
        bounds: How much may be under way.
        metrics: What counts; None where nothing does.
    """
    path = path_of(transport)
    # where any of many servers may get a client's next request, none keeps a session for it
    over_http = partial(http_app, stateless=isinstance(settings.state, SecretStr))
    make = over_http if transport == "http" else sse_app
    gate = open_gate(settings, house.callers, path) if house.callers is not None else None
    page = None if gate is None or house.page is None else house.page(gate.credentials)
    beside = routes(house, settings, metrics)
    return make(house.server, gate=gate, hosts=_hosts(settings), page=page, beside=beside, bounds=bounds)


def _hosts(settings: Settings) -> frozenset[str]:
    """The names under which this server is reached, beside this machine's own."""
    public = {urlsplit(settings.public_url).netloc} if settings.public_url is not None else set()
    return frozenset(name.lower() for name in {*settings.allowed_hosts, *public})


def _behind(
    app: ASGIApp,
    gate: Gate | None,
    hosts: frozenset[str],
    transport: OverWeb,
    page: ASGIApp | None,
) -> ASGIApp:
    """Put an application behind the door, and behind the login where there is one; whoever knocks has an id."""
    path = path_of(transport)
    # what gathers metrics comes by an address that changes, and its token comes with no page of another place
    anyhow = frozenset() if gate is None else frozenset({METRICS})
    door = Door(Narrowed(app, path) if gate is None else gate.close(app, path), hosts, anyhow)
    return RequestIds(Hearing(door if page is None else _Beside(page, door)), transport)


class _Beside:
    """Answers below the page's path with the page, and everywhere else with what is served.

    The page has a shield of its own, which is stricter than the door of the rest: it takes no other name than the
    public one.

    Args:
        page: The page.
        served: What is served, behind its door and its login.
    """

    def __init__(self, page: ASGIApp, served: ASGIApp) -> None:
        self._page = page
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run through one start and end of the server."""
        path = scope.get("path", "")
        own = scope["type"] == "http" and (path == PATH or path.startswith(f"{PATH}/"))
        await (self._page if own else self._served)(scope, receive, send)


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
    streaming = server.streamable_http_app(
        stateless_http=stateless,
        streamable_http_path=_HTTP,
        transport_security=_SECURITY,
        custom_starlette_routes=[Route("/health", _health), *beside],
        max_request_body_size=LONGEST,
        max_sessions=SESSIONS,
    )
    app = Plain(server, streaming, _HTTP, security=_SECURITY, longest=LONGEST)
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
