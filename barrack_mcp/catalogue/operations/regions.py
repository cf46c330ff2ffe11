"""Regions: where things can be made. Nothing moves between regions."""

from __future__ import annotations

from typing import Annotated

from barrack_mcp.catalogue.envelope import Answer
from barrack_mcp.catalogue.models import Request, Response, answered, optional
from barrack_mcp.catalogue.operation import Confidence, Operation, Retry, Risk, Toolset
from barrack_mcp.catalogue.values import Text, TierEnum, bare

GROUP = "Regions"


class ListRegionsQuery(Request):
    """Which regions to list."""

    tier: TierEnum | None = optional("Tier.")


class Region(Response):
    """A region."""

    name: Text = answered("Name, as other calls take it.", "code", "region")
    country: Text = answered("Country.")
    tier: Text = answered("legacy or advanced, in either case.")


class RegionsResponse(Answer):
    """The regions."""

    regions: list[Annotated[Region, bare("name")]] | None = answered("The regions.")


OPERATIONS = (
    Operation(
        tool="list_regions",
        title="List available regions",
        group=GROUP,
        toolset=Toolset.CATALOG,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Regions and their tiers. Things work together only within one region.",
        method="GET",
        path="/regions/",
        confidence=Confidence(method=97, path=70),
        request=ListRegionsQuery,
        response=RegionsResponse,
        result="regions",
        idempotent=True,
    ),
)
