"""From the API's JSON to an answer that fits its schema and a model's window, with nothing silently lost."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import AliasChoices, ValidationError
from pydantic.fields import FieldInfo

from barrack_mcp.catalogue import JsonObject, Operation

MAX_ROWS: Final = 20
MAX_BYTES: Final = 80_000
"""About 20,000 tokens."""

_GENERIC: Final = ("data", "results", "items", "result")
_POSITION: Final = ("total", "page", "limit", "total_pages")
_EXCERPT: Final = 200
_MAX_UNEXPECTED: Final = 50
_GONE: Final = object()


def presented(operation: Operation, body: Any, arguments: Mapping[str, Any]) -> JsonObject:
    """Bring a successful answer into the form that its tool promises.

    The root bears its own name under whichever name it came; fields bear theirs; a field whose type is not the
    expected one is null and stands, as it came, under `unexpected`; `notes` say what was left out and how to get it.
    """
    data, unexpected = _typed(operation, _rooted(operation, body))
    notes = _trim(operation, data, arguments)
    if unexpected:
        data["unexpected"] = unexpected
    if notes:
        data["notes"] = notes
    return data


def compact(value: Any) -> str:
    """Write JSON in as few characters as it takes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_list(operation: Operation) -> bool:
    """Whether the answer's root is a list of rows."""
    if operation.result is None:
        return False
    annotation = operation.response.model_fields[operation.result].annotation
    return any(get_origin(option) is list for option in (annotation, *get_args(annotation)))


def _names(name: str, field: FieldInfo) -> tuple[str, ...]:
    alias = field.validation_alias
    also = (
        tuple(choice for choice in alias.choices if isinstance(choice, str)) if isinstance(alias, AliasChoices) else ()
    )
    return (name, *also)


def _rooted(operation: Operation, body: Any) -> JsonObject:
    """Find the root under `data`, `results`, `items` or as the bare body, and lift a nested envelope."""
    root = operation.result
    if not isinstance(body, dict):
        return {root or "data": body}
    data = {name: value for name, value in body.items() if name != "success"}
    fields = operation.response.model_fields
    names = _names(root, fields[root]) if root else ()
    if not any(name in data for name in names):
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


def _typed(operation: Operation, data: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Check the answer against its model; what doesn't fit is set aside, never dropped unsaid."""
    unexpected: JsonObject = {}
    data = copy.deepcopy(data)
    while True:
        try:
            model = operation.response.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                if not _set_aside(data, detail["loc"], unexpected):
                    return {}, {"answer": compact(_without_gone(data))[:_EXCERPT]}
            data = _without_gone(data)
        else:
            dumped: JsonObject = model.model_dump(mode="json", exclude_unset=True)
            return dumped, dict(list(unexpected.items())[:_MAX_UNEXPECTED])


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
        unexpected[".".join(map(str, places))] = (inner if isinstance(inner, str) else compact(inner))[:_EXCERPT]
        holder[places[-1]] = _GONE if isinstance(holder, list) else None
    return True


def _without_gone(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_gone(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_gone(item) for item in value if item is not _GONE]
    return value


def _has(holder: Any, step: int | str) -> bool:
    if isinstance(holder, dict):
        return step in holder
    return isinstance(holder, list) and isinstance(step, int) and 0 <= step < len(holder)


def _trim(operation: Operation, data: JsonObject, arguments: Mapping[str, Any]) -> list[str]:
    """Keep the rows that were asked for and that fit; say how many there are and how to get the rest."""
    if not is_list(operation) or not isinstance(rows := data.get(operation.result or ""), list):
        return []
    page = arguments.get("page") or 1
    total = data["total"] if isinstance(data.get("total"), int) else len(rows)
    if operation.paged:
        size = arguments.get("limit") or MAX_ROWS
        if len(rows) > size:
            # the API did not page: do it here
            rows = rows[(page - 1) * size : page * size]
    elif operation.arguments.model_fields:
        size = MAX_ROWS
        rows = rows[:size]
    else:
        size = len(rows)
    shown = _fitting(rows)
    data[operation.result or ""] = shown
    first = (page - 1) * size + 1 if operation.paged else 1
    if first == 1 and len(shown) >= total:
        return []
    return [_position(operation, first=first, shown=len(shown), total=total, page=page, cut=len(shown) < len(rows))]


def _fitting(rows: list[Any]) -> list[Any]:
    room = MAX_BYTES
    for index, row in enumerate(rows):
        room -= len(compact(row).encode(errors="replace")) + 1
        if room < 0:
            return rows[: max(index, 1)]
    return rows


def _position(operation: Operation, *, first: int, shown: int, total: int, page: int, cut: bool) -> str:
    span = f"Rows {first}-{first + shown - 1} of {total}." if shown else f"No rows on page {page}; there are {total}."
    if not operation.paged:
        return f"{span} Narrow the list with {', '.join(operation.arguments.model_fields)}."
    if cut:
        return f"{span} The rows are large; ask for fewer with limit={shown}, then page by page."
    return f"{span} page={page + 1} gives the next ones." if shown and first + shown <= total else span
