"""The figures as a table and a picture for people, with the day and the machine."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.bench.budget import budgets
from tests.bench.figures import Figure, Spread
from tests.bench.servers import OURS

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
    rows = ["| what | of what | median (middle half) | ratio, pair by pair | wanted |", "|---|---|---|---|---|"]
    return "\n".join([*rows, *(row for figure in figures for row in _rows(figure))])


def _rows(figure: Figure) -> Iterator[str]:
    words = figure.words
    for server in figure.values:
        ratio = figure.ratio(server)
        shown = "1" if server == figure.base else f"{told(ratio)} {_TIMES}" if ratio else "-"
        wanted = _wanted(figure.name) if server == OURS.name else ""
        yield f"| {words} | {server} | {told(figure.of(server), figure.unit)} | {shown} | {wanted} |"
        words = ""


def _wanted(name: str) -> str:
    budget = budgets().get(name)
    if budget is None:
        return ""
    return f"{'at most' if budget.limit >= budget.target else 'at least'} {budget.target:g} {_TIMES}"


def write(page: Path, picture: Path, figures: Sequence[Figure]) -> None:
    """Put table and picture into the documentation, between the marks of what is measured."""
    put(page, "measured", table(figures))
    picture.write_text(drawn(figures), encoding="utf-8")


def put(page: Path, mark: str, made: str) -> None:
    """Put a table into a page, between its marks, with the day and the machine."""
    begin, end = f"<!-- {mark} -->", f"<!-- end of what is {mark} -->"
    between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    told = f"{begin}\nMeasured on {machine()}.\n\n{made}\n{end}"
    page.write_text(between.sub(lambda _: told, page.read_text(encoding="utf-8")), encoding="utf-8")


# The picture

_SHOWN: Final = ("first_list", "first_answer", "memory", "call_stdio_modern", "call_http_modern")
_WIDTH: Final = 760
_LEFT: Final = 150
_RIGHT: Final = 110
_BAR: Final = 16
_ROW: Final = 22
_STYLE: Final = """\
text { font: 13px system-ui, sans-serif; fill: #24292f }
.head { font-weight: 600 }
.ours { fill: #8250df }
.other { fill: #8c959f }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .ours { fill: #a371f7 } .other { fill: #6e7681 } }"""


def drawn(figures: Sequence[Figure]) -> str:
    """Draw what a user waits for and pays in memory as bars, each group to a scale of its own."""
    parts: list[str] = []
    top = 10
    for figure in figures:
        if figure.name not in _SHOWN:
            continue
        parts.append(f'<text class="head" x="10" y="{top + 14}">{figure.words}, in {figure.unit}</text>')
        top += _ROW
        most = max(figure.of(server).median for server in figure.values)
        for server in figure.values:
            value = figure.of(server).median
            long = max(1, round(value / most * (_WIDTH - _LEFT - _RIGHT)))
            kind = "ours" if server == OURS.name else "other"
            parts += [
                f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end">{server}</text>',
                f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{long}" height="{_BAR}" rx="2"/>',
                f'<text x="{_LEFT + long + 6}" y="{top + 13}">{written(value)}</text>',
            ]
            top += _ROW
        top += _ROW // 2
    title = "barrack-mcp beside other servers: the start, the first answer, memory, and a call"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )
