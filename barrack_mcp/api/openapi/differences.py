"""What a comparison finds: one fact a row, with whether overrides can mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from barrack_mcp.catalogue import JsonObject


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
