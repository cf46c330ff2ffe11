"""The contract at a terminal: shown, compared with the vendor's document, adopted, exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import typer
from rich.console import Console

from barrack_mcp.api.openapi import adopt as adopting
from barrack_mcp.api.openapi import export as openapi
from barrack_mcp.api.openapi.document import Document
from barrack_mcp.api.openapi.source import DocumentError, FetchError, document_from
from barrack_mcp.cli.contract_diff import as_json, as_table, compare, summary
from barrack_mcp.cli.contract_show import as_json as contract_as_json
from barrack_mcp.cli.contract_show import as_page
from barrack_mcp.config import Settings
from barrack_mcp.server.contract import open_contract

_NOT_DONE: Final = 1
_USAGE: Final = 2
_UNREACHABLE: Final = 4


async def show(settings: Settings, *, json_wanted: bool = False) -> int:
    """Show the contract in force, with what is known of every operation.

    Raises:
        SettingsError: The overrides or the document are wrong.
    """
    contract = await open_contract(settings)
    if json_wanted:
        typer.echo(json.dumps(contract_as_json(contract), ensure_ascii=False, indent=2))
    else:
        Console(highlight=False).print(as_page(contract))
    return 0


async def diff(source: str, *, everything: bool = False, json_wanted: bool = False) -> int:
    """Compare an OpenAPI document with our catalogue.

    Args:
        source: A file, or an address.
        everything: Each difference by itself, those for information included.
        json_wanted: JSON instead of a table.

    Returns:
        0 when it was compared, whatever differs; 1 when the document can't be used, 4 when it can't be reached.
    """
    document = await _document(source)
    if isinstance(document, int):
        return document
    comparison = compare(document)
    if json_wanted:
        typer.echo(json.dumps(as_json(comparison), ensure_ascii=False, indent=2))
    else:
        Console(highlight=False).print(as_table(comparison, everything=everything))
    return 0


async def adopt(source: str, *, out: Path | None = None) -> int:
    """Write the overrides that bring our catalogue to a document: into a new file, or to stdout.

    Returns:
        0 when they were written, 1 when the document can't be used, 2 when the file can't be made, 4 when the
        document can't be reached.
    """
    document = await _document(source)
    if isinstance(document, int):
        return document
    text = adopting.adopt(document)
    if out is None:
        typer.echo(text, nl=False)
        return 0
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return _told(f"{out} is there already and may hold work by hand; give another name.", _USAGE)
    except OSError as error:
        return _told(f"{out} can't be written ({error.strerror}).", _USAGE)
    typer.echo(f"{summary(compare(document))}\nWritten to {out}: look through it, then set BARRACK_CONTRACT to it.")
    return 0


def export() -> str:
    """Write our catalogue as an OpenAPI 3.1 document, the same bytes for the same catalogue."""
    return openapi.as_text(openapi.export())


async def _document(source: str) -> Document | int:
    """Read a document; or say what is wrong and answer the exit code."""
    try:
        return await document_from(source)
    except DocumentError as error:
        return _told(str(error), _NOT_DONE)
    except FetchError as error:
        return _told(str(error), _NOT_DONE if error.reached else _UNREACHABLE)


def _told(sentence: str, code: int) -> int:
    typer.echo(f"barrack-mcp: {sentence}", err=True)
    return code
