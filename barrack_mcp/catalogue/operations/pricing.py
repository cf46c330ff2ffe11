"""Pricing: what things cost now. The one group whose wire form the vendor documents."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from barrack_mcp.catalogue.envelope import Costing, Envelope
from barrack_mcp.catalogue.models import DOCUMENTED, JsonObject, Request, Response, answered, optional
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset
from barrack_mcp.catalogue.values import (
    CurrencyEnum,
    GpuCountEnum,
    GpuModelEnum,
    Lines,
    Number,
    PositiveInt,
    PricingRequestVolumeTypeEnum,
    ResourceTypeEnum,
    Text,
    Texts,
    TierEnum,
    Whole,
    bare,
)

GROUP: Final = "Pricing"

declare = partial(Operation, group=GROUP, toolset=Toolset.CATALOG)


class PricingRequest(Request):
    """Which prices to show: all of them, if nothing is said."""

    tier: TierEnum | None = optional("Tier.", DOCUMENTED)
    currency: CurrencyEnum | None = optional("Currency.", DOCUMENTED)
    resource_type: ResourceTypeEnum | None = optional("Resource.", DOCUMENTED)
    gpu_model: GpuModelEnum | None = optional("E.g. RTX-A6000.", DOCUMENTED)
    gpu_count: GpuCountEnum | None = optional("1, 2, 4 or 8.", DOCUMENTED)
    volume_type: PricingRequestVolumeTypeEnum | None = optional("Type of volume.", DOCUMENTED)
    volume_size_gb: PositiveInt | None = optional("GB.", DOCUMENTED)


class Price(Response):
    """What one unit of something costs."""

    prices: dict[str, Number] | None = answered("Price by currency.", mark=DOCUMENTED)
    unit: Text = answered("What the price is for, e.g. per GPU per hour.", mark=DOCUMENTED)


class VolumeRate(Price):
    """What a type of volume costs, per TB and hour."""

    price: Number = answered("The price, where there is but one.")
    currency: Text = answered("Its currency.")


class ResourcePricing(Response):
    """The prices of one kind of resource."""

    pricing: JsonObject | None = answered(
        "By tier, then by model or type: `prices` by currency, `unit`, and `max_count` for GPUs.", mark=DOCUMENTED
    )
    description: Lines = answered("In words.", mark=DOCUMENTED)


class VolumePricing(ResourcePricing):
    """The prices of volumes."""

    minimum_size_gb: Number = answered("Smallest volume in GB.", mark=DOCUMENTED)


class PricingMetadata(Response):
    """What the prices cover, and who asked."""

    supported_currencies: Texts = answered("Currencies.", mark=DOCUMENTED)
    supported_tiers: Texts = answered("Tiers.", mark=DOCUMENTED)
    volume_minimum_size_gb: Number = answered("Smallest volume in GB.", mark=DOCUMENTED)
    authenticated_user: Text = answered("Whom the key belongs to.", mark=DOCUMENTED)
    authentication_type: Text = answered("How the caller proved who they are.", mark=DOCUMENTED)
    timestamp: Whole = answered("When, in Unix seconds.", mark=DOCUMENTED)


class PricingData(Response):
    """All prices, or those that were asked for."""

    volumes: VolumePricing | None = answered("Volumes.", mark=DOCUMENTED)
    snapshots: ResourcePricing | None = answered("Snapshots.", mark=DOCUMENTED)
    gpus: ResourcePricing | None = answered("GPUs.", mark=DOCUMENTED)
    price: Annotated[Price | None, bare("price")] = answered("The one price asked for, where the API gives it so.")
    metadata: PricingMetadata | None = answered("What the prices cover.", mark=DOCUMENTED)


class PricingResponse(Envelope):
    """The price list, or a part of it."""

    pricing_data: PricingData | None = answered("The prices.", mark=DOCUMENTED)


OPERATIONS = (
    declare(
        tool="get_pricing",
        title="Get pricing information",
        risk=Risk.READ,
        description="Price list: GPUs and snapshots per hour, volumes per TB and hour. One configuration: quote_price.",
        endpoint=Endpoint("GET", "/pricing/", Confidence(99, 97)),
        request=PricingRequest,
        response=PricingResponse,
        result="pricing_data",
    ),
    declare(
        tool="quote_price",
        title="Get pricing information",
        risk=Risk.READ,
        description="Hourly price of one GPU or volume configuration; buys nothing. The list: get_pricing.",
        endpoint=Endpoint("POST", "/pricing/", Confidence(100, 100)),
        request=PricingRequest,
        response=PricingResponse,
        result="pricing_data",
        beside=Costing,
        core=True,
    ),
)
