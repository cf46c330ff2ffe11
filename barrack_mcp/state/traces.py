"""By whom and when a thing was last changed through us: kept in the state, so that it outlives the process."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from barrack_mcp.state.store import End, Store, Trace

KEPT_S: Final = 365 * 86_400.0
"""How long a trace is kept."""
MOST: Final = 10_000
"""Traces that are kept at most, the newest."""


class Traces:
    """Remembers the last change of each thing.

    Args:
        store: Keeps them.
        now: The time in seconds since 1970.
    """

    def __init__(self, store: Store, *, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now

    def note(self, account: str, things: Iterable[tuple[str, str]], *, caller: str) -> End:
        """Write up that things were changed; it counts once it is kept.

        Args:
            account: What tells the account from others.
            things: Type and id of each.
            caller: Who had it done.
        """
        digest, now = _digest(account), self._now()
        traces = [Trace(account=digest, thing=_key(*each), caller=caller, at=now) for each in things]
        return End(traces=traces, since=now - KEPT_S, most=MOST)

    async def find(self, account: str, things: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Trace]:
        """Answer the last change of each of these things that was changed through us.

        Raises:
            StoreError: The state can't be read.
        """
        keys = {_key(*each): each for each in things}
        found = await self._store.traces(_digest(account), list(keys)) if keys else []
        return {keys[trace.thing]: trace for trace in found}


def _digest(account: str) -> str:
    return hashlib.sha256(account.encode()).hexdigest()


def _key(kind: str, thing_id: str) -> str:
    return f"{kind} {thing_id}"
