"""Judges signs that a thing was made, or is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from barrack_mcp.account.things import moment, status, text
from barrack_mcp.api.errors import ApiError
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.catalogue.kinds import Kind
from barrack_mcp.catalogue.signs import AllGone, Copied, Made
from barrack_mcp.dispatch.writes.looking.sign import NOT_READ_BEFORE, Case, Seen, alike, same_text

_ENDING: Final = frozenset({"DELETING", "DELETED"})
_FULL_SECOND: Final = 1.0
"""Times are told in whole seconds, so a thing may seem a second older than it is."""


def fits(sign: Made, case: Case, row: JsonObject) -> bool:
    """Whether a row is what was asked for, whenever it was made."""
    return (
        _bears(row, sign.kind.names[0], case.values.get("name"))
        and all(alike(case.values.get(name), row.get(name)) for name in sign.same)
        and all(
            not isinstance(row.get(name), str) or same_text(case.values[name], row[name])
            for name in sign.texts
            if name in case.values
        )
    )


def _bears(row: JsonObject, field: str, name: str | None) -> bool:
    """Whether a row bears this name, but for space around it."""
    found = text(row, field)
    return found is not None and name is not None and found.strip() == name.strip()


async def judge_made(sign: Made, case: Case) -> Seen:
    """Look for a thing of the name that was asked for, which was not there before.

    Not there before: its id is not among those read before; when not all were read, it also was created after the
    call had been sent, by the API's own clock. A name alone proves nothing: there may have been one of that name.
    """
    found = _by_id((row for row in case.after.rows if fits(sign, case, row)), sign.kind)
    fresh = {at: row for at, row in found.items() if at not in _by_id(case.before.rows, sign.kind)}
    if not case.before.complete:
        fresh = await _made_since(case, fresh)
    return _conclude(case, fresh, there_before=bool(found) and not fresh)


async def judge_copied(sign: Copied, case: Case) -> Seen:
    """Look for what was made of something else; without a name, it is the one that is new and named after that."""
    if "name" in case.values:
        return await judge_made(sign, case)
    if not case.before.complete:
        return Seen(f"no name was given, and not all {sign.kind.plural} were read before the call", hopeless=True)
    known = _by_id(case.before.rows, sign.kind)
    fresh = {at: row for at, row in _by_id(case.after.rows, sign.kind).items() if at not in known}
    if len(fresh) != 1:
        return _conclude(case, fresh)
    (given,) = case.operation.placeholders
    data = await case.read(sign.origin.get_tool, {given: case.values[given]})
    origin = data.get(str(BY_TOOL[sign.origin.get_tool].result)) or {}
    (row,) = fresh.values()
    # whoever else makes one at the same time doesn't name it after this origin
    name, new = text(origin, sign.origin.names[0]), text(row, sign.kind.names[0])
    named_after = name is not None and new is not None and name.casefold() in new.casefold()
    if named_after and alike(origin.get("region"), row.get("region")):
        return _conclude(case, fresh)
    return Seen(f"there is a new {sign.kind.words}, but nothing ties it to this {sign.origin.words}")


def judge_image(case: Case) -> Seen:
    """Look whether the snapshot has the image now, and had none before."""
    before, after = case.was, case.after.thing or {}
    if not before or (before.get("has_image") is None and "image" not in before):
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if before.get("image") or before.get("has_image"):
        return Seen("the snapshot had an image before the call", hopeless=True)
    image = after.get("image")
    if not isinstance(image, dict) or not image:
        return Seen("the snapshot has no image yet")
    if not _bears(image, "name", case.values["name"]):
        return Seen("the snapshot has an image of another name")
    return Seen("the snapshot has that image now, and had none before", {"image": image})


def _conclude(case: Case, fresh: Mapping[str, JsonObject], *, there_before: bool = False) -> Seen:
    """Say what became of the search for a new thing."""
    if len(fresh) > 1:
        return Seen("there is more than one new thing that it may be")
    if not fresh:
        words = "one of that name is there, but was before" if there_before else "nothing new of that name is there"
        return Seen(f"{words}, which proves nothing: it may still come")
    (row,) = fresh.values()
    return Seen("it is there now, and was not before", {str(case.operation.result): row})


def judge_gone(case: Case) -> Seen:
    """Look whether the thing is still there; it has to have been before, or nothing is proved by its absence."""
    if not case.was:
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if (was := status(case.was)) in _ENDING:
        return Seen(f"it was {mention(was)} before the call", hopeless=True)
    if case.after.missing:
        return Seen("it was there before, and is gone now", case.target)
    if (now := status(case.after.thing or {})) in _ENDING:
        return Seen(f"it is {mention(now)} now", {**case.target, "status": now})
    return Seen("it is still there")


def judge_all_gone(sign: AllGone, case: Case) -> Seen:
    """Look whether none of several things is left; all of them have to have been there before."""
    ids = case.values[sign.ids]
    if not set(ids) <= _by_id(case.before.rows, sign.kind).keys():
        return Seen(
            "not all of them were seen before the call, so that nothing seen now proves anything", hopeless=True
        )
    if left := set(ids) & _by_id(case.after.rows, sign.kind).keys():
        return Seen(f"{len(left)} of {len(ids)} are still there")
    if not case.after.complete:
        return Seen(f"not all {sign.kind.plural} could be read")
    return Seen("all of them were there before, and are gone now", {"deleted_count": len(ids), "deleted_ids": ids})


def _by_id(rows: Iterable[JsonObject], kind: Kind) -> dict[str, JsonObject]:
    """The rows by id: pages may overlap while things come and go."""
    return {at: row for row in rows if (at := text(row, kind.ids[0]))}


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
