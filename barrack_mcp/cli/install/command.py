"""Puts the server into a client's own file, as a person asks for it in a shell."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from barrack_mcp.api.text import guess
from barrack_mcp.cli.install import installation
from barrack_mcp.cli.install.clients import CLIENTS, KEY, OTHER, UnknownClientError
from barrack_mcp.cli.install.launching import Launcher, NoLauncherError, choose_command
from barrack_mcp.cli.install.proof import started
from barrack_mcp.cli.process import ExitCode, complain, find_home, leave, run
from barrack_mcp.config import NAMES, PREFIX

app = typer.Typer()


def clients_beginning(incomplete: str) -> list[tuple[str, str]]:
    """Name the clients that begin so, for a shell to complete."""
    return [(each.name, each.title) for each in (*CLIENTS.values(), OTHER) if each.name.startswith(incomplete)]


@app.command()
def install(
    client: Annotated[
        str | None,
        typer.Argument(
            metavar="CLIENT",
            help=f"Whose file: {', '.join(CLIENTS)}; or {OTHER.name}, with --print.",
            autocompletion=clients_beginning,
        ),
    ] = None,
    print_only: Annotated[
        bool, typer.Option("--print", help="Show what belongs into its file; write nothing.")
    ] = False,
    simulator: Annotated[bool, typer.Option("--simulator", help="Let the server run on the simulator.")] = False,
    key_file: Annotated[Path | None, typer.Option(help="The file that holds the key, readable by you only.")] = None,
    launcher: Annotated[
        Launcher,
        typer.Option(help="here: this installation. uvx and auto: the published package, once there is one."),
    ] = Launcher.HERE,
    read_only: Annotated[bool, typer.Option("--read-only", help="Let it offer nothing but reads.")] = False,
    toolsets: Annotated[str | None, typer.Option(help="What it offers: all, core, or toolsets with commas.")] = None,
    set_to: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting, such as PROTECT='prod-*'; without value: none."),
    ] = None,
    project: Annotated[
        bool, typer.Option("--project", help="Into the file that the project in this folder shares.")
    ] = False,
    take_out: Annotated[bool, typer.Option("--remove", help="Take the server out again.")] = False,
    start: Annotated[bool, typer.Option("--try/--no-try", help="Start it once, and count its tools.")] = True,
) -> None:
    """Put the server into a client's own file; what is in it stays, and the old file is kept beside it.

    For example: barrack-mcp install claude-code --set PROTECT='prod-*' --set MAX_HOURLY_COST=20
    """
    if client is None:
        leave(f"Name your client: {', '.join(CLIENTS)}; or {OTHER.name}, with --print.", ExitCode.USAGE)
    try:
        around: Any = {
            "home": find_home(),
            "platform": sys.platform,
            "environ": os.environ,
            "now": time.time,
            "project": Path.cwd() if project else None,
        }
        if take_out:
            for sentence in installation.remove(client, **around).say:
                typer.echo(sentence)
            return
        done = installation.install(
            client,
            print_only=print_only,
            command=choose_command(
                launcher, uvx=shutil.which("uvx"), python=Path(sys.executable), platform=sys.platform
            ),
            simulator=simulator,
            key_file=key_file,
            read_only=read_only,
            toolsets=toolsets,
            settings=settings_of(set_to or []),
            **around,
        )
    except (NoLauncherError, UnknownClientError, ValueError) as error:
        leave(str(error), ExitCode.USAGE)
    except installation.InstallError as error:
        complain(str(error))
        typer.echo(error.snippet, nl=False)
        raise typer.Exit(ExitCode.FAILED) from None
    if print_only:
        typer.echo(done.snippet, nl=False)
    for sentence in done.say:
        typer.echo(sentence, err=print_only)
    if start and not print_only and not done.lacks_key:
        proof = run(started, done.entry, os.environ)
        typer.echo(proof.sentence, err=not proof.works)
        raise typer.Exit(ExitCode.OK if proof.works else ExitCode.FAILED)


def settings_of(pairs: Sequence[str]) -> dict[str, str]:
    """Read settings from `NAME=VALUE`, with or without `BARRACK_` before the name.

    Raises:
        ValueError: One sentence on what is wrong.
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        full = name.upper() if name.upper().startswith(PREFIX) else f"{PREFIX}{name.upper()}"
        if not equals:
            raise ValueError("--set wants NAME=VALUE.")
        if full not in NAMES:
            raise ValueError(
                f"--set: that is no setting; {guess(full, NAMES, otherwise='docs/settings.md lists them.')}"
            )
        if full == KEY:
            raise ValueError("--set takes no key: a client's file is no place for one; use --key-file.")
        found[full] = value
    return found
