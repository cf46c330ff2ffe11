"""Holds figures against budget.toml: what is wanted, and where a change has clearly made something slower."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure
from tests.bench.servers import OURS

FILE: Final = Path(__file__).with_name("budget.toml")


@dataclass(frozen=True)
class Budget:
    """What one figure's ratio may be; a limit below its target is for what shall be high.

    Attributes:
        target: What is wanted.
        limit: What is allowed, on however busy a machine.
    """

    target: float
    limit: float

    def keeps(self, ratio: float) -> bool:
        """Whether a ratio is within the limit."""
        return ratio <= self.limit if self.limit >= self.target else ratio >= self.limit

    def meets(self, ratio: float) -> bool:
        """Whether a ratio is what is wanted."""
        return ratio <= self.target if self.limit >= self.target else ratio >= self.target


@cache
def budgets() -> Mapping[str, Budget]:
    """Read the budget of each figure that has one."""
    return {name: Budget(**said) for name, said in tomllib.loads(FILE.read_text(encoding="utf-8")).items()}


def ratios(figures: Sequence[Figure]) -> dict[str, float]:
    """Answer the median ratio of each figure that has a budget."""
    found = {}
    for figure in figures:
        ratio = figure.ratio(OURS.name) if OURS.name in figure.values else None
        if figure.name in budgets() and ratio is not None:
            found[figure.name] = ratio.median
    return found


def beyond(figures: Sequence[Figure]) -> dict[str, float]:
    """Answer what is beyond its limit, each with its median ratio."""
    return {name: ratio for name, ratio in ratios(figures).items() if not budgets()[name].keeps(ratio)}
