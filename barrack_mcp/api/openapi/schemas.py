"""What a JSON schema of a document comes to once its references, unions and merges are followed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import unquote

from barrack_mcp.api.openapi.export import ALSO
from barrack_mcp.api.text import escape
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import JsonObject

_DEEPEST: Final = 8
_MOST_SHAPES: Final = 200_000
_MOST_NOTES: Final = 200
_MOST_PER_BODY: Final = 5_000
_MAX_DESCRIPTION: Final = 200
_KINDS: Final = ("string", "integer", "number", "boolean", "array", "object", "null")
_KEPT: Final = ("minimum", "maximum")
_LENGTHS: Final = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
}


@dataclass(frozen=True)
class Shape:
    """A value as a schema describes it; everything may be silent.

    Attributes:
        kinds: JSON types, without `null`.
        enum: Values of a closed set, without `null`.
        fields: Of an object.
        required: Names of fields that must be there.
        items: Of an array.
        description: In words.
        also: Other names under which our client reads it (in our own document alone).
        limits: What a tool's argument can say of it.
        lengths: How long a text, or a list, may be.
        default: What it is where it is left out; None where that is unsaid, or no plain value.
    """

    kinds: frozenset[str] = frozenset()
    enum: tuple[JsonValue, ...] = ()
    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: Shape | None = None
    description: str = ""
    also: tuple[str, ...] = ()
    limits: JsonObject = field(default_factory=dict)
    lengths: JsonObject = field(default_factory=dict)
    default: JsonValue = None

    @property
    def row(self) -> Shape:
        """The object itself, or that of an array's rows."""
        return self.items.row if self.items is not None else self

    def as_schema(self) -> JsonObject:
        """Write it as the JSON schema of an argument."""
        kind = next((kind for kind in _KINDS if kind in self.kinds), "string")
        schema: JsonObject = {"type": kind, **self.limits}
        if words := " ".join(self.description.split()):
            schema["description"] = str(escape(words, limit=_MAX_DESCRIPTION))
        if self.enum and all(not isinstance(value, str) or value.isprintable() for value in self.enum):
            schema["enum"] = list(self.enum)
        if kind == "array" and self.items is not None:
            schema["items"] = {key: value for key, value in self.items.as_schema().items() if key != "description"}
        return schema


UNKNOWN: Final = Shape()


