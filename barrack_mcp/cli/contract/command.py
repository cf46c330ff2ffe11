"""The contract at a terminal: shown, compared with the vendor's document, adopted, exported."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from barrack_mcp.api.http.network import Network
from barrack_mcp.api.openapi import adopt as adopting
from barrack_mcp.api.openapi import export as openapi
from barrack_mcp.api.openapi.comparison import Comparison, compare
from barrack_mcp.api.openapi.differences import Difference, Kind, printable
from barrack_mcp.api.openapi.document import Document, DocumentError, FetchError, document_from
from barrack_mcp.api.wire.form import Contract, Mark, Wire
from barrack_mcp.catalogue import OPERATIONS, JsonObject
from barrack_mcp.cli.contract.learn import DOCS, learn
from barrack_mcp.cli.process import AsJson, ExitCode, complain, configure, leave, run
from barrack_mcp.config import Settings
from barrack_mcp.server.contract import open_contract

_FEW: Final = 3
_STYLES: Final = {
    Mark.SEEN_WORKING: "green",
    Mark.OVERRIDDEN: "cyan",
    Mark.DOCUMENTED: "green",
    Mark.INFERRED: "yellow",
}


Openapi = Annotated[str, typer.Argument(metavar="OPENAPI", help="The API's OpenAPI document: a file or an address.")]

app = typer.Typer(
    name="contract",
    help="How the API is spelled: what we know of it, compared with the vendor's own document, and mended by data.",
    no_args_is_help=True,
)


@app.command("show")
def _show(as_json: AsJson = False) -> None:
    """Show every operation's method and path, and what is known of them."""
    raise typer.Exit(run(show, configure(), json_wanted=as_json))


