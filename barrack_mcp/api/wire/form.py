"""How an operation travels: our names to the API's on the way out, the API's names to ours on the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from barrack_mcp.api.wire.bounds import bounded
from barrack_mcp.api.wire.checks import placeholders
from barrack_mcp.api.wire.extend import documented, extended
from barrack_mcp.api.wire.narrowing import room_in
from barrack_mcp.api.wire.overrides import PAGING, WHOLE_BODY, OperationOverride, Overrides, Place
from barrack_mcp.api.wire.renaming import MISSING, Names, dig, flipped, inward, outward, put, spelled, tree, without
from barrack_mcp.api.wire.shape import JsonValue, answer_places, request_places, status_kinds
from barrack_mcp.catalogue import BY_TOOL, INFERRED, RESERVED_IDS, JsonObject, Operation, fixed_words


class Mark(StrEnum):
    """What is known of an operation's wire form."""

    DOCUMENTED = "documented"
    INFERRED = "inferred"
    OVERRIDDEN = "overridden"
    SEEN_WORKING = "seen working"


class WireError(ValueError):
    """These arguments have no form on the wire; says which and why, without the value. Nothing was sent."""


class Sent(NamedTuple):
    """A request, ready to be sent: the path below the base URL, and None for a query or a body that is not there."""

    method: str
    path: str
    query: JsonObject | None
    body: JsonObject | None


class Asked(NamedTuple):
    """How an argument that the catalogue doesn't know travels."""

    theirs: str
    place: Place


