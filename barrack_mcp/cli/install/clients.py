"""The clients we write a file for: how each names a server, where it gets the key from, and what is left to do."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from barrack_mcp.api.text import guess

Json: TypeAlias = Any
"""JSON as Python has it."""

SERVER: Final = "barrack"
"""The name under which a client lists the server."""
SERVE: Final = "serve"
SIMULATOR: Final = "--simulator"
KEY: Final = "BARRACK_API_KEY"
KEY_FILE: Final = "BARRACK_API_KEY_FILE"
VSCODE_INPUT: Final = "barrack-api-key"

_FIRST_START_S: Final = 60
"""Codex gives a server 10 seconds; the first start on a cold and busy machine can take longer."""


class Format(StrEnum):
    """How a client's file is written."""

    JSON = "json"
    JSONC = "jsonc"
    TOML = "toml"


@dataclass(frozen=True, kw_only=True)
class Client:
    """One MCP client.

    Args:
        name: What a person types.
        title: What its maker calls it.
        file: The name of its file.
        folder: Where that is, below the user's home.
        among_settings: Whether it is below the system's place for settings instead.
        moved_by: The variable that names another folder.
        project: The file that a project shares, below its folder; None if the client reads none.
        toolsets: What it is offered unless a person asks for more, where it takes only so many tools; None for all.
        format: How its file is written; JSONC means that it reads comments and trailing commas.
        servers: The key under which its file lists servers.
        reference: How an `env` value takes the key from the client's own environment; None if it can't.
        extra: What an entry holds besides command, arguments and environment.
        then: What a person does after the file is written.
    """

    name: str
    title: str
    file: str
    folder: str = ""
    among_settings: bool = False
    moved_by: str = ""
    project: str | None = None
    toolsets: str | None = None
    format: Format = Format.JSON
    servers: str = "mcpServers"
    reference: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)
    then: str

    @property
    def shared_name(self) -> str:
        """The name of the file that a project shares, or else of the user's own."""
        return (self.project or self.file).rpartition("/")[2]


_CLIENTS: Final = (
    Client(
        name="claude-desktop",
        title="Claude Desktop",
        file="claude_desktop_config.json",
        folder="Claude",
        among_settings=True,
        then="Quit Claude Desktop and start it again.",
    ),
    Client(
        name="claude-code",
        title="Claude Code",
        file=".claude.json",
        moved_by="CLAUDE_CONFIG_DIR",
        project=".mcp.json",
        reference=f"${{{KEY}:-}}",
        extra={"type": "stdio"},
        then="Start a new session of Claude Code; /mcp shows the server.",
    ),
    Client(
        name="vscode",
        title="VS Code",
        file="mcp.json",
        folder="Code/User",
        among_settings=True,
        project=".vscode/mcp.json",
        format=Format.JSONC,
        servers="servers",
        reference=f"${{input:{VSCODE_INPUT}}}",
        extra={"type": "stdio"},
        then="In VS Code run «MCP: List Servers» and start barrack.",
    ),
    Client(
        name="cursor",
        title="Cursor",
        file="mcp.json",
        folder=".cursor",
        project=".cursor/mcp.json",
        toolsets="core",
        format=Format.JSONC,
        reference=f"${{env:{KEY}}}",
        then="Start Cursor again; Settings, MCP shows the server.",
    ),
    Client(
        name="codex",
        title="Codex",
        file="config.toml",
        folder=".codex",
        project=".codex/config.toml",
        moved_by="CODEX_HOME",
        format=Format.TOML,
        servers="mcp_servers",
        extra={"startup_timeout_sec": _FIRST_START_S},
        then="Start a new session of Codex; /mcp shows the server.",
    ),
    Client(
        name="gemini",
        title="Gemini CLI",
        file="settings.json",
        folder=".gemini",
        project=".gemini/settings.json",
        format=Format.JSONC,
        reference=f"${KEY}",
        then="Start a new session of Gemini CLI in a folder that it trusts; /mcp shows the server.",
    ),
)
CLIENTS: Final = MappingProxyType({client.name: client for client in _CLIENTS})


class UnknownClientError(Exception):
    """No client has that name; the text says which there are."""


