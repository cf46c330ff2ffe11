"""Regions: where things can be made. Nothing moves between regions."""

from functools import partial
from typing import Annotated, Final

from barrack_mcp.catalogue.envelope import Envelope
from barrack_mcp.catalogue.models import Request, Response, answered, optional
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset
from barrack_mcp.catalogue.values import Text, Texts, TierEnum, bare

GROUP: Final = "Regions"

declare = partial(Operation, group=GROUP, toolset=Toolset.CATALOG)


class ListRegionsQuery(Request):
    """Which regions to list."""

    tier: TierEnum | None = optional("Tier.")


class Region(Response):
    """A region."""

    name: Text = answered("Name, as other calls take it.", "code", "region")
    country: Text = answered("Country.")
    tier: Text = answered("legacy or advanced, in either case.")
    tiers: Texts = answered("Its tiers, where it has several.")


class RegionsResponse(Envelope):
    """The regions."""

    regions: list[Annotated[Region, bare("name")]] | None = answered("The regions.")


OPERATIONS = (
    declare(
        tool="list_regions",
        title="List available regions",
        risk=Risk.READ,
        description="Regions and their tiers. Things work together only within one region.",
        endpoint=Endpoint("GET", "/regions/", Confidence(97, 85)),
        request=ListRegionsQuery,
        response=RegionsResponse,
        result="regions",
    ),
)
