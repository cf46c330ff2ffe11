"""Which of a document's operations is which of ours: sure only where it says so itself; the rest is for a person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final

from barrack_mcp.api.openapi.document import TheirOperation
from barrack_mcp.api.wire.bounds import OWNERS, contradiction, place
from barrack_mcp.api.wire.names import actions, alike, meaning, paired, plain, words
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation

POSSIBLE: Final = 0.5
"""From here on a person is asked whether two operations are the same."""

_MOST_SHARED: Final = 4
_GENERATED: Final = re.compile(r"_(?:create|list|retrieve|update|partial_update|destroy)$")


@dataclass(frozen=True, slots=True)
class Match:
    """One of ours and one of theirs that are, or may be, the same.

    Attributes:
        ours: As our own document has it; its operation id is the tool.
        theirs: As the document has it.
        confidence: 1 where they bear one sign; else how alike they are, from 0.
        how: What they were matched by.
        doubt: Why a person has to look; empty if it is sure.
    """

    ours: TheirOperation
    theirs: TheirOperation
    confidence: float
    how: str
    doubt: str = ""

    @property
    def operation(self) -> Operation:
        """The operation of the catalogue."""
        return BY_TOOL[self.ours.operation_id]

    @property
    def sure(self) -> bool:
        """Whether it needs no person's eye."""
        return not self.doubt


def matched(ours: Sequence[TheirOperation], theirs: Sequence[TheirOperation]) -> list[Match]:
    """Match two sets of operations, one to one: by the signs they bear, then, for a person, by likeness."""
    by_tool = {mine.operation_id: mine for mine in ours}
    claims: dict[str, list[Match]] = {tool: [] for tool in by_tool}
    shared = _shared([words(other.operation_id) for other in theirs])
    plain_ones = []
    for other in theirs:
        signs = _signs(other, shared)
        if not signs:
            plain_ones.append(other)
            continue
        tool = next(iter(signs.values()))
        doubt = _doubt(BY_TOOL[tool], other, signs)
        claims[tool].append(Match(by_tool[tool], other, 1.0, _signs_of(tool, signs), doubt))
    found = {tool: _chosen(some) for tool, some in claims.items() if some}
    rest = [tool for tool in by_tool if tool not in found]
    scores = [[_likeness(by_tool[tool], other) for other in plain_ones] for tool in rest]
    for row, column in paired(scores, POSSIBLE):
        score = round(scores[row][column], 2)
        doubt = f"it is only {100 * score:.0f} % alike in names and path"
        found[rest[row]] = Match(by_tool[rest[row]], plain_ones[column], score, "likeness", doubt)
    return [found[tool] for tool in by_tool if tool in found]


def titled(title: str, groups: Sequence[str]) -> frozenset[str]:
    """Our tools that bear a title in one of these groups; where there are no groups, by the title alone."""
    said = _ours()[1]
    return frozenset(tool for group in groups or ("",) for tool in said.get((plain(title), plain(group)), ()))


def _signs(theirs: TheirOperation, shared: tuple[int, int]) -> dict[str, str]:
    """What tells that an operation of theirs is one of ours, each with the tool that it tells."""
    name, (start, end) = words(theirs.operation_id), shared
    ids = {name[left : len(name) - right] for left in range(start + 1) for right in range(end + 1)}
    borne: dict[str, AbstractSet[str]] = {
        "operation id": {tool for each in ids for tool in _ours()[0].get(each, ())},
        "title and group": titled(theirs.summary, theirs.tags),
        "method and path": set(OWNERS.get(place(theirs.method, theirs.path), ())),
    }
    found = {}
    for how, tools in borne.items():
        if len(fitting := of_method(tools, theirs.method)) == 1:
            (found[how],) = fitting
    return found


def of_method(tools: AbstractSet[str], method: str) -> AbstractSet[str]:
    """Of several tools those that have a method: two of ours may share a title, but not its method."""
    return tools if len(tools) == 1 else {tool for tool in tools if BY_TOOL[tool].method == method}


