"""An event loop whose clock doesn't count the time in which this machine was busy with something else.

What the product allows itself, such as the two seconds of what a plan reads beside its target, is meant for the
network. With the API and the product in one process such a limit would be a verdict on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import Any, Final

A_TURN_S: Final = 0.001
"""So much of a turn's own work counts at most; some does, so that nothing that looks at the clock goes on for ever."""


class Waiting(selectors.DefaultSelector):
    """Tells how long was waited for something to happen, and a little for each time that it was looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.gone_by = self._since = time.monotonic()
        """Seconds, beginning where the machine's own clock stands."""

    def select(self, timeout: float | None = None) -> Any:
        began = time.monotonic()
        ready = super().select(timeout)
        ended = time.monotonic()
        waited = ended - began if timeout is None else min(ended - began, max(timeout, 0.0))
        self.gone_by += min(began - self._since, A_TURN_S) + waited
        self._since = ended
        return ready


class Unhurried(asyncio.SelectorEventLoop):
    """The usual loop, with that clock; it stands still within a turn."""

    def __init__(self) -> None:
        self._waiting = Waiting()
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._waiting.gone_by


OPTIONS: Final[dict[str, Any]] = {"loop_factory": Unhurried}
"""What `anyio.run` takes."""
