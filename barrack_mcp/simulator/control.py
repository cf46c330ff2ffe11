"""The other side of the fake, under `/_sim`: look into it, move its clock, make it fail, begin again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from barrack_mcp.simulator import faults
from barrack_mcp.simulator.barrack import Barrack
from barrack_mcp.simulator.calls import Answer, answer, parse_json, read_body
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.rules import Body, JsonValue, RefusedError, detail

CONTROL = "/_sim"
MAX_ADVANCE_S = 10 * 366 * 86_400.0


class _Reset(Body, extra="forbid"):
    scenario: str | None = None
    seed: int | None = None


class _Advance(Body, extra="forbid"):
    advance_s: Annotated[float, Field(ge=0, le=MAX_ADVANCE_S, allow_inf_nan=False)]


class _Level(Body, extra="forbid"):
    level: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]


Deed = Callable[[JsonValue], JsonValue]


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


class Control:
    """What can be done to one fake, and seen of it."""

    def __init__(self, barrack: Barrack) -> None:
        self._barrack = barrack
        looks: dict[str, Deed] = {
            "journal": lambda _: list(barrack.journal),
            "requests": lambda _: list(barrack.requests),
            "state": lambda _: barrack.state(),
            "faults": lambda _: barrack.faults.show(),
            "books": lambda _: barrack.show_books(),
        }
        deeds: dict[str, Deed] = {
            "faults": self._replace_faults,
            "reset": self._reset,
            "clock": self._advance,
            "prices": self._reprice,
        }
        self._deeds = {"GET": looks, "POST": deeds}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do what is asked."""
        raw = await read_body(receive)
        if raw is not None:
            await self._answer(Request(scope), raw).send(send)

    def _answer(self, request: Request, raw: bytes) -> Answer:
        try:
            _refuse_pages(request)
            return answer(self._find(request.method, request.url.path.removeprefix(f"{CONTROL}/"))(parse_json(raw)))
        except RefusedError as no:
            return answer(no.body, no.status, **no.headers)
        except ValueError as no:
            return answer({"detail": _explain(no)}, 400)

    def _find(self, method: str, name: str) -> Deed:
        methods = [each for each, deeds in self._deeds.items() if name in deeds]
        if not methods:
            raise detail(404, "Not found.")
        if method not in methods:
            raise detail(405, f'Method "{method}" not allowed.', allow=", ".join(methods))
        return self._deeds[method][name]

    def _reset(self, given: JsonValue) -> JsonValue:
        wanted = _Reset.model_validate({} if given is None else given)
        self._barrack.reset(wanted.scenario, wanted.seed)
        return {"scenario": self._barrack.scenario, "seed": self._barrack.seed}

    def _advance(self, given: JsonValue) -> JsonValue:
        self._barrack.clock.advance(_Advance.model_validate(given).advance_s)
        return {"now": iso(self._barrack.clock.now())}

    def _reprice(self, given: JsonValue) -> JsonValue:
        level = _Level.model_validate(given).level
        for key in self._barrack.worlds:
            self._barrack.world(key).reprice(level)
        return {"level": level}

    def _replace_faults(self, given: JsonValue) -> JsonValue:
        self._barrack.faults.replace(faults.parse(given))
        return self._barrack.faults.show()
