"""Rows and records for a terminal: a table where it fits, else a few lines a row; no word is broken, no value cut."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.cells import cell_len, chop_cells

_GAP: Final = "  "
_LEADING: Final = 2
"""How many columns name a row where each has lines of its own."""
_NARROWEST: Final = 20
_NUMBERS: Final = (int, float)


def table(rows: Sequence[Mapping[str, Any]], *, width: int) -> list[str]:
    """Lay rows out: side by side under their names where all fit, else each over lines of its own.

    Args:
        rows: Their columns in order; what none of them has is left out.
        width: Columns of the terminal.
    """
    names = [
        name for name in dict.fromkeys(name for row in rows for name in row) if any(_there(row, name) for row in rows)
    ]
    cells = [[in_words(row.get(name)) for name in names] for row in rows]
    heads = [name.replace("_", " ") for name in names]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    if any("\n" in cell for line in cells for cell in line) or sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        return [line for line_cells in cells for line in _lines(heads, line_cells, width)]
    right = [all(isinstance(row.get(name), _NUMBERS) for row in rows if _there(row, name)) for name in names]
    return [
        _GAP.join(_padded(cell, at, to_right) for cell, at, to_right in zip(line, widths, right, strict=True)).rstrip()
        for line in (heads, *cells)
    ]


def _there(row: Mapping[str, Any], name: str) -> bool:
    return row.get(name) not in (None, "", [], {})


def _padded(cell: str, width: int, to_right: bool) -> str:  # noqa: FBT001 - a column's own
    space = " " * (width - cell_len(cell))
    return space + cell if to_right else cell + space


def _lines(heads: Sequence[str], cells: Sequence[str], width: int) -> Iterator[str]:
    """A row over lines of its own: what names it first, then the rest, each with its name."""
    first = [cell for cell in cells[:_LEADING] if cell]
    yield from wrapped(_GAP.join(first), width=width)
    rest = [(head, cell) for head, cell in zip(heads[_LEADING:], cells[_LEADING:], strict=True) if cell]
    line = ""
    for piece in (f"{head} {cell}" for head, cell in rest if "\n" not in cell):
        if line and cell_len(f"{_GAP}{line}, {piece},") > width:
            yield from wrapped(f"{line},", width=width, indent=_GAP)
            line = piece
        else:
            line = f"{line}, {piece}" if line else piece
    if line:
        yield from wrapped(line, width=width, indent=_GAP)
    for head, cell in rest:
        if "\n" in cell:
            yield f"{_GAP}{head}:"
            yield from (f"{_GAP}{_GAP}{each}" for each in cell.splitlines())


def record(values: Mapping[str, Any], *, width: int, indent: str = "") -> Iterator[str]:
    """Lay out one thing: a line a value, what is nested below its name."""
    known = {name: value for name, value in values.items() if _there(values, name)}
    room = max((cell_len(name) for name, value in known.items() if not isinstance(value, dict | list)), default=0)
    for name, value in known.items():
        head = name.replace("_", " ")
        if isinstance(value, Mapping):
            yield f"{indent}{head}:"
            yield from record(value, width=width, indent=indent + _GAP)
        elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            yield f"{indent}{head}:"
            rows = [each if isinstance(each, Mapping) else {"": each} for each in value]
            yield from (indent + _GAP + line for line in table(rows, width=width - len(indent) - len(_GAP)))
        elif isinstance(value, str) and "\n" in value:
            yield f"{indent}{head}:"
            yield from (f"{indent}{_GAP}{line}" for line in value.splitlines())
        else:
            start = f"{indent}{head}:{' ' * (room - cell_len(name) + 1)}"
            yield from wrapped(start + in_words(value), width=width, indent=indent + _GAP, first="")


def in_words(value: Any) -> str:
    """Write a value as a person reads it: what is nested in words, never JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{name.replace('_', ' ')} {in_words(each)}" for name, each in value.items())
        case list():
            return (
                "; ".join(map(in_words, value))
                if any(isinstance(each, Mapping) for each in value)
                else ", ".join(map(in_words, value))
            )
        case float():
            return f"{value:,.2f}" if value >= 1 and value == round(value, 2) else f"{value:.12g}"
        case _:
            return str(value)


def cut(text: str, width: int) -> str:
    """Cut a line that is longer than the terminal at its last word that fits, and show that there is more."""
    if cell_len(text) <= width:
        return text
    fits = chop_cells(text, max(width - 2, 1))[0]
    words, space, _ = fits.rpartition(" ")
    whole = fits if text[len(fits) : len(fits) + 1] == " " else words
    return f"{whole.rstrip()} …" if space and whole.strip() else f"{fits}…"


def wrapped(text: str, *, width: int, indent: str = "", first: str | None = None) -> list[str]:
    """Break a line between words; a word that is longer than a line stays whole, so that it can be copied."""
    return textwrap.wrap(
        text,
        width=max(width, _NARROWEST),
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]
