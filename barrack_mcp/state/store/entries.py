"""The entries of the operation ledger, as plain frozen data, and what a store does with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, Protocol, Self


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


OPEN: Final = (Standing.SENT, Standing.UNKNOWN)
"""What stops the same call."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A call that was sent. Times are seconds since 1970."""

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
    def open(self) -> bool:
        """Whether it stops the same call; a store keeps at most one open entry a digest."""
        return self.standing in OPEN

    def to_json(self) -> str:
        """Write it so that what was read gives the same text again."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: It is no entry of this version.
        """
        values = json.loads(text)
        return cls(**values | {"standing": Standing(values["standing"])})


class EntryStore(Protocol):
    """Keeps the ledger's entries. Every method is one atomic step, across threads and processes.

    Every method raises `StoreError`, with a sentence for the operator, when the state can't be read or written.
    """

    async def add_entry(self, entry: Entry) -> Entry:
        """Keep a new open entry, unless its digest has one; answers the one that is kept. Old ones are forgotten."""
        ...

    async def open_entry(self, digest: str) -> Entry | None:
        """Find the open entry of a digest."""
        ...

    async def swap_entry(self, before: Entry, after: Entry) -> bool:
        """Put `after` in the place of `before`: True for the one caller that still found `before` there."""
        ...

    async def open_entries(self, account: str | None = None) -> list[Entry]:
        """List the open entries, of one account or of all, oldest first."""
        ...
