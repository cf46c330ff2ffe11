"""The contract in force, shown: every operation with its method, its path, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Group
from rich.table import Table
from rich.text import Text

from barrack_mcp.api.wire.form import Contract, Mark, Wire
from barrack_mcp.catalogue import OPERATIONS, JsonObject

_STYLES = {Mark.SEEN_WORKING: "green", Mark.OVERRIDDEN: "cyan", Mark.DOCUMENTED: "green", Mark.INFERRED: "yellow"}


def as_json(contract: Contract) -> JsonObject:
    """The whole contract as JSON: what holds everywhere, and every operation."""
    api = {name: value for name, value in asdict(contract.overrides.api).items() if value is not None}
    status = {kind: dict(table) for kind, table in contract.overrides.status.items()}
    return {"api": api, "status": status, "operations": as_rows(contract)}


def as_page(contract: Contract) -> Group:
    """The whole contract for a terminal: every operation as a table, then what holds everywhere."""
    return Group(as_table(contract), *(Text(line) for line in _everywhere(contract)))


def _everywhere(contract: Contract) -> Iterator[str]:
    for name, value in asdict(contract.overrides.api).items():
        if value is not None:
            yield f"Everywhere: {name} = {value}"
    for kind, table in contract.overrides.status.items():
        yield f"States of {kind}: " + ", ".join(f"{theirs} = {ours}" for theirs, ours in table.items())
    wires = [contract.for_(operation) for operation in OPERATIONS]
    guesses = sum(wire.guessed for wire in wires)
    yield f"{guesses} of {len(wires)} paths are guesses that nothing vouches for yet."


def as_rows(contract: Contract) -> list[JsonObject]:
    """Every operation's wire form as JSON, in the catalogue's order."""
    return [_row(contract.for_(operation)) for operation in OPERATIONS]


def as_table(contract: Contract) -> Table:
    """Every operation's wire form as a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("tool", "method", "path", "known", "differs from what we ship"):
        table.add_column(name, no_wrap=name in ("tool", "method"), overflow="fold")
    for operation in OPERATIONS:
        wire = contract.for_(operation)
        marks = Text(", ".join(wire.marks), style=_STYLES[wire.marks[-1]])
        table.add_row(operation.tool, wire.method, Text(wire.path), marks, Text("\n".join(_differs(wire))))
    return table


def _row(wire: Wire) -> JsonObject:
    return {
        "tool": wire.operation.tool,
        "method": wire.method,
        "path": wire.path,
        "marks": [mark.value for mark in wire.marks],
        "guessed": wire.guessed,
        "result": wire.result,
        "fields": dict(wire.fields),
        "constants": dict(wire.constants),
        "arguments": {name: {"name": extra.theirs, "in": extra.place} for name, extra in wire.extras.items()},
    }


def _differs(wire: Wire) -> list[str]:
    usual = wire.operation
    lines = [f"was {usual.method} {usual.path}"] if (wire.method, wire.path) != (usual.method, usual.path) else []
    lines += [f"result in {wire.result}"] if wire.result != usual.result else []
    lines += [f"{len(wire.fields)} names"] if wire.fields else []
    lines += [f"constant {name}" for name in wire.constants]
    return lines + [f"takes {name}" for name in wire.extras]
