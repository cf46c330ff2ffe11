"""What happens when a custom image is made or deleted."""

from __future__ import annotations

from barrack_mcp.account.reading import Listing
from barrack_mcp.account.things import COMPLETE, Thing, age, joined, labels, said, size, text, things, usable_id
from barrack_mcp.catalogue.kinds import IMAGE, INSTANCE, SNAPSHOT
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.plans.draft import Draft, Inquiry, require
from barrack_mcp.guard.plans.snapshots import ask_images, boots_image, has_image, images_of
from barrack_mcp.guard.plans.states import refuse_unfinished


async def create_custom_image(inquiry: Inquiry) -> Draft:
    """A snapshot gets its image, if it has none: a second is refused, and the first one named."""
    snapshot_id = inquiry.arguments["snapshot_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_snapshot", {"snapshot_id": snapshot_id})
        relationship, listing = ask_images(sheet, snapshot_id)
    snapshot = require(found, SNAPSHOT, snapshot_id)
    images = images_of(snapshot, relationship, listing)
    facts = (said(snapshot.row, "status"), said(snapshot.row, "region"))
    draft = Draft(
        summary=f"Make a custom image from snapshot {snapshot.with_facts(*facts)}.",
        target=snapshot.target(size=size(snapshot.row, "size_gb"), images=labels(images)),
        things=[snapshot],
        kept=["the snapshot, which goes on costing"],
        facts={"images": [image.id for image in images]},
    )
    if snapshot.status not in COMPLETE:
        draft.warnings.append(f"The snapshot is {said(snapshot.row, 'status')}: an image needs a complete one.")
    refuse_unfinished(draft, snapshot, "making an image")
    if namesake := things(IMAGE, listing.rows, where=lambda row: row.get("name") == inquiry.arguments["name"]):
        draft.warnings.append(f"Image {namesake[0].label} has this name already, and names are unique.")
    if has_image(relationship, images):
        _refuse(draft, snapshot, images)
    return draft


def _refuse(draft: Draft, snapshot: Thing, images: list[Thing]) -> None:
    which = f"the image {images[0].label}" if images else "an image"
    draft.refusal = draft.summary = (
        f"Not done: snapshot {snapshot.label} already has {which}, and a snapshot can have one image only. "
        "Nothing was sent. Use that image, delete it first, or take a new snapshot."
    )
    draft.warnings.append("A snapshot can have one image at a time.")
    image_id = usable_id(images[0].id) if images else None
    draft.safer = [
        Safer(
            tool="get_custom_image" if image_id else "get_snapshot_image",
            arguments={"image_id": image_id} if image_id else {"snapshot_id": snapshot.asked},
            why="The existing image may be what is wanted.",
        )
    ]


async def delete_custom_image(inquiry: Inquiry) -> Draft:
    """The image is gone for good; what was made from it stays."""
    image_id = inquiry.arguments["image_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_custom_image", {"image_id": image_id})
        instances = sheet.rows("list_instances", {}, "the instances made from it", binds=True)
        snapshots = sheet.rows("list_snapshots", {}, "the snapshot it was made from", binds=True)
    image = require(found, IMAGE, image_id)
    source = text(image.row, "snapshot_id")
    users = things(INSTANCE, instances.rows, where=lambda row: boots_image(image, row))
    origin = things(SNAPSHOT, snapshots.rows, where=lambda row: source == text(row, "snapshot_id") is not None)
    facts = (said(image.row, "status"), said(image.row, "region"))
    draft = Draft(
        summary=f"Delete custom image {image.with_facts(*facts)} for good.",
        target=image.target(
            size=size(image.row, "size"),
            age=age(image.row, inquiry.now),
            made_from=labels(origin) or said(image.row, "snapshot_id"),
            instances=labels(users),
        ),
        things=[image],
        staying=[*users, *origin],
        lost=["the image: no new instance can boot from it"],
        kept=[
            *([f"instances made from it: {instances.at_least}{len(users)} ({joined(labels(users))})"] if users else []),
            *([f"the snapshot it was made from: {origin[0].label}"] if origin else []),
        ],
    )
    if instances.rows and not any(isinstance(row.get("image"), dict) for row in instances.rows):
        draft.warnings.append("Which instances were made from it is not told by Barrack.")
    elif instances.complete and not users:
        draft.warnings.append("No instance shows this image as its own.")
    if origin:
        draft.warnings.append("The image can be made anew from its snapshot, under another id.")
    else:
        draft.uncertain = [f"the last copy: {_why_last(source, snapshots)}"]
    return draft


def _why_last(source: str | None, snapshots: Listing) -> str:
    if source is None:
        return "of which snapshot it was made is not told by Barrack"
    return (
        "its snapshot is gone, so it can't be made anew"
        if snapshots.complete
        else "not all snapshots were seen, so its own may be gone"
    )
