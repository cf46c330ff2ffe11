"""Lists in brief: of each row what matters, and as text a table, whose names stand once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from barrack_mcp.api.body import MAX_ROWS, is_list
from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.kinds import KINDS

_BARE: Final = re.compile(r'[^\s,"](?:[^,"\n\t]*[^\s,"])?')
"""What stands in a cell as it is: one value, without blanks around it."""


def is_brief(operation: Operation, arguments: Mapping[str, Any]) -> bool:
    """Whether the caller gets concise rows."""
    return is_list(operation) and bool(operation.concise) and arguments.get("detail") != "full"


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
    if "detail" not in operation.arguments.model_fields or not is_brief(operation, arguments):
        return data
    if not isinstance(rows, list):
        return data
    length = min(len(rows), arguments.get("limit") or MAX_ROWS)
    kept = [name for name, most in operation.concise.items() if length <= most]
    short = [_short(row, kept) for row in rows]
    if short == rows:
        return data
    note = f"Of each row what matters; detail=full shows all{_one(operation)}."
    return data | {operation.result or "": short, "notes": [*data.get("notes", []), note]}


def _short(row: Any, kept: list[str]) -> Any:
    if not isinstance(row, dict):
        return row
    return {name: value for name in kept if (value := row.get(name)) or value not in (None, "", [])}


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
    """Write concise rows as comma-separated values, a row a line, under a line of names; what is nested, in words."""
    there = {name for row in rows for name in row}
    names = [name for name in operation.concise if name in there]
    # a row that was too large for the answer may bear other names than the marked ones
    names += sorted(there.difference(names))
    return [",".join(map(_cell, names)), *(",".join(_cell(row.get(name)) for name in names) for row in rows)]


def _cell(value: Any) -> str:
    """Write one value so that it can't pass for two, as spreadsheets read it; ends of lines are written out."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _words(value)
    if _BARE.fullmatch(text):
        return text
    text = text.replace("\n", "\\n").replace("\t", "\\t")
    return text if _BARE.fullmatch(text) else '"{}"'.format(text.replace('"', '""'))


def _words(value: Any) -> str:
    """Say a value in words: of a thing its name and id, of all else each field."""
    if isinstance(value, bool | None):
        return "" if value is None else "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(map(_words, value))
    return _thing(value) if isinstance(value, dict) else str(value)


def _thing(value: JsonObject) -> str:
    inner: JsonObject = next((value[name] for name in _WITHIN if isinstance(value.get(name), dict)), {})
    fields = {**inner, **{name: each for name, each in value.items() if each is not inner}}
    name = next((fields[each] for each in _NAMES if fields.get(each)), None)
    own_id = next((fields[each] for each in _IDS if fields.get(each)), None)
    if name is not None or own_id is not None:
        state = str(value.get("status") or "")
        said = [str(own_id)] * (name is not None and own_id is not None) + [state] * (state not in _SETTLED)
        aside = f" ({', '.join(said)})" if said else ""
        return f"{name or own_id}{aside}"
    if len(fields) == 2 and not any(isinstance(part, dict | list) for part in fields.values()):  # noqa: PLR2004 - a pair
        return ": ".join(map(_words, fields.values()))
    return ", ".join(f"{each.replace('_', ' ')} {_words(part)}" for each, part in fields.items())


_WITHIN: Final = ("vm", "instance")
"""Where an attachment holds the thing that is attached."""
_IDS: Final = tuple(dict.fromkeys(name for kind in KINDS for name in kind.ids))
_NAMES: Final = tuple(dict.fromkeys(name for kind in KINDS for name in kind.names))
_SETTLED: Final = ("", "SUCCESS", "ACTIVE")
"""States of an attachment that go without saying."""
