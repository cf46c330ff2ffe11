"""What a comparison finds: one fact a row, with whether overrides can mend it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from barrack_mcp.api.openapi.matching import Match
from barrack_mcp.api.text import escape
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import JsonObject, Operation

_USABLE: Final = re.compile(r"[^\s.\"'\\{}]{1,100}")


class Kind(StrEnum):
    """What differs."""

    MISSING = "missing operation"
    EXTRA = "extra operation"
    UNSURE = "unsure match"
    METHOD = "method"
    PATH = "path"
    ARGUMENT = "argument"
    NEW_ARGUMENT = "new argument"
    REQUIRED = "required"
    TYPE = "type"
    VALUES = "values"
    LIMITS = "limits"
    PLACE = "place"
    FORM = "form"
    RESULT = "result"
    ANSWER = "answer field"
    NEW_ANSWER = "new answer fields"
    STATES = "states"
    PAGING = "paging"
    AUTH = "key"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        kind: What differs.
        tool: Of which tool; None for what holds everywhere.
        ours: As the catalogue has it; empty for nothing.
        theirs: As the document has it; empty for nothing.
        todo: What to do about it, or why nothing needs to be done.
        mended: Whether the overrides that `adopt` writes take care of it.
        matters: Whether a call could fail by it; the rest is for information.
    """

    kind: Kind
    tool: str | None
    ours: str
    theirs: str
    todo: str
    mended: bool = False
    matters: bool = True

    def as_json(self) -> JsonObject:
        """Write it as JSON."""
        return {**asdict(self), "kind": self.kind.value}


@dataclass
class Findings:
    """What one operation's override will say, and the differences that led to it.

    Beside them it keeps what the document says whether or not that differs: `written`, the path with our arguments in
    it; `placed`, which of ours stand there; `pairs`, ours and theirs by `request.` or `answer.` and our name.
    """

    match: Match
    written: str = ""
    placed: frozenset[str] = frozenset()
    pairs: dict[str, str] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, JsonValue]] = field(default_factory=dict)
    constants: dict[str, JsonValue] = field(default_factory=dict)
    arguments: dict[str, JsonObject] = field(default_factory=dict)
    about: dict[str, JsonObject] = field(default_factory=dict)
    requires: list[str] = field(default_factory=list)
    paging: dict[str, str] = field(default_factory=dict)
    states: dict[str, dict[str, str]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    @property
    def operation(self) -> Operation:
        """The operation of the catalogue."""
        return self.match.operation

    @property
    def table(self) -> JsonObject:
        """The override, as it would stand in a file."""
        names = ("requires", "constants", "fields", "values", "arguments", "about")
        return self.said | {name: inner for name in names if (inner := getattr(self, name))}

    def add(self, kind: Kind, ours: str, theirs: str, todo: str, *, mended: bool = False, matters: bool = True) -> None:
        """Note a difference; one that nothing mends and that matters is for a person."""
        self.differences.append(
            Difference(kind, self.operation.tool, ours, printable(theirs), todo, mended=mended, matters=matters)
        )

    def mend(self, kind: Kind, ours: str, theirs: str, todo: str) -> None:
        """Note a difference that the override takes care of."""
        self.add(kind, ours, theirs, todo, mended=True)

    def rename(self, kind: Kind, key: str, ours: str, theirs: str) -> None:
        """Note that a field has another name, which the override takes care of if it can write it."""
        if all(usable(step) for step in theirs.split(".")):
            self.fields[key] = theirs
            self.mend(kind, ours, theirs, "by the API's name on the wire")
        else:
            self.add(kind, ours, theirs, "overrides can't write this name")

    def map_values(self, key: str, ours: str, table: Mapping[str, JsonValue]) -> None:
        """Note that values are spelled otherwise, which the override takes care of."""
        if table:
            self.values[key] = dict(table)
            shown = ", ".join(f"{value} = {theirs}" for value, theirs in table.items())
            self.mend(Kind.VALUES, ours, shown, "by the API's spelling on the wire")

    def inform(self, kind: Kind, ours: str, theirs: str, todo: str) -> None:
        """Note a difference by which no call can fail."""
        self.add(kind, ours, theirs, todo, matters=False)


def printable(text: str) -> str:
    """Text of a document, safe to show."""
    return str(escape(text, limit=300))


def usable(name: str) -> bool:
    """Whether a name of theirs can stand in overrides, where dots mean objects inside objects."""
    return bool(_USABLE.fullmatch(name)) and name.isprintable()
