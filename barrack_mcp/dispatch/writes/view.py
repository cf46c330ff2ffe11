"""What the read that belongs to a write shows: one thing, or the rows of a list, as they stand now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, JsonObject, Operation
from barrack_mcp.catalogue.outcome import LookWith

PAGE: Final = 100
MAX_PAGES: Final = 5

_DEFAULT_PAGE: Final = 20
"""Rows of a page where the API says neither how many there are nor how many it gives."""

_GONE: Final = (404, 410)


class Reader(Protocol):
    """Sends one read operation and presents its answer."""

    async def __call__(self, tool: str, arguments: JsonObject) -> JsonObject:
        """Read.

        Raises:
            ApiError: It did not succeed.
        """
        ...


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


async def one_read(operation: Operation, values: Mapping[str, Any], read: Reader) -> View:
    """Look with a single request; of a list, that is its first page.

    Raises:
        ApiError: The read did not succeed.
    """
    return await view(operation, values, read, pages=1, enough=lambda _: False)


async def view(
    operation: Operation,
    values: Mapping[str, Any],
    read: Reader,
    *,
    enough: Callable[[list[JsonObject]], bool],
    pages: int = MAX_PAGES,
) -> View:
    """Look with as many requests as it takes.

    Args:
        operation: The write.
        values: Its validated arguments.
        read: Sends one read.
        enough: Whether the rows read so far will do.
        pages: How many pages of a list to read at most.

    Raises:
        ApiError: The read did not succeed.
    """
    where = look_with(operation, values)
    if BY_TOOL[where.tool].paged:
        return await _listing(where, read, enough=enough, pages=pages)
    try:
        data = await read(where.tool, where.arguments)
    except ApiError as error:
        if error.status in _GONE:
            return View(missing=True)
        raise
    root = BY_TOOL[where.tool].result
    found = data if root is None else data.get(root)
    return View(thing=found if isinstance(found, dict) and found else None)


async def _listing(where: LookWith, read: Reader, *, enough: Callable[[list[JsonObject]], bool], pages: int) -> View:
    root = BY_TOOL[where.tool].result or ""
    first = await read(where.tool, {**where.arguments, "page": 1, "limit": PAGE})
    rows, readable = _rows(first, root)
    # the API may give fewer rows than we ask for: as many as it gives make a page
    size, total = len(rows), _whole_number(first.get("total"))
    if total is None:
        known = min(_whole_number(first.get("limit")) or PAGE, _DEFAULT_PAGE)
        return View(rows=rows, complete=readable and size < known and not first.get("notes"))
    last = -(-total // size) if size else 1
    # what is new stands at one end or the other
    for page in list(range(last, 1, -1))[: pages - 1]:
        if enough(rows):
            break
        more, _ = _rows(await read(where.tool, {**where.arguments, "page": page, "limit": size}), root)
        rows += more
    return View(rows=rows, complete=readable and len(rows) >= total)


def _rows(data: JsonObject, root: str) -> tuple[list[JsonObject], bool]:
    """Take the rows of an answer, and say whether it held a list at all."""
    found = data.get(root)
    if not isinstance(found, list):
        return [], False
    return [row for row in found if isinstance(row, dict)], True


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
