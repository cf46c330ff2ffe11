"""What came of a write that was let pass: done, not done, unknown, or not sent after all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from barrack_mcp.api.errors import ApiError
from barrack_mcp.api.redact import Echo
from barrack_mcp.api.text import cite
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.marks import open_texts, secrets_in
from barrack_mcp.catalogue.outcome import LookWith
from barrack_mcp.dispatch.writes.booking import Told
from barrack_mcp.dispatch.writes.ledger import Held, Outcome

_LONGEST_SAID: Final = 400


@dataclass(frozen=True, slots=True)
class Done:
    """The API did it, or did a part of what was asked for in bulk."""

    data: JsonObject
    """Its answer, or what was seen in the place of one."""
    seen: str = ""
    """How it is known where the answer was lost."""
    replaced: str | None = None
    """The text that was overwritten."""
    before: JsonObject | None = None
    """The thing as it was, as far as it was read."""
    lease: Told = field(default_factory=Told)
    """What there is to say of the lease that it gives a machine."""

    @property
    def partly(self) -> bool:
        """Whether some of it was not done."""
        return bool(self.data.get("failed"))

    def words(self, operation: Operation) -> str:
        """Say what was done, in a sentence: as it was seen, else in the API's words."""
        if self.seen:
            return self.seen
        said = self.data.get("message")
        return f"Barrack says {cite(said, limit=_LONGEST_SAID)}." if said else f"{operation.title}: accepted."


@dataclass(frozen=True, slots=True)
class NotDone:
    """The API said no, or it never got there."""

    error: ApiError


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether it took effect."""

    sentence: str
    look_with: LookWith
    error: ApiError | None = None
    """Why no answer came."""
    lease: Told = field(default_factory=Told)
    """What there is to say of the lease that it gives a machine."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """It was held back on our side."""

    sentence: str
    look_with: LookWith | None = None


Sent: TypeAlias = Done | NotDone | Unknown | Unsent
Verdict: TypeAlias = Literal["done", "refused", "failed", "unknown"]


def hold_back(held: Held) -> Unsent:
    """Say that a call is not sent, since the same call is open."""
    return Unsent(held.sentence, LookWith(tool=held.entry.look_tool, arguments=dict(held.entry.look_arguments)))


def standing_of(sent: Sent) -> Outcome:
    """Answer what the state is to keep of it."""
    match sent:
        case Done():
            return "done"
        case Unknown():
            return "unknown"
        case _:
            return "failed"


def recorded(operation: Operation, values: JsonObject, sent: Sent) -> tuple[Verdict, str, str | None]:
    """Say for the record what came of it, in a sentence, and the API's name for the request; without secrets."""
    verdict: Verdict
    match sent:
        case Done(data):
            verdict, told, name = "failed" if sent.partly else "done", sent.words(operation), data.get("request_id")
        case NotDone(error):
            verdict, told, name = "refused" if error.unsent else "failed", error.sentence, error.request_id
        case Unknown(sentence):
            verdict, told, name = "unknown", sentence, None
        case Unsent(sentence):
            verdict, told, name = "refused", sentence, None
    # the API's words come without them; what else is said of the call may not hold them either
    echo = Echo(secrets_in(operation, values), known=open_texts(operation, values))
    return verdict, echo.hidden(told), None if name is None else echo.hidden(str(name))
