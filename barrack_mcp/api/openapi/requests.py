"""What differs in what an operation takes: its method, its path, and every argument."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from barrack_mcp.api.openapi.differences import Findings, Kind, usable
from barrack_mcp.api.openapi.document import Parameter, TheirOperation
from barrack_mcp.api.openapi.document import ours as our_document
from barrack_mcp.api.openapi.facts import note_facts
from barrack_mcp.api.openapi.schemas import Shape
from barrack_mcp.api.wire.bounds import PLACEHOLDER
from barrack_mcp.api.wire.checks import fit_for_an_argument
from barrack_mcp.api.wire.names import alike, paired, plain, words
from barrack_mcp.api.wire.renaming import spelled
from barrack_mcp.api.wire.shape import JsonValue, answer_places

LEAST: Final = 0.6
"""Names that are less alike than this are not taken for one."""

_BARE_IDS: Final = frozenset({"id", "pk", "uuid", "slug", "identifier", "key"})
_TOO_GENERAL: Final = frozenset({"id", "name", "type", "size", "value", "label", "price", "message"})
_KNOWN: Final = 0.9
_SENT_ANYWAY: Final = frozenset({"authorization", "content-type", "accept"})
_NUMBERS: Final = frozenset({"integer", "number"})


def compare_request(found: Findings) -> None:
    """Compare method, path and arguments."""
    ours, theirs = found.match.ours, found.match.theirs
    if ours.method != theirs.method:
        found.said["method"] = theirs.method
        found.mend(Kind.METHOD, ours.method, theirs.method, "sent as the API has it")
    mine = {argument.name: argument for argument in _arguments(ours)}
    others = {argument.name: argument for argument in _arguments(theirs) if argument.place != "path"}
    placed = _compare_path(found, mine, theirs.path)
    left = {name: argument for name, argument in mine.items() if name not in placed}
    if theirs.form:
        found.add(Kind.FORM, "JSON", "a form", "we send JSON alone: ask the vendor whether JSON is taken")
    if not others and theirs.body is None and ours.body is not None:
        found.inform(Kind.ARGUMENT, "body", "", "the document says nothing of a body; sent as shipped")
        return
    _compare_arguments(found, left, others)


def _arguments(operation: TheirOperation) -> Iterator[Parameter]:
    for parameter in operation.parameters:
        if parameter.place in ("path", "query"):
            yield parameter
    if operation.body is not None:
        body, before = operation.body.row, ""
        if len(body.fields) == 1:
            # everything inside one object, as Rails has it
            ((name, inner),) = body.fields.items()
            if len(inner.fields) > 1 and inner.items is None and usable(name):
                body, before = inner, f"{name}."
        for name, shape in body.fields.items():
            yield Parameter(before + name, "body", name in body.required, shape)


def _compare_path(found: Findings, mine: dict[str, Parameter], path: str) -> set[str]:
    """Find our arguments in their path; answers which of ours stand in it."""
    named = PLACEHOLDER.findall(path)
    spoken = [_spoken(path, name) for name in named]
    own = list(found.operation.placeholders)
    renamed: dict[str, str] = {}
    for row, column in paired([[alike(ours, theirs) for theirs in spoken] for ours in own], LEAST):
        renamed[named[column]] = own[row]
    rest_own = [name for name in own if name not in renamed.values()]
    rest_named = [name for name in named if name not in renamed]
    if len(rest_own) == len(rest_named) and len(own) == len(named):
        renamed |= dict(zip(rest_named, rest_own, strict=True))
        rest_named = []
    optional = [name for name in mine if name not in own]
    for name in rest_named:
        spoken_of = _spoken(path, name)
        scores = {ours: alike(ours, spoken_of) for ours in optional if ours not in renamed.values()}
        near = max(scores, key=scores.__getitem__, default=None)
        if near is not None and scores[near] >= LEAST:
            renamed[name] = near
            found.mend(Kind.REQUIRED, near, f"{{{name}}}", "needed, since it stands in the path")
        else:
            extra = _argument_name(name, set(mine) | set(renamed.values()))
            renamed[name] = extra
            shape = next((each.shape for each in found.match.theirs.parameters if each.name == name), Shape())
            found.arguments[extra] = {"in": "path", **shape.as_schema()}
            found.mend(Kind.NEW_ARGUMENT, extra, f"{{{name}}}", "asked of the caller; a constant serves too")
    found.written = written = PLACEHOLDER.sub(lambda hit: f"{{{renamed[hit.group(1)]}}}", path)
    if written.rstrip("/") != found.operation.path.rstrip("/"):
        found.said["path"] = written
        found.mend(Kind.PATH, found.operation.path, path, "sent as the API has it")
    elif written != found.operation.path:
        found.said["slash"] = written
    found.placed = frozenset(renamed.values())
    shapes = {each.name: each.shape for each in found.match.theirs.parameters if each.place == "path"}
    for theirs, name in renamed.items():
        if name in mine and theirs in shapes:
            note_facts(found, name, mine[name].shape, shapes[theirs], shapes[theirs].enum)
    return set(renamed.values())


def _spoken(path: str, placeholder: str) -> str:
    """A placeholder by its full name: `{id}` after `/servers/` is the server's id."""
    if plain(placeholder) not in _BARE_IDS:
        return placeholder
    before = path.partition(f"{{{placeholder}}}")[0].rstrip("/").rpartition("/")[2]
    return f"{before}_id" if before and "{" not in before else placeholder


