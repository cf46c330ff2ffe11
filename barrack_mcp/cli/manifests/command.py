"""Keeps the generated files of a checkout in step with what they are generated from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from barrack_mcp.cli.manifests import stale
from barrack_mcp.cli.process import ExitCode, leave

app = typer.Typer()


@app.command()
def manifests(
    write: Annotated[bool, typer.Option("--write", help="Write them anew.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say which are stale; exit 1 if any is.")] = False,
) -> None:
    """Keep the generated files of a checkout in step with the catalogue."""
    if write == check:
        leave("Say either --write or --check.", ExitCode.USAGE)
    if not Path("pyproject.toml").is_file():
        leave("There is no pyproject.toml here: run it in a checkout.", ExitCode.USAGE)
    found = stale(Path.cwd(), write=write)
    for path in found:
        typer.echo(f"{'written' if write else 'stale'}: {path}")
    raise typer.Exit(ExitCode.FAILED if check and found else ExitCode.OK)
