"""Writes down what is about to be done before it is done, who allowed it, and what came of it."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NotRequired, TypeAlias, TypedDict, Unpack

import anyio
import anyio.to_thread

from barrack_mcp.state.audit.file import WAIT_S, append
from barrack_mcp.state.audit.origin import current
from barrack_mcp.state.audit.record import AuditError

Came: TypeAlias = Literal["done", "refused", "failed", "unknown"]
Decided: TypeAlias = Literal["refused", "approval_required"]
Answered: TypeAlias = Literal["approved", "denied", "expired"]

ELICITED: Final = "elicited"
"""The client asked and its answer was a yes."""
UNATTENDED: Final = "unattended"
"""The operator lets this risk run without asking."""
NEVER_ASKS: Final = "never asks"
"""The operation's risk needs no yes."""


def approved_by(who: str) -> str:
    """Say who gave the yes out of band."""
    return f"approved by {who}"


class _Asked(TypedDict):
    caller: str
    """Who asked for it."""
    on_behalf_of: NotRequired[str | None]
    """For whom the caller says that it acts; left out if it says nobody."""
    tool: str
    """The tool's name."""
    plan: NotRequired[str | None]
    """Digest of the plan that was shown; None if there was none."""


class _Call(_Asked):
    risk: str
    """The operation's risk."""
    arguments: Mapping[str, Any]
    """Its arguments, masked."""


class _Shown(_Call):
    shown: Mapping[str, Any]
    """The plan itself, secrets out."""
    question: str | None
    """The words that were put through the client; None out of band."""
    approval: str | None
    """Id of the request out of band; None through the client."""


class _Intent(_Call):
    confirmed: str
    """How it was allowed: `ELICITED`, `UNATTENDED`, `NEVER_ASKS` or `approved_by(…)`."""
    api: str
    """The API's host."""
    approval: NotRequired[str | None]
    """Id of the request that a person approved out of band."""
    replaced: NotRequired[list[str]]
    """The text that is overwritten, in pieces."""


class _Outcome(TypedDict):
    outcome: Came
    """What came of it; refused: it was not sent after all."""
    message: str
    """The same in a sentence."""
    request_id: NotRequired[str | None]
    """The API's name for the request."""
    status: NotRequired[int | None]
    """HTTP status; None without an answer."""
    attempts: NotRequired[int]
    """How often it was sent."""
    seconds: NotRequired[float]
    """How long it took in all."""


class _Decision(_Call):
    decision: Decided
    """What was decided."""
    message: str
    """Why, in a sentence."""
    approval: NotRequired[str | None]
    """Id of the request for a person's yes."""


class _Reply(_Asked):
    answer: Answered
    """The answer."""
    by: str
    """Who gave it."""


class Audit:
    """An append-only record, written by any number of tasks and processes at once.

    Every method returns when its line is on the disk, and raises `AuditError`, one sentence for the operator, when it
    is not: then no write may be sent, while reads may go on. No line is ever half written because of a cancellation.
    Arguments are to be masked already; texts are cut at 2,000 characters.

    Args:
        path: The record, made with mode 0600 in a folder made with mode 0700.
        now: The time in seconds since 1970.
        wait: Seconds to wait for other processes that write.
        on_error: Told of each failure.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        now: Callable[[], float] = time.time,
        wait: float = WAIT_S,
        on_error: Callable[[], None] | None = None,
    ) -> None:
        self._path = Path(path)
        self._now = now
        self._wait = wait
        self._on_error = on_error
        # one at a time here, in order, so that waiting tasks hold no threads
        self._turn = anyio.CapacityLimiter(1)

    async def check(self) -> None:
        """Make the record if there is none, and see whether it can be written; writes no line.

        Raises:
            AuditError: It can't be, or its end is damaged or missing.
        """
        await self._in_thread("", {}, on_intact=_nothing)

    async def intent(self, **fields: Unpack[_Intent]) -> str:
        """Write down that a call is about to be sent; send it only after this has returned.

        A caller that is cancelled while it waits for its turn leaves no line. One that is cancelled later has a line,
        and owes it an outcome.

        Returns:
            The intent's id, for its outcome.

        Raises:
            AuditError: It is not written, so nothing may be sent.
        """
        intent_id = f"in-{secrets.token_hex(8)}"
        unsaid = {"plan": None, "approval": None}
        await self._in_thread("intent", {"id": intent_id, **unsaid, **fields, "process": os.getpid()})
        return intent_id

    async def outcome(self, intent_id: str, **fields: Unpack[_Outcome]) -> None:
        """Write down what came of an intent, even if the caller is cancelled meanwhile.

        Raises:
            AuditError: It is not written; the intent stays without an outcome.
        """
        unsaid = {"request_id": None, "status": None, "attempts": 0}
        seconds = round(fields.get("seconds", 0.0), 3)
        await self._shielded("outcome", {"intent": intent_id, **unsaid, **fields, "seconds": seconds})

    async def decision(self, **fields: Unpack[_Decision]) -> None:
        """Write down that a call was not sent: it was refused, or waits for a person.

        Raises:
            AuditError: It is not written.
        """
        await self._shielded("decision", {"plan": None, "approval": None, **fields, "process": os.getpid()})

    async def shown(self, **fields: Unpack[_Shown]) -> None:
        """Write down what a person is asked, before they are: the plan itself, under the digest that later lines bear.

        Raises:
            AuditError: It is not written, so nobody may be asked.
        """
        await self._shielded("shown", {**fields, "process": os.getpid()})

    async def approval(self, approval_id: str, **fields: Unpack[_Reply]) -> None:
        """Write down a person's answer to the request of that id.

        Raises:
            AuditError: It is not written, so the answer may not count.
        """
        await self._shielded("approval", {"approval": approval_id, "plan": None, **fields, "process": os.getpid()})

    async def _shielded(self, kind: str, fields: Mapping[str, Any]) -> None:
        with anyio.CancelScope(shield=True):
            await self._in_thread(kind, fields)

    async def _in_thread(
        self, kind: str, fields: Mapping[str, Any], *, on_intact: Callable[[], None] | None = None
    ) -> None:
        fields = {**fields, **_origin()}
        if fields.get("on_behalf_of", "") is None:
            del fields["on_behalf_of"]
        step = partial(append, self._path, kind, fields, at=self._at, wait=self._wait, on_intact=on_intact)
        try:
            await anyio.to_thread.run_sync(step, abandon_on_cancel=False, limiter=self._turn)
        except AuditError:
            if self._on_error is not None:
                self._on_error()
            raise

    def _at(self) -> str:
        return datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _origin() -> dict[str, str]:
    """Say for which request a line is written, and for whom its caller says it is made."""
    origin = current()
    said = {"request": origin.request, "on_behalf_of": origin.on_behalf_of}
    return {name: value for name, value in said.items() if value}


def _nothing() -> None: ...
