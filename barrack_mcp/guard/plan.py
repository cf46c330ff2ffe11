"""Plan: what a call would do, made from what the server itself read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barrack_mcp.catalogue import JsonObject, Risk
from barrack_mcp.outcome import Plan, Safer


def image_named(data: Mapping[str, Any]) -> str:
    """Name the image in a snapshot-image relationship."""
    image = data.get("image") or {}
    return f"«{image.get('name', 'unnamed')}» ({image.get('image_id', 'id unknown')})"


def taken_snapshot(relationship: JsonObject, *, snapshot_id: str) -> Plan | None:
    """Say that a snapshot has an image already and can't have a second; None if it has none.

    Args:
        relationship: The answer of `get_snapshot_image`.
        snapshot_id: The snapshot.
    """
    image = relationship.get("image")
    if not relationship.get("has_image") or not isinstance(image, dict):
        return None
    return Plan(
        summary=f"Not done: snapshot {snapshot_id} already has the image {image_named(relationship)}, and a snapshot "
        "can have one image only. Nothing was sent. Use that image, delete it first, or take a new snapshot.",
        risk=Risk.CHANGE,
        target={"type": "snapshot", "id": snapshot_id, "image": image},
        warnings=["A snapshot can have one image at a time."],
        safer=[
            Safer(
                tool="get_custom_image",
                arguments={"image_id": str(image.get("image_id", ""))},
                why="The existing image may be what is wanted.",
            )
        ],
    )
