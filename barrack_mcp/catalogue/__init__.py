"""The tools: the documented operations of the Barrack API, and our own; each declared once, in its group's module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from barrack_mcp.catalogue.insights import INSIGHTS, Insight
from barrack_mcp.catalogue.models import DOCUMENTED, INFERRED, JsonObject, Provenance, Request, Response
from barrack_mcp.catalogue.operation import Alternate, Confidence, Method, Offer, Operation, Risk, Toolset
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
from barrack_mcp.catalogue.signs import AllGone, Look, Made

__all__ = [
    "BY_TOOL",
    "DOCUMENTED",
    "INFERRED",
    "INSIGHTS",
    "OFFERS",
    "OPERATIONS",
    "RESERVED_IDS",
    "Alternate",
    "Confidence",
    "Insight",
    "JsonObject",
    "Look",
    "Method",
    "Offer",
    "Operation",
    "Provenance",
    "Request",
    "Response",
    "Risk",
    "Toolset",
    "answer_schema",
    "arguments_schema",
    "fixed_words",
    "index",
    "together",
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


def index(operations: Iterable[Operation]) -> Mapping[str, Operation]:
    """Key operations by their tools, and see that what they say of one another is so.

    Raises:
        TypeError: A tool is declared twice, or a write's look is no read that can show its sign; the sentence names it.
    """
    found: dict[str, Operation] = {}
    for operation in operations:
        if operation.tool in found:
            raise TypeError(f"{operation.tool} is declared twice")
        found[operation.tool] = operation
    for operation in found.values():
        if operation.look is not None and (faults := list(_faults(operation, operation.look, found))):
            raise TypeError(f"{operation.tool}: {'; '.join(faults)}")
    return MappingProxyType(found)


def _faults(operation: Operation, look: Look, found: Mapping[str, Operation]) -> Iterator[str]:
    read = found.get(look.tool)
    if read is None or not read.reads:
        yield f"`look` is {look.tool}, which is no read of ours"
        return
    takes = read.given
    yield from (f"{look.tool} takes no {name}, which `look` hands on" for name in look.arguments if name not in takes)
    for name, info in takes.items():
        if info.is_required() and name not in look.arguments:
            yield f"{look.tool} needs {name}, which `look` does not hand on"
    if read.paged is not isinstance(operation.sign, Made | AllGone):
        yield f"`sign` is not one that {'a list' if read.paged else 'a single thing'} can show"
    if operation.sign is not None:
        shows = read.row.model_fields
        yield from (
            f"`sign` is seen in {name}, which {look.tool} has not"
            for name in operation.sign.fields
            if name not in shows
        )


BY_TOOL: Final[Mapping[str, Operation]] = index(OPERATIONS)
"""The operations by the names of their tools."""


def together(operations: Mapping[str, Operation], insights: Iterable[Insight]) -> Mapping[str, Offer]:
    """Key all tools by their names: the operations, then our own.

    Raises:
        TypeError: A name is there twice; the sentence tells which.
    """
    found: dict[str, Offer] = {**operations}
    for insight in insights:
        if insight.tool in found:
            raise TypeError(f"{insight.tool} is declared twice")
        found[insight.tool] = insight
    return MappingProxyType(found)


OFFERS: Final[Mapping[str, Offer]] = together(BY_TOOL, INSIGHTS)
"""All tools by their names: the operations, then our own."""


def fixed_words(paths: Iterable[str]) -> frozenset[str]:
    """The fixed segments of paths, in small letters. As an id, one of them would call another operation."""
    return frozenset(part.casefold() for path in paths for part in path.split("/") if part and "{" not in part)


RESERVED_IDS: Final = fixed_words(operation.path for operation in OPERATIONS)
"""What no id may be, however its letters are written."""
