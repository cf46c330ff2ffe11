"""What a JSON schema of a document comes to once its references, unions and merges are followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import unquote

from barrack_mcp.api.openapi.export import ALSO
from barrack_mcp.api.openapi.parsing import DocumentError
from barrack_mcp.api.text import escape
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import JsonObject

_DEEPEST: Final = 8
_MOST_SHAPES: Final = 200_000
_MOST_PER_BODY: Final = 5_000
_MAX_DESCRIPTION: Final = 200
_KINDS: Final = ("string", "integer", "number", "boolean", "array", "object", "null")
_KEPT: Final = ("minimum", "maximum")


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
    """

    kinds: frozenset[str] = frozenset()
    enum: tuple[JsonValue, ...] = ()
    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: Shape | None = None
    description: str = ""
    also: tuple[str, ...] = ()
    limits: JsonObject = field(default_factory=dict)

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
    """Reads the schemas of one document.

    Args:
        root: The whole document.
        name: What to call it in messages.
        notes: Oddities that are passed over are added here.
    """

    def __init__(self, root: JsonObject, name: str, notes: list[str]) -> None:
        self._root = root
        self._name = name
        self._notes = notes
        self._made = 0
        self._here = 0

    def wrong(self, where: str, words: str) -> DocumentError:
        """Say what is wrong at a place of the document."""
        return DocumentError(f"{self._name}: {escape(where, limit=300)} {words}.")

    def note(self, words: str) -> None:
        """Remember an oddity, once."""
        shown = str(escape(words, limit=400))
        if shown not in self._notes:
            self._notes.append(shown)

    def resolved(self, value: JsonValue, where: str) -> JsonValue:
        """Follow references until something stands there; None where nothing does.

        Raises:
            DocumentError: They lead in a circle, or one is no text.
        """
        seen: list[str] = []
        while isinstance(value, dict) and "$ref" in value:
            reference = value["$ref"]
            if not isinstance(reference, str):
                raise self.wrong(f"{where}/$ref", "is no text, but a reference must be")
            if reference in seen:
                raise self.wrong(where, f"refers to itself by way of {reference}")
            seen.append(reference)
            value = self._target(reference, where)
        return value

    def _target(self, reference: str, where: str) -> JsonValue:
        if not reference.startswith("#"):
            self.note(f"{where} refers to another file, which is not read.")
            return None
        value: Any = self._root
        for step in reference[1:].split("/")[1:]:
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            elif isinstance(value, dict) and key in value:
                value = value[key]
            else:
                self.note(f"{where} refers to {reference}, which is not in the document.")
                return None
        return value

    def shape(self, schema: JsonValue, where: str) -> Shape:
        """Find out what a schema describes.

        Raises:
            DocumentError: It is no schema.
        """
        self._here = 0
        return self._shape(schema, where, 0, ())

    def _shape(self, schema: JsonValue, where: str, depth: int, inside: tuple[int, ...]) -> Shape:
        if isinstance(schema, bool) or schema is None:
            return UNKNOWN
        if not isinstance(schema, dict):
            raise self.wrong(where, "is no schema: an object is expected")
        self._made += 1
        self._here += 1
        if depth > _DEEPEST or self._here > _MOST_PER_BODY or self._made > _MOST_SHAPES:
            return UNKNOWN
        if "$ref" in schema:
            target = self.resolved(schema, where)
            if id(target) in inside:
                return UNKNOWN
            followed = self._shape(target, where, depth, (*inside, id(target)))
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            return self._over(followed, self._plain(beside, where, depth, inside)) if beside else followed
        return self._plain(schema, where, depth, inside)

    def _plain(self, schema: JsonObject, where: str, depth: int, inside: tuple[int, ...]) -> Shape:
        shape = Shape(
            kinds=self._kinds(schema, where),
            enum=self._enum(schema, where),
            fields=self._fields(schema, where, depth, inside),
            required=self._required(schema, where),
            items=self._items(schema, where, depth, inside),
            description=str(schema.get("description") or schema.get("title") or ""),
            also=tuple(str(name) for name in schema.get(ALSO, ())),
            limits={key: schema[key] for key in _KEPT if isinstance(schema.get(key), int | float)},
        )
        for part in self._parts(schema, "allOf", where):
            shape = self._over(self._shape(part, f"{where}/allOf", depth + 1, inside), shape)
        for key in ("oneOf", "anyOf"):
            options = [
                self._shape(option, f"{where}/{key}", depth + 1, inside)
                for option in self._parts(schema, key, where)
                if not (isinstance(option, dict) and option.get("type") == "null")
            ]
            if options:
                shape = self._over(self._either(options), shape)
        return shape

    def _kinds(self, schema: JsonObject, where: str) -> frozenset[str]:
        said = schema.get("type")
        kinds = said if isinstance(said, list) else [said] if said is not None else []
        for kind in kinds:
            if kind not in _KINDS:
                raise self.wrong(f"{where}/type", "is no type of JSON")
        if not kinds:
            kinds = ["object"] if "properties" in schema else ["array"] if "items" in schema else []
        if not kinds and isinstance(schema.get("enum"), list):
            kinds = [_kind(value) for value in schema["enum"]]
        return frozenset(kinds) - {"null"}

    def _enum(self, schema: JsonObject, where: str) -> tuple[JsonValue, ...]:
        values = [schema["const"]] if "const" in schema else schema.get("enum", [])
        if not isinstance(values, list):
            raise self.wrong(f"{where}/enum", "is no list")
        return tuple(value for value in values if value is not None and not isinstance(value, dict | list))

    def _fields(self, schema: JsonObject, where: str, depth: int, inside: tuple[int, ...]) -> dict[str, Shape]:
        properties = schema.get("properties")
        if properties is None:
            return {}
        if not isinstance(properties, dict):
            raise self.wrong(f"{where}/properties", "is no object")
        return {
            str(name): self._shape(inner, f"{where}/properties/{name}", depth + 1, inside)
            for name, inner in properties.items()
        }

    def _required(self, schema: JsonObject, where: str) -> frozenset[str]:
        required = schema.get("required")
        if isinstance(required, bool) or required is None:
            # as in the third draft of JSON schema, where each field said it of itself
            return frozenset()
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            raise self.wrong(f"{where}/required", "is no list of names")
        return frozenset(required)

    def _items(self, schema: JsonObject, where: str, depth: int, inside: tuple[int, ...]) -> Shape | None:
        if "items" not in schema:
            return None
        return self._shape(schema["items"], f"{where}/items", depth + 1, inside)

    def _parts(self, schema: JsonObject, key: str, where: str) -> list[JsonValue]:
        parts = schema.get(key)
        if parts is None:
            return []
        if not isinstance(parts, list):
            raise self.wrong(f"{where}/{key}", "is no list")
        return parts

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
        )


def _kind(value: Any) -> str:
    names: Iterable[tuple[type, str]] = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")