@dataclass(frozen=True)
class Wire:
    """One operation's wire form.

    Attributes:
        operation: The operation as shipped.
        method: Its method.
        path: Its path below the base URL, with our arguments in braces.
        in_query: Whether arguments that are not in the path go into the query.
        marks: What is known of this form.
        guessed: Whether nothing vouches for method and path: no page of the vendor, no override, no success.
        documented: Where and when its form was found documented; empty where that is unsaid.
        fields: Which of our names travel under another one, and under which.
        constants: What is sent with every call.
        extras: What the API wants beyond what the catalogue knows, by argument.
        result: Where the result sits in an answer.
    """

    operation: Operation
    method: str
    path: str
    in_query: bool
    marks: tuple[Mark, ...]
    guessed: bool
    documented: str
    fields: Mapping[str, str]
    constants: Mapping[str, JsonValue]
    extras: Mapping[str, Asked]
    result: str | None
    _outward: Names
    _inward: Names
    _reserved: frozenset[str]

    def request(self, values: Mapping[str, Any]) -> Sent:
        """Bring validated arguments into the API's form.

        Raises:
            WireError: An argument that the path needs is missing, or would be another path.
        """
        rest = dict(values)
        places = {}
        for name in self._placed:
            value = rest.pop(name, self.constants.get(name, MISSING))
            if value is MISSING or value is None:
                raise WireError(f"{name}: is needed here, since this API has it in the path.")
            places[name] = self._segment(name, value)
        query: JsonObject = {}
        body: JsonObject = {}
        plain = {name: value for name, value in rest.items() if name not in self.extras}
        (query if self.in_query else body).update(outward(plain, self._outward))
        for name, extra in self.extras.items():
            if name in rest:
                put(query if extra.place == "query" else body, extra.theirs, rest[name])
        for name, value in self.constants.items():
            if name not in places:
                put(query if self.in_query else body, name, value)
        return Sent(self.method, self.path.format_map(places), query or None, body or None)

    @cached_property
    def _placed(self) -> tuple[str, ...]:
        """Names of the arguments that stand in the path."""
        return placeholders(self.path)

    def _segment(self, name: str, value: Any) -> str:
        text = str(value)
        if text in ("", ".", "..") or text.casefold() in self._reserved:
            raise WireError(f"{name}: is a word of the API's own paths, not an id.")
        return quote(text, safe="")

    @property
    def asked(self) -> str:
        """Method and path, as a person says it."""
        return f"{self.method} {self.path}"

    def errors(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Bring the API's words about single fields under our names."""
        back = {".".join(way): name for name, way in self._outward.moves.items()}
        back |= {extra.theirs: name for name, extra in self.extras.items()}
        return {back.get(name, name): words for name, words in fields.items()}

    def answer(self, body: JsonValue) -> JsonValue:
        """Bring a successful answer into our names and values; what it holds beyond them stays as it came."""
        root = self.operation.result
        bare = self.result == WHOLE_BODY or (isinstance(body, list) and self._inward.below)
        if root is not None and bare:
            body = {root: body}
        elif root is None and self.result is not None and isinstance(body, dict):
            inner = dig(body, tuple(self.result.split(".")))
            if isinstance(inner, dict):
                body = {**without(body, tuple(self.result.split("."))), **inner}
        return inward(body, self._inward)

    def reversed(self) -> tuple[Names, Names]:
        """How the other side sees it: the names of a request as it reads them, and of an answer as it writes them."""
        return flipped(self._outward), flipped(self._inward)


class Contract:
    """The wire form of all operations: the catalogue as shipped, overridden by data.

    Args:
        overrides: What is known better.
        seen: Tools that have been seen to work against this API.

    Attributes:
        overrides: Those that keep within the bounds; no others are ever followed.
        refused: By tool, why what was said of it is not followed.
        seen: Tools that have been seen to work.
    """

    def __init__(self, overrides: Overrides | None = None, *, seen: Iterable[str] = ()) -> None:
        self.overrides, self.refused = bounded(overrides if overrides is not None else Overrides())
        self.seen = frozenset(seen)
        self._wires: dict[str, Wire] = {}
        self._room = room_in(self.overrides)
        # without overrides the arguments' own types know all of them
        self._reserved = RESERVED_IDS | self._words() if self.overrides else frozenset[str]()

    def for_(self, operation: Operation) -> Wire:
        """The wire form of an operation; an extended one has that of its tool."""
        wire = self._wires.get(operation.tool)
        if wire is None:
            wire = self._wires[operation.tool] = self._made(BY_TOOL.get(operation.tool, operation))
        return wire

    def saw(self, operation: Operation, answer: JsonValue) -> None:
        """Note that an operation was answered in the form we know, so that its path is no guess any more.

        Args:
            operation: The operation.
            answer: Its answer, under our names.
        """
        root = operation.result
        if operation.tool not in self.seen and isinstance(answer, dict) and (root is None or root in answer):
            self.trust({operation.tool})

    def guesses(self, operation: Operation) -> bool:
        """Whether nothing vouches for an operation's method and path."""
        known = operation.tool in self.overrides.operations or operation.tool in self.seen
        return operation.provenance is INFERRED and not known

    def trust(self, tools: Iterable[str]) -> None:
        """Take it that these tools have been seen to work."""
        self.seen |= frozenset(tools)
        self._wires.clear()

    def operation(self, operation: Operation) -> Operation:
        """The operation as this API has it: with its extra arguments, held to what it requires and documents."""
        override = self._override(operation)
        in_path = placeholders(override.path) if override.path else ()
        asked = [name for name in dict.fromkeys((*override.requires, *in_path)) if name not in override.constants]
        # the model of all arguments is made where something asks for it: a start does for none
        fields = operation.arguments.model_fields if asked else {}
        requires = [name for name in asked if name in fields and not fields[name].is_required()]
        made = extended(operation, override.arguments, requires, override.about, self._room)
        return documented(made, override.documented)

    def _override(self, operation: Operation) -> OperationOverride:
        return self.overrides.operations.get(operation.tool, OperationOverride())

    def _path(self, operation: Operation) -> str:
        path = self._override(operation).path or operation.path
        if self.overrides.api.slash == "always":
            return path if path.endswith("/") else f"{path}/"
        return path.rstrip("/") if self.overrides.api.slash == "never" else path

    def _words(self) -> frozenset[str]:
        return fixed_words(map(self._path, BY_TOOL.values()))

    def _made(self, operation: Operation) -> Wire:
        override = self._override(operation)
        path, method = self._path(operation), override.method or operation.method
        in_query = method in ("GET", "DELETE") if override.send is None else override.send == "query"
        in_path = set(placeholders(path))
        paging = {
            name: theirs
            for name in PAGING
            if operation.paged and (theirs := getattr(self.overrides.api, name)) is not None
        }
        asked = {
            name: theirs
            for name, theirs in _sided(override.fields, request_places(operation), "request.", paging).items()
            if name not in in_path
        }
        answered = _sided(override.fields, answer_places(operation), "answer.", paging)
        if operation.result is not None and override.result not in (None, WHOLE_BODY):
            answered[operation.result] = str(override.result)
        out_values = _sided(override.values, request_places(operation), "request.", {})
        in_values: dict[str, Mapping[str, JsonValue]] = {}
        for name, kind in status_kinds(operation.response).items():
            in_values[name] = _states(self.overrides.status.get(kind, {}))
        if operation.tool == "list_instances" and (states := self.overrides.status.get("instance")):
            out_values = {"status": {ours: theirs for theirs, ours in reversed([*states.items()])}} | out_values
        for name, table in _sided(override.values, answer_places(operation), "answer.", {}).items():
            in_values[name] = {**in_values.get(name, {}), **_back(table)}
        by_name = operation.tool in self.overrides.operations
        overridden = any(paging.values()) or (by_name and (override.differs or override.documented is None))
        marks = (
            Mark.DOCUMENTED if override.documented is not None else Mark(operation.provenance.value),
            *((Mark.OVERRIDDEN,) if overridden else ()),
            *((Mark.SEEN_WORKING,) if operation.tool in self.seen else ()),
        )
        return Wire(
            operation=operation,
            method=method,
            path=path,
            in_query=in_query,
            marks=marks,
            guessed=self.guesses(operation),
            documented=override.documented or "",
            fields=MappingProxyType({**paging, **override.fields}),
            constants=override.constants,
            extras={
                name: Asked(extra.theirs or name, extra.place or ("query" if in_query else "body"))
                for name, extra in override.arguments.items()
            },
            result=override.result or operation.result,
            _outward=tree(
                asked, out_values, {name: about.type for name, about in override.about.items() if about.type}
            ),
            _inward=tree(answered, {name: table for name, table in in_values.items() if table}),
            _reserved=self._reserved,
        )


def _sided(said: Mapping[str, Any], known: Mapping[str, Any], side: str, under: Mapping[str, Any]) -> dict[str, Any]:
    """What holds on one side: what was said of it alone wins over what was said of both, that over the paging."""
    names = {name: value for name, value in (*under.items(), *said.items()) if name in known}
    names |= {key.removeprefix(side): value for key, value in said.items() if key.startswith(side)}
    return names


def _states(table: Mapping[str, str]) -> dict[str, JsonValue]:
    return {spelling: ours for theirs, ours in table.items() for spelling in (theirs.casefold(), theirs)}


def _back(table: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    pairs = [(spelled(theirs), ours) for ours, theirs in table.items()]
    return {word.casefold(): ours for word, ours in pairs} | dict(pairs)
