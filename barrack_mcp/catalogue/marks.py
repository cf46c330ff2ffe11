"""Which fields of a model are secret, and which texts keep their lines: read off its declaration once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from barrack_mcp.catalogue.values import Keep

Mark: TypeAlias = Keep | Literal["secret"]
Marks: TypeAlias = Union[Mark, Mapping[str, "Marks"], None]  # noqa: UP007 - `|` can't take a name in quotes
"""What is marked within a value: itself, or its fields by name; a list is as its rows, `*` stands for every name."""

SECRET: Final = "secret"  # noqa: S105 - a mark


@cache
def marks_of(model: type[BaseModel]) -> Mapping[str, Marks]:
    """Find the marked fields of a model, at any depth; those without a mark are left out."""
    found: dict[str, Marks] = {}
    for name, info in model.model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and extra.get("writeOnly"):
            found[name] = SECRET
        elif marks := _within(info.annotation, info.metadata):
            found[name] = marks
    return found


def _within(annotation: Any, metadata: list[Any]) -> Marks:
    for mark in metadata:
        if isinstance(mark, Keep):
            return mark
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return marks_of(annotation)
    origin, parameters = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _within(parameters[0], list(parameters[1:]))
    if origin is dict:
        each = _within(parameters[1], [])
        return {"*": each} if each else None
    return next((marks for parameter in parameters if (marks := _within(parameter, []))), None)


def inner(marks: Marks, name: str) -> Marks:
    """The marks of a field."""
    return (marks.get(name) or marks.get("*")) if isinstance(marks, Mapping) else None
