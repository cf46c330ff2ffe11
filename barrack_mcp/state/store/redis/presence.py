"""Which processes are there, on whatever machine: so that what a dead one held is free in seconds.

A process says every other second that it is there, and holds a connection of its own. Who was silent for a while *and*
holds none has ended: the connection of a process that is killed is closed by its machine, that of one which can't be
reached is not. A process that could not say so in time takes what it holds for lost, before others do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup

from barrack_mcp.state.owner import incarnation, is_gone
from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.redis import scripts
from barrack_mcp.state.store.redis.home import PRESENCE, Home
from barrack_mcp.state.store.redis.link import SECONDS, Link

BEAT_S: Final = 2.0
"""How often a process says that it is there."""
SURE_S: Final = 5.0
"""For how long it may count on being known to be."""
GONE_S: Final = 7.0
"""When a silent process may be taken for gone: later than it stopped counting on anything, by a margin."""
_FORGOTTEN_S: Final = 86_400.0
_MS: Final = 1_000

_log = logging.getLogger(__name__)


class Presence:
    """Says that this process is there, and knows which are not.

    Args:
        link: The way to Redis.
        home: Writes there.
    """

    def __init__(self, link: Link, home: Home) -> None:
        self.name = incarnation()
        self.key = PRESENCE
        self._link = link
        self._home = home
        self._tasks: TaskGroup | None = None
        self._told_at = float("-inf")
        self._known = anyio.Event()
        self._era = ""
        self._places: set[int] = set()
        self._gone: frozenset[str] = frozenset()

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._beat)
        self._tasks.start_soon(self._stay)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks, self._tasks = self._tasks, None
        if tasks is None:
            return
        tasks.cancel_scope.cancel()
        # what the block raised is the block's: a group would wrap it
        await tasks.__aexit__(None, None, None)
        if self._told_at > float("-inf"):
            try:
                await self._home.write(scripts.GO, [self.key], self.name, GONE_S * _MS)
            except StoreError:
                _log.debug("Redis was not told that this process ends.")

    def gone(self, owner: str) -> bool:
        """Whether a process has ended, as far as that was known two seconds ago; False for all that nobody knows of."""
        return is_gone(owner) or incarnation(owner) in self._gone

    def holds(self, number: int) -> bool:
        """Whether a place that this process took can't have been given to another."""
        return number in self._places and _clock() - self._told_at < SURE_S and self._era == self._home.era

    @contextmanager
    def proving(self) -> Iterator[Callable[[int], None]]:
        """Take a place, which says that this process is there, too; call what is given with the place's number."""
        began = _clock()

        def proven(number: int) -> None:
            self._there(began)
            self._places.add(number)

        yield proven

    def left(self, number: int) -> None:
        """A place is not held any more."""
        self._places.discard(number)

    def _there(self, began: float) -> None:
        """Others know from then on that this process is there."""
        if began - self._told_at >= SURE_S or self._era != self._home.era:
            # it may have been taken for gone in between
            self._places.clear()
        self._known.set()
        self._told_at, self._era = max(began, self._told_at), self._home.era

    async def _beat(self) -> None:
        while True:
            began = _clock()
            try:
                away, gone = await self._home.write(
                    scripts.BEAT, [self.key], self.name, GONE_S * _MS, _FORGOTTEN_S * _MS, scripts.key("present", "")
                )
            except StoreError as error:
                _log.debug("%s", error)
            else:
                if away:
                    self._places.clear()
                self._there(began)
                self._gone = frozenset(gone) - {self.name}
            await anyio.sleep(BEAT_S)

    async def _stay(self) -> None:
        while True:
            # of a cluster, only the node that keeps the state tells who listens to it
            await self._known.wait()
            try:
                await self._link.listen(scripts.key("present", self.name))
            except StoreError as error:
                _log.debug("%s", error)
            await anyio.sleep(SECONDS / 2)


def _clock() -> float:
    """Seconds that go on while the machine sleeps, where that can be had."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
