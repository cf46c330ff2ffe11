"""The tools: as an MCP client sees them, what each surface costs of a context, and README's table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.shipped import shipped
from barrack_mcp.catalogue import OPERATIONS, Operation, Toolset
from barrack_mcp.config import Settings
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
    contract = contract or Contract(shipped())
    tools = [
        tool_of(contract.operation(operation)).model_dump(mode="json", by_alias=True, exclude_none=True)
        for operation in offered(settings)
    ]
    return json.dumps(tools, ensure_ascii=False, indent=2)


def surfaces() -> dict[str, list[Operation]]:
    """Answer the surfaces that an operator can choose whole, and what each lists."""
    chosen = {
        "all": Settings(),
        "core": Settings(toolsets=("core",)),
        "read-only": Settings(read_only=True),
        **{str(toolset): Settings(toolsets=(str(toolset),)) for toolset in Toolset},
    }
    return {surface: offered(settings) for surface, settings in chosen.items()}


def shown(operations: Sequence[Operation], *, output: bool = False) -> str:
    """Write tools as a host shows them to a model: compact JSON of name, description and input schema."""
    names = {"name", "description", "input_schema", *(["output_schema"] if output else [])}
    tools = [
        tool_of(operation).model_dump(mode="json", by_alias=True, exclude_none=True, include=names)
        for operation in operations
    ]
    return json.dumps(tools, ensure_ascii=False, separators=(",", ":"))


def sizes() -> list[Size]:
    """Measure every surface."""
    return [
        Size(surface, len(tools), len(shown(tools).encode()), len(shown(tools, output=True).encode()))
        for surface, tools in surfaces().items()
    ]


def as_markdown(operations: Iterable[Operation]) -> str:
    """Write operations as README's table."""
    contract = Contract(shipped())
    rows = [
        f"| `{operation.tool}` | {operation.toolset} | {operation.risk} | {operation.description} | "
        f"{contract.operation(operation).provenance} |"
        for operation in operations
    ]
    return "\n".join(["| tool | toolset | risk | what it does | wire form |", "|---|---|---|---|---|", *rows])


def offered(settings: Settings) -> list[Operation]:
    """Answer the operations that the settings offer, in the catalogue's order."""
    return [operation for operation in OPERATIONS if settings.offers(operation)]
