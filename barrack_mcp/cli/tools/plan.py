"""A plan as a person at a terminal reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.text import Text

from barrack_mcp.api.text import escape
from barrack_mcp.catalogue.outcome import Plan
from barrack_mcp.guard.asking.telling import PATIENCE, Part, tell

_LONGEST: Final = 1_000
"""Characters of a line that may be cut."""


def plan_lines(plan: Plan) -> list[Text]:
    """Lay out a plan for a terminal, what matters most first."""
    return [
        Text(
            f"{'' if line.part is Part.SUMMARY else '  '}"
            # what is essential is shown whole: a plan with more of it than a person reads is refused before
            f"{escape(str(line), limit=PATIENCE if line.part.essential else _LONGEST)}",
            style=_STYLES[line.part],
        )
        for line in tell(plan)
    ]


_STYLES: Final[Mapping[Part, str]] = {
    Part.SUMMARY: "bold",
    Part.OPENS: "magenta",
    Part.GAINED: "magenta",
    Part.RUNS: "magenta",
    Part.LOST: "red",
    Part.UNCERTAIN: "red",
    Part.BILL: "",
    Part.WARNING: "yellow",
    Part.COST: "",
    Part.KEPT: "green",
    Part.SAFER: "",
}
