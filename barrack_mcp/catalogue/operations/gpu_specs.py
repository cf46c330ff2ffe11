"""GPU specs: the hardware that comes with a GPU model and count."""

from functools import partial
from typing import Annotated, Final

from barrack_mcp.catalogue.envelope import Envelope
from barrack_mcp.catalogue.models import Request, Response, answered, optional
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.values import (
    GpuCountEnum,
    GpuModelEnum,
    Number,
    RegionEnum,
    Text,
    Texts,
    TierEnum,
    Whole,
    bare,
)

GROUP: Final = "GPU Specs"

declare = partial(Operation, group=GROUP, toolset=Toolset.CATALOG)


class GpuSpecsQuery(Request):
    """Which specifications to show."""

    gpu_model: GpuModelEnum | None = optional("GPU model.")
    gpu_count: GpuCountEnum | None = optional("1, 2, 4 or 8.")
    tier: TierEnum | None = optional("Tier.")
    region: RegionEnum | None = optional("Region.")


class Specs(Response):
    """The hardware of one configuration."""

    vcpu: Whole = answered("Virtual CPUs.", "vcpus", "cpu")
    ram_gb: Number = answered("Memory in GB.", "ram")
    root_disk_gb: Number = answered("Root disk in GB.", "disk_gb", "disk")
    ephemeral_gb: Number = answered("Ephemeral disk in GB, lost on hibernation.", "ephemeral")
    vram_gb: Number = answered("GPU memory in GB.", "vram")


class GPUSpec(Specs):
    """One configuration: a GPU model in some number, and what comes with it."""

    gpu_model: Text = answered("GPU model.", "model", "gpu_type")
    gpu_count: Whole = answered("Number of GPUs.")
    tier: Text = answered("legacy or advanced, in either case.")
    regions: Texts = answered("Regions that have it.", "region")
    specs: Annotated[Specs | None, bare("description")] = answered("The hardware, where the API puts it apart.")


class SpecsMetadata(Response):
    """What the list covers; nothing is known of its fields."""


class GPUSpecsResponse(Envelope):
    """The specifications."""

    specs: list[GPUSpec] | None = answered("Specifications by model and count.", "gpu_specs")
    metadata: SpecsMetadata | None = answered("What the list covers.")


OPERATIONS = (
    declare(
        tool="list_gpu_specs",
        title="Get GPU specifications",
        risk=Risk.READ,
        description="Hardware of each GPU configuration: vCPUs, RAM, disks, VRAM in GB.",
        endpoint=Endpoint("GET", "/gpu-specs/", Confidence(97, 50)),
        alternates=elsewhere("GET", "/gpu/specs/"),
        request=GpuSpecsQuery,
        response=GPUSpecsResponse,
        result="specs",
    ),
)