def client_named(name: str) -> Client:
    """Answer the client of that name.

    Raises:
        UnknownClientError: There is none; the text names the likeliest, or all.
    """
    if name in CLIENTS:
        return CLIENTS[name]
    meant = name.lower().replace(" ", "-").replace("_", "-")
    hint = guess(meant, CLIENTS, otherwise=f"known: {', '.join(CLIENTS)}.")
    raise UnknownClientError(f"That client is not known; {hint}")


def entry(
    client: Client,
    command: Sequence[str],
    *,
    simulator: bool,
    key_file: str | None = None,
    flags: Sequence[str] = (),
    settings: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Json]:
    """Answer what a client's file says about the server. The key itself is never in it.

    Args:
        client: Whose file.
        command: What starts barrack-mcp, without `serve`.
        simulator: Whether it runs on the simulator, which needs no key.
        key_file: Path of the file that holds the key; None for the client's own way, where it has one.
        flags: Further flags of `serve`.
        settings: Further settings, by their names.
    """
    program, *arguments = command
    made: dict[str, Json] = {
        **{name: value for name, value in client.extra.items() if name == "type"},
        "command": program,
        "args": [*arguments, SERVE, *([SIMULATOR] if simulator else []), *flags],
        **{name: value for name, value in client.extra.items() if name != "type"},
    }
    env = dict(settings)
    if not simulator and key_file is not None:
        env[KEY_FILE] = key_file
    elif not simulator and client.reference is not None:
        env[KEY] = client.reference
    elif not simulator:
        made["env_vars"] = [KEY]
    return {**made, "env": env} if env else made


def takes_reference(client: Client) -> bool:
    """Whether the client can hand over the key without holding it; else the key must lie in a file."""
    return client.reference is not None or client.format is Format.TOML


def inputs(made: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Answer the questions that a client must ask for the entry to work: VS Code asks for the key and keeps it."""
    question = {"type": "promptString", "id": VSCODE_INPUT, "description": "Barrack API key", "password": True}
    return [question] if f"${{input:{VSCODE_INPUT}}}" in json.dumps(made) else []


def document(client: Client, made: Mapping[str, Json]) -> dict[str, Json]:
    """Answer the whole of a client's file that holds nothing but the server."""
    asked = inputs(made)
    return {**({"inputs": asked} if asked else {}), client.servers: {SERVER: made}}


def deeplink(made: Mapping[str, Json]) -> str:
    """Answer the link that installs the entry in Cursor."""
    packed = base64.b64encode(json.dumps(made, separators=(",", ":")).encode()).decode()
    return f"cursor://anysphere.cursor-deeplink/mcp/install?name={SERVER}&config={quote(packed, safe='')}"


def place(
    client: Client, *, home: Path, platform: str, environ: Mapping[str, str], project: Path | None = None
) -> Path:
    """Answer where the client reads its user-level file, or that of a project.

    Args:
        client: Whose file.
        home: The user's home folder.
        platform: As `sys.platform` says it.
        environ: The environment, for the variables with which a client's folder is moved.
        project: The project's folder; None for the user's own file.

    Raises:
        UnknownClientError: The client reads no file of a project.
    """
    if project is not None:
        if client.project is None:
            raise UnknownClientError(f"{client.title} reads no file of a project; leave --project out.")
        return project / client.project
    if moved := environ.get(client.moved_by):
        return Path(moved) / client.file
    if not client.among_settings:
        return home / client.folder / client.file
    if platform == "darwin":
        settings = home / "Library" / "Application Support"
    elif platform == "win32":
        settings = Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    else:
        settings = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    folder = settings / client.folder
    if client.name == "claude-desktop" and platform == "win32":
        folder = _store_edition(Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")) or folder
    return folder / client.file


def _store_edition(local: Path) -> Path | None:
    """Find the folder of Claude Desktop's Windows Store editions, which keep their own."""
    found = [*local.glob("Claude-Data/[Cc]laude*"), *local.glob("Packages/Claude_*/LocalCache/Roaming/Claude")]
    return min(found, key=lambda folder: ("Packages" in folder.parts, folder), default=None)
