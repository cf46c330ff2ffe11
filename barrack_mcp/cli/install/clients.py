"""The clients we write a file for: how each names a server, where it gets the key from, and what is left to do."""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from urllib.parse import quote

Json: TypeAlias = Any
"""JSON as Python has it."""

SERVER: Final = "barrack"
"""The name under which a client lists the server."""
PUBLISHED: Final = ("uvx", "barrack-mcp")
"""What starts the published package on a machine that has uv."""
SERVE: Final = "serve"
SIMULATOR: Final = "--simulator"
KEY: Final = "BARRACK_API_KEY"
KEY_FILE: Final = "BARRACK_API_KEY_FILE"
VSCODE_INPUT: Final = "barrack-api-key"

_FIRST_START_S: Final = 60
"""Codex gives a server 10 seconds; the first start downloads the package."""


class Format(StrEnum):
    """How a client's file is written."""

    JSON = "json"
    JSONC = "jsonc"
    TOML = "toml"


@dataclass(frozen=True)
class Client:
    """One MCP client.

    Args:
        name: What a person types.
        title: What its maker calls it.
        format: How its file is written; JSONC means that it reads comments and trailing commas.
        servers: The key under which its file lists servers.
        file: The name of its file.
        reference: How an `env` value takes the key from the client's own environment; None if it can't.
        extra: What an entry holds besides command, arguments and environment.
        then: What a person does after the file is written.
        project_file: The name of the file that a project shares, where it is another.
    """

    name: str
    title: str
    format: Format
    servers: str
    file: str
    reference: str | None
    extra: Mapping[str, Json]
    then: str
    project_file: str | None = None


CLIENTS: Final = MappingProxyType(
    {
        client.name: client
        for client in (
            Client(
                name="claude-desktop",
                title="Claude Desktop",
                format=Format.JSON,
                servers="mcpServers",
                file="claude_desktop_config.json",
                reference=None,
                extra={},
                then="Quit Claude Desktop and start it again.",
            ),
            Client(
                name="claude-code",
                title="Claude Code",
                format=Format.JSON,
                servers="mcpServers",
                file=".claude.json",
                reference=f"${{{KEY}:-}}",
                extra={"type": "stdio"},
                then="Start a new session of Claude Code; /mcp shows the server.",
                project_file=".mcp.json",
            ),
            Client(
                name="vscode",
                title="VS Code",
                format=Format.JSONC,
                servers="servers",
                file="mcp.json",
                reference=f"${{input:{VSCODE_INPUT}}}",
                extra={"type": "stdio"},
                then="In VS Code run «MCP: List Servers» and start barrack.",
            ),
            Client(
                name="cursor",
                title="Cursor",
                format=Format.JSONC,
                servers="mcpServers",
                file="mcp.json",
                reference=f"${{env:{KEY}}}",
                extra={},
                then="Start Cursor again; Settings, MCP shows the server.",
            ),
            Client(
                name="codex",
                title="Codex",
                format=Format.TOML,
                servers="mcp_servers",
                file="config.toml",
                reference=None,
                extra={"startup_timeout_sec": _FIRST_START_S},
                then="Start a new session of Codex; /mcp shows the server.",
            ),
            Client(
                name="gemini",
                title="Gemini CLI",
                format=Format.JSONC,
                servers="mcpServers",
                file="settings.json",
                reference=f"${KEY}",
                extra={},
                then="Start a new session of Gemini CLI in a folder that it trusts; /mcp shows the server.",
            ),
        )
    }
)


class UnknownClientError(Exception):
    """No client has that name; the text says which there are."""


def client_named(name: str) -> Client:
    """Answer the client of that name.

    Raises:
        UnknownClientError: There is none; the text names the likeliest, or all.
    """
    if name in CLIENTS:
        return CLIENTS[name]
    near = difflib.get_close_matches(name.lower().replace(" ", "-").replace("_", "-"), CLIENTS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(CLIENTS)}."
    raise UnknownClientError(f"That client is not known; {hint}")


def entry(client: Client, command: Sequence[str], *, simulator: bool, key_file: str | None = None) -> dict[str, Json]:
    """Answer what a client's file says about the server. The key itself is never in it.

    Args:
        client: Whose file.
        command: What starts barrack-mcp, without `serve`.
        simulator: Whether it runs on the simulator, which needs no key.
        key_file: Path of the file that holds the key; None for the client's own way, where it has one.
    """
    program, *arguments = command
    made: dict[str, Json] = {
        **{name: value for name, value in client.extra.items() if name == "type"},
        "command": program,
        "args": [*arguments, SERVE, *([SIMULATOR] if simulator else [])],
        **{name: value for name, value in client.extra.items() if name != "type"},
    }
    if simulator:
        return made
    if key_file is not None:
        return {**made, "env": {KEY_FILE: key_file}}
    if client.reference is not None:
        return {**made, "env": {KEY: client.reference}}
    return {**made, "env_vars": [KEY]}


def takes_reference(client: Client) -> bool:
    """Whether the client can hand over the key without holding it; else the key must lie in a file."""
    return client.reference is not None or client.format is Format.TOML


def inputs(made: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Answer the questions that a client must ask for the entry to work: VS Code asks for the key and keeps it."""
    if f"${{input:{VSCODE_INPUT}}}" not in json.dumps(made):
        return []
    return [
        {
            "type": "promptString",
            "id": VSCODE_INPUT,
            "description": "Barrack API key",
            "password": True,
        }
    ]


def document(client: Client, made: Mapping[str, Json]) -> dict[str, Json]:
    """Answer the whole of a client's file that holds nothing but the server."""
    asked = inputs(made)
    return {**({"inputs": asked} if asked else {}), client.servers: {SERVER: made}}


def deeplink(made: Mapping[str, Json]) -> str:
    """Answer the link that installs the entry in Cursor."""
    packed = base64.b64encode(json.dumps(made, separators=(",", ":")).encode()).decode()
    return f"cursor://anysphere.cursor-deeplink/mcp/install?name={SERVER}&config={quote(packed, safe='')}"


def place(client: Client, *, home: Path, platform: str, environ: Mapping[str, str]) -> Path:
    """Answer where the client reads its user-level file.

    Args:
        client: Whose file.
        home: The user's home folder.
        platform: As `sys.platform` says it.
        environ: The environment, for the variables with which a client's folder is moved.
    """
    if client.name == "claude-code":
        return Path(environ.get("CLAUDE_CONFIG_DIR") or home) / client.file
    if client.name == "codex":
        return Path(environ.get("CODEX_HOME") or home / ".codex") / client.file
    if client.name in {"cursor", "gemini"}:
        return home / f".{client.name}" / client.file
    settings = _settings_folder(home, platform, environ)
    if client.name == "vscode":
        return settings / "Code" / "User" / client.file
    return _claude_folder(settings, home, platform, environ) / client.file


def _settings_folder(home: Path, platform: str, environ: Mapping[str, str]) -> Path:
    if platform == "darwin":
        return home / "Library" / "Application Support"
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config")


def _claude_folder(settings: Path, home: Path, platform: str, environ: Mapping[str, str]) -> Path:
    """Find Claude Desktop's folder: its Windows Store editions keep their own."""
    if platform == "win32":
        local = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        found = [*local.glob("Claude-Data/[Cc]laude*"), *local.glob("Packages/Claude_*/LocalCache/Roaming/Claude")]
        if found:
            return min(found, key=lambda folder: ("Packages" in folder.parts, folder))
    return settings / "Claude"
