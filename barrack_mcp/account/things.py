"""The things that plans are about: what they are called, what identifies them, and which facts of them matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from barrack_mcp.account import money
from barrack_mcp.api.text import cite, inline, is_plain, mention
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import Kind
from barrack_mcp.catalogue.values import Id, Name

MOST_SHOWN: Final = 20
"""Things that a list names one by one."""

TIMES: Final = "\N{MULTIPLICATION SIGN}"

COMPLETE: Final = frozenset({"SUCCESS", "AVAILABLE", "COMPLETE", "COMPLETED", ""})
"""States of a snapshot from which something can be made; an untold one may be."""

_LONGEST_TYPED: Final = 50
_ID: Final[TypeAdapter[str]] = TypeAdapter(Id)
_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)


@dataclass(frozen=True)
class Thing:
    """One thing as the API showed it.

    Attributes:
        kind: What it is.
        row: The API's fields of it.
        asked: The id under which the caller named it, if it did; what is sent to the API.
    """

    kind: Kind
    row: JsonObject
    asked: str | None = None

    @property
    def id(self) -> str | None:
        """Its id, as it came."""
        return self.asked or text(self.row, *self.kind.ids)

    @property
    def name(self) -> str | None:
        """Its name, as it came."""
        return text(self.row, *self.kind.names)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all other things: its type and its id."""
        return self.kind.type, str(self.id)

    @property
    def label(self) -> str:
        """Its name and id for people: `«train-1» (BRK-103339D)`."""
        return self.with_facts()

    @property
    def in_words(self) -> str:
        """The same with what it is: `volume «datasets» (BRK-103444V)`."""
        return f"{self.kind.words} {self.label}"

    def with_facts(self, *facts: str | None) -> str:
        """Its name, and in brackets its id and more facts, which are made safe already."""
        inner = ", ".join(fact for fact in (mention(self.id) if self.id else "id unknown", *facts) if fact)
        return f"{cite(self.name)} ({inner})" if self.name else f"without a name ({inner})"

    @property
    def to_type(self) -> str:
        """What a person types to agree to its end: its name; its id if the name can't be typed as it stands."""
        name = self.name
        return name if name and len(name) <= _LONGEST_TYPED and is_plain(name) else self.id or ""

    @property
    def marks(self) -> tuple[str, ...]:
        """Its names and ids, under whichever field they came, for the operator's globs."""
        found = (self.asked, *(text(self.row, field) for field in (*self.kind.ids, *self.kind.names)))
        return tuple(dict.fromkeys(mark for mark in found if mark))

    @property
    def is_identified(self) -> bool:
        """Whether both its id and its name were told; a name of no letters is one."""
        return self.id is not None and any(isinstance(self.row.get(field), str | int) for field in self.kind.names)

    @property
    def facts(self) -> JsonObject:
        """What of it a person agrees to; a change of these is a change of the question."""
        counted = {name: _part(self.row.get(name), parts) for name, parts in self.kind.facts.items()}
        return {"type": self.kind.type, "id": self.id, "name": self.name, **counted}

    @property
    def status(self) -> str:
        """Its state in capitals; empty if unknown."""
        return status(self.row)

    def target(self, **more: Any) -> JsonObject:
        """Describe it in a plan."""
        facts = {"status": said(self.row, "status"), "region": said(self.row, "region"), **more}
        named = {"type": self.kind.type, "id": inline(self.id or ""), "name": inline(self.name) if self.name else None}
        return named | {name: value for name, value in facts.items() if value not in (None, [])}


def _part(value: object, parts: tuple[str, ...]) -> object:
    if isinstance(value, list):
        return sorted((_part(each, parts) for each in value), key=repr)
    if isinstance(value, dict) and parts:
        return {name: value.get(name) for name in parts}
    return value


def things(kind: Kind, rows: object, *, where: Callable[[JsonObject], bool] = lambda _: True) -> list[Thing]:
    """Read the rows of a list, or of a field of one, as things of a kind."""
    return [Thing(kind, row) for row in objects(rows) if where(row)]


def objects(value: object) -> list[JsonObject]:
    """The objects of a list; none if it is no list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def all_told(rows: object) -> bool:
    """Whether a list is one, and each of its rows can be read."""
    return isinstance(rows, list) and len(objects(rows)) == len(rows)


def text(row: Mapping[str, Any], *names: str) -> str | None:
    """The first of these fields that holds text or a number, as text."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return None