def _argument_name(name: str, taken: set[str]) -> str:
    """A tool's argument for a name of theirs."""
    made = re.sub(r"[^a-z0-9]+", "_", "_".join(words(name)) or "value").strip("_")[:50]
    spelled = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:50] if name.islower() else made
    made = spelled if re.fullmatch(r"[a-z][a-z0-9_]*", spelled) else f"api_{made}".strip("_")
    while made in taken or not fit_for_an_argument(made):
        made = f"api_{made}"
    return made


def _compare_arguments(found: Findings, left: dict[str, Parameter], others: dict[str, Parameter]) -> None:
    pairs = same_names(
        {name: argument.shape for name, argument in left.items()},
        {name: argument.shape for name, argument in others.items()},
    )
    _compare_places(found, {others[theirs].place for theirs in pairs.values()})
    for ours, theirs in pairs.items():
        found.pairs[f"request.{ours}"] = theirs
        _compare_argument(found, left[ours], others[theirs])
    for name, argument in left.items():
        if name == "page" and found.operation.paged and name not in pairs:
            todo = "the API has no page by number: only its first page can be read"
            found.add(Kind.PAGING, name, "", todo, matters=bool(others))
        elif name not in pairs and others:
            found.add(
                Kind.ARGUMENT,
                name,
                "",
                "not among the API's arguments: find its name there and put it under fields"
                if argument.required
                else "not among the API's arguments: leave it out",
                matters=argument.required,
            )
    used = set(pairs.values())
    for name, argument in others.items():
        if name not in used:
            _add_new(found, argument, set(found.operation.arguments.model_fields))
    for parameter in found.match.theirs.parameters:
        if (
            parameter.place in ("header", "cookie")
            and parameter.required
            and parameter.name.lower() not in _SENT_ANYWAY
        ):
            found.add(Kind.PLACE, "", f"{parameter.place} {parameter.name}", "we can't send it: ask for another form")


def _compare_places(found: Findings, places: set[str]) -> None:
    """Say where arguments go if the method doesn't say it right."""
    usual = "query" if found.match.theirs.method in ("GET", "DELETE") else "body"
    if len(places) > 1:
        found.add(Kind.PLACE, usual, "query and body", f"all arguments go into the {usual}")
    elif places and places != {usual}:
        (found.said["send"],) = places
        found.mend(Kind.PLACE, usual, str(found.said["send"]), "sent as the API has it")


def _add_new(found: Findings, argument: Parameter, taken: set[str]) -> None:
    if not argument.required:
        found.inform(Kind.NEW_ARGUMENT, "", argument.name, "optional; not offered")
        return
    if not all(usable(part) for part in argument.name.split(".")):
        found.add(Kind.NEW_ARGUMENT, "", argument.name, "required, but overrides can't write this name")
    elif len(argument.shape.enum) == 1:
        found.constants[argument.name] = argument.shape.enum[0]
        found.mend(Kind.NEW_ARGUMENT, "", argument.name, "has one value alone: sent with every call")
    else:
        name = _argument_name(argument.name.rpartition(".")[2], taken | set(found.arguments))
        place = "query" if argument.place == "query" else "body"
        found.arguments[name] = {"in": place, "name": argument.name, **argument.shape.as_schema()}
        found.mend(Kind.NEW_ARGUMENT, name, argument.name, "required: asked of the caller; a constant serves too")


def _compare_argument(found: Findings, ours: Parameter, theirs: Parameter) -> None:
    if found.operation.paged and ours.name in ("page", "limit"):
        note_facts(found, ours.name, ours.shape, theirs.shape, ())
        if ours.name != theirs.name:
            found.paging[f"request.{ours.name}"] = theirs.name
        return
    _compare_value(found, ours.name, ours.shape, theirs=theirs.name, other=theirs.shape)
    if theirs.required and not ours.required:
        found.requires.append(ours.name)
        found.mend(Kind.REQUIRED, f"{ours.name} optional", f"{theirs.name} required", "asked of the caller")
    elif ours.required and not theirs.required:
        found.inform(Kind.REQUIRED, f"{ours.name} required", f"{theirs.name} optional", "still asked for")


