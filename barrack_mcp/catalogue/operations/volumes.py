"""Volumes: block storage that outlives the instances it is attached to, billed while it exists."""

from __future__ import annotations

from typing import Annotated, Final, Self, TypeAlias

from pydantic import BeforeValidator, model_validator

from barrack_mcp.catalogue.billing import VolumeHourlyBillingResponse
from barrack_mcp.catalogue.envelope import Answer, Paged, Receipt
from barrack_mcp.catalogue.models import DOCUMENTED, FEW, MANY, Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Look, Operation, Retry, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.operations.instances import SEEN, InstancePath
from barrack_mcp.catalogue.operations.pricing import VolumeRate
from barrack_mcp.catalogue.values import (
    LISTED,
    Anything,
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
    bare,
)

GROUP = "Volumes"

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

    name: Name = required("1-50 letters, digits, space, - _ .")
    size_gb: VolumeSize = required("GB, from 100.", DOCUMENTED)
    region: RegionEnum = required("E.g. NORWAY-1.")
    tier: TierEnum = required("Tier.")
    volume_type: VolumeTypeEnum = required("SSD: legacy; HDD, NVMe: advanced.", DOCUMENTED)
    bootable: bool | None = optional("To boot from.")
    os_image: Word | None = optional("When bootable; from list_os_images.")

    @model_validator(mode="after")
    def _bootable_needs_an_image(self) -> Self:
        if self.bootable and self.os_image is None:
            raise ValueError("os_image: is needed when bootable is true")
        return self


class AttachVolumesRequest(Request):
    """Which volumes to attach."""

    volume_ids: Ids = required("Free ones; ids or names.")


class DetachVolumesRequest(Request):
    """Which volumes to detach."""

    volume_ids: Ids = required("Not the boot volume.")


class CloneVolumeRequest(Request):
    """A copy of a volume."""

    name: Name = required("Name of the copy, 1-50.")
    volume_type: VolumeTypeEnum | None = optional("Of the copy; default: same.")


class ResizeVolumeRequest(Request):
    """How large a volume is to be."""

    size_gb: VolumeSize = required("New GB, above the present.")


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
    attachment: Anything = answered("Where it is attached, if at all.", "attachments", concise=FEW)
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


class GetVolumeTypesResponse(Answer):
    """The types of volume."""

    volume_types: Annotated[VolumeTypesByTier | None, BeforeValidator(_by_tier)] = answered("Types by tier.", "types")


