"""Where a client reads its file, on each system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from barrack_mcp.cli.install.clients import Base, Client, UnknownClientError


def place(
    client: Client, *, home: Path, platform: str, environ: Mapping[str, str], project: Path | None = None
) -> Path:
    """Answer where the client reads its user-level file, or that of a project.

    Args:
        client: Whose file.
        home: The user's home folder.
        platform: As `sys.platform` says it.
        environ: The environment, for the variables with which a client's file or folder is moved.
        project: The project's folder; None for the user's own file.

    Raises:
        UnknownClientError: The client reads no file of a project.
    """
    if project is not None:
        if client.project is None:
            raise UnknownClientError(f"{client.title} reads no file of a project; leave --project out.")
        return _there(client, project / client.project)
    if moved := environ.get(client.file_moved_by):
        return Path(moved)
    if moved := environ.get(client.moved_by):
        return _there(client, Path(moved) / client.file)
    folder = _base(client.base, home=home, platform=platform, environ=environ) / client.folder
    if client.name == "claude-desktop" and platform == "win32":
        folder = _store_edition(Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")) or folder
    return _there(client, folder / client.file)


def _base(base: Base, *, home: Path, platform: str, environ: Mapping[str, str]) -> Path:
    if base is Base.HOME:
        return home
    if platform == "darwin" and base is Base.SETTINGS:
        return home / "Library" / "Application Support"
    if platform == "win32" and base is not Base.DOT_CONFIG:
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    return Path((platform != "darwin" and environ.get("XDG_CONFIG_HOME")) or home / ".config")


def _there(client: Client, path: Path) -> Path:
    """The file, or the one of its other name if that alone is there."""
    other = path.with_name(client.otherwise) if client.otherwise else path
    return other if other.exists() and not path.exists() else path


def _store_edition(local: Path) -> Path | None:
    """Find the folder of Claude Desktop's Windows Store editions, which keep their own."""
    found = [*local.glob("Claude-Data/[Cc]laude*"), *local.glob("Packages/Claude_*/LocalCache/Roaming/Claude")]
    return min(found, key=lambda folder: ("Packages" in folder.parts, folder), default=None)
