"""The tool table: for a terminal, for README and as an MCP client sees it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.catalogue import OPERATIONS, Operation, Toolset
from barrack_mcp.cli.process import configure, run
from barrack_mcp.config import Settings
from barrack_mcp.server.contract import open_contract
from barrack_mcp.server.tools import tool_of

BYTES_PER_TOKEN: Final = 4.26
"""Measured with the o200k tokenizer on tools like these; needs no download."""

app = typer.Typer()


@app.command()
def tools(
    json_wanted: Annotated[bool, typer.Option("--json", help="The tools as an MCP client sees them.")] = False,
    stats: Annotated[bool, typer.Option("--stats", help="What each surface costs of a model's context.")] = False,
) -> None:
    """List the tools that the settings offer."""
    if stats:
        typer.echo(as_stats())
    else:
        settings = configure()
        contract = run(open_contract, settings)
        typer.echo(as_json(settings, contract) if json_wanted else as_table(settings, contract))


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
    contract = contract or Contract()
    tools = [
        tool_of(contract.operation(operation)).model_dump(mode="json", by_alias=True, exclude_none=True)
        for operation in offered(settings)
    ]
    return json.dumps(tools, ensure_ascii=False, indent=2)


def as_table(settings: Settings, contract: Contract | None = None) -> str:
    """Write the offered tools as a table for a terminal, by the contract in force; as shipped, if None."""
    contract = contract or Contract()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("tool", "toolset", "risk", "request", "wire"):
        table.add_column(column, no_wrap=column != "request", overflow="fold")
    for operation in offered(settings):
        table.add_row(
            operation.tool,
            operation.toolset,
            operation.risk,
            contract.for_(operation).asked,
            contract.operation(operation).provenance,
        )
    console = Console()
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip("\n")


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


def as_stats() -> str:
    """Write what each surface costs as a table for a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("surface", no_wrap=True)
    for column in ("tools", "bytes", "tokens, about", "with output schemas"):
        table.add_column(column, justify="right")
    for row in sizes():
        table.add_row(row.surface, *(f"{n:,}" for n in (row.tools, row.size, row.tokens, row.tokens_with_output)))
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
