"""Pricing: what things cost now. The one group whose wire form the vendor documents."""

from functools import partial
from typing import Annotated, Final

from barrack_mcp.catalogue.envelope import Costing, Envelope
from barrack_mcp.catalogue.models import DOCUMENTED, JsonObject, Request, Response, answered, optional
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset
from barrack_mcp.catalogue.values import (
    CurrencyEnum,
    Flag,
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


class Alternative(Response):
    """What comes nearest and is in stock."""

    gpu_model: Text = answered("GPU model.")
    region: Text = answered("Region.")
    tier: Text = answered("Tier.")
    hourly_rate: Number = answered("What an instance of that size costs per hour.")
    vram_gb: Number = answered("VRAM of one GPU in GB.")


class Quote(Response):
    """What one configuration costs and would change."""

    tier: Text = answered("Tier.")
    gpu_model: Text = answered("GPU model.")
    gpu_count: Whole = answered("GPUs.")
    volume_type: Text = answered("Type of volume.")
    size_gb: Number = answered("Size in GB.")
    currency: Text = answered("USD, EUR or INR.")
    hourly: Number = answered("Per hour.")
    daily: Number = answered("Per day.")
    monthly: Number = answered("Over the 730 hours of a month.")
    account_hourly_after: Number = answered("What all would then cost per hour.")
    account_complete: Flag = answered("Whether that is all.")
    runway_hours_after: Number = answered("How many hours the credit would then last.")
    in_stock: Flag = answered("Whether it is to be had somewhere.")
    regions: Texts = answered("Where.")
    cheapest_in_stock: Alternative | None = answered("What comes nearest, where it is not.")
    allowed: Flag = answered("Whether the operator's limits let it pass.")
    limit: Text = answered("The limit that refuses it.")
    holds_until: Text = answered("Until when it is taken as told, ISO 8601.")


class Quoted(Costing):
    """What we say beside a quote."""

    quotes: list[Quote] | None = answered("The configuration, by tier.")


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
        description="What one GPU or volume configuration costs, what all then costs, where it is in stock, and "
        "whether the limits allow it; buys nothing.",
        endpoint=Endpoint("POST", "/pricing/", Confidence(100, 100)),
        request=PricingRequest,
        response=PricingResponse,
        result="pricing_data",
        beside=Quoted,
        core=True,
    ),
)
