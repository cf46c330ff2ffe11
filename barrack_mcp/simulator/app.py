"""The fake as an application: the API under `/api`, its control under `/_sim`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from barrack_mcp.simulator.barrack import Barrack
from barrack_mcp.simulator.calls import Call, Json, JsonValue, RefusedError, Route, detail
from barrack_mcp.simulator.control import control_routes
from barrack_mcp.simulator.faults import Answer, play
from barrack_mcp.simulator.routes import (
    billing,
    catalog,
    deploy,
    firewalls,
    instances,
    keys,
    scripts,
    snapshots,
    volumes,
)

ROUTES = tuple(
    route
    for room in (catalog, deploy, instances, billing, keys, volumes, scripts, snapshots, firewalls)
    for route in room.ROUTES
)
MAX_BODY = 4 * 1024 * 1024


def _constant(name: str) -> float:
    raise ValueError(name)


def parse_body(raw: bytes) -> JsonValue:
    """The JSON of a body, None for no body. Raises ValueError for what is no JSON, NaN and endless nesting included."""
    if not raw.strip():
        return None
    try:
        return json.loads(raw, parse_constant=_constant)
    except RecursionError as deep:
        raise ValueError("too deep") from deep


class Table:
    """The routes by path. A fixed segment wins over a placeholder."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._paths: dict[tuple[str, ...], dict[str, Route]] = {}
        for route in sorted(routes, key=lambda route: route.path.count("{")):
            self._paths.setdefault(tuple(route.path.split("/")), {})[route.method] = route

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]] | None:
        """The routes of a path by method, and what stands in its placeholders; None if the path is unknown."""
        segments = path.split("/")
        for template, routes in self._paths.items():
            if len(template) == len(segments):
                pairs = list(zip(template, segments, strict=True))
                if all(want == got or (want.startswith("{") and got) for want, got in pairs):
                    return routes, {want[1:-1]: unquote(got) for want, got in pairs if want.startswith("{")}
        return None


class Api:
    """The 63 operations as one ASGI application."""

    def __init__(self, barrack: Barrack, *, auth_header: str, auth_template: str) -> None:
        self._barrack = barrack
        self._table = Table(ROUTES)
        self._header = auth_header.lower().encode()
        self._template = auth_template

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one call, remember it, and answer it, truly or as a fault will have it."""
        raw = await _body(receive)
        if raw is None:
            return
        barrack, method = self._barrack, scope["method"]
        path = scope["raw_path"].decode("latin-1").removeprefix("/api")
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        fault = barrack.faults.take(method, path)
        note = partial(barrack.remember_request, method=method, path=path, query=query, body=_readable(raw))
        if fault is None:
            answer = self._answer(scope, method, path, query, raw)
            note(status=answer.status)
            await answer.send(send)
            return
        real = self._answer(scope, method, path, query, raw) if fault.runs else None
        note(status=fault.seen_status(real))
        await play(fault, real, scope, receive, send)

    def _answer(self, scope: Scope, method: str, path: str, query: dict[str, str], raw: bytes) -> Answer:
        request_id = self._barrack.next_request_id()
        try:
            route, ids, key = self._admit(scope, method, path)
            body = _json_object(raw)
            call = Call(self._barrack.world(key), ids, query, body or {})
            answer = route.answer(call)
        except RefusedError as no:
            told = no.body | {"request_id": request_id} if "success" in no.body else no.body
            answered = Answer.of(no.status, told)
            return Answer(answered.status, answered.body, (*answered.headers, *no.headers))
        if route.writes and call.changed:
            self._barrack.remember_effect(operation=route.operation, method=method, path=path, body=body)
        tail: Json = {} if route.bare else {"request_id": request_id}
        return Answer.of(route.status, {"success": True, **answer, **tail})

    def _admit(self, scope: Scope, method: str, path: str) -> tuple[Route, dict[str, str], str]:
        found = self._table.find(path)
        if found is None:
            raise detail(404, "Not found.")
        routes, ids = found
        key = self._key(scope)
        route = routes.get(method)
        if route is None:
            raise detail(405, f'Method "{method}" not allowed.', ("allow", ", ".join(sorted(routes))))
        return route, ids, key

    def _key(self, scope: Scope) -> str:
        given = next((value for name, value in scope["headers"] if name.lower() == self._header), None)
        if given is None:
            raise detail(401, "Authentication credentials were not provided.")
        for key in self._barrack.worlds:
            whole = self._template.replace("{key}", key)
            # a key may go on after a dot, so that a test can know its own wherever it meets it
            longer = self._template.replace("{key}", f"{key}.").encode()
            if given == whole.encode() or (self._template.endswith("{key}") and given.startswith(longer)):
                return key
        raise detail(401, "Invalid API key.")


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if the caller went away in the middle, whose call must not take effect."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _nowhere(_: Request, __: Exception) -> Response:
    """A line break in a path fits no route at all."""
    return JSONResponse({"detail": "Not found."}, HTTPStatus.NOT_FOUND)


def _json_object(raw: bytes) -> Json | None:
    if len(raw) > MAX_BODY:
        raise detail(413, f"The body is larger than {MAX_BODY} bytes.")
    try:
        body: Json | None = parse_body(raw)
    except ValueError:
        raise detail(400, "JSON parse error - the body is not valid JSON.") from None
    if raw.strip() and not isinstance(body, dict):
        raise detail(400, "Invalid data. Expected a JSON object.")
    return body


def _readable(raw: bytes) -> JsonValue:
    try:
        return parse_body(raw[:MAX_BODY])
    except ValueError:
        return "(not JSON)"


def create_app(
    *,
    scenario: str = "small",
    seed: int = 1,
    speed: float = 60.0,
    now: Callable[[], float] = time.monotonic,
    auth_header: str = "Authorization",
    auth_template: str = "Bearer {key}",
) -> Starlette:
    """A fresh fake Barrack: the API under `/api`, control under `/_sim`, its `Barrack` at `app.state.barrack`.

    It needs no lifespan and no sockets. `speed` is simulated seconds per real second of `now`. Raises ValueError for an
    unknown scenario.
    """
    barrack = Barrack(scenario=scenario, seed=seed, speed=speed, now=now)
    api = Api(barrack, auth_header=auth_header, auth_template=auth_template)
    app = Starlette(
        routes=[Mount("/api", app=api), *control_routes(barrack)], exception_handlers={HTTPStatus.NOT_FOUND: _nowhere}
    )
    app.router.redirect_slashes = False
    app.state.barrack = barrack
    return app
