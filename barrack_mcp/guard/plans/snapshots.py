"""What happens to a snapshot that is deleted."""

from __future__ import annotations

from barrack_mcp.account.desk import Sheet, Single
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.things import Thing, age, joined, labels, said, size, spent, text, things, usable_name
from barrack_mcp.catalogue.kinds import IMAGE, INSTANCE, SNAPSHOT
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.plans.draft import Draft, Inquiry, cost, require
from barrack_mcp.guard.plans.instances import ask_prices

_LONGEST_IMAGE_NAME = 30


def ask_images(sheet: Sheet, snapshot_id: str) -> tuple[Single, Listing]:
    """Order what is known of a snapshot's image, from both places that may tell."""
    return (
        sheet.one("get_snapshot_image", {"snapshot_id": snapshot_id}, "whether it has an image", binds=True),
        sheet.rows("list_custom_images", {}, "the custom images", binds=True),
    )


def images_of(snapshot: Thing, relationship: Single, images: Listing) -> list[Thing]:
    """The images made from a snapshot."""
    found = things(IMAGE, images.rows, where=lambda row: text(row, "snapshot_id") == snapshot.id)
    told = relationship.known.get("image")
    if not found and isinstance(told, dict) and relationship.known.get("has_image") is not False:
        return [Thing(IMAGE, told)]
    return found


def has_image(relationship: Single, images: list[Thing]) -> bool:
    """Whether a snapshot has an image, though Barrack may not say which."""
    return bool(images) or relationship.known.get("has_image") is True


def boots_image(image: Thing, row: object) -> bool:
    """Whether an instance's row names this image."""
    if not isinstance(row, dict) or not isinstance(used := row.get("image"), dict):
        return False
    ids, names = (text(used, "image_id", "id"), text(used, "name"))
    return (ids is not None and ids == image.id) or (names is not None and names == image.name)


async def delete_snapshot(inquiry: Inquiry) -> Draft:
    """The snapshot is gone for good."""
    snapshot_id = inquiry.arguments["snapshot_id"]
    path = {"snapshot_id": snapshot_id}
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_snapshot", path)
        price_list = ask_prices(sheet)
        bills = sheet.rows("get_snapshot_billing", path, "what it has cost so far")
        relationship, listing = ask_images(sheet, snapshot_id)
        instances = sheet.rows("list_instances", {}, "the instances made from it", binds=True)
    snapshot = require(found, SNAPSHOT, snapshot_id)
    row = snapshot.row
    now = inquiry.prices(price_list).snapshot(row)
    images = images_of(snapshot, relationship, listing)
    made = things(
        INSTANCE,
        instances.rows,
        where=lambda each: (
            text(each, "snapshot_id", "source_snapshot_id") == snapshot_id
            or any(boots_image(image, each) for image in images)
        ),
    )
    source = text(row, "instance_id")
    origin = things(INSTANCE, instances.rows, where=lambda each: source == text(each, "instance_id") is not None)
    facts = (said(row, "status"), size(row, "size_gb"), said(row, "region"))
    draft = Draft(
        summary=f"Delete snapshot {snapshot.with_facts(*facts)} for good.",
        target=snapshot.target(
            size=size(row, "size_gb"),
            age=age(row, inquiry.now),
            taken_of=labels(origin) or said(row, "instance_id"),
            images=labels(images),
            instances=labels(made),
        ),
        things=[snapshot],
        cost=cost(
            inquiry,
            now=now,
            after=None if now is None else now * 0,
            spent=spent(bills.rows, of=snapshot, currency=inquiry.currency),
        ),
        staying=[*images, *made, *origin],
        facts={"has_image": has_image(relationship, images)},
        lost=["the copy of the disk that it holds, and every way to restore from it"],
        kept=[
            *_images_kept(relationship, images),
            *([f"instances made from it: {instances.at_least}{len(made)} ({joined(labels(made))})"] if made else []),
            *([f"the instance it was taken of: {origin[0].label}"] if origin else []),
        ],
        warnings=["Which instances were restored from it is not told by Barrack; they should stay."],
    )
    if not origin:
        draft.uncertain = [f"the last copy of that disk: {_why_last(source, instances)}"]
    if listing.readable and not has_image(relationship, images):
        name = usable_name(snapshot.name, "-kept", longest=_LONGEST_IMAGE_NAME)
        draft.safer = [
            Safer(
                tool="create_custom_image",
                arguments={"snapshot_id": snapshot_id, "name": name},
                why="An image made from it first should outlive it, and new instances can boot from that.",
            )
        ]
    return draft


def _why_last(source: str | None, instances: Listing) -> str:
    if source is None:
        return "of which instance it was taken is not told by Barrack"
    whole = instances.complete
    return "the instance it was taken of is gone" if whole else "not all instances were seen, so its own may be gone"


def _images_kept(relationship: Single, images: list[Thing]) -> list[str]:
    if images:
        return [f"custom images made from it: {joined(labels(images))}"]
    return ["the custom image made from it, which Barrack does not name"] if has_image(relationship, images) else []
