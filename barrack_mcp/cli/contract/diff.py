"""A comparison, shown: as a table that a person can act on, and as JSON for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from barrack_mcp.api.openapi.comparison import Comparison, compare
from barrack_mcp.api.openapi.differences import Difference, Kind
from barrack_mcp.api.openapi.requests import printable
from barrack_mcp.catalogue import OPERATIONS, JsonObject

_SHOWN: Final = 3

__all__ = ["as_json", "as_table", "compare", "summary"]


def summary(comparison: Comparison) -> str:
    """Say in two sentences what came of it."""
    found = len(comparison.matches)
    kinds = Counter("mended" if each.mended else "open" if each.matters else "known" for each in comparison.differences)
    extra = sum(each.kind == "extra operation" for each in comparison.differences)
    if comparison.same:
        return f"All {found} operations are in {printable(comparison.document.name)}, and nothing differs."
    return (
        f"{found} of our {len(OPERATIONS)} operations are in {printable(comparison.document.name)}, with {extra} that "
        f"we don't know. Adopting it mends {kinds['mended']} differences; {kinds['open']} need a person; "
        f"{kinds['known']} are for information."
    )


def as_table(comparison: Comparison, *, everything: bool = False) -> Group:
    """Show the differences as a table: what adopting mends in a few rows a tool, what needs a person one by one.

    Args:
        comparison: What was found.
        everything: Each difference by itself, those for information included.
    """
    table = Table(pad_edge=False)
    for name in ("tool", "differs", "ours", "theirs", "what to do"):
        table.add_column(name, overflow="fold")
    for row in _rows(comparison.differences, everything=everything):
        first = row[0]
        style = "green" if first.mended else "red" if first.matters else "dim"
        kinds = ", ".join(dict.fromkeys(each.kind.value for each in row))
        todo = ("adopt: " if first.mended else "") + ", ".join(dict.fromkeys(each.todo for each in row))
        ours, theirs = (first.ours, first.theirs) if len(row) == 1 else _folded(row)
        table.add_row(*(Text(cell) for cell in (first.tool or "(all)", kinds, ours, theirs, todo)), style=style)
    notes = [Text(f"Note: {printable(note)}", style="dim") for note in comparison.document.notes]
    return Group(*([table] if table.row_count else []), *notes, Text(summary(comparison)))


def _folded(row: list[Difference]) -> tuple[str, str]:
    """Several differences in one row: how many, and the first few."""
    more = [f"… and {len(row) - _SHOWN} more"] if len(row) > _SHOWN else []
    return f"{len(row)} names and values", "\n".join([f"{each.ours}: {each.theirs}" for each in row[:_SHOWN]] + more)


def _rows(differences: Iterable[Difference], *, everything: bool) -> list[list[Difference]]:
    rows: dict[object, list[Difference]] = {}
    for index, each in enumerate(differences):
        if everything or not each.mended or each.tool is None or each.kind in (Kind.METHOD, Kind.PATH):
            if everything or each.matters:
                rows[index] = [each]
        else:
            rows.setdefault(each.tool, []).append(each)
    return list(rows.values())


def as_json(comparison: Comparison) -> JsonObject:
    """Write a comparison as JSON: matches, differences, notes."""
    return {
        "document": comparison.document.name,
        "same": comparison.same,
        "matches": [
            {
                "tool": match.operation.tool,
                "method": match.theirs.method,
                "path": match.theirs.path,
                "confidence": match.confidence,
                "matched_by": match.how,
                "sure": match.sure,
            }
            for match in comparison.matches
        ],
        "differences": [difference.as_json() for difference in comparison.differences],
        "notes": list(comparison.document.notes),
        "summary": summary(comparison),
    }
