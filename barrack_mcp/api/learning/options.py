"""What one address says of itself: its methods, and the fields of what it takes as Django REST framework tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from barrack_mcp.api.learning.asking import Reply
from barrack_mcp.api.openapi.schemas import UNKNOWN, Shape
from barrack_mcp.api.wire.overrides import METHODS
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import JsonObject

_TELLING: Final = frozenset({"actions", "parses", "renders"})
"""What such an answer holds and no other does."""
_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "boolean": frozenset({"boolean"}),
    "integer": frozenset({"integer"}),
    "float": frozenset({"number"}),
    "decimal": frozenset({"number", "string"}),
    "list": frozenset({"array"}),
    "multiple choice": frozenset({"array"}),
    "nested object": frozenset({"object"}),
    **dict.fromkeys(
        ("string", "email", "url", "regex", "slug", "date", "datetime", "time", "duration", "file upload"),
        frozenset({"string"}),
    ),
}
_LIMITS: Final = {"min_value": "minimum", "max_value": "maximum"}
_LENGTHS: Final = ("min_length", "max_length")
_DEEPEST: Final = 6
_MOST_FIELDS: Final = 300
_MOST_WORDS: Final = 2_000


@dataclass(frozen=True)
class Said:
    """What an address says.

    Attributes:
        methods: Those that it knows, of those that we send.
        bodies: What it takes, by method.
        name: What it calls itself.
    """

    methods: frozenset[str]
    bodies: Mapping[str, Shape] = field(default_factory=dict)
    name: str = ""


def said_by(reply: Reply) -> Said | None:
    """Read an answer to OPTIONS, or one that says which other methods there are; None if it says nothing.

    An answer without a body that allows other sites something, as a gateway gives it for any address, says nothing.
    """
    if reply.wrong or reply.gateway is not None:
        return None
    allowed = frozenset(each.strip().upper() for each in reply.headers.get("allow", "").split(",")) & set(METHODS)
    if reply.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return Said(allowed) if allowed else None
    if reply.status != HTTPStatus.OK:
        return None
    body = reply.json
    telling = body if isinstance(body, dict) and body.keys() & _TELLING else {}
    bodies = dict(_bodies(telling.get("actions")))
    methods = allowed or frozenset(bodies)
    return Said(methods, bodies, str(telling.get("name", ""))[:200]) if methods else None


def _bodies(actions: JsonValue) -> Iterator[tuple[str, Shape]]:
    for method, fields in actions.items() if isinstance(actions, dict) else ():
        if method in METHODS and isinstance(fields, dict):
            yield method, _object(fields, "", 0)


def _object(fields: JsonObject, description: str, depth: int) -> Shape:
    asked = {
        name: said
        for name, said in list(fields.items())[:_MOST_FIELDS]
        if isinstance(said, dict) and said.get("read_only") is not True
    }
    return Shape(
        kinds=frozenset({"object"}),
        fields={name: _shape(said, depth + 1) for name, said in asked.items()},
        required=frozenset(name for name, said in asked.items() if said.get("required") is True),
        description=description,
    )


def _shape(said: JsonObject, depth: int) -> Shape:
    """One field: an array where it says what one of its values is, an object where it says what is inside."""
    if depth > _DEEPEST:
        return UNKNOWN
    description = str(said.get("help_text") or said.get("label") or "")[:_MOST_WORDS]
    lengths = {name: said[name] for name in _LENGTHS if _is_count(said.get(name))}
    if isinstance(said.get("child"), dict):
        items = _shape(said["child"], depth + 1)
        return Shape(kinds=frozenset({"array"}), items=items, description=description, lengths=lengths)
    if isinstance(said.get("children"), dict):
        return _object(said["children"], description, depth)
    kind = said.get("type")
    values = tuple(_choices(said.get("choices")))
    if kind == "multiple choice":
        return Shape(kinds=_KINDS["multiple choice"], items=_closed(values), description=description)
    limits = {ours: said[theirs] for theirs, ours in _LIMITS.items() if _is_number(said.get(theirs))}
    kinds = _KINDS.get(kind, frozenset()) if isinstance(kind, str) else frozenset[str]()
    return Shape(
        kinds=kinds or _closed(values).kinds, enum=values, description=description, limits=limits, lengths=lengths
    )


def _closed(values: tuple[JsonValue, ...]) -> Shape:
    return Shape(kinds=frozenset(_kind(value) for value in values), enum=values)


def _choices(choices: JsonValue) -> Iterator[JsonValue]:
    """The values of a closed set, in order; an empty one and none at all are how an optional field says nothing."""
    for each in choices[:_MOST_FIELDS] if isinstance(choices, list) else ():
        value = each.get("value") if isinstance(each, dict) else each
        if isinstance(value, str | int | float) and value != "":
            yield value


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "integer" if isinstance(value, int) else "number"


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: JsonValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
