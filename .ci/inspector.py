"""List and call the tools through the MCP Inspector's command lines; count effects.

An implementation of MCP that shares no code with ours reads our tools and calls them, in both protocol eras. Its
`mcpdo` holds one stdio connection for each era and calls every tool over it; its `--cli` lints the list strictly and
calls a few tools of each risk over stdio, streamable HTTP and SSE. Each connection has a simulator of its own, whose
time stands still.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from subprocess import DEVNULL
from typing import Any

import anyio
import httpx2

sys.path.insert(0, str(Path(__file__).parents[1]))

from barrack_mcp.catalogue import OFFERS, OPERATIONS, Operation, Risk
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.running import EVERY_RISK, KEY, STATES, environment, listening

ERAS = ("legacy", "modern")
REMOTE = {"http": "mcp", "sse": "sse"}
"""Transports over a socket, and their paths."""
OF_EACH_RISK = 2
LONGEST_S = 120
PATIENTLY = ("--connect-timeout", str(LONGEST_S * 1_000))
"""Other checks run beside this one: no verdict hangs on how busy the machine is."""
OURS: dict[str, dict[str, Any]] = {
    "get_spending_overview": {},
    "wait_for_status": {"resource": "instance", "id": "train-1"},
    "list_leases": {},
    "set_lease": {"instance_id": "train-1", "hours": 2},
}
"""The tools that the API doesn't answer, and that have no effect there."""
SERVE = (sys.executable, "-m", "barrack_mcp", "serve")


@dataclass(frozen=True)
class Inspector:
    """Where its commands are, what they find in their environment, and how often they called a tool."""

    folder: Path
    environment: Mapping[str, str]
    calls: Counter[str] = field(default_factory=Counter)

    async def run(self, command: str, *arguments: str) -> Any:
        """Run a command and answer what it printed."""
        with anyio.fail_after(LONGEST_S):
            done = await anyio.run_process(
                [str(self.folder / command), *arguments], env=self.environment, check=False, stdin=DEVNULL
            )
        if done.returncode:
            shown = f"exit {done.returncode}: {done.stdout[:2_000]!r} {done.stderr[:2_000]!r}"
            raise AssertionError(f"{command} {' '.join(arguments)}: {shown}")
        return json.loads(done.stdout) if done.stdout.strip() else None


def settings(simulator: str) -> dict[str, str]:
    """What a server is told, with a state of its own: no server may know of another's calls."""
    return {
        "BARRACK_API_URL": f"{simulator}/api",
        "BARRACK_API_KEY": KEY,
        "BARRACK_UNATTENDED": EVERY_RISK,
        "BARRACK_STATE": f"{tempfile.mkdtemp(dir=STATES.name)}/state.db",
    }


def options(simulator: str) -> list[str]:
    """The settings as the Inspector takes them for a server that it starts."""
    return [part for name, value in settings(simulator).items() for part in ("-e", f"{name}={value}")]


