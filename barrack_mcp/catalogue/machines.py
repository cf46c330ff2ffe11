"""How the API shows a machine: in a list, in detail, and the parts of both. Inferred, so read with much leniency."""

from __future__ import annotations

from typing import Annotated

from barrack_mcp.catalogue.billing import Billing
from barrack_mcp.catalogue.models import FEW, MANY, Response, answered
from barrack_mcp.catalogue.rules import VMSecurityRule
from barrack_mcp.catalogue.values import (
    DeploymentDataStatusEnum,
    IpStatusEnum,
    Number,
    StatusEnum,
    Text,
    Texts,
    Whole,
    bare,
)


class VMFlavor(Response):
    """The size of a machine."""

    name: Text = answered("Name of the size.", "flavor_name")


class VMImage(Response):
    """The image that a machine was made from."""

    name: Text = answered("Name of the image.", "image_name")


class InstanceSpecs(Response):
    """A machine's hardware in a list; nothing is known of its fields."""


class VMSpecs(Response):
    """A machine's hardware in detail; nothing is known of its fields."""


class InstanceFeatures(Response):
    """What a machine can do; nothing is known of its fields."""


class VMOperations(Response):
    """What a machine's present state allows, where the API says it."""

    allowed: Texts = answered("Operations allowed now.", "allowed_operations")


class VMVolumeAttachment(Response):
    """A volume on a machine, in a list."""

    volume_id: Text = answered("Volume id.", "id")
    volume_name: Text = answered("Volume name.", "name")
    size_gb: Number = answered("Size in GB.", "size")
    status: StatusEnum = answered("ATTACHING, SUCCESS or ERROR.")


class VMDetailVolumeAttachment(VMVolumeAttachment):
    """A volume on a machine, in detail."""

    device: Text = answered("Device under which the machine sees it.")


class Machine(Response):
    """What lists and details have in common."""

    instance_id: Text = answered("Instance id.", "id", "vm_id", concise=MANY)
    vm_name: Text = answered("Name.", "name", "instance_name", concise=MANY)
    status: Text = answered("ACTIVE and SHUTOFF cost the full rate, HIBERNATED a small one.", "vm_status", concise=MANY)
    gpu_type: Text = answered("GPU model.", "gpu_model", concise=MANY)
    gpu_count: Whole = answered("Number of GPUs.", concise=MANY)
    region: Text = answered("Region.", concise=MANY)
    tier: Text = answered("legacy or advanced, in either case.", concise=FEW)
    ip_status: IpStatusEnum = answered("State of the public IP.")
    public_ip: Text = answered("Public IP, if it has one.", "ip", "floating_ip", concise=FEW)
    private_ip: Text = answered("Private IP.", "fixed_ip")
    created_at: Text = answered("When it was created, ISO 8601.", concise=FEW)
    flavor: Annotated[VMFlavor | None, bare("name")] = answered("Size of the machine.")
    image: Annotated[VMImage | None, bare("name")] = answered("Image it was made from.")
    security_rules: list[VMSecurityRule] | None = answered("Its own rules; firewalls add theirs.")
    features: Annotated[InstanceFeatures | None, bare("features")] = answered("What it can do.")


class VMInstance(Machine):
    """A machine in the list."""

    specs: Annotated[InstanceSpecs | None, bare("specs")] = answered("Its hardware.")
    volume_attachments: list[Annotated[VMVolumeAttachment, bare("volume_id")]] | None = answered("Its volumes.")


class VMResponse(Machine):
    """A machine in detail."""

    specs: Annotated[VMSpecs | None, bare("specs")] = answered("Its hardware.")
    volume_attachments: list[Annotated[VMDetailVolumeAttachment, bare("volume_id")]] | None = answered("Its volumes.")
    operations: Annotated[VMOperations | None, bare("allowed")] = answered(
        "What its present state allows.", "allowed_operations"
    )
    billing: Annotated[Billing | None, bare("total_cost")] = answered("What it costs.")


class DeploymentData(Response):
    """The machine that a deployment began to make."""

    instance_id: Text = answered("Instance id.", "id", "vm_id")
    name: Text = answered("Name.", "vm_name", "instance_name")
    status: DeploymentDataStatusEnum = answered("CREATING or BUILD at first, then ACTIVE.")
    gpu_model: Text = answered("GPU model.", "gpu_type")
    gpu_count: Whole = answered("Number of GPUs.")
    region: Text = answered("Region.")
    tier: Text = answered("legacy or advanced, in either case.")
    public_ip: Text = answered("Public IP, once it has one.", "ip", "floating_ip")
    created_at: Text = answered("When it was created, ISO 8601.")
    billing: Annotated[Billing | None, bare("total_cost")] = answered("What it costs.")
