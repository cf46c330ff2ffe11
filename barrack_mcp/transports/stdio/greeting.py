"""What a client hears before the house is there: the answers that are the same for every session of a surface.

Loading the SDK and building the house takes half a second; what a client asks at its start was known when this was
packaged. `greetings.json`, which `barrack-mcp manifests --write` records from the house itself, holds those answers
byte for byte. Whatever is not exactly known, from an odd field to a contract of one's own, waits for the house, and so
does everything after it.

Loads nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final, TypeAlias

RECORD: Final = "greetings.json"
LONGEST: Final = 65_536
"""Bytes of a frame that is looked at here."""
LEGACY: Final = "legacy"
MODERN: Final = "modern"

_PREFIX: Final = "BARRACK_"
_ELSEWHERE: Final = frozenset({"BARRACK_CONFIG", "BARRACK_CONTRACT", "BARRACK_OPENAPI"})
"""What may change the tools and is not read here."""
_ON: Final = frozenset({"1", "true", "on", "yes"})
_OFF: Final = frozenset({"0", "false", "off", "no"})
_WORDS: Final = re.compile(r"[a-z_]+(?:,[a-z_]+)*")
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]{1,200}")
"""What stands in JSON as it is."""
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_BIGGEST_ID: Final = 2**63
_MOST_LEVELS: Final = 100
_MOST_KEPT: Final = 2
"""Frames that the house has to hear of a start as it is known: the first word, and that it was understood."""

_SDK: Final = re.compile(r"mcp-[^-]+\.dist-info")
"""How Python's installers name what they write down of the SDK."""

_META: Final = "io.modelcontextprotocol/"
_INITIALIZED: Final = "notifications/initialized"

Record: TypeAlias = Mapping[str, Any]
"""`greetings.json`; see `barrack_mcp.cli.manifests.greetings`, which makes it."""
_Shape: TypeAlias = Callable[[object], bool]


# The surface


def surface(arguments: Sequence[str], environ: Mapping[str, str], record: Record) -> frozenset[str] | None:
    """Name the tools that `serve` will offer over stdio; None where that isn't certain.

    Args:
        arguments: What stands behind `serve` on the command line.
        environ: The process's environment.
        record: What was recorded.
    """
    settings = {name: value for name, value in environ.items() if name.upper().startswith(_PREFIX)}
    flags = _flags(arguments)
    if flags is None or not settings.keys() <= set(record["settings"]) - _ELSEWHERE:
        return None
    # a flag that is empty says nothing, so its setting holds
    toolsets = _words(flags.get("--toolsets") or settings.get("BARRACK_TOOLSETS"))
    tools = _words(flags.get("--tools") or settings.get("BARRACK_TOOLS"))
    read_only = _switch(flags.get("--read-only") or settings.get("BARRACK_READ_ONLY"))
    simulator = _switch(flags.get("--simulator") or settings.get("BARRACK_SIMULATOR"))
    if toolsets is None or tools is None or read_only is None or simulator is None:
        return None
    if simulator and not record["simulated"]:
        return None
    known = record["tools"]
    if not set(tools) <= known.keys() or not set(toolsets) <= set(record["toolsets"]):
        return None
    wanted = set(toolsets or (() if tools else ("all",)))
    return frozenset(
        name
        for name, tool in known.items()
        if (tool["reads"] or not read_only) and (name in tools or wanted.intersection(tool["toolsets"]))
    )


def _flags(arguments: Sequence[str]) -> dict[str, str] | None:
    """The flags that are known here, each given once; None if there is anything else."""
    flags: dict[str, str] = {}
    left = iter(arguments)
    for argument in left:
        name, given, value = argument.partition("=")
        if name in flags:
            return None
        if name in ("--read-only", "--simulator") and not given:
            flags[name] = "on"
        elif name in ("--toolsets", "--tools", "--transport"):
            said = value if given else next(left, None)
            if said is None:
                return None
            flags[name] = said
        else:
            return None
    return flags if flags.pop("--transport", "stdio") == "stdio" else None


def _words(value: str | None) -> tuple[str, ...] | None:
    """The words of a list; None if it isn't one in its plainest form."""
    if not value:
        return ()
    return tuple(value.split(",")) if _WORDS.fullmatch(value) else None


def _switch(value: str | None) -> bool | None:
    """Whether a switch is on; None if it isn't said in one of its words."""
    if not value or value in _OFF:
        return False
    return True if value in _ON else None


# What clients may say of themselves, as far as its form is known


def _text(value: object) -> bool:
    return isinstance(value, str)


def _truth(value: object) -> bool:
    return isinstance(value, bool)


def _token(value: object) -> bool:
    return isinstance(value, str) or type(value) is int


def _anything(value: object) -> bool:
    return isinstance(value, dict)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _each(shape: _Shape) -> _Shape:
    return lambda value: isinstance(value, dict) and all(map(shape, value.values()))


def _list(shape: _Shape) -> _Shape:
    return lambda value: isinstance(value, list) and all(map(shape, value))


def _fields(needed: Mapping[str, _Shape], more: Mapping[str, _Shape]) -> _Shape:
    shapes = {**more, **needed}
    return lambda value: (
        isinstance(value, dict)
        and needed.keys() <= value.keys() <= shapes.keys()
        and all(shapes[name](each) for name, each in value.items())
    )