def _compare_value(found: Findings, ours: str, mine: Shape, *, theirs: str, other: Shape) -> None:
    """Compare one argument, and what is inside it."""
    key = f"request.{ours}" if ours in answer_places(found.operation) else ours
    if ours.rpartition(".")[2] != theirs:
        found.rename(Kind.ARGUMENT, key, ours, theirs)
    choices = other.enum
    if mine.enum and other.enum:
        table, lost = same_values(mine.enum, other.enum)
        found.map_values(key, ours, table)
        back = {spelled(value): name for name, value in table.items()}
        choices = tuple(back.get(spelled(value), value) for value in other.enum)
        new = [str(value) for value in choices if value not in mine.enum]
        if lost and new:
            # one of them may be one of ours that is not found
            found.inform(Kind.VALUES, ours, ", ".join(new), "taken by the API, too; not offered")
            choices = mine.enum
        for value in lost:
            found.add(
                Kind.VALUES, f"{ours}: {value}", "", "not among the API's values: find it there and put it under values"
            )
    if not note_facts(found, ours, mine, other, choices):
        compare_kinds(found, ours, mine, other)
    inside, outside = mine.row.fields, other.row.fields
    if inside and outside:
        for name, counterpart in (pairs := same_names(inside, outside)).items():
            _compare_value(found, f"{ours}.{name}", inside[name], theirs=counterpart, other=outside[counterpart])
        for name in other.row.required - set(pairs.values()):
            found.add(
                Kind.NEW_ARGUMENT, "", f"{theirs}.{name}", "required inside another; overrides can't add it there"
            )


def compare_kinds(found: Findings, name: str, mine: Shape, other: Shape, *, answer: bool = False) -> None:
    """Compare the types of a value of ours and of theirs, where both say any."""
    if not mine.kinds or not other.kinds or mine.kinds & other.kinds:
        return
    if mine.kinds & _NUMBERS and other.kinds & _NUMBERS:
        return
    todo = "read as far as it goes, else shown under «unexpected»" if answer else "sent as ours: try it"
    found.add(
        Kind.TYPE,
        f"{name}: {' or '.join(sorted(mine.kinds))}",
        " or ".join(sorted(other.kinds)),
        todo,
        matters=not answer,
    )


def same_names(mine: Mapping[str, Shape], others: Mapping[str, Shape]) -> dict[str, str]:
    """Find which field of theirs is which of ours: first by the very name, then by likeness."""
    pairs = {name: name for name in mine if name in others}
    for name, shape in mine.items():
        also = next((other for other in shape.also if other in others and other not in pairs.values()), None)
        if name not in pairs and also is not None:
            pairs[name] = also
    left = [name for name in mine if name not in pairs]
    right = [name for name in others if name not in pairs.values()]
    scores = [[_likeness(name, mine[name], other, others[other]) for other in right] for name in left]
    pairs |= {left[row]: right[column] for row, column in paired(scores, LEAST)}
    return {name: pairs[name] for name in mine if name in pairs}


def _likeness(ours: str, mine: Shape, theirs: str, other: Shape) -> float:
    last = theirs.rpartition(".")[2]
    score = max(alike(name, last) for name in (ours, *mine.also))
    if last in _also_known().get(ours, ()):
        score = max(score, _KNOWN)
    if mine.enum and other.enum:
        table, lost = same_values(mine.enum, other.enum)
        score += 0.3 if not lost else -0.2 if len(lost) == len(mine.enum) else 0.1
        del table
    both = mine.kinds and other.kinds
    if both and ({"array", "object"} & mine.kinds) != ({"array", "object"} & other.kinds):
        score -= 0.3
    return min(score, 1.0)


@cache
def _also_known() -> Mapping[str, frozenset[str]]:
    """By which other names our client reads a field of this name, anywhere: what the API may call an argument, too."""
    known: dict[str, set[str]] = {}
    for operation in our_document().operations:
        pending = [operation.answer.row] if operation.answer is not None else []
        while pending:
            for name, shape in pending.pop().fields.items():
                known.setdefault(name, set()).update(set(shape.also) - _TOO_GENERAL)
                pending.append(shape.row)
    return MappingProxyType({name: frozenset(also) for name, also in known.items()})


def same_values(mine: tuple[JsonValue, ...], others: tuple[JsonValue, ...]) -> tuple[dict[str, JsonValue], list[str]]:
    """Find which value of theirs is which of ours: those that differ in spelling, and those of ours that are lost."""
    table: dict[str, JsonValue] = {}
    left = [str(value) for value in mine if value not in others]
    right = [value for value in others if value not in mine]
    for row, column in paired([[alike(value, str(other)) for other in right] for value in left], LEAST):
        table[left[row]] = right[column]
    return table, [value for value in left if value not in table]
