"""What things cost by the minute, counted in closed form, so that a month passes as fast as a minute.

Money is whole nano-units of the account's currency: sums stay exact whatever the order of events.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

NANO = 1_000_000_000
MINUTE_S = 60
MINUTES_PER_HOUR = 60


def per_minute(hourly: float) -> int:
    """An hourly price as nano-units a minute."""
    return round(hourly * NANO / MINUTES_PER_HOUR)


def money(nano: int, digits: int = 4) -> float:
    """Nano-units as the number that the API shows."""
    return round(nano / NANO, digits)


def tick(at: float) -> int:
    """How many whole minutes lie behind a time. The bill is drawn at each of them."""
    return math.floor(at / MINUTE_S)


@dataclass(slots=True)
class Meter:
    """Counts the minutes and the money of one thing, whose rate may change or rest at 0."""

    rate: int = 0
    minutes: int = 0
    nano: int = 0
    started: float | None = None
    ended: float | None = None
    _tick: int = 0

    def turn(self, at: float, rate: int) -> None:
        """From now on the thing costs `rate`; the meter starts when that is first more than nothing."""
        self.minutes, self.nano = self.read(at)
        self._tick = tick(at)
        self.rate = rate
        if rate and self.started is None:
            self.started = at

    def end(self, at: float) -> None:
        """The thing is gone: its bill stands."""
        self.turn(at, 0)
        self.ended = at

    def read(self, at: float) -> tuple[int, int]:
        """Minutes and nano-units up to a time."""
        if not self.rate:
            return self.minutes, self.nano
        passed = tick(at) - self._tick
        return self.minutes + passed, self.nano + passed * self.rate
