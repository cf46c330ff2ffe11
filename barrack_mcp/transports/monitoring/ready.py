"""Whether this server can do its work: the state can be kept, the key is accepted, the API answers.

Probes come from several places and often. However many there are, all that is asked of the API is one small read in a
while, and nobody waits for it who can have the last answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from barrack_mcp.account.account import Account
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.state.audit import Audit, AuditError
from barrack_mcp.state.store import Store, StoreError

EVERY_S: Final = 15.0
"""How often there is a look at all."""
PATIENCE_S: Final = 4.0
"""How long one look may take; a probe waits no longer."""

_NAMED: Final = ("store", "key", "api")
_ASKED: Final = BY_TOOL["get_credit_balance"]
"""The smallest read that shows that the key opens the account."""
_KEYLESS: Final = frozenset({Failure.NO_KEY, Failure.UNAUTHORISED})
_ANSWERED: Final = frozenset({Failure.REJECTED, Failure.THROTTLED, Failure.BUSY})
"""The API answered, if not with what was asked for, or so much goes on that it was not asked."""

_log = logging.getLogger(__name__)


class Readiness:
    """Looks whether this server can do its work, and answers probes.

    Args:
        account: The account of the server's own key.
        store: Where the state is kept.
        record: The audit record; None where none is kept.
        draining: Whether this server has been told to end.
        has_key: Whether calls have a key of the server's own to be made with; callers may bring theirs.
        now: A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        account: Account,
        store: Store,
        record: Audit | None,
        *,
        draining: Callable[[], bool],
        has_key: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account = account
        self._store = store
        self._record = record
        self._draining = draining
        self._has_key = has_key
        self._now = now
        self._lacking: tuple[str, ...] | None = None
        self._looked_at = 0.0
        self._turn = anyio.Lock()

    async def answer(self, _: Request) -> Response:
        """Answer a probe: 200, or 503 and which of store, key and API isn't there."""
        if self._draining():
            return JSONResponse({"status": "draining"}, 503)
        lacking = await self.lacking()
        if lacking:
            return JSONResponse({"status": "not ready", "lacking": lacking}, 503)
        return JSONResponse({"status": "ready"})

    async def lacking(self) -> tuple[str, ...]:
        """Name what isn't there, of `store`, `key` and `api`, as seen last or, if that is long ago, now."""
        if self._lacking is not None and (self._turn.locked() or self._now() - self._looked_at < EVERY_S):
            return self._lacking
        async with self._turn:
            if self._lacking is None or self._now() - self._looked_at >= EVERY_S:
                self._looked_at = self._now()
                # a probe that gives up takes nothing of it with it: the next one would ask anew
                with anyio.CancelScope(shield=True):
                    why = await self._look()
                if why and tuple(why) != self._lacking:
                    _log.warning("Not ready: %s", " ".join(why.values()))
                self._lacking = tuple(why)
        return self._lacking

    async def _look(self) -> dict[str, str]:
        """Say what isn't there, and why; the state and the API are looked at side by side."""
        found: dict[str, str] = {}

        async def note(look: Callable[[], Awaitable[dict[str, str]]]) -> None:
            found.update(await look())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(note, self._unkept)
            tasks.start_soon(note, self._unanswered)
        return {name: found[name] for name in _NAMED if name in found}

    async def _unkept(self) -> dict[str, str]:
        """Say why the state or the record can't be written; nothing if they can."""
        with anyio.move_on_after(PATIENCE_S):
            try:
                await self._store.identity()
                if self._record is not None:
                    await self._record.check()
            except (StoreError, AuditError) as error:
                return {"store": str(error)}
            return {}
        return {"store": f"The state did not answer within {PATIENCE_S:g} s."}

    async def _unanswered(self) -> dict[str, str]:
        """Say why calls can't be made, by one request; nothing if they can."""
        if not self._has_key:
            return {}
        with anyio.move_on_after(PATIENCE_S):
            try:
                await self._account.client.send(_ASKED, {}, attempts_at_most=1)
            except ApiError as error:
                if error.failure in _ANSWERED:
                    return {}
                return {"key" if error.failure in _KEYLESS else "api": error.sentence}
            return {}
        return {"api": f"The API did not answer within {PATIENCE_S:g} s."}
