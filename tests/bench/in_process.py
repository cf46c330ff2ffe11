"""A script of pyperf: one call to a server in this process, through a real client; no pipe, no socket."""

from __future__ import annotations

import os
import tempfile
import time
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pyperf
from mcp import Client
from mcp.server import MCPServer

from barrack_mcp.config import Settings
from barrack_mcp.server.house import open_server
from tests.bench.servers import EMPTY, OURS, READ


@asynccontextmanager
async def served(name: str, folder: Path) -> AsyncIterator[tuple[Any, str]]:
    """Open a server; answers it, and the tool to call."""
    if name == EMPTY.name:
        server = MCPServer("empty", log_level="WARNING")
        server.tool()(noop)
        yield server, "noop"
    else:
        settings = Settings(simulator=True, state=folder / "state.db", browser=False)
        async with open_server(settings) as house:
            yield house.server, READ


def noop() -> str:
    """Do nothing."""
    return "ok"


def seconds(loops: int, name: str) -> float:
    """Time so many calls, a few before them uncounted."""

    async def called() -> float:
        with tempfile.TemporaryDirectory() as folder:
            async with served(name, Path(folder)) as (server, tool), Client(server) as client:
                for _ in range(20):
                    await client.call_tool(tool, {})
                begun = time.perf_counter()
                for _ in range(loops):
                    await client.call_tool(tool, {})
                return time.perf_counter() - begun

    return anyio.run(called)


def _passed_on(command: list[str], arguments: Namespace) -> None:
    command += ["--server", arguments.server]


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    runner = pyperf.Runner(add_cmdline_args=_passed_on)
    runner.argparser.add_argument("--server", choices=[OURS.name, EMPTY.name], required=True)
    runner.bench_time_func("call", seconds, runner.parse_args().server)
