"""From pydantic models to the JSON schemas that every MCP client accepts.

No `$ref`, no `anyOf`, no generated titles, one type a value: nested models and closed sets are inlined, and what is
absent or null is simply not there. The schemas are read off the fields themselves: building pydantic's validators for
all operations only to describe them would take most of the server's start.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, WithJsonSchema
from pydantic.fields import FieldInfo

from barrack_mcp.catalogue.models import JsonObject

_PLAIN: Final[dict[Any, str]] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_LIMITS: Final[tuple[tuple[type, str, dict[str, str]], ...]] = (
    (Ge, "ge", {"integer": "minimum"}),
    (Le, "le", {"integer": "maximum"}),
    (MinLen, "min_length", {"string": "minLength", "array": "minItems"}),
    (MaxLen, "max_length", {"string": "maxLength", "array": "maxItems"}),
)


@dataclass(frozen=True, eq=False)
class Stated:
    """What a schema says of a value beyond its type: our checks hold it to that in words of their own."""

    words: JsonObject


def value_schema(info: FieldInfo) -> JsonObject:
    """Derive the schema of one argument, without its description."""
    return _value(info.annotation, info.metadata, answer=False)


def arguments_schema(model: type[BaseModel]) -> JsonObject:
    """Derive a tool's input schema: nothing unknown is allowed, nothing is nullable."""
    return _object(model, answer=False)


def answer_schema(model: type[BaseModel], *, words: bool = True) -> JsonObject:
    """Derive the schema of an answer: nothing is required, nothing is null, unknown fields are allowed.

    Args:
        model: What is answered.
        words: Whether it says what each field means; a client that checks answers needs no words, and pays for them.
    """
    schema = _object(model, answer=True)
    return schema if words else _without_words(schema)


def _without_words(schema: JsonObject) -> JsonObject:
    """Leave out what the fields of a schema mean, at every depth."""
    bare = {name: value for name, value in schema.items() if name != "description"}
    if not bare.get("properties", True):
        del bare["properties"]
    if "properties" in bare:
        bare["properties"] = {name: _without_words(each) for name, each in bare["properties"].items()}
    return bare | {
        name: _without_words(bare[name])
        for name in ("items", "additionalProperties")
        if isinstance(bare.get(name), dict)
    }


def _object(model: type[BaseModel], *, answer: bool) -> JsonObject:
    fields = model.model_fields
    properties = {
        name: {"description": info.description, **_value(info.annotation, info.metadata, answer=answer)}
        for name, info in fields.items()
    }
    schema: JsonObject = {"type": "object", "properties": properties}
    if answer:
        return schema
    if needed := [name for name, info in fields.items() if info.is_required()]:
        schema["required"] = needed
    schema["additionalProperties"] = False
    return schema


def _value(annotation: Any, metadata: list[Any], *, answer: bool) -> JsonObject:
    """Describe one value: its type, and the limits that stand beside it in an `Annotated`."""
    for said in metadata:
        if isinstance(said, WithJsonSchema):
            return dict(said.json_schema or {})
    origin, parameters = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(parameters[0], [*parameters[1:], *metadata], answer=answer)
    if NoneType in parameters:
        (one,) = (option for option in parameters if option is not NoneType)
        return _value(one, metadata, answer=answer)
    described = _bare(annotation, origin, parameters, answer=answer) | _limits(annotation, origin, metadata)
    for said in metadata:
        described |= said.words if isinstance(said, Stated) else {}
    return described


def _bare(annotation: Any, origin: Any, parameters: tuple[Any, ...], *, answer: bool) -> JsonObject:
    """Describe a type without limits; one that has no place in a tool's schema is a `KeyError`."""
    if origin is Literal:
        return {"type": "string", "enum": list(parameters)}
    if origin is list:
        return {"type": "array", "items": _value(parameters[0], [], answer=answer)}
    if origin is dict:
        content = {} if parameters[1] is Any else {"additionalProperties": _value(parameters[1], [], answer=answer)}
        return {"type": "object", **content}
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return {"type": "string", "enum": [str(member) for member in annotation]}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _object(annotation, answer=answer)
    return {"type": _PLAIN[annotation]}


def _limits(annotation: Any, origin: Any, metadata: list[Any]) -> JsonObject:
    kind = "array" if origin is list else _PLAIN.get(annotation, "")
    said = [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else (item,))]
    return {
        words[kind]: getattr(part, attribute)
        for part in said
        for limit, attribute, words in _LIMITS
        if isinstance(part, limit) and kind in words
    }
