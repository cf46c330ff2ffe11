"""Volumes: block storage that outlives the instances it is attached to, billed while it exists."""

from functools import partial
from typing import Annotated, Final, Self, TypeAlias

from pydantic import BeforeValidator, model_validator

from barrack_mcp.catalogue.answers.billing import Billed, Cut, Days, VolumeHourlyBillingResponse
from barrack_mcp.catalogue.envelope import Costing, CostingList, Envelope, Named, Paged, Rated, Receipt
from barrack_mcp.catalogue.kinds import VOLUME
from barrack_mcp.catalogue.models import DOCUMENTED, FEW, MANY, Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.operations.instances import SEEN, InstancePath
from barrack_mcp.catalogue.operations.pricing import VolumeRate
from barrack_mcp.catalogue.signs import Gone, Look, Made, Settles, Shows, VolumesMoved
from barrack_mcp.catalogue.values import (
    ALONE,
    LISTED,
    Flag,
    Id,
    Ids,
    Lines,
    Name,
    Number,
    RegionEnum,
    StatusEnum,
    Text,
    Texts,
    TierEnum,
    VolumeSize,
    VolumeTypeEnum,
    Word,
    YesNo,
    bare,
)

GROUP: Final = "Volumes"

declare = partial(Operation, group=GROUP, toolset=Toolset.VOLUMES)

WHILE_IT_EXISTS: Final = "A volume costs per GB and hour for as long as it exists, attached or not."


class VolumePath(Request):
    """Which volume."""

    volume_id: Id = required("Id or name.")


class ListVolumesQuery(Request):
    """Which volumes to list."""

    region: RegionEnum | None = optional("Region.")
    tier: TierEnum | None = optional("Tier.")


class ListVolumeTypesQuery(Request):
    """Which types to list."""

    tier: TierEnum | None = optional("Tier.")
    region: RegionEnum | None = optional("Region.")


class VolumeBillingQuery(Request):
    """Whose bill to show."""

    volume_id: Id | None = optional("Id or name.")


class CreateVolumeRequest(Request):
    """A new volume."""

    name: Name = required("1-50 letters, digits, space -_.")
    size_gb: VolumeSize = required("GB, from 100.", DOCUMENTED)
    region: RegionEnum = required("E.g. NORWAY-1.")
    tier: TierEnum = required("Tier.")
    volume_type: VolumeTypeEnum = required("SSD: legacy; HDD, NVMe: advanced.", DOCUMENTED)
    bootable: YesNo | None = optional("To boot from.")
    os_image: Word | None = optional("If bootable; see list_os_images.")

    @model_validator(mode="after")
    def _bootable_needs_an_image(self) -> Self:
        if self.bootable and self.os_image is None:
            raise ValueError("os_image: is needed when bootable is true")
        return self


class AttachVolumesRequest(Request):
    """Which volumes to attach."""

    volume_ids: Ids = required("Ids or names.")


class DetachVolumesRequest(Request):
    """Which volumes to detach."""

    volume_ids: Ids = required("Not the boot volume.")


class CloneVolumeRequest(Request):
    """A copy of a volume."""

    name: Name = required("Name of the copy, 1-50.")
    volume_type: VolumeTypeEnum | None = optional("Of the copy; default: same.")


class ResizeVolumeRequest(Request):
    """How large a volume is to be."""

    size_gb: VolumeSize = required("GB, above the present.")


class VolumeAttachment(Response):
    """The bond between a volume and an instance."""

    instance_id: Text = answered("Instance id.", "vm_id", "id")
    vm_name: Text = answered("Its name.", "instance_name", "name")
    status: StatusEnum = answered("ATTACHING, SUCCESS or ERROR.")
    boot: Flag = answered("Whether the instance boots from it.")


class VolumeResponse(Response):
    """A volume as the API shows it."""

    volume_id: Text = answered("Volume id.", "id", concise=MANY)
    volume_name: Text = answered("Name.", "name", concise=MANY)
    size_gb: Number = answered("Size in GB.", "size", concise=MANY)
    volume_type: Text = answered("SSD, HDD or NVMe.", "type", concise=MANY)
    tier: Text = answered("legacy or advanced, in either case.", concise=FEW)
    region: Text = answered("Region.", concise=MANY)
    status: StatusEnum = answered("creating, available, in-use, attached or error.", concise=MANY)
    bootable: Flag = answered("Whether instances can boot from it.")
    os_image: Text = answered("The OS image on it, if it is bootable.")
    attachment: Annotated[VolumeAttachment | None, bare("instance_id"), ALONE] = answered(
        "Where it is attached, if at all.", "attachments", concise=FEW
    )
    instance_id: Text = answered("The instance that it is attached to, if any.", "vm_id", concise=MANY)
    created_at: Text = answered("When it was created, ISO 8601.", concise=FEW)


