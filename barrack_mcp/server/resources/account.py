"""The account in one page: credit, what everything costs per hour, and how long the credit lasts."""

from __future__ import annotations

from typing import Final

from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.server.resources.reading import Reads

PRICES: Final = BY_TOOL["get_pricing"]
CREDIT: Final = BY_TOOL["get_credit_balance"]


async def account(reads: Reads) -> Answer:
    """Read the balance with what eats it: what its tool answers."""
    return await reads.answer(CREDIT.tool, {})
