"""Answers that go wrong on purpose, down to the socket where there is one."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from http.client import responses
from typing import Annotated, Literal

import anyio
from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter
from starlette.types import Receive, Scope, Send

from barrack_mcp.simulator.calls import Answer
from barrack_mcp.simulator.rules import Body, Json, JsonValue

STALL_S = 120
TRANSPORT = "barrack.transport"
"""Where the server puts a connection's transport into the scope's state."""

_DETAILS = {
    **responses,
    401: "Invalid API key.",
    403: "You do not have permission to perform this action.",
    429: "Request was throttled. Expected available in 30 seconds.",
}
_BODILESS = (204, 205, 304)
_HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$")]
_HeaderValue = Annotated[str, StringConstraints(pattern=r"^[ -~]*$")]
_GARBAGE = "<!doctype html><html><body><h1>Something is not right</h1></body></html>"


class Fault(Body, extra="forbid"):
    """One thing that goes wrong: for which calls, how often, how, and whether the call takes effect before.

    `slow` delays an answer and never withholds an effect. `pace_s` is its pause before each byte.
    """

    action: Literal["status", "reset", "stall", "truncate", "garbage", "redirect", "slow"]
    method: str = "*"
    path: str = "*"
    times: Annotated[int, Field(ge=1)] = 1
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    headers: dict[_HeaderName, _HeaderValue] | None = None
    body: JsonValue = None
    after_effect: bool = False
    pace_s: Annotated[float, Field(ge=0, le=STALL_S, allow_inf_nan=False)] = 1.0

    def fits(self, method: str, path: str) -> bool:
        """Whether it is for this call."""
        return self.method in ("*", method) and self.path in ("*", path)

    @property
    def runs(self) -> bool:
        """Whether the operation runs all the same."""
        return self.after_effect or self.action == "slow"

    def seen_status(self, real: Answer | None) -> int | None:
        """The status that the caller sees; None if it sees none."""
        return None if self.action in ("reset", "stall") else self.answer(real).status

    def answer(self, real: Answer | None) -> Answer:
        """What the caller gets, or a part of it."""
        usual = {"status": 500, "redirect": 302, "garbage": 200}.get(self.action)
        status = self.status or usual or (real.status if real else 200)
        headers = {"content-type": "text/html" if self.action == "garbage" else "application/json"}
        if self.action == "redirect":
            headers["location"] = "/api/elsewhere/"
        headers |= {name.lower(): value for name, value in (self.headers or {}).items()}
        headers.pop("content-length", None)
        return Answer(status, self._write_body(status, real), headers)

    def _write_body(self, status: int, real: Answer | None) -> bytes:
        if status in _BODILESS:
            return b""
        if self.body is not None:
            return self.body.encode(errors="replace") if isinstance(self.body, str) else json.dumps(self.body).encode()
        if self.action == "garbage":
            return _GARBAGE.encode()
        if self.action in ("status", "redirect"):
            return json.dumps({"detail": _DETAILS.get(status, "Error")}).encode()
        return real.body if real else b'{"success":true,"message":"This answer is cut short on purpose"}'


parse = TypeAdapter(list[Fault], config=ConfigDict(strict=True)).validate_python
"""The faults of a JSON list. Raises ValidationError, which is a ValueError."""


class Faults:
    """The faults in force, in order; each wears off."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def replace(self, faults: list[Fault]) -> None:
        """Put these in the place of all."""
        self._faults = list(faults)

    def take(self, method: str, path: str) -> Fault | None:
        """The first that is for this call, which uses it up once."""
        fault = next((each for each in self._faults if each.fits(method, path)), None)
        if fault is not None:
            fault.times -= 1
            if not fault.times:
                self._faults.remove(fault)
        return fault

    def show(self) -> list[Json]:
        """Those still in force."""
        return [dict(fault) for fault in self._faults]


async def play(fault: Fault, real: Answer | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the fault says: really at the socket under `serve`, as near as can be in-process."""
    transport = scope.get("state", {}).get(TRANSPORT)
    answer = fault.answer(real)
    if fault.action == "reset":
        await _reset(transport, receive)
    elif fault.action == "stall":
        await _stall(transport, receive)
    elif fault.action == "truncate":
        await _truncate(answer, transport, receive, send)
    elif fault.action == "slow":
        await _drip(answer, fault.pace_s, send)
    else:
        await answer.send(send)


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reset(transport: asyncio.Transport | None, receive: Receive) -> None:
    if transport is None:
        raise ConnectionResetError("The simulated API reset the connection")
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _wait_until_gone(receive)


async def _stall(transport: asyncio.Transport | None, receive: Receive) -> None:
    with anyio.move_on_after(STALL_S):
        await _wait_until_gone(receive)
        if transport is not None:
            # the caller has hung up: nothing is left to reset
            return
    await _reset(transport, receive)


async def _truncate(answer: Answer, transport: asyncio.Transport | None, receive: Receive, send: Send) -> None:
    body = answer.body
    answer.headers["content-length"] = str(len(body) + 1)
    await send(answer.head)
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": transport is not None})
    if transport is not None:
        transport.close()
        await _wait_until_gone(receive)


async def _drip(answer: Answer, pace_s: float, send: Send) -> None:
    await send(answer.head)
    for byte in answer.body:
        await anyio.sleep(pace_s)
        await send({"type": "http.response.body", "body": bytes((byte,)), "more_body": True})
    await send({"type": "http.response.body", "body": b""})
