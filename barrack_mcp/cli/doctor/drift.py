"""Where the result of an answer is and what seems renamed in it, as far as its shape differs from what we know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from barrack_mcp.account.pages import presented
from barrack_mcp.api.body import is_list
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.names import alike, paired
from barrack_mcp.api.wire.overrides import OperationOverride, Overrides, merged
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.models import spellings
from barrack_mcp.cli.doctor.report import Drift
from barrack_mcp.dispatch.answers.drift import is_word, other_types, places

_ENVELOPE: Final = frozenset({"message", "request_id", "tier", "unexpected", "notes", "unread_rows"})
"""Beside every result, and not worth a word when they are missing or there."""
_ALIKE: Final = 0.7
"""From here on two names may be one field's."""
_NEVER: Final = 2.0
_SAME: Final = 0.6
_ROOT_LIKELY: Final = 0.3
_CLEARLY: Final = 0.2
"""By so much more must something else look like the result before it is taken for it."""
_DEEPEST: Final = 3
_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class Fit:
    """How an answer fits its operation.

    Attributes:
        fits: Whether the result was found where the contract has it.
        way: Where it has to be said that the result is; empty if nowhere, or if that needn't be said.
        drift: How its shape differs.
        data: The answer under our names, with what seems renamed put right.
    """

    fits: bool
    way: str
    drift: Drift
    data: JsonObject


def fit(operation: Operation, contract: Contract, body: JsonValue) -> Fit:
    """Hold an answer against what the catalogue knows of it."""
    data = presented(operation, contract.for_(operation).answer(body), {})
    way, likely = _way_to_result(operation, body)
    if _has_result(operation, data) and likely <= _likeness(operation, _result(operation, data)) + _CLEARLY:
        return _with_drift(operation, contract, body, Fit(True, way, Drift(), data))  # noqa: FBT003 - its first field
    if way:
        corrected = Contract(merged(contract.overrides, one(operation, OperationOverride(result=way))))
        data = presented(operation, corrected.for_(operation).answer(body), {})
        if _has_result(operation, data):
            return _with_drift(operation, corrected, body, Fit(False, way, Drift(), data))  # noqa: FBT003 - likewise
    return Fit(fits=False, way="", drift=Drift(), data={})


def one(operation: Operation, override: OperationOverride) -> Overrides:
    """Overrides of one operation alone; none if nothing differs."""
    return Overrides(operations={operation.tool: override}) if override != OperationOverride() else Overrides()


def rows(operation: Operation, data: Mapping[str, Any]) -> list[JsonObject]:
    """The rows of an answer's result."""
    found = data.get(operation.result or "")
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _result(operation: Operation, data: JsonObject) -> Any:
    return data if operation.result is None else data.get(operation.result)


def _has_result(operation: Operation, data: JsonObject) -> bool:
    result, known = _result(operation, data), _spellings(operation)
    if result is None:
        return False
    there = _names(result)
    # rows of which we know no field at all are not ours
    return not known or not there or any(there.intersection(names) for names in known.values())


def _names(result: Any) -> set[str]:
    """The names of the fields that a result holds, in any row."""
    held = result[:_ROWS] if isinstance(result, list) else [result]
    return {name for each in held if isinstance(each, dict) for name in each}


def _spellings(operation: Operation) -> dict[str, tuple[str, ...]]:
    """The fields of a result, less what is beside every result, each with its spellings."""
    return {name: spellings(operation.row, name) for name in operation.row.model_fields if name not in _ENVELOPE}


def _likeness(operation: Operation, result: Any) -> float:
    """How much a value looks like the result, by the names of its fields; 1 where there are none to tell by."""
    there, known = _names(result) - _ENVELOPE, _spellings(operation)
    if not there or not known:
        return 1.0
    same = sum(
        any(alike(spelling, theirs) >= _SAME for theirs in there for spelling in names) for names in known.values()
    )
    return 2 * same / (len(known) + len(there))


