"""Call every tool through the MCP Inspector's command line, in both protocol eras; count effects.

An implementation of MCP that shares no code with ours reads our tools and calls them. Two workers, each with a
simulator of its own, whose time stands still.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))

from barrack_mcp.catalogue import OPERATIONS, Operation
from barrack_mcp.simulator import create_app
from tests import examples
from tests.running import EVERY_RISK, KEY, listening

ERAS = ("legacy", "modern")
WORKERS = 2
LONGEST_S = 60


async def inspect(inspector: str, era: str, url: str, *request: str) -> Any:
    """Run the Inspector once and answer what it printed."""
    settings = {"BARRACK_API_URL": f"{url}/api", "BARRACK_API_KEY": KEY, "BARRACK_UNATTENDED": EVERY_RISK}
    options = [option for name, value in settings.items() for option in ("-e", f"{name}={value}")]
    command = [inspector, "--cli", "--protocol-era", era, "--format", "json", "-q", *options, *request]
    with anyio.fail_after(LONGEST_S):
        done = await anyio.run_process([*command, sys.executable, "-m", "barrack_mcp", "serve"], check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(request)}: exit {done.returncode}: {done.stdout!r} {done.stderr!r}")
    return json.loads(done.stdout)


async def worker(inspector: str, take: Callable[[], tuple[Operation, str] | None]) -> None:
    """Take calls until there are none; each write must have one effect, each read none."""
    app = create_app(now=lambda: 0.0)
    barrack = app.state.barrack
    async with listening(app) as url:
        while (job := take()) is not None:
            operation, era = job
            barrack.reset()
            arguments = json.dumps(examples.good(operation, json.loads(json.dumps(barrack.state()))))
            request = ("--method", "tools/call", "--tool-name", operation.tool, "--tool-args-json", arguments)
            await inspect(inspector, era, url, *request)
            effects = [effect["operation"] for effect in barrack.journal]
            if effects != ([] if operation.reads else [operation.tool]):
                raise AssertionError(f"{operation.tool}, {era}: effects {effects}")


async def main(inspector: str) -> None:
    """Check the list strictly, then call all tools in both eras."""
    async with listening(create_app(now=lambda: 0.0)) as url:
        for era in ERAS:
            listed = await inspect(inspector, era, url, "--strict", "--method", "tools/list")
            tools = (listed.get("result") or listed)["tools"]
            if [tool["name"] for tool in tools] != [operation.tool for operation in OPERATIONS]:
                raise AssertionError(f"{era}: the list is not the catalogue's")
    jobs = [(operation, era) for era in ERAS for operation in OPERATIONS]
    left = iter(jobs)
    async with anyio.create_task_group() as tasks:
        for _ in range(WORKERS):
            tasks.start_soon(worker, inspector, lambda: next(left, None))
    sys.stdout.write(f"{len(jobs)} calls through the Inspector, one effect for each write, none for each read\n")


anyio.run(main, sys.argv[1])
