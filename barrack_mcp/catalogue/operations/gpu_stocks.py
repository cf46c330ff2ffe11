"""GPU stocks: what can be deployed right now, and where."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from barrack_mcp.catalogue.envelope import Envelope
from barrack_mcp.catalogue.models import Request, Response, answered, optional
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.values import GpuModelEnum, RegionEnum, Text, TierEnum, Whole, keyed

GROUP: Final = "GPU Stocks"

declare = partial(Operation, group=GROUP, toolset=Toolset.CATALOG)


class GpuStockQuery(Request):
    """Which stock to show."""

    region: RegionEnum | None = optional("Region.")
    gpu_model: GpuModelEnum | None = optional("GPU model.")
    tier: TierEnum | None = optional("Tier.")


class GPUStockConfiguration(Response):
    """How many machines with so many GPUs there are."""

    gpu_count: Whole = answered("GPUs in one instance.")
    available: Text = answered("How many such instances; text, since it may read 200+.")


class GPUStockItem(Response):
    """How many GPUs of one model there are in one region."""

    gpu_model: Text = answered("GPU model.", "model", "gpu_type")
    region: Text = answered("Region.")
    tier: Text = answered("legacy or advanced, in either case.")
    available: Text = answered("How many; text, since it may read 200+.")
    configurations: Annotated[list[GPUStockConfiguration] | None, keyed("gpu_count", "available")] = answered(
        "The same by number of GPUs."
    )


class GPUStocksResponse(Envelope):
    """The stock."""

    stocks: list[GPUStockItem] | None = answered("Stock by model and region.", "gpu_stocks")


OPERATIONS = (
    declare(
        tool="list_gpu_stock",
        title="Get GPU stock availability",
        risk=Risk.READ,
        description="GPU models free now, by region and tier. Look before deploy_instance or restore_instance.",
        endpoint=Endpoint("GET", "/gpu-stocks/", Confidence(97, 50)),
        alternates=elsewhere("GET", "/gpu/stocks/", "/stocks/"),
        request=GpuStockQuery,
        response=GPUStocksResponse,
        result="stocks",
        core=True,
    ),
)
