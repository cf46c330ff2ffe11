"""Why a list came back empty: a filter's value that no row has, and the values that there are."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import anyio

from barrack_mcp.account.reading import PAGE, Extent, Listing, listing_of
from barrack_mcp.api.errors import ApiError
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.models import spellings

Rows: TypeAlias = Callable[[JsonObject], Awaitable[JsonObject]]
"""Sends the same read with other arguments and answers its answer in full, as `typed` gives it."""

SECONDS: Final = 3.0
"""Time for the second look."""

_MOST: Final = 8
"""Values that a sentence names."""
_LONGEST: Final = 60
_NO_FILTERS: Final = frozenset({"page", "limit", "detail"})


async def explain_empty(
    operation: Operation, values: Mapping[str, Any], data: JsonObject, *, read: Rows, seconds: float = SECONDS
) -> str:
    """Say which filters of a read that found nothing fit no row, and what would; empty if there is nothing to say.

    Only if the list is empty and was filtered, it is read once more, without the filters.

    Args:
        operation: What was read.
        values: The arguments of the call.
        data: Its typed answer.
        read: Reads again.
        seconds: Time for that.
    """
    filters = {name: value for name, value in values.items() if value is not None and _filters(operation, name)}
    if not filters or (values.get("page") or 1) > 1:
        return ""
    shown = listing_of(operation.tool, data)
    if not shown.readable or shown.rows or shown.extent is Extent.PARTLY:
        return ""
    others = {name: value for name, value in values.items() if name not in filters}
    if operation.paged:
        others |= {"page": 1, "limit": PAGE}
    found = Listing()
    with anyio.move_on_after(seconds):
        try:
            found.begin(operation.tool, await read(others))
        except ApiError:
            return ""
    rows = found.rows
    which = "No row" if found.complete else f"None of the first {len(rows):,} rows"
    told = []
    for name, value in filters.items():
        known = list(dict.fromkeys(_known(rows, _fields(operation, name))))
        if known and str(value) not in known:
            told.append(f"{which} has this {name}; there are: {_listed(str(value), known)}.")
    return " ".join(told)


def _filters(operation: Operation, name: str) -> bool:
    field = operation.arguments.model_fields.get(name)
    filters = name not in _NO_FILTERS and not name.endswith(("_id", "_ids"))
    # of our own arguments, the others are judged by what we add to the rows, and explain themselves
    filters = filters and (name == "name" or operation.own is None or name not in operation.own.model_fields)
    return filters and field is not None and not field.is_required()


def _fields(operation: Operation, argument: str) -> list[str]:
    """The fields of a row that an argument may be about: those that bear its name, or its plural, or declare it."""
    declared = [name for name in operation.row.model_fields if argument in spellings(operation.row, name)]
    return list(dict.fromkeys((argument, f"{argument}s", *declared)))


def _known(rows: Iterable[JsonObject], fields: list[str]) -> Iterator[str]:
    for row in rows:
        for name in fields:
            value = row.get(name)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str | int) and each != "":
                    yield str(each)


def _listed(value: str, known: list[str]) -> str:
    """The values that hold the asked one; where none does, all, the most alike first; case aside."""
    asked = value[:_LONGEST].casefold()

    def rank(text: str) -> tuple[float, str]:
        return -difflib.SequenceMatcher(None, text[:_LONGEST].casefold(), asked).ratio(), text

    holding = [text for text in known if asked in text[:_LONGEST].casefold()]
    named = sorted(holding or known, key=rank)[:_MOST]
    shown = ", ".join(mention(text) for text in named)
    more = len(known) - len(named)
    return f"{shown} and {more:,} more" if more else shown
