"""What one source is silent about in an operation, filled in from another; and where the two differ."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import fields, replace
from typing import Any, Final

from barrack_mcp.api.openapi.document import Parameter, TheirOperation
from barrack_mcp.api.openapi.schemas import Shape

_OWN: Final = frozenset({"fields", "required", "items"})
"""The parts of a shape that are more than silent or said."""
_NUMBERS: Final = frozenset({"integer", "number"})


def says_request(operation: TheirOperation) -> bool:
    """Whether it says anything of arguments that are not in the path."""
    body = operation.body
    told = body is not None and bool(body.fields or body.items is not None or body.kinds)
    return told or any(each.place == "query" for each in operation.parameters)


def says_answer(operation: TheirOperation) -> bool:
    """Whether it says what its answer holds."""
    answer = operation.answer
    return answer is not None and bool(answer.fields or answer.items is not None)


def names_asked(operation: TheirOperation) -> set[str]:
    """The names of its arguments that are not in the path."""
    inside = operation.body.fields if operation.body is not None else {}
    return {*inside, *(each.name for each in operation.parameters if each.place != "path")}


def filled(operation: TheirOperation, other: TheirOperation, new: set[str]) -> TheirOperation:
    """Fill in what an operation is silent about.

    Args:
        operation: The operation, whose word counts.
        other: The same by another source.
        new: The names of arguments that are added, though the operation has none such.
    """
    theirs = {(each.name, each.place): each for each in other.parameters}
    mine = {(each.name, each.place) for each in operation.parameters}
    parameters = [
        replace(each, shape=_filled(each.shape, theirs[each.name, each.place].shape, frozenset()))
        if (each.name, each.place) in theirs
        else each
        for each in operation.parameters
    ]
    taken = {name for name, _ in mine} | names_asked(operation)
    parameters += [each for each in other.parameters if each.place == "query" and each.name in new - taken]
    body, answer = operation.body, operation.answer
    if body is not None and other.body is not None:
        body = _filled(body, other.body, frozenset(new - taken))
    if answer is not None and other.answer is not None:
        answer = _filled(answer, other.answer, frozenset())
    return replace(operation, parameters=tuple(parameters), body=body, answer=answer)


def _filled(mine: Shape, other: Shape, new: frozenset[str]) -> Shape:
    inside = {
        name: _filled(shape, other.fields[name], frozenset()) if name in other.fields else shape
        for name, shape in mine.fields.items()
    }
    inside |= {name: shape for name, shape in other.fields.items() if name in new}
    items = mine.items
    if items is not None and other.items is not None:
        items = _filled(items, other.items, frozenset())
    silent: dict[str, Any] = {
        each.name: getattr(other, each.name)
        for each in fields(mine)
        if each.name not in _OWN and _is_silent(getattr(mine, each.name))
    }
    return replace(mine, **silent, fields=inside, items=items, required=mine.required | (other.required & new))


def _is_silent(said: Any) -> bool:
    """Whether nothing is said; a default of 0 or false is something."""
    return said is None or (isinstance(said, Sized) and not said)


def names_disputed(operation: TheirOperation, other: TheirOperation) -> Iterator[tuple[str, str, str]]:
    """What two sources say differently of arguments, and arguments that only the less sure one wants.

    Yields:
        What it is about, what the one says, and what the other says.
    """
    mine, theirs = _arguments(operation), _arguments(other)
    for name, argument in theirs.items():
        known = mine.get(name)
        if known is None:
            if argument.required and argument.place != "path":
                yield name, "not an argument", "a required argument"
            continue
        if known.required != argument.required:
            words = ["required" if each.required else "optional" for each in (known, argument)]
            yield f"{name} (needed)", words[0], words[1]
        yield from _shapes_disputed(name, known.shape, argument.shape)


def _shapes_disputed(name: str, mine: Shape, other: Shape) -> Iterator[tuple[str, str, str]]:
    alike = mine.kinds & other.kinds or (mine.kinds & _NUMBERS and other.kinds & _NUMBERS)
    if mine.kinds and other.kinds and not alike:
        yield f"{name} (type)", " or ".join(sorted(mine.kinds)), " or ".join(sorted(other.kinds))
    if mine.enum and other.enum and set(map(str, mine.enum)) != set(map(str, other.enum)):
        yield f"{name} (values)", ", ".join(map(str, mine.enum)), ", ".join(map(str, other.enum))
    for limit in mine.limits.keys() & other.limits.keys():
        if mine.limits[limit] != other.limits[limit]:
            yield f"{name} ({limit})", str(mine.limits[limit]), str(other.limits[limit])


def _arguments(operation: TheirOperation) -> dict[str, Parameter]:
    body = operation.body
    inside = body.fields if body is not None else {}
    found = {each.name: each for each in operation.parameters if each.place in ("path", "query")}
    return found | {
        name: Parameter(name, "body", body is not None and name in body.required, shape)
        for name, shape in inside.items()
    }
