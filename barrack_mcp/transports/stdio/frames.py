"""What one line on stdin is: a message, a refusal to answer it with, or nothing to answer.

A frame is one JSON-RPC message on one line. Nothing of a refused frame is echoed but its id.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

from mcp.types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

MOST_BYTES: Final = 4 * 1024 * 1024
MOST_LEVELS: Final = 100
MOST_VALUES: Final = 100_000
"""Four megabytes of empty lists would be a hundred of memory."""
LONGEST_ID: Final = 1_000
BUSY: Final = -32010
"""Ours, in the range that JSON-RPC and MCP leave to servers."""

TOO_LONG: Final = "The frame is longer than 4 MiB and was not read. Send less at once."
NOT_JSON: Final = (
    "The frame is not valid JSON: it must be UTF-8, one message on one line, without NaN or Infinity. Nothing was done."
)
TOO_DEEP: Final = "The frame is nested deeper than 100 levels or holds more than 100,000 values. Nothing was done."
NAMED_TWICE: Final = "The frame names a key twice in one object, so what it means is not certain. Nothing was done."
BATCH: Final = "Batches are not served: send one message a line. Nothing was done."
NO_REQUEST: Final = (
    'The frame is not a JSON-RPC 2.0 request: it needs jsonrpc "2.0", an id that is a string or a whole number, '
    "a method, and params, if any, that are an object. Nothing was done."
)
INTERNAL: Final = "Internal error; the server's log has more."

_HEAD: Final = 65_536
_MOST_TOKENS: Final = 20_000
_MOST_MARKS: Final = 4 * MOST_VALUES
_BIGGEST_ID: Final = 2**63
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_STRUCTURE: Final = re.compile(_STRING + rb"|[\[\]{},]", re.DOTALL)
_TOKENS: Final = re.compile(_STRING.decode() + r'|[\[\]{}:,]|[^\s"\[\]{}:,]++', re.DOTALL)
_OPENING: Final = frozenset({b"[", b"{"})
_CLOSING: Final = frozenset({b"]", b"}"})
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusal:
    """Why a frame is not served, and whose it was where that can be told."""

    code: int
    message: str
    id: RequestId | None = None

    def answer(self) -> JSONRPCError:
        """Put it into the protocol's words."""
        return JSONRPCError(jsonrpc="2.0", id=self.id, error=ErrorData(code=self.code, message=self.message))


Read: TypeAlias = JSONRPCMessage | Refusal | None
"""A message to serve, a refusal to answer, or nothing: what needs no answer and can't be served is ignored."""


