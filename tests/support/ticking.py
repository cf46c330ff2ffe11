"""A server in this process looks soon whether it shall end.

uvicorn looks ten times a second, and waits a tenth of a second more for what is under way: with an API, an identity
provider and the product itself, that is most of the time that a test over HTTP takes.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn import server

TICK_S: Final = 0.01
ROUNDS: Final = 5
"""Of the event loop, in which whoever is connected hears of the end, however busy the machine is."""


def often() -> None:
    """Have all servers of this process look a hundred times a second."""
    server.asyncio = _Often()  # type: ignore[assignment,attr-defined]  # how often it looks is written into its loop


class _Often:
    """What a server asks of `asyncio`, with short sleeps."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, TICK_S))
        for _ in range(ROUNDS):
            await asyncio.sleep(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)
