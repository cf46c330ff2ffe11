"""Which fields of a model are secret, and which texts keep their lines; and arguments without the secrets in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from barrack_mcp.catalogue import JsonObject, Offer
from barrack_mcp.catalogue.models import spellings
from barrack_mcp.catalogue.values import Keep, holds_private_key

Mark: TypeAlias = Keep | Literal["secret"]
Marks: TypeAlias = Union[Mark, Mapping[str, "Marks"], None]  # noqa: UP007 - `|` can't take a name in quotes
"""What is marked within a value: itself, or its fields by name; a list is as its rows, `*` stands for every name."""

SECRET: Final = "secret"  # noqa: S105 - a mark
MASK: Final = "(secret)"
"""What stands in the place of a secret."""


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
    return (marks.get(name) or marks.get("*")) if isinstance(marks, dict) else None


def hides(marks: Marks) -> bool:
    """Whether anything is marked as secret within."""
    return marks == SECRET or (isinstance(marks, dict) and any(map(hides, marks.values())))


def masked(offer: Offer, values: Mapping[str, Any]) -> JsonObject:
    """Answer arguments with each secret replaced; those are the fields that their models declare as secret.

    Neither the length nor a hash of a secret is kept: from them a short password can be guessed. What is no argument
    of the tool goes as well, since nobody knows what it holds, and so does any private key.

    Args:
        offer: What they are for.
        values: The arguments, validated or not.
    """
    marks = marks_of(offer.arguments)
    known = offer.arguments.model_fields
    return {name: _masked(value, inner(marks, name)) if name in known else MASK for name, value in values.items()}


def secrets_in(offer: Offer, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Answer the texts that `masked` would replace, so that they can be found in what the API says of them."""
    marks = marks_of(offer.arguments)
    return tuple(text for name, value in values.items() for text in _secrets(value, inner(marks, name)))


def open_texts(offer: Offer, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Answer what of a call may be seen: the names of its arguments, and the texts in those that are no secret."""
    return (*offer.arguments.model_fields, *_plain(masked(offer, values)))


@cache
def whole_texts(model: type[BaseModel]) -> frozenset[str]:
    """Answer the names under which an answer holds text that is worth nothing unless it is whole, such as a script."""
    return frozenset(
        name
        for each in _models(model)
        for field, mark in marks_of(each).items()
        if mark == Keep.WHOLE
        for name in spellings(each, field)
    )


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for info in annotation.model_fields.values():
            yield from _models(info.annotation)
    for parameter in get_args(annotation):
        yield from _models(parameter)


def _plain(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _plain(each)
        case list():
            for each in value:
                yield from _plain(each)


def _masked(value: Any, marks: Marks) -> Any:
    if marks == SECRET:
        return None if value is None else MASK
    if isinstance(value, dict):
        return {name: _masked(each, inner(marks, name)) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, marks) for each in value]
    # what is declared as an object may come as text, secrets and all
    hides = isinstance(value, str) and (isinstance(marks, dict) or holds_private_key(value))
    return MASK if hides else value


def _secrets(value: Any, marks: Marks) -> Iterator[str]:
    match value:
        case str() if marks == SECRET:
            yield value
        case dict():
            for name, each in value.items():
                yield from _secrets(each, marks if marks == SECRET else inner(marks, name))
        case list():
            for each in value:
                yield from _secrets(each, marks)
