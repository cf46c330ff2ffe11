"""One change at a time for an account, across tasks and processes: what was read last is still so when it is sent.

Calls of one process stand in a line of their own, in the order in which they came; the first of them takes a place in
the line that all processes share, in the state. A place whose process has ended counts no more, and any place lapses.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

import anyio
import anyio.lowlevel

from barrack_mcp.state.owner import name_owner
from barrack_mcp.state.store import Holdings, Place, Queue, Store, StoreError

PATIENCE_S: Final = 30.0
"""How long a call waits for its turn, if it may take that long at all."""

_PAUSE_S: Final = 0.05
"""How often to look whether another process is done."""

_log = logging.getLogger(__name__)


class BusyError(Exception):
    """The turn did not come in time; its text says so to the caller."""

    def __init__(self, since: float | None) -> None:
        at = "" if since is None else f" since {datetime.fromtimestamp(since, UTC):%H:%M:%S} UTC"
        super().__init__(
            f"Not done: another change of this account has been under way{at}, and one is made at a time. Nothing was "
            "sent to Barrack; the same call can be made again in a moment."
        )


Tell: TypeAlias = Callable[[str], Awaitable[None]]
"""Says a sentence to who makes the call, while it goes on."""


async def _tell_nobody(_: str) -> None:
    """Where nobody listens."""


class _Wait:
    """Says that a call waits: once, to the log and to who makes it."""

    def __init__(self, tell: Tell, patience: float) -> None:
        self._tell = tell
        self._patience = patience
        self._told = False

    async def begin(self, whose: str) -> None:
        """Say what the call waits for."""
        _log.info("a change waits for one %s", whose)
        if not self._told:
            self._told = True
            await self._tell(
                "Waiting: another change of this account is under way, and one is made at a time. This one waits "
                f"{self._patience:g} s at most."
            )


class Turns:
    """Gives the calls that change an account their turns.

    Args:
        store: Keeps the line that processes share.
        now: The time in seconds since 1970.
        patience: Seconds for which a call waits for its turn.
        hold: Seconds after which a turn has lapsed: longer than any call can take from its last read to its end.
        gone: Whether the process that bears a name has ended; by what the state knows if None.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], float] = time.time,
        patience: float = PATIENCE_S,
        hold: float,
        gone: Callable[[str], bool] | None = None,
    ) -> None:
        self._store = store
        self._now = now
        self._patience = patience
        self._hold = hold
        self._gone = gone or store.gone
        self._owner = name_owner()
        self._here: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()
        self._held: dict[int, Turn] = {}

    async def take(self, account: str, *, tell: Tell = _tell_nobody, recall: bool = False) -> Turn:
        """Wait for an account's turn, and hold it until it is given back.

        Args:
            account: What tells the account from others.
            tell: Hears once that the call waits, and for how long at most, where it doesn't come at once.
            recall: Whether to bring along what of the account is known here alone, where the turn comes at once.

        Raises:
            BusyError: It did not come in time; nothing is held.
            StoreError: The state can't be read or written; nothing is held.
        """
        digest = hashlib.sha256(account.encode()).hexdigest()
        here = self._here.get(digest)
        if here is None:
            # a plain lock is given back by the task that took it, and a write may end in another
            here = self._here[digest] = anyio.Semaphore(1, max_value=1)
        turn: Turn | None = None
        wait = _Wait(tell, self._patience)
        with anyio.move_on_after(self._patience):
            try:
                here.acquire_nowait()
            except anyio.WouldBlock:
                await wait.begin("of this process")
                await here.acquire()
            try:
                turn = await self._among_processes(digest, here, wait, recall=recall)
            except BaseException:
                here.release()
                raise
        if turn is None:
            line = await self._store.line(digest)
            raise BusyError(line[0].since if line else None)
        return turn

    async def _among_processes(self, account: str, here: anyio.Semaphore, wait: _Wait, *, recall: bool) -> Turn:
        queue = await self._queue(account, recall=recall)
        place = queue.places[-1]
        turn = self._held[place.number] = Turn(self, place, here)
        try:
            await anyio.lowlevel.checkpoint_if_cancelled()
            if await self._first(queue.places) == place:
                turn.holdings = queue.holdings
            else:
                await wait.begin("of another process")
                while await self._first(await self._store.line(account)) != place:  # noqa: ASYNC110 - the event is in another process
                    await anyio.sleep(_PAUSE_S)
        except BaseException:
            await self._leave(place)
            raise
        return turn

    async def _queue(self, account: str, *, recall: bool) -> Queue:
        """Line up, and see the line; whoever is cancelled on the way there leaves no place behind."""
        until = self._now() + self._patience + self._hold
        kept: list[Queue] = []
        with anyio.CancelScope(shield=True):
            kept.append(await self._store.line_up(account, self._owner, until=until, recall=recall))
        return kept[0]

    async def _first(self, line: Sequence[Place]) -> Place | None:
        """The first place of a line that still counts."""
        for place in line:
            if not self._is_over(place):
                return place
            await self._store.leave(place)
        return None

    def _is_over(self, place: Place) -> bool:
        if place.owner == self._owner:
            return place.number not in self._held
        return self._now() >= place.until or self._gone(place.owner)

    async def _leave(self, place: Place, *, left: bool = False) -> None:
        """Leave the line, also while being cancelled; where that can't be written, nobody here counts it any more.

        Args:
            place: Where.
            left: Whether the state says so already.
        """
        self._held.pop(place.number, None)
        if left:
            return
        with anyio.CancelScope(shield=True):
            try:
                await self._store.leave(place)
            except StoreError as error:
                _log.error("%s", error)

    def _has_lapsed(self, place: Place) -> bool:
        return self._now() >= place.until or not self._store.holds(place)


class Turn:
    """The right to change an account, until it is given back; `Turns.take` makes one.

    Attributes:
        place: In the line of those who want it.
        holdings: What of the account was known here alone when the turn came; None where nobody asked, or it had to be
            waited for.
    """

    def __init__(self, turns: Turns, place: Place, here: anyio.Semaphore) -> None:
        self.place = place
        self.holdings: Holdings | None = None
        self._turns = turns
        self._here: anyio.Semaphore | None = here
        self._left = False

    @property
    def lapsed(self) -> bool:
        """Whether another may have begun meanwhile, so that nothing may be sent any more."""
        return self._turns._has_lapsed(self.place)  # noqa: SLF001 - the two are one

    def has_left(self) -> None:
        """Take note that the state says already that the place is left: others may go on."""
        self._left = True

    async def give_back(self) -> None:
        """Let the next one go on; only the first time counts."""
        here, self._here = self._here, None
        if here is not None:
            try:
                await self._turns._leave(self.place, left=self._left)  # noqa: SLF001 - as above
            finally:
                here.release()