@cache
def _ours() -> tuple[Mapping[tuple[str, ...], frozenset[str]], Mapping[tuple[str, str], frozenset[str]]]:
    """Our tools by the words of their names; and by title and group, or by title alone where there are no groups."""
    named: dict[tuple[str, ...], frozenset[str]] = {}
    titled: dict[tuple[str, str], frozenset[str]] = {}
    for operation in OPERATIONS:
        named[words(operation.tool)] = frozenset({operation.tool})
        for group in (operation.group, ""):
            sign = plain(operation.title), plain(group)
            titled[sign] = titled.get(sign, frozenset()) | {operation.tool}
    return named, titled


def _shared(ids: Sequence[tuple[str, ...]]) -> tuple[int, int]:
    """How many words all ids of a document begin and end with, as `v1_…_op`: they tell nothing."""
    return _alike_to(ids), _alike_to([each[::-1] for each in ids])


def _alike_to(ids: Sequence[tuple[str, ...]]) -> int:
    # what the first and the last of a sorted list begin with, all between begin with
    first, last = min(ids, default=()), max(ids, default=())
    differ = (index for index, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return min(next(differ, min(len(first), len(last))), _MOST_SHARED)


def _doubt(operation: Operation, theirs: TheirOperation, signs: Mapping[str, str]) -> str:
    """Why a person has to look although something tells that these are the same; empty if nothing stands against it."""
    if theirs.doubt:
        return theirs.doubt
    if len(set(signs.values())) > 1:
        return "; ".join(f"by {_signs_of(tool, signs)} it is {tool}" for tool in dict.fromkeys(signs.values()))
    if _names_contradict(operation, theirs):
        return "its name says that something else is done"
    words_against = contradiction(operation, theirs.method, theirs.path)
    return f"it {words_against}" if words_against else ""


def _signs_of(tool: str, signs: Mapping[str, str]) -> str:
    return ", ".join(how for how, meant in signs.items() if meant == tool)


def _chosen(claims: Sequence[Match]) -> Match:
    """The one of several that bears the most signs; one that is not alone in that is for a person."""

    def rank(match: Match) -> tuple[bool, int, bool]:
        shipped = place(match.operation.method, match.operation.path)
        return match.sure, match.how.count(", "), place(match.theirs.method, match.theirs.path) == shipped

    best, *others = sorted(claims, key=rank, reverse=True)
    if best.sure and others and rank(others[0]) == rank(best):
        return replace(best, doubt=f"{others[0].theirs.name} could be it as well")
    return best


def _names_contradict(operation: Operation, theirs: TheirOperation) -> bool:
    """Whether the names say that different things are done, such as start and stop."""
    mine = actions(operation.tool) | actions(operation.title)
    others = actions(_GENERATED.sub("", theirs.operation_id)) | actions(theirs.summary)
    return bool(mine and others and not mine & others)


def _likeness(ours: TheirOperation, theirs: TheirOperation) -> float:
    """How alike two operations are in names, path and method; 0 if they can't be the same."""
    operation = BY_TOOL[ours.operation_id]
    if contradiction(operation, theirs.method, theirs.path) or _names_contradict(operation, theirs):
        return 0.0
    way = _path_likeness(ours.path, theirs.path)
    method = 1.0 if ours.method == theirs.method else 0.6 if {ours.method, theirs.method} <= {"PUT", "PATCH"} else 0.3
    return 0.5 * _name_likeness(ours, theirs, way) + 0.35 * way + 0.1 * method


def _name_likeness(ours: TheirOperation, theirs: TheirOperation, otherwise: float) -> float:
    named = [name for name in (_GENERATED.sub("", theirs.operation_id), theirs.summary) if name]
    best = max((alike(mine, name) for mine in (ours.operation_id, ours.summary) for name in named), default=otherwise)
    # «list» and «get» are one action in a name, but only one of them ends in an id
    if ours.method != "GET":
        return best
    return best - 0.25 * (ours.path.rstrip("/").endswith("}") != theirs.path.rstrip("/").endswith("}"))


@lru_cache(maxsize=16_384)
def _steps(path: str) -> Counter[str]:
    steps: Counter[str] = Counter()
    for part in path.strip("/").split("/"):
        steps.update(["{}"] if part.startswith("{") else meaning(part))
    return steps


@lru_cache(maxsize=65_536)
def _path_likeness(ours: str, theirs: str) -> float:
    mine, others = _steps(ours), _steps(theirs)
    total = mine.total() + others.total()
    return 0.9 * 2 * (mine & others).total() / total if total else 0.0
