"""How many requests are under way at once, how many calls wait for that, and how fast requests follow each other.

All of that is shared by those who send: whoever asks for little is served before whoever asks for more once more. A
call waits in the line of its share, and the lines take turns; where too many wait, the longest line gives way. How
fast requests follow each other may be shared with other servers, too.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

import anyio

from barrack_mcp.api.errors import ApiError, Failure

AT_ONCE: Final = 16
OF_ONE: Final = 12
"""Of these, so many are one share's at most, once there are several: a place is free for whoever comes."""
WAITING: Final = 256
PER_MINUTE: Final = 400
"""The vendor publishes no limit; a comparable cloud allows 500."""

_MINUTE_S: Final = 60.0
_QUARTER: Final = 4
BURST: Final = PER_MINUTE // _QUARTER
"""A quarter of a minute's requests may go at once, the rest evenly: in no minute more than all of them."""

_share: ContextVar[str] = ContextVar("share", default="")


class sharing:  # noqa: N801 - reads as the function it stands for
    """Let what a block sends count for somebody; a class, since it stands around each call.

    Args:
        name: What tells them from others who send.
    """

    __slots__ = ("_before", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._before: Token[str] | None = None

    def __enter__(self) -> None:
        self._before = _share.set(self._name)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            _share.reset(self._before)


@dataclass(eq=False)
class _Waiting:
    """A call that waits for a place."""

    over: anyio.Event = field(default_factory=anyio.Event)
    got: bool = False
    turned_away: bool = False


class Pace:
    """Gives turns to send: so many at once, so many a minute.

    Args:
        per_minute: Requests in any minute at most; None for no limit.
        now: A clock that only goes forward, in seconds.
        sleep: Waits for so many seconds.
        claim: Claims a request of those that all servers may send together: takes the seconds that it can wait, and
            answers those that it has to; more than it can where nothing was claimed. None if this server is alone.
    """

    def __init__(
        self,
        *,
        per_minute: int | None,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        claim: Callable[[float], Awaitable[float]] | None = None,
    ) -> None:
        burst = per_minute // _QUARTER if per_minute else 0
        self._per_minute = per_minute
        self._interval = _MINUTE_S / (per_minute - burst) if per_minute else 0.0
        self._credit = burst * self._interval
        self._now = now
        self._sleep = sleep
        self._claim = claim if per_minute else None
        self._used_up_to = now()
        self._held: Counter[str] = Counter()
        self._lines: OrderedDict[str, deque[_Waiting]] = OrderedDict()
        """Who waits, by share; the share whose turn it is stands first."""
        self._first: str | None = None
        self._several = False
        """Whether more than one share has ever sent."""

    @property
    def under_way(self) -> int:
        """How many have a turn."""
        return self._held.total()

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return sum(map(len, self._lines.values()))

    def turn(self, latest: float) -> AbstractAsyncContextManager[None]:
        """Wait for a turn and keep it while the block runs.

        Args:
            latest: When sending must have begun, by the clock.

        Raises:
            ApiError: BUSY or THROTTLED; there is no turn in time, so nothing was sent. At once where that is known.
        """
        return _Turn(self, _share.get(), latest)

    async def take(self, share: str, latest: float) -> None:
        """Wait for a turn of a share and take it, as `turn` does; who took it gives it back.

        Raises:
            ApiError: As `turn` does.
        """
        self._several = self._several or self._first not in (None, share)
        self._first = share if self._first is None else self._first
        await self._place(share, latest)
        try:
            await self._even_out(latest)
        except BaseException:
            self.give_back(share)
            raise

    async def _place(self, share: str, latest: float) -> None:
        self._refuse_beyond(latest, self._delay(ahead=self._ahead(share)))
        if self._may_have(share):
            self._held[share] += 1
            return
        if self.waiting >= WAITING:
            self._make_room(share)
        await self._wait(share, latest)

    async def _wait(self, share: str, latest: float) -> None:
        waiting = _Waiting()
        self._lines.setdefault(share, deque()).append(waiting)
        try:
            with anyio.move_on_after(latest - self._now()):
                await waiting.over.wait()
        except BaseException:
            if waiting.got:
                self.give_back(share)
            raise
        finally:
            if not waiting.over.is_set():
                self._leave(share, waiting)
        if waiting.turned_away:
            raise _busy()
        if not waiting.got:
            raise _too_late()

    def _may_have(self, share: str) -> bool:
        """Whether a place is free for a share."""
        most = OF_ONE if self._several else AT_ONCE
        return self._held.total() < AT_ONCE and self._held[share] < most

    def _ahead(self, share: str) -> int:
        """How many calls that wait are served before the next of a share, as the lines take turns."""
        if not self._lines:
            return 0
        own = len(self._lines.get(share, ()))
        return own + sum(min(len(line), own + 1) for name, line in self._lines.items() if name != share)

    def _make_room(self, share: str) -> None:
        """Turn away the last of the longest line; whoever has that line is told so themselves."""
        longest = max(self._lines, key=lambda name: len(self._lines[name]))
        if len(self._lines[longest]) <= len(self._lines.get(share, ())) + 1:
            raise _busy()
        last = self._lines[longest][-1]
        last.turned_away = True
        self._leave(longest, last)
        last.over.set()

    def _leave(self, share: str, waiting: _Waiting) -> None:
        self._lines[share].remove(waiting)
        if not self._lines[share]:
            del self._lines[share]

    def give_back(self, share: str) -> None:
        """Give a share's turn back, and on to whose it is."""
        self._held[share] -= 1
        if not self._held[share]:
            del self._held[share]
        while self._lines and (next_ := next((name for name in self._lines if self._may_have(name)), None)) is not None:
            first = self._lines[next_][0]
            self._leave(next_, first)
            if next_ in self._lines:
                self._lines.move_to_end(next_)
            self._held[next_] += 1
            first.got = True
            first.over.set()

    async def _even_out(self, latest: float) -> None:
        if self._now() > latest:
            raise _too_late()
        if not self._per_minute:
            return
        delay = self._delay()
        self._refuse_beyond(latest, delay)
        due = self._now() + delay
        self._used_up_to = max(self._used_up_to, self._now()) + self._interval
        try:
            if self._claim is not None:
                due = max(due, await self._due_among_all(self._claim, latest))
            if due > self._now():
                await self._sleep(due - self._now())
        except BaseException:
            self._used_up_to -= self._interval
            raise

    async def _due_among_all(self, claim: Callable[[float], Awaitable[float]], latest: float) -> float:
        """When a request may go beside those of other servers."""
        delay = await claim(latest - self._now())
        due = self._now() + delay
        if delay:
            # no later one goes sooner, so who has no time for that is told at once
            self._used_up_to = max(self._used_up_to, due + self._credit)
        if not delay and self._now() > latest:
            raise _too_late()
        self._refuse_beyond(latest, delay)
        return due

    def _delay(self, *, ahead: int = 0) -> float:
        """Seconds until a request may go that has so many before it."""
        now = self._now()
        return max(0.0, max(self._used_up_to, now) + (ahead + 1) * self._interval - self._credit - now)

    def _refuse_beyond(self, latest: float, delay: float) -> None:
        if delay and self._now() + delay > latest:
            who = "This server sends" if self._claim is None else "The servers that share a state send together"
            raise ApiError(
                Failure.THROTTLED,
                f"{who} at most {self._per_minute} requests a minute, so this one was not sent",
                retry_after=delay,
            )


class _Turn:
    """A turn while a block runs; a class, since a generator around each request takes several times as long."""

    __slots__ = ("_latest", "_pace", "_share")

    def __init__(self, pace: Pace, share: str, latest: float) -> None:
        self._pace = pace
        self._share = share
        self._latest = latest

    async def __aenter__(self) -> None:
        await self._pace.take(self._share, self._latest)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        self._pace.give_back(self._share)


def _too_late() -> ApiError:
    return ApiError(Failure.BUSY, "Busy: earlier requests took all the time there was; nothing was sent")


def _busy() -> ApiError:
    return ApiError(Failure.BUSY, f"Busy: {AT_ONCE} requests are under way and {WAITING} wait; nothing was sent")
