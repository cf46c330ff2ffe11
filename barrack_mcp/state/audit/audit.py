"""Writes down what is about to be done before it is done, who allowed it, and what came of it."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import anyio
import anyio.to_thread

from barrack_mcp.state.audit.file import WAIT_S, append

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


class Audit:
    """An append-only record, written by any number of tasks and processes at once.

    Every method returns when its line is on the disk, and raises `AuditError`, one sentence for the operator, when it
    is not: then no write may be sent, while reads may go on. No line is ever half written because of a cancellation.
    Arguments are to be masked already; texts are cut at 2,000 characters.

    Args:
        path: The record, made with mode 0600 in a folder made with mode 0700.
        now: The time in seconds since 1970.
        wait: Seconds to wait for other processes that write.
    """

    def __init__(self, path: Path | str, *, now: Callable[[], float] = time.time, wait: float = WAIT_S) -> None:
        self._path = Path(path)
        self._now = now
        self._wait = wait
        # one at a time here, in order, so that waiting tasks hold no threads
        self._turn = anyio.CapacityLimiter(1)

    async def check(self) -> None:
        """Make the record if there is none, and see whether it can be written; writes no line.

        Raises:
            AuditError: It can't be, or its end is damaged or missing.
        """
        await self._in_thread("", {}, on_intact=_nothing)

    async def intent(
        self,
        *,
        caller: str,
        tool: str,
        risk: str,
        arguments: Mapping[str, Any],
        plan: str | None,
        confirmed: str,
        api: str,
    ) -> str:
        """Write down that a call is about to be sent; send it only after this has returned.

        A caller that is cancelled while it waits for its turn leaves no line. One that is cancelled later has a line,
        and owes it an outcome.

        Args:
            caller: Who asked for it.
            tool: The tool's name.
            risk: The operation's risk.
            arguments: Its arguments, masked.
            plan: Digest of the plan that was shown; None if there was none.
            confirmed: How it was allowed: `ELICITED`, `UNATTENDED`, `NEVER_ASKS` or `approved_by(…)`.
            api: The API's host.

        Returns:
            The intent's id, for its outcome.

        Raises:
            AuditError: It is not written, so nothing may be sent.
        """
        intent_id = f"in-{secrets.token_hex(8)}"
        fields = {
            "id": intent_id,
            "caller": caller,
            "tool": tool,
            "risk": risk,
            "arguments": arguments,
            "plan": plan,
            "confirmed": confirmed,
            "api": api,
            "process": os.getpid(),
        }
        await self._in_thread("intent", fields)
        return intent_id

    async def outcome(
        self,
        intent_id: str,
        *,
        outcome: Came,
        message: str,
        request_id: str | None = None,
        status: int | None = None,
        attempts: int = 0,
        seconds: float = 0.0,
    ) -> None:
        """Write down what came of an intent, even if the caller is cancelled meanwhile.

        Args:
            intent_id: The intent's id.
            outcome: What came of it; refused: it was not sent after all.
            message: The same in a sentence.
            request_id: The API's name for the request.
            status: HTTP status; None without an answer.
            attempts: How often it was sent.
            seconds: How long it took in all.

        Raises:
            AuditError: It is not written; the intent stays without an outcome.
        """
        fields = {
            "intent": intent_id,
            "outcome": outcome,
            "message": message,
            "request_id": request_id,
            "status": status,
            "attempts": attempts,
            "seconds": round(seconds, 3),
        }
        await self._shielded("outcome", fields)

    async def decision(
        self,
        *,
        caller: str,
        tool: str,
        risk: str,
        arguments: Mapping[str, Any],
        decision: Decided,
        message: str,
        plan: str | None = None,
        approval: str | None = None,
    ) -> None:
        """Write down that a call was not sent: it was refused, or waits for a person.

        Args:
            caller: Who asked for it.
            tool: The tool's name.
            risk: The operation's risk.
            arguments: Its arguments, masked.
            decision: What was decided.
            message: Why, in a sentence.
            plan: Digest of the plan that was shown.
            approval: Id of the request for a person's yes.

        Raises:
            AuditError: It is not written.
        """
        fields = {
            "caller": caller,
            "tool": tool,
            "risk": risk,
            "arguments": arguments,
            "decision": decision,
            "message": message,
            "plan": plan,
            "approval": approval,
            "process": os.getpid(),
        }
        await self._shielded("decision", fields)

    async def approval(
        self, approval_id: str, *, caller: str, tool: str, answer: Answered, by: str, plan: str | None = None
    ) -> None:
        """Write down a person's answer.

        Args:
            approval_id: Id of the request.
            caller: Who asked for the call.
            tool: The tool's name.
            answer: The answer.
            by: Who gave it.
            plan: Digest of the plan that was shown.

        Raises:
            AuditError: It is not written, so the answer may not count.
        """
        fields = {
            "approval": approval_id,
            "caller": caller,
            "tool": tool,
            "answer": answer,
            "by": by,
            "plan": plan,
            "process": os.getpid(),
        }
        await self._shielded("approval", fields)

    async def _shielded(self, kind: str, fields: Mapping[str, Any]) -> None:
        with anyio.CancelScope(shield=True):
            await self._in_thread(kind, fields)

    async def _in_thread(
        self, kind: str, fields: Mapping[str, Any], *, on_intact: Callable[[], None] | None = None
    ) -> None:
        step = partial(append, self._path, kind, fields, at=self._at, wait=self._wait, on_intact=on_intact)
        await anyio.to_thread.run_sync(step, abandon_on_cancel=False, limiter=self._turn)

    def _at(self) -> str:
        return datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _nothing() -> None: ...
