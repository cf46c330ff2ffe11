"""Arguments as they may be kept and shown: without the secrets among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.marks import SECRET as MARKED
from barrack_mcp.catalogue.marks import Marks, inner, marks_of
from barrack_mcp.catalogue.values import PRIVATE_KEY

SECRET: Final = "(secret)"  # noqa: S105 - what stands in the place of one


def masked(operation: Operation, values: Mapping[str, Any]) -> JsonObject:
    """Answer arguments with each secret replaced; those are the fields that their models declare as secret.

    Neither the length nor a hash of a secret is kept: from them a short password can be guessed. What is no argument
    of the operation goes as well, since nobody knows what it holds, and so does any private key.

    Args:
        operation: What they are for.
        values: The arguments, validated or not.
    """
    marks = marks_of(operation.arguments)
    known = operation.arguments.model_fields
    return {name: _masked(value, inner(marks, name)) if name in known else SECRET for name, value in values.items()}


def secrets_in(operation: Operation, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Answer the texts that `masked` would replace, so that they can be found in what the API says of them."""
    marks = marks_of(operation.arguments)
    return tuple(text for name, value in values.items() for text in _secrets(value, inner(marks, name)))


def _masked(value: Any, marks: Marks) -> Any:
    if marks == MARKED:
        return None if value is None else SECRET
    if isinstance(value, dict):
        return {name: _masked(each, inner(marks, name)) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, marks) for each in value]
    # what is declared as an object may come as text, secrets and all
    hides = isinstance(value, str) and (isinstance(marks, Mapping) or PRIVATE_KEY.search(value))
    return SECRET if hides else value


def _secrets(value: Any, marks: Marks) -> Iterator[str]:
    match value:
        case str() if marks == MARKED:
            yield value
        case dict():
            for name, each in value.items():
                yield from _secrets(each, marks if marks == MARKED else inner(marks, name))
        case list():
            for each in value:
                yield from _secrets(each, marks)
