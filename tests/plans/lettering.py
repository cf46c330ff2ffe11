"""Plans to the letter: what each says stands in a file of its tool under letters/, and is held to it.

The first of a tool stands there as a whole, the others by the lines that go and come. Whoever changes a plan on purpose
makes the letters anew (`--remake-letters`) and reads what changed in them.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from barrack_mcp.account.deeds import Deeds
from barrack_mcp.account.leases import Term
from barrack_mcp.account.spending.shares import UNTOLD
from barrack_mcp.account.things import Thing
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.guard.asking.telling import question
from barrack_mcp.guard.plans import Binding, Planned
from barrack_mcp.state.store import Trace
from tests.plans.asking import Bend, Room, room

REMAKE = "--remake-letters"
PAGES = ("page", "limit")
LETTERS = Path(__file__).with_name("letters")
HEAD = (
    "What a plan says in each case: the first as a whole, the others by the lines that go and come.\n"
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
    shown: Mapping[str, JsonObject] = field(default_factory=dict)
    """What is there beside what the simulator has, by its id."""
    ours: Mapping[tuple[str, str], Trace] = field(default_factory=dict)
    """What was changed through us."""
    deeds: Deeds | None = None
    """What was made a moment ago."""
    term: Term | None = None
    """The lease that a purchase gives."""
    exactly: bool = False
    """Whether the arguments are all that there are; else they replace those of a call that works."""

    async def find_term(self) -> Term | None:
        """Answer the lease that is given."""
        return self.term

    async def find_ours(self, things: Iterable[Thing]) -> Mapping[tuple[str, str], Trace]:
        """Answer the last changes of some things."""
        return {thing.key: self.ours[thing.key] for thing in things if thing.key in self.ours}


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
        ("month cost", planned.month_cost),
        ("machine cost", planned.machine_cost or None),
        ("share", None if planned.share == UNTOLD else planned.share),
        *((name, name) for name in ("touches_unread", "overwrites", "wide") if getattr(planned, name)),
    ]
    return "\n".join(f"{name}: {value}" for name, value in told if value not in ("", (), None))


def changes(before: str, after: str) -> str:
    """The lines that go and the lines that come."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in [*lines][2:] if not line.startswith("@@"))


async def asked_in(case: Case, asked: Room, *, binding: Binding = Binding.NOT_YET) -> Planned:
    """Plan the call of a case in its state."""
    asked.bent, asked.failing, asked.gone = case.bent, frozenset(case.failing), frozenset(case.gone)
    asked.shown, asked.last_changes = case.shown, case.find_ours
    asked.deeds, asked.find_term = case.deeds, case.find_term
    good = {} if case.exactly else asked.good(case.tool)
    return await asked.plan_exactly(case.tool, {**good, **case.arguments}, binding=binding)


async def again_in(case: Case, asked: Room, first: Planned) -> None:
    """Plan the same call once more, as before it is sent: what was agreed to stands."""
    asked.reads.clear()
    again = await asked_in(case, asked, binding=Binding.ALONE)
    assert again.fingerprint == first.fingerprint


def tell_length(planned: Planned) -> list[str]:
    """Say so where a client's question can't hold what is essential: it is asked in smaller parts, or elsewhere."""
    asks = planned.refusal is None
    too_long = asks and question(planned.plan, must_type=planned.must_type) is None
    return ["a question does not hold it"] if too_long else []


def tell_reads(asked: Room) -> str:
    """What was read since this was told last, each read once."""
    reads = [(name, {key: value for key, value in given.items() if key not in PAGES}) for name, given in asked.reads]
    asked.reads.clear()
    told = sorted({f"{name} {json.dumps(given)}" if given else name for name, given in reads})
    return ", ".join(told) or "nothing"


def by_tool(*tables: Mapping[str, Case]) -> dict[str, dict[str, Case]]:
    """Several tables as one, by the tool that is called."""
    found: dict[str, dict[str, Case]] = {}
    for title, case in itertools.chain(*(table.items() for table in tables)):
        found.setdefault(case.tool, {})[title] = case
    assert sum(map(len, found.values())) == sum(map(len, tables)), "a title stands twice"
    return found


async def told(cases: Mapping[str, Case]) -> dict[str, str]:
    """What each plan of a tool says, by its case, as the letters are written."""
    found: dict[str, str] = {}
    alike: dict[str, str] = {}
    async with room(kept={}) as asked:
        for title, case in cases.items():
            planned = await asked_in(case, asked)
            same = alike.setdefault(planned.fingerprint, title)
            lines = [letter(planned), *tell_length(planned), f"read: {tell_reads(asked)}"]
            await again_in(case, asked, planned)
            lines.append(f"read again: {tell_reads(asked)}")
            found[title] = "\n".join([*lines, *([f"a yes is the same: {same}"] if same != title else [])])
    first, *others = found
    return {first: found[first]} | {title: changes(found[first], found[title]) for title in others}


async def hold_to_letters(tool: str, cases: Mapping[str, Case], *, remake: bool) -> None:
    """See that each plan of a tool says what its letter holds; or write down what they say."""
    file = LETTERS / f"{tool}.txt"
    found = await told(cases)
    if remake:
        file.write_text(HEAD + "".join(f"\n## {title}\n{said}\n" for title, said in found.items()), encoding="utf-8")
    parts = re.split(r"^## (.*)\n", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    kept = dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
    assert [*found] == [*kept]
    unlike = [f"{title}\n{changes(kept[title], found[title])}" for title in found if found[title] != kept[title]]
    assert not unlike, "\n\n".join(unlike)
