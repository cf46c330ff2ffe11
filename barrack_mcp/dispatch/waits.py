"""Waiting on behalf of a caller: for what a call has set going, or for any thing; and what is said of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from barrack_mcp.account.things import Thing, said, sentence, usable_id
from barrack_mcp.account.waiting import Beat, End, Goal, Waited, wait
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.kinds import INSTANCE, Usually, kind_told_by
from barrack_mcp.catalogue.outcome import LookWith, Settled
from barrack_mcp.catalogue.signs import Reaches
from barrack_mcp.dispatch.answers.next_steps import WAIT
from barrack_mcp.dispatch.answers.outcomes import Answer, add_to
from barrack_mcp.guard.ruling.call import Caller

UNHEARD_S: Final = 45.0
"""How long to wait for a client that didn't ask to hear how it goes on: many give up after a minute of silence."""


DEFAULT_S: Final = 240.0
"""How long to wait where nobody says how long."""


async def wait_for_any(values: JsonObject, caller: Caller, *, offered: Collection[str]) -> tuple[JsonObject, str, End]:
    """Wait for any thing; answers how it stands then as fields and in sentences, and how the waiting ended.

    Args:
        values: The arguments of the tool that waits.
        caller: Who waits.
        offered: The tools on offer.
    """
    kind = kind_told_by(values)
    if kind is None:
        raise LookupError(values["resource"])
    wanted = (values["status"],) if "status" in values else ()
    new = caller.account.deeds.find(kind, values["id"]) is not None
    goal, waited = await wait_for(
        [Goal(kind, values["id"], wanted, new=new)], caller, seconds=values.get("timeout_seconds", DEFAULT_S)
    )
    on = go_on(goal, waited, offered)
    fields = {
        "resource": kind.type,
        "id": goal.id,
        "name": waited.thing.name if waited.thing is not None else None,
        "status": waited.state or None,
        "there": waited.end is End.THERE,
        "public_ip": _address(goal, waited),
        "waited_seconds": round(waited.seconds),
        "look_with": on.model_dump() if on is not None else None,
    }
    return fields, " ".join([tell_end(goal, waited), tell_on(on)]).rstrip(), waited.end


async def settle(
    operation: Operation,
    values: Mapping[str, Any],
    answer: Answer,
    *,
    caller: Caller,
    seconds: float,
    offered: Collection[str],
) -> Answer:
    """Wait until what was done has settled, and add to its answer what came of that; what was done stays done.

    Args:
        operation: What was done.
        values: Its arguments.
        answer: What was answered.
        caller: Who waits.
        seconds: How long at most.
        offered: The tools on offer.
    """
    goals = find_goals(operation, values, answer.structured.get("result") or {})
    if not goals:
        return add_to(answer, "It was not waited for: the answer does not tell what to look at.")
    goal, waited = await wait_for(goals, caller, seconds=seconds)
    settled = Settled(
        ended=waited.end.value,
        status=mention(waited.state) if waited.state else None,
        seconds=round(waited.seconds),
        public_ip=_address(goal, waited),
    )
    on = go_on(goal, waited, offered)
    return add_to(answer, " ".join([tell_end(goal, waited), tell_on(on)]).rstrip(), settled=settled, look_with=on)


def find_goals(operation: Operation, values: Mapping[str, Any], result: Mapping[str, Any]) -> list[Goal]:
    """Answer what a write that was done leads to; nothing where that can't be told from its answer.

    Args:
        operation: What was done.
        values: Its arguments.
        result: What the API answered.
    """
    settles = operation.settles
    if settles is None:
        return []
    made = not settles.argument
    row = result.get(operation.result or "")
    given = Thing(settles.kind, row if isinstance(row, dict) else {}).id if made else values[settles.argument]
    ids = [usable_id(each) for each in (given if isinstance(given, list) else [given])]
    passes = isinstance(operation.sign, Reaches) and operation.sign.passes
    return [
        Goal(settles.kind, each, (settles.state,), left=passes, way=settles.way, new=made)
        for each in ids
        if each is not None
    ]


