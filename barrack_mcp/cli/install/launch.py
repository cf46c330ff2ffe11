"""What starts the server on this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from barrack_mcp.cli.install.clients import PUBLISHED


class Launcher(StrEnum):
    """What a client's file names: `auto` is `uvx` where there is one, else what runs now."""

    AUTO = "auto"
    UVX = "uvx"
    HERE = "here"


class NoLauncherError(Exception):
    """The launcher that was asked for isn't there; the text says what to do."""


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
