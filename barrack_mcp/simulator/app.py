"""The fake as an application: the API under `/api`, its control under `/_sim`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol
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
from barrack_mcp.simulator.rules import Json, JsonValue, RefusedError, detail


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


class Dialect(Protocol):
    """Another spelling of the same API; what is remembered of its calls is in ours."""

    def read(
        self, method: str, path: str, query: list[tuple[str, str]], body: JsonValue
    ) -> tuple[str, str, dict[str, str], JsonValue, Json]:
        """Bring a call into our spelling: method, path, query, body, and the misfits of single fields in theirs.

        Raises LookupError, with the methods that it takes, for a path that takes none or others.
        """

    def write(self, operation: str, told: Json) -> JsonValue:
        """Bring an answer into the other spelling."""

    def refuse(self, operation: str, errors: Json) -> Json:
        """Bring the misfits of single fields into the other spelling."""


@dataclass(slots=True)
class _Asked:
    """A call as it came, in our spelling; `refused` if there is nothing at its path, `misfits` if it can't be read."""

    method: str
    path: str
    query: dict[str, str]
    body: JsonValue
    refused: RefusedError | None = None
    misfits: RefusedError | None = None


class Api:
    """The operations as one ASGI application."""

    def __init__(
        self, barrack: Barrack, *, auth_header: str, auth_template: str, dialect: Dialect | None = None
    ) -> None:
        self._barrack = barrack
        self._dialect = dialect
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
        asked = self._hear(request, scope["raw_path"].decode("latin-1").removeprefix("/api"), body)
        fault = self._barrack.faults.take(asked.method, asked.path)
        if fault is None:
            answer = self._answer(request, asked)
            self._remember(asked, answer.status_code)
            await answer(scope, receive, send)
        else:
            real = self._answer(request, asked) if fault.runs else None
            self._remember(asked, fault.seen_status(real))
            await play(fault, real, scope, receive, send)

    def _hear(self, request: Request, path: str, body: JsonValue) -> _Asked:
        asked = _Asked(request.method, path, dict(request.query_params), body)
        if self._dialect is None or isinstance(body, RefusedError) or not isinstance(body, dict | None):
            return asked
        try:
            *read, misfits = self._dialect.read(asked.method, path, request.query_params.multi_items(), body)
        except LookupError as no:
            methods = ", ".join(sorted(no.args))
            words = f'Method "{asked.method}" not allowed.' if methods else "Not found."
            asked.refused = detail(405, words, allow=methods) if methods else detail(404, words)
            return asked
        asked = _Asked(*read)
        if misfits:
            asked.misfits = RefusedError(400, misfits)
        return asked

    def _remember(self, asked: _Asked, status: int | None) -> None:
        body = "(not JSON)" if isinstance(asked.body, RefusedError) else asked.body
        said = {"method": asked.method, "path": asked.path, "query": asked.query, "body": body}
        self._barrack.remember(self._barrack.requests, **said, status=status)

    def _answer(self, request: Request, asked: _Asked) -> Response:
        request_id, operation = {"request_id": self._barrack.next_request_id()}, ""
        try:
            if asked.refused is not None:
                raise asked.refused
            route, ids = find_route(asked.method, asked.path)
            operation = route.operation
            key = self._read_key(request)
            if isinstance(asked.body, RefusedError):
                raise asked.body
            if asked.misfits is not None:
                return Answer(asked.misfits.body, asked.misfits.status)
            if not isinstance(asked.body, dict | None):
                raise detail(400, "Invalid data. Expected a JSON object.")
            call = Call(self._barrack.world(key), ids, asked.query, asked.body or {})
            told = route.answer(call)
        except RefusedError as no:
            body = no.body | request_id if "success" in no.body else no.body
            spelled = self._dialect.refuse(operation, body) if self._dialect is not None and operation else body
            return Answer(spelled, no.status, no.headers)
        if route.writes and call.changed:
            said = {"operation": operation, "method": route.method, "path": asked.path, "body": asked.body}
            self._barrack.remember(self._barrack.journal, **said)
        told = {"success": True, **told, **({} if route.bare else request_id)}
        return Answer(told if self._dialect is None else self._dialect.write(operation, told), route.status)

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
    dialect: Dialect | None = None,
) -> Starlette:
    """A fresh fake Barrack: the API under `/api`, control under `/_sim`, its `Barrack` at `app.state.barrack`.

    It needs no lifespan and no sockets. `speed` is simulated seconds per real second of `now`; `dialect` spells the API
    otherwise. Raises ValueError for an unknown scenario.
    """
    barrack = Barrack(scenario=scenario, seed=seed, speed=speed, now=now)
    api = Api(barrack, auth_header=auth_header, auth_template=auth_template, dialect=dialect)
    app = Starlette(
        routes=[Mount("/api", app=api), *control_routes(barrack)], exception_handlers={HTTPStatus.NOT_FOUND: _nowhere}
    )
    app.router.redirect_slashes = False
    app.state.barrack = barrack
    return app
