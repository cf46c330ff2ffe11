"""How often a call waits for the network: by how many of its requests stand one after another, never by a clock."""

from __future__ import annotations

from typing import Any, Final

from anyio.lowlevel import checkpoint
from starlette.types import ASGIApp, Receive, Scope, Send

TURNS: Final = 100
"""Turns of the event loop for which each request is held, so that all that are sent side by side have arrived."""


class Waits:
    """The simulator at the end of a long way, the same for all: a request that comes after an answer waited for it.

    Args:
        app: The simulator.
    """

    def __init__(self, app: Any) -> None:
        self._app: ASGIApp = app
        self.state = app.state
        self._answered = 0
        self._since = 0
        self.most = 0
        """How many requests stand one after another, since `begin`."""

    def begin(self) -> None:
        """Count anew: what was answered until now is waited for no more."""
        self._since, self.most = self._answered, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = self._answered + 1
        self.most = max(self.most, place - self._since)
        for _ in range(TURNS):
            await checkpoint()
        await self._app(scope, receive, send)
        self._answered = max(self._answered, place)
