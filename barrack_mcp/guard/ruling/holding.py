"""A call is held: its last look is taken in its account's turn, and what passes is written down before it is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from barrack_mcp.catalogue import Risk
from barrack_mcp.guard.ruling.call import Call
from barrack_mcp.guard.ruling.ruling import USED, Passed, Ruling, Stopped
from barrack_mcp.guard.turns import BusyError, Turn, Turns
from barrack_mcp.state.store import Yes

_MONEY: Final = frozenset({Risk.SPEND, Risk.DESTROY})
"""The risks of what costs, or costs no more: they are held against what is known here alone."""


async def in_turn(turns: Turns, call: Call, last: Callable[[Turn], Awaitable[Ruling]]) -> Ruling:
    """Take the last look at a call in its account's turn, which it keeps if it passes.

    Whoever waits for a person holds nothing: the turn is taken when all but the last look is over.
    """
    whose = call.caller
    try:
        turn = await turns.take(whose.account.id, tell=whose.tell, recall=call.operation.risk in _MONEY)
    except BusyError as busy:
        return Stopped(str(busy))
    ruling: Ruling | None = None
    try:
        ruling = await last(turn)
    finally:
        if not isinstance(ruling, Passed):
            await call.book.drop()
            await turn.give_back()
    return ruling


async def begin(call: Call, passed: Passed, yes: Yes | None = None) -> Ruling:
    """Write down that what passes is about to be sent; its yes is used up by that."""
    return passed if await call.book.begin(passed.turn, yes) is None else Stopped(USED)
