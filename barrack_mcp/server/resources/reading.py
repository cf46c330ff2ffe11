"""Reading through the corridor: what a resource shows is what the tool answers, and nothing but reads is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from barrack_mcp.account.reading import FEW_PAGES, Listing, read_list
from barrack_mcp.api.pace import sharing
from barrack_mcp.catalogue import JsonObject, Offer, Operation
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.dispatcher import Dispatcher, UnknownToolError
from barrack_mcp.guard.ruling.call import Caller


@dataclass(frozen=True)
class Reads:
    """Reads for one caller.

    Attributes:
        dispatcher: What runs the calls.
        caller: For whom.
    """

    dispatcher: Dispatcher
    caller: Caller

    def offers(self, *offers: Offer) -> bool:
        """Whether the surface has all of these."""
        return all(offer.tool in self.surface for offer in offers)

    @property
    def surface(self) -> Mapping[str, Offer]:
        """The tools on offer for the caller, by name."""
        return self.dispatcher.surface_of(self.caller)

    async def answer(self, tool: str, arguments: Mapping[str, object]) -> Answer:
        """Call a tool that reads.

        Raises:
            UnknownToolError: The surface doesn't offer it, or it doesn't only read.
        """
        operation = self.surface.get(tool)
        if operation is None or not operation.reads:
            raise UnknownToolError(tool)
        answer = await self.dispatcher.call(tool, arguments, self.caller)
        if not isinstance(answer, Answer):
            raise TypeError(tool)
        return answer

    async def quietly(self, tool: str, arguments: JsonObject) -> JsonObject:
        """Read what nobody will look at as it is: it doesn't count as having looked after a call without an answer.

        Raises:
            UnknownToolError: The surface doesn't offer it, or it doesn't only read.
            ApiError: It can't be read.
        """
        operation = self.surface.get(tool)
        if operation is None or not operation.reads:
            raise UnknownToolError(tool)
        with sharing(self.caller.subject):
            return await self.caller.account.read(tool, arguments)

    async def rows(self, operation: Operation) -> Listing:
        """Read a list quietly.

        Raises:
            UnknownToolError: The surface doesn't offer it.
            ApiError: It can't be read.
        """
        listing = await read_list(self.quietly, operation.tool, pages=FEW_PAGES)
        if listing.failure is not None:
            raise listing.failure
        return listing
