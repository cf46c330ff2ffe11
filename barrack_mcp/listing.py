"""The tool table: for a terminal, for README and as an MCP client sees it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from barrack_mcp.catalogue import OPERATIONS, Operation
from barrack_mcp.config import Settings
from barrack_mcp.server import tool_of


def as_json(settings: Settings) -> str:
    """Write the offered tools as `tools/list` answers them."""
    tools = [
        tool_of(operation).model_dump(mode="json", by_alias=True, exclude_none=True) for operation in offered(settings)
    ]
    return json.dumps(tools, ensure_ascii=False, indent=2)


def as_table(settings: Settings) -> str:
    """Write the offered tools as a table for a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("tool", "toolset", "risk", "request", "wire"):
        table.add_column(column, no_wrap=column != "request", overflow="fold")
    for operation in offered(settings):
        table.add_row(
            operation.tool,
            operation.toolset,
            operation.risk,
            f"{operation.method} {operation.path}",
            operation.provenance,
        )
    console = Console()
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip("\n")


def as_markdown(operations: Iterable[Operation]) -> str:
    """Write operations as README's table."""
    rows = [
        f"| `{operation.tool}` | {operation.toolset} | {operation.risk} | {operation.description} | "
        f"{operation.provenance} |"
        for operation in operations
    ]
    return "\n".join(["| tool | toolset | risk | what it does | wire form |", "|---|---|---|---|---|", *rows])


def offered(settings: Settings) -> list[Operation]:
    """Answer the operations that the settings offer, in the catalogue's order."""
    return [operation for operation in OPERATIONS if settings.offers(operation)]
