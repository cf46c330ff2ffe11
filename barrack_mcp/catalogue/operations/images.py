"""Images: what instances boot from. The vendor's OS images, and custom images made from snapshots."""

from functools import partial
from typing import Annotated, Final

from barrack_mcp.catalogue.envelope import Envelope, Named, NamedPaging, Paged, Receipt
from barrack_mcp.catalogue.kinds import IMAGE
from barrack_mcp.catalogue.models import DOCUMENTED, MANY, Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.operations.snapshots import SnapshotPath
from barrack_mcp.catalogue.signs import Gone, Imaged, Look, Settles
from barrack_mcp.catalogue.values import (
    Flag,
    Id,
    Ids,
    ImageName,
    Number,
    RegionEnum,
    StatusEnum,
    Text,
    Texts,
    TierEnum,
    bare,
    keyed,
)

GROUP: Final = "Images"

declare = partial(Operation, group=GROUP, toolset=Toolset.IMAGES)


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

    name: ImageName = required("3-30 letters, digits, space -_.", DOCUMENTED)


class GetBatchSnapshotImageRelationshipsRequest(Request):
    """Which snapshots to look at."""

    snapshot_ids: Ids = required("Ids or names.")


class OSImage(Response):
    """An operating system that an instance can boot."""

    id: Text = answered("Image id.", "image_id")
    name: Text = answered("Name, as deploy_instance takes it.", "image_name", concise=MANY)
    type: Text = answered("Kind of system.", "os_type", concise=MANY)
    version: Text = answered("Version.", concise=MANY)
    region: Text = answered("Region.", "region_name", concise=MANY)
    tier: Text = answered("legacy or advanced, in either case.", concise=MANY)
    gpu_models: Texts = answered("The GPU models that it fits; without them, all.", concise=MANY)


class OSImagesResponse(Envelope):
    """The OS images."""

    images: list[Annotated[OSImage, bare("name")]] | None = answered("The OS images.", "os_images")


class Image(Response):
    """A custom image as the API shows it."""

    image_id: Text = answered("Image id.", "id")
    name: Text = answered("Name.", "image_name")
    status: StatusEnum = answered("creating, then available.", mark=DOCUMENTED)
    region: Text = answered("Region.")
    tier: Text = answered("legacy or advanced, in either case.")
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

    image_id: Text = answered("Id of the deleted image.")


class SnapshotImageRelationshipResponse(Envelope):
    """Whether a snapshot has an image, and which."""

    snapshot_id: Text = answered("Snapshot id.")
    has_image: Flag = answered("Whether an image was made from it.")
    image: Annotated[Image | None, bare("image_id")] = answered("That image, if any.")


class BatchSnapshotImageRelationshipResponse(Envelope):
    """The same for several snapshots."""

    relationships: Annotated[
        list[Annotated[SnapshotImageRelationshipResponse, bare("snapshot_id")]] | None, keyed("snapshot_id", "image")
    ] = answered("One row a snapshot.")


OS_IMAGES = (
    declare(
        tool="list_os_images",
        title="List OS images",
        toolset=Toolset.CATALOG,
        risk=Risk.READ,
        description="OS images for deploy_instance. Those with an application fit their gpu_models only and force "
        "a public IP. Own ones: list_custom_images.",
        endpoint=Endpoint("GET", "/os-images/", Confidence(97, 15)),
        alternates=elsewhere("GET", "/images/os/", "/images/os-images/", "/images/os-list/"),
        request=ListOSImagesQuery,
        ours=NamedPaging,
        response=OSImagesResponse,
        result="images",
        core=True,
    ),
)

CUSTOM_IMAGES = (
    declare(
        tool="list_custom_images",
        title="List custom images",
        risk=Risk.READ,
        description="Your own images with state and region; deploy_instance boots available ones.",
        endpoint=Endpoint("GET", "/images/", Confidence(97, 65)),
        request=ListImagesQuery,
        ours=Named,
        paged=True,
        response=ImageListResponse,
        result="images",
        core=True,
    ),
    declare(
        tool="get_custom_image",
        title="Get image details",
        risk=Risk.READ,
        description="One custom image: state (creating, then available), region, snapshot.",
        endpoint=Endpoint("GET", "/images/{image_id}/", Confidence(97, 60)),
        place=ImagePath,
        response=ImageDetailResponse,
        result="image",
    ),
    declare(
        tool="create_custom_image",
        title="Create image from snapshot",
        risk=Risk.CHANGE,
        description="Make a bootable image from an available snapshot; one per snapshot, see get_snapshot_image.",
        endpoint=Endpoint("POST", "/snapshots/{snapshot_id}/image/", Confidence(95, 10)),
        alternates=elsewhere(
            "POST",
            "/snapshots/{snapshot_id}/create-image/",
            "/images/create/",
            "/images/",
            "/images/snapshots/{snapshot_id}/",
            "/images/snapshots/{snapshot_id}/create/",
        ),
        place=SnapshotPath,
        request=CreateImageFromSnapshotRequest,
        response=ImageCreateResponse,
        result="image",
        planned=True,
        look=Look("get_snapshot_image", ("snapshot_id",)),
        sign=Imaged(),
        settles=Settles(IMAGE, "CREATING", "available"),
        after="Then deploy_instance can boot it.",
    ),
    declare(
        tool="delete_custom_image",
        title="Delete custom image",
        risk=Risk.DESTROY,
        description="Delete a custom image for good. Its instances and snapshot stay and cost.",
        endpoint=Endpoint("DELETE", "/images/{image_id}/", Confidence(95, 60)),
        place=ImagePath,
        response=ImageDeleteResponse,
        look=Look("get_custom_image", ("image_id",)),
        sign=Gone(),
    ),
    declare(
        tool="get_snapshot_image",
        title="Get snapshot-image relationship",
        risk=Risk.READ,
        description="Whether a snapshot has a custom image already, and which one.",
        endpoint=Endpoint("GET", "/snapshots/{snapshot_id}/image-relationship/", Confidence(90, 10)),
        alternates=elsewhere(
            "GET",
            "/snapshots/{snapshot_id}/image/",
            "/images/snapshots/{snapshot_id}/",
            "/images/snapshots/{snapshot_id}/relationship/",
            "/images/snapshot-relationship/{snapshot_id}/",
        ),
        place=SnapshotPath,
        response=SnapshotImageRelationshipResponse,
    ),
    declare(
        tool="list_snapshot_images",
        title="Get snapshot-image relationship list",
        risk=Risk.READ,
        description="Which of several snapshots have an image. One: get_snapshot_image.",
        endpoint=Endpoint("POST", "/snapshots/image-relationships/", Confidence(80, 10)),
        alternates=elsewhere(
            "POST",
            "/snapshots/batch-image-relationships/",
            "/images/snapshots/relationships/",
            "/images/snapshot-relationships/",
            "/images/relationships/",
        ),
        request=GetBatchSnapshotImageRelationshipsRequest,
        response=BatchSnapshotImageRelationshipResponse,
        result="relationships",
    ),
)

OPERATIONS = (*OS_IMAGES, *CUSTOM_IMAGES)
