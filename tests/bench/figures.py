"""What was measured: by server and round, so that each round gives a ratio of its own.

The machine's speed drifts, and other programs take their share of it. What is measured in turns is slowed alike, so
that the ratio of two neighbours says more than two medians of different minutes.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spread:
    """Where the middle half of some values lies.

    Attributes:
        low: A quarter of them is lower.
        median: Half of them is lower.
        high: A quarter of them is higher.
    """

    low: float
    median: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Find median and quartiles; of few values, the median of each half."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


@dataclass(frozen=True)
class Figure:
    """One thing that was measured of several servers in turns.

    Attributes:
        name: By which the budget knows it.
        words: What it is, for a reader.
        unit: Of its values.
        values: By server, one a round, in the order of the rounds.
        base: The server that the others are compared with; empty if they are not.
    """

    name: str
    words: str
    unit: str
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)
    base: str = ""

    def of(self, server: str) -> Spread:
        """Find where one server's values lie."""
        return spread(self.values[server])

    def ratio(self, server: str) -> Spread | None:
        """Compare a server with the base, round by round; None if there is nothing to compare."""
        if not self.base or server == self.base or self.base not in self.values:
            return None
        return spread([mine / its for mine, its in zip(self.values[server], self.values[self.base], strict=True)])


def quantile(values: Sequence[float], part: float) -> float:
    """Answer the value below which that part of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
