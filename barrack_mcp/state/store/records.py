"""What a store keeps, as plain frozen data: approvals, the entries of the ledger, places in a line, who did what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, Self, TypeAlias


class Status(StrEnum):
    """Where a request for approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    USED = "used"


OPEN_ENDED: Final = (Status.PENDING, Status.APPROVED)
"""What the time limit can still end."""


class Standing(StrEnum):
    """Where a call stands that must not be sent twice unknowingly."""

    SENT = "sent"
    """It is being sent, or the process that sent it is gone."""
    UNKNOWN = "unknown"
    """Nobody knows whether it took place."""
    LOOKED = "looked"
    """Nobody knew, and then the caller looked."""
    CLOSED = "closed"
    """What came of it is known."""


class Bought(StrEnum):
    """Where a purchase stands."""

    AWAITED = "awaited"
    """It is being sent, or nobody knows what came of it."""
    THERE = "there"
    """It took place, and its thing was not destroyed through us since."""
    GONE = "gone"
    """Its thing was destroyed through us, but may count for the month."""


@dataclass(frozen=True)
class Record:
    """What a store keeps, written as JSON."""

    STATE: ClassVar[tuple[str, type[StrEnum]]]
    """The field that says how it stands, and what it can say."""
    LATER: ClassVar[tuple[str, ...]] = ()
    """Fields that earlier versions didn't have: they are left out where they say nothing."""

    def to_json(self) -> str:
        """Write it so that what was read gives the same text again; a plan's order is the order it is shown in."""
        values = {name: value for name, value in asdict(self).items() if value is not None or name not in self.LATER}
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: It is no such record of this version.
        """
        values = json.loads(text)
        field, states = cls.STATE
        return cls(**values | {field: states(values[field])})


@dataclass(frozen=True, kw_only=True)
class Approval(Record):
    """A call that waits for a person's yes, has it, or had its answer. Times are seconds since 1970."""

    STATE = "status", Status
    LATER = ("on_behalf_of", "known_as")

    id: str
    binding: str
    """Digest of everything the yes is good for: tool, arguments, caller, API URL and key."""
    caller: str
    tool: str
    arguments: Mapping[str, Any]
    """For showing: secrets are masked already."""
    plan: Mapping[str, Any]
    """For showing: what the call would do."""
    must_type: str | None
    """What the person has to type to approve; None where a plain yes is enough."""
    fingerprint: str
    """The target as it was when the plan was made."""
    status: Status
    created_at: float
    expires_at: float
    decided_at: float | None = None
    decided_by: str | None = None
    used_at: float | None = None
    wrong_names: int = 0
    """How often something else than `must_type` was typed."""
    told_at: float | None = None
    """When the caller heard of the no or the lapse, which it does once."""
    on_behalf_of: str | None = None
    """For whom the caller says that it asks: its own word, made safe, never a proof; None if it says nobody."""
    known_as: Sequence[str] | None = None
    """What else the caller is called, by who knows them; None if nothing."""

    @property
    def live(self) -> bool:
        """Whether the next call with this binding finds it; a store keeps at most one live approval a binding."""
        return self.status in OPEN_ENDED or (self.status is not Status.USED and self.told_at is None)


