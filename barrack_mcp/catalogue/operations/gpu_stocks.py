"""GPU stocks: what can be deployed right now, and where."""

from functools import partial
from typing import Annotated, Final

from barrack_mcp.catalogue.envelope import Costing, Envelope, OwnPaging
from barrack_mcp.catalogue.models import MANY, Request, Response, answered, optional
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.values import (
    GpuCountEnum,
    GpuModelEnum,
    Number,
    PositiveInt,
    RegionEnum,
    Text,
    TierEnum,
    Whole,
    keyed,
)

GROUP: Final = "GPU Stocks"

declare = partial(Operation, group=GROUP, toolset=Toolset.CATALOG)


class GpuStockQuery(Request):
    """Which stock to show."""

    region: RegionEnum | None = optional("Region.")
    gpu_model: GpuModelEnum | None = optional("GPU model.")
    tier: TierEnum | None = optional("Tier.")


class StockChoice(OwnPaging):
    """Which stock to show, by what the price list and the specifications say of it. Ours."""

    gpu_count: GpuCountEnum | None = optional("GPUs in one instance.")
    min_vram_gb: PositiveInt | None = optional("VRAM of one GPU, GB.")


class StockFacts(Response):
    """What we add to stock: what it costs and is, from the price list and the specifications."""

    instances_available: Text = answered("Instances with the wanted gpu_count to be had now.", concise=MANY)
    hourly_rate: Number = answered("What one with the wanted gpu_count costs per hour.", concise=MANY)
    gpu_hourly_rate: Number = answered("What one GPU costs per hour.", concise=MANY)
    vram_gb: Number = answered("VRAM of one GPU in GB.", concise=MANY)
    max_gpu_count: Whole = answered("Most GPUs that one instance can have.", concise=MANY)


class GPUStockConfiguration(Response):
    """How many machines with so many GPUs there are."""

    gpu_count: Whole = answered("GPUs in one instance.")
    available: Text = answered("How many such instances; text, since it may read 200+.")


class GPUStockItem(Response):
    """How many GPUs of one model there are in one region."""

    gpu_model: Text = answered("GPU model.", "model", "gpu_type", concise=MANY)
    region: Text = answered("Region.", concise=MANY)
    tier: Text = answered("legacy or advanced, in either case.", concise=MANY)
    available: Text = answered("How many; text, since it may read 200+.", concise=MANY)
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
        description="GPUs to be had now, cheapest first: price, VRAM, most GPUs an instance can have; 0 is sold out.",
        endpoint=Endpoint("GET", "/gpu-stocks/", Confidence(97, 50)),
        alternates=elsewhere("GET", "/gpu/stocks/", "/stocks/"),
        request=GpuStockQuery,
        ours=StockChoice,
        beside=Costing,
        adds=StockFacts,
        response=GPUStocksResponse,
        result="stocks",
        core=True,
    ),
)
