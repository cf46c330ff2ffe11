"""Answers that go wrong on purpose, down to the socket where there is one."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from dataclasses import asdict, dataclass, field
from http.client import responses

import anyio
from starlette.types import Receive, Scope, Send

from barrack_mcp.simulator.calls import JsonValue

ACTIONS = ("status", "reset", "stall", "truncate", "garbage", "redirect", "slow")
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
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_GARBAGE = "<!doctype html><html><body><h1>Something is not right</h1></body></html>"


class FaultError(ValueError):
    """A fault that can't be played; says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the caller."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)

    @classmethod
    def of(cls, status: int, body: JsonValue) -> Answer:
        """A JSON answer. Escaped to ASCII, since a caller may have sent half a surrogate pair."""
        return cls(status, json.dumps(body, separators=(",", ":")).encode())

    def head(self, length: int | None = None) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI has them, with a length that may be a lie."""
        told = (*self.headers, ("content-length", str(len(self.body) if length is None else length)))
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told]

    async def send(self, send: Send) -> None:
        """Send it whole."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.head()})
        await send({"type": "http.response.body", "body": self.body})


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong: for which calls, how often, how, and whether the call takes effect before.

    `slow` delays an answer and never withholds an effect. `pace_s` is its pause before each byte.
    """

    action: str
    method: str = "*"
    path: str = "*"
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: JsonValue = None
    after_effect: bool = False
    pace_s: float = 1.0

    def fits(self, method: str, path: str) -> bool:
        """Whether it is for this call."""
        return self.method in ("*", method) and self.path in ("*", path)

    @property
    def runs(self) -> bool:
        """Whether the operation runs all the same."""
        return self.after_effect or self.action == "slow"

    @property
    def _status(self) -> int | None:
        return self.status or {"status": 500, "redirect": 302, "garbage": 200}.get(self.action)

    def seen_status(self, real: Answer | None) -> int | None:
        """The status that the caller sees; None if it sees none."""
        return None if self.action in ("reset", "stall") else self.answer(real).status

    def answer(self, real: Answer | None) -> Answer:
        """What the caller gets, or a part of it."""
        status = self._status or (real.status if real else 200)
        body = self._body(status, real)
        kind = "application/json" if self.action != "garbage" else "text/html"
        headers = {"content-type": kind}
        if self.action == "redirect":
            headers["location"] = "/api/elsewhere/"
        headers |= {name.lower(): value for name, value in self.headers.items()}
        headers.pop("content-length", None)
        return Answer(status, body, tuple(headers.items()))

    def _body(self, status: int, real: Answer | None) -> bytes:
        if status in _BODILESS:
            return b""
        if self.body is not None:
            return self.body.encode(errors="replace") if isinstance(self.body, str) else json.dumps(self.body).encode()
        if self.action == "garbage":
            return _GARBAGE.encode()
        if self.action in ("status", "redirect"):
            return json.dumps({"detail": _DETAILS.get(status, "Error")}).encode()
        return real.body if real else b'{"success":true,"message":"This answer is cut short on purpose"}'


_TYPES: dict[str, tuple[type, ...]] = {
    "method": (str,),
    "path": (str,),
    "times": (int,),
    "action": (str,),
    "status": (int, type(None)),
    "headers": (dict, type(None)),
    "after_effect": (bool,),
    "pace_s": (int, float),
}


def parse(given: JsonValue) -> list[Fault]:
    """The faults of a JSON list. Raises FaultError with one sentence."""
    if not isinstance(given, list):
        raise FaultError("Send a JSON list of faults.")
    return [_parse(number, each) for number, each in enumerate(given, start=1)]


def _parse(number: int, given: JsonValue) -> Fault:
    if not isinstance(given, dict):
        raise FaultError(f"Fault {number} is not an object.")
    if given.get("action") not in ACTIONS:
        raise FaultError(f"Fault {number} needs an action: one of {', '.join(ACTIONS)}.")
    unknown = sorted(set(given) - set(_TYPES) - {"body"})
    if unknown:
        raise FaultError(f"Fault {number} has unknown fields; known are {', '.join((*_TYPES, 'body'))}.")
    for name, types in _TYPES.items():
        value = given.get(name)
        if name in given and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
            raise FaultError(f"Fault {number}: {name} is of the wrong type.")
    headers = given.get("headers") or {}
    wrong = _out_of_range(given) or _unsendable(headers)
    if wrong:
        raise FaultError(f"Fault {number}: {wrong}.")
    return Fault(**{**given, "headers": headers})


def _out_of_range(given: dict[str, JsonValue]) -> str | None:
    status = given.get("status")
    if status is not None and not 200 <= status <= 599:  # noqa: PLR2004 - the statuses that can be sent
        return "status must be 200 to 599"
    if given.get("times", 1) < 1:
        return "times must be 1 or more"
    return None if 0 <= given.get("pace_s", 0) <= STALL_S else f"pace_s must be 0 to {STALL_S}"


def _unsendable(headers: dict[str, JsonValue]) -> str | None:
    for name, value in headers.items():
        if not (isinstance(value, str) and value.isascii() and value.isprintable() and _HEADER.fullmatch(name)):
            return "headers must be printable ASCII strings"
    return None


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

    def shown(self) -> list[dict[str, JsonValue]]:
        """Those still in force."""
        return [asdict(fault) for fault in self._faults]


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


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reset(transport: asyncio.Transport | None, receive: Receive) -> None:
    if transport is None:
        raise ConnectionResetError("The simulated API reset the connection")
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _gone(receive)


async def _stall(transport: asyncio.Transport | None, receive: Receive) -> None:
    with anyio.move_on_after(STALL_S):
        await _gone(receive)
        if transport is not None:
            # the caller has hung up: nothing is left to reset
            return
    await _reset(transport, receive)


async def _truncate(answer: Answer, transport: asyncio.Transport | None, receive: Receive, send: Send) -> None:
    half = answer.body[: len(answer.body) // 2]
    promised = len(answer.body) + 1
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.head(promised)})
    await send({"type": "http.response.body", "body": half, "more_body": transport is not None})
    if transport is not None:
        transport.close()
        await _gone(receive)


async def _drip(answer: Answer, pace_s: float, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.head()})
    for byte in answer.body:
        await anyio.sleep(pace_s)
        await send({"type": "http.response.body", "body": bytes((byte,)), "more_body": True})
    await send({"type": "http.response.body", "body": b""})
