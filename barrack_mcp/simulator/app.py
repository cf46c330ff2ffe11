"""The fake as an application: the API under `/api`, its control under `/_sim`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from barrack_mcp.simulator.barrack import Barrack
from barrack_mcp.simulator.calls import ROUTES, Answer, Call, Route, answer, parse_json, read_body
from barrack_mcp.simulator.control import CONTROL, Control
from barrack_mcp.simulator.faults import play
from barrack_mcp.simulator.rules import Json, JsonValue, RefusedError, detail

API = "/api"

Forms = dict[tuple[int, ...], dict[str, dict[str, Route]]]
"""Routes by the places of their placeholders, by their path without them, and by method."""


def _take_out(path: str, places: tuple[int, ...]) -> tuple[str, list[str]]:
    """What is left of a path without the segments at these places, and those; nothing if there are none there."""
    if not places:
        return path, []
    segments = path.split("/")
    if places[-1] >= len(segments):
        return "", []
    taken = [segments[at] for at in places]
    for at in places:
        segments[at] = ""
    return "/".join(segments), taken


def _by_form(routes: list[Route]) -> Forms:
    """The routes by their form. A fixed segment wins over a placeholder."""
    found: Forms = {}
    for each in sorted(routes, key=lambda route: len(route.names)):
        places = tuple(at for at, segment in enumerate(each.path.split("/")) if segment.startswith("{"))
        left, _ = _take_out(each.path, places)
        found.setdefault(places, {}).setdefault(left, {})[each.method] = each
    return found


FORMS = _by_form(ROUTES)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a call, and what stands in its placeholders; refuse what there is not."""
    for places, forms in FORMS.items():
        left, taken = _take_out(path, places)
        routes = forms.get(left)
        if routes is None or not all(taken):
            continue
        if method not in routes:
            raise detail(405, f'Method "{method}" not allowed.', allow=", ".join(sorted(routes)))
        route = routes[method]
        return route, dict(zip(route.names, map(unquote, taken), strict=True))
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
    """The operations: what a call is answered, and what is remembered of it."""

    def __init__(
        self, barrack: Barrack, *, auth_header: str, auth_template: str, dialect: Dialect | None = None
    ) -> None:
        self._barrack = barrack
        self._dialect = dialect
        self._header = auth_header.lower().encode("latin-1")
        self._forms = {auth_template.replace("{key}", key): key for key in barrack.worlds}
        # a key may go on after a dot, so that a test can know its own wherever it meets it
        self._goes_on = auth_template.endswith("{key}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one call, remember it, and answer it, truly or as a fault will have it."""
        raw = await read_body(receive)
        if raw is None:
            # who went away in the middle has not sent a call, and nothing takes effect
            return
        asked = self._hear(scope, raw)
        fault = self._barrack.faults.take(asked.method, asked.path)
        if fault is None:
            true = self._answer(scope, asked)
            self._remember(asked, true.status)
            await true.send(send)
        else:
            real = self._answer(scope, asked) if fault.runs else None
            self._remember(asked, fault.seen_status(real))
            await play(fault, real, scope, receive, send)

    def _hear(self, scope: Scope, raw: bytes) -> _Asked:
        try:
            body: JsonValue = parse_json(raw)
        except RefusedError as no:
            # told once it is known that the call may be made at all
            body = no
        path = scope["raw_path"].decode("latin-1").removeprefix(API)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        asked = _Asked(scope["method"], path, dict(query), body)
        if self._dialect is None or isinstance(body, RefusedError) or not isinstance(body, dict | None):
            return asked
        try:
            *read, misfits = self._dialect.read(asked.method, path, query, body)
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

    def _answer(self, scope: Scope, asked: _Asked) -> Answer:
        request_id, operation = {"request_id": self._barrack.next_request_id()}, ""
        try:
            if asked.refused is not None:
                raise asked.refused
            route, ids = find_route(asked.method, asked.path)
            operation = route.operation
            key = self._read_key(scope)
            if isinstance(asked.body, RefusedError):
                raise asked.body
            if asked.misfits is not None:
                return answer(asked.misfits.body, asked.misfits.status)
            if not isinstance(asked.body, dict | None):
                raise detail(400, "Invalid data. Expected a JSON object.")
            call = Call(self._barrack.world(key), ids, asked.query, asked.body or {})
            told = route.answer(call)
        except RefusedError as no:
            body = no.body | request_id if "success" in no.body else no.body
            spelled = self._dialect.refuse(operation, body) if self._dialect is not None and operation else body
            return answer(spelled, no.status, **no.headers)
        if route.writes and call.changed:
            said = {"operation": operation, "method": route.method, "path": asked.path, "body": asked.body}
            self._barrack.remember(self._barrack.journal, **said)
        told = {"success": True, **told, **({} if route.bare else request_id)}
        return answer(told if self._dialect is None else self._dialect.write(operation, told), route.status)

    def _read_key(self, scope: Scope) -> str:
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == self._header), None)
        if given is None:
            raise detail(401, "Authentication credentials were not provided.")
        for form, key in self._forms.items():
            if given == form or (self._goes_on and given.startswith(f"{form}.")):
                return key
        raise detail(401, "Invalid API key.")


class Application:
    """The fake as one ASGI application, its `Barrack` at `state.barrack`."""

    def __init__(self, api: Api, control: Control, barrack: Barrack) -> None:
        self.state = State({"barrack": barrack})
        self._doors: dict[str, ASGIApp] = {API: api, CONTROL: control}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a call to where it is answered."""
        path = scope["path"]
        # no route takes a line break
        door = _nowhere if "\n" in path else self._doors.get("/".join(path.split("/", 2)[:2]), _nowhere)
        await door(scope, receive, send)


async def _nowhere(_: Scope, __: Receive, send: Send) -> None:
    await answer({"detail": "Not found."}, HTTPStatus.NOT_FOUND).send(send)


def create_app(
    *,
    scenario: str = "small",
    seed: int = 1,
    speed: float = 60.0,
    now: Callable[[], float] = time.monotonic,
    auth_header: str = "Authorization",
    auth_template: str = "Bearer {key}",
    dialect: Dialect | None = None,
) -> Application:
    """A fresh fake Barrack: the API under `/api`, control under `/_sim`.

    It needs no lifespan and no sockets. `speed` is simulated seconds per real second of `now`; `dialect` spells the API
    otherwise. Raises ValueError for an unknown scenario.
    """
    barrack = Barrack(scenario=scenario, seed=seed, speed=speed, now=now)
    api = Api(barrack, auth_header=auth_header, auth_template=auth_template, dialect=dialect)
    return Application(api, Control(barrack), barrack)
