"""From the API's JSON to an answer that fits its schema and a model's window, with nothing silently lost."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any, Final, get_args, get_origin

from pydantic import ValidationError

from barrack_mcp.api.text import compact
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.models import spellings

MAX_ROWS: Final = 20
MAX_BYTES: Final = 80_000
"""About 20,000 tokens."""


_GENERIC: Final = ("data", "results", "items", "result")
_POSITION: Final = ("total", "page", "limit", "total_pages")
_OURS: Final = ("notes", "unexpected", "billing", "sum", "between", "burn", "quotes", "unread_rows")
"""What we add to an answer."""
_EXCERPT: Final = 200
_MAX_UNEXPECTED: Final = 50
_GONE: Final = object()


def typed(operation: Operation, body: Any) -> JsonObject:
    """Bring a successful answer, in full, into the form that its tool promises: its texts are as they came.

    The root bears its own name under whichever name it came; fields bear theirs; a field whose type is not the
    expected one is null and stands, as it came, under `unexpected`; `unread_rows` says how many rows of a list are of
    a shape that isn't read.
    """
    rooted = _rooted(operation, body)
    data, unexpected = _checked(operation, rooted)
    came = _rows_of(operation, rooted)
    for name in _OURS:
        if name in data and name not in operation.response.model_fields:
            # what the API calls by a name of ours would pass for our words
            unexpected[name] = _excerpt(data.pop(name))
    if unread := came - _rows_of(operation, data):
        data["unread_rows"] = unread
    if unexpected:
        data["unexpected"] = dict(list(unexpected.items())[:_MAX_UNEXPECTED])
    return data


def _rows_of(operation: Operation, data: JsonObject) -> int:
    rows = data.get(operation.result or "") if is_list(operation) else None
    return len(rows) if isinstance(rows, list) else 0


@cache
def is_list(operation: Operation) -> bool:
    """Whether the answer's root is a list of rows."""
    if operation.result is None:
        return False
    annotation = operation.response.model_fields[operation.result].annotation
    return any(get_origin(option) is list for option in (annotation, *get_args(annotation)))


def _rooted(operation: Operation, body: Any) -> JsonObject:
    """Find the root under `data`, `results`, `items` or as the bare body, and lift a nested envelope."""
    root = operation.result
    if not isinstance(body, dict):
        return {root or "data": body}
    data = {name: value for name, value in body.items() if name != "success"}
    names = spellings(operation.response, root) if root else ()
    if data.keys().isdisjoint(names):
        fields = operation.response.model_fields
        for generic in _GENERIC:
            if generic in fields or generic not in data:
                continue
            inner = data[generic]
            if isinstance(inner, dict) and (root is None or any(name in inner for name in names)):
                data = {**inner, **{name: value for name, value in data.items() if name != generic}}
            elif root and isinstance(inner, list if is_list(operation) else dict):
                data[root] = data.pop(generic)
            break
    if isinstance(position := data.get("pagination"), dict):
        data = {name: position[name] for name in _POSITION if name in position} | data
    return data


def _checked(operation: Operation, data: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Check the answer against its model; what doesn't fit is set aside, never dropped unsaid."""
    unexpected: JsonObject = {}
    came = data
    while True:
        try:
            return operation.response.read(data), unexpected
        except ValidationError as error:
            if data is came:
                data = copy.deepcopy(came)
            for detail in error.errors(include_url=False, include_input=False):
                if not _set_aside(data, detail["loc"], unexpected):
                    return {}, {"answer": compact(_without(data, _GONE))[:_EXCERPT]}
            data = _without(data, _GONE)


def _set_aside(data: JsonObject, path: tuple[int | str, ...], unexpected: JsonObject) -> bool:
    """Take a value that doesn't fit out of its place, keep it under its path, and say whether there was one."""
    holder: Any = data
    places: list[int | str] = []
    inner: Any = data
    for step in path:
        if not _has(inner, step):
            break
        holder, inner = inner, inner[step]
        places.append(step)
    if not places or (inner is None and not isinstance(holder, list)):
        return False
    if inner is not _GONE:
        unexpected[".".join(map(str, places))] = _excerpt(inner)
        holder[places[-1]] = _GONE if isinstance(holder, list) else None
    return True


def _excerpt(value: Any) -> str:
    return (value if isinstance(value, str) else compact(value))[:_EXCERPT]


def without_nulls(data: JsonObject) -> JsonObject:
    """Leave out what the API answers as null, at every depth: a tool's answer has no null, and its schema none."""
    return dict(_without(data, None))


def _without(value: JsonObject | list[Any], absent: object) -> Any:
    # every value of every row: a pair of types is told in half the time that their union takes
    if isinstance(value, dict):
        return {
            name: _without(each, absent) if isinstance(each, (dict, list)) else each
            for name, each in value.items()
            if each is not absent
        }
    return [_without(each, absent) if isinstance(each, (dict, list)) else each for each in value if each is not absent]


def _has(holder: Any, step: int | str) -> bool:
    if isinstance(holder, dict):
        return step in holder
    return isinstance(holder, list) and isinstance(step, int) and 0 <= step < len(holder)


def add_notes(data: JsonObject, *sentences: str | None) -> None:
    """Say something beside an answer."""
    if said := [sentence for sentence in sentences if sentence]:
        data["notes"] = [*data.get("notes", []), *said]