_NOTHING: Final = _fields({}, {})
_ICON: Final = _fields({"src": _text}, {"mimeType": _text, "sizes": _texts})
_CLIENT: Final = _fields(
    {"name": _text, "version": _text},
    {"title": _text, "description": _text, "websiteUrl": _text, "icons": _list(_ICON)},
)
_CAPABILITIES: Final = _fields(
    {},
    {
        "roots": _fields({}, {"listChanged": _truth}),
        "sampling": _fields({}, {"context": _NOTHING, "tools": _NOTHING}),
        "elicitation": _fields({}, {"form": _anything, "url": _anything}),
        "experimental": _each(_anything),
        "extensions": _each(_anything),
    },
)
_PROGRESS: Final = _fields({}, {"progressToken": _token})
_INITIALIZE: Final = _fields(
    {"protocolVersion": _text, "capabilities": _CAPABILITIES, "clientInfo": _CLIENT}, {"_meta": _PROGRESS}
)
_LIST: Final = {
    LEGACY: _fields({}, {"_meta": _PROGRESS}),
    MODERN: _fields(
        {
            "_meta": _fields(
                {f"{_META}protocolVersion": _text, f"{_META}clientCapabilities": _CAPABILITIES},
                {f"{_META}clientInfo": _CLIENT, "progressToken": _token},
            )
        },
        {},
    ),
}


# The conversation


@dataclass
class Greeting:
    """What was said to one client so far.

    Attributes:
        record: What was recorded.
        offered: The tools of the surface.
        rest: The frames that the house has to hear, in order, each with its line feed.
        unspoken: The id under which the house hears the client's first word, whose answer the client has already.
        silent: Whether everything waits for the house from now on.
    """

    record: Record
    offered: frozenset[str]
    rest: list[bytes] = field(default_factory=list)
    unspoken: str | None = None
    silent: bool = False
    _era: str | None = None

    def hear(self, line: bytes) -> bytes | None:
        """Answer a frame, or keep it for the house.

        Args:
            line: The frame, without its line feed.
        """
        message = None if self.silent else _read(line)
        answer = self._answered(message) if message is not None else None
        if answer is None:
            known = message == {"jsonrpc": "2.0", "method": _INITIALIZED} and len(self.rest) < _MOST_KEPT
            self.silent = self.silent or not known
            self.rest.append(line + b"\n")
        return answer

    def _answered(self, message: dict[str, Any]) -> bytes | None:
        method, params = message.get("method"), message.get("params", {})
        if "id" not in message or not isinstance(method, str):
            return None
        if method == "initialize" and self._era is None and _INITIALIZE(params):
            result = self.record["initialize"].get(params["protocolVersion"])
            if result is None:
                return None
            self._begin(LEGACY, message)
        elif method == "ping" and self._era == LEGACY and _LIST[LEGACY](params):
            result = "{}"
        else:
            result = self._listed(method, params)
            if result is not None and self._era is None:
                self._begin(MODERN, {**message, "method": "server/discover"})
        return None if result is None else _written(message["id"], result)

    def _begin(self, era: str, message: dict[str, Any]) -> None:
        """Let the house hear, too, what decides the connection's era.

        Under an id that no client can have: this one may use its own again.
        """
        self._era, self.unspoken = era, os.urandom(16).hex()
        self.rest.append(json.dumps({**message, "id": self.unspoken}).encode() + b"\n")

    def _listed(self, method: str, params: dict[str, Any]) -> str | None:
        era = LEGACY if self._era == LEGACY else MODERN
        found = self.record[era].get(method)
        if found is None or not _LIST[era](params):
            return None
        if era == MODERN and params["_meta"][f"{_META}protocolVersion"] not in self.record["modern_versions"]:
            return None
        items = (item["text"] for item in found["items"] if self.offered.issuperset(item["needs"]))
        return f"{found['before']}{','.join(items)}{found['after']}"


def read_record() -> Record:
    """Read what was recorded when this was packaged.

    Raises:
        OSError: It isn't there.
    """
    found: Record = json.loads(resources.files(__package__).joinpath(RECORD).read_text(encoding="utf-8"))
    return found


def is_sdk_recorded(record: Record, folders: Iterable[str]) -> bool:
    """Whether the SDK that is installed is of the release that the record was made with; another may say more.

    Args:
        record: What was recorded.
        folders: Where modules are looked for, in order.
    """
    for folder in folders:
        with suppress(OSError):
            if found := [name for name in os.listdir(folder) if _SDK.fullmatch(name)]:  # noqa: PTH208 - the names alone
                return all(name.startswith(f"mcp-{record['sdk']}.") for name in found)
    return False


def _read(line: bytes) -> dict[str, Any] | None:
    """Read a frame of a form that the house reads alike; None if it might not."""
    if len(line) > LONGEST or _SURROGATE.search(line) or line.count(b"{") + line.count(b"[") > _MOST_LEVELS:
        return None
    try:
        message = json.loads(line.decode(), object_pairs_hook=_object, parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return None
    if not message.keys() <= {"jsonrpc", "id", "method", "params"} or not isinstance(message.get("params", {}), dict):
        return None
    ident = message.get("id", 0)
    known = type(ident) is int and abs(ident) < _BIGGEST_ID
    return message if known or (isinstance(ident, str) and _PLAIN.fullmatch(ident)) else None


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found = list(pairs)
    built = dict(found)
    if len(built) != len(found):
        raise ValueError
    return built


def _refuse(_: str) -> None:
    raise ValueError


def _written(ident: int | str, result: str) -> bytes:
    return f'{{"jsonrpc":"2.0","id":{json.dumps(ident)},"result":{result}}}\n'.encode()
