"""What the read that belongs to a write shows: one thing, or the rows of a list, as they stand now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from barrack_mcp.account.reading import FEW_PAGES, Reader, read_list
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, JsonObject, Operation, Risk
from barrack_mcp.catalogue.outcome import LookWith

_GONE: Final = (404, 410)


@dataclass(frozen=True)
class View:
    """What a look showed.

    Attributes:
        thing: The one thing that was asked for; None if there was none.
        missing: Whether the API says that there is no such thing.
        rows: The rows of a list.
        complete: Whether these are all rows that there are.
    """

    thing: JsonObject | None = None
    missing: bool = False
    rows: list[JsonObject] = field(default_factory=list)
    complete: bool = False


def look_with(operation: Operation, values: Mapping[str, Any]) -> LookWith:
    """Say with which read one sees whether a write took place.

    Args:
        operation: The write.
        values: Its validated arguments.
    """
    look = operation.look
    if look is None:
        raise AssertionError(operation.tool)
    return LookWith(tool=look.tool, arguments={name: values[name] for name in look.arguments if name in values})


async def one_read(operation: Operation, values: Mapping[str, Any], read: Reader, *, planned: bool = False) -> View:
    """Look with a single request; of a list, that is its first page, and what shows whether this is all.

    Args:
        operation: The write.
        values: Its validated arguments.
        read: Sends one read.
        planned: Whether the write was planned by the same reader, which doesn't read the same again.

    Raises:
        ApiError: The read did not succeed.
    """
    where = look_with(operation, values)
    if planned and operation.risk is Risk.SPEND and BY_TOOL[where.tool].paged:
        # all that costs was read already: where one page holds it, it holds the part that is asked for, too
        whole = await read_list(read, where.tool, pages=1)
        if whole.complete:
            return View(rows=whole.rows, complete=True)
    return await view(operation, values, read, pages=1, enough=lambda _: False)


async def view(
    operation: Operation,
    values: Mapping[str, Any],
    read: Reader,
    *,
    enough: Callable[[list[JsonObject]], bool],
    pages: int = FEW_PAGES,
) -> View:
    """Look with as many requests as it takes.

    Args:
        operation: The write.
        values: Its validated arguments.
        read: Sends one read.
        enough: Whether the rows of the first page will do.
        pages: How many pages of a list to read at most.

    Raises:
        ApiError: The read did not succeed.
    """
    where = look_with(operation, values)
    if BY_TOOL[where.tool].paged:
        listing = await read_list(read, where.tool, where.arguments, enough=enough, pages=pages)
        if listing.failure is not None:
            raise listing.failure
        return View(rows=listing.rows, complete=listing.complete)
    try:
        data = await read(where.tool, where.arguments)
    except ApiError as error:
        if error.status in _GONE:
            return View(missing=True)
        raise
    root = BY_TOOL[where.tool].result
    found = data if root is None else data.get(root)
    return View(thing=found if isinstance(found, dict) and found else None)
