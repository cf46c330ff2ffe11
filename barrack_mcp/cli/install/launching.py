"""What starts the server: what is installed here, as long as no registry holds a package that is ours."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

Published: TypeAlias = tuple[str, ...] | None
"""What starts the published package on a machine that has uv; None where there is none."""

PUBLISHED: Final[Published] = None
"""The one place that says whether the package is published.

Whoever owns its name in a registry gets the API keys of those who start it from there, and that is not us yet. Once it
is, `("uvx", "barrack-mcp")` here and `barrack-mcp manifests --write` bring the launcher, the manifests and the registry
entry up to it.
"""

COMMAND_HERE: Final = "/path/to/barrack-mcp"
"""What a person replaces in a manifest: the full path of the command, as `which barrack-mcp` says it."""


class Launcher(StrEnum):
    """What a client's file names: `auto` is `uvx` where it has a package to start, else what runs now."""

    AUTO = "auto"
    UVX = "uvx"
    HERE = "here"


class NoLauncherError(Exception):
    """The launcher that was asked for isn't there; the text says what to do."""


def choose_command(
    launcher: Launcher, *, uvx: str | None, python: Path, platform: str, published: Published = PUBLISHED
) -> tuple[str, ...]:
    """Answer what starts barrack-mcp, by absolute path: a client with windows doesn't have the shell's PATH.

    Args:
        launcher: Which one is wanted.
        uvx: Where uvx is; None if it is not on the PATH.
        python: The Python that runs now, its links not followed: a virtual environment's is a link.
        platform: As `sys.platform` says it.
        published: What starts the published package.

    Raises:
        NoLauncherError: uvx is wanted and has nothing to start, or isn't there.
    """
    if launcher is Launcher.UVX and published is None:
        raise NoLauncherError(
            "This package is in no registry yet, so uvx would fetch a stranger's under its name; say --launcher here."
        )
    if published is not None and uvx is not None and launcher is not Launcher.HERE:
        return (str(Path(uvx).absolute()), *published[1:])
    if launcher is Launcher.UVX:
        raise NoLauncherError("uvx is not on the PATH; install uv, or say --launcher here.")
    script = python.absolute().with_name("barrack-mcp.exe" if platform == "win32" else "barrack-mcp")
    return (str(script),) if script.exists() else (str(python.absolute()), "-m", "barrack_mcp")
