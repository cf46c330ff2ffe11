"""Whether an operation's override makes sense for that operation: each mistake with its key and a sentence."""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias, get_args, get_origin

from barrack_mcp.api.text import guess
from barrack_mcp.api.wire.narrowing import settle
from barrack_mcp.api.wire.overrides import OperationOverride
from barrack_mcp.api.wire.shape import answer_places, request_places
from barrack_mcp.catalogue import Operation, Request

Mistake: TypeAlias = tuple[tuple[str, ...], str]
"""The way to a key, and what is wrong there, as the end of a sentence."""

_ARGUMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


def placeholders(path: str) -> tuple[str, ...]:
    """The names in a path's braces, in order.

    Raises:
        ValueError: The braces are none that can be filled.
    """
    names = []
    for _, name, form, conversion in string.Formatter().parse(path):
        if name is not None:
            if not _ARGUMENT.fullmatch(name) or form or conversion:
                raise ValueError("has braces that hold no name")
            names.append(name)
    return tuple(names)


def fit_for_an_argument(name: str) -> bool:
    """Whether a tool's argument can bear this name."""
    return bool(_ARGUMENT.fullmatch(name)) and not hasattr(Request, name) and not name.startswith("model_")


def no_such(word: str, known: Collection[str], kind: str) -> str:
    """Say that a word is unknown, and which one may be meant."""
    everything = f"known: {', '.join(sorted(known))}"
    return f"is not {kind}; {guess(word, known, otherwise=everything)}"


def check(operation: Operation, override: OperationOverride) -> Iterator[Mistake]:
    """Find what an override says of an operation that can't be so."""
    known = operation.arguments.model_fields
    for name in override.arguments:
        if not fit_for_an_argument(name) or name in known:
            yield ("arguments", name), "must be a new argument's name: small letters, digits and _"
    for name in override.requires:
        if name not in known:
            yield ("requires",), f"names what {no_such(name, known, f'an argument of {operation.tool}')}"
    for name in override.about:
        if name not in (places := _told_of(operation)):
            yield ("about", name), no_such(name, places, f"an argument of {operation.tool}")
            continue
        _, untaken = settle(name, request_places(operation)[name], override.about[name])
        yield from ((("about", name, fact), why) for fact, why, wrong in untaken if wrong)
    unknown = list(_unknown(operation, override))
    yield from unknown or _check_values(operation, override)
    if override.path is not None and (words := _check_path(operation, override, override.path)):
        yield ("path",), words
    elif not unknown:
        yield from _check_names(operation, override)


def _told_of(operation: Operation) -> list[str]:
    """The arguments of which a document can tell: all but our own, which the API never sees."""
    own = operation.own.model_fields if operation.own is not None else {}
    return [name for name in request_places(operation) if name not in own]


def _unknown(operation: Operation, override: OperationOverride) -> Iterator[Mistake]:
    sides = {"request": request_places(operation), "answer": answer_places(operation)}
    for section, table in (("fields", override.fields), ("values", override.values)):
        for key in table:
            side, dot, rest = key.partition(".")
            name = rest if dot and side in sides else key
            places = sides[side] if name is rest else {**sides["request"], **sides["answer"]}
            if name not in places:
                yield (section, key), no_such(name, places, f"an argument or answer field of {operation.tool}")


def _check_values(operation: Operation, override: OperationOverride) -> Iterator[Mistake]:
    for key, table in override.values.items():
        info = request_places(operation).get(key.removeprefix("request."))
        closed = _choices(info.annotation) if info is not None else ()
        for ours in table:
            if closed and ours not in closed:
                yield ("values", key, ours), no_such(ours, closed, f"a value of {key}")
        for ours, other in repeated(table):
            yield ("values", key, ours), f"repeats the one of {other}; values must differ"


def repeated(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The keys of a table whose value stands there already, each with the key before it."""
    seen: dict[tuple[type, str], str] = {}
    for key, value in table.items():
        if seen.setdefault((type(value), str(value)), key) != key:
            yield key, seen[type(value), str(value)]


def _check_path(operation: Operation, override: OperationOverride, path: str) -> str:
    """What is wrong with a path; empty if nothing is."""
    try:
        names = placeholders(path)
    except ValueError as error:
        return str(error)
    known = {*operation.arguments.model_fields, *override.arguments, *override.constants}
    for name in names:
        if name not in known:
            return f"has {{{name}}}, which {no_such(name, known, f'an argument of {operation.tool}')}"
    for name in operation.placeholders:
        if name not in names and not {name, f"request.{name}"} & set(override.fields):
            return f"lacks {{{name}}}; put it into the path, or say under fields by which name it travels instead"
    return "has a placeholder twice" if len(set(names)) != len(names) else ""


def _check_names(operation: Operation, override: OperationOverride) -> Iterator[Mistake]:
    """Two things may not travel by one name at one place."""
    in_path = set(placeholders(override.path) if override.path else operation.placeholders)
    asked, answered = request_places(operation), answer_places(operation)
    # what travels: whose object it is in, its name there, what it is, and the key that says so
    sent: list[tuple[str, str, str, tuple[str, ...]]] = []
    for ours in asked:
        key = f"request.{ours}" if f"request.{ours}" in override.fields else ours
        parent, _, name = ours.rpartition(".")
        if ours not in in_path:
            sent.append((parent, override.fields.get(key, name), ours, ("fields", key)))
        elif key in override.fields and (key != ours or ours not in answered):
            yield ("fields", key), "stands in the path and has no other name"
    sent += [
        ("", extra.theirs or name, name, ("arguments", name))
        for name, extra in override.arguments.items()
        if extra.place != "path"
    ]
    sent += [("", name, f"the constant {name}", ("constants",)) for name in override.constants if name not in in_path]
    yield from _collisions(sent, override)
    yield from _collisions(
        [
            (key.removeprefix("answer.").rpartition(".")[0], theirs, key, ("fields", key))
            for key, theirs in override.fields.items()
            if (ours := key.removeprefix("answer.")) in answered and (key != ours or ours not in asked)
        ],
        override,
    )


def _collisions(sent: list[tuple[str, str, str, tuple[str, ...]]], override: OperationOverride) -> Iterator[Mistake]:
    taken: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}
    for parent, theirs, what, at in sent:
        other, before = taken.setdefault((parent, theirs), (what, at))
        if other != what:
            # the one of the two that the file names is the one to mend
            silent = at[0] == "fields" and at[1] not in override.fields
            yield (before if silent else at), f"gives {other} and {what} one name"


def _choices(annotation: Any) -> tuple[str, ...]:
    """The values of a closed set; none if it is open."""
    if get_origin(annotation) is not None and all(isinstance(value, str) for value in get_args(annotation)):
        return tuple(get_args(annotation))
    return next((found for part in get_args(annotation) if (found := _choices(part))), ())
