"""The clients we write a file for, by their makers' word: where it is, how they name a server and get the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from barrack_mcp.api.text import nearest, recognize

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
_LONGEST_CALL_S: Final = 300
"""A question stays open for two minutes, and a call that waits for a machine takes longer still."""
_CHECKED: Final = "2026-11-27"


class Format(StrEnum):
    """How a client's file is written."""

    JSON = "json"
    JSONC = "jsonc"
    TOML = "toml"


class Base(StrEnum):
    """Below what a client's folder stands."""

    HOME = "home"
    SETTINGS = "settings"
    """The system's place for settings: that of macOS, of Windows, or `~/.config`."""
    DOT_CONFIG = "dot-config"
    """`~/.config`, on every system."""
    DOT_CONFIG_OR_WINDOWS = "dot-config-or-windows"
    """`~/.config`, on macOS too; on Windows its own place for settings."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """One MCP client.

    Args:
        name: What a person types.
        title: What its maker calls it.
        source: Where its maker says all this.
        checked: When that was last read.
        file: The name of its file.
        otherwise: Another name of it, taken where that one is there and the first is not.
        folder: Where that is.
        base: Below what.
        moved_by: The variable that names another folder.
        file_moved_by: The variable that names another file.
        project: The file that a project shares, below its folder; None if the client reads none.
        toolsets: What it is offered unless a person asks for more, where it takes only so many tools; None for all.
        elicits: Whether it shows a person the server's questions; else they wait on the page.
        format: How its file is written; JSONC means that it reads comments and trailing commas.
        servers: The key under which its file lists servers.
        command_holds_arguments: Whether an entry's `command` is one array, arguments included.
        environment: What an entry calls the environment.
        reference: How an environment's value takes the key from the client's own environment; None if it can't.
        extra: What an entry holds besides command, arguments and environment.
        then: What a person does after the file is written.
    """

    name: str
    title: str
    source: str
    checked: str = _CHECKED
    file: str
    otherwise: str = ""
    folder: str = ""
    base: Base = Base.HOME
    moved_by: str = ""
    file_moved_by: str = ""
    project: str | None = None
    toolsets: str | None = None
    elicits: bool
    format: Format = Format.JSON
    servers: str = "mcpServers"
    command_holds_arguments: bool = False
    environment: str = "env"
    reference: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)
    then: str

    @property
    def shared_name(self) -> str:
        """The name of the file that a project shares, or else of the user's own."""
        return (self.project or self.file).rpartition("/")[2]


