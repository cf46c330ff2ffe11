"""What a sign is judged by: one write, what was read before and after it, and how sure one can be of either."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from barrack_mcp.account.reading import Reader
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.dispatch.writes.view import View, look_with

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z _-]{0,29}")


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


def objects(value: object) -> list[JsonObject]:
    """The objects of a list; none if it is no list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def text(row: Mapping[str, Any], name: str) -> str:
    """A field that holds text or a number, as text; empty if it holds neither."""
    value = row.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def status(row: Mapping[str, Any]) -> str:
    """A thing's state in capitals; empty if it isn't told."""
    return text(row, "status").upper()


def name_state(state: str) -> str:
    """A state for people; what is no plain word is not repeated."""
    return state if _PLAIN.fullmatch(state) else "in a state that is not told"


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


def moment(value: object) -> float | None:
    """Read a time in seconds since 1970; times come with or without a zone (documented)."""
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
