"""What a plan reads: its target without fail, everything else side by side, within a deadline and never guessed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import anyio
from anyio.abc import TaskGroup

from barrack_mcp.api.body import presented
from barrack_mcp.api.client import Client
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, JsonObject

SECONDS: Final = 2.0
"""Time for all that isn't the target."""

PAGE: Final = 100
MAX_PAGES: Final = 5

_DEFAULT_PAGE: Final = 20
"""Rows of a page where the API says neither how many there are nor how many it gives."""

_NOT_FOUND: Final = 404


class Reader(Protocol):
    """Sends one read operation and presents its answer."""

    async def __call__(self, tool: str, arguments: JsonObject) -> JsonObject:
        """Read.

        Raises:
            ApiError: It did not succeed.
        """
        ...


@dataclass
class Single:
    """One thing that was asked for; filled when the reading is over."""

    data: JsonObject | None = None
    missing: bool = False
    """Whether the API says that there is no such thing."""

    @property
    def known(self) -> JsonObject:
        """The answer; empty if there is none."""
        return self.data or {}


@dataclass
class Listing:
    """A list that was asked for; filled when the reading is over."""

    rows: list[JsonObject] = field(default_factory=list)
    readable: bool = False
    complete: bool = False
    """Whether these are all rows that there are."""

    @property
    def at_least(self) -> str:
        """Words to put before a number of rows that may not be all."""
        return "" if self.complete else "at least "


class Desk:
    """Sends the reads of one plan.

    Args:
        read: Sends one.
        seconds: Time for all reads but the target's, counted anew from when the target is known.
    """

    def __init__(self, read: Reader, *, seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._until = anyio.current_time() + seconds
        self.unread: list[str] = []
        """What could not be read, as warnings."""

    @asynccontextmanager
    async def side_by_side(self) -> AsyncIterator[Sheet]:
        """Take orders; when the block ends, all of them are settled.

        Raises:
            ApiError: A target could not be read.
        """
        failures: list[ApiError] = []
        async with anyio.create_task_group() as tasks:
            yield Sheet(self, tasks, failures)
        if failures:
            raise failures[0]

    async def _target(self, single: Single, tool: str, arguments: JsonObject) -> None:
        single.data = _root(tool, await self._read(tool, arguments))
        self._until = anyio.current_time() + self._seconds

    async def _one(self, single: Single, tool: str, arguments: JsonObject, what: str) -> None:
        with anyio.CancelScope(deadline=self._until):
            try:
                single.data = _root(tool, await self._read(tool, arguments))
            except ApiError as error:
                single.missing = error.status == _NOT_FOUND
        if single.data is None and not single.missing:
            self.unread.append(f"Could not be read: {what}.")

    async def _rows(self, listing: Listing, tool: str, arguments: JsonObject, what: str) -> None:
        with anyio.CancelScope(deadline=self._until):
            try:
                await (self._pages if BY_TOOL[tool].paged else self._whole)(listing, tool, arguments)
            except ApiError:
                listing.complete = False
        if not listing.readable:
            self.unread.append(f"Could not be read: {what}.")
        elif not listing.complete:
            self.unread.append(f"Could not be read in full: {what} (there are at least {len(listing.rows)}).")

    async def _whole(self, listing: Listing, tool: str, arguments: JsonObject) -> None:
        data = await self._read(tool, arguments)
        listing.readable = _take(listing, tool, data)
        # an answer that was shortened on its way says so in its notes
        listing.complete = listing.readable and not data.get("notes")

    async def _pages(self, listing: Listing, tool: str, arguments: JsonObject) -> None:
        first = await self._read(tool, {**arguments, "page": 1, "limit": PAGE})
        listing.readable = _take(listing, tool, first)
        # the API may give fewer rows than we ask for: as many as it gives make a page
        size, total = len(listing.rows), _whole_number(first.get("total"))
        if total is None:
            listing.complete = listing.readable and size < min(_whole_number(first.get("limit")) or PAGE, _DEFAULT_PAGE)
            return
        pages = -(-total // size) if size else 1
        failures: list[ApiError] = []

        async def rest(page: int) -> None:
            try:
                _take(listing, tool, await self._read(tool, {**arguments, "page": page, "limit": size}))
            except ApiError as error:
                failures.append(error)

        async with anyio.create_task_group() as tasks:
            for page in range(2, min(pages, MAX_PAGES) + 1):
                tasks.start_soon(rest, page)
        listing.complete = listing.readable and not failures and len(listing.rows) >= total


class Sheet:
    """Takes orders that are carried out side by side."""

    def __init__(self, desk: Desk, tasks: TaskGroup, failures: list[ApiError]) -> None:
        self._desk = desk
        self._tasks = tasks
        self._failures = failures

    def target(self, tool: str, arguments: JsonObject, *, may_miss: bool = False) -> Single:
        """Read what the call is about, however long the API takes; without it there is no plan.

        Args:
            tool: The read.
            arguments: Its arguments.
            may_miss: Whether there may be no such thing without the reading failing as a whole.
        """
        single = Single()

        async def run() -> None:
            try:
                await self._desk._target(single, tool, arguments)  # noqa: SLF001 - the two are one
            except ApiError as error:
                if may_miss and error.status == _NOT_FOUND:
                    single.missing = True
                    return
                self._failures.append(error)
                self._tasks.cancel_scope.cancel()

        self._tasks.start_soon(run)
        return single

    def one(self, tool: str, arguments: JsonObject, what: str) -> Single:
        """Read one thing.

        Args:
            tool: The read.
            arguments: Its arguments.
            what: The thing in words, for the warning that it could not be read.
        """
        single = Single()
        self._tasks.start_soon(self._desk._one, single, tool, arguments, what)  # noqa: SLF001 - as above
        return single

    def rows(self, tool: str, arguments: JsonObject, what: str) -> Listing:
        """Read a list, at most five pages of it; the arguments are as for `one`."""
        listing = Listing()
        self._tasks.start_soon(self._desk._rows, listing, tool, arguments, what)  # noqa: SLF001 - as above
        return listing


def _root(tool: str, data: JsonObject) -> JsonObject | None:
    name = BY_TOOL[tool].result
    found = data if name is None else data.get(name)
    return found if isinstance(found, dict) else None


def _take(listing: Listing, tool: str, data: JsonObject) -> bool:
    """Take the rows of an answer; says whether it held a list at all."""
    rows = data.get(BY_TOOL[tool].result or "")
    if not isinstance(rows, list):
        return False
    listing.rows.extend(row for row in rows if isinstance(row, dict))
    return True


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def reader(client: Client) -> Reader:
    """Make what reads for a plan: it sends a read and presents its answer."""

    async def read(tool: str, arguments: JsonObject) -> JsonObject:
        operation = BY_TOOL[tool]
        try:
            return presented(operation, await client.send(operation, arguments), arguments)
        except ApiError as error:
            error.tool = tool
            raise

    return read
