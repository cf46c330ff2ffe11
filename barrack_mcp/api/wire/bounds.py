"""What no override and no document may do: make a read write, take another one's place, bring a secret to light.

Spelling is data; what an operation does is not. So whatever says where an operation is, a file by hand or the vendor's
own document, however sure, is held to these bounds before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import unquote

from pydantic.fields import FieldInfo

from barrack_mcp.api.wire.names import actions, names_a_secret
from barrack_mcp.api.wire.overrides import OperationOverride, Overrides
from barrack_mcp.api.wire.shape import answer_places, request_places
from barrack_mcp.catalogue import BY_TOOL, Operation, Risk
from barrack_mcp.catalogue.kinds import kind_named_by

PLACEHOLDER: Final = re.compile(r"\{([^{}]*+)\}")
"""An argument's name in a path, whoever wrote it."""


class Place(NamedTuple):
    """Where a request goes, less how it is spelled: no slash at its end, no names of placeholders, no escapes."""

    method: str
    path: str


def place(method: str, path: str) -> Place:
    """Where a request with this method and path goes."""
    return Place(method, PLACEHOLDER.sub("{}", unquote(path)).rstrip("/").casefold())


def places(operation: Operation) -> tuple[Place, ...]:
    """Where an operation goes as we ship it, and where else it may."""
    return place(operation.method, operation.path), *(place(each.method, each.path) for each in operation.alternates)


def _owners() -> Mapping[Place, tuple[str, ...]]:
    owners: dict[Place, tuple[str, ...]] = {}
    for tool, operation in BY_TOOL.items():
        for there in places(operation):
            owners[there] = (*owners.get(there, ()), tool)
    return MappingProxyType(owners)


OWNERS: Final = _owners()
"""Whose place is whose, by the catalogue."""

_WRITTEN: Final = frozenset(there.path for there, tools in OWNERS.items() if not BY_TOOL[tools[0]].reads)
"""The paths at which something is changed, whichever the method."""


def bounded(overrides: Overrides) -> tuple[Overrides, Mapping[str, str]]:
    """Leave out the overrides of every operation that would do another thing by them.

    Returns:
        The others, and why each of those was left out, by tool, as the end of a sentence.
    """
    refused: dict[str, str] = {}
    kept = dict(overrides.operations)
    # an operation that falls back to where we ship it may meet one that was there by leave of its absence
    while more := _out_of_bounds(kept):
        refused |= more
        kept = {tool: override for tool, override in kept.items() if tool not in more}
    return replace(overrides, operations=kept) if refused else overrides, refused


def _out_of_bounds(overrides: Mapping[str, OperationOverride]) -> dict[str, str]:
    sent = {tool: _sent(operation, overrides.get(tool)) for tool, operation in BY_TOOL.items()}
    at: dict[Place, set[str]] = {}
    for tool, ways in sent.items():
        for way in ways:
            at.setdefault(place(*way), set()).add(tool)
    found = {}
    for tool, override in overrides.items():
        for way in sent[tool] if override.method or override.path else ():
            if words := _against(BY_TOOL[tool], override, way, at[place(*way)] - {tool}):
                found[tool] = words
        if words := _brought_to_light(BY_TOOL[tool], override):
            found[tool] = words
    return found


def _sent(operation: Operation, override: OperationOverride | None) -> tuple[tuple[str, str], ...]:
    """Method and path, with the constants filled in and with them left open: a caller's value may stand there, too."""
    if override is None:
        return ((operation.method, operation.path),)
    method, path = override.method or operation.method, override.path or operation.path
    filled = path
    for name, value in override.constants.items():
        filled = filled.replace(f"{{{name}}}", str(value))
    return (method, path), (method, filled)


