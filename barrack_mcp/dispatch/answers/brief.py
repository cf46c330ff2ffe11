"""Lists in brief: of each row what matters, and as text a table, whose names stand once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from barrack_mcp.account.rates import ADDED
from barrack_mcp.api.body import MAX_ROWS
from barrack_mcp.api.text import write_json
from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation

_BARE: Final = re.compile(r'(?![#>|=~`*+_[-]|:-|\d+[.)](?:\s|$))[^,"\n\t]+')
"""What stands in a cell as it is: one value, with which no list, quotation, heading or table of a renderer begins."""


def is_brief(operation: Operation, arguments: Mapping[str, Any]) -> bool:
    """Whether the caller gets concise rows."""
    return operation.own is not None and arguments.get("detail") != "full"


def abridge(operation: Operation, data: JsonObject, arguments: Mapping[str, Any]) -> JsonObject:
    """Answer a typed answer with concise rows, if that is what was asked for, and a note on how to get the rest.

    A concise row keeps the fields that its model marks, as far as they have a value and the page isn't too long for
    them, and the rates.

    Args:
        operation: What was read.
        data: Its answer as `typed` gives it, with rates.
        arguments: The arguments of the call.
    """
    rows = data.get(operation.result or "")
    if not is_brief(operation, arguments) or not isinstance(rows, list):
        return data
    length = min(len(rows), arguments.get("limit") or MAX_ROWS)
    kept = [name for name, most in _kept(operation).items() if length <= most]
    short = [_short(row, kept) for row in rows]
    if short == rows:
        return data
    note = f"Of each row what matters; detail=full shows all{_one(operation)}."
    return data | {operation.result or "": short, "notes": [*data.get("notes", []), note]}


def _kept(operation: Operation) -> dict[str, int]:
    return {**operation.concise, **ADDED}


def _short(row: Any, kept: list[str]) -> Any:
    if not isinstance(row, dict):
        return row
    return {name: row[name] for name in kept if name in row and row[name] not in (None, "", [])}


def _one(operation: Operation) -> str:
    """Name the tool that shows one row in full."""
    tool = next(
        (
            other.tool
            for other in OPERATIONS
            if other.reads
            and len(other.placeholders) == 1
            and other.path == f"{operation.path}{{{other.placeholders[0]}}}/"
        ),
        None,
    )
    return f", {tool} one of them" if tool else ""


def table(operation: Operation, rows: list[JsonObject]) -> list[str]:
    """Write concise rows as comma-separated values, a row a line, under a line of names; what isn't plain is JSON."""
    there = {name for row in rows for name in row}
    names = [name for name in _kept(operation) if name in there]
    # a row that was too large for the answer may bear other names than the marked ones
    names += sorted(there.difference(names))
    return [",".join(map(_cell, names)), *(",".join(_cell(row.get(name)) for name in names) for row in rows)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and _BARE.fullmatch(value) and value == value.strip():
        return value
    return write_json(value)
