"""What callers wish for, brought into what the API takes: it knows whole lists and flips, they know what shall be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from barrack_mcp.account.reading import Reader
from barrack_mcp.account.things import Thing, all_told, said, sentence, text
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.kinds import FIREWALL, INSTANCE
from barrack_mcp.dispatch.arguments.likeness import LIKE, UntoldError, fill_in
from barrack_mcp.guard.asking.meanings import NOTHING_MEANT, Meant
from barrack_mcp.guard.plans.firewalls import attached

_PARTS: Final = ("add", "remove")
"""The arguments that a whole list takes the place of."""


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """A call in full, as the API takes it.

    Attributes:
        values: Its arguments.
        wish: Those that its wish came to; None if it holds none, or if these have to be found out anew after a yes.
        aside: What is to be said of how it came to them.
    """

    values: JsonObject
    wish: JsonObject | None = None
    aside: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is to be done, since it is so already.

    Attributes:
        sentence: What is so.
        result: The same as fields.
    """

    sentence: str
    result: JsonObject


async def fulfil(
    operation: Operation, values: JsonObject, *, read: Reader, meant: Meant = NOTHING_MEANT
) -> Fulfilled | Settled:
    """Say a wish as the API takes it; answers that it is fulfilled already, if it is.

    Args:
        operation: What is wished for.
        values: The validated arguments of a change.
        read: Reads what is there now; only if an argument is a wish that nobody was asked about yet.
        meant: What a person was asked about: the last look holds it to what is there by then.

    Raises:
        ApiError: What is there now could not be read.
        UntoldError: What is there now doesn't tell what to do.
    """
    if meant.wish is not None:
        return Fulfilled(_without_parts(values) | meant.wish, meant.wish)
    if any(part in values for part in _PARTS):
        wish = await _whole_list(values, read)
        return Fulfilled(_without_parts(values) | wish, wish)
    if LIKE in values:
        filled = await fill_in(operation, values, read)
        # the last look is taken at what is bought, not at the machine that this is like
        return Fulfilled(filled.values, aside=filled.sentence)
    if "want" in values:
        return await _unless_so(values, read) or Fulfilled(values, {})
    return Fulfilled(values)


def _without_parts(values: JsonObject) -> JsonObject:
    return {name: value for name, value in values.items() if name not in _PARTS}


async def _whole_list(values: JsonObject, read: Reader) -> JsonObject:
    """Name all instances that shall have a firewall, where a call names those that gain or lose it."""
    data = await read("get_firewall", {"firewall_id": values["firewall_id"]})
    firewall = Thing(FIREWALL, data.get("firewall") or {}, asked=values["firewall_id"])
    having = [thing.id for thing in attached(firewall)]
    if not all_told(firewall.row.get("attachments")) or None in having:
        raise UntoldError("add, remove: who has this firewall now could not be read; give all instance_ids.")
    without, added = set(values.get("remove") or ()), values.get("add") or ()
    wanted = [*(each for each in having if each not in without), *(each for each in added if each not in having)]
    return {"instance_ids": wanted}


async def _unless_so(values: JsonObject, read: Reader) -> Settled | None:
    """Say that a public IP is there already, or is not, as it is wanted; None if it has to be flipped."""
    data = await read("get_instance", {"instance_id": values["instance_id"]})
    instance = Thing(INSTANCE, data.get("instance") or {}, asked=values["instance_id"])
    address, state = said(instance.row, "public_ip"), (text(instance.row, "ip_status") or "").upper()
    if state not in ("", "ATTACHED", "DETACHED"):
        raise UntoldError(f"want: the public IP is {said(instance.row, 'ip_status')} now; call again later.")
    has = bool(address) or state == "ATTACHED"
    if has != (values["want"] == "on"):
        return None
    told = f"the public IP {address or '(address unknown)'}" if has else "no public IP"
    result = {"instance_id": instance.id, "ip_status": "ATTACHED" if has else "DETACHED"}
    more = {"public_ip": address} if address else {}
    return Settled(f"{instance.in_words} has {told} already. Nothing was sent.", result | more)


def tell_moves(
    before: JsonObject | None, data: JsonObject, values: Mapping[str, Any], names: Mapping[str, str]
) -> tuple[str, JsonObject]:
    """Say whom a firewall was given, left and taken off, in words and as fields; nothing if nobody knows.

    Args:
        before: The firewall as it was; None if it wasn't read.
        data: What the API answered.
        values: The arguments that were sent.
        names: The names of instances that the caller gave, by their ids.
    """
    if before is None or not all_told(before.get("attachments")):
        return "", {}
    had = {thing.id: thing for thing in attached(Thing(FIREWALL, before)) if thing.id}
    told = data.get("instance_ids")
    now = [str(each) for each in (told if isinstance(told, list) else values["instance_ids"])]
    parts = {
        "gained": [_named(each, names) for each in now if each not in had],
        "kept": [had[each] for each in now if each in had],
        "lost": [thing for each, thing in had.items() if each not in now],
    }
    said_so = [f"{word}: {', '.join(thing.label for thing in those)}" for word, those in parts.items() if those]
    words = f"{sentence('; '.join(said_so))}." if said_so else ""
    return words, {word: [str(thing.id) for thing in those] for word, those in parts.items()}


def _named(instance_id: str, names: Mapping[str, str]) -> Thing:
    name = names.get(instance_id)
    return Thing(INSTANCE, {"instance_id": instance_id} | ({"vm_name": name} if name else {}))
