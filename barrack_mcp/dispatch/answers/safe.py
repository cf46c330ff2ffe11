"""A typed answer made fit for a model: nothing invisible in it, nothing endless, no private key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from barrack_mcp.account.pages import fitting, span_of
from barrack_mcp.api.body import MAX_BYTES, add_notes
from barrack_mcp.api.text import size
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.marks import SECRET, inner, marks_of
from barrack_mcp.catalogue.values import holds_private_key
from barrack_mcp.dispatch.answers.bounds import SafeCopy

LOOKED_AT: Final = 8 * MAX_BYTES
"""Bytes of an answer that are looked at letter by letter; hardly any of the rest would fit."""


def make_safe(
    operation: Operation, data: JsonObject, arguments: Mapping[str, Any], *, reveal: bool = False
) -> JsonObject:
    """Make a typed answer fit for a model: nothing invisible in it, nothing endless, no private key.

    Texts are escaped visibly and capped, keys included; descriptions keep their lines; a script is whole or left
    out. The answer has at most 80 kB. `notes` say of all that whether it happened, and where.

    Args:
        operation: What was called.
        data: Its answer as `typed` gives it.
        arguments: The arguments of the call.
        reveal: Whether a private key may be seen.
    """
    root = operation.result or ""
    copy = SafeCopy(reveal=reveal)
    span = span_of(operation, data, arguments)
    if span is None:
        data = copy.within(data, LOOKED_AT)
        data = copy.within(copy.fields(data, marks_of(operation.response)), MAX_BYTES)
    else:
        marks = inner(marks_of(operation.response), root)
        rest = {name: value for name, value in data.items() if name != root}
        rest = copy.within(rest, LOOKED_AT)
        rest = copy.within(copy.fields(rest, marks_of(operation.response)), MAX_BYTES // 4)
        room = MAX_BYTES - size(rest)
        came, weight = span.rows, size(span.rows)
        if weight > LOOKED_AT:
            came = _fit(copy, came, LOOKED_AT, root)
        rows = copy.rows(came, marks, (root,))
        if rows is not came or weight > room:
            rows = _fit(copy, rows, room, root)
        data = rest | {root: rows}
        add_notes(data, *span.notes(operation, rows))
    add_notes(data, *copy.notes())
    return data


def _fit(copy: SafeCopy, rows: list[Any], room: int, root: str) -> Any:
    """Answer the rows that fit, and of a single one that doesn't, what fits."""
    return rows if size(rows) <= room else copy.within(fitting(rows, room), room, (root,))


def take_private_key(operation: Operation, data: JsonObject) -> str | None:
    """Take the private key out of a typed answer, wherever the API put it; None if there is none."""
    declared = [name for name, mark in marks_of(operation.response).items() if mark == SECRET]
    found = next((str(key) for name in declared if (key := data.pop(name, None))), None)
    return found or _take_key(data)


def _take_key(holder: Any) -> str | None:
    for at, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
        if isinstance(value, str) and holds_private_key(value):
            del holder[at]
            return value
        if isinstance(value, dict | list) and (found := _take_key(value)):
            return found
    return None