def status(row: Mapping[str, Any]) -> str:
    """A thing's state in capitals; empty if it isn't told."""
    return (text(row, "status") or "").upper()


def moment(value: object) -> float | None:
    """Read a time in seconds since 1970; times come with or without a zone (documented)."""
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def write_time(at: float, *, seconds: bool = False) -> str:
    """Write a time for people, in the one zone that all of ours are in: `15 Jan 2026 09:30 UTC`."""
    return datetime.fromtimestamp(at, UTC).strftime(f"%d %b %Y %H:%M{':%S' if seconds else ''} UTC").lstrip("0")


def said_when(row: Mapping[str, Any], name: str) -> str | None:
    """A time of a row, fit for people; as it came where it is none."""
    at = moment(row.get(name))
    return said(row, name) if at is None else write_time(at)


def said(row: Mapping[str, Any], *names: str) -> str | None:
    """The same, fit for a sentence of ours."""
    found = text(row, *names)
    return None if found is None else mention(found)


def size(row: Mapping[str, Any], *names: str) -> str | None:
    """A size for people: `500 GB`."""
    found = next((number for name in names if (number := money.amount(row.get(name))) is not None), None)
    return None if found is None else f"{found.normalize():,f} GB"


def marks(things: Iterable[Thing]) -> tuple[str, ...]:
    """The names and ids of several things."""
    return tuple(dict.fromkeys(mark for thing in things for mark in thing.marks))


def listed(phrases: Sequence[str], *, most: int = MOST_SHOWN) -> list[str]:
    """As many of these phrases as a person reads, and how many more there are."""
    more = len(phrases) - most
    return [*phrases[:most], f"and {more:,} more"] if more > 0 else list(phrases)


def joined(phrases: Sequence[str], *, most: int = 3) -> str:
    """A few phrases in a row, and how many more there are."""
    return ", ".join(listed(phrases, most=most))


def sentence(phrase: str) -> str:
    """A phrase with a capital, and all else as it is."""
    return phrase[:1].upper() + phrase[1:]


def counted(number: int, noun: str) -> str:
    """A number of things: `1 instance`, `2 instances`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def labels(found: Iterable[Thing]) -> list[str]:
    """Names and ids for people."""
    return listed([thing.label for thing in found])


def usable_id(value: str | None) -> str | None:
    """The id, if a tool would accept it as an argument."""
    return value if value is not None and can_be_id(value) else None


def usable_name(stem: str | None, suffix: str, *, longest: int = 50) -> str:
    """Make a name that a tool accepts from one that may hold anything."""
    start = (stem or "")[: longest - len(suffix)]
    name = f"{start}{suffix}"
    return name if start and can_be_name(name) else suffix.strip("-")


def can_be_id(value: str) -> bool:
    """Whether a tool would accept a text as an id."""
    return _valid(_ID, value)


def can_be_name(value: str) -> bool:
    """Whether a tool would accept a text as the name of something new."""
    return _valid(_NAME, value)


def _valid(adapter: TypeAdapter[str], value: str) -> bool:
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def age(row: Mapping[str, Any], now: float) -> str | None:
    """How long ago it was created; None if that is not told."""
    created = moment(row.get("created_at"))
    return None if created is None or now < created else time_span(now - created)


def ago(seconds: float) -> str:
    """How long ago something was: `5 minutes ago`."""
    return f"{time_span(max(seconds, 0))} ago"


def time_span(seconds: float) -> str:
    """A time in its largest unit: `3 days`."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (count := int(seconds // length)) > 0:
            return f"{count:,} {unit}{'s' * (count > 1)}"
    return "less than a minute"


def spent(rows: Iterable[JsonObject], *, of: Thing, currency: str) -> Decimal | None:
    """What a thing has cost so far by its billing rows in one currency; None if there is none."""
    costs = [
        cost
        for row in rows
        # the filter by id is inferred: the API may answer all rows
        if text(row, *of.kind.ids[:1]) == of.id
        and (text(row, "currency") or currency) == currency
        and (cost := money.amount(row.get("total_cost"))) is not None
    ]
    return sum(costs, Decimal(0)) if costs else None
