"""Plans to the letter: what each says of a call stands in a file of letters beside the cases, and is held to it.

A letter of a tool stands there as a whole where it is the first, the others by the lines that go and come. Whoever
changes a plan on purpose makes the letters anew (`--remake-letters`) and reads what changed in them.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from barrack_mcp.catalogue import JsonObject
from barrack_mcp.guard.plans import Planned
from tests.plans.asking import Bend, Room, room

REMAKE = "--remake-letters"
HEAD = (
    "What each plan says: the first of a tool as a whole, the others by the lines that go and come.\n"
    "Made by: pytest tests/plans -k letter --remake-letters. Read what that changes.\n"
)


@dataclass
class Case:
    """A call, and the state in which it finds the account."""

    tool: str
    arguments: JsonObject = field(default_factory=dict)
    bent: Mapping[str, Bend] = field(default_factory=dict)
    failing: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    exactly: bool = False
    """Whether the arguments are all that there are; else they replace those of a call that works."""


def letter(planned: Planned) -> str:
    """All that a plan says and all that the guard makes of it, a line each; what is not said has none."""
    plan = planned.plan
    told: list[tuple[str, object]] = [
        ("summary", plan.summary),
        ("risk", plan.risk),
        *((f"target {name}", json.dumps(value, ensure_ascii=False)) for name, value in plan.target.items()),
        *((f"cost {name}", value) for name, value in (plan.cost.model_dump() if plan.cost else {}).items()),
        *(
            (name, each)
            for name in ("opens", "gained", "runs", "lost", "uncertain", "bill", "kept", "warnings")
            for each in getattr(plan, name)
        ),
        *(("safer", f"{each.tool} {json.dumps(each.arguments)}: {each.why}") for each in plan.safer),
        ("refusal", planned.refusal),
        ("to type", planned.must_type),
        ("protected by", ", ".join(planned.protected_by)),
        *(
            (name.replace("_", " "), getattr(planned, name))
            for name in ("hourly_now", "hourly_after", "balance", "read_in_part")
        ),
        ("runway", planned.runway_hours_after and f"{planned.runway_hours_after:.3f} hours"),
        ("machine cost", planned.machine_cost or None),
        *((name, name) for name in ("touches_unread", "overwrites", "wide") if getattr(planned, name)),
    ]
    return "\n".join(f"{name}: {value}" for name, value in told if value not in ("", (), None))


def changes(before: str, after: str) -> str:
    """The lines that go and the lines that come."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in [*lines][2:] if not line.startswith("@@"))


async def asked_in(case: Case, asked: Room) -> Planned:
    """Plan the call of a case in its state."""
    asked.bent, asked.failing, asked.gone = case.bent, frozenset(case.failing), frozenset(case.gone)
    good = {} if case.exactly else asked.good(case.tool)
    return await asked.plan_exactly(case.tool, {**good, **case.arguments})


async def told(cases: Mapping[str, Case]) -> dict[str, str]:
    """What each plan says, by its case, as the letters are written."""
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    async with room() as asked:
        for title, case in cases.items():
            said = letter(await asked_in(case, asked))
            found[title] = changes(first[case.tool], said) if case.tool in first else said
            first.setdefault(case.tool, said)
    return found


async def hold_to_letters(cases: Mapping[str, Case], file: Path, *, remake: bool) -> None:
    """See that each plan says what its letter holds; or write down what they say."""
    found = await told(cases)
    if remake:
        file.write_text(HEAD + "".join(f"\n## {title}\n{said}\n" for title, said in found.items()), encoding="utf-8")
    kept = read_letters(file)
    assert [*found] == [*kept]
    unlike = [f"{title}\n{changes(kept[title], found[title])}" for title in found if found[title] != kept[title]]
    assert not unlike, "\n\n".join(unlike)


def read_letters(file: Path) -> dict[str, str]:
    """What each plan is to say, by its case."""
    parts = re.split(r"^## (.*)\n", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
