"""From TOML to overrides: every mistake is told with its line, its key and what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final, cast, get_args, get_origin

from barrack_mcp.api.text import cite
from barrack_mcp.api.wire.bounds import bounded
from barrack_mcp.api.wire.checks import (
    API,
    MistakeError,
    Value,
    a_list,
    a_name,
    a_result,
    a_table,
    fit_for_an_argument,
    one_of,
    placeholders,
)
from barrack_mcp.api.wire.located import Located, TomlError, read
from barrack_mcp.api.wire.overrides import METHODS, PLACES, ApiOverride, Extra, OperationOverride, Overrides, Place
from barrack_mcp.api.wire.shape import STATES, JsonValue, answer_places, request_places
from barrack_mcp.catalogue import BY_TOOL, Operation

_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]*")
_TYPES: Final = ("string", "integer", "number", "boolean", "array", "object")
_SECTIONS: Final = ("api", "operations", "status")
_SIDES: Final = ("request", "answer")


class OverridesError(Exception):
    """The file is wrong.

    Attributes:
        mistakes: One sentence for each, with its line and its key.
    """

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def load(raw: bytes, name: str) -> Overrides:
    """Read overrides.

    Args:
        raw: The file's bytes.
        name: What to call the file in messages.

    Raises:
        OverridesError: With a sentence for each mistake.
    """
    try:
        document = read(raw)
    except TomlError as error:
        raise OverridesError([f"{name} {error}."]) from None
    reading = _Reading(document, name)
    overrides = reading.all()
    if reading.mistakes:
        raise OverridesError([sentence for _, sentence in sorted(reading.mistakes)])
    return overrides


def _near(word: str, known: Collection[str], *, kind: str) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"is not {kind}; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}")


_EXTRA: Final = ("type", "description", "enum", "items", "properties", "minimum", "maximum", "name", "in", "required")
_OPERATION: Final = tuple(each.name for each in fields(OperationOverride))


class _Reading:
    """One reading of one file, collecting its mistakes."""

    def __init__(self, document: Located, name: str) -> None:
        self._document = document
        self._file = name
        self.mistakes: list[tuple[int, str]] = []

    def _wrong(self, path: tuple[str, ...], words: str) -> None:
        line = self._document.line(*path)
        key = ".".join(part if re.fullmatch(r"[\w-]{1,80}", part) else cite(part) for part in path)
        self.mistakes.append((line, f"{self._file}, line {line}: {key} {words}."))

    def _take(self, path: tuple[str, ...], value: Any, check: Callable[[Any], Value]) -> Value | None:
        try:
            return check(value)
        except MistakeError as mistake:
            self._wrong(path, str(mistake))
            return None

    def _entries(self, path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str, Any]]:
        for key, inner in (self._take(path, value, a_table) or {}).items():
            yield (*path, key), key, inner

    def all(self) -> Overrides:
        api: dict[str, Any] = {}
        operations: dict[str, OperationOverride] = {}
        status: dict[str, dict[str, str]] = {}
        for section in self._document.table:
            if section not in _SECTIONS:
                self._wrong((section,), _near(section, _SECTIONS, kind="a section of overrides"))
        for path, key, value in self._entries(("api",), self._document.table.get("api", {})):
            if key in API:
                api[key] = self._take(path, value, API[key])
            else:
                self._wrong(path, _near(key, API, kind="a key of [api]"))
        self._no_twice(("api",), {key: value for key, value in api.items() if key in ("page", "limit")}, "names")
        for path, tool, value in self._entries(("operations",), self._document.table.get("operations", {})):
            if tool in BY_TOOL:
                operations[tool] = self._operation(path, BY_TOOL[tool], value)
            else:
                self._wrong(path, _near(tool, BY_TOOL, kind="a tool"))
        for path, kind, value in self._entries(("status",), self._document.table.get("status", {})):
            if kind in STATES:
                status[kind] = self._states(path, kind, value)
            else:
                self._wrong(path, _near(kind, STATES, kind="a kind of thing with states"))
        overrides = Overrides(api=ApiOverride(**api), operations=operations, status=status)
        for tool, words in ({} if self.mistakes else bounded(overrides)[1]).items():
            self._wrong(("operations", tool, "path" if operations[tool].path else "method"), words)
        return overrides

    def _states(self, path: tuple[str, ...], kind: str, value: Any) -> dict[str, str]:
        states = {}
        for at, theirs, ours in self._entries(path, value):
            if isinstance(ours, str) and ours in STATES[kind]:
                states[theirs] = ours
            else:
                self._wrong(at, f"must name a state of ours: {', '.join(STATES[kind])}")
        return states

    def _operation(self, path: tuple[str, ...], operation: Operation, value: Any) -> OperationOverride:
        said = self._take(path, value, a_table) or {}
        for key in said:
            if key not in _OPERATION:
                self._wrong((*path, key), _near(key, _OPERATION, kind="a key of an operation"))
        simple: dict[str, Any] = {}
        checks: dict[str, Callable[[Any], Any]] = {
            "method": one_of(METHODS),
            "result": a_result,
            "send": one_of(("query", "body")),
        }
        for key, check in checks.items():
            if key in said:
                simple[key] = self._take((*path, key), said[key], check)
        arguments = self._extras((*path, "arguments"), operation, said.get("arguments", {}))
        constants = self._take((*path, "constants"), said.get("constants", {}), a_table) or {}
        names = self._fields((*path, "fields"), operation, said.get("fields", {}))
        if "path" in said:
            known = {*operation.arguments.model_fields, *arguments, *constants}
            simple["path"] = self._path((*path, "path"), operation, said["path"], known=known, moved=names)
        override = OperationOverride(
            **simple,
            requires=self._requires((*path, "requires"), operation, said.get("requires", [])),
            constants=constants,
            fields=names,
            values=self._values((*path, "values"), operation, said.get("values", {})),
            arguments=arguments,
        )
        self._names_apart(path, operation, override)
        return override

    def _path(
        self, at: tuple[str, ...], operation: Operation, value: Any, *, known: set[str], moved: Mapping[str, str]
    ) -> str | None:
        if not isinstance(value, str) or not _PATH.fullmatch(value) or "//" in value:
            self._wrong(at, "must be a path below the base URL, such as /instances/{instance_id}/")
            return None
        if {".", ".."} & set(value.split("/")):
            self._wrong(at, "must not hold . or .. as a segment")
            return None
        try:
            names = placeholders(value)
        except ValueError as error:
            self._wrong(at, f"{error}")
            return None
        for name in names:
            if name not in known:
                self._wrong(at, f"has {{{name}}}, which {_near(name, known, kind=f'an argument of {operation.tool}')}")
        for name in operation.placeholders if known.issuperset(names) else ():
            if name not in names and not {name, f"request.{name}"} & set(moved):
                self._wrong(
                    at,
                    f"lacks {{{name}}}; put it into the path, or say under fields by which name it travels instead",
                )
        if len(set(names)) != len(names):
            self._wrong(at, "has a placeholder twice")
        return value

    def _requires(self, at: tuple[str, ...], operation: Operation, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            self._wrong(at, "must be a list of arguments")
            return ()
        known = operation.arguments.model_fields
        for name in value:
            if name not in known:
                self._wrong(at, f"names what {_near(str(name), known, kind=f'an argument of {operation.tool}')}")
        return tuple(name for name in value if name in known)

    def _known(self, at: tuple[str, ...], operation: Operation, key: str) -> bool:
        side, dot, rest = key.partition(".")
        places = {"request": request_places(operation), "answer": answer_places(operation)}
        if dot and side in _SIDES:
            known, name = set(places[side]), rest
        else:
            known, name = {*places["request"], *places["answer"]}, key
        if name in known:
            return True
        self._wrong(at, _near(name, known, kind=f"an argument or answer field of {operation.tool}"))
        return False

    def _fields(self, path: tuple[str, ...], operation: Operation, value: Any) -> dict[str, str]:
        names: dict[str, str] = {}
        for at, key, theirs in self._flat(path, value):
            if self._known(at, operation, key) and (name := self._take(at, theirs, a_name)):
                names[key] = name
        return names

    def _flat(self, path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str, Any]]:
        """Entries of a table; `a.b = …` and `"a.b" = …` mean the same."""
        for at, key, inner in self._entries(path, value):
            if isinstance(inner, dict):
                yield from ((deeper, f"{key}.{name}", leaf) for deeper, name, leaf in self._flat(at, inner))
            else:
                yield at, key, inner

    def _values(self, path: tuple[str, ...], operation: Operation, value: Any) -> dict[str, dict[str, JsonValue]]:
        maps: dict[str, dict[str, JsonValue]] = {}
        for at, name, theirs in self._flat(path, value):
            key, _, ours = name.rpartition(".")
            # a value of ours may hold dots itself, so the key ends where the table does
            key, ours = (".".join(at[len(path) : -1]), at[-1]) if len(at) > len(path) + 1 else (key, ours)
            if not key:
                self._wrong(at, "must be a table of our values and theirs")
            elif self._known(at, operation, key) and self._value_fits(at, operation, key, ours, theirs):
                maps.setdefault(key, {})[ours] = theirs
        for key, table in maps.items():
            self._no_twice((*path, key), table, "values")
        return maps

    def _value_fits(self, at: tuple[str, ...], operation: Operation, key: str, ours: str, theirs: Any) -> bool:
        if not isinstance(theirs, str | int | float):
            self._wrong(at, "must be text, a number, true or false")
            return False
        info = request_places(operation).get(key.removeprefix("request."))
        closed = _choices(info.annotation) if info is not None else ()
        if closed and ours not in closed:
            self._wrong(at, _near(ours, closed, kind=f"a value of {key}"))
            return False
        return True

    def _extras(self, path: tuple[str, ...], operation: Operation, value: Any) -> dict[str, Extra]:
        found = (self._extra(at, operation, name, said) for at, name, said in self._entries(path, value))
        return {extra.name: extra for extra in found if extra is not None}

    def _extra(self, at: tuple[str, ...], operation: Operation, name: str, said: Any) -> Extra | None:
        """Read an argument that the API wants and we don't know."""
        table = self._take(at, said, a_table)
        if table is None:
            return None
        before = len(self.mistakes)
        if not fit_for_an_argument(name) or name in operation.arguments.model_fields:
            self._wrong(at, "must be a new argument's name: small letters, digits and _")
        for key in table:
            if key not in _EXTRA:
                self._wrong((*at, key), _near(key, _EXTRA, kind="a key of an argument"))
        usual = "query" if operation.in_query else "body"
        checked = {
            key: self._take((*at, key), table.get(key, default), check)
            for key, default, check in (
                ("type", "string", one_of(_TYPES)),
                ("enum", [], a_list),
                ("in", usual, one_of(PLACES)),
                ("required", True, one_of((True, False))),
                ("name", name, a_name),
            )
        }
        if len(self.mistakes) > before:
            return None
        schema = {key: inner for key, inner in table.items() if key not in ("name", "in", "required")}
        return Extra(name, str(checked["name"]), cast("Place", checked["in"]), schema, bool(checked["required"]))

    def _names_apart(self, path: tuple[str, ...], operation: Operation, override: OperationOverride) -> None:
        """Two things may not travel by one name at one place."""
        in_path = set(placeholders(override.path) if override.path else operation.placeholders)
        sent: dict[str, dict[str, str]] = {}
        for ours in request_places(operation):
            if ours in in_path:
                if f"request.{ours}" in override.fields or (
                    ours in override.fields and ours not in answer_places(operation)
                ):
                    self._wrong((*path, "fields", ours), "stands in the path and has no other name")
                continue
            parent, _, name = ours.rpartition(".")
            theirs = override.fields.get(f"request.{ours}", override.fields.get(ours, name))
            self._claim(path, sent.setdefault(parent, {}), theirs, ours)
        for extra in override.arguments.values():
            if extra.place != "path":
                self._claim(path, sent.setdefault("", {}), extra.theirs, extra.name)
        for name in override.constants:
            if name not in in_path:
                self._claim(path, sent.setdefault("", {}), name, f"the constant {name}")
        answered: dict[str, dict[str, str]] = {}
        for key, theirs in override.fields.items():
            ours = key.removeprefix("answer.")
            if ours in answer_places(operation) and (key != ours or ours not in request_places(operation)):
                self._claim(path, answered.setdefault(ours.rpartition(".")[0], {}), theirs, key)

    def _claim(self, path: tuple[str, ...], taken: dict[str, str], theirs: str, ours: str) -> None:
        other = taken.setdefault(theirs, ours)
        if other != ours:
            at = (*path, "fields", ours)
            if at not in self._document.lines:
                at = (*path, "constants") if ours.startswith("the constant ") else (*path, "fields", other)
            self._wrong(at, f"gives {other} and {ours} one name, {theirs}")

    def _no_twice(self, path: tuple[str, ...], table: Mapping[str, Any], what: str) -> None:
        seen: dict[str, str] = {}
        for key, value in table.items():
            spelled = f"{type(value).__name__}:{value}"
            if value is not None and seen.setdefault(spelled, key) != key:
                self._wrong((*path, key), f"repeats the one of {seen[spelled]}; {what} must differ")


def _choices(annotation: Any) -> tuple[str, ...]:
    """The values of a closed set; none if it is open."""
    if get_origin(annotation) is not None and all(isinstance(value, str) for value in get_args(annotation)):
        return tuple(get_args(annotation))
    return next((found for part in get_args(annotation) if (found := _choices(part))), ())
