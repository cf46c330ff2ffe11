"""Whether what Redis holds is still what was written there, so that no yes is good twice.

A state that is another one, or an older version of itself, is refused until the server is started again: what was
written meanwhile is lost. A server that was started anew, or took over from another, may have lost what it confirmed
last, and nobody can tell: unless it proves that it can't have, what was asked for before counts no more (a new *era*).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, Final

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.records import Status
from barrack_mcp.state.store.redis import keeping, scripts
from barrack_mcp.state.store.redis.link import Link, Told
from barrack_mcp.state.store.redis.scripts import ANEW, BACK, DONE, LOST, Script, key

PRESENCE: Final = key("present")

_TRIES: Final = 5
_SURE_S: Final = 5.0
"""How long a write proves that the next one can be made; who is there makes one every other second."""
_SETTLED: Final = (
    key("approvals"),
    key("approvals", "until"),
    key("approvals", "live"),
    key("approvals", "bindings"),
    *(key("approvals", status) for status in Status),
    PRESENCE,
)
_MEND: Final = "Start the server again, and look first at what was bought meanwhile."
_REFUSED: Final = {
    LOST: f"Redis holds another state than the one that was in use; what it held is lost. {_MEND}",
    BACK: f"Redis holds an older version of the state: it was set back while it was in use. {_MEND}",
    ANEW: "Redis is started anew again and again; nothing is changed until that is mended.",
}
_THROWS_AWAY: Final = (
    "The Redis that BARRACK_STATE names may throw away what it holds when it is full; set its maxmemory-policy to "
    "noeviction."
)
_NEW_ERA: Final = (
    "Redis was started anew, or another server took its place, and doesn't prove that nothing is lost: what was asked "
    "for before has to be asked anew. Look at what was bought last. With appendonly yes, appendfsync always and no "
    "replica, a new start costs nothing."
)
_NOT_KEPT: Final = "Redis keeps what it holds in memory alone; set appendonly yes, or a new start loses it."
_PROVES: Final = "1"
_OURS: Final = 1
"""The answer to the one of those that settle at once which did it."""
_NO_ERA: Final = "0"

_log = logging.getLogger(__name__)


class Home:
    """Knows which state this is, and writes to that one alone.

    Args:
        link: The way to it.
        expire: Answers what is open, and what it is once it has expired: id, record before, record after.
    """

    def __init__(self, link: Link, expire: Callable[[], Awaitable[Sequence[tuple[str, str, str]]]]) -> None:
        self._link = link
        self._expire = expire
        self._id = ""
        self._era = ""
        self._seen = 0
        self._sure_at = float("-inf")

    @property
    def era(self) -> str:
        """From when to when answers count; empty before it is known."""
        return self._era

    async def identity(self) -> str:
        """Answer what tells this state from every other; makes it where there is none.

        Raises:
            StoreError: It can't be written, or is not what it was.
        """
        if self._id and monotonic() - self._sure_at < _SURE_S:
            return self._id
        if not self._id:
            _see_that_it_keeps(await self._link.ask("INFO"))
        made = secrets.token_hex(16)
        found = await self._done(lambda: self._link.run(scripts.OPEN, [scripts.META], self._id, self._seen, made))
        self._id = str(found)
        return self._id

    async def write(self, script: Script, keys: Iterable[str], *values: str | float) -> Told:
        """Run a script that writes, if the state is still the one that it was.

        Raises:
            StoreError: It is not, or nobody knows whether it was written.
        """
        if not self._id:
            await self.identity()
        keys = [scripts.META, *keys]
        return await self._done(lambda: self._link.run(script, keys, self._id, self._seen, *values))

    def new_nonce(self) -> str:
        """Make a nonce that is good in this era alone."""
        return f"{self._era or _NO_ERA}.{secrets.token_urlsafe(18)}"

    async def _done(self, run: Callable[[], Awaitable[Told]]) -> Told:
        said = ""
        for _ in range(_TRIES):
            began = monotonic()
            said, *told = await run()
            if said == DONE:
                written, era, answer = told
                self._seen = max(self._seen, int(written))
                self._era = era
                self._sure_at = max(self._sure_at, began)
                return answer
            if said != ANEW:
                break
            # it did nothing, so it may be run again
            await self._settle()
        raise StoreError(_REFUSED[said])

    async def _settle(self) -> None:
        """Go on with a server that was started anew, or took over."""
        told = await self._link.ask("INFO")
        proves = await keeping.proves(self._link, told)
        proved, run, era = await self._link.ask("HMGET", scripts.META, "proves", "run", "era")
        keeps = not run or (proves and proved == _PROVES)
        ended = [] if keeps else [value for each in await self._expire() for value in each]
        made = "" if keeps else secrets.token_hex(16)
        settled = await self._link.run(
            scripts.SETTLE, [scripts.META, *_SETTLED], made, era or "", _PROVES if proves else "", *ended
        )
        if settled == _OURS and not told.get("aof_enabled"):
            _log.warning(_NOT_KEPT)
        if settled == _OURS and not keeps:
            _log.warning(_NEW_ERA)


def _see_that_it_keeps(told: Mapping[str, Any]) -> None:
    """See that it doesn't make room for what is new by what it holds.

    Raises:
        StoreError: It does.
    """
    if keeping.throws_away(told):
        raise StoreError(_THROWS_AWAY)