@app.command("learn")
def _learn(
    docs: Annotated[str, typer.Option("--docs", metavar="URL", help="The documentation site.")] = DOCS,
    no_docs: Annotated[bool, typer.Option("--no-docs", help="Leave the documentation site out.")] = False,
    no_api: Annotated[bool, typer.Option("--no-api", help="Leave the API itself out.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="A new file for the contract; else it is shown.")] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="A new file for a bundle that you may give to this project.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Learn how the API is spelled from its documentation and from itself; reads only, and counts when you say so."""
    if no_docs and no_api:
        leave("--no-docs and --no-api leave nothing to learn from.", ExitCode.USAGE)
    site = None if no_docs else docs
    raise typer.Exit(
        run(learn, configure(), docs=site, with_api=not no_api, out=out, report=report, json_wanted=as_json)
    )


@app.command("diff")
def _diff(
    openapi: Openapi,
    everything: Annotated[
        bool, typer.Option("--all", help="Each difference by itself, those for information included.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare an OpenAPI document with our catalogue; changes nothing."""
    raise typer.Exit(run(diff, openapi, network=configure().network, everything=everything, json_wanted=as_json))


@app.command("adopt")
def _adopt(
    openapi: Openapi,
    out: Annotated[Path | None, typer.Option("--out", help="A new file for the overrides; else stdout.")] = None,
) -> None:
    """Write the overrides that bring our catalogue to an OpenAPI document."""
    raise typer.Exit(run(adopt, openapi, network=configure().network, out=out))


@app.command("export")
def _export() -> None:
    """Print our catalogue as an OpenAPI 3.1 document."""
    typer.echo(export(), nl=False)


async def show(settings: Settings, *, json_wanted: bool = False) -> ExitCode:
    """Show the contract in force, with what is known of every operation.

    Raises:
        SettingsError: The overrides or the document are wrong.
    """
    contract = await open_contract(settings)
    _print(contract_as_json(contract) if json_wanted else contract_as_page(contract))
    return ExitCode.OK


async def diff(
    source: str, *, network: Network | None = None, everything: bool = False, json_wanted: bool = False
) -> ExitCode:
    """Compare an OpenAPI document with our catalogue.

    Args:
        source: A file, or an address.
        network: The way out; directly, trusting the system's certificates, if None.
        everything: Each difference by itself, those for information included.
        json_wanted: JSON instead of a table.

    Returns:
        0 when it was compared, whatever differs; 1 when the document can't be used, 4 when it can't be reached.
    """
    document = await _read(source, network)
    if isinstance(document, ExitCode):
        return document
    comparison = compare(document)
    _print(comparison_as_json(comparison) if json_wanted else comparison_as_page(comparison, everything=everything))
    return ExitCode.OK


async def adopt(source: str, *, network: Network | None = None, out: Path | None = None) -> ExitCode:
    """Write the overrides that bring our catalogue to a document: into a new file, or to stdout.

    Returns:
        0 when they were written, 1 when the document can't be used, 2 when the file can't be made, 4 when the
        document can't be reached.
    """
    document = await _read(source, network)
    if isinstance(document, ExitCode):
        return document
    text = adopting.adopt(document)
    if out is None:
        typer.echo(text, nl=False)
        return ExitCode.OK
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return _fail(f"{out} is there already and may hold work by hand; give another name.", ExitCode.USAGE)
    except OSError as error:
        return _fail(f"{out} can't be written ({error.strerror}).", ExitCode.USAGE)
    typer.echo(f"{sum_up(compare(document))}\nWritten to {out}: look through it, then set BARRACK_CONTRACT to it.")
    return ExitCode.OK


def export() -> str:
    """Write our catalogue as an OpenAPI 3.1 document, the same bytes for the same catalogue."""
    return openapi.as_text(openapi.export())


async def _read(source: str, network: Network | None) -> Document | ExitCode:
    """Read a document; or say what is wrong and answer the exit code."""
    try:
        return await document_from(source, network=network)
    except DocumentError as error:
        return _fail(str(error), ExitCode.FAILED)
    except FetchError as error:
        return _fail(str(error), ExitCode.FAILED if error.reached else ExitCode.UNREACHABLE)


def _fail(sentence: str, code: ExitCode) -> ExitCode:
    complain(sentence)
    return code


def _print(what: JsonObject | Group) -> None:
    if isinstance(what, Group):
        Console(highlight=False).print(what)
    else:
        typer.echo(json.dumps(what, ensure_ascii=False, indent=2))


def contract_as_json(contract: Contract) -> JsonObject:
    """The whole contract as JSON: what holds everywhere, and every operation in the catalogue's order."""
    return {
        "api": _said_everywhere(contract),
        "status": {kind: dict(table) for kind, table in contract.overrides.status.items()},
        "operations": [_row(contract.for_(operation)) for operation in OPERATIONS],
    }


def _row(wire: Wire) -> JsonObject:
    return {
        "tool": wire.operation.tool,
        "method": wire.method,
        "path": wire.path,
        "marks": [mark.value for mark in wire.marks],
        "guessed": wire.guessed,
        "documented": wire.documented,
        "result": wire.result,
        "fields": dict(wire.fields),
        "constants": dict(wire.constants),
        "arguments": {name: {"name": extra.theirs, "in": extra.place} for name, extra in wire.extras.items()},
    }


def contract_as_page(contract: Contract) -> Group:
    """The whole contract for a terminal: every operation as a table, then what holds everywhere."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("tool", "method", "path", "known", "differs from what we ship"):
        table.add_column(name, no_wrap=name in ("tool", "method"), overflow="fold")
    wires = [contract.for_(operation) for operation in OPERATIONS]
    for wire in wires:
        marks = Text(", ".join(wire.marks), style=_STYLES[wire.marks[-1]])
        table.add_row(wire.operation.tool, wire.method, Text(wire.path), marks, Text("\n".join(_differing(wire))))
    lines = [f"Everywhere: {name} = {value}" for name, value in _said_everywhere(contract).items()]
    for kind, states in contract.overrides.status.items():
        lines.append(f"States of {kind}: " + ", ".join(f"{theirs} = {ours}" for theirs, ours in states.items()))
    guesses = sum(wire.guessed for wire in wires)
    lines.append(f"{guesses} of {len(wires)} paths are guesses that nothing vouches for yet.")
    return Group(table, *map(Text, lines))


def _said_everywhere(contract: Contract) -> JsonObject:
    return {name: value for name, value in asdict(contract.overrides.api).items() if value is not None}


def _differing(wire: Wire) -> list[str]:
    usual = wire.operation
    lines = [f"was {usual.method} {usual.path}"] if (wire.method, wire.path) != (usual.method, usual.path) else []
    lines += [f"result in {wire.result}"] if wire.result != usual.result else []
    lines += [f"{len(wire.fields)} names"] if wire.fields else []
    lines += [f"constant {name}" for name in wire.constants]
    return lines + [f"takes {name}" for name in wire.extras]


def sum_up(comparison: Comparison) -> str:
    """Say in two sentences what came of a comparison."""
    found, name = len(comparison.matches), printable(comparison.document.name)
    if comparison.same:
        return f"All {found} operations are in {name}, and nothing differs."
    kinds = Counter("mended" if each.mended else "open" if each.matters else "known" for each in comparison.differences)
    extra = sum(each.kind is Kind.EXTRA for each in comparison.differences)
    return (
        f"{found} of our {len(OPERATIONS)} operations are in {name}, with {extra} that we don't know. "
        f"Adopting it mends {kinds['mended']} differences; {kinds['open']} need a person; {kinds['known']} are for "
        "information."
    )


def comparison_as_json(comparison: Comparison) -> JsonObject:
    """A comparison as JSON: matches, differences, notes."""
    return {
        "document": comparison.document.name,
        "same": comparison.same,
        "matches": [
            {
                "tool": match.operation.tool,
                "method": match.theirs.method,
                "path": match.theirs.path,
                "confidence": match.confidence,
                "matched_by": match.how,
                "sure": match.sure,
            }
            for match in comparison.matches
        ],
        "differences": [difference.as_json() for difference in comparison.differences],
        "notes": list(comparison.document.notes),
        "summary": sum_up(comparison),
    }


def comparison_as_page(comparison: Comparison, *, everything: bool = False) -> Group:
    """A comparison for a terminal: what adopting mends in a few rows a tool, what needs a person one by one.

    Args:
        comparison: What was found.
        everything: Each difference by itself, those for information included.
    """
    table = Table(pad_edge=False)
    for name in ("tool", "differs", "ours", "theirs", "what to do"):
        table.add_column(name, overflow="fold")
    for row in _folded(comparison.differences, everything=everything):
        table.add_row(*map(Text, _cells(row)), style="green" if row[0].mended else "red" if row[0].matters else "dim")
    notes = [Text(f"Note: {printable(note)}", style="dim") for note in comparison.document.notes]
    return Group(*([table] if table.row_count else []), *notes, Text(sum_up(comparison)))


def _folded(differences: Iterable[Difference], *, everything: bool) -> Iterable[list[Difference]]:
    """Bring what adopting mends in one tool into one row."""
    rows: dict[object, list[Difference]] = {}
    for index, each in enumerate(differences):
        alone = everything or not each.mended or each.tool is None or each.kind in (Kind.METHOD, Kind.PATH)
        if everything or each.mended or each.matters:
            rows.setdefault(index if alone else each.tool, []).append(each)
    return rows.values()


def _cells(row: list[Difference]) -> Iterator[str]:
    first, more = row[0], len(row) - _FEW
    yield first.tool or "(all)"
    yield ", ".join(dict.fromkeys(each.kind.value for each in row))
    if len(row) == 1:
        yield first.ours
        yield first.theirs
    else:
        yield f"{len(row)} names and values"
        lines = [f"{each.ours}: {each.theirs}" for each in row[:_FEW]]
        yield "\n".join([*lines, f"… and {more} more"] if more > 0 else lines)
    yield ("adopt: " if first.mended else "") + ", ".join(dict.fromkeys(each.todo for each in row))
