"""The figures as a table for people, with the day and the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure, Spread

_TO: Final = "\N{EN DASH}"
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_DIGITS: Final = ((100, 0), (10, 1), (1, 2))


def machine() -> str:
    """Say when and where this was measured."""
    cpus = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    kind = cpus[0] if cpus else platform.machine()
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {kind}, {os.cpu_count()} virtual processors, load {load:.1f} before it ended, "
        f"Python {platform.python_version()}, mcp {version('mcp')}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def written(number: float) -> str:
    """Write a number with three digits that count."""
    digits = next((digits for least, digits in _DIGITS if abs(number) >= least), 3)
    return f"{number:,.{digits}f}"


def told(spread: Spread, unit: str = "") -> str:
    """Write a median, and where the middle half lies."""
    unit = f" {unit}" if unit else ""
    if spread.low == spread.high:
        return f"{written(spread.median)}{unit}"
    return f"{written(spread.median)}{unit} ({written(spread.low)}{_TO}{written(spread.high)})"


def table(figures: Sequence[Figure]) -> str:
    """Write all figures as a table of Markdown."""
    rows = ["| what | server | median (middle half) | ratio, pair by pair |", "|---|---|---|---|"]
    return "\n".join([*rows, *(row for figure in figures for row in _rows(figure))])


def _rows(figure: Figure) -> Iterator[str]:
    words = figure.words
    for server in figure.values:
        ratio = figure.ratio(server)
        shown = "1" if server == figure.base else f"{told(ratio)} {_TIMES}" if ratio else "-"
        yield f"| {words} | {server} | {told(figure.of(server), figure.unit)} | {shown} |"
        words = ""
