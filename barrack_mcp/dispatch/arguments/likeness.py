"""A machine like one that is there: what the caller left out is taken from it, and what it doesn't tell is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from barrack_mcp.account import money
from barrack_mcp.account.reading import Reader, read_list
from barrack_mcp.account.things import Thing, all_told, joined, objects, text, things, usable_name
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.kinds import FIREWALL, IMAGE, INSTANCE, KEY
from barrack_mcp.catalogue.operations.deploy import BOOT_ARGUMENTS, FILLED
from barrack_mcp.catalogue.rules import SecurityRule
from barrack_mcp.dispatch.arguments.validation import BadArgumentsError, validate

LIKE: Final = "like"
"""The argument that names the machine."""


class UntoldError(Exception):
    """What is there now doesn't tell what to do; its text says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A purchase in full.

    Attributes:
        values: Its arguments, as the API takes them.
        sentence: What the other machine has and this one will not; empty if nothing.
    """

    values: JsonObject
    sentence: str


async def fill_in(operation: Operation, values: JsonObject, read: Reader) -> Filled:
    """Take from a machine what a purchase like it leaves out; what the caller says counts.

    Args:
        operation: The purchase.
        values: Its validated arguments, which name the machine.
        read: Sends one read.

    Raises:
        ApiError: The machine could not be read.
        UntoldError: It doesn't tell what is needed, or what it tells can't be bought.
    """
    data = await read(INSTANCE.get_tool, {INSTANCE.arguments[0]: values[LIKE]})
    machine = Thing(INSTANCE, data.get("instance") or {}, asked=values[LIKE])
    given = {name: value for name, value in values.items() if name != LIKE}
    taken = {**_hardware(machine.row), **_access(machine.row), **await _system(machine, given, read)}
    whole = given | {name: value for name, value in taken.items() if name not in given and value is not None}
    source = BOOT_ARGUMENTS.get(whole.get("boot_source", ""), "boot_source")
    if missing := [name for name in dict.fromkeys((*FILLED, source, "security_rules")) if name not in whole]:
        raise UntoldError(f"{missing[0]}: {machine.in_words} doesn't tell it; give {', '.join(missing)} beside like.")
    try:
        return Filled(validate(operation, whole), _left(machine, given))
    except BadArgumentsError as error:
        raise UntoldError(f"like: as {machine.in_words} is, it can't be bought: {error}") from None


def _hardware(row: Mapping[str, Any]) -> JsonObject:
    tier = text(row, "tier")
    return {
        "tier": tier.lower() if tier else None,
        "region": text(row, "region"),
        "gpu_model": text(row, "gpu_type"),
        "gpu_count": row.get("gpu_count"),
    }


def _access(row: Mapping[str, Any]) -> JsonObject:
    """Who can reach it, and what ran at its first boot; a list that can't be read whole tells nothing."""
    keys, rules = row.get("ssh_keys"), row.get("security_rules")
    ids = [key.id for key in things(KEY, keys)]
    has = bool(text(row, "public_ip")) or (text(row, "ip_status") or "").upper() == "ATTACHED"
    fields = SecurityRule.model_fields
    return {
        "ssh_key_ids": ids if all_told(keys) and ids and None not in ids else None,
        "security_rules": [
            {name: value for name, value in rule.items() if name in fields and value is not None}
            for rule in objects(rules)
        ]
        if all_told(rules)
        else None,
        "public_ip": has if "public_ip" in row or "ip_status" in row else None,
        "startup_script_id": text(row, "startup_script_id"),
    }


async def _system(machine: Thing, given: JsonObject, read: Reader) -> JsonObject:
    """What it boots from; nothing where the caller says something of that, but which source it then is."""
    named = [source for source, argument in BOOT_ARGUMENTS.items() if argument in given]
    if named:
        return {"boot_source": named[0]} if len(named) == 1 else {}
    image = machine.row.get("image")
    row: JsonObject = image if isinstance(image, dict) else {}
    source, name = text(row, "boot_source"), text(row, "name")
    if "boot_source" in given and given["boot_source"] != source:
        return {}
    match source:
        case "os_image" if name:
            return {"boot_source": source, "os_image": name, **_own_volume(machine, given)}
        case "custom_image":
            return {"boot_source": source, "image_id": text(row, "image_id", "id") or await _find_image(name, read)}
        case "volume":
            raise UntoldError(
                f"boot_source: {machine.in_words} boots from a volume, which no other can boot from at the same time; "
                "give boot_source, with os_image, image_id or volume_id."
            )
        case _:
            return {}


def _own_volume(machine: Thing, given: JsonObject) -> JsonObject:
    """A system volume as large as that of the other machine, if it has one; its name is made from the new one's."""
    volumes = objects(machine.row.get("volume_attachments"))
    size_gb = next((money.amount(each.get("size_gb")) for each in volumes if each.get("bootable") is True), None)
    if size_gb is None:
        return {}
    return {"os_volume": {"name": usable_name(given["name"], "-os"), "size_gb": int(size_gb)}}


async def _find_image(name: str | None, read: Reader) -> str | None:
    """The id of the one custom image of this name; None if there is not one alone, or not all could be read."""
    listing = await read_list(read, IMAGE.list_tool)
    named = [thing.id for thing in things(IMAGE, listing.rows) if name and thing.name == name]
    return named[0] if len(named) == 1 and listing.complete else None


def _left(machine: Thing, given: JsonObject) -> str:
    """Say what the other machine has and this one will not."""
    parts = [*_unlike(machine.row, given)]
    return f"Not taken over from {machine.in_words}: {', '.join(parts)}." if parts else ""


def _unlike(row: Mapping[str, Any], given: JsonObject) -> Iterator[str]:
    if firewalls := things(FIREWALL, row.get("firewalls")):
        yield f"firewalls {joined([thing.label for thing in firewalls])} (attach_firewall with add gives them)"
    features = row.get("features")
    told = features if isinstance(features, dict) else {}
    for feature, argument in (("cloud_init", "cloud_init"), ("jupyter", "jupyter_password")):
        if told.get(feature) is True and argument not in given:
            yield mention(feature)
    if any(each.get("bootable") is not True for each in objects(row.get("volume_attachments"))):
        yield "its volumes and what is on them"
