"""Reading the account: one thing, or a list to its end. Whether a list is whole is concluded here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

import anyio

from barrack_mcp.api.body import presented
from barrack_mcp.api.client import Client
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.catalogue.kinds import KINDS

PAGE: Final = 100
"""Rows asked for at once."""

FEW_PAGES: Final = 5
"""Pages of a list that is only looked at beside something else: a request is worth more than a row."""

MOST_PAGES: Final = 100
"""Pages of a list that is read to its end, whatever the API says of its length."""

_DEFAULT_PAGE: Final = 20
"""Rows of a page where the API says neither how many there are nor how many it gives."""

_IDS: Final = MappingProxyType({kind.list_tool: kind.ids for kind in KINDS})
"""The fields of a row that may hold its id, by the tool that lists."""


class Reader(Protocol):
    """Sends one read operation and presents its answer."""

    async def __call__(self, tool: str, arguments: JsonObject) -> JsonObject:
        """Read.

        Raises:
            ApiError: It did not succeed.
        """
        ...


def reader(client: Client) -> Reader:
    """Make what reads through a client, for our own eyes."""

    async def read(tool: str, arguments: JsonObject) -> JsonObject:
        operation = BY_TOOL[tool]
        try:
            return presented(operation, await client.send(operation, arguments), arguments)
        except ApiError as error:
            error.tool = tool
            raise

    return read


class Extent(StrEnum):
    """How much of a list was read."""

    COMPLETE = "complete"
    """These are all rows that there are."""
    PARTLY = "partly"
    """There are more."""
    UNKNOWN = "unknown"
    """Nothing says whether there are more."""


@dataclass
class Listing:
    """The rows of a list, as far as they were read; filled page by page, so that it is true at any moment.

    Attributes:
        rows: What came.
        readable: Whether an answer held a list at all.
        total: How many there are, where the API says it.
        failure: The first read of it that failed.
        late: Whether the time was up before all was read.
    """

    rows: list[JsonObject] = field(default_factory=list)
    readable: bool = False
    total: int | None = None
    failure: ApiError | None = None
    late: bool = False
    _pages: dict[int, list[JsonObject]] = field(default_factory=dict)
    _short: bool = False
    """Whether the API, saying no total, gave fewer rows than make a page, and left none out."""

    @property
    def extent(self) -> Extent:
        """How much of the list this is: by what came, never by what was asked for."""
        if not self.readable:
            return Extent.UNKNOWN
        if self.total is None:
            return Extent.COMPLETE if self._short else Extent.UNKNOWN
        whole = len(self.rows) >= self.total and self.failure is None and not self.late
        return Extent.COMPLETE if whole else Extent.PARTLY

    @property
    def complete(self) -> bool:
        """Whether these are certainly all."""
        return self.extent is Extent.COMPLETE

    @property
    def at_least(self) -> str:
        """Words to put before a number of rows that may not be all."""
        return "" if self.complete else "at least "

    @property
    def how_far(self) -> str:
        """How far it was read, for people: `500 of 2,000`."""
        return f"{len(self.rows):,}" + (f" of {self.total:,}" if self.total is not None else "")

    @property
    def why_not(self) -> str:
        """Why there is nothing, or not all, in a sentence; empty if nothing went wrong."""
        if self.failure is not None:
            return self.failure.sentence
        if self.late:
            return "That took too long."
        return "" if self.readable else "The answer held no list."

    def take(self, tool: str, data: JsonObject, *, page: int = 1) -> int:
        """Take the rows of a page, in their place; says how many of any shape it held.

        Pages overlap while things come and go: what came before counts once, so that it can't stand for what did not
        come.
        """
        rows = data.get(BY_TOOL[tool].result or "")
        if not isinstance(rows, list):
            return 0
        self.readable = True
        self._pages[page] = [row for row in rows if isinstance(row, dict)]
        ids = _IDS.get(tool, ())
        once = {_id_of(row, ids) or id(row): row for _, rows in sorted(self._pages.items()) for row in rows}
        self.rows = [*once.values()]
        return len(rows)

    def begin(self, tool: str, data: JsonObject) -> int:
        """Take the first answer, and what it says of the length of the list; says how many rows make a page."""
        size = self.take(tool, data)
        # an answer that was shortened on its way says so in its notes
        uncut = not data.get("notes")
        if BY_TOOL[tool].paged:
            self.total = _whole_number(data.get("total"))
            self._short = uncut and size < min(_whole_number(data.get("limit")) or PAGE, _DEFAULT_PAGE)
        else:
            self._short = uncut
        return size


async def read_list(
    read: Reader,
    tool: str,
    arguments: JsonObject | None = None,
    *,
    pages: int = MOST_PAGES,
    until: float = math.inf,
    enough: Callable[[list[JsonObject]], bool] = lambda _: False,
    into: Listing | None = None,
) -> Listing:
    """Read a list to its end: its first page, then the others side by side.

    What fails is told in the listing, never raised: what came before is good all the same.

    Args:
        read: Sends one read.
        tool: The one that lists.
        arguments: Its arguments but for the page.
        pages: How many pages to read at most; of a longer list, the first and the last ones.
        until: When to stop, by anyio's clock.
        enough: Whether the rows of the first page will do.
        into: Filled on the way; a new one if not given.
    """
    listing = Listing() if into is None else into
    with anyio.CancelScope(deadline=until) as time:
        await _read_pages(read, tool, arguments or {}, listing, pages=pages, enough=enough)
    listing.late = time.cancelled_caught
    return listing


async def _read_pages(
    read: Reader,
    tool: str,
    arguments: JsonObject,
    listing: Listing,
    *,
    pages: int,
    enough: Callable[[list[JsonObject]], bool],
) -> None:
    paged = BY_TOOL[tool].paged
    try:
        # the API may give fewer rows than we ask for: as many as it gives make a page
        size = listing.begin(tool, await read(tool, {**arguments, "page": 1, "limit": PAGE} if paged else arguments))
    except ApiError as error:
        listing.failure = error
        return
    last = -(-(listing.total or 0) // size) if size else 1
    if last < 2 or enough(listing.rows):  # noqa: PLR2004 - there is no second page
        return

    async def rest(page: int) -> None:
        try:
            listing.take(tool, await read(tool, {**arguments, "page": page, "limit": size}), page=page)
        except ApiError as error:
            listing.failure = listing.failure or error

    async with anyio.create_task_group() as tasks:
        # what is new stands at one end or the other
        for page in range(max(2, last - pages + 2), last + 1):
            tasks.start_soon(rest, page)


def _id_of(row: JsonObject, names: tuple[str, ...]) -> str:
    return next((str(row[name]) for name in names if row.get(name)), "")


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
