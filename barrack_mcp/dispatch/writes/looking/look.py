"""Looking instead of guessing: a write without an answer is never sent again; what is read tells what became of it.

What is said, and when:

- `done` only if the write's effect is there *and was not there before*: without a reading from before it was sent, a
  stopped instance, a missing volume or a rule that looks the same proves nothing.
- `failed` never. The request may still be on its way through a proxy or a queue when we look, and an API that answers
  500 may have passed the order on before. That nothing is seen yet is no proof that nothing comes, and a wrong "failed"
  makes the caller buy twice. Only an answer in full says `failed`, and who has one doesn't look.
- `unknown` in all other cases, with the read that will tell.

The one thing that no look can tell apart is somebody else doing exactly the same at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, assert_never

import anyio

from barrack_mcp.account.reading import Reader
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import JsonObject, Operation, signs
from barrack_mcp.catalogue.outcome import LookWith
from barrack_mcp.dispatch.writes.looking import changes, made, parts
from barrack_mcp.dispatch.writes.looking.sign import NOT_READ_BEFORE, Case, Seen
from barrack_mcp.dispatch.writes.looking.view import View, look_with, one_read, view

__all__ = ["LOOKS_AT", "SECONDS", "Looked", "View", "look", "look_with", "note"]

LOOKS_AT: Final = (0.0, 1.0, 3.0)
"""When to look, in seconds from the first look: an effect may come late."""

SECONDS: Final = 10.0
"""Time for all looks."""

NOTE_SECONDS: Final = 5.0
"""Time for the reading before a write: it is only of use if all goes wrong, so nobody waits long for it."""


@dataclass(frozen=True)
class Looked:
    """What looking came to.

    Attributes:
        outcome: Whether it took place: for certain, or nobody knows.
        sentence: What was seen and what to do now.
        result: What is seen of it, in the form of the API's own answer; None unless it is done.
        look_with: The read that will tell.
    """

    outcome: Literal["done", "unknown"]
    sentence: str
    look_with: LookWith
    result: JsonObject | None = None


async def note(
    operation: Operation,
    values: Mapping[str, Any],
    *,
    read: Reader,
    planned: bool = False,
    seconds: float = NOTE_SECONDS,
) -> View | None:
    """Read how things stand before a write is sent, in one request; what `look` will compare with.

    Args:
        operation: The write that is about to be sent.
        values: Its validated arguments.
        read: Sends one read.
        planned: Whether the write was planned by the same reader, which doesn't read the same again.
        seconds: Time for it.

    Returns:
        What the write's own look shows now; None if that can't be read, which hinders nothing but a later `done`.
    """
    with anyio.move_on_after(seconds), suppress(ApiError):
        return await one_read(operation, values, read, planned=planned)
    return None


async def look(
    operation: Operation,
    values: Mapping[str, Any],
    *,
    before: View | None,
    sent_at: float,
    read: Reader,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    seconds: float = SECONDS,
) -> Looked:
    """Look whether a write that had no readable answer took place; nothing is sent but reads.

    Args:
        operation: The write.
        values: Its validated arguments.
        before: What `note` read before it was sent; without it nothing seen now would prove anything.
        sent_at: When it was sent, in seconds since 1970.
        read: Sends one read.
        now: Our clock, that of `sent_at`.
        sleep: Waits between the looks.
        seconds: Time for all looks; may be short, then there is one look or none.

    Returns:
        `done` as soon as the effect is seen; else `unknown` with the read that will tell.
    """
    where = look_with(operation, values)
    if before is None:
        return Looked("unknown", _unknown(NOT_READ_BEFORE, where), where)
    words = "the API did not answer when we looked"
    with anyio.move_on_after(seconds):
        for pause in _pauses():
            if pause:
                await sleep(pause)
            try:
                seen = await _once(operation, values, before=before, sent_at=sent_at, read=read, now=now)
            except ApiError:
                continue
            if seen.result is not None:
                return Looked("done", _done(operation, values, seen, where), where, seen.result)
            words = seen.words
            if seen.hopeless:
                break
    return Looked("unknown", _unknown(words, where), where)


async def _once(
    operation: Operation,
    values: Mapping[str, Any],
    *,
    before: View,
    sent_at: float,
    read: Reader,
    now: Callable[[], float],
) -> Seen:
    def case(after: View) -> Case:
        return Case(operation=operation, values=values, before=before, after=after, sent_at=sent_at, read=read, now=now)

    def found(rows: list[JsonObject]) -> bool:
        sign = operation.sign
        return isinstance(sign, signs.Made) and any(made.fits(sign, case(View()), row) for row in rows)

    return await _judge(case(await view(operation, values, read, enough=found)))


async def _judge(case: Case) -> Seen:  # noqa: C901, PLR0911, PLR0912 - one branch a sign
    match case.operation.sign:
        case signs.Copied() as sign:
            return await made.judge_copied(sign, case)
        case signs.Made() as sign:
            return await made.judge_made(sign, case)
        case signs.Imaged():
            return made.judge_image(case)
        case signs.Gone():
            return made.judge_gone(case)
        case signs.AllGone() as sign:
            return made.judge_all_gone(sign, case)
        case signs.Reaches() as sign:
            return changes.judge_state(sign, case)
        case signs.Flipped():
            return changes.judge_address(case)
        case signs.Shows() as sign:
            return changes.judge_values(sign, case)
        case signs.RuleAdded() as sign:
            return parts.judge_rule_added(sign, case)
        case signs.RuleRemoved() as sign:
            return parts.judge_rule_removed(sign, case)
        case signs.VolumesMoved() as sign:
            return parts.judge_volumes(sign, case)
        case signs.FirewallMoved():
            return parts.judge_firewall(case)
        case None:
            raise AssertionError(case.operation.tool)
        case _ as never:
            assert_never(never)


def _pauses() -> list[float]:
    return [at - earlier for at, earlier in zip(LOOKS_AT, (0.0, *LOOKS_AT), strict=False)]


def _done(operation: Operation, values: Mapping[str, Any], seen: Seen, where: LookWith) -> str:
    lost = ""
    if operation.tool == "create_ssh_key" and "public_key" not in values:
        lost = (
            " But the private half of the key was in the answer that did not come, and it is not shown again: delete "
            "this key and make another, best from a public key of your own."
        )
    return f"It took place all the same, as {where.tool} shows: {seen.words}. It was sent once.{lost}"


def _unknown(words: str, where: LookWith) -> str:
    return (
        f"Whether it took effect is not known: {words}. It was sent once and is not sent again by itself; look with "
        f"{where.tool} before doing it again, or it may happen (and cost) twice."
    )