def _against(operation: Operation, override: OperationOverride, way: tuple[str, str], others: set[str]) -> str:
    """What stands against it that an operation goes this way; empty if nothing does."""
    owners = OWNERS.get(place(*way), (operation.tool,))
    # only a read may move in where another read has moved out
    if operation.tool not in owners and not (operation.reads and BY_TOOL[owners[0]].reads):
        others = {*others, owners[0]}
    if others:
        return f"would go where {min(others)} goes"
    there = place(*way)
    if operation.reads and way[0] != "GET" and there.path in _WRITTEN and there not in places(operation):
        return f"can't be asked with {way[0]} at a path where something is changed"
    if way[0] != "GET":
        # what is asked with GET changes nothing, whatever stands in its path
        if any("{" in part and not PLACEHOLDER.fullmatch(part) for part in unquote(way[1]).split("/")):
            return "would make one word of the path out of several values"
        if last := _open_end(operation, override):
            return f"would let {{{last}}} at the path's end choose what is done"
    return contradiction(operation, *way)


def contradiction(operation: Operation, method: str, path: str) -> str:
    """Why a method or a path can't be an operation's, by what they say is done; empty if they can."""
    allowed = _methods(operation)
    if method not in allowed:
        does = "reads" if operation.reads else "changes something"
        return f"can't be asked with {method}: it {does}, which takes {' or '.join(allowed)}"
    last = next((part for part in reversed(unquote(path).split("/")) if part and "{" not in part), "")
    mine = actions(operation.tool) | actions(operation.title)
    if (there := actions(last)) and not there & mine:
        return "can't be asked at a path that ends in a word for doing something else"
    return ""


def _brought_to_light(operation: Operation, override: OperationOverride) -> str:
    """How an override would show what is secret; empty if it doesn't.

    An address is kept in logs on its whole way, and what is secret is hidden by our name for it.
    """
    sent, answered = _secrets(request_places(operation)), _secrets(answer_places(operation))
    method = override.method or operation.method
    in_query = override.send == "query" or (override.send is None and method in ("GET", "DELETE"))
    in_path = set(PLACEHOLDER.findall(override.path or ""))
    wanted = {
        name: extra.place or ("query" if in_query else "body")
        for name, extra in override.arguments.items()
        if names_a_secret(name) or names_a_secret(extra.theirs or "")
    }
    if (sent and (in_query or sent & in_path)) or wanted.keys() & in_path or {"query", "path"} & set(wanted.values()):
        return "would put what is secret into an address"
    for side, secrets, places in (
        ("request.", sent, request_places(operation)),
        ("answer.", answered, answer_places(operation)),
    ):
        hidden = _last(secrets)
        shown = _last(frozenset(places)) - hidden
        for key, theirs in override.fields.items() if secrets else ():
            name, last = key.removeprefix(side), theirs.rpartition(".")[2]
            if name in places and last in (shown if name in secrets else hidden):
                return "would give what is secret and what is shown each other's names"
    result = (override.result or "").rpartition(".")[2]
    return "would take what is secret for the whole answer" if result in _last(answered) else ""


def _secrets(places: Mapping[str, FieldInfo]) -> frozenset[str]:
    extras = {name: info.json_schema_extra for name, info in places.items()}
    return frozenset(name for name, extra in extras.items() if isinstance(extra, dict) and extra.get("writeOnly"))


def _last(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.rpartition(".")[2] for name in names)


def _methods(operation: Operation) -> tuple[str, ...]:
    """The methods that fit what an operation does, the one we ship first."""
    if operation.reads:
        return tuple({operation.method: None, "GET": None})
    takes_away = operation.risk in (Risk.DESTROY, Risk.INTERRUPT)
    return tuple(dict.fromkeys((operation.method, "POST", "PUT", "PATCH", *(["DELETE"] if takes_away else []))))


def _open_end(operation: Operation, override: OperationOverride) -> str:
    """The argument at a path's end that neither names a thing nor is a constant; empty if there is none."""
    names = PLACEHOLDER.findall((override.path or "").rstrip("/").rpartition("/")[2])
    known = {*operation.placeholders, *override.constants}
    return next((name for name in names if name not in known and kind_named_by(name) is None), "")
