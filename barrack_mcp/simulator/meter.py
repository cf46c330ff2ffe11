"""What things cost by the minute, counted in closed form, so that a month passes as fast as a minute.

Money is whole nano-units of the account's currency: sums stay exact whatever the order of events.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

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
class Stretch:
    """A time through which a thing cost one rate: a row of its bill."""

    rate: int
    started: float
    ended: float | None = None

    def read(self, at: float) -> tuple[int, int]:
        """Minutes and nano-units up to a time."""
        minutes = tick(at if self.ended is None else self.ended) - tick(self.started)
        return minutes, minutes * self.rate


@dataclass(slots=True)
class Meter:
    """Counts the minutes and the money of one thing, stretch by stretch: its rate may change, or rest at 0."""

    stretches: list[Stretch] = field(default_factory=list)

    @property
    def rate(self) -> int:
        """What the thing costs a minute now."""
        return self.stretches[-1].rate if self.stretches and self.stretches[-1].ended is None else 0

    def turn(self, at: float, rate: int) -> None:
        """From now on the thing costs `rate`; its bill has another row for that, unless it cost as much before."""
        if rate == self.rate:
            return
        if self.rate:
            self.stretches[-1].ended = at
        if rate:
            self.stretches.append(Stretch(rate, at))

    def read(self, at: float) -> tuple[int, int]:
        """Minutes and nano-units of all stretches up to a time."""
        read = [stretch.read(at) for stretch in self.stretches]
        return sum(minutes for minutes, _ in read), sum(nano for _, nano in read)


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn from the credits over some minutes, from the end of one to the end of another."""

    since: int
    until: int
    rate: int


@dataclass(slots=True)
class Books:
    """What was drawn, and when: kept beside the bills, so that each can be held against the other."""

    draws: list[Draw] = field(default_factory=list)

    def note(self, since: int, until: int, rate: int) -> None:
        """Write down that all together cost `rate` a minute through these minutes."""
        last = self.draws[-1] if self.draws else None
        if last is not None and (last.until, last.rate) == (since, rate):
            self.draws[-1] = Draw(last.since, until, rate)
        elif until > since and rate:
            self.draws.append(Draw(since, until, rate))

    def sum(self, since: float, until: float) -> int:
        """Nano-units drawn between two times."""
        first, last = tick(since), tick(until)
        return sum(max(0, min(each.until, last) - max(each.since, first)) * each.rate for each in self.draws)
