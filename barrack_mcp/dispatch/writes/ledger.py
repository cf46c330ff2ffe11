"""The operation ledger: a purchase without an answer is not made a second time until somebody has looked.

What repeating may double is written down before it is sent, in the state that all processes share. An answer closes the
entry; without one it stays open and stops the same call (same tool, arguments and account), across restarts, until the
read that tells has been made. Of two equal calls at the same moment one is sent, and the other is told so. After a
definite answer the same purchase may be made again: buying two is allowed, buying twice by accident is not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation
from barrack_mcp.state.owner import name_owner
from barrack_mcp.state.store import Approval, End, Entry, Overtaken, Standing, Start, Store

__all__ = ["Entry", "Held", "Ledger", "Why", "belongs", "digest_of"]

Outcome: TypeAlias = Literal["done", "failed", "unknown"]

UNDER_WAY_S: Final = 120.0
"""How long a call may take with all its attempts and looks; what is still `sent` after that is nobody's any more."""


class Why(StrEnum):
    """Why a call is held back."""

    UNDER_WAY = "under_way"
    """The same call is being sent at this moment."""
    UNKNOWN = "unknown"
    """The same call was sent, and nobody knows what became of it."""


@dataclass(frozen=True)
class Held:
    """A call that must not be sent now.

    Attributes:
        entry: The same call, sent before.
        why: What is wrong with sending it again.
    """

    entry: Entry
    why: Why

    @property
    def sentence(self) -> str:
        """What happened and what to do now; nothing of it is the API's or the caller's text."""
        at = datetime.fromtimestamp(self.entry.sent_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        if self.why is Why.UNDER_WAY:
            return f"The same call was sent at {at} and is still under way. Nothing was sent now; wait for its answer."
        return (
            f"The same call was sent at {at}, and nobody knows whether it took place. Nothing was sent now, since it "
            f"could happen (and cost) twice: look with {self.entry.look_tool} first, then call again if it did not."
        )


def belongs(operation: Operation) -> bool:
    """Whether the ledger keeps an operation: all that a second call would do once more."""
    return not operation.idempotent


def digest_of(tool: str, arguments: Mapping[str, Any], account: str) -> str:
    """Answer what equal calls have in common.

    The account keys it and is itself not kept, so that nobody guesses a password from the state file.

    Args:
        tool: The tool.
        arguments: Its validated arguments, secrets included.
        account: What tells one account from another: the API's URL and a digest of the key.
    """
    call = json.dumps([tool, dict(arguments)], sort_keys=True, separators=(",", ":"))
    return hmac.new(account.encode(), call.encode(), hashlib.sha256).hexdigest()


_TELLING: Final = frozenset(operation.look.tool for operation in OPERATIONS if operation.look and belongs(operation))
"""The reads that tell what became of a call that the ledger keeps."""

_WHOLE_PAGE: Final = 20
"""Rows of a page where nothing is said; a page cut shorter may leave out what was made last."""
_PAGING: Final = frozenset({"page", "limit", "detail"})


class Ledger:
    """Knows which calls were sent and never answered.

    Args:
        store: Keeps the entries.
        now: The time in seconds since 1970.
        under_way_s: How long one call may take in all.
        gone: Whether the process that bears a name has ended; by what the state knows if None.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], float] = time.time,
        under_way_s: float = UNDER_WAY_S,
        gone: Callable[[str], bool] | None = None,
    ) -> None:
        self._store = store
        self.now = now
        self._under_way_s = under_way_s
        self._owner = name_owner()
        self._gone = gone or store.gone
        self._sending: set[str] = set()

    async def check(self) -> None:
        """See that what is sent can be written down.

        Raises:
            StoreError: It can't be, so nothing may be sent.
        """
        await self._store.identity()

    async def look_up(self, digest: str, bindings: Sequence[str] = ()) -> tuple[Held | None, Approval | None]:
        """Say whether a call would be held back, without starting it, and find the live request for a yes to it.

        Args:
            digest: What `digest_of` says of the call; empty for one that the ledger doesn't keep.
            bindings: What a yes to it is bound to.

        Raises:
            StoreError: The state can't be read.
        """
        if not digest and not bindings:
            return None, None
        entry, approval = await self._store.look_up(digest, bindings)
        return None if entry is None else self._held(entry), approval

    def draft(
        self, digest: str, tool: str, arguments_masked: JsonObject, look_with: tuple[str, JsonObject], account: str
    ) -> Entry:
        """Write an entry up for a call that is about to be sent.

        Args:
            digest: What `digest_of` says of the call.
            tool: The tool.
            arguments_masked: Its arguments, for showing: without secrets.
            look_with: The tool and the arguments with which one sees what became of it.
            account: As for `digest_of`.
        """
        now = self.now()
        return Entry(
            id=secrets.token_hex(8),
            digest=digest,
            account=_digest(account),
            tool=tool,
            arguments=arguments_masked,
            look_tool=look_with[0],
            look_arguments=look_with[1],
            owner=self._owner,
            standing=Standing.SENT,
            sent_at=now,
            since=now + self._under_way_s,
        )

    async def begin(self, start: Start) -> Held | Overtaken | None:
        """Write down that a call is sent now, unless the same call is open; all that is to be kept of it, or nothing.

        Args:
            start: Its entry, if it has one, and what is kept with it.

        Returns:
            What holds the call back, or why its yes is no longer good; None if it may be sent.

        Raises:
            StoreError: It can't be written down, so it must not be sent.
        """
        if start.is_empty:
            await self.check()
            return None
        own = "" if start.entry is None else start.entry.id
        # known as ours before others can see it
        self._sending.add(own)
        found: Entry | Overtaken | None = None
        begun = False
        try:
            found = await self._store.begin(start)
            begun = found is None
        finally:
            if not begun:
                self._sending.discard(own)
        return self._held(found) if isinstance(found, Entry) else found

    async def close(self, entry: Entry | None, outcome: Outcome, beside: End | None = None) -> bool:
        """Write down what came of a call; `unknown` leaves its entry open until somebody looks.

        A call that is cancelled on its way out of here is closed under a shield, or counts as unknown.

        Args:
            entry: As it began; None where the ledger doesn't keep the call.
            outcome: What came of it.
            beside: What is kept with it.

        Returns:
            Whether each machine still had the lease that it was said to.

        Raises:
            StoreError: It can't be written down; it then counts as unknown.
        """
        end = beside or End()
        if entry is not None:
            standing = Standing.UNKNOWN if outcome == "unknown" else Standing.CLOSED
            # another process may have taken us for dead and marked it meanwhile: then somebody has looked
            end = replace(end, entry=(entry, replace(entry, standing=standing, since=self.now(), outcome=outcome)))
        try:
            return await self._store.finish(end)
        finally:
            if entry is not None:
                self._sending.discard(entry.id)

    async def looked(self, account: str, tool: str, arguments: JsonObject, *, read_at: float) -> int:
        """Let the calls through again of which this read shows what became.

        Args:
            account: As for `digest_of`.
            tool: The read that succeeded.
            arguments: Its arguments; a list may be wider than the one named; its first page tells.
            read_at: When it was sent; what went unknown after that, it can't show.

        Returns:
            How many calls may be made again.

        Raises:
            StoreError: The state can't be read or written.
        """
        if tool not in _TELLING:
            return 0
        count = 0
        for entry in await self._store.open_entries(_digest(account)):
            if not _shows(entry, tool, arguments) or not self._settled(entry, read_at):
                continue
            count += await self._store.swap_entry(
                entry, replace(entry, standing=Standing.LOOKED, since=self.now(), outcome="unknown")
            )
        return count

    async def open_entries(self) -> list[Entry]:
        """List the calls of which nobody knows what became, and those under way, oldest first.

        Raises:
            StoreError: The state can't be read.
        """
        return await self._store.open_entries()

    def under_way(self, entry: Entry) -> bool:
        """Whether a process is still at it."""
        if entry.standing is not Standing.SENT or self.now() >= entry.since:
            return False
        if entry.owner == self._owner:
            return entry.id in self._sending
        return not self._gone(entry.owner)

    def _settled(self, entry: Entry, read_at: float) -> bool:
        """Whether a read sent then came after all that the call itself could do."""
        if self.under_way(entry):
            return False
        if entry.standing is Standing.UNKNOWN:
            return read_at >= entry.since
        return read_at >= entry.sent_at

    def _held(self, entry: Entry) -> Held:
        return Held(entry, Why.UNDER_WAY if self.under_way(entry) else Why.UNKNOWN)


def _shows(entry: Entry, tool: str, arguments: JsonObject) -> bool:
    """Whether a read is the one named, or a wider one; of a list, its beginning, where what was made last stands."""
    asked = {name: value for name, value in arguments.items() if name not in _PAGING and value is not None}
    if arguments.get("page") not in (None, 1) or (arguments.get("limit") or _WHOLE_PAGE) < _WHOLE_PAGE:
        return False
    return tool == entry.look_tool and asked.items() <= dict(entry.look_arguments).items()


def _digest(account: str) -> str:
    return hashlib.sha256(account.encode()).hexdigest()