@dataclass
class Splitter:
    """Cuts a stream of bytes into frames, keeping no more of it than one frame may be long.

    Attributes:
        limit: Longest frame, in bytes without its line feed.
    """

    limit: int = MOST_BYTES
    _kept: bytearray = field(default_factory=bytearray, init=False)
    _skipping: bool = field(default=False, init=False)

    def feed(self, chunk: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield what the chunk completes: a frame and True, or the beginning of one too long and False."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            yield from self._add(piece)
            if not self._skipping:
                yield self._take(), True
            self._skipping = False
        yield from self._add(rest)

    def finish(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the last frame, if the stream ended without a line feed."""
        if self._kept and not self._kept.isspace():
            yield self._take(), True

    def _add(self, piece: bytes) -> Iterator[tuple[bytes, bool]]:
        if self._skipping:
            return
        if len(self._kept) + len(piece) <= self.limit:
            self._kept += piece
            return
        self._kept += piece[:_HEAD]
        self._skipping = True
        yield self._take()[:_HEAD], False

    def _take(self) -> bytes:
        taken = bytes(self._kept)
        # a new one: a cleared one may keep its room
        self._kept = bytearray()
        return taken


def read(frame: bytes) -> Read:
    """Read one frame; never raises, whatever it holds."""
    if _is_too_rich(frame):
        return _refused(frame, INVALID_REQUEST, TOO_DEEP)
    objects = _Objects()
    try:
        found = json.loads(
            frame.decode(), object_pairs_hook=objects, parse_constant=_no_constant, parse_float=_finite_float
        )
        if _SURROGATE.search(frame):
            # half a character can be escaped in JSON, but never be written again
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return _refused(frame, PARSE_ERROR, NOT_JSON)
    if objects.named_twice:
        return _refused(frame, INVALID_REQUEST, NAMED_TWICE)
    if isinstance(found, list):
        return Refusal(INVALID_REQUEST, BATCH)
    if not isinstance(found, dict):
        return Refusal(INVALID_REQUEST, NO_REQUEST)
    return _message(found)


def too_long(head: bytes) -> Refusal | None:
    """Refuse a frame of which only the beginning was kept."""
    return _refused(head, INVALID_REQUEST, TOO_LONG)


def written(message: JSONRPCMessage) -> bytes | None:
    """Write a message as a frame; one that can't be written becomes an error, or nothing if nobody waits for it."""
    if isinstance(message, JSONRPCError) and message.error.code == 0:
        # the SDK's code for an exception that nobody foresaw, with that exception's text
        message = Refusal(INTERNAL_ERROR, INTERNAL, message.id).answer()
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
    except (PydanticSerializationError, ValueError):
        _log.exception("a message could not be written")
    if isinstance(message, JSONRPCResponse | JSONRPCError):
        return written(Refusal(INTERNAL_ERROR, INTERNAL, message.id).answer())
    return None


def _message(found: dict[str, Any]) -> Read:
    if "method" not in found and ("result" in found or "error" in found):
        return _response(found)
    params = found.get("params")
    given = {} if params is None else {"params": params}
    sound = (
        found.get("jsonrpc") == "2.0"
        and isinstance(found.get("method"), str)
        and (params is None or isinstance(params, dict))
    )
    if "id" not in found and "method" in found:
        if sound:
            return JSONRPCNotification(jsonrpc="2.0", method=found["method"], **given)
        _log.debug("ignored a malformed notification")
        return None
    whose = _id(found.get("id"))
    if sound and whose is not None:
        return JSONRPCRequest(jsonrpc="2.0", id=whose, method=found["method"], **given)
    return Refusal(INVALID_REQUEST, NO_REQUEST, whose)


def _response(found: dict[str, Any]) -> JSONRPCMessage | None:
    kind = JSONRPCError if "error" in found else JSONRPCResponse
    try:
        return kind.model_validate(found)
    except ValidationError:
        _log.debug("ignored a malformed response")
        return None


def _id(value: object) -> RequestId | None:
    match value:
        case bool():
            return None
        case int() if abs(value) < _BIGGEST_ID:
            return value
        case str() if len(value) <= LONGEST_ID and not any("\ud800" <= letter <= "\udfff" for letter in value):
            return value
    return None


class _Objects:
    """Builds objects from pairs and remembers whether one named a key twice."""

    def __init__(self) -> None:
        self.named_twice = False

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        self.named_twice = self.named_twice or len(built) != len(pairs)
        return built


def _no_constant(_: str) -> None:
    raise ValueError


def _finite_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError
    return number


def _is_too_rich(frame: bytes) -> bool:
    """Whether it nests too deep or holds too much, told without building any of it."""
    opened = frame.count(b"[") + frame.count(b"{")
    if opened <= MOST_LEVELS and frame.count(b",") <= MOST_VALUES:
        return False
    level, values = 0, 0
    # no list of them all: the frames that this stops have millions
    for place, found in enumerate(_STRUCTURE.finditer(frame)):
        mark = found.group()
        if mark in _OPENING:
            level += 1
        elif mark in _CLOSING:
            level -= 1
        values += mark in _OPENING or mark == b","
        if level > MOST_LEVELS or values > MOST_VALUES or place > _MOST_MARKS:
            return True
    return False


def _refused(frame: bytes, code: int, message: str) -> Refusal | None:
    """Refuse a frame that is not an object we could build: as much of it as can be told without building it."""
    outline = _outlined(frame.decode(errors="replace"))
    if "method" not in outline.names and outline.names & {"result", "error"}:
        _log.debug("ignored a malformed response")
        return None
    if outline.whole and "method" in outline.names and not outline.names & {"id", ""}:
        _log.debug("ignored a malformed notification")
        return None
    # what doesn't name a method may be a response, and its id one of ours
    whose = outline.ids[0] if len(outline.ids) == 1 and "method" in outline.names else None
    return Refusal(code, message, whose)


@dataclass
class _Outline:
    """What can be told of a broken object: the names at its first level, its ids, whether it was seen to its end."""

    names: set[str] = field(default_factory=set)
    ids: list[RequestId | None] = field(default_factory=list)
    whole: bool = False


def _outlined(text: str) -> _Outline:
    outline = _Outline()
    level, name, before, value = 0, "", "", ""
    for found in islice(_TOKENS.finditer(text), _MOST_TOKENS):
        word = found.group()
        if level == 0 and word != "{":
            break
        if level == 1 and word == ":":
            name, value = before[1:-1] if before.startswith('"') else "", ""
            outline.names.add(name)
        elif level == 1 and word in {",", "}"}:
            if name == "id":
                outline.ids.append(_id_of(value))
            name = ""
        elif level == 1:
            value += word
        level += {"[": 1, "{": 1, "]": -1, "}": -1}.get(word, 0)
        if level == 0:
            outline.whole = True
            break
        before = word
    return outline


def _id_of(text: str) -> RequestId | None:
    if len(text) > 2 * LONGEST_ID:
        return None
    try:
        return _id(json.loads(text))
    except ValueError:
        return None
