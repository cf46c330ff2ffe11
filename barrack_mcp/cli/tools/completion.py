"""What a shell completes: tools, their arguments, and the values of closed sets. It asks nobody."""

from __future__ import annotations

from typing import Any

from barrack_mcp.catalogue import OFFERS
from barrack_mcp.catalogue.schema import arguments_schema


def tools_beginning(incomplete: str) -> list[tuple[str, str]]:
    """Name the tools that begin so, each with what it does."""
    return [
        (tool, offer.description.partition(". ")[0]) for tool, offer in OFFERS.items() if tool.startswith(incomplete)
    ]


def arguments_beginning(ctx: Any, incomplete: str) -> list[str]:
    """Name the arguments of the tool that were not given yet, or the values of the one that is being given."""
    offer = OFFERS.get(ctx.params.get("tool") or "")
    if offer is None:
        return []
    properties = arguments_schema(offer.arguments)["properties"]
    name, equals, begun = incomplete.partition("=")
    if not equals:
        given = {each.partition("=")[0] for each in ctx.params.get("arguments") or ()}
        return [f"{each}=" for each in properties if each.startswith(incomplete) and each not in given]
    said = properties.get(name, {})
    values = said.get("enum") or (["true", "false"] if said.get("type") == "boolean" else [])
    return [f"{name}={value}" for value in values if str(value).startswith(begun)]
