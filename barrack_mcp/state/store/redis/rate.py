"""How many requests all servers send together: each claims its own of the one Redis that they share.

A claim is made for all that wait for one, and, while there is plenty, for some more that may come at once: a request
then seldom waits for Redis. What is claimed holds for two seconds, so all of them together are counted for as long.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

import anyio

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.redis import scripts
from barrack_mcp.state.store.redis.link import Link

HOLDS_S: Final = 2.0
"""How long what was claimed may be sent; an answer that takes longer is none."""
TOGETHER: Final = 8
"""Requests that a claim is for, if there is plenty and fewer wait."""
ALONE_S: Final = 10.0
"""How long Redis isn't asked again once it could not answer."""
_MINUTE_S: Final = 60.0
_MS: Final = 1_000

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Wish:
    """A request that wants to be sent.

    Attributes:
        most: Milliseconds that it can wait.
        delay: Seconds that it has to wait; None before that is known.
    """

    most: int
    delay: float | None = None


class Rate:
    """Claims the requests of one server towards one account.

    Args:
        link: The way to Redis.
        account: What tells the account from others.
        per_minute: Requests of all servers in any minute at most.
        burst: Of these, so many may go at once, the rest evenly.
        now: A clock that only goes forward, in seconds.
    """

    def __init__(
        self, link: Link, account: str, *, per_minute: int, burst: int, now: Callable[[], float] = monotonic
    ) -> None:
        self._link = link
        self._key = scripts.key("pace", hashlib.sha256(account.encode()).hexdigest())
        # whatever is claimed within a minute may be sent within that and the time for which it holds
        self._interval = math.ceil((_MINUTE_S + HOLDS_S) * _MS / (per_minute - burst))
        self._credit = burst * self._interval
        self._now = now
        self._asking = anyio.Lock()
        self._wishes: list[_Wish] = []
        self._at_hand = 0
        self._at_hand_until = float("-inf")
        self._alone = False
        self._alone_until = float("-inf")

    async def claim(self, most: float) -> float:
        """Claim a request.

        Args:
            most: Seconds that it can wait.

        Returns:
            The seconds that it has to wait; if those are more, nothing is claimed. None to wait where Redis can't say.
        """
        if self._has_one():
            return 0.0
        # while one finds out whether Redis is there again, the others go on without it
        if self._alone and (self._asking.locked() or self._now() < self._alone_until):
            return 0.0
        wish = _Wish(math.floor(max(most, 0.0) * _MS))
        self._wishes.append(wish)
        try:
            # whoever comes first asks for all
            async with self._asking:
                if wish.delay is None:
                    wish.delay = 0.0 if self._has_one() else await self._ask(wish)
        finally:
            if wish in self._wishes:
                self._wishes.remove(wish)
        return wish.delay

    def _has_one(self) -> bool:
        """Take one of those at hand, if there are any."""
        if not self._at_hand or self._now() >= self._at_hand_until:
            return False
        self._at_hand -= 1
        return True

    async def _ask(self, wish: _Wish) -> float:
        """Claim for all that wait, and answer how long one of them has to."""
        asked, began = list(self._wishes), self._now()
        more = max(0, TOGETHER - len(asked))
        try:
            told = await self._link.run(
                scripts.CLAIM, [self._key], self._interval, self._credit, more, *(each.most for each in asked)
            )
        except StoreError as error:
            self._go_on_alone(str(error))
            delays = [0.0] * len(asked)
        else:
            self._at_hand, *waits = told
            self._at_hand_until = began + HOLDS_S
            delays = [wait / _MS for wait in waits]
            self._alone = False
            if self._now() >= self._at_hand_until:
                self._go_on_alone("Redis took too long to answer.")
                delays = [0.0] * len(asked)
        for each, delay in zip(asked, delays, strict=True):
            each.delay = delay
        self._wishes = [each for each in self._wishes if each.delay is None]
        return delays[asked.index(wish)]

    def _go_on_alone(self, why: str) -> None:
        if not self._alone:
            _log.warning("%s Until it answers, each server keeps to its own requests a minute.", why)
        self._alone, self._alone_until = True, self._now() + ALONE_S
