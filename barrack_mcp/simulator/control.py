"""The other side of the fake, under `/_sim`: look into it, move its clock, make it fail, begin again."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from barrack_mcp.simulator import faults
from barrack_mcp.simulator.barrack import Barrack
from barrack_mcp.simulator.calls import JsonValue
from barrack_mcp.simulator.clock import iso

MAX_ADVANCE_S = 10 * 366 * 86_400.0


class UsageError(ValueError):
    """A control call that does not fit; says why in one sentence."""


class _Reply(JSONResponse):
    """JSON escaped to ASCII, since a caller may have sent half a surrogate pair."""

    def render(self, content: JsonValue) -> bytes:
        """The bytes of the body."""
        return json.dumps(content, separators=(",", ":")).encode()


async def _json(request: Request) -> JsonValue:
    """The request's JSON, None for no body. Raises UsageError with a sentence."""
    raw = await request.body()
    if not raw.strip():
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise UsageError("The body is not valid JSON.") from None


def _fields(given: JsonValue, **types: type | tuple[type, ...]) -> dict[str, JsonValue]:
    if not isinstance(given, dict):
        raise UsageError("Send a JSON object.")
    for name, value in given.items():
        if name not in types or isinstance(value, bool) or not isinstance(value, types[name]):
            raise UsageError(f"The fields are {' and '.join(types)}, each of its own type.")
    return given


def control_routes(barrack: Barrack) -> list[Route]:
    """The routes of `/_sim` for one fake."""

    def reset(given: JsonValue) -> JsonValue:
        wanted = _fields({} if given is None else given, scenario=str, seed=int)
        barrack.reset(wanted.get("scenario"), wanted.get("seed"))
        return {"scenario": barrack.scenario, "seed": barrack.seed}

    def clock(given: JsonValue) -> JsonValue:
        seconds = _fields(given, advance_s=(int, float)).get("advance_s")
        if seconds is None or not math.isfinite(seconds) or not 0 <= seconds <= MAX_ADVANCE_S:
            raise UsageError("advance_s must be a number of seconds from 0 up to ten years.")
        barrack.clock.advance(seconds)
        return {"now": iso(barrack.clock.now())}

    def replace_faults(given: JsonValue) -> JsonValue:
        barrack.faults.replace(faults.parse(given))
        return barrack.faults.shown()

    def look(what: Callable[[], JsonValue]) -> Callable[[Request], Response]:
        def answer(_: Request) -> Response:
            return _Reply(what())

        return answer

    def act(deed: Callable[[JsonValue], JsonValue]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                return _Reply(deed(await _json(request)))
            except ValueError as no:
                return _Reply({"detail": str(no)}, status_code=400)

        return answer

    return [
        Route("/_sim/journal", look(lambda: list(barrack.journal))),
        Route("/_sim/requests", look(lambda: list(barrack.requests))),
        Route("/_sim/state", look(barrack.state)),
        Route("/_sim/faults", look(barrack.faults.shown), methods=["GET"]),
        Route("/_sim/faults", act(replace_faults), methods=["POST"]),
        Route("/_sim/reset", act(reset), methods=["POST"]),
        Route("/_sim/clock", act(clock), methods=["POST"]),
    ]
