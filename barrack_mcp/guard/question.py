"""The question as a person reads it: at a glance what happens, what it costs and what is lost; never endless."""

from __future__ import annotations

from typing import Final

from barrack_mcp.api.text import shorten
from barrack_mcp.guard.plans import Planned

LONGEST: Final = 800
"""Characters of a question in all."""
_LEAST: Final = 20
"""A line that had less room than this would say nothing."""


def question(planned: Planned, *, must_type: str | None) -> str:
    """Put a plan into at most 800 characters, ending with what to do to say yes.

    Args:
        planned: Made from what the server read; none of the caller's own words are in it.
        must_type: What has to be typed; None where a plain yes is enough.
    """
    plan = planned.plan
    end = f"Type {must_type} to approve." if must_type is not None else "Approve?"
    lines = [
        plan.summary,
        *(f"Lost: {'; '.join(plan.lost)}." for _ in plan.lost[:1]),
        *plan.warnings,
        *(f"Kept: {'; '.join(plan.kept)}." for _ in plan.kept[:1]),
        *(f"Gentler: {safer.tool}. {safer.why}" for safer in plan.safer[:1]),
    ]
    room = LONGEST - len(end) - 1
    told = ""
    for line in lines:
        left = room - len(told) - 1
        told += f"{shorten(line, left)}\n"
        if len(line) > left - _LEAST:
            break
    return told + end
