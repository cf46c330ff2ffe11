"""Objects under other names: ours to theirs on the way out, theirs to ours on the way back, at every depth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import JsonObject

MISSING: Final = object()
"""Nothing stands there; `None` may."""


@dataclass(frozen=True, slots=True)
class Names:
    """How one object is spelled: where each of our fields sits in theirs, and the objects and values below.

    Attributes:
        moves: Our field, and the way to it in their object.
        below: Names of the objects inside, by our field.
        values: For a plain value, the other side's by the spelling of this side's.
        kind: For a plain value, the JSON type that the other side has it in; empty if that is this side's.
    """

    moves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    below: Mapping[str, Names] = field(default_factory=dict)
    values: Mapping[str, JsonValue] = field(default_factory=dict)
    kind: str = ""


def spelled(value: Any) -> str:
    """A value as text: a word as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def outward(value: Any, names: Names) -> JsonValue:
    """Bring a value of ours under their names."""
    if isinstance(value, list):
        return [outward(item, names) for item in value]
    if isinstance(value, dict):
        theirs: JsonObject = {}
        for name, inner in value.items():
            below = names.below.get(name)
            sent = inner if below is None else outward(inner, below)
            if name in names.moves:
                put(theirs, ".".join(names.moves[name]), sent)
            else:
                theirs[name] = sent
        return theirs
    sent = names.values.get(spelled(value), value) if names.values else value
    return of_kind(sent, names.kind) if names.kind else sent


def of_kind(value: JsonValue, kind: str) -> JsonValue:
    """The same value as another JSON type, where that loses nothing; else as it is."""
    if kind == "string":
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value
    return number if kind in ("integer", "number") and str(number) == str(value) else value


def inward(value: Any, names: Names) -> JsonValue:
    """Bring a value of theirs under our names; what is not named stays as it came."""
    if isinstance(value, list):
        return [inward(item, names) for item in value]
    if isinstance(value, dict):
        return _renamed(value, names) if names.moves or names.below else value
    if not names.values or value is None:
        return value
    word = spelled(value)
    return names.values.get(word, names.values.get(word.casefold(), value))


def _renamed(value: JsonObject, names: Names) -> JsonObject:
    found = {ours: inner for ours, way in names.moves.items() if (inner := dig(value, way)) is not MISSING}
    ours = value
    for name in found:
        ours = without(ours, names.moves[name])
    for name in found:
        if name in ours:
            # another thing of theirs bears our name: keep it, under a name that is free
            ours = {(f"api_{key}" if key == name else key): inner for key, inner in ours.items()}
    ours = {**ours, **found}
    return {name: inward(inner, names.below[name]) if name in names.below else inner for name, inner in ours.items()}


def flipped(names: Names) -> Names:
    """The same for the other side: who is sent what we send, and sends what we are sent."""
    back = {"string": "integer", "integer": "string", "number": "string"}
    return Names(
        names.moves,
        {name: flipped(below) for name, below in names.below.items()},
        {spelled(there): here for here, there in names.values.items()},
        back.get(names.kind, ""),
    )


def heard(value: Any, names: Names) -> JsonValue:
    """Bring what we send back under our names, as strictly as who is sent it: a name of ours says nothing there."""
    if isinstance(value, list):
        return [heard(item, names) for item in value]
    if not isinstance(value, dict):
        word = names.values.get(spelled(value), value) if names.values else value
        return of_kind(word, names.kind) if names.kind else word
    rest = {name: inner for name, inner in value.items() if (name,) in names.moves.values() or name not in names.moves}
    found = {}
    for ours, way in names.moves.items():
        if (inner := dig(rest, way)) is not MISSING:
            found[ours] = inner
    for ours in found:
        rest = without(rest, names.moves[ours])
    both = {**rest, **found}
    return {name: heard(inner, names.below[name]) if name in names.below else inner for name, inner in both.items()}


def dig(value: Any, way: tuple[str, ...]) -> JsonValue:
    """What stands at the end of a way; `MISSING` if nothing does."""
    for step in way:
        if not isinstance(value, dict) or step not in value:
            return MISSING
        value = value[step]
    return value


def without(value: JsonObject, way: tuple[str, ...]) -> JsonObject:
    """A copy that lacks what stands at the end of the way; an object that is empty then is gone, too."""
    if len(way) == 1:
        return {name: inner for name, inner in value.items() if name != way[0]}
    inner = value.get(way[0])
    if not isinstance(inner, dict):
        return value
    left = without(inner, way[1:])
    return {name: (left if name == way[0] else each) for name, each in value.items() if name != way[0] or left}


def put(into: JsonObject, name: str, value: Any) -> None:
    """Set a value under a name; dots in it mean objects inside objects."""
    *before, last = name.split(".")
    for step in before:
        into = into.setdefault(step, {})
    into[last] = value


def tree(
    names: Mapping[str, str],
    values: Mapping[str, Mapping[str, JsonValue]],
    kinds: Mapping[str, str] = MappingProxyType({}),
) -> Names:
    """Put names, values and types with dots together as objects inside objects."""
    tops = {name.partition(".")[0] for name in (*names, *values, *kinds)}
    below = {}
    for top in tops:
        inner_names, inner_values, inner_kinds = (_inside(top, table) for table in (names, values, kinds))
        if inner_names or inner_values or inner_kinds or top in values or top in kinds:
            inner = tree(inner_names, inner_values, inner_kinds)
            below[top] = Names(inner.moves, inner.below, values.get(top, {}), kinds.get(top, ""))
    moves = {name: tuple(theirs.split(".")) for name, theirs in names.items() if "." not in name}
    return Names(moves, below, {})


def _inside(top: str, table: Mapping[str, Any]) -> dict[str, Any]:
    return {name.partition(".")[2]: said for name, said in table.items() if name.startswith(f"{top}.")}
