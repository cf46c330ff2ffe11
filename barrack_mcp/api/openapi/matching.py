"""Which of a document's operations is which of ours: one to one, with how sure we are and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from barrack_mcp.api.openapi.document import TheirOperation
from barrack_mcp.api.openapi.names import actions, alike, meaning, paired, plain
from barrack_mcp.catalogue import BY_TOOL, Operation, Risk

POSSIBLE: Final = 0.5
"""From here on two operations may be the same."""
SURE: Final = 0.75
"""From here on they are taken to be the same without a person's eye."""

_CANDIDATES: Final = 12
_BLOCKED: Final = 0.3
_WORD: Final = re.compile("[a-z]+")
_GENERATED: Final = re.compile(r"_(?:create|list|retrieve|update|partial_update|destroy)$")


@dataclass(frozen=True, slots=True)
class Match:
    """One of ours and one of theirs that are the same.

    Attributes:
        ours: As our own document has it; its operation id is the tool.
        theirs: As the document has it.
        confidence: From 0 to 1.
        how: What they were matched by.
    """

    ours: TheirOperation
    theirs: TheirOperation
    confidence: float
    how: str

    @property
    def operation(self) -> Operation:
        """The operation of the catalogue."""
        return BY_TOOL[self.ours.operation_id]

    @property
    def sure(self) -> bool:
        """Whether it needs no person's eye."""
        return self.confidence >= SURE


def matched(ours: Sequence[TheirOperation], theirs: Sequence[TheirOperation]) -> list[Match]:
    """Match two sets of operations so that, over all of them, the likeness is greatest."""
    scores = [[_likeness(mine, other) for other in theirs] for mine in ours]
    keep: set[int] = set()
    for row in scores:
        best = sorted(range(len(row)), key=lambda column: -row[column][0])[:_CANDIDATES]
        keep |= {column for column in best if row[column][0] >= POSSIBLE}
    columns = sorted(keep)
    if not columns:
        return []
    pairs = paired([[row[column][0] for column in columns] for row in scores], POSSIBLE)
    return [
        Match(
            ours[row],
            theirs[columns[column]],
            round(scores[row][columns[column]][0], 2),
            scores[row][columns[column]][1],
        )
        for row, column in pairs
    ]


def _likeness(ours: TheirOperation, theirs: TheirOperation) -> tuple[float, str]:
    """How alike two operations are, and in what."""
    operation = BY_TOOL[ours.operation_id]
    if not _may_be(operation, theirs.method):
        return 0.0, ""
    place = _path_likeness(ours.path, theirs.path)
    same_method = ours.method == theirs.method
    tag = any(plain(mine) == plain(other) for mine in ours.tags for other in theirs.tags)
    title = plain(ours.summary) == plain(theirs.summary)
    certain = (
        (0.97, "tag and summary", tag and title),
        (0.95, "operation id", plain(ours.operation_id) == plain(theirs.operation_id)),
        (0.93, "summary", title),
        (0.9, "operation id", f"_{ours.operation_id}_" in f"_{'_'.join(_WORD.findall(theirs.operation_id.lower()))}_"),
        (0.9, "path and method", same_method and _normal(ours.path) == _normal(theirs.path)),
    )
    for confidence, how, holds in certain:
        if holds:
            return confidence + same_method * 0.02 + place * 0.01, how
    names = _name_likeness(ours, theirs)
    method = 1.0 if same_method else 0.6 if {ours.method, theirs.method} <= {"PUT", "PATCH"} else 0.3
    score = 0.5 * names + 0.35 * place + 0.1 * method + 0.05 * tag
    if _contradict(operation, theirs):
        return min(score, _BLOCKED), ""
    return min(score, 0.89), "likeness of names and path"


def _may_be(operation: Operation, method: str) -> bool:
    """Whether the kind of request fits what the operation does: a read never becomes a deletion."""
    if operation.reads:
        return method in ("GET", "POST")
    if method == "DELETE":
        return operation.method == "DELETE" or operation.risk in (Risk.DESTROY, Risk.INTERRUPT)
    return method != "GET"


def _name_likeness(ours: TheirOperation, theirs: TheirOperation) -> float:
    named = _essence(theirs.operation_id, theirs.summary)
    candidates = [alike(mine, other) for mine in (ours.operation_id, ours.summary) for other in named if other]
    best = max(candidates, default=_path_likeness(ours.path, theirs.path))
    # «list» and «get» are one action in a name, but only one of them ends in an id
    if ours.method != "GET":
        return best
    return best - 0.25 * (ours.path.rstrip("/").endswith("}") != theirs.path.rstrip("/").endswith("}"))


@lru_cache(maxsize=8_192)
def _essence(operation_id: str, summary: str) -> tuple[str, str]:
    """What an operation is called, less the ending that a generator adds (`instances_start_create`)."""
    short = _GENERATED.sub("", operation_id)
    return (short if actions(short) else operation_id), summary


def _contradict(operation: Operation, theirs: TheirOperation) -> bool:
    """Whether the names say that different things are done, such as start and stop."""
    mine = actions(operation.tool) | actions(operation.title)
    last = next((part for part in reversed(theirs.path.split("/")) if part and "{" not in part), "")
    others = frozenset().union(*(actions(name) for name in _essence(theirs.operation_id, theirs.summary))) | actions(
        last
    )
    return bool(mine and others and not mine & others)


@lru_cache(maxsize=16_384)
def _normal(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


@lru_cache(maxsize=16_384)
def _steps(path: str) -> Counter[str]:
    steps: Counter[str] = Counter()
    for part in path.strip("/").split("/"):
        if part.startswith("{"):
            steps["{}"] += 1
        else:
            steps.update(meaning(part))
    return steps


@lru_cache(maxsize=65_536)
def _path_likeness(ours: str, theirs: str) -> float:
    if _normal(ours) == _normal(theirs):
        return 1.0
    mine, others = _steps(ours), _steps(theirs)
    total = mine.total() + others.total()
    shared = (mine & others).total()
    return 0.9 * 2 * shared / total if total else 0.0