@dataclass(frozen=True, kw_only=True)
class Entry(Record):
    """A call that was sent. Times are seconds since 1970."""

    STATE = "standing", Standing

    id: str
    digest: str
    """Of the tool, its arguments and the caller's account: equal for equal calls."""
    account: str
    """Digest of the account."""
    tool: str
    arguments: Mapping[str, Any]
    """For showing: secrets are masked already."""
    look_tool: str
    look_arguments: Mapping[str, Any]
    """With which read one sees what became of it."""
    owner: str
    """The process that sends it."""
    standing: Standing
    sent_at: float
    since: float
    """Since when it stands so; for a call that is being sent, until when that may take."""
    outcome: str | None = None

    @property
    def live(self) -> bool:
        """Whether it stops the same call; a store keeps at most one live entry a digest."""
        return self.standing in (Standing.SENT, Standing.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The last change of a thing."""

    account: str
    """Digest of the account."""
    thing: str
    """What it is, and its id."""
    caller: str
    """Who had it changed."""
    at: float
    """When, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place in the line of those who want to change an account. Times are seconds since 1970."""

    number: int
    """Lower numbers come first."""
    account: str
    """Digest of the account."""
    owner: str
    """The holder, in a process."""
    since: float
    until: float
    """When it counts no more, whatever became of its owner."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Until when a machine may run. Times are seconds since 1970."""

    account: str
    """Digest of the account."""
    instance: str
    """Its id."""
    since: float
    """When it began: by the purchase of the machine, else when it was first set."""
    until: float
    hours: float | None
    """How long it was said to be, where it was said in hours."""
    set_by: str
    """Who set it last."""
    set_at: float
    how: str
    """By which tool, or `default` where a purchase named none."""
    claimed_by: str | None = None
    """Which process ends it at the moment."""
    claimed_until: float = 0.0
    """When that counts no more, whatever became of the process."""


@dataclass(frozen=True, kw_only=True)
class Purchase(Record):
    """Who bought a thing, and so pays for it: until somebody else buys more of it, or wakes it."""

    STATE = "standing", Bought

    id: str
    account: str
    """Digest of the account."""
    caller: str
    kind: str
    """What was bought: `instance`, `volume` or `snapshot`."""
    thing: str | None
    """Its id; None until that is known."""
    name: str | None
    """The name that it was to bear."""
    row: Mapping[str, Any]
    """What tells its price, as far as that is known without the account's lists."""
    anew: bool
    """Whether the thing was made by it; else it was there before, and was grown or woken."""
    at: float
    """When it was sent, in seconds since 1970."""
    standing: Bought
    since: float
    """Since when it stands so."""


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """What of an account is known here alone: who bought what, and until when its machines may run."""

    purchases: Sequence[Purchase]
    """In the order in which they were first kept."""
    leases: Sequence[Lease]
    """The one that ends first first."""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """An account's line, as it was when a place in it was taken."""

    places: Sequence[Place]
    """The first first; the last is the one that was taken."""
    holdings: Holdings | None = None
    """What of the account was known at that moment; None where nobody wanted to know."""


@dataclass(frozen=True, kw_only=True)
class Yes:
    """What uses a person's yes up; each part of it is good once."""

    nonce: str | None = None
    until: float = 0.0
    """When what carries the nonce lapses, in seconds since 1970."""
    approval: tuple[Approval, Approval] | None = None
    """A request out of band, as it stands and as it is once its yes is used."""


class Overtaken(StrEnum):
    """Why a yes is no longer good."""

    USED = "used"
    """Its nonce was used, or has lapsed."""
    ANSWERED = "answered"
    """Its request does not stand any more as it did."""


Swap: TypeAlias = tuple[Lease | None, Lease | None]
"""A machine's lease, as it stands and as it is to be; None for no lease."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What is written down before a call is sent."""

    yes: Yes | None = None
    entry: Entry | None = None
    purchases: Sequence[Purchase] = ()
    """What it buys."""
    lease: Swap | None = None
    """What it gives a machine; not put where that has another lease by now."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return self == Start()


@dataclass(frozen=True, kw_only=True)
class End:
    """What is written down once it is known what came of a call; each part by itself."""

    entry: tuple[Entry, Entry] | None = None
    """As it stands and as it is to be; left as it is where it stands otherwise by now."""
    purchases: Sequence[Purchase] = ()
    """As they stand from now on."""
    dropped: Sequence[Purchase] = ()
    """To be forgotten."""
    traces: Sequence[Trace] = ()
    since: float = 0.0
    """Traces that are older are forgotten, in seconds since 1970."""
    most: int = 0
    """Of the rest, as many as this are kept, the newest."""
    leases: Sequence[Swap] = ()
    place: Place | None = None
    """In the line, to be left."""
