"""What differs in what an operation answers: where the result sits, its fields, its states, its paging."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from barrack_mcp.api.openapi.differences import Findings, Kind, usable
from barrack_mcp.api.openapi.document import ours as our_document
from barrack_mcp.api.openapi.requests import compare_kinds, same_names, same_values
from barrack_mcp.api.openapi.schemas import Shape
from barrack_mcp.api.wire.names import alike, plain
from barrack_mcp.api.wire.overrides import WHOLE_BODY
from barrack_mcp.api.wire.shape import STATES, JsonValue, request_places, status_kinds

_ENVELOPE: Final = frozenset({"message", "request_id", "success", "total", "page", "limit", "total_pages"})
_LINKS: Final = frozenset({"next", "previous", "links"})
"""Where the other pages are, beside a page of a list: nothing of ours."""
_POSITION: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "total": ("total", "count", "totalcount", "totalitems", "totalrecords", "totalrows"),
        "page": ("page", "pagenumber", "currentpage", "pageno", "pageindex"),
        "limit": ("limit", "perpage", "pagesize", "itemsperpage", "size"),
        "total_pages": ("totalpages", "pages", "pagecount", "lastpage", "numpages", "numberofpages"),
    }
)
_LIFTED: Final = "pagination"
_DEEPEST: Final = 3
_STATE_WORDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"instance": {"running": "ACTIVE", "stopped": "SHUTOFF", "poweredoff": "SHUTOFF", "terminated": "DELETED"}}
)
_AT_LEAST: Final = 0.3


def compare_answer(found: Findings) -> None:
    """Compare the answers of two operations that are the same."""
    mine, other = found.match.ours.answer, found.match.theirs.answer
    if mine is None or other is None or (not other.fields and other.items is None):
        found.inform(Kind.ANSWER, "answer", "", "the document says nothing of it; read as shipped")
        return
    root = found.operation.result
    if root is None:
        _compare_receipt(found, mine, other)
        return
    way = _root(mine.fields[root], root, other)
    if way is None:
        found.add(Kind.RESULT, root, "", "not found in the document's answer: find it there and put it under result")
        return
    if way == ():
        if other.items is None:
            found.said["result"] = WHOLE_BODY
            found.mend(Kind.RESULT, root, "the whole body", "read as the API has it")
    elif way not in {(name,) for name in (root, *mine.fields[root].also)}:
        if not all(usable(step) for step in way):
            found.add(Kind.RESULT, root, ".".join(way), "overrides can't write this name")
            return
        found.said["result"] = ".".join(way)
        found.mend(Kind.RESULT, root, ".".join(way), "read as the API has it")
    _compare_rows(found, f"{root}.", mine.fields[root].row, _at(other, way).row)
    if way:
        beside = {name: shape for name, shape in mine.fields.items() if name not in (root, *_ENVELOPE)}
        _compare_beside(found, beside, other, way)
    if found.operation.paged:
        _compare_position(found, other)


def _compare_beside(found: Findings, mine: Mapping[str, Shape], other: Shape, way: tuple[str, ...]) -> None:
    """Compare what stands beside the result: at the top, or next to it inside what wraps it."""
    ways: dict[str, str] = {}
    shapes: dict[str, Shape] = {}
    for depth, step in enumerate(way):
        before = "".join(f"{each}." for each in way[:depth])
        for name, shape in _at(other, way[:depth]).fields.items():
            if name not in (step, *ways, *_ENVELOPE, *_LINKS) and usable(name):
                ways[name], shapes[name] = before + name, shape
    _compare_fields(found, "", mine, shapes, quiet=True, ways=ways)


def _compare_receipt(found: Findings, mine: Shape, other: Shape) -> None:
    """Compare an answer whose fields stand at top level."""
    fields = {name: shape for name, shape in mine.fields.items() if name not in _ENVELOPE}
    here = len(same_names(fields, other.fields))
    for name, inner in other.fields.items():
        if inner.items is None and len(same_names(fields, inner.fields)) > here and usable(name):
            if name not in fields:
                found.said["result"] = name
                found.mend(Kind.RESULT, "top level", name, "read as the API has it")
                other = Shape(fields={**other.fields, **inner.fields})
            break
    _compare_fields(found, "", fields, {n: s for n, s in other.fields.items() if n not in _ENVELOPE}, quiet=True)


def _root(mine: Shape, root: str, other: Shape) -> tuple[str, ...] | None:
    """The way to the result in their answer; None if nothing there looks like it."""
    listed = mine.items is not None
    named = next((name for name in (root, *mine.also) if name in other.fields), None)
    if named is not None and _fits(other.fields[named], listed=listed) and not _tells(mine, other.fields[named]):
        return (named,)
    ranked = sorted(
        (
            (_root_likeness(mine, root, way, shape), way)
            for way, shape in _containers(other, ())
            if _fits(shape, listed=listed)
        ),
        key=lambda each: (-each[0], len(each[1]), each[1]),
    )
    if ranked and ranked[0][0] >= _AT_LEAST:
        return ranked[0][1]
    # an id where the thing itself is expected is read as one
    return (named,) if named is not None else None


def _tells(mine: Shape, there: Shape) -> bool:
    """Whether fields can tell if this is the result: ours has some, and theirs might."""
    return bool(mine.row.fields) and bool(there.row.fields or there.kinds)


def _fits(shape: Shape, *, listed: bool) -> bool:
    unknown = not shape.kinds and not shape.fields and shape.items is None
    return unknown or (shape.items is not None or "array" in shape.kinds) == listed


def _containers(shape: Shape, way: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Shape]]:
    if shape.fields or shape.items is not None:
        yield way, shape
    if len(way) < _DEEPEST:
        for name, inner in shape.fields.items():
            yield from _containers(inner, (*way, name))


def _root_likeness(mine: Shape, root: str, way: tuple[str, ...], shape: Shape) -> float:
    wanted, there = mine.row.fields, shape.row.fields
    same = same_names(wanted, there)
    share = 2 * len(same) / (len(wanted) + len(there)) if wanted and there else 0.0
    named = max((alike(name, way[-1]) for name in (root, *mine.also)), default=0.0) if way else 0.0
    return 0.7 * share + 0.3 * named - 0.02 * len(way)


def _at(shape: Shape, way: tuple[str, ...]) -> Shape:
    for step in way:
        shape = shape.fields[step]
    return shape


def _compare_rows(found: Findings, before: str, mine: Shape, other: Shape) -> None:
    if mine.fields and other.fields:
        _compare_fields(found, before, mine.fields, other.fields, quiet=False)


def _compare_fields(
    found: Findings,
    before: str,
    mine: Mapping[str, Shape],
    others: Mapping[str, Shape],
    *,
    quiet: bool,
    ways: Mapping[str, str] | None = None,
) -> None:
    """Compare the fields of one object of the answer.

    `quiet` where not finding one is nothing to tell; `ways` where a field stands deeper than the object itself.
    """
    pairs = same_names(mine, others)
    for name, theirs in pairs.items():
        path, shape, other = before + name, mine[name], others[theirs]
        spelled = (ways or {}).get(theirs, theirs)
        if shape.items is not None and (wrapped := _wrapped(other)):
            spelled, other = f"{spelled}.{wrapped}", other.fields[wrapped]
        found.pairs[f"answer.{path}"] = spelled
        if spelled != name and spelled not in shape.also:
            found.rename(Kind.ANSWER, _key(found, path), path, spelled)
        compare_kinds(found, path, shape, other, answer=True)
        _compare_values(found, path, other.row)
        _compare_rows(found, f"{path}.", shape.row, other.row)
    if quiet:
        return
    for name in mine:
        if name not in pairs:
            found.inform(Kind.ANSWER, before + name, "", "not in the API's answer; it stays empty")
    if new := [name for name in others if name not in pairs.values()]:
        found.inform(Kind.NEW_ANSWER, before.rstrip("."), ", ".join(sorted(new)), "passed on under the API's names")


def _wrapped(other: Shape) -> str:
    """The name of the one list in an object that stands where a list of ours does; empty if there is none."""
    lists = [name for name, inner in other.fields.items() if inner.items is not None and usable(name)]
    return lists[0] if other.items is None and len(lists) == 1 else ""


def _key(found: Findings, path: str) -> str:
    return f"answer.{path}" if path in request_places(found.operation) else path


def _compare_values(found: Findings, path: str, other: Shape) -> None:
    if not other.enum:
        return
    kind = status_kinds(found.operation.response).get(path)
    if kind is not None:
        _compare_states(found, path, kind, [str(state) for state in other.enum])
        return
    known = _closed_sets().get(path.rpartition(".")[2])
    if known is None:
        return
    table, _ = same_values(known, other.enum)
    renamed = {ours: theirs for ours, theirs in table.items() if ours.casefold() != str(theirs).casefold()}
    found.map_values(_key(found, path), path, renamed)


def _compare_states(found: Findings, path: str, kind: str, states: list[str]) -> None:
    known = {plain(state): state for state in reversed(STATES[kind])}
    known |= _STATE_WORDS.get(kind, {})
    strange = [state for state in states if state not in STATES[kind]]
    table = {state: known[plain(state)] for state in strange if plain(state) in known}
    if table:
        found.states.setdefault(kind, {}).update(table)
        shown = ", ".join(f"{theirs} = {ours}" for theirs, ours in table.items())
        found.mend(Kind.STATES, path, shown, "read as ours")
    if unknown := [state for state in strange if state not in table]:
        todo = f"count as on the way; if one is a state of ours, put it under [status.{kind}]"
        found.inform(Kind.STATES, path, ", ".join(unknown), todo)


@cache
def _closed_sets() -> Mapping[str, tuple[JsonValue, ...]]:
    """The closed sets of our arguments by the argument's name, for the fields of answers that bear the same."""
    sets: dict[str, tuple[JsonValue, ...]] = {}
    for operation in our_document().operations:
        shapes = [(each.name, each.shape) for each in operation.parameters]
        if operation.body is not None:
            shapes += operation.body.fields.items()
            shapes += [pair for shape in operation.body.fields.values() for pair in shape.row.fields.items()]
        sets |= {name: shape.enum for name, shape in shapes if shape.enum}
    return MappingProxyType(sets)


def _compare_position(found: Findings, other: Shape) -> None:
    """Find out by which names an answer says which page it is."""
    nested = [(name, inner) for name, inner in other.fields.items() if inner.fields and inner.items is None]
    for ours, names in _POSITION.items():
        if ours in other.fields or any(name == _LIFTED and ours in inner.fields for name, inner in nested):
            continue
        here = next((name for name in other.fields if plain(name) in names), None)
        deeper = next(
            (f"{name}.{each}" for name, inner in nested for each in inner.fields if plain(each) in names), None
        )
        theirs = here or deeper
        if theirs is not None and all(usable(step) for step in theirs.split(".")):
            found.paging[f"answer.{ours}"] = theirs