OPERATIONS = (
    Operation(
        tool="list_volumes",
        title="List volumes",
        group=GROUP,
        toolset=Toolset.VOLUMES,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Volumes with size in GB, type, state, attachment, and a free name. All cost, attached or not.",
        method="GET",
        path="/volumes/",
        confidence=Confidence(method=97, path=70),
        request=ListVolumesQuery,
        paged=True,
        response=GetVolumesWithNextNameResponse,
        result="volumes",
        idempotent=True,
        billing=WHILE_IT_EXISTS,
    ),
    Operation(
        tool="create_volume",
        title="Create volume",
        group=GROUP,
        toolset=Toolset.VOLUMES,
        risk=Risk.SPEND,
        retry=Retry.UNSENT,
        description="Buy a volume; it costs per GB and hour until deleted, attached or not. Then attach_volumes, or "
        "boot from it.",
        method="POST",
        path="/volumes/",
        confidence=Confidence(method=97, path=65),
        request=CreateVolumeRequest,
        response=CreateVolumeResponse,
        result="volume",
        look=Look("list_volumes", ("region", "tier")),
        billing=WHILE_IT_EXISTS,
    ),
    Operation(
        tool="get_volume",
        title="Get volume details",
        group=GROUP,
        toolset=Toolset.VOLUMES,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="One volume: size in GB, type, state, and the instance that has it.",
        method="GET",
        path="/volumes/{volume_id}/",
        confidence=Confidence(method=97, path=65),
        place=VolumePath,
        response=GetVolumeDetailsResponse,
        result="volume",
        idempotent=True,
    ),
    Operation(
        tool="attach_volumes",
        title="Attach volumes to instance",
        group=GROUP,
        toolset=Toolset.VOLUMES,
        risk=Risk.CHANGE,
        retry=Retry.UNSENT,
        description="Attach free volumes to an instance of their region, usually ACTIVE; mount them inside. The bill"
        " stays the same.",
        method="POST",
        path="/instances/{instance_id}/attach-volumes/",
        confidence=Confidence(method=95, path=35),
        alternates=elsewhere("POST", "/instances/{instance_id}/volumes/attach/", "/volume/attach/"),
        place=InstancePath,
        request=AttachVolumesRequest,
        response=AttachVolumesResponse,
        idempotent=True,
        look=SEEN,
        billing="Attaching changes nothing on the bill: a volume costs the same attached or not.",
    ),
    Operation(
        tool="detach_volumes",
        title="Detach volumes from instance",
        group=GROUP,
        toolset=Toolset.VOLUMES,
        risk=Risk.INTERRUPT,
        retry=Retry.UNSENT,
        description="Take volumes off an instance; unmount first or lose writes. Data stays and costs; to end that: "
        "delete_volume.",
        method="POST",
        path="/instances/{instance_id}/detach-volumes/",
        confidence=Confidence(method=95, path=35),
        alternates=elsewhere("POST", "/instances/{instance_id}/volumes/detach/", "/volume/detach/"),
        place=InstancePath,
        request=DetachVolumesRequest,
        response=DetachVolumesResponse,
        idempotent=True,
        look=SEEN,
        billing="Detaching saves nothing: a volume costs the same until it is deleted.",
    ),
    Operation(
        tool="clone_volume",
        title="Clone volume",
        group=GROUP,
        toolset=Toolset.VOLUMES,
        risk=Risk.SPEND,
        retry=Retry.UNSENT,
        description="Copy a volume into a new one that costs until deleted. Advanced tier, probably. To enlarge:"
        " resize_volume.",
        method="POST",
        path="/volumes/{volume_id}/clone/",
        confidence=Confidence(method=95, path=60),
        place=VolumePath,
        request=CloneVolumeRequest,
        response=CloneVolumeResponse,
        result="volume",
        look=Look("list_volumes"),
        billing="The copy costs per GB and hour like any volume, beside the original.",
    ),
    Operation(
        tool="resize_volume",
        title="Resize volume",
        group=GROUP,
        toolset=Toolset.VOLUMES,
        risk=Risk.SPEND,
        retry=Retry.UNSENT,
        description="Enlarge a volume; it costs more from now on and can't shrink. Probably advanced tier only.",
        method="POST",
        path="/volumes/{volume_id}/resize/",
        confidence=Confidence(method=80, path=60),
        place=VolumePath,
        request=ResizeVolumeRequest,
        response=ResizeVolumeResponse,
        result="volume",
        look=Look("get_volume", ("volume_id",)),
        billing="The volume costs by its new size from now on; it can't shrink again.",
    ),
    Operation(
        tool="delete_volume",
        title="Delete volume",
        group=GROUP,
        toolset=Toolset.VOLUMES,
        risk=Risk.DESTROY,
        retry=Retry.UNSENT,
        description="Delete a detached volume and its data for good, ending its bill.",
        method="DELETE",
        path="/volumes/{volume_id}/",
        confidence=Confidence(method=95, path=60),
        alternates=elsewhere("DELETE", "/volumes/{volume_id}/delete/"),
        place=VolumePath,
        response=DeleteVolumeResponse,
        idempotent=True,
        look=Look("get_volume", ("volume_id",)),
        billing="Deleting ends the volume's bill.",
    ),
    Operation(
        tool="list_volume_types",
        title="List available volume types",
        group=GROUP,
        toolset=Toolset.VOLUMES,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Types of volume each tier offers (SSD; HDD, NVMe), for create_volume.",
        method="GET",
        path="/volumes/types/",
        confidence=Confidence(method=97, path=40),
        alternates=elsewhere("GET", "/volumes/volume-types/"),
        request=ListVolumeTypesQuery,
        response=GetVolumeTypesResponse,
        result="volume_types",
        idempotent=True,
    ),
    Operation(
        tool="get_volume_billing",
        title="Get volume billing",
        group=GROUP,
        toolset=Toolset.ACCOUNT,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="What volumes have cost so far, row by row, with sums over all.",
        method="GET",
        path="/volumes/billing/",
        confidence=Confidence(method=97, path=50),
        alternates=elsewhere("GET", "/volumes/billing/hourly/", "/volumes/hourly-billing/"),
        request=VolumeBillingQuery,
        paged=True,
        response=VolumeHourlyBillingResponse,
        result="records",
        idempotent=True,
        billing=WHILE_IT_EXISTS,
    ),
)