_VSCODE: Final = Client(
    name="vscode",
    title="VS Code",
    source="https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
    file="mcp.json",
    folder="Code/User",
    base=Base.SETTINGS,
    project=".vscode/mcp.json",
    elicits=True,
    format=Format.JSONC,
    servers="servers",
    reference=f"${{input:{VSCODE_INPUT}}}",
    extra={"type": "stdio"},
    then="In VS Code run «MCP: List Servers» and start barrack.",
)
_CLINE: Final = Client(
    name="cline",
    title="Cline",
    source="https://docs.cline.bot/mcp/mcp-overview",
    file="cline_mcp_settings.json",
    folder=".cline/data/settings",
    file_moved_by="CLINE_MCP_SETTINGS_PATH",
    elicits=False,
    extra={"timeout": _LONGEST_CALL_S},
    then="Start a new session of Cline; `cline config mcp` lists the server.",
)
_CLIENTS: Final = (
    Client(
        name="claude-desktop",
        title="Claude Desktop",
        source="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
        file="claude_desktop_config.json",
        folder="Claude",
        base=Base.SETTINGS,
        elicits=False,
        then="Quit Claude Desktop and start it again.",
    ),
    Client(
        name="claude-code",
        title="Claude Code",
        source="https://code.claude.com/docs/en/mcp",
        file=".claude.json",
        moved_by="CLAUDE_CONFIG_DIR",
        project=".mcp.json",
        elicits=True,
        reference=f"${{{KEY}:-}}",
        extra={"type": "stdio"},
        then="Start a new session of Claude Code; /mcp shows the server.",
    ),
    _VSCODE,
    replace(
        _VSCODE,
        name="vscode-insiders",
        title="VS Code Insiders",
        folder="Code - Insiders/User",
        then="In VS Code Insiders run «MCP: List Servers» and start barrack.",
    ),
    replace(
        _VSCODE,
        name="vscodium",
        title="VSCodium",
        source="https://github.com/VSCodium/vscodium/blob/master/docs/migration.md",
        folder="VSCodium/User",
        then="In VSCodium run «MCP: List Servers» and start barrack; it needs a chat extension that uses them.",
    ),
    Client(
        name="cursor",
        title="Cursor",
        source="https://cursor.com/docs/mcp",
        file="mcp.json",
        folder=".cursor",
        project=".cursor/mcp.json",
        toolsets="core",
        elicits=True,
        format=Format.JSONC,
        reference=f"${{env:{KEY}}}",
        then="Start Cursor again; Settings, MCP shows the server.",
    ),
    Client(
        name="windsurf",
        title="Windsurf",
        source="https://docs.windsurf.com/windsurf/cascade/mcp",
        file="mcp_config.json",
        folder=".codeium/windsurf",
        elicits=False,
        reference=f"${{env:{KEY}}}",
        then="Start Windsurf again; the MCPs icon of the Cascade panel shows the server.",
    ),
    Client(
        name="codex",
        title="Codex",
        source="https://developers.openai.com/codex/mcp",
        file="config.toml",
        folder=".codex",
        project=".codex/config.toml",
        moved_by="CODEX_HOME",
        elicits=True,
        format=Format.TOML,
        servers="mcp_servers",
        extra={"startup_timeout_sec": _FIRST_START_S, "tool_timeout_sec": _LONGEST_CALL_S},
        then="Start a new session of Codex; /mcp shows the server.",
    ),
    Client(
        name="gemini",
        title="Gemini CLI",
        source="https://github.com/google-gemini/gemini-cli/blob/main/docs/tools/mcp-server.md",
        file="settings.json",
        folder=".gemini",
        project=".gemini/settings.json",
        elicits=False,
        format=Format.JSONC,
        reference=f"${KEY}",
        then="Start a new session of Gemini CLI in a folder that it trusts; /mcp shows the server.",
    ),
    Client(
        name="copilot-cli",
        title="GitHub Copilot CLI",
        source="https://docs.github.com/en/copilot/reference/copilot-cli-reference/cli-command-reference",
        file="mcp-config.json",
        folder=".copilot",
        moved_by="COPILOT_HOME",
        project=".github/mcp.json",
        elicits=True,
        reference=f"${{{KEY}:-}}",
        extra={"type": "local", "tools": ["*"], "timeout": _LONGEST_CALL_S * 1000},
        then="Start a new session of Copilot in a folder that it trusts; /mcp show lists the server.",
    ),
    Client(
        name="zed",
        title="Zed",
        source="https://zed.dev/docs/ai/mcp",
        file="settings.json",
        folder="zed",
        base=Base.DOT_CONFIG_OR_WINDOWS,
        project=".zed/settings.json",
        elicits=False,
        format=Format.JSONC,
        servers="context_servers",
        extra={"timeout": _LONGEST_CALL_S},
        then="Zed reads its settings at once; the agent panel's settings show the server.",
    ),
    _CLINE,
    replace(
        _CLINE,
        name="cline-vscode",
        title="Cline in VS Code",
        source="https://docs.cline.bot/troubleshooting/task-history-recovery",
        folder="Code/User/globalStorage/saoudrizwan.claude-dev/settings",
        base=Base.SETTINGS,
        then="Cline's MCP Servers icon shows the server.",
    ),
    Client(
        name="opencode",
        title="opencode",
        source="https://opencode.ai/docs/mcp-servers/",
        file="opencode.json",
        otherwise="opencode.jsonc",
        folder="opencode",
        base=Base.DOT_CONFIG,
        project="opencode.json",
        elicits=False,
        format=Format.JSONC,
        servers="mcp",
        command_holds_arguments=True,
        environment="environment",
        reference=f"{{env:{KEY}}}",
        extra={"type": "local"},
        then="Start opencode again; `opencode mcp list` shows the server.",
    ),
)
CLIENTS: Final = MappingProxyType({client.name: client for client in _CLIENTS})

OTHER: Final = Client(
    name="other",
    title="Another client",
    source="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
    file="",
    elicits=False,
    then="Paste it where your client lists MCP servers, and start the client again.",
)
"""What stands for a client that we don't know: the form that most of them read."""


class UnknownClientError(Exception):
    """No client has that name; the text says which there are."""


def client_named(name: str) -> Client:
    """Answer the client of that name.

    Raises:
        UnknownClientError: There is none; the text names the likeliest, or all.
    """
    if name in CLIENTS:
        return CLIENTS[name]
    if name == OTHER.name:
        raise UnknownClientError(
            f"Of another client we know no file; {OTHER.name} --print shows what most of them read."
        )
    near = _near(name)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(CLIENTS)}."
    raise UnknownClientError(
        f"That client is not known; {hint} For any other, {OTHER.name} --print shows what most of them read."
    )


def _near(meant: str) -> list[str]:
    """The clients that a word can mean: the one of that name, those that begin with it or bear it, or those like it."""
    if (spelled := recognize(meant, CLIENTS)) is not None:
        return [spelled]
    word = meant.lower()
    bearing = [name for name in CLIENTS if word and (name.startswith(word) or word in name.split("-"))]
    near = nearest(meant, CLIENTS)
    return bearing or ([near] if near is not None else [])