class GetVolumesWithNextNameResponse(Paged):
    """A page of volumes, and a free name for the next one."""

    volumes: list[VolumeResponse] | None = answered("The volumes of this page.")
    next_name: Text = answered("A name that is still free.", "next_volume_name")


class VolumeReceipt(Receipt):
    """One volume."""

    volume: Annotated[VolumeResponse | None, bare("volume_id")] = answered("The volume.", "volume_id")


class CreateVolumeResponse(VolumeReceipt):
    """The volume that was created."""


class GetVolumeDetailsResponse(VolumeReceipt):
    """One volume."""


class CloneVolumeResponse(VolumeReceipt):
    """The copy."""


class ResizeVolumeResponse(VolumeReceipt):
    """The volume in its new size."""


class DeleteVolumeResponse(Receipt):
    """The volume is gone."""

    volume_id: Text = answered("Id of the deleted volume.")


class VolumesOfInstance(Receipt):
    """What attaching and detaching answer."""

    instance_id: Text = answered("Instance id.", "vm_id")
    volume_ids: Texts = answered("The volumes that were named.", "attachments", "volumes")


class AttachVolumesResponse(VolumesOfInstance):
    """The volumes are being attached."""


class DetachVolumesResponse(VolumesOfInstance):
    """The volumes are being detached."""


class VolumeTypeItem(Response):
    """A type of volume."""

    volume_type: Text = answered("SSD, HDD or NVMe.", "type", "name", "value")
    tier: Text = answered("legacy or advanced, in either case.")
    description: Lines = answered("In words.", "label")
    minimum_size_gb: Number = answered("Smallest size in GB.", "min_size_gb", "min_size")
    maximum_size_gb: Number = answered("Largest size in GB.", "max_size_gb", "max_size")
    rate: Annotated[VolumeRate | None, bare("price")] = answered("What it costs.", "pricing")


def _by_tier(value: object) -> object:
    """Read one list of types as one list a tier."""
    if not isinstance(value, list):
        return value
    tiers: dict[str, list[object]] = {}
    for item in value:
        tier = item.get("tier") if isinstance(item, dict) else None
        tiers.setdefault(str(tier or "any").casefold(), []).append(item)
    return tiers


VolumeTypeItems: TypeAlias = Annotated[list[Annotated[VolumeTypeItem, bare("volume_type")]] | None, LISTED]


class VolumeTypesByTier(Response):
    """The types of volume of each tier."""

    legacy: VolumeTypeItems = answered("Types of the legacy tier.")
    advanced: VolumeTypeItems = answered("Types of the advanced tier.")


class GetVolumeTypesResponse(Envelope):
    """The types of volume."""

    volume_types: Annotated[VolumeTypesByTier | None, BeforeValidator(_by_tier)] = answered("Types by tier.", "types")


