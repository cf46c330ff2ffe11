"""What a sign is judged by: one write, what was read before and after it, and how sure one can be of either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from barrack_mcp.account.reading import Reader
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.dispatch.writes.looking.view import View, look_with


@dataclass(frozen=True, kw_only=True)
class Case:
    """One write of which nobody knows whether it took place, and what is seen of it.

    Attributes:
        operation: The write.
        values: Its validated arguments.
        before: What the look's read showed before it was sent.
        after: What it shows now.
        sent_at: When it was sent, in seconds since 1970 by our clock.
        read: Sends one read more.
        now: Our clock.
    """

    operation: Operation
    values: Mapping[str, Any]
    before: View
    after: View
    sent_at: float
    read: Reader
    now: Callable[[], float]

    @property
    def was(self) -> JsonObject | None:
        """The thing as it was before; None if it wasn't there."""
        return self.before.thing

    @property
    def target(self) -> JsonObject:
        """The argument that names the thing, where the look reads a single one."""
        return look_with(self.operation, self.values).arguments


@dataclass(frozen=True)
class Seen:
    """What a look came to: a result only when the write's effect is there and was not there before.

    Attributes:
        words: What was seen, as half a sentence.
        result: The effect in the form in which the API would have answered; None while it isn't seen.
        hopeless: Whether looking again can't tell more.
    """

    words: str
    result: JsonObject | None = None
    hopeless: bool = False


NOT_READ_BEFORE: Final = "how it stood before the call is not known, so that nothing seen now proves anything"


def alike(wanted: object, found: object) -> bool:
    """Whether a row shows what was asked for; what it doesn't tell speaks neither way."""
    if found is None or wanted is None:
        return True
    if isinstance(wanted, int | float) and isinstance(found, int | float):
        return wanted == found
    return str(wanted).strip().casefold() == str(found).strip().casefold()


def same_text(one: object, other: object) -> bool:
    """Whether two texts are the same but for line ends and space at the end."""
    return isinstance(one, str) and isinstance(other, str) and _plain_ends(one) == _plain_ends(other)


def _plain_ends(value: str) -> str:
    return value.replace("\r\n", "\n").rstrip()
