"""What happens to an SSH key that is deleted."""

from __future__ import annotations

from typing import Final

from barrack_mcp.account.things import Thing, age, counted, joined, labels, said, text, usable_id
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import KEY
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.plans.draft import Draft, Inquiry, require
from barrack_mcp.guard.plans.users import users

_FIELDS: Final = ("ssh_keys", "ssh_key_ids", "ssh_key", "key_name")
"""Where an instance may say which keys open it; none is documented."""


def _opens(row: JsonObject, key: Thing) -> bool:
    known = {key.id, key.name} - {None}
    for name in _FIELDS:
        value = row.get(name)
        for each in value if isinstance(value, list) else [value]:
            # where an id is told, a name that is the same is another key's
            said_of_it = text(each, "id", "name") if isinstance(each, dict) else str(each)
            if said_of_it in known:
                return True
    return False


async def delete_ssh_key(inquiry: Inquiry) -> Draft:
    """The key is gone from all regions for good."""
    key_id = inquiry.arguments["key_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_ssh_key", {"key_id": key_id})
        instances = sheet.rows("list_instances", {}, "the instances that may use it")
    key = require(found, KEY, key_id)
    using = await users(inquiry, instances, fields=_FIELDS, uses=lambda row: _opens(row, key))
    active = [thing for thing in using.found if thing.status == "ACTIVE"]
    draft = Draft(
        summary=f"Delete SSH key {key.with_facts(said(key.row, 'fingerprint'))} in all regions for good.",
        target=key.target(
            fingerprint=said(key.row, "fingerprint"), age=age(key.row, inquiry.now), instances=labels(using.found)
        ),
        things=[key],
        lost=["the key at Barrack, in all regions: no new instance can be given it"],
        kept=[*using.kept, "the private half, with its owner"],
        warnings=using.warnings,
    )
    if active:
        draft.refusal = (
            f"Not done: {key.in_words} opens {counted(len(active), 'ACTIVE instance')} ({joined(labels(active))}), and "
            "Barrack deletes keys that no ACTIVE instance has. A key costs nothing. Nothing was sent; to shut it out "
            "of an instance, take it out of ~/.ssh/authorized_keys there."
        )
        draft.safer = [
            Safer(tool="get_instance", arguments={"instance_id": at}, why="It shows how to log in there.")
            for at in [usable_id(active[0].id)]
            if at
        ]
    return draft
