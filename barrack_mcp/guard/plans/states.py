"""What the state of a thing forbids: a call that can't succeed asks nobody, and says what would do what was meant."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.things import Thing, said, sentence, usable_id
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.plans.draft import Draft

_LOOK: Final = ("get_instance", "It is on its way: look until its state is settled, and call again then.")
_START: Final = ("start_instance", "Starting it makes it ACTIVE first, at the rate that it costs already.")
_WAKE: Final = ("restore_instance", "Restoring it makes it ACTIVE first, at the full rate.")
_USE_IT: Final = ("get_instance", "It runs already: its addresses say how to reach it.")

_STEPS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({"SHUTOFF": _START, "HIBERNATED": _WAKE})
"""What leads to ACTIVE from each state."""

_MEANT: Final[Mapping[tuple[str, str], tuple[str, str]]] = MappingProxyType(
    {
        ("stop", "SHUTOFF"): ("start_instance", "Once it is ACTIVE it can be hibernated, which ends the full rate."),
        ("stop", "HIBERNATED"): ("restore_instance", "It is down already, at a small rate; restoring brings it back."),
        ("hibernate", "SHUTOFF"): ("start_instance", "Once it is ACTIVE it can be hibernated."),
        ("hibernate", "HIBERNATED"): ("restore_instance", "It sleeps already; restoring wakes it at the full rate."),
        ("start", "ACTIVE"): ("reboot_instance", "It runs already; rebooting starts it anew."),
        ("start", "HIBERNATED"): ("restore_instance", "Restoring wakes it, at the full rate."),
        ("restore", "ACTIVE"): _USE_IT,
        ("restore", "SHUTOFF"): ("start_instance", "It isn't hibernated: starting brings it back, at no further cost."),
    }
)
"""The call that does what was probably meant by another, by that one's verb and the state that forbids it."""

_PLAIN: Final[Mapping[str, str]] = MappingProxyType({"start": "SHUTOFF", "restore": "HIBERNATED"})
"""The state from which each is done; all else wants ACTIVE."""

UNFINISHED: Final = frozenset({"CREATING", "PENDING", "BUILD", "SAVING", "QUEUED"})
"""States of a snapshot, an image or a volume that is still being made."""


def refuse_by_state(draft: Draft, instance: Thing, verb: str, *, costs: str | None) -> None:
    """Refuse what the state of an instance forbids; a state that nobody knows forbids nothing.

    Args:
        draft: The plan; its ways to go on are replaced where it is refused.
        instance: As it was just read.
        verb: What would be done with it; its own operation, where the API names the ones that are allowed.
        costs: What it costs as it stands, in words; None if unknown.
    """
    wanted, status = _PLAIN.get(verb, "ACTIVE"), instance.status
    if status == wanted or money.billed(status) is None or is_allowed(instance, verb):
        return
    tool, why = _MEANT.get((verb, status)) or _STEPS.get(status) or _LOOK
    draft.safer = _offer(tool, "instance_id", instance, why)
    doing = verb.replace("_", " ")
    now = f"{sentence(instance.in_words)} is {said(instance.row, 'status')}, and to {doing} it wants {wanted}."
    rate = f" It costs {costs} as it stands." if costs else ""
    draft.refusal = f"Not done: {now}{rate} Nothing was sent. {why} (Tool: {tool}.)"


def refuse_if_going(draft: Draft, instance: Thing) -> None:
    """Refuse to delete what is being deleted."""
    if instance.status in ("DELETING", "DELETED"):
        draft.safer = _offer("get_instance", "instance_id", instance, "It shows when the instance is gone.")
        draft.refusal = (
            f"Not done: {instance.in_words} is {said(instance.row, 'status')} already, and its bill ends with that. "
            "Nothing was sent."
        )


def refuse_unfinished(draft: Draft, thing: Thing, doing: str, *, costs: str | None = None) -> None:
    """Refuse what needs a finished snapshot, image or volume, where this one is known to be in the making or broken.

    Args:
        draft: The plan.
        thing: As it was just read.
        doing: What would be done with it: `restoring`.
        costs: What it costs as it stands, in words; None if unknown.
    """
    if thing.status not in UNFINISHED | {"ERROR", "FAILED", "DELETING", "DELETED"}:
        return
    argument = thing.kind.arguments[0]
    waits = thing.status in UNFINISHED
    why = "It shows when it is complete." if waits else "It shows whether it can still be used."
    draft.safer = _offer(thing.kind.get_tool, argument, thing, why)
    rate = f" It costs {costs} as it stands." if costs else ""
    draft.refusal = (
        f"Not done: {thing.in_words} is {said(thing.row, 'status')}, and {doing} needs a complete one.{rate} "
        f"Nothing was sent; {'wait until it is complete' if waits else 'use another one'}."
    )


def is_allowed(instance: Thing, verb: str) -> bool:
    """Whether the API itself says that this can be done now, which is worth more than what its states mean to us."""
    told = instance.row.get("operations")
    if not isinstance(told, dict):
        return False
    allowed = told.get("allowed")
    return told.get(verb) is True or (isinstance(allowed, list) and verb in allowed)


def _offer(tool: str, argument: str, thing: Thing, why: str) -> list[Safer]:
    at = usable_id(thing.id)
    return [Safer(tool=tool, arguments={argument: at}, why=why)] if at else []
