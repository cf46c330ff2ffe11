"""The contract at a terminal: shown, compared with the vendor's document, adopted, exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from barrack_mcp.api.openapi import adopt as adopting
from barrack_mcp.api.openapi import export as openapi
from barrack_mcp.api.openapi.document import Document
from barrack_mcp.api.openapi.source import DocumentError, FetchError, document_from
from barrack_mcp.cli.contract.diff import as_json, as_table, compare, summary
from barrack_mcp.cli.contract.show import as_json as contract_as_json
from barrack_mcp.cli.contract.show import as_page
from barrack_mcp.cli.process import AsJson, ExitCode, complain, configure, run
from barrack_mcp.config import Settings
from barrack_mcp.server.contract import open_contract

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


@app.command("diff")
def _diff(
    openapi: Openapi,
    everything: Annotated[
        bool, typer.Option("--all", help="Each difference by itself, those for information included.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare an OpenAPI document with our catalogue; changes nothing."""
    raise typer.Exit(run(diff, openapi, everything=everything, json_wanted=as_json))


@app.command("adopt")
def _adopt(
    openapi: Openapi,
    out: Annotated[Path | None, typer.Option("--out", help="A new file for the overrides; else stdout.")] = None,
) -> None:
    """Write the overrides that bring our catalogue to an OpenAPI document."""
    raise typer.Exit(run(adopt, openapi, out=out))


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
    if json_wanted:
        typer.echo(json.dumps(contract_as_json(contract), ensure_ascii=False, indent=2))
    else:
        Console(highlight=False).print(as_page(contract))
    return ExitCode.OK


async def diff(source: str, *, everything: bool = False, json_wanted: bool = False) -> ExitCode:
    """Compare an OpenAPI document with our catalogue.

    Args:
        source: A file, or an address.
        everything: Each difference by itself, those for information included.
        json_wanted: JSON instead of a table.

    Returns:
        0 when it was compared, whatever differs; 1 when the document can't be used, 4 when it can't be reached.
    """
    document = await _document(source)
    if isinstance(document, ExitCode):
        return document
    comparison = compare(document)
    if json_wanted:
        typer.echo(json.dumps(as_json(comparison), ensure_ascii=False, indent=2))
    else:
        Console(highlight=False).print(as_table(comparison, everything=everything))
    return ExitCode.OK


async def adopt(source: str, *, out: Path | None = None) -> ExitCode:
    """Write the overrides that bring our catalogue to a document: into a new file, or to stdout.

    Returns:
        0 when they were written, 1 when the document can't be used, 2 when the file can't be made, 4 when the
        document can't be reached.
    """
    document = await _document(source)
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
        return _told(f"{out} is there already and may hold work by hand; give another name.", ExitCode.USAGE)
    except OSError as error:
        return _told(f"{out} can't be written ({error.strerror}).", ExitCode.USAGE)
    typer.echo(f"{summary(compare(document))}\nWritten to {out}: look through it, then set BARRACK_CONTRACT to it.")
    return ExitCode.OK


def export() -> str:
    """Write our catalogue as an OpenAPI 3.1 document, the same bytes for the same catalogue."""
    return openapi.as_text(openapi.export())


async def _document(source: str) -> Document | ExitCode:
    """Read a document; or say what is wrong and answer the exit code."""
    try:
        return await document_from(source)
    except DocumentError as error:
        return _told(str(error), ExitCode.FAILED)
    except FetchError as error:
        return _told(str(error), ExitCode.FAILED if error.reached else ExitCode.UNREACHABLE)


def _told(sentence: str, code: ExitCode) -> ExitCode:
    complain(sentence)
    return code
