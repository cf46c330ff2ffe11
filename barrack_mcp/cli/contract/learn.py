"""Learns how the API is spelled, shows it, and writes it where a person may read it; nothing counts by that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from barrack_mcp.api.learning.contract.file import is_news, write
from barrack_mcp.api.learning.contract.merging import Learned, merge
from barrack_mcp.api.learning.found import Found
from barrack_mcp.api.wire.overrides import Overrides
from barrack_mcp.cli.contract.learned import learned_as_json, learned_as_page
from barrack_mcp.cli.process import ExitCode, complain

DOCS: str = "https://docs.barrack.ai"
"""The vendor's documentation site."""


@dataclass(frozen=True)
class Reading:
    """What was read, source by source.

    Attributes:
        founds: What each source says.
        reached: Whether any of them answered.
        key_refused: Whether the API turned the key away.
    """

    founds: tuple[Found, ...]
    reached: bool = True
    key_refused: bool = False


def tell(
    reading: Reading, in_force: Overrides, *, base: str, out: Path | None = None, json_wanted: bool = False
) -> ExitCode:
    """Show what came of it, and write it if that is wanted.

    Args:
        reading: What was read.
        in_force: The contract in force.
        base: The base URL in force.
        out: A new file for the contract.
        json_wanted: JSON instead of a page.

    Returns:
        0 learned, 1 nothing new, 2 the file can't be made; where nothing was learned at all 3 if the key was refused,
        4 if nothing was reached.
    """
    learned = merge(reading.founds, base=base)
    news = bool(learned.origins or learned.auth_from) and is_news(learned, in_force)
    if out is not None and news and (wrong := _written(out, write(learned, in_force))):
        complain(wrong)
        return ExitCode.USAGE
    if json_wanted:
        told = {"news": news, "written_to": str(out) if out is not None and news else None}
        typer.echo(json.dumps(told | learned_as_json(learned, in_force), ensure_ascii=False, indent=2))
    else:
        _show(learned, in_force, news=news, out=out)
    if news:
        return ExitCode.OK
    if learned.origins or learned.unsure:
        return ExitCode.FAILED
    if reading.key_refused:
        complain("The API refused the key, so nothing was learned: check it with barrack-mcp doctor.")
        return ExitCode.KEY
    return ExitCode.FAILED if reading.reached else ExitCode.UNREACHABLE


def _show(learned: Learned, in_force: Overrides, *, news: bool, out: Path | None) -> None:
    Console(highlight=False).print(learned_as_page(learned, in_force))
    if not news:
        typer.echo("\nNothing new: the contract in force says all that was learned.")
    elif out is None:
        typer.echo(f"\nThis is what --out FILE would write:\n\n{write(learned, in_force)}", nl=False)
    else:
        typer.echo(f"\nWritten to {out}. It does not count yet: look through it, then set BARRACK_CONTRACT to it.")


def _written(out: Path, text: str) -> str:
    """Write a new file; answers what went wrong, if anything."""
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return f"{out} is there already and may hold work by hand; give another name."
    except OSError as error:
        return f"{out} can't be written ({error.strerror})."
    return ""
