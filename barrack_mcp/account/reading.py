"""Reading the account: one thing, or a list to its end. Whether a list is whole is concluded here and nowhere else."""

from __future__ import annotations

import marshal
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

import anyio

from barrack_mcp.account.pages import Page
from barrack_mcp.api.body import MAX_ROWS, typed
from barrack_mcp.api.client import Client
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.catalogue.kinds import KINDS

PAGE: Final = 100
"""Rows asked for at once."""

FEW_PAGES: Final = 5
"""Pages of a list that is only looked at beside something else: a request is worth more than a row."""

MOST_PAGES: Final = 100
"""Pages of a list that is read to its end, whatever the API says of its length."""

_MOST_BYTES: Final = 16 * 2**20
"""What all rows of a list may take, beyond which no more are read."""

_ROUND: Final = 5
"""Pages have round numbers of rows: any other number is no full page."""

_NO_SUCH_PAGE: Final = frozenset({400, 404, 410, 416, 422})

_IDS: Final = MappingProxyType({kind.list_tool: kind.ids for kind in KINDS})
"""The fields of a row that may hold its id, by the tool that lists."""

_Key: TypeAlias = str | tuple[int, int]
"""What tells a row from the others of its list: its id; without one, where it came first."""


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
            return typed(operation, await client.send(operation, arguments))
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
        rows: What came, each row once.
        readable: Whether an answer held a list at all.
        total: How many there are, where the API says it.
        failure: The first read of it that failed.
        late: Whether the time was up before all was read.
        unread: How many rows came beside these, of a shape that isn't read.
        what: The list in words, where a sentence may have to name it.
        made: What was made through us a moment ago and doesn't stand in it yet.
        skipped: Whether pages were left out.
    """

    rows: list[JsonObject] = field(default_factory=list)
    readable: bool = False
    total: int | None = None
    failure: ApiError | None = None
    late: bool = False
    unread: int = 0
    what: str = ""
    made: list[JsonObject] = field(default_factory=list)
    skipped: bool = False
    _pages: dict[int, Page] = field(default_factory=dict)
    _own: dict[int, dict[_Key, JsonObject]] = field(default_factory=dict)
    """What each page brought that no page before it in the list has."""
    _places: dict[_Key, int] = field(default_factory=dict)
    """On which page each row is."""
    _ended: bool = False
    """Whether the end was seen."""
    _told: int | None = None
    """The largest number of all rows that a page told."""
    _lies: bool = False
    """Whether a page told of fewer rows in all than it held itself."""
    _size: int = 0
    """Bytes of the rows, about."""

    @property
    def extent(self) -> Extent:
        """How much of the list this is: by what came, never by what was asked for."""
        if not self.readable:
            return Extent.UNKNOWN
        short = self.total is not None and len(self.rows) < self.total
        if short or self.unread or self.failure is not None or self.late or self.skipped or self.says_more:
            return Extent.PARTLY
        return Extent.COMPLETE if self._ended or self._counted else Extent.UNKNOWN

    @property
    def says_more(self) -> bool:
        """Whether the last page says that another one follows, or the first said it and none brought anything new."""
        first = self._pages.get(1)
        if first is not None and first.more is True and len(self.rows) <= len(first.rows):
            return True
        return bool(self._pages) and self._pages[max(self._pages)].more is True

    @property
    def ends_empty(self) -> bool:
        """Whether nothing came on the last page that was read."""
        return bool(self._pages) and not self._pages[max(self._pages)].came

    @property
    def _counted(self) -> bool:
        """Whether the API's own number says that these are all; for some, it is that of a full page."""
        if self.total is None or self.total != len(self.rows):
            return False
        first = self._pages.get(1)
        return first is None or first.came < self.total or first.more is False or not _is_full(first)

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
    def so_far(self) -> str:
        """How far it was read and why no further, in a phrase."""
        if self.unread:
            return f"there are {len(self.rows) + self.unread:,}, {self.unread:,} of them of a shape that is not read"
        if self.extent is Extent.UNKNOWN:
            return f"{len(self.rows):,} came, and Barrack does not say whether these are all"
        there = max(self.total or 0, len(self.rows))
        return f"there are at least {there:,}" + (f"; {len(self.rows):,} were read" if there > len(self.rows) else "")

    @property
    def why_not(self) -> str:
        """Why there is nothing, or not all, in a sentence; empty if nothing went wrong."""
        if self.failure is not None:
            return self.failure.sentence
        if self.late:
            return "That took too long."
        if self.unread:
            return f"{self.unread:,} row{'s are' if self.unread > 1 else ' is'} of a shape that is not read."
        return "" if self.readable else "The answer held no list."

    def take(self, tool: str, data: JsonObject, *, page: int = 1) -> Page | None:
        """Take the rows of a page, in their place; answers what it is, None if it holds no list.

        Pages overlap while things come and go, and an API may give one page whichever is asked for: what came before
        counts once, so that it can't stand for what did not come.
        """
        came = Page.of(BY_TOOL[tool], data, asked=page)
        if came is None:
            return None
        self.readable = True
        # of all measures of what they take, the quickest
        self._size += len(marshal.dumps(came.rows))
        alike = next((number for number, other in self._pages.items() if came.rows == other.rows), None)
        if alike is None:
            self.unread += came.unread
        self._pages[page] = came
        self._place(came, page, _IDS.get(tool, ()), alike=page if alike is None else alike)
        if came.total is not None:
            self._told = max(self._told or 0, came.total)
        self._lies = self._lies or came.lies
        self.total = None if self._told is None or self._told < len(self.rows) or self._lies else self._told
        return came

    def _place(self, came: Page, page: int, ids: tuple[str, ...], *, alike: int) -> None:
        """Put each row of a page that came where it first stands in the list, whichever page came first.

        Args:
            came: What came.
            page: Its number.
            ids: The fields that may hold the id of a row.
            alike: The number of the page that came with the same rows; of those that bear no id, it tells nothing new.
        """
        own = self._own.setdefault(page, {})
        for at, row in enumerate(came.rows):
            key = _id_of(row, ids) or (alike, at)
            there = self._places.get(key)
            if there is None or page < there:
                if there is not None:
                    del self._own[there][key]
                own[key], self._places[key] = row, page
        self.rows = list(chain.from_iterable(self._own[number].values() for number in sorted(self._own)))

    def begin(self, tool: str, data: JsonObject) -> Page | None:
        """Take the first answer, and conclude from it alone whether these are all."""
        first = self.take(tool, data)
        if first is not None and first.more is not True and not (first.signs.before or first.came):
            self._ended = not self.total
        elif first is not None and not first.signs.before:
            self._ended = first.more is False or not BY_TOOL[tool].paged
        return first

    @property
    def is_heavy(self) -> bool:
        """Whether no more should be read, since memory has an end."""
        return self._size > _MOST_BYTES


