"""The fake as an application: the API under `/api`, its control under `/_sim`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, compile_path
from starlette.types import Receive, Scope, Send

from barrack_mcp.simulator.barrack import Barrack
from barrack_mcp.simulator.calls import ROUTES, Answer, Call, Route, parse_json, read_body
from barrack_mcp.simulator.control import control_routes
from barrack_mcp.simulator.faults import play
from barrack_mcp.simulator.rules import JsonValue, RefusedError, detail


def _by_path(routes: list[Route]) -> dict[re.Pattern[str], dict[str, Route]]:
    """The routes by path and method. A fixed segment wins over a placeholder."""
    found: dict[re.Pattern[str], dict[str, Route]] = {}
    for each in sorted(routes, key=lambda route: route.path.count("{")):
        found.setdefault(compile_path(each.path)[0], {})[each.method] = each
    return found


PATHS = _by_path(ROUTES)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a call, and what stands in its placeholders; refuse what there is not."""
    for form, routes in PATHS.items():
        fits = form.fullmatch(path)
        if fits and method in routes:
            return routes[method], {name: unquote(value) for name, value in fits.groupdict().items()}
        if fits:
            raise detail(405, f'Method "{method}" not allowed.', allow=", ".join(sorted(routes)))
    raise detail(404, "Not found.")


class Api:
    """The operations as one ASGI application."""

    def __init__(self, barrack: Barrack, *, auth_header: str, auth_template: str) -> None:
        self._barrack = barrack
        self._header = auth_header
        self._template = auth_template

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one call, remember it, and answer it, truly or as a fault will have it."""
        request = Request(scope, receive)
        try:
            raw = await read_body(request)
        except ClientDisconnect:
            # who went away in the middle has not sent a call, and nothing takes effect
            return
        try:
            body: JsonValue = parse_json(raw)
        except RefusedError as no:
            # told once it is known that the call may be made at all
            body = no
        path = scope["raw_path"].decode("latin-1").removeprefix("/api")
        fault = self._barrack.faults.take(request.method, path)
        if fault is None:
            answer = self._answer(request, path, body)
            self._remember(request, path, body, answer.status_code)
            await answer(scope, receive, send)
        else:
            real = self._answer(request, path, body) if fault.runs else None
            self._remember(request, path, body, fault.seen_status(real))
            await play(fault, real, scope, receive, send)

    def _remember(self, request: Request, path: str, body: JsonValue, status: int | None) -> None:
        body = "(not JSON)" if isinstance(body, RefusedError) else body
        query, book = dict(request.query_params), self._barrack.requests
        self._barrack.remember(book, method=request.method, path=path, query=query, body=body, status=status)

    def _answer(self, request: Request, path: str, body: JsonValue) -> Response:
        request_id = {"request_id": self._barrack.next_request_id()}
        try:
            route, ids = find_route(request.method, path)
            key = self._read_key(request)
            if isinstance(body, RefusedError):
                raise body
            if not isinstance(body, dict | None):
                raise detail(400, "Invalid data. Expected a JSON object.")
            call = Call(self._barrack.world(key), ids, dict(request.query_params), body or {})
            told = route.answer(call)
        except RefusedError as no:
            return Answer(no.body | request_id if "success" in no.body else no.body, no.status, no.headers)
        if route.writes and call.changed:
            book = self._barrack.journal
            self._barrack.remember(book, operation=route.operation, method=route.method, path=path, body=body)
        return Answer({"success": True, **told, **({} if route.bare else request_id)}, route.status)

    def _read_key(self, request: Request) -> str:
        given = request.headers.get(self._header)
        if given is None:
            raise detail(401, "Authentication credentials were not provided.")
        for key in self._barrack.worlds:
            # a key may go on after a dot, so that a test can know its own wherever it meets it
            longer = self._template.endswith("{key}") and given.startswith(self._template.replace("{key}", f"{key}."))
            if longer or given == self._template.replace("{key}", key):
                return key
        raise detail(401, "Invalid API key.")


async def _nowhere(_: Request, __: Exception) -> Response:
    """A line break in a path fits no route at all."""
    return Answer({"detail": "Not found."}, HTTPStatus.NOT_FOUND)


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