@asynccontextmanager
async def served(transport: str, simulator: str) -> AsyncIterator[list[str]]:
    """Run a server on a free port; gives what makes the Inspector speak with it."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*SERVE, "--transport", transport, "--port", str(port)]
    async with await anyio.open_process(
        command, env=environment(**settings(simulator)), stdout=DEVNULL, stderr=DEVNULL
    ) as process:
        try:
            await until_healthy(f"http://127.0.0.1:{port}/health")
            yield ["--server-url", f"http://127.0.0.1:{port}/{REMOTE[transport]}", "--transport", transport]
        finally:
            process.terminate()


async def until_healthy(url: str) -> None:
    """Wait until a server answers."""
    with anyio.fail_after(LONGEST_S):
        async with httpx2.AsyncClient() as http:
            while True:
                try:
                    (await http.get(url)).raise_for_status()
                except httpx2.ConnectError:
                    await anyio.sleep(0.05)
                else:
                    return


async def lint(inspector: Inspector, era: str, server: Sequence[str]) -> None:
    """List the tools; the list is the catalogue's.

    An error ends the Inspector with 6. Warnings don't, so each is looked for.
    """
    printed = await inspector.run(
        *("mcp-inspector", "--cli", "--protocol-era", era, "--format", "json", "-q", *PATIENTLY),
        *("--strict", "--method", "tools/list", *server),
    )
    if [tool["name"] for tool in printed["result"]["tools"]] != [*OFFERS]:
        raise AssertionError(f"{era}: the list is not the catalogue's")
    for tool in printed.get("schemaFindings", []):
        if tool["findings"]:
            raise AssertionError(f"{era}: {tool['toolName']}: {tool['findings']}")


async def by_cli(inspector: Inspector, era: str, server: Sequence[str], operation: Operation, arguments: str) -> Any:
    """Call a tool through a connection for this call alone."""
    printed = await inspector.run(
        *("mcp-inspector", "--cli", "--protocol-era", era, "--format", "json", "-q", *PATIENTLY),
        *("--method", "tools/call", "--tool-name", operation.tool, "--tool-args-json", arguments, *server),
    )
    return printed["result"]


async def by_mcpdo(inspector: Inspector, era: str, operation: Operation, arguments: str) -> Any:
    """Call a tool through the connection that is held."""
    held = ("--format", "json", "--connection", era)
    return await inspector.run("mcpdo", *held, "tools/call", operation.tool, "--tool-args-json", arguments)


def prepared(operation: Operation, barrack: Any) -> str:
    """Put the simulator back to its beginning, and make good arguments for it."""
    barrack.reset()
    return json.dumps(examples.good(operation, json.loads(json.dumps(barrack.state()))))


def had_its_effect(operation: Operation, result: Any, barrack: Any, way: str) -> None:
    """See that the call succeeded, and that a write had one effect and a read none."""
    effects = [effect["operation"] for effect in barrack.journal]
    if result.get("isError") or effects != ([] if operation.reads else [operation.tool]):
        raise AssertionError(f"{operation.tool}, {way}: effects {effects}, {json.dumps(result)[:500]}")


async def every_tool(inspector: Inspector) -> None:
    """Call every tool over one stdio connection, in one era after the other."""
    for era in ERAS:
        app = create_app(now=lambda: 0.0)
        async with listening(app) as url:
            connect = ("connect", "--era", era, "--elicit", "off", "--connection", era, *options(url), "--", *SERVE)
            await inspector.run("mcpdo", "--format", "json", *connect)
            for operation in OPERATIONS:
                arguments = prepared(operation, app.state.barrack)
                result = await by_mcpdo(inspector, era, operation, arguments)
                had_its_effect(operation, result, app.state.barrack, f"stdio, {era}, held")
                inspector.calls["mcpdo over stdio"] += 1
            app.state.barrack.reset()
            for tool, arguments in OURS.items():
                held = ("--format", "json", "--connection", era, "tools/call", tool, "--tool-args-json")
                result = await inspector.run("mcpdo", *held, json.dumps(arguments))
                if result.get("isError") or app.state.barrack.journal:
                    raise AssertionError(f"{tool}, {era}: {json.dumps(result)[:500]}")
                inspector.calls["mcpdo over stdio"] += 1
            await inspector.run("mcpdo", "--format", "json", "disconnect", era)


async def a_few_tools(inspector: Inspector, era: str) -> None:
    """Lint the list and call a few tools of each risk over every transport."""
    app = create_app(now=lambda: 0.0)
    async with listening(app) as url:

        async def through(transport: str, server: Sequence[str]) -> None:
            await lint(inspector, era, server)
            for risk in Risk:
                for operation in [each for each in OPERATIONS if each.risk is risk][:OF_EACH_RISK]:
                    arguments = prepared(operation, app.state.barrack)
                    result = await by_cli(inspector, era, server, operation, arguments)
                    had_its_effect(operation, result, app.state.barrack, f"{transport}, {era}")
                    inspector.calls[f"--cli over {transport}"] += 1

        await through("stdio", [*options(url), *SERVE])
        for transport in REMOTE:
            async with served(transport, url) as server:
                await through(transport, server)


async def main(folder: Path) -> None:
    """List strictly and call, over every transport and in both eras."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        told = {
            "HOME": home,
            "MCP_STORAGE_DIR": home,
            "MCP_INSPECTOR_SECRET_STORE": "memory",
            "MCP_INSPECTOR_DAEMON_DIR": f"{home}/daemon",
            "MCP_INSPECTOR_DAEMON_TOKEN": secrets.token_urlsafe(32),
        }
        inspector = Inspector(folder, dict(os.environ) | told)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(every_tool, inspector)
                for era in ERAS:
                    tasks.start_soon(a_few_tools, inspector, era)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.run_process([folder / "mcpdo", "daemon", "stop"], env=inspector.environment, check=False)
    counted = ", ".join(f"{count} calls by {way}" for way, count in sorted(inspector.calls.items()))
    sys.stdout.write(
        f"{counted}: one effect for each write, none for each read; no error and no warning in any "
        f"list ({time.monotonic() - started:.0f} s)\n"
    )


anyio.run(main, Path(sys.argv[1]))
