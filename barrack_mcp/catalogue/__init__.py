"""The 63 documented operations of the Barrack API, each declared once, in the module of its vendor group."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from barrack_mcp.catalogue.models import DOCUMENTED, INFERRED, JsonObject, Provenance, Request, Response
from barrack_mcp.catalogue.operation import Alternate, Confidence, Look, Method, Operation, Retry, Risk, Toolset
from barrack_mcp.catalogue.operations import (
    balance,
    deploy,
    firewalls,
    gpu_specs,
    gpu_stocks,
    images,
    instances,
    pricing,
    regions,
    scripts,
    snapshots,
    ssh_keys,
    volumes,
)
from barrack_mcp.catalogue.schema import answer_schema, arguments_schema

__all__ = [
    "BY_TOOL",
    "DOCUMENTED",
    "INFERRED",
    "OPERATIONS",
    "Alternate",
    "Confidence",
    "JsonObject",
    "Look",
    "Method",
    "Operation",
    "Provenance",
    "Request",
    "Response",
    "Retry",
    "Risk",
    "Toolset",
    "answer_schema",
    "arguments_schema",
]

OPERATIONS: Final[tuple[Operation, ...]] = (
    *balance.OPERATIONS,
    *pricing.OPERATIONS,
    *gpu_stocks.OPERATIONS,
    *gpu_specs.OPERATIONS,
    *regions.OPERATIONS,
    *images.OS_IMAGES,
    *deploy.OPERATIONS,
    *instances.OPERATIONS,
    *ssh_keys.OPERATIONS,
    *volumes.OPERATIONS,
    *scripts.OPERATIONS,
    *snapshots.OPERATIONS,
    *images.CUSTOM_IMAGES,
    *firewalls.OPERATIONS,
)
"""All operations, in the order of the vendor's reference."""

BY_TOOL: Final[Mapping[str, Operation]] = MappingProxyType({operation.tool: operation for operation in OPERATIONS})
"""The operations by the names of their tools."""