OPERATIONS = (
    declare(
        tool="list_volumes",
        title="List volumes",
        risk=Risk.READ,
        description="Volumes: size, type, state, attachment, rate, sum. All cost, attached or not.",
        endpoint=Endpoint("GET", "/volumes/", Confidence(97, 70)),
        request=ListVolumesQuery,
        ours=Named,
        paged=True,
        response=GetVolumesWithNextNameResponse,
        result="volumes",
        beside=CostingList,
        adds=Rated,
        billing=WHILE_IT_EXISTS,
    ),
    declare(
        tool="create_volume",
        title="Create volume",
        risk=Risk.SPEND,
        description="Buy a volume; costs per GB and hour until deleted, attached or not.",
        endpoint=Endpoint("POST", "/volumes/", Confidence(97, 65)),
        request=CreateVolumeRequest,
        response=CreateVolumeResponse,
        result="volume",
        look=Look("list_volumes", ("region", "tier")),
        sign=Made(VOLUME, ("region", "tier", "size_gb", "volume_type")),
        settles=Settles(VOLUME, "CREATING", "available"),
        billing=WHILE_IT_EXISTS,
        after="Then attach_volumes.",
    ),
    declare(
        tool="get_volume",
        title="Get volume details",
        risk=Risk.READ,
        description="One volume: size in GB, type, state, rate and which instance has it.",
        endpoint=Endpoint("GET", "/volumes/{volume_id}/", Confidence(97, 65)),
        place=VolumePath,
        response=GetVolumeDetailsResponse,
        result="volume",
        beside=Costing,
        adds=Rated,
    ),
    declare(
        tool="attach_volumes",
        title="Attach volumes to instance",
        risk=Risk.CHANGE,
        description="Attach free volumes to an instance of their region, usually ACTIVE; then mount them inside.",
        endpoint=Endpoint("POST", "/instances/{instance_id}/attach-volumes/", Confidence(99, 30)),
        alternates=elsewhere(
            "POST",
            "/instances/{instance_id}/volumes/attach/",
            "/volume/attach/",
            "/deployments/{instance_id}/attach-volumes/",
            "/instances/volumes/attach/",
        ),
        place=InstancePath,
        request=AttachVolumesRequest,
        response=AttachVolumesResponse,
        planned=True,
        sets_state=True,
        look=SEEN,
        sign=VolumesMoved(attached=True),
        settles=Settles(VOLUME, "ATTACHING", "in-use", "volume_ids", "all are"),
        billing="Attaching changes nothing on the bill: a volume costs the same attached or not.",
        after="Then mount it inside the machine.",
    ),
    declare(
        tool="detach_volumes",
        title="Detach volumes from instance",
        risk=Risk.INTERRUPT,
        description="Take volumes off an instance; unmount first or lose writes. They cost until delete_volume.",
        endpoint=Endpoint("POST", "/instances/{instance_id}/detach-volumes/", Confidence(95, 30)),
        alternates=elsewhere(
            "POST",
            "/instances/{instance_id}/volumes/detach/",
            "/volume/detach/",
            "/deployments/{instance_id}/detach-volumes/",
            "/instances/volumes/detach/",
        ),
        place=InstancePath,
        request=DetachVolumesRequest,
        response=DetachVolumesResponse,
        sets_state=True,
        look=SEEN,
        sign=VolumesMoved(attached=False),
        settles=Settles(VOLUME, "DETACHING", "available", "volume_ids", "all are"),
        billing="Detaching saves nothing: a volume costs the same until it is deleted.",
        after="Only then attach it elsewhere or delete the machine.",
    ),
    declare(
        tool="clone_volume",
        title="Clone volume",
        risk=Risk.SPEND,
        description="Copy a volume; the copy costs, too. Advanced tier, probably.",
        endpoint=Endpoint("POST", "/volumes/{volume_id}/clone/", Confidence(95, 60)),
        place=VolumePath,
        request=CloneVolumeRequest,
        response=CloneVolumeResponse,
        result="volume",
        look=Look("list_volumes"),
        sign=Made(VOLUME, ("volume_type",)),
        settles=Settles(VOLUME, "CREATING", "available", subject="the copy is"),
        billing="The copy costs per GB and hour like any volume, beside the original.",
        after="A large one takes minutes. Only then change or delete the original.",
    ),
    declare(
        tool="resize_volume",
        title="Resize volume",
        risk=Risk.SPEND,
        description="Enlarge a volume; it costs more and can't shrink. Probably advanced tier only.",
        endpoint=Endpoint("POST", "/volumes/{volume_id}/resize/", Confidence(80, 60)),
        place=VolumePath,
        request=ResizeVolumeRequest,
        response=ResizeVolumeResponse,
        result="volume",
        look=Look("get_volume", ("volume_id",)),
        sign=Shows({"size_gb": "size_gb"}),
        billing="The volume costs by its new size from now on; it can't shrink again.",
        after="Next: get_volume until it has the new size, usually within a minute; then grow the file system inside.",
    ),
    declare(
        tool="delete_volume",
        title="Delete volume",
        risk=Risk.DESTROY,
        description="Delete a detached volume and its data for good, ending its bill.",
        endpoint=Endpoint("DELETE", "/volumes/{volume_id}/", Confidence(95, 60)),
        alternates=elsewhere("DELETE", "/volumes/{volume_id}/delete/"),
        place=VolumePath,
        response=DeleteVolumeResponse,
        look=Look("get_volume", ("volume_id",)),
        sign=Gone(),
        billing="Deleting ends the volume's bill.",
    ),
    declare(
        tool="list_volume_types",
        title="List available volume types",
        risk=Risk.READ,
        description="Types of volume each tier offers (SSD; HDD, NVMe), for create_volume.",
        endpoint=Endpoint("GET", "/volumes/types/", Confidence(97, 40)),
        alternates=elsewhere("GET", "/volumes/volume-types/"),
        request=ListVolumeTypesQuery,
        response=GetVolumeTypesResponse,
        result="volume_types",
    ),
    declare(
        tool="get_volume_billing",
        title="Get volume billing",
        toolset=Toolset.ACCOUNT,
        risk=Risk.READ,
        description="What each volume has cost, in all or between two days (UTC).",
        endpoint=Endpoint("GET", "/volumes/billing/", Confidence(97, 50)),
        alternates=elsewhere("GET", "/volumes/billing/hourly/", "/volumes/hourly-billing/"),
        request=VolumeBillingQuery,
        paged=True,
        response=VolumeHourlyBillingResponse,
        result="records",
        ours=Days,
        beside=Billed,
        adds=Cut,
        billing=WHILE_IT_EXISTS,
    ),
)
