"""How many requests are under way at once, how many calls wait for that, and how fast requests follow each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio

from barrack_mcp.api.errors import ApiError, Failure

AT_ONCE: Final = 16
WAITING: Final = 256
PER_MINUTE: Final = 400
"""The vendor publishes no limit; a comparable cloud allows 500."""

_MINUTE_S: Final = 60.0
_BURST: Final = 4
"""A quarter of a minute's requests may go at once, the rest evenly: in no minute more than all of them."""


class Pace:
    """Gives turns to send: so many at once, so many a minute.

    Args:
        per_minute: Requests in any minute at most; None for no limit.
        now: A clock that only goes forward, in seconds.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        *,
        per_minute: int | None,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        burst = per_minute // _BURST if per_minute else 0
        self._per_minute = per_minute
        self._interval = _MINUTE_S / (per_minute - burst) if per_minute else 0.0
        self._credit = burst * self._interval
        self._now = now
        self._sleep = sleep
        self._used_up_to = now()
        self._places = anyio.Semaphore(AT_ONCE)
        self._waiting = 0

    @asynccontextmanager
    async def turn(self, latest: float) -> AsyncIterator[None]:
        """Wait for a turn and keep it while the block runs.

        Args:
            latest: When sending must have begun, by the clock.

        Raises:
            ApiError: BUSY or THROTTLED; there is no turn in time, so nothing was sent. At once where that is known.
        """
        await self._place(latest)
        try:
            if self._now() > latest:
                raise _too_late()
            await self._even_out(latest)
            yield
        finally:
            self._places.release()

    async def _place(self, latest: float) -> None:
        self._refuse_beyond(latest, self._delay(ahead=self._waiting))
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock:
            await self._wait_for_place(latest)

    async def _wait_for_place(self, latest: float) -> None:
        if self._waiting >= WAITING:
            raise ApiError(Failure.BUSY, f"Busy: {AT_ONCE} requests are under way and {WAITING} wait; nothing was sent")
        self._waiting += 1
        got = False
        try:
            with anyio.move_on_after(latest - self._now()):
                await self._places.acquire()
                got = True
        finally:
            self._waiting -= 1
        if not got:
            raise _too_late()

    async def _even_out(self, latest: float) -> None:
        delay = self._delay()
        self._refuse_beyond(latest, delay)
        self._used_up_to = max(self._used_up_to, self._now()) + self._interval
        if not delay:
            return
        try:
            await self._sleep(delay)
        except BaseException:
            self._used_up_to -= self._interval
            raise

    def _delay(self, *, ahead: int = 0) -> float:
        """Seconds until a request may go that has so many before it."""
        now = self._now()
        return max(0.0, max(self._used_up_to, now) + (ahead + 1) * self._interval - self._credit - now)

    def _refuse_beyond(self, latest: float, delay: float) -> None:
        if delay and self._now() + delay > latest:
            raise ApiError(
                Failure.THROTTLED,
                f"This server sends at most {self._per_minute} requests a minute, so this one was not sent",
                retry_after=delay,
            )


def _too_late() -> ApiError:
    return ApiError(Failure.BUSY, "Busy: earlier requests took all the time there was; nothing was sent")
