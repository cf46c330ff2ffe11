"""The servers that are measured beside each other: what starts each, and what it is asked.

An empty server of the same SDK is what nobody can be faster than who uses it; the framework that most Python servers
are made with, and two servers of other clouds, are what people have otherwise. They live in environments of their own,
since each wants its own versions.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

PORT: Final = "{port}"
"""Where a command has the port that it shall listen on."""
_LONGEST_S: Final = 300


@dataclass(frozen=True)
class Server:
    """A server, and how to start it.

    Attributes:
        name: As the tables have it.
        stdio: The command that serves the client that starts it.
        http: The command that serves under `/mcp` at a port; none if it has none.
        tool: What it is called for; empty if it can do nothing without an account.
        arguments: Of that call.
        env: What it finds in its environment beside the usual.
    """

    name: str
    stdio: tuple[str, ...]
    http: tuple[str, ...] = ()
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


def _empty(module: str, serve: str) -> str:
    return f"{module}\n@server.tool()\ndef noop() -> str:\n    return 'ok'\nserver.{serve}"


_SDK: Final = "from mcp.server import MCPServer\nserver = MCPServer('empty', log_level='WARNING')"
_FASTMCP: Final = "from fastmcp import FastMCP\nserver = FastMCP('empty')"
_OURS: Final = (sys.executable, "-m", "barrack_mcp", "serve")

READ: Final = "list_regions"
"""A read like most: one request, a list of rows in its answer."""

OURS: Final = Server(
    "barrack-mcp",
    (*_OURS, "--simulator"),
    (*_OURS, "--simulator", "--transport", "http", "--port", PORT),
    READ,
)
EMPTY: Final = Server(
    "empty MCPServer",
    (sys.executable, "-c", _empty(_SDK, "run()")),
    (sys.executable, "-c", _empty(_SDK, f"run('streamable-http', port={PORT})")),
    "noop",
)


def reaching(api: str) -> Server:
    """Ours, before an API at an address, as people have it."""
    return Server("barrack-mcp", _OURS, tool=READ, env={"BARRACK_API_URL": api, "BARRACK_API_KEY": "sim-key"})


def installed(folder: Path) -> list[Server]:
    """Install the peers into a folder, unless they are there; answers those that could be."""
    found = []
    if python := python_of(folder / "fastmcp", "fastmcp==4.2.3", "fastmcp"):
        command = (str(python), "-c")
        found.append(
            Server(
                "empty FastMCP",
                (*command, _empty(_FASTMCP, "run(show_banner=False)")),
                (*command, _empty(_FASTMCP, f"run('http', port={PORT}, show_banner=False)")),
                "noop",
                env={"FASTMCP_LOG_LEVEL": "WARNING", "FASTMCP_CHECK_FOR_UPDATES": "off"},
            )
        )
    program = "awslabs.aws-pricing-mcp-server"
    if python := python_of(folder / "aws", "awslabs-aws-pricing-mcp-server==1.1.1", program):
        env = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": "us-east-1"}
        found.append(
            Server("AWS pricing", (str(python.with_name(program)),), env={"FASTMCP_LOG_LEVEL": "ERROR", **env})
        )
    if program_path := _node(folder / "runpod", "@runpod/mcp-server@4.0.0", "runpod-mcp"):
        found.append(Server("Runpod (Node)", (str(program_path),), env={"RUNPOD_API_KEY": "none"}))
    return found


def python_of(place: Path, package: str, program: str) -> Path | None:
    """Install a package into an environment of its own, unless it is there; answers its Python, None if it can't be."""
    python = place / "bin" / "python"
    if not (place / "bin" / program).exists():
        venv.create(place, with_pip=True, clear=True)
        if not _ran(str(python), "-m", "pip", "install", "--quiet", package):
            return None
    return python


def _node(place: Path, package: str, program: str) -> Path | None:
    path = place / "node_modules" / ".bin" / program
    if shutil.which("node") is None:
        return None
    if not path.exists():
        place.mkdir(parents=True, exist_ok=True)
        if not _ran("npm", "install", "--silent", "--prefix", str(place), package):
            return None
    return path


def _ran(*command: str) -> bool:
    try:
        done = subprocess.run(command, check=False, timeout=_LONGEST_S, capture_output=True, text=True)
    except (OSError, subprocess.TimeoutExpired):
        return False
    if done.returncode:
        sys.stderr.write(f"left out, since this failed: {' '.join(command)}\n{done.stderr}\n")
    return done.returncode == 0


def environment(server: Server, folder: Path) -> dict[str, str]:
    """What a server finds in its environment: nothing of ours but what is given, and a state of its own.

    Args:
        server: The server.
        folder: Where its state may lie, and what is compiled of it, which is so only once.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BARRACK_", "COVERAGE"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    folder.mkdir(parents=True, exist_ok=True)
    ours = {"BARRACK_STATE": str(folder / "state.db"), "BARRACK_BROWSER": "off"}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "compiled")} | ours | dict(server.env)
