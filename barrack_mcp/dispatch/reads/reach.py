"""Who can reach a machine: its firewalls with their rules, joined to it, since the API tells them apart."""

from __future__ import annotations

from typing import Any

from barrack_mcp.account.reading import Reader, read_list
from barrack_mcp.account.things import Thing, objects
from barrack_mcp.api.body import add_notes, without_nulls
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import FIREWALL
from barrack_mcp.guard.plans.firewalls import attached

CLOSED = "What no rule lets in is closed: an instance's own security_rules and those of its firewalls add up."
_SETTLED = frozenset({"ACTIVE", "SHUTOFF", "HIBERNATED"})
_UNREAD = "Firewalls could not all be read, so others may have more of them: {}"


async def join_firewalls(rows: list[JsonObject], data: JsonObject, *, read: Reader) -> None:
    """Add to each row of a list of instances the firewalls that it has, each with its rules.

    Args:
        rows: The instances; changed in place.
        data: The answer that holds them; what could not be read is noted there.
        read: Sends one read.
    """
    listing = await read_list(read, FIREWALL.list_tool)
    having: dict[str, list[JsonObject]] = {}
    for row in listing.rows:
        shown = without_nulls({name: row.get(name) for name in ("id", "name", "rules")})
        for instance in attached(Thing(FIREWALL, row)):
            having.setdefault(str(instance.id), []).append(shown)
    for row in rows:
        row["firewalls"] = having.get(str(row.get("instance_id")), [])
    add_notes(data, CLOSED, None if listing.complete else _UNREAD.format(listing.why_not or listing.so_far))


async def show_rules(instance: JsonObject, data: JsonObject, *, read: Reader) -> None:
    """Add to one instance the rules of its firewalls.

    Args:
        instance: The instance; changed in place.
        data: The answer that holds it.
        read: Sends one read.
    """
    if str(instance.get("status")).upper() not in _SETTLED:
        # whoever waits for it to settle asks again and again
        return
    if instance.get("firewalls") == []:
        add_notes(data, CLOSED)
        return
    try:
        told: Any = await read("list_instance_firewalls", {"instance_id": instance.get("instance_id")})
    except ApiError as error:
        add_notes(data, _UNREAD.format(error.sentence))
        return
    instance["firewalls"] = [
        without_nulls({"id": row.get("firewall_id"), **{name: row.get(name) for name in ("name", "rules")}})
        for row in objects(told.get("firewalls"))
    ]
    add_notes(data, CLOSED)
