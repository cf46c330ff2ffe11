"""Signs that a thing was made, or is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.dispatch.writes.sign import NOT_READ_BEFORE, Case, Seen, alike, moment, same_text, shown, status, text
from barrack_mcp.dispatch.writes.view import View

_ENDING: Final = frozenset({"DELETING", "DELETED"})
_FULL_SECOND: Final = 1.0
"""Times are told in whole seconds, so a thing may seem a second older than it is."""


@dataclass(frozen=True)
class Made:
    """A thing of the name that was asked for is in the list, and was not there before.

    Not there before: its id is not among those read before; when not all were read, it also was created after the
    call had been sent, by the API's own clock. A name alone proves nothing: there may have been one of that name.

    Attributes:
        id: The row's field that holds the id.
        name: The row's field that holds the name.
        same: The row's field by argument, where the row has to show what was asked for.
        texts: The same for longer texts.
    """

    id: str
    name: str
    same: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def fits(self, case: Case, row: JsonObject) -> bool:
        """Whether a row is what was asked for, whenever it was made."""
        return (
            text(row, self.name).strip() == str(case.values.get("name", "")).strip()
            and all(alike(case.values.get(argument), row.get(name)) for argument, name in self.same.items())
            and all(
                not isinstance(row.get(name), str) or same_text(case.values[argument], row[name])
                for argument, name in self.texts.items()
                if argument in case.values
            )
        )

    async def __call__(self, case: Case) -> Seen:
        """Look for it by name."""
        found = _by_id((row for row in case.after.rows if self.fits(case, row)), self.id)
        fresh = {at: row for at, row in found.items() if at not in _ids(case.before, self.id)}
        if not case.before.complete:
            fresh = await _made_since(case, fresh)
        return told(case, fresh, there_before=bool(found) and not fresh)


async def restored(case: Case) -> Seen:
    """Look for the instance that was made of a snapshot; without a name, it is the one that is new and fits."""
    if "name" in case.values:
        return await INSTANCE(case)
    if not case.before.complete:
        return Seen("no name was given, and not all instances were read before the call", hopeless=True)
    fresh = {
        at: row for at, row in _by_id(case.after.rows, INSTANCE.id).items() if at not in _ids(case.before, INSTANCE.id)
    }
    if len(fresh) != 1:
        return told(case, fresh, there_before=False)
    data = await case.read("get_snapshot", {"snapshot_id": case.values["snapshot_id"]})
    snapshot = data.get("snapshot") or {}
    (row,) = fresh.values()
    # whoever else deploys at the same time doesn't name the instance after this snapshot
    name = text(snapshot, "snapshot_name").casefold()
    if name and name in text(row, "vm_name").casefold() and alike(snapshot.get("region"), row.get("region")):
        return told(case, fresh, there_before=False)
    return Seen("there is a new instance, but nothing ties it to this snapshot")


async def imaged(case: Case) -> Seen:
    """Look whether the snapshot has the image now, and had none before."""
    before, after = case.was, case.after.thing or {}
    if not before or (before.get("has_image") is None and "image" not in before):
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if before.get("image") or before.get("has_image"):
        return Seen("the snapshot had an image before the call", hopeless=True)
    image = after.get("image")
    if not isinstance(image, dict) or not image:
        return Seen("the snapshot has no image yet")
    if text(image, "name").strip() != case.values["name"].strip():
        return Seen("the snapshot has an image of another name")
    return Seen("the snapshot has that image now, and had none before", {"image": image})


def told(case: Case, fresh: Mapping[str, JsonObject], *, there_before: bool) -> Seen:
    """Say what became of the search for a new thing."""
    if len(fresh) > 1:
        return Seen("there is more than one new thing that it may be")
    if not fresh:
        words = "one of that name is there, but was before" if there_before else "nothing new of that name is there"
        return Seen(f"{words}, which proves nothing: it may still come")
    (row,) = fresh.values()
    return Seen("it is there now, and was not before", {case.operation.result or "result": row})


@dataclass(frozen=True)
class Gone:
    """The thing was there before the call, and is not there any more, or on its way out.

    Without the first, the second proves nothing: the API says the same of a thing that never was.

    Attributes:
        id: The argument that names it.
    """

    id: str

    async def __call__(self, case: Case) -> Seen:
        """Look for it by its id."""
        if not case.was:
            return Seen(NOT_READ_BEFORE, hopeless=True)
        if (was := status(case.was)) in _ENDING:
            return Seen(f"it was {shown(was)} before the call", hopeless=True)
        if case.after.missing:
            return Seen("it was there before, and is gone now", {self.id: case.values[self.id]})
        if (now := status(case.after.thing or {})) in _ENDING:
            return Seen(f"it is {shown(now)} now", {self.id: case.values[self.id], "status": now})
        return Seen("it is still there")


async def all_gone(case: Case) -> Seen:
    """Look whether none of several scripts is left; all of them have to have been there before."""
    wanted = set(case.values["script_ids"])
    if not wanted <= set(_ids(case.before, "id")):
        return Seen(
            "not all of them were seen before the call, so that nothing seen now proves anything", hopeless=True
        )
    left = wanted & set(_ids(case.after, "id"))
    if left:
        return Seen(f"{len(left)} of {len(wanted)} are still there")
    if not case.after.complete:
        return Seen("not all scripts could be read")
    gone = case.values["script_ids"]
    return Seen("all of them were there before, and are gone now", {"deleted_count": len(gone), "deleted_ids": gone})


def _ids(view: View, name: str) -> list[str]:
    return [text(row, name) for row in view.rows]


def _by_id(rows: Iterable[JsonObject], name: str) -> dict[str, JsonObject]:
    """The rows by id: pages may overlap while things come and go."""
    return {at: row for row in rows if (at := text(row, name))}


async def _made_since(case: Case, rows: Mapping[str, JsonObject]) -> dict[str, JsonObject]:
    """Those that were created after the call was sent. Only the API's clock counts, and it is asked for its time."""
    if not rows:
        return {}
    asked_at = case.now()
    try:
        metadata = ((await case.read("get_pricing", {})).get("pricing_data") or {}).get("metadata") or {}
    except ApiError:
        return {}
    theirs = metadata.get("timestamp")
    if not isinstance(theirs, int) or isinstance(theirs, bool):
        return {}
    sent_at = case.sent_at + theirs - asked_at
    return {
        at: row
        for at, row in rows.items()
        if (made := moment(row.get("created_at"))) is not None
        and sent_at - _FULL_SECOND <= made <= theirs + _FULL_SECOND
    }


INSTANCE: Final = Made("instance_id", "vm_name", {"region": "region", "tier": "tier", "gpu_count": "gpu_count"})
VOLUME: Final = Made(
    "volume_id",
    "volume_name",
    {"region": "region", "tier": "tier", "size_gb": "size_gb", "volume_type": "volume_type"},
)
SNAPSHOT: Final = Made("snapshot_id", "snapshot_name", {"instance_id": "instance_id"})
FIREWALL: Final = Made("id", "name", {"region": "region"})
KEY: Final = Made("id", "name", texts={"public_key": "public_key"})
SCRIPT: Final = Made("id", "name", texts={"script": "script"})