def listing_of(tool: str, data: JsonObject) -> Listing:
    """Say how much of a list one answer holds."""
    listing = Listing()
    listing.begin(tool, data)
    return listing


async def read_page(read: Reader, tool: str, arguments: JsonObject) -> JsonObject:
    """Read one page, by smaller ones if it is too large to be read as one.

    Args:
        read: Sends one read.
        tool: The one that reads.
        arguments: Its arguments.

    Raises:
        ApiError: It did not succeed.
    """
    limit, number = arguments.get("limit") or MAX_ROWS, arguments.get("page") or 1
    try:
        return await read(tool, arguments)
    except ApiError as error:
        if limit < 2 or not (BY_TOOL[tool].paged and _is_too_large(error)):  # noqa: PLR2004 - what can't be halved
            raise
    start, end, half = (number - 1) * limit, number * limit, limit // 2
    joined: JsonObject = {}
    page: Page | None = None
    rows: list[JsonObject] = []
    unread = 0
    for at in range(start // half + 1, -(-end // half) + 1):
        part = await read_page(read, tool, {**arguments, "page": at, "limit": half})
        page = Page.of(BY_TOOL[tool], part, asked=at)
        if page is None:
            return part
        first = (at - 1) * half
        rows += page.rows[max(0, start - first) : max(0, end - first)]
        unread += page.unread
        joined = part
        if page.came < half:
            break
    total = None if page is None else page.total
    pages = {} if total is None else {"total": total, "total_pages": -(-total // limit)}
    joined |= {BY_TOOL[tool].result or "": rows, "page": number, "limit": limit, **pages}
    return joined | ({"unread_rows": unread} if unread else {})


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
    """Read a list to its end: side by side where the API says how long it is, else page by page.

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
        await _Reading(read, tool, arguments or {}, listing, pages).run(enough)
    listing.late = time.cancelled_caught
    return listing


@dataclass
class _Reading:
    """One list on its way."""

    read: Reader
    tool: str
    arguments: JsonObject
    listing: Listing
    left: int
    """Pages that may still be read."""
    limit: int = PAGE
    """Rows of a page: as many as the API gives, and as it can give in an answer that is not too large."""

    async def run(self, enough: Callable[[list[JsonObject]], bool]) -> None:
        first = await self._first()
        listing = self.listing
        if first is None or not BY_TOOL[self.tool].paged or enough(listing.rows):
            return
        told = listing.total is not None
        if listing.complete and told:
            return
        if not told and not _is_full(first):
            # one more page at either end shows that this is all; they hold nothing then
            self.left = max(self.left, 2)
        last = max(-(-(listing.total or 0) // first.came) if first.came else 1, first.signs.pages or 1)
        if told:
            # rows that did not come are missed by their number; without one, pages of two sizes might leave a gap
            self.limit = min(first.came, self.limit) or self.limit
        if last > 1:
            await self._side_by_side(last)
        if listing.failure is None and not listing.skipped and not (listing.complete and told):
            await self._to_the_end(first, last)

    async def _first(self) -> Page | None:
        """Read the first page, the smaller the larger its rows."""
        paged = BY_TOOL[self.tool].paged
        while True:
            try:
                asked = {**self.arguments, "page": 1, "limit": self.limit} if paged else self.arguments
                data = await self.read(self.tool, asked)
            except ApiError as error:
                if not paged or self.limit == 1 or not _is_too_large(error):
                    self.listing.failure = error
                    return None
                # smaller pages may be more
                self.limit, self.left = self.limit // 2, min(2 * self.left, MOST_PAGES)
            else:
                self.left -= 1
                return self.listing.begin(self.tool, data)

    async def _page(self, number: int) -> Page | None:
        """Read another page; None if there is none, or it failed."""
        self.left -= 1
        data = await read_page(self.read, self.tool, {**self.arguments, "page": number, "limit": self.limit})
        return self.listing.take(self.tool, data, page=number)

    async def _side_by_side(self, last: int) -> None:
        async def one(page: int) -> None:
            if self.listing.is_heavy:
                self.listing.skipped = True
                return
            try:
                await self._page(page)
            except ApiError as error:
                self.listing.failure = self.listing.failure or error

        # what is new stands at one end or the other
        begin = max(2, last - self.left + 1)
        self.listing.skipped = begin > 2  # noqa: PLR2004 - the second page
        async with anyio.create_task_group() as tasks:
            for page in range(begin, last + 1):
                tasks.start_soon(one, page)

    async def _to_the_end(self, first: Page, last: int) -> None:
        """Read on until a page shows that it is the last, then look whether pages are counted from 0."""
        listing = self.listing
        ended = listing.complete or (last > 1 and listing.ends_empty)
        while not ended and self.left > 0 and not listing.is_heavy:
            last += 1
            before = len(listing.rows)
            try:
                page = await self._page(last)
            except ApiError as error:
                if error.status not in _NO_SUCH_PAGE or listing.says_more:
                    listing.failure = error
                    return
                break
            if page is None:
                return
            if not page.came:
                break
            if len(listing.rows) == before and not page.unread:
                if _may_be_full(page):
                    # it gives the same page whichever is asked for, and nothing says that there is no other
                    return
                break
            ended = page.more is False or (page.more is None and page.came < first.came)
        else:
            if not ended:
                return
        listing._ended = self.left < 1 or await self._begins_with_one()  # noqa: SLF001 - as above

    async def _begins_with_one(self) -> bool:
        """Look for a page 0: where there is one, only the number of all rows can tell that all came."""
        before = len(self.listing.rows)
        try:
            await self._page(0)
        except ApiError as error:
            if error.status is None:
                self.listing.failure = error
        return len(self.listing.rows) == before


def _id_of(row: JsonObject, names: tuple[str, ...]) -> str:
    for name in names:
        if value := row.get(name):
            return str(value)
    return ""


def _may_be_full(page: Page) -> bool:
    """Whether a page may hold as many rows as the API gives at once, so that it need not be the last."""
    return page.came > 0 and (page.came % _ROUND == 0 or page.came >= (page.signs.size or PAGE))


def _is_full(page: Page) -> bool:
    """Whether a page has as many rows as the API gives at once, or says that it gives."""
    return page.came >= (page.signs.size or MAX_ROWS)


def _is_too_large(error: ApiError) -> bool:
    """Whether the answer came and could not be taken in, as it will be the next time."""
    return error.failure is Failure.SILENT and error.lasting
