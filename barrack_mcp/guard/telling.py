"""How a plan is told to people: one list of lines, which question, answer, terminal and page each lay out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from barrack_mcp.account import money
from barrack_mcp.api.text import compact, mention, shorten
from barrack_mcp.catalogue.outcome import Cost, Plan, Safer

LONGEST: Final = 800
"""Characters of a question in all."""
_LEAST: Final = 20
"""A line that had less room than this would say nothing."""


class Part(StrEnum):
    """What a line of a plan is about."""

    SUMMARY = "summary"
    LOST = "lost"
    WARNING = "warning"
    COST = "cost"
    KEPT = "kept"
    SAFER = "safer"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a plan tells.

    Attributes:
        part: What it is about.
        text: A sentence, or what follows the heading.
        heading: The word before it; empty where the text is a sentence itself.
        aside: What belongs to it: a month's cost, the call that is gentler.
    """

    part: Part
    text: str
    heading: str = ""
    aside: str = ""

    def __str__(self) -> str:
        heading = f"{self.heading}: " if self.heading else ""
        return f"{heading}{self.text}{f' ({self.aside})' if self.aside else ''}"


def tell(plan: Plan) -> list[Line]:
    """Say a plan in lines, what matters most first."""
    return [
        Line(Part.SUMMARY, plan.summary),
        *(Line(Part.LOST, each, "Lost") for each in plan.lost),
        *(Line(Part.WARNING, each) for each in plan.warnings),
        *(_costs(plan.cost) if plan.cost is not None else ()),
        *(Line(Part.KEPT, each, "Kept") for each in plan.kept),
        *(Line(Part.SAFER, each.why, "Gentler", _call(each)) for each in plan.safer),
    ]


def sentences(plan: Plan) -> list[str]:
    """Say a plan in sentences, one for all that is lost and one for all that is kept.

    Figures are left to who shows them as such: what a purchase costs stands in its summary.
    """
    told: list[str] = []
    for part, lines in itertools.groupby(tell(plan), key=lambda line: line.part):
        if part in (Part.LOST, Part.KEPT):
            first, *others = lines
            told.append(f"{'; '.join([str(first), *(line.text for line in others)])}.")
        elif part is not Part.COST:
            told += map(str, lines)
    return told


def question(plan: Plan, *, must_type: str | None) -> str:
    """Put a plan into at most 800 characters, ending with what to do to say yes.

    Args:
        plan: Made from what the server read; none of the caller's own words are in it.
        must_type: What has to be typed; None where a plain yes is enough.
    """
    end = f"Type {must_type} to approve." if must_type is not None else "Approve?"
    told = ""
    for sentence in sentences(plan):
        left = LONGEST - len(told) - len(end) - 2
        told += f"{shorten(sentence, left)}\n"
        if len(sentence) > left - _LEAST:
            break
    return told + end


def read_plan(stored: Mapping[str, Any]) -> Plan | None:
    """Read the plan of a request; None if another version wrote it: what can't be shown can't be approved."""
    try:
        return Plan.model_validate(stored)
    except ValidationError:
        return None


def write_value(value: Any) -> str:
    """Write a JSON value for people."""
    match value:
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case []:
            return "none"
        case list() if all(isinstance(item, str | int | float) for item in value):
            return ", ".join(write_value(item) for item in value)
        case list() | dict():
            return compact(value)
        case _:
            return str(value)


def _costs(cost: Cost) -> Iterator[Line]:
    """What the target costs now and afterwards, as far as that is known."""
    currency = mention(cost.currency)
    now, after, spent = map(money.amount, (cost.hourly_now, cost.hourly_after, cost.spent_so_far))
    for heading, hourly in (("Now", now), ("Afterwards", after)):
        if hourly is not None:
            month = money.write_month(hourly, currency) if hourly else ""
            yield Line(Part.COST, money.write_rate(hourly, currency), heading, month)
    if now is not None and after is not None and now != after:
        sign = "+" if after > now else ""
        yield Line(Part.COST, f"{sign}{money.write_rate(after - now, currency)}", "Difference")
    if spent is not None:
        yield Line(Part.COST, money.write(spent, currency), "Spent so far")


def _call(safer: Safer) -> str:
    """A call as one types it at a shell."""
    return " ".join([safer.tool, *(f"{name}={write_value(value)}" for name, value in safer.arguments.items())])
