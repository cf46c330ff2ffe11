"""What a plan reads: its target without fail, everything else side by side, within a deadline and never guessed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

import anyio
from anyio.abc import TaskGroup

from barrack_mcp.account.deeds import Deeds
from barrack_mcp.account.reading import FEW_PAGES, Listing, Reader, read_list
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.catalogue.kinds import KINDS

SECONDS: Final = 2.0
"""Time for all that isn't the target."""

_KINDS: Final = {kind.list_tool: kind for kind in KINDS}
_NOT_FOUND: Final = 404


Beside: TypeAlias = Callable[[Reader], Coroutine[object, object, object]]
"""Reads, through a plan's own reader, what is wanted at the same time; it doesn't raise what the API says."""


class Binding(Enum):
    """How much of a plan's reads is made."""

    NOT_YET = auto()
    """All: the plan is to be shown."""
    ALONE = auto()
    """What holds a yes to what was shown: the target, what would be lost and kept with it, the price, the sum."""


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


class Desk:
    """Sends the reads of one plan.

    Args:
        read: Sends one.
        seconds: Time for all reads but the target's, counted anew from when the target is known.
        binding: Which reads are made; what is left out has no rows and no data, and no warning says so.
        deeds: What was made a moment ago, which a list may not show yet.
        pages: How many pages of a list are read at most.
        beside: Reads what else is wanted, while the plan's first reads are made.
    """

    def __init__(
        self,
        read: Reader,
        *,
        seconds: float,
        binding: Binding = Binding.NOT_YET,
        deeds: Deeds | None = None,
        pages: int = FEW_PAGES,
        beside: Beside | None = None,
    ) -> None:
        self.binding = binding
        self._beside = beside
        self._read = read
        self._deeds = deeds
        self._pages = pages
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
        beside, self._beside = self._beside, None
        async with anyio.create_task_group() as tasks:
            if beside is not None:
                tasks.start_soon(beside, self._read)
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

    async def _rows(self, listing: Listing, tool: str, arguments: JsonObject, what: str, pages: int | None) -> None:
        listing.what = what
        await read_list(self._read, tool, arguments, pages=pages or self._pages, until=self._until, into=listing)
        if self._deeds is not None and not arguments and tool in _KINDS:
            listing.made = self._deeds.missing(_KINDS[tool], listing.rows)
        if not listing.readable:
            self.unread.append(f"Could not be read: {what}.")
        elif not listing.complete:
            self.unread.append(f"Could not be read in full: {what} ({listing.so_far}).")


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

    def one(self, tool: str, arguments: JsonObject, what: str, *, binds: bool = False) -> Single:
        """Read one thing.

        Args:
            tool: The read.
            arguments: Its arguments.
            what: The thing in words, for the warning that it could not be read.
            binds: Whether a yes is good only while it stays as it is.
        """
        single = Single()
        if self._leaves_out(binds=binds):
            return single
        self._tasks.start_soon(self._desk._one, single, tool, arguments, what)  # noqa: SLF001 - as above
        return single

    def rows(
        self, tool: str, arguments: JsonObject, what: str, *, binds: bool = False, pages: int | None = None
    ) -> Listing:
        """Read a list, as many pages of it as are said or as the desk allows; the arguments are as for `one`."""
        listing = Listing()
        if self._leaves_out(binds=binds):
            return listing
        self._tasks.start_soon(self._desk._rows, listing, tool, arguments, what, pages)  # noqa: SLF001 - as above
        return listing

    def _leaves_out(self, *, binds: bool) -> bool:
        return self._desk.binding is not Binding.NOT_YET and not binds


def _root(tool: str, data: JsonObject) -> JsonObject | None:
    name = BY_TOOL[tool].result
    found = data if name is None else data.get(name)
    return found if isinstance(found, dict) else None
