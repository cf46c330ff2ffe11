"""What was learned, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from barrack_mcp.api.learning.contract.file import after, source_of, write
from barrack_mcp.api.learning.contract.merging import Learned
from barrack_mcp.api.openapi.differences import printable
from barrack_mcp.api.wire.form import Contract, Wire
from barrack_mcp.api.wire.overrides import ApiOverride, OperationOverride, Overrides
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import BY_TOOL, JsonObject

_FEW: Final = 3
_MANY: Final = 20
_FACTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "type": "sent as",
        "minimum": "at least",
        "maximum": "at most",
        "min_length": "length at least",
        "max_length": "length at most",
        "enum": "one of",
        "default": "default",
    }
)
_INDENT: Final = (0, 0, 0, 2)


def learned_as_json(learned: Learned, in_force: Overrides) -> JsonObject:
    """What was learned as JSON, with the file that holds it."""
    before, then = Contract(in_force), Contract(after(learned, in_force))
    operations = []
    for tool, origins in learned.origins.items():
        was, wire = before.for_(BY_TOOL[tool]), then.for_(BY_TOOL[tool])
        operations.append(
            {
                "tool": tool,
                "method": wire.method,
                "path": wire.path,
                "source": origins.where.found.source.value,
                "place": printable(origins.where.place),
                "day": origins.where.found.day.isoformat(),
                "from": [source_of(claim) for claim in origins.all],
                "differs": [*_differing(was, wire), *_facts(before, then, tool)],
            }
        )
    return {
        "operations": operations,
        "everywhere": _everywhere(in_force.api, then.overrides.api),
        "inferred": list(learned.missing),
        "unsure": [
            {"tool": tool, "theirs": printable(each.match.theirs.name), "why": printable(each.match.doubt)}
            for tool, each in learned.unsure.items()
        ],
        "disagreements": [vars(each) for each in learned.disagreements],
        "refused": [vars(each) for each in learned.refused],
        "sources": [
            {
                "source": found.source.value,
                "place": printable(found.place),
                "day": found.day.isoformat(),
                "complete": found.complete,
                "notes": [printable(note) for note in found.notes],
            }
            for found in learned.founds
        ],
        "contract": write(learned, in_force),
    }


def learned_as_page(learned: Learned, in_force: Overrides) -> Group:
    """What was learned for a terminal: what would differ, then what stays inferred, is disputed or was refused."""
    before, then = Contract(in_force), Contract(after(learned, in_force))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("operation", no_wrap=True)
    table.add_column("method and path; what differs", overflow="fold")
    same, vouched = 0, 0
    first = learned.founds[0].source if learned.founds else None
    for tool, origins in learned.origins.items():
        was, wire = before.for_(BY_TOOL[tool]), then.for_(BY_TOOL[tool])
        lines = [*_differing(was, wire), *_facts(before, then, tool)]
        if not lines:
            vouched += was.guessed
            same += not was.guessed
            continue
        source = origins.where.found.source
        asked = Text(wire.asked, style="cyan" if wire.asked != was.asked else "")
        if source is not first:
            asked.append(f" ({source})", style="dim")
        more = len(lines) - _FEW
        shown = [*lines[:_FEW], f"… and {more} more"] if more > 1 else lines
        table.add_row(tool, Text("\n").join([asked, *map(Text, shown)]))
    everywhere = _everywhere(in_force.api, then.overrides.api)
    rows: list[RenderableType] = [table, Text()] if table.row_count else []
    parts: list[RenderableType] = [
        *rows,
        *(Text(line) for line in _sums(learned, same=same, vouched=vouched)),
        *(Text(f"Everywhere: {name} = {value}") for name, value in everywhere.items()),
    ]
    for title, lines in _told(learned):
        parts += [Text(), Text(title, style="bold")]
        more = len(lines) - _MANY
        parts += [Padding(Text(line), _INDENT) for line in lines[:_MANY]]
        parts += [Padding(Text(f"… and {more} more: --json and the file have them all."), _INDENT)] if more > 0 else []
    return Group(*parts)


def _sums(learned: Learned, *, same: int, vouched: int) -> Iterator[str]:
    places = ", ".join(f"{printable(each.place)} ({each.source})" for each in learned.founds)
    yield f"{len(learned.origins)} of our {len(BY_TOOL)} operations were found{f' in {places}' if places else ''}."
    if vouched:
        yield f"{vouched} of them are documented just as we guessed them."
    if same:
        yield f"{same} of them are as in the contract in force."


def _told(learned: Learned) -> Iterator[tuple[str, list[str]]]:
    yield from _if_any(
        "Look yourself: each may be the operation",
        [
            f"{tool}: {printable(each.match.theirs.name)}; {printable(each.match.doubt)}"
            for tool, each in learned.unsure.items()
            if not each.refused
        ],
    )
    if learned.origins and (inferred := learned.missing):
        yield "Stay as they were, since no source tells", [", ".join(inferred)]
    yield from _if_any(
        "Sources disagree; the surer one counts",
        [
            f"{each.tool or 'everywhere'}, {each.fact}: {each.taken} ({each.taken_from}), not {each.other} "
            f"({each.other_from})"
            for each in learned.disagreements
        ],
    )
    yield from _if_any(
        "Refused",
        [f"{each.tool or 'everywhere'}: {each.said} ({each.place}): {each.why}" for each in learned.refused],
    )
    yield from _if_any("Told by the sources", [printable(note) for found in learned.founds for note in found.notes])


def _if_any(title: str, rows: list[str]) -> Iterator[tuple[str, list[str]]]:
    if rows:
        yield title, rows


def _everywhere(before: ApiOverride, then: ApiOverride) -> dict[str, str]:
    said: Mapping[str, str | None] = vars(then)
    return {name: printable(value) for name, value in said.items() if value and value != getattr(before, name)}


def _differing(was: Wire, wire: Wire) -> list[str]:
    """What differs in one operation between two contracts, a line each."""
    lines = [f"was {was.asked}"] if was.asked != wire.asked else []
    lines += [f"result in {wire.result}"] if wire.result != was.result else []
    names = {**{name: name.rpartition(".")[2] for name in was.fields}, **wire.fields}
    lines += [
        f"{name}: {theirs}" for name, theirs in names.items() if theirs != was.fields.get(name, name.rpartition(".")[2])
    ]
    lines += [f"constant {name}" for name in wire.constants if name not in was.constants]
    lines += [f"takes {extra.theirs}" for name, extra in wire.extras.items() if name not in was.extras]
    return [printable(line) for line in lines]


def _facts(before: Contract, then: Contract, tool: str) -> list[str]:
    """What is documented of arguments beyond their names, a line each."""
    was, is_now = (each.overrides.operations.get(tool, OperationOverride()).about for each in (before, then))
    lines = []
    for name, about in is_now.items():
        if about != was.get(name):
            facts = {fact: said for fact, said in vars(about).items() if said not in (None, (), "") and fact in _FACTS}
            shown = ", ".join(f"{_FACTS[fact]} {_written(said)}" for fact, said in facts.items())
            lines.append(printable(f"{name}: {shown or 'described'}"))
    return lines


def _written(said: JsonValue) -> str:
    return ", ".join(map(str, said)) if isinstance(said, tuple) else str(said)
