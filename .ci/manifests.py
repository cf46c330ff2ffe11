"""Check the manifests: schema, tokens by a real tokenizer, and what each names as it will really be started.

`uvx` and `uv` run themselves, without a package index: they find the wheel of this checkout, and all it needs, in a
folder; the bundle finds the package beside it, and there only what it needs. What a test in pytest can't have is here:
Node, uv, a network that has the packages.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import jsonschema

sys.path.insert(0, str(Path(__file__).parents[1]))

from barrack_mcp.cli import tools as listing
from barrack_mcp.cli.install.clients import CLIENTS
from barrack_mcp.cli.install.launching import COMMAND_HERE
from barrack_mcp.cli.install.places import place
from barrack_mcp.simulator import create_app
from tests import test_manifests
from tests.support import running

CHECKOUT = Path(__file__).parents[1]
LONGEST_S = 120
LIMITS = test_manifests.LIMITS
COUNT = """
import { encode } from "gpt-tokenizer/encoding/o200k_base"
let text = ""
for await (const part of process.stdin) text += part
const counts = Object.entries(JSON.parse(text)).map(([name, tools]) => [name, encode(JSON.stringify(tools)).length])
console.log(JSON.stringify(Object.fromEntries(counts)))
"""


FORMS = """
import { MCPConfigRegistry, validateGeneratedConfig } from "@gleanwork/mcp-config-schema"
let text = ""
for await (const part of process.stdin) text += part
const registry = new MCPConfigRegistry()
const known = Object.entries(JSON.parse(text)).filter(([name]) => registry.getConfig(name))
const read = known.map(([name, made]) => {
  const { success, error } = validateGeneratedConfig(made, name)
  return [name, { success, error: error?.message, paths: registry.getConfig(name).configPath }]
})
console.log(JSON.stringify(Object.fromEntries(read)))
"""
"""Holds what we write for a client against a collection of their schemas that others keep."""
READ_BY_OTHERS = {"claude-desktop", "claude-code", "vscode", "cursor", "windsurf", "codex", "gemini", "opencode"}


def say(line: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tokens(scratch: Path) -> dict[str, int]:
    """Count each surface's tokens with o200k."""
    shown = {surface: json.loads(listing.shown(tools)) for surface, tools in listing.surfaces().items()}
    counted: dict[str, int] = scripted(scratch, "count.mjs", COUNT, shown)
    return counted


def check_tokens(scratch: Path) -> None:
    """Hold the counts against their limits."""
    counted = tokens(scratch)
    for size in listing.sizes():
        limit = LIMITS.get(size.surface)
        say(
            f"{size.surface:<10} {size.tools:>3} tools {counted[size.surface]:>6} tokens (o200k), {size.tokens:>6} by "
            f"bytes{f', limit {limit}' if limit else ''}"
        )
    over = [surface for surface, limit in LIMITS.items() if counted[surface] > limit]
    if over:
        raise AssertionError(f"over the limit: {', '.join(over)}")


def scripted(scratch: Path, name: str, script: str, given: object) -> Any:
    """Let a script of Node's read JSON and answer JSON."""
    path = scratch / "manifests-npm" / name
    path.write_text(script, encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own script
        ["node", str(path)],  # noqa: S607 - the one that .ci/manifests installed
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def check_forms(scratch: Path) -> None:
    """Hold each client's file, and where it is, against what others know of that client."""
    made = {name: test_manifests.loaded(name, client.shared_name) for name, client in CLIENTS.items()}
    read = scripted(scratch, "forms.mjs", FORMS, made)
    if {*read} != READ_BY_OTHERS:
        raise AssertionError(f"read by others: {', '.join(read)}")
    for name, said in read.items():
        if not said["success"]:
            raise AssertionError(f"{name}: {said['error']}")
        for platform, path in said["paths"].items():
            ours = place(CLIENTS[name], home=Path("HOME"), platform=platform, environ={}).as_posix()
            theirs = path.replace("\\", "/").replace("%APPDATA%", "HOME/AppData/Roaming")
            if ours != theirs.replace("%USERPROFILE%", "HOME").replace("$HOME", "HOME"):
                raise AssertionError(f"{name} on {platform}: {ours} here, {theirs} there")
    say(f"files and places of {len(read)} clients are as others know them: {', '.join(read)}")


def check_schema(schema: Path) -> None:
    """Hold server.json against the schema that it names."""
    known: dict[str, Any] = json.loads(schema.read_text(encoding="utf-8"))
    entry = json.loads((CHECKOUT / "manifests" / "server.json").read_text(encoding="utf-8"))
    if known["$id"] != entry["$schema"]:
        raise AssertionError("server.json names another schema")
    jsonschema.Draft7Validator(known).validate(entry)
    say("server.json is as its schema says")


async def check_start(scratch: Path, name: str, start: test_manifests.Start, env: Mapping[str, str]) -> None:
    """Start what a manifest names, list its tools, and let one call through with the key."""
    command = [part.replace(str(CHECKOUT / "manifests" / "mcpb"), str(scratch / "bundle")) for part in start.command]
    if command[0] == COMMAND_HERE:
        command[0] = str(scratch / "installed" / "bin" / "barrack-mcp")
    program = command[0] if Path(command[0]).is_absolute() else str(scratch / "uv" / "bin" / command[0])
    key_file = scratch / "key"
    async with running.listening(create_app(now=lambda: 0.0)) as url:
        given = {"BARRACK_API_URL": f"{url}/api", **test_manifests.given(start, key_file), **env}
        with anyio.fail_after(LONGEST_S):
            async with test_manifests.started((program, *command[1:]), given) as client:
                tools = (await client.list_tools()).tools
                balance = await client.call_tool("get_credit_balance", {})
    listed = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    if listed != test_manifests.offered_by(tuple(start.command)):
        raise AssertionError(f"{name}: the list is not the catalogue's")
    if balance.is_error:
        raise AssertionError(f"{name}: the key did not arrive")
    say(f"{name}: {' '.join(start.command[:2])} starts, {len(tools)} tools, the key arrives")


async def check_starts(scratch: Path) -> None:
    """Start what every manifest names."""
    (scratch / "key").touch(mode=0o600)
    (scratch / "key").write_text(running.KEY, encoding="utf-8")
    env = {
        "UV_FIND_LINKS": str(scratch / "wheels"),
        "UV_NO_INDEX": "1",
        "UV_CACHE_DIR": str(scratch / "uv-cache"),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
    }
    for name, start in test_manifests.UNLIKE.items():
        await check_start(scratch, name, start, env)


def main(scratch: Path, schema: Path) -> None:
    """Check everything."""
    check_schema(schema)
    check_forms(scratch)
    check_tokens(scratch)
    anyio.run(check_starts, scratch)


main(Path(sys.argv[1]), Path(sys.argv[2]))
