"""Puts the server into a client's own file, as a person asks for it in a shell."""

from __future__ import annotations

import os
import shutil
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from barrack_mcp.cli.install import installation
from barrack_mcp.cli.install.clients import CLIENTS, PUBLISHED, UnknownClientError
from barrack_mcp.cli.process import ExitCode, complain, find_home, leave

app = typer.Typer()


class Launcher(StrEnum):
    """What a client's file names: `auto` is `uvx` where there is one, else what runs now."""

    AUTO = "auto"
    UVX = "uvx"
    HERE = "here"


class NoLauncherError(Exception):
    """The launcher that was asked for isn't there; the text says what to do."""


@app.command()
def install(
    client: Annotated[str, typer.Argument(metavar="|".join(CLIENTS), help="Whose file.")],
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
        done = installation.install(
            client,
            print_only=print_only,
            home=find_home(),
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
    except installation.InstallError as error:
        complain(str(error))
        typer.echo(error.snippet, nl=False)
        raise typer.Exit(ExitCode.FAILED) from None
    if print_only:
        typer.echo(done.snippet, nl=False)
    for sentence in done.say:
        typer.echo(sentence, err=print_only)


def choose_command(launcher: Launcher, *, uvx: str | None, python: Path, platform: str) -> tuple[str, ...]:
    """Answer what starts barrack-mcp, by absolute path: a client with windows doesn't have the shell's PATH.

    Args:
        launcher: Which one is wanted.
        uvx: Where uvx is; None if it is not on the PATH.
        python: The Python that runs now, its links not followed: a virtual environment's is a link.
        platform: As `sys.platform` says it.

    Raises:
        NoLauncherError: uvx is wanted and isn't there.
    """
    if uvx is not None and launcher is not Launcher.HERE:
        return (str(Path(uvx).absolute()), *PUBLISHED[1:])
    if launcher is Launcher.UVX:
        raise NoLauncherError("uvx is not on the PATH; install uv, or say --launcher here.")
    script = python.absolute().with_name("barrack-mcp.exe" if platform == "win32" else "barrack-mcp")
    return (str(script),) if script.exists() else (str(python.absolute()), "-m", "barrack_mcp")
