"""Images: what instances boot from. The vendor's OS images, and custom images made from snapshots."""

from __future__ import annotations

from typing import Annotated

from barrack_mcp.catalogue.envelope import Answer, Paged, Receipt
from barrack_mcp.catalogue.models import DOCUMENTED, Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Look, Operation, Retry, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.operations.snapshots import SnapshotPath
from barrack_mcp.catalogue.values import (
    Flag,
    Id,
    Ids,
    ImageName,
    Number,
    RegionEnum,
    StatusEnum,
    Text,
    TierEnum,
    bare,
    keyed,
)

GROUP = "Images"


class ImagePath(Request):
    """Which custom image."""

    image_id: Id = required("Id or name.")


class ListOSImagesQuery(Request):
    """Which OS images to list."""

    region: RegionEnum | None = optional("Region.")
    tier: TierEnum | None = optional("Tier.")


class ListImagesQuery(Request):
    """Which custom images to list."""

    region: RegionEnum | None = optional("Region.")


class CreateImageFromSnapshotRequest(Request):
    """A new custom image."""

    name: ImageName = required("3-30 letters, digits, space, - _ .", DOCUMENTED)


class GetBatchSnapshotImageRelationshipsRequest(Request):
    """Which snapshots to look at."""

    snapshot_ids: Ids = required("Ids or names.")


class OSImage(Response):
    """An operating system that an instance can boot."""

    id: Text = answered("Image id.", "image_id")
    name: Text = answered("Name, as deploy_instance takes it.", "image_name")
    type: Text = answered("Kind of system.", "os_type")
    version: Text = answered("Version.")
    region: Text = answered("Region.", "region_name")


class OSImagesResponse(Answer):
    """The OS images."""

    images: list[Annotated[OSImage, bare("name")]] | None = answered("The OS images.", "os_images")


class Image(Response):
    """A custom image as the API shows it."""

    image_id: Text = answered("Image id.", "id")
    name: Text = answered("Name.", "image_name")
    status: StatusEnum = answered("creating, then available.", mark=DOCUMENTED)
    region: Text = answered("Region.")
    size: Number = answered("Size in GB.", "size_gb")
    snapshot_id: Text = answered("The snapshot it was made from.")
    created_at: Text = answered("When it was created, ISO 8601.")


class ImageListResponse(Paged):
    """A page of custom images."""

    images: list[Image] | None = answered("The images of this page.", "custom_images")


class ImageReceipt(Receipt):
    """One custom image."""

    image: Annotated[Image | None, bare("image_id")] = answered("The image.", "custom_image")


class ImageDetailResponse(ImageReceipt):
    """One custom image."""


class ImageCreateResponse(ImageReceipt):
    """The image that is being made."""


class ImageDeleteResponse(Receipt):
    """The image is gone."""


class SnapshotImageRelationshipResponse(Answer):
    """Whether a snapshot has an image, and which."""

    snapshot_id: Text = answered("Snapshot id.")
    has_image: Flag = answered("Whether an image was made from it.")
    image: Annotated[Image | None, bare("image_id")] = answered("That image, if any.")


class BatchSnapshotImageRelationshipResponse(Answer):
    """The same for several snapshots."""

    relationships: Annotated[
        list[Annotated[SnapshotImageRelationshipResponse, bare("snapshot_id")]] | None, keyed("snapshot_id", "image")
    ] = answered("One row a snapshot.")


OS_IMAGES = (
    Operation(
        tool="list_os_images",
        title="List OS images",
        group=GROUP,
        toolset=Toolset.CATALOG,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="The vendor's OS images by region, for deploy_instance. Your own: list_custom_images.",
        method="GET",
        path="/os-images/",
        confidence=Confidence(method=97, path=45),
        alternates=elsewhere("GET", "/images/os/", "/images/os-images/"),
        request=ListOSImagesQuery,
        response=OSImagesResponse,
        result="images",
        idempotent=True,
        core=True,
    ),
)

CUSTOM_IMAGES = (
    Operation(
        tool="list_custom_images",
        title="List custom images",
        group=GROUP,
        toolset=Toolset.IMAGES,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Your own images with state and region; deploy_instance boots available ones.",
        method="GET",
        path="/images/",
        confidence=Confidence(method=97, path=65),
        request=ListImagesQuery,
        paged=True,
        response=ImageListResponse,
        result="images",
        idempotent=True,
        core=True,
    ),
    Operation(
        tool="get_custom_image",
        title="Get image details",
        group=GROUP,
        toolset=Toolset.IMAGES,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="One custom image: state (creating, then available), region, snapshot.",
        method="GET",
        path="/images/{image_id}/",
        confidence=Confidence(method=97, path=60),
        place=ImagePath,
        response=ImageDetailResponse,
        result="image",
        idempotent=True,
    ),
    Operation(
        tool="create_custom_image",
        title="Create image from snapshot",
        group=GROUP,
        toolset=Toolset.IMAGES,
        risk=Risk.CHANGE,
        retry=Retry.UNSENT,
        description="Make a bootable image from an available snapshot. One per snapshot: check "
        "get_snapshot_image, an old one must be deleted first.",
        method="POST",
        path="/snapshots/{snapshot_id}/image/",
        confidence=Confidence(method=95, path=35),
        alternates=elsewhere("POST", "/snapshots/{snapshot_id}/create-image/"),
        place=SnapshotPath,
        request=CreateImageFromSnapshotRequest,
        response=ImageCreateResponse,
        result="image",
        look=Look("get_snapshot_image", ("snapshot_id",)),
        after="Next: get_custom_image until it is available; deploy_instance can boot it then.",
    ),
    Operation(
        tool="delete_custom_image",
        title="Delete custom image",
        group=GROUP,
        toolset=Toolset.IMAGES,
        risk=Risk.DESTROY,
        retry=Retry.UNSENT,
        description="Delete a custom image for good. Instances made from it and its snapshot stay and cost.",
        method="DELETE",
        path="/images/{image_id}/",
        confidence=Confidence(method=95, path=60),
        place=ImagePath,
        response=ImageDeleteResponse,
        idempotent=True,
        look=Look("get_custom_image", ("image_id",)),
    ),
    Operation(
        tool="get_snapshot_image",
        title="Get snapshot-image relationship",
        group=GROUP,
        toolset=Toolset.IMAGES,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Whether a snapshot already has an image, and which. Use before create_custom_image.",
        method="GET",
        path="/snapshots/{snapshot_id}/image-relationship/",
        confidence=Confidence(method=90, path=30),
        alternates=elsewhere("GET", "/snapshots/{snapshot_id}/image/"),
        place=SnapshotPath,
        response=SnapshotImageRelationshipResponse,
        idempotent=True,
    ),
    Operation(
        tool="list_snapshot_images",
        title="Get snapshot-image relationship list",
        group=GROUP,
        toolset=Toolset.IMAGES,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Which of several snapshots have an image, and which. For one: get_snapshot_image.",
        method="POST",
        path="/snapshots/image-relationships/",
        confidence=Confidence(method=80, path=20),
        alternates=elsewhere("POST", "/snapshots/batch-image-relationships/"),
        request=GetBatchSnapshotImageRelationshipsRequest,
        response=BatchSnapshotImageRelationshipResponse,
        result="relationships",
        idempotent=True,
    ),
)

OPERATIONS = (*OS_IMAGES, *CUSTOM_IMAGES)
