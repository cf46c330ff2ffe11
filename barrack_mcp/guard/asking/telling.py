"""How a plan is told to people: one list of lines, which question, answer, terminal and page each lay out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from barrack_mcp.account import money
from barrack_mcp.api.text import compact, mention
from barrack_mcp.catalogue.outcome import Cost, Plan, Safer

LONGEST: Final = 800
"""Characters of a question in all."""
PATIENCE: Final = 8_000
"""Characters that a person is asked to read at the terminal or on the page before a yes; more would only be skimmed."""
_CLAIM: Final = 80
"""Characters that are shown of a claim."""
_LEFT_OUT: Final = "Less that matters is left out here."


class Part(StrEnum):
    """What a line of a plan is about."""

    SUMMARY = "summary"
    OPENS = "opens"
    GAINED = "gained"
    RUNS = "runs"
    LOST = "lost"
    UNCERTAIN = "uncertain"
    BILL = "bill"
    WARNING = "warning"
    COST = "cost"
    KEPT = "kept"
    SAFER = "safer"

    @property
    def essential(self) -> bool:
        """Whether nobody can agree without having seen it: it is shown whole, or the call is refused."""
        return self in _ESSENTIAL


_ESSENTIAL: Final = frozenset({Part.SUMMARY, Part.OPENS, Part.GAINED, Part.RUNS, Part.LOST, Part.UNCERTAIN, Part.BILL})
_IN_ONE: Final = frozenset({Part.OPENS, Part.GAINED, Part.RUNS, Part.LOST, Part.UNCERTAIN, Part.KEPT})
"""What is told in one sentence after its heading, however many there are of it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a plan tells.

    Attributes:
        part: What it is about; its weight goes by that.
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
    """Say a plan in lines, what matters most first; all that is essential comes before the rest."""
    return [
        Line(Part.SUMMARY, plan.summary),
        *(Line(Part.OPENS, each, "Opens to") for each in plan.opens),
        *(Line(Part.GAINED, each, "Gained") for each in plan.gained),
        *(Line(Part.RUNS, each, "Runs") for each in plan.runs),
        *(Line(Part.LOST, each, "Lost") for each in plan.lost),
        *(Line(Part.UNCERTAIN, each, "Perhaps lost") for each in plan.uncertain),
        *(Line(Part.BILL, each) for each in plan.bill),
        *(_costs(plan.cost) if plan.cost is not None else ()),
        *(Line(Part.WARNING, each) for each in plan.warnings),
        *(Line(Part.KEPT, each, "Kept") for each in plan.kept),
        *(Line(Part.SAFER, each.why, "Gentler", _call(each)) for each in plan.safer),
    ]


def sentences(plan: Plan) -> list[str]:
    """Say a plan in sentences, one for all that is lost and one for all that is kept.

    Figures are left to who shows them as such: what a purchase costs stands in its summary.
    """
    return _sentences(tell(plan))


def tell_claim(caller: str, on_behalf_of: str | None) -> str:
    """Say for whom a caller says that it acts; empty if it says nobody. It may be wrong, so it is told as its word."""
    if on_behalf_of is None:
        return ""
    cut = f"{on_behalf_of[:_CLAIM]}…" if len(on_behalf_of) > _CLAIM else on_behalf_of
    return f"Asked by {mention(caller)}, which says that it acts for {cut}."


def question(plan: Plan, *, must_type: str | None, claim: str = "") -> str | None:
    """Put a plan into at most 800 characters, ending with what to do to say yes.

    All that is essential stands in it whole. Of the rest, whole lines are left out from the end until it fits.

    Args:
        plan: Made from what the server read; none of the caller's own words are in it.
        must_type: What has to be typed; None where a plain yes is enough.
        claim: For whom the caller says that it acts, in a sentence.

    Returns:
        The question; None if what is essential doesn't fit, so that nobody could know what they agree to.
    """
    end = [claim] if claim else []
    end.append(f"Type {must_type} to approve." if must_type is not None else "Approve?")
    lines = tell(plan)
    essential = [line for line in lines if line.part.essential]
    further = [line for line in lines if not line.part.essential and line.part is not Part.COST]
    for kept in range(len(further), -1, -1):
        left_out = [_LEFT_OUT] if kept < len(further) else []
        asked = "\n".join([*_sentences([*essential, *further[:kept]]), *left_out, *end])
        if len(asked) <= LONGEST:
            return asked
    return None


def can_be_shown(plan: Plan) -> bool:
    """Whether a person who is asked at the terminal or on the page can be expected to read all that is essential."""
    return sum(len(str(line)) for line in tell(plan) if line.part.essential) <= PATIENCE


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


def _sentences(lines: Iterable[Line]) -> list[str]:
    told: list[str] = []
    for part, group in itertools.groupby(lines, key=lambda line: line.part):
        if part in _IN_ONE:
            first, *others = group
            told.append(f"{'; '.join([str(first), *(line.text for line in others)])}.")
        elif part is not Part.COST:
            told += map(str, group)
    return told


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
        month = f"{sign}{money.write_month(after - now, currency)}"
        yield Line(Part.COST, f"{sign}{money.write_rate(after - now, currency)}", "Difference", month)
    if spent is not None:
        yield Line(Part.COST, money.write(spent, currency), "Spent so far")


def _call(safer: Safer) -> str:
    """A call as one types it at a shell."""
    return " ".join([safer.tool, *(f"{name}={write_value(value)}" for name, value in safer.arguments.items())])
