"""Simulated time: a fixed start, run at a chosen speed, and moved on by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from math import floor

EPOCH = datetime(2026, 1, 15, 10, 0, 0, tzinfo=UTC).timestamp()
"""Where every scenario begins, in unix seconds. A whole minute, since the bill is drawn on whole minutes."""

LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""Where simulated time stands still, since no later day can be written."""


class Clock:
    """Simulated seconds: the epoch + speed x real seconds since the start + what was advanced. Never runs backwards."""

    def __init__(self, *, speed: float, now: Callable[[], float]) -> None:
        self.speed = speed
        self._real = now
        self.restart()

    def restart(self) -> None:
        """Put the clock back to the epoch."""
        self._start = self._real()
        self._latest = EPOCH
        self.advanced_s = 0.0

    def advance(self, seconds: float) -> None:
        """Move simulated time on by so many simulated seconds."""
        self.advanced_s += seconds

    def now(self) -> float:
        """The simulated time in unix seconds, to the millisecond: finer would let float noise decide minutes."""
        elapsed = self.speed * (self._real() - self._start) + self.advanced_s
        self._latest = max(self._latest, min(LAST, round(EPOCH + elapsed, 3)))
        return self._latest


def iso(at: float) -> str:
    """A time as nearly all answers write it: `2026-01-15T10:30:00Z`."""
    return f"{zoneless(at)}Z"


def zoneless(at: float) -> str:
    """A time as volume billing writes it, without a zone: `2026-01-15T10:30:00` (VERIFIED)."""
    return _write(floor(at))


@lru_cache(maxsize=10_000)  # every row of a list bears a time, mostly the same as when it was last read
def _write(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
