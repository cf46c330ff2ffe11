"""Puts the server into a client's own file, as a person asks for it in a shell."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from barrack_mcp.cli.install import InstallError, Launcher, NoLauncherError, UnknownClientError, choose_command
from barrack_mcp.cli.install import install as write
from barrack_mcp.cli.process import ExitCode, complain, leave

app = typer.Typer()


@app.command()
def install(
    client: Annotated[
        str, typer.Argument(metavar="claude-desktop|claude-code|vscode|cursor|codex|gemini", help="Whose file.")
    ],
    print_only: Annotated[
        bool, typer.Option("--print", help="Show what belongs into its file; write nothing.")
    ] = False,
    simulator: Annotated[bool, typer.Option("--simulator", help="Let the server run on the simulator.")] = False,
    key_file: Annotated[Path | None, typer.Option(help="The file that holds the key, readable by you only.")] = None,
    launcher: Annotated[
        Launcher,
        typer.Option(help="here: this installation. uvx: the published package. auto: uvx where there is one."),
    ] = Launcher.HERE,
) -> None:
    """Put the server into a client's own file; what is in it stays, and the old file is kept beside it."""
    try:
        done = write(
            client,
            print_only=print_only,
            home=Path.home(),
            platform=sys.platform,
            environ=os.environ,
            command=choose_command(
                launcher, uvx=shutil.which("uvx"), python=Path(sys.executable), platform=sys.platform
            ),
            now=time.time,
            simulator=simulator,
            key_file=key_file,
        )
    except (NoLauncherError, UnknownClientError) as error:
        leave(str(error), ExitCode.USAGE)
    except InstallError as error:
        complain(str(error))
        typer.echo(error.snippet, nl=False)
        raise typer.Exit(ExitCode.FAILED) from None
    if print_only:
        typer.echo(done.snippet, nl=False)
    for sentence in done.say:
        typer.echo(sentence, err=print_only)
