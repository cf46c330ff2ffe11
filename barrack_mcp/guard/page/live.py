"""Says to open pages that something changed, for as long as they listen."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from barrack_mcp.guard.approvals import Approvals

MAX_LISTENERS: Final = 16
_EVERY_S: Final = 1.0
_HEARTBEAT: Final = 15
"""After how many looks without news a sign of life is sent."""


class Live:
    """The page's listeners.

    Args:
        approvals: What to look at.
        every: Seconds between two looks.
    """

    def __init__(self, approvals: Approvals, *, every: float = _EVERY_S) -> None:
        self._approvals = approvals
        self._every = every
        self._listeners = 0
        self._closing = anyio.Event()

    @property
    def full(self) -> bool:
        """Whether no further listener fits in."""
        return self._listeners >= MAX_LISTENERS

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take a place among the listeners while the block runs."""
        self._listeners += 1
        try:
            yield
        finally:
            self._listeners -= 1

    def close(self) -> None:
        """End every stream."""
        self._closing.set()

    def stream(self) -> StreamingResponse:
        """Answer with an event stream: `change` with the count of changes, at once and after each change."""
        return _Counted(self, self._events())

    async def _events(self) -> AsyncIterator[str]:
        seen: int | None = None
        quiet = 0
        while not self._closing.is_set():
            changes = await self._approvals.changes()
            quiet += 1
            if changes != seen:
                seen, quiet = changes, 0
                yield f"event: change\ndata: {changes}\n\n"
            elif quiet >= _HEARTBEAT:
                quiet = 0
                yield ": still here\n\n"
            with anyio.move_on_after(self._every):
                await self._closing.wait()


class _Counted(StreamingResponse):
    """A stream that takes a place among the listeners while it is sent."""

    def __init__(self, live: Live, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._live.listening():
            await super().__call__(scope, receive, send)