class Schemas:
    """Reads the schemas of one document. What is broken in it is noted and read as if it were not there.

    Args:
        root: The whole document.
        notes: What is broken or odd is added here, a sentence each.
    """

    def __init__(self, root: JsonObject, notes: list[str]) -> None:
        self._root = root
        self._notes = notes
        self._made = 0
        self._here = 0
        self._left_out = ""

    def note(self, where: str, words: str) -> None:
        """Remember what is wrong at a place, once."""
        note = f"{escape(where, limit=300)} {escape(words, limit=200)}."
        if note not in self._notes and len(self._notes) < _MOST_NOTES:
            self._notes.append(note)

    def table(self, value: JsonValue, where: str) -> JsonObject:
        """The object that stands somewhere, by whatever references; an empty one where there is none."""
        seen: list[str] = []
        while isinstance(value, dict) and "$ref" in value:
            reference = value["$ref"]
            if not isinstance(reference, str) or reference in seen:
                by = f"refers to itself by way of {reference}"
                self.note(where, by if isinstance(reference, str) else "has a reference that is no text")
                return {}
            seen.append(reference)
            value = self._target(reference, where)
        if value is not None and not isinstance(value, dict):
            self.note(where, "is no object")
        return value if isinstance(value, dict) else {}

    def rows(self, holder: JsonObject, key: str, where: str) -> list[JsonValue]:
        """The list that stands under a key; an empty one where there is none."""
        value = holder.get(key)
        if value is not None and not isinstance(value, list):
            self.note(f"{where}/{key}", "is no list")
        return value if isinstance(value, list) else []

    def _target(self, reference: str, where: str) -> JsonValue:
        if not reference.startswith("#"):
            self.note(where, "refers to another file, which is not read")
            return None
        value: Any = self._root
        for step in reference[1:].split("/")[1:]:
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            elif isinstance(value, dict) and key in value:
                value = value[key]
            else:
                self.note(where, f"refers to {reference}, which is not in the document")
                return None
        return value

    def shape(self, schema: JsonValue, where: str, *, left_out: Literal["", "readOnly", "writeOnly"] = "") -> Shape:
        """Find out what a schema describes.

        Args:
            schema: The schema.
            where: Its place, for notes.
            left_out: The mark of fields that don't travel this way: one schema often serves what is taken and answered.
        """
        self._here = 0
        self._left_out = left_out
        return self._shape(schema, where, 0, ())

    def _shape(self, schema: JsonValue, where: str, depth: int, inside: tuple[int, ...]) -> Shape:
        self._made += 1
        self._here += 1
        if isinstance(schema, bool) or depth > _DEEPEST or self._here > _MOST_PER_BODY or self._made > _MOST_SHAPES:
            return UNKNOWN
        if not isinstance(schema, dict) or "$ref" not in schema:
            return self._plain(self.table(schema, where), where, depth, inside)
        target = self.table(schema, where)
        if id(target) in inside:
            return UNKNOWN
        followed = self._shape(target, where, depth, (*inside, id(target)))
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return self._over(followed, self._plain(beside, where, depth, inside)) if beside else followed

    def _plain(self, schema: JsonObject, where: str, depth: int, inside: tuple[int, ...]) -> Shape:
        def below(inner: JsonValue, step: str) -> Shape:
            return self._shape(inner, f"{where}/{step}", depth + 1, inside)

        stated = self.table(schema.get("properties"), f"{where}/properties")
        properties = {name: inner for name, inner in stated.items() if not self._stays_out(inner, where)}
        shape = Shape(
            kinds=self._kinds(schema, where),
            enum=self._enum(schema, where),
            fields={name: below(inner, f"properties/{name}") for name, inner in properties.items()},
            required=self._required(schema, where) - (stated.keys() - properties.keys()),
            items=below(schema["items"], "items") if "items" in schema else None,
            description=str(schema.get("description") or schema.get("title") or ""),
            also=tuple(str(name) for name in schema.get(ALSO) or ()),
            limits={key: limit for key in _KEPT if (limit := _limit(schema, key)) is not None},
            lengths={ours: schema[key] for key, ours in _LENGTHS.items() if _is_count(schema.get(key))},
            default=default if isinstance(default := schema.get("default"), str | int | float) else None,
        )
        for part in self.rows(schema, "allOf", where):
            shape = self._over(below(part, "allOf"), shape)
        for key in ("oneOf", "anyOf"):
            options = [
                below(option, key)
                for option in self.rows(schema, key, where)
                if not (isinstance(option, dict) and option.get("type") == "null")
            ]
            shape = self._over(self._either(options), shape) if options else shape
        return shape

    def _stays_out(self, schema: JsonValue, where: str) -> bool:
        if not self._left_out or not isinstance(schema, dict):
            return False
        return schema.get(self._left_out) is True or self.table(schema, where).get(self._left_out) is True

    def _kinds(self, schema: JsonObject, where: str) -> frozenset[str]:
        said = schema.get("type")
        said = said if isinstance(said, list) else [] if said is None else [said]
        kinds = [kind for kind in said if kind in _KINDS]
        if len(kinds) < len(said):
            self.note(f"{where}/type", "is no type of JSON")
        if not kinds:
            kinds = ["object"] if "properties" in schema else ["array"] if "items" in schema else []
        if not kinds and isinstance(schema.get("enum"), list):
            kinds = [_kind(value) for value in schema["enum"]]
        return frozenset(kinds) - {"null"}

    def _enum(self, schema: JsonObject, where: str) -> tuple[JsonValue, ...]:
        values = [schema["const"]] if "const" in schema else self.rows(schema, "enum", where)
        return tuple(value for value in values if value is not None and not isinstance(value, dict | list))

    def _required(self, schema: JsonObject, where: str) -> frozenset[str]:
        # true or false, as in the third draft of JSON schema, was said of the field itself
        said = [] if isinstance(schema.get("required"), bool) else self.rows(schema, "required", where)
        return frozenset(name for name in said if isinstance(name, str))

    @staticmethod
    def _over(under: Shape, over: Shape) -> Shape:
        """Both together; what `over` says wins."""
        return replace(
            under,
            kinds=over.kinds or under.kinds,
            enum=over.enum or under.enum,
            fields={**under.fields, **over.fields},
            required=under.required | over.required,
            items=over.items or under.items,
            description=over.description or under.description,
            also=over.also or under.also,
            limits={**under.limits, **over.limits},
            lengths={**under.lengths, **over.lengths},
            default=under.default if over.default is None else over.default,
        )

    @staticmethod
    def _either(options: list[Shape]) -> Shape:
        """What one of several may be: all their fields, and as required only what all of them require."""
        closed = all(option.enum for option in options)
        return Shape(
            kinds=frozenset().union(*(option.kinds for option in options)),
            enum=tuple(dict.fromkeys(value for option in options for value in option.enum)) if closed else (),
            fields={name: shape for option in reversed(options) for name, shape in option.fields.items()},
            required=frozenset.intersection(*(option.required for option in options)),
            items=next((option.items for option in options if option.items is not None), None),
            description=options[0].description,
            limits=options[0].limits if len(options) == 1 else {},
            lengths=options[0].lengths if len(options) == 1 else {},
            default=options[0].default if len(options) == 1 else None,
        )


def _kind(value: Any) -> str:
    names: Iterable[tuple[type, str]] = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def _is_count(value: JsonValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _limit(schema: JsonObject, key: str) -> JsonValue:
    """A limit of a number that itself may be reached; one that may not counts for whole numbers."""
    beyond = schema.get(f"exclusive{key.capitalize()}")
    said, step = schema.get(key), 1 if key == "minimum" else -1
    if beyond is True and isinstance(said, int):
        return said + step
    if isinstance(beyond, int) and not isinstance(beyond, bool):
        return beyond + step
    return said if isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said) else None
