"""Deploy instance: the purchase of a machine."""

from functools import partial
from typing import Annotated, Final, Self

from pydantic import AfterValidator, model_validator

from barrack_mcp.catalogue.answers.billing import Billing
from barrack_mcp.catalogue.envelope import Leased, Receipt
from barrack_mcp.catalogue.kinds import INSTANCE
from barrack_mcp.catalogue.models import DOCUMENTED, Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.rules import SecurityRule
from barrack_mcp.catalogue.signs import Look, Made, Settles
from barrack_mcp.catalogue.values import (
    ARRAY,
    FEW,
    OBJECT,
    BootSourceEnum,
    CloudInit,
    DeploymentDataStatusEnum,
    GpuCountEnum,
    GpuModelEnum,
    Id,
    Ids,
    Name,
    Password,
    RegionEnum,
    Text,
    TierEnum,
    VolumeSize,
    Whole,
    Word,
    YesNo,
    bare,
)

GROUP: Final = "Deploy Instance"

declare = partial(Operation, group=GROUP, toolset=Toolset.INSTANCES)

MOST_RULES: Final = 25
"""As many as a person who is asked is shown, each by itself."""

BOOT_ARGUMENTS: Final = {"os_image": "os_image", "volume": "volume_id", "custom_image": "image_id"}
"""The argument that each boot source needs."""


FILLED: Final = ("tier", "region", "gpu_model", "gpu_count", "boot_source", "ssh_key_ids")
"""What a machine that is there tells of another like it."""


def _few_enough_to_show(rules: list[SecurityRule] | None) -> list[SecurityRule] | None:
    if rules is not None and len(rules) > MOST_RULES:
        raise ValueError(
            f"must hold at most {MOST_RULES} rules, as many as a person can be shown; add the others afterwards"
        )
    return rules


class OsVolume(Request):
    """The volume that the system is put on."""

    name: Name = required("1-50 letters, digits, space -_.")
    size_gb: VolumeSize = required("GB, from 100.")


class DeploymentRequest(Request):
    """A new machine."""

    name: Name = required("1-50 letters, digits, space -_.")
    tier: TierEnum = required("Tier.", DOCUMENTED)
    region: RegionEnum = required("E.g. US-1.")
    gpu_model: GpuModelEnum = required("From list_gpu_stock, e.g. RTX-A6000.", DOCUMENTED)
    gpu_count: GpuCountEnum = required("1, 2, 4 or 8.", DOCUMENTED)
    boot_source: BootSourceEnum = required("With its own argument.")
    os_image: Word | None = optional("Name from list_os_images.")
    volume_id: Id | None = optional("Bootable volume.")
    image_id: Id | None = optional("Custom image.")
    os_volume: Annotated[OsVolume | None, OBJECT] = optional("System volume of its own: name, size_gb.")
    ssh_key_ids: Ids = required("Ids or names.")
    public_ip: YesNo | None = optional("Say which; no default is known.")
    security_rules: Annotated[
        list[Annotated[SecurityRule, OBJECT]] | None, AfterValidator(_few_enough_to_show), FEW, ARRAY
    ] = optional("What is let through; fields as in add_firewall_rule.")
    cloud_init: CloudInit | None = optional("At most 16384 bytes.", secret=True)
    startup_script_id: Id | None = optional("Id or name.")
    jupyter_password: Password | None = optional("Starts Jupyter on port 8888.", secret=True)

    @model_validator(mode="after")
    def _boots_from_one_thing(self) -> Self:
        if getattr(self, "like", None) is not None:
            # what is left out stands there once it was taken from that machine
            return self
        needed = BOOT_ARGUMENTS.get(self.boot_source)
        if needed is None:
            return self
        if getattr(self, needed) is None:
            raise ValueError(f"{needed}: is needed when boot_source is {self.boot_source}")
        for other in BOOT_ARGUMENTS.values():
            if other != needed and getattr(self, other) is not None:
                raise ValueError(f"{other}: must be left out when boot_source is {self.boot_source}")
        return self


class DeploymentWish(Leased):
    """What a purchase is like, and how long it may run. Ours."""

    like: Id | None = optional("Instance that gives what is left out.")

    @model_validator(mode="after")
    def _tells_all(self) -> Self:
        missing = [name for name in FILLED if getattr(self, name, None) is None]
        if missing and self.like is None:
            more = f", and so {'are' if missing[2:] else 'is'} {', '.join(missing[1:])}" if missing[1:] else ""
            raise ValueError(f"{missing[0]}: is required{more}; or name with like an instance to take it from")
        return self


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


class DeploymentResponse(Receipt):
    """The machine that is being made."""

    data: DeploymentData | None = answered("The new instance.", "instance", "vm")


OPERATIONS = (
    declare(
        tool="deploy_instance",
        title="Create a new instance",
        risk=Risk.SPEND,
        description="Buy a GPU instance, billed per minute from ACTIVE until hibernated or deleted; stopping does "
        "not end the bill. First list_gpu_stock, quote_price. Nobody can log in without a rule for "
        "port 22. A hibernated one: restore_instance.",
        endpoint=Endpoint("POST", "/instances/deploy/", Confidence(99, 30)),
        alternates=elsewhere("POST", "/instances/create/", "/deployments/", "/deploy/", "/instances/"),
        request=DeploymentRequest,
        ours=DeploymentWish,
        filled=FILLED,
        response=DeploymentResponse,
        result="data",
        core=True,
        look=Look("list_instances", ("region", "tier")),
        sign=Made(INSTANCE, ("region", "tier", "gpu_count")),
        settles=Settles(INSTANCE, "CREATING", "ACTIVE"),
        billing="The instance costs the GPU price times gpu_count from when it is ACTIVE; stopping it does not end "
        "that, only hibernating or deleting it does.",
    ),
)
