"""The tools: as an MCP client sees them, what each surface costs of a context, and the table for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.shipped import shipped
from barrack_mcp.catalogue import OFFERS, Offer, Operation, Toolset
from barrack_mcp.catalogue.insights.insight import OURS
from barrack_mcp.config import Settings
from barrack_mcp.server.contract import surface
from barrack_mcp.server.tools import tool_of

BYTES_PER_TOKEN: Final = 4.26
"""Measured with the o200k tokenizer on tools like these; needs no download."""


@dataclass(frozen=True)
class Size:
    """What a surface costs of a model's context.

    Args:
        surface: all, core, read-only or a toolset.
        tools: How many.
        size: Bytes of names, descriptions and input schemas: what a host shows a model.
        with_output: The same with output schemas, which a few hosts show too.
    """

    surface: str
    tools: int
    size: int
    with_output: int

    @property
    def tokens(self) -> int:
        """Tokens of it, about."""
        return round(self.size / BYTES_PER_TOKEN)

    @property
    def tokens_with_output(self) -> int:
        """Tokens of it with output schemas, about."""
        return round(self.with_output / BYTES_PER_TOKEN)


def as_json(settings: Settings, contract: Contract | None = None) -> str:
    """Write the offered tools as `tools/list` answers them, by the contract in force; as shipped, if None."""
    tools = [
        tool_of(offer).model_dump(mode="json", by_alias=True, exclude_none=True)
        for offer in surface(settings, contract or Contract(shipped())).values()
    ]
    return json.dumps(tools, ensure_ascii=False, indent=2)


def surfaces() -> dict[str, list[Offer]]:
    """Answer the surfaces that an operator can choose whole, and what each lists."""
    chosen = {
        "all": Settings(),
        "core": Settings(toolsets=("core",)),
        "read-only": Settings(read_only=True),
        **{str(toolset): Settings(toolsets=(str(toolset),)) for toolset in Toolset},
    }
    return {surface: offered(settings) for surface, settings in chosen.items()}


def shown(offers: Sequence[Offer], *, output: bool = False) -> str:
    """Write tools as a host shows them to a model: compact JSON of name, description and input schema."""
    names = {"name", "description", "input_schema", *(["output_schema"] if output else [])}
    tools = [
        tool_of(offer).model_dump(mode="json", by_alias=True, exclude_none=True, include=names) for offer in offers
    ]
    return json.dumps(tools, ensure_ascii=False, separators=(",", ":"))


def sizes() -> list[Size]:
    """Measure every surface."""
    return [
        Size(surface, len(tools), len(shown(tools).encode()), len(shown(tools, output=True).encode()))
        for surface, tools in surfaces().items()
    ]


def as_markdown(offers: Iterable[Offer]) -> str:
    """Write tools as the table of docs/tools.md."""
    contract = Contract(shipped())
    rows = [
        f"| `{offer.tool}` | {offer.toolset}{', core' if offer.core else ''} | {offer.risk} | {offer.description} | "
        f"{wire_form(offer, contract)} |"
        for offer in offers
    ]
    return "\n".join(["| tool | toolset | risk | what it does | wire form |", "|---|---|---|---|---|", *rows])


def wire_form(offer: Offer, contract: Contract) -> str:
    """Say what is known of a tool's wire form; a tool of our own has none."""
    return contract.operation(offer).provenance.value if isinstance(offer, Operation) else OURS


def offered(settings: Settings) -> list[Offer]:
    """Answer the tools that the settings offer, in the catalogue's order."""
    return [offer for offer in OFFERS.values() if settings.offers(offer)]
