"""The machines as the API shows them: in a list, and in detail."""

from typing import Annotated

from barrack_mcp.catalogue.answers.billing import Billing
from barrack_mcp.catalogue.models import FEW, MANY, Response, answered
from barrack_mcp.catalogue.rules import FirewallRule, VMSecurityRule
from barrack_mcp.catalogue.values import Flag, IpStatusEnum, Number, StatusEnum, Text, Texts, Whole, bare


class VMFlavor(Response):
    """The size of a machine."""

    name: Text = answered("Name of the size.", "flavor_name")
    gpu_count: Whole = answered("Number of GPUs.")


class VMImage(Response):
    """The image that a machine was made from."""

    name: Text = answered("Name of the image.", "image_name")
    boot_source: Text = answered("os_image, volume or custom_image.")
    default_user: Text = answered("Who logs in by SSH.")


class InstanceSpecs(Response):
    """A machine's hardware in a list; nothing is known of its fields."""


class VMSpecs(Response):
    """A machine's hardware in detail; nothing is known of its fields."""


class InstanceFeatures(Response):
    """What a machine can do; nothing is known of its fields."""


class VMOperations(Response):
    """What a machine's present state allows, where the API says it."""

    allowed: Texts = answered("Operations allowed now.", "allowed_operations")
    start: Flag = answered("Whether it can be started now.")
    stop: Flag = answered("Whether it can be stopped now.")
    reboot: Flag = answered("Whether it can be rebooted now.")
    hibernate: Flag = answered("Whether it can be hibernated now.")
    restore: Flag = answered("Whether it can be restored now.")
    delete: Flag = answered("Whether it can be deleted now.")
    toggle_public_ip: Flag = answered("Whether its public IP can be given or taken now.")
    attach_volumes: Flag = answered("Whether volumes can be attached now.")
    create_snapshot: Flag = answered("Whether a snapshot can be taken now.")


class VMVolumeAttachment(Response):
    """A volume on a machine, in a list."""

    volume_id: Text = answered("Volume id.", "id")
    volume_name: Text = answered("Volume name.", "name")
    size_gb: Number = answered("Size in GB.", "size")
    volume_type: Text = answered("SSD, HDD or NVMe.")
    status: StatusEnum = answered("ATTACHING, SUCCESS or ERROR.")
    bootable: Flag = answered("Whether the machine boots from it.")


class VMDetailVolumeAttachment(VMVolumeAttachment):
    """A volume on a machine, in detail."""

    device: Text = answered("Device under which the machine sees it.")


class InstanceFirewall(Response):
    """A firewall on a machine. The API names it; its rules are added here."""

    id: Text = answered("Firewall id.", "firewall_id")
    name: Text = answered("Name.", "firewall_name")
    rules: list[FirewallRule] | None = answered("Its rules.")


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
    firewalls: list[Annotated[InstanceFirewall, bare("id")]] | None = answered("The firewalls that it has.")
    features: Annotated[InstanceFeatures | None, bare("features")] = answered("What it can do.")


class VMInstance(Machine):
    """A machine in the list."""

    specs: Annotated[InstanceSpecs | None, bare("specs")] = answered("Its hardware.")
    volume_attachments: list[Annotated[VMVolumeAttachment, bare("volume_id")]] | None = answered("Its volumes.")


class InstanceKey(Response):
    """An SSH key that was put on a machine."""

    id: Text = answered("Key id.", "key_id", "ssh_key_id")
    name: Text = answered("Name.", "key_name", "ssh_key_name")


class VMResponse(Machine):
    """A machine in detail."""

    ssh_keys: list[Annotated[InstanceKey, bare("name")]] | None = answered("The keys that it was made with.", "keys")
    startup_script_id: Text = answered("The script that it ran at its first boot.")

    specs: Annotated[VMSpecs | None, bare("specs")] = answered("Its hardware.")
    volume_attachments: list[Annotated[VMDetailVolumeAttachment, bare("volume_id")]] | None = answered("Its volumes.")
    operations: Annotated[VMOperations | None, bare("allowed")] = answered(
        "What its present state allows.", "allowed_operations"
    )
    billing: Annotated[Billing | None, bare("total_cost")] = answered("What it costs.")