def _way_to_result(operation: Operation, body: JsonValue) -> tuple[str, float]:
    """Find what looks most like the result inside an answer: the way to it, and how much it does."""
    root = operation.result
    best = ("", 0.0, 0.0)
    if root is None or not isinstance(body, dict):
        return best[:2]
    names = spellings(operation.response, root)
    for way, inner in _containers(body, ()):
        if isinstance(inner, list) != is_list(operation) or not all(map(is_word, way)):
            continue
        named = max(alike(name, way[-1]) for name in names)
        told = bool(_names(inner) - _ENVELOPE and _spellings(operation))
        likely = _likeness(operation, inner) if told else 0.0
        # an empty list has but its name
        score = (0.7 * likely + 0.3 * named if told else 0.6 * named) - 0.01 * len(way)
        if score > max(best[2], _ROOT_LIKELY):
            best = (".".join(way), likely, score)
    return best[:2]


def _containers(value: JsonObject, way: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict | list):
            yield (*way, name), inner
        if isinstance(inner, dict) and len(way) + 1 < _DEEPEST:
            yield from _containers(inner, (*way, name))


def _with_drift(operation: Operation, contract: Contract, body: JsonValue, fitting: Fit) -> Fit:
    """Add the drift; what seems renamed is read under the other name, and only what then fits counts as renamed."""
    private = _account_words(body)
    # names below the result are read from where it is, so that has to be said with them
    way = "" if fitting.way in (operation.result, contract.for_(operation).result) else fitting.way
    drift = _drift(operation, fitting.data, private, _ALIKE)
    if not drift.renamed:
        return replace(fitting, drift=drift, way="" if fitting.fits else fitting.way)
    after = _drift(operation, _renamed(operation, contract, body, drift, way), private, _NEVER)
    unfit = {*after.missing, *after.types}
    renamed = {ours: theirs for ours, theirs in drift.renamed.items() if ours not in unfit}
    back = {f"{ours.rpartition('.')[0]}.{theirs}" for ours, theirs in drift.renamed.items() if ours in unfit}
    drift = replace(
        drift,
        renamed=renamed,
        missing=tuple(sorted({*drift.missing, *(drift.renamed.keys() & unfit)})),
        new=tuple(sorted({*drift.new, *back})),
    )
    if not renamed:
        return replace(fitting, drift=drift, way="" if fitting.fits else fitting.way)
    return replace(
        fitting,
        drift=drift,
        way=way or fitting.way * (not fitting.fits),
        data=_renamed(operation, contract, body, drift, way),
    )


def _renamed(operation: Operation, contract: Contract, body: JsonValue, drift: Drift, way: str) -> JsonObject:
    said = OperationOverride(result=way or None, fields=dict(drift.renamed))
    corrected = Contract(merged(contract.overrides, one(operation, said)))
    return presented(operation, corrected.for_(operation).answer(body), {})


def _drift(operation: Operation, data: JsonObject, private: frozenset[str], least: float) -> Drift:
    new: list[str] = []
    missing: list[str] = []
    renamed: dict[str, str] = {}
    for before, place in places(operation, data, beside=_ENVELOPE).items():
        unknown = [name for name in place.unknown if name not in private]
        # beside the result much may be absent: pages, notes, ids of the request
        absent = sorted(place.declared - place.came - _ENVELOPE) if before else []
        pairs = dict(paired([[alike(ours, theirs) for theirs in unknown] for ours in absent], least))
        renamed |= {f"{before}{absent[mine]}": unknown[theirs] for mine, theirs in pairs.items()}
        new += [f"{before}{name}" for index, name in enumerate(unknown) if index not in pairs.values()]
        missing += [f"{before}{name}" for index, name in enumerate(absent) if index not in pairs]
    return Drift(tuple(new), tuple(missing), other_types(data), renamed)


def _account_words(value: Any) -> frozenset[str]:
    """Every text that the answer holds as a value: what equals one may be a name of the user's."""
    found: set[str] = set()
    left = [value]
    while left:
        match left.pop():
            case dict() as inner:
                left += inner.values()
            case list() as inner:
                left += inner
            case str() as text:
                found.add(text)
    return frozenset(found)
