"""The other side of the fake, under `/_sim`: look into it, move its clock, make it fail, begin again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from barrack_mcp.simulator import faults
from barrack_mcp.simulator.barrack import Barrack
from barrack_mcp.simulator.calls import Answer, parse_json, read_body
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.rules import Body, JsonValue, RefusedError, detail

MAX_ADVANCE_S = 10 * 366 * 86_400.0


class _Reset(Body, extra="forbid"):
    scenario: str | None = None
    seed: int | None = None


class _Advance(Body, extra="forbid"):
    advance_s: Annotated[float, Field(ge=0, le=MAX_ADVANCE_S, allow_inf_nan=False)]


class _Level(Body, extra="forbid"):
    level: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]


Deed = Callable[[JsonValue], JsonValue]
Endpoint = Callable[[Request], Awaitable[Response]]


def _refuse_pages(request: Request) -> None:
    """A web page has no say here, not even one whose name has been led to our address."""
    *labels, last = (request.url.hostname or "").split(".")
    if "origin" in request.headers or (labels and not last.isdigit()):
        raise detail(403, "Not for web pages: send no Origin, and name the host by its address or without a dot.")


def _explain(no: ValueError) -> str:
    if not isinstance(no, ValidationError):
        return str(no)
    error = no.errors(include_url=False, include_input=False)[0]
    if error["type"] == "model_type":
        return "Send a JSON object."
    return " ".join([".".join(map(str, error["loc"])), error["msg"]]).strip() + "."


def _answering(deed: Deed) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            _refuse_pages(request)
            return Answer(deed(parse_json(await read_body(request))))
        except RefusedError as no:
            return Answer(no.body, no.status)
        except ValueError as no:
            return Answer({"detail": _explain(no)}, 400)
        except ClientDisconnect:
            return Response()

    return answer


def control_routes(barrack: Barrack) -> list[Route]:
    """The routes of `/_sim` for one fake."""

    def reset(given: JsonValue) -> JsonValue:
        wanted = _Reset.model_validate({} if given is None else given)
        barrack.reset(wanted.scenario, wanted.seed)
        return {"scenario": barrack.scenario, "seed": barrack.seed}

    def advance(given: JsonValue) -> JsonValue:
        barrack.clock.advance(_Advance.model_validate(given).advance_s)
        return {"now": iso(barrack.clock.now())}

    def reprice(given: JsonValue) -> JsonValue:
        level = _Level.model_validate(given).level
        for key in barrack.worlds:
            barrack.world(key).reprice(level)
        return {"level": level}

    def replace_faults(given: JsonValue) -> JsonValue:
        barrack.faults.replace(faults.parse(given))
        return barrack.faults.show()

    looks: dict[str, Deed] = {
        "journal": lambda _: list(barrack.journal),
        "requests": lambda _: list(barrack.requests),
        "state": lambda _: barrack.state(),
        "faults": lambda _: barrack.faults.show(),
        "books": lambda _: barrack.show_books(),
    }
    deeds: dict[str, Deed] = {"faults": replace_faults, "reset": reset, "clock": advance, "prices": reprice}
    return [
        *(Route(f"/_sim/{name}", _answering(look), methods=["GET"]) for name, look in looks.items()),
        *(Route(f"/_sim/{name}", _answering(deed), methods=["POST"]) for name, deed in deeds.items()),
    ]