async def wait_for(goals: Sequence[Goal], caller: Caller, *, seconds: float) -> tuple[Goal, Waited]:
    """Wait until all of several things are where they should be, or one of them never will be; answers the last one.

    Args:
        goals: What is waited for, one at least.
        caller: Who waits, and hears how it goes on.
        seconds: How long at most, all together; less for a client that would give up before.
    """
    account, began = caller.account, caller.account.now()
    limit = seconds if caller.asker is not None and caller.asker.hears else min(seconds, UNHEARD_S)

    async def tell(beat: Beat) -> None:
        gone_by = account.now() - began
        usual_end = gone_by + beat.left if beat.left else None
        await caller.tell(_meanwhile(goal, beat, gone_by), progress=gone_by, total=usual_end)

    for goal in goals:
        left = max(0.0, limit - (account.now() - began))
        waited = await wait(goal, read=account.read, seconds=left, tell=tell, now=account.now, sleep=account.sleep)
        if waited.end is not End.THERE:
            break
    return goal, replace(waited, seconds=account.now() - began)


def tell_end(goal: Goal, waited: Waited) -> str:  # noqa: PLR0911 - one return an end
    """Say how a thing stood when the waiting for it ended."""
    thing = waited.thing or Thing(goal.kind, {}, asked=goal.id)
    it, state = sentence(thing.in_words), mention(waited.state) if waited.state else ""
    after = f"after {round(waited.seconds)} s of waiting"
    match waited.end:
        case End.THERE:
            address = _address(goal, waited)
            return f"{it} is {state} now, {after}{f'; its public IP is {address}' if address else ''}."
        case End.FAILED:
            return f"But {thing.in_words} is {state} now: {waited.reason or 'Barrack does not say why'}."
        case End.ELSEWHERE if state:
            wanted = " or ".join(mention(each) for each in goal.states)
            return f"{it} is {state} and stays so; nothing is seen to take it to {wanted}."
        case End.ELSEWHERE:
            return f"Barrack tells no state of {thing.in_words}."
        case End.GONE:
            return f"There is no {thing.in_words} any more." if waited.thing else f"There is no {thing.in_words}."
        case End.LATE:
            usually = _usually(goal, waited.state, waited.usually)
            return f"{it} is still {state or 'on its way'} {after}{usually and f'; it usually takes {usually}'}."
        case End.UNREAD:
            why = f": {waited.error.sentence}" if waited.error else "."
            return f"How {thing.in_words} stands could not be read any more{why}"


def go_on(goal: Goal, waited: Waited, offered: Collection[str]) -> LookWith | None:
    """The call that goes on waiting, or looks; None where all is told."""
    if waited.end is End.THERE:
        return None
    if waited.end in (End.LATE, End.UNREAD) and WAIT in offered:
        wanted = {"status": goal.states[0]} if goal.states else {}
        return LookWith(tool=WAIT, arguments={"resource": goal.kind.type, "id": goal.id, **wanted})
    tool = goal.kind.list_tool if waited.end is End.GONE else goal.kind.get_tool
    arguments = {} if waited.end is End.GONE else {goal.kind.arguments[0]: goal.id}
    return LookWith(tool=tool, arguments=arguments) if tool in offered else None


def tell_on(call: LookWith | None) -> str:
    """Say how to go on; empty if there is nothing to do."""
    if call is None:
        return ""
    given = ", ".join(f"{name}={value}" for name, value in call.arguments.items())
    doing = "To go on waiting" if call.tool == WAIT else "To look again"
    return f"{doing}: {call.tool}{f' with {given}' if given else ''}."


def _address(goal: Goal, waited: Waited) -> str | None:
    """The public address of a machine, by which it can be reached now."""
    return said(waited.thing.row, "public_ip") if goal.kind is INSTANCE and waited.thing is not None else None


def _usually(goal: Goal, state: str, usually: Usually) -> str:
    """How long it usually takes, in words; empty where its state doesn't say what takes so long."""
    return usually.in_words.removeprefix("within ") if state.upper() in goal.kind.ways else ""


def _meanwhile(goal: Goal, beat: Beat, gone_by: float) -> str:
    """Say how it stands while the waiting goes on."""
    state = mention(beat.state) if beat.state else "on its way"
    it = sentence(beat.thing.in_words) if beat.thing is not None else "It"
    usually = _usually(goal, beat.state, beat.usually)
    return f"{it} is {state}, {round(gone_by)} s so far{usually and f'; it usually takes {usually}'}."
