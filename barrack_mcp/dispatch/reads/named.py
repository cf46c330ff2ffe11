"""The rows of a list by their names: looked for on all of its pages, and shown page by page like any other."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from barrack_mcp.account.reading import Listing, Reader, read_list
from barrack_mcp.api.body import MAX_ROWS, add_notes
from barrack_mcp.api.text import fold_looks
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.kinds import KINDS

_GLOB: Final = frozenset("*?[")
_PLACE: Final = frozenset({"page", "limit"})


def chooses_by_name(operation: Operation, values: Mapping[str, Any]) -> bool:
    """Whether a call asks for some rows of a list by their names."""
    return operation.own is not None and "name" in operation.own.model_fields and values.get("name") is not None


async def read_named(read: Reader, operation: Operation, values: JsonObject) -> JsonObject:
    """Answer the page that was asked for of all rows whose names fit.

    Args:
        read: Sends one read.
        operation: What lists.
        values: Its arguments.

    Raises:
        ApiError: The list could not be read.
    """
    wire = {name: value for name, value in operation.on_the_wire(values).items() if name not in _PLACE}
    listing = await read_list(read, operation.tool, wire)
    if listing.failure is not None and not listing.rows:
        raise listing.failure
    wanted = fold_looks(str(values["name"]))
    fitting = [row for row in listing.rows if _fits(operation, row, wanted)]
    data: JsonObject = {operation.result or "": fitting}
    if operation.paged:
        number, limit = values.get("page") or 1, values.get("limit") or MAX_ROWS
        data = {operation.result or "": fitting[(number - 1) * limit : number * limit]}
        pages = max(1, -(-len(fitting) // limit))
        data |= {"total": len(fitting), "page": number, "limit": limit, "total_pages": pages}
    add_notes(data, _how_far(listing))
    return data


def _fits(operation: Operation, row: JsonObject, wanted: str) -> bool:
    """Whether a row has such a name, as it looks: who asks can't see how it is written."""
    fields = next((kind.names for kind in KINDS if kind.list_tool == operation.tool), ("name",))
    name = fold_looks(next((str(row[field]) for field in fields if row.get(field)), ""))
    return fnmatchcase(name, wanted) if _GLOB & set(wanted) else wanted in name


def _how_far(listing: Listing) -> str | None:
    """Say that others may fit that were not read; nothing if all were."""
    return None if listing.complete else f"Others may have such a name: {listing.so_far}. {listing.why_not}".rstrip()
