"""Reading through the corridor: what a resource shows is what the tool answers, and nothing but reads is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from barrack_mcp.account.reading import reader
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.dispatch import Dispatcher, UnknownToolError
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.guard.guard import Caller

ROWS_A_PAGE: Final = 50
"""So many rows of the largest kind fit into one answer."""
MAX_PAGES: Final = 10


@dataclass(frozen=True)
class Rows:
    """Rows of a list.

    Attributes:
        rows: As its tool answers them.
        complete: Whether these are all.
    """

    rows: list[JsonObject]
    complete: bool


@dataclass(frozen=True)
class Reads:
    """Reads for one caller.

    Attributes:
        dispatcher: What runs the calls.
        caller: For whom.
    """

    dispatcher: Dispatcher
    caller: Caller

    def offers(self, *operations: Operation) -> bool:
        """Whether the surface has all of these."""
        return all(operation.tool in self.dispatcher.surface for operation in operations)

    async def answer(self, tool: str, arguments: Mapping[str, object]) -> Answer:
        """Call a tool that reads.

        Raises:
            UnknownToolError: The surface doesn't offer it, or it doesn't only read.
        """
        operation = self.dispatcher.surface.get(tool)
        if operation is None or not operation.reads:
            raise UnknownToolError(tool)
        answer = await self.dispatcher.call(tool, arguments, self.caller)
        if not isinstance(answer, Answer):
            raise TypeError(tool)
        return answer

    async def quietly(self, operation: Operation, arguments: JsonObject) -> JsonObject:
        """Read what nobody will look at as it is: it doesn't count as having looked after a call without an answer.

        Raises:
            UnknownToolError: The surface doesn't offer it, or it doesn't only read.
            ApiError: It can't be read.
        """
        if not operation.reads or not self.offers(operation):
            raise UnknownToolError(operation.tool)
        return await reader(self.dispatcher.client)(operation.tool, arguments)

    async def rows(self, operation: Operation) -> Rows:
        """Read a list quietly, page by page where it has pages, up to 500 rows.

        Raises:
            UnknownToolError: The surface doesn't offer it.
            ApiError: It can't be read.
        """
        if not operation.paged:
            data = await self.quietly(operation, {})
            # a list without pages is cut to what fits, and says so in a note
            return Rows(data.get(operation.result or "") or [], complete="notes" not in data)
        read: list[JsonObject] = []
        for page in range(1, MAX_PAGES + 1):
            data = await self.quietly(operation, {"page": page, "limit": ROWS_A_PAGE})
            found = data.get(operation.result or "") or []
            read += found
            total = data["total"] if isinstance(data.get("total"), int) else None
            if len(found) < ROWS_A_PAGE or len(read) == total:
                return Rows(read, complete=total is None or len(read) >= total)
        return Rows(read, complete=False)
