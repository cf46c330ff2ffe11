"""Each generated file is what its reader expects, holds no key, and starts the server with all its tools."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from barrack_mcp.catalogue import OFFERS
from barrack_mcp.cli import manifests
from barrack_mcp.cli import tools as listing
from barrack_mcp.cli.install.clients import CLIENTS, KEY, KEY_FILE
from barrack_mcp.cli.install.installation import install
from barrack_mcp.cli.install.launching import COMMAND_HERE
from barrack_mcp.cli.manifests import registry
from barrack_mcp.cli.tools.listing import as_stats
from barrack_mcp.config import NAMES, Settings
from barrack_mcp.simulator import create_app
from tests.support import running
from tests.support.patience import PATIENT_S
from tests.support.running import environment, listening

CHECKOUT = Path(__file__).parents[1]
MANIFESTS = CHECKOUT / "manifests"
ONCE_PUBLISHED = ("uvx", "barrack-mcp")
MADE_ONCE_PUBLISHED = manifests.files(manifests.package_of(CHECKOUT), ONCE_PUBLISHED)
"""What the files will be when a registry holds a package of ours: nothing of it is in the checkout before."""


@dataclass(frozen=True)
class Start:
    """What a manifest says: a command and the variables it is given."""

    command: tuple[str, ...]
    env: Mapping[str, str]


def said(entry: Mapping[str, Any]) -> Start:
    named = {name: f"${{{name}}}" for name in entry.get("env_vars", [])}
    if isinstance(entry["command"], list):
        return Start(tuple(entry["command"]), entry.get("environment", {}))
    return Start((entry["command"], *entry["args"]), {**entry.get("env", {}), **named})


def loaded(*parts: str) -> dict[str, Any]:
    path = MANIFESTS.joinpath(*parts)
    text = path.read_text(encoding="utf-8")
    result: dict[str, Any] = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    return result


def of_client(name: str) -> Start:
    client = CLIENTS[name]
    entry: Mapping[str, Any] = loaded(name, client.shared_name)[client.servers]["barrack"]
    return said(entry)


def of_registry() -> Start:
    (package,) = json.loads(MADE_ONCE_PUBLISHED["manifests/server.json"](""))["packages"]
    command = (package["runtimeHint"], package["identifier"], *(part["value"] for part in package["packageArguments"]))
    return Start(command, {variable["name"]: value(variable) for variable in package["environmentVariables"]})


def value(variable: Mapping[str, Any]) -> str:
    return str(variable["default"]) if "default" in variable else f"${{{variable['name']}}}"


def of_bundle() -> Start:
    manifest = loaded("mcpb", "manifest.json")
    config = manifest["server"]["mcp_config"]
    command: list[str] = [config["command"], *config["args"]]
    *run, folder, script = command
    assert folder == "${__dirname}"
    answers = {name: option.get("default", f"${{{KEY}}}") for name, option in manifest["user_config"].items()}
    texts = {name: json.dumps(answer) if isinstance(answer, bool) else answer for name, answer in answers.items()}
    env = {name: texts[v.removeprefix("${user_config.").removesuffix("}")] for name, v in config["env"].items()}
    return Start((*run, str(MANIFESTS / "mcpb"), script), env)


def of_deeplink() -> Start:
    link = urlsplit(MADE_ONCE_PUBLISHED["manifests/cursor/deeplink.txt"]("").strip())
    query = parse_qs(link.query, strict_parsing=True)
    assert (link.scheme, link.netloc, link.path) == ("cursor", "anysphere.cursor-deeplink", "/mcp/install")
    assert query["name"] == ["barrack"]
    return said(json.loads(base64.b64decode(query["config"][0], validate=True)))


STARTS = {
    **{name: of_client(name) for name in CLIENTS},
    "registry": of_registry(),
    "bundle": of_bundle(),
    "deeplink": of_deeplink(),
}
UNLIKE = {name: start for name, start in STARTS.items() if start not in [*STARTS.values()][: [*STARTS].index(name)]}
"""One of each form: what two clients are told alike is started once."""


def given(start: Start, key_file: Path) -> dict[str, str]:
    """The environment after the client has put in the key, each in its own spelling."""
    spellings = (
        r"\$\{(?:env:)?BARRACK_API_KEY(?::-)?}|\{env:BARRACK_API_KEY}|\$\{input:barrack-api-key}|\$BARRACK_API_KEY"
    )
    env = {name: re.sub(spellings, running.KEY, v) for name, v in start.env.items()}
    return {name: str(key_file) if v == manifests.KEY_FILE_HERE else v for name, v in env.items()}


def local(command: tuple[str, ...]) -> tuple[str, ...]:
    """What stands in for what is installed, or published: this checkout."""
    if command[0] == COMMAND_HERE:
        return (sys.executable, "-m", "barrack_mcp", *command[1:])
    if command[:2] == ONCE_PUBLISHED:
        return (sys.executable, "-m", "barrack_mcp", *command[2:])
    *run, folder, script = command
    assert run == ["uv", "run", "--directory"]
    return (sys.executable, str(Path(folder) / script))


@asynccontextmanager
async def started(command: tuple[str, ...], env: Mapping[str, str]) -> AsyncIterator[Client]:
    program, *arguments = command
    parameters = StdioServerParameters(command=program, args=arguments, env=environment(**env))
    with open(os.devnull, "w", encoding="utf-8") as log:  # noqa: ASYNC230, PTH123 - the null device doesn't block
        async with Client(stdio_client(parameters, errlog=log)) as client:
            yield client


def offered_by(command: tuple[str, ...]) -> list[Any]:
    """What a command's flags offer: all, or the toolsets that it names."""
    named = command[command.index("--toolsets") + 1] if "--toolsets" in command else "all"
    tools: list[Any] = json.loads(listing.as_json(Settings(toolsets=(named,))))
    return tools


async def every_tool_and_one_call(command: tuple[str, ...], env: Mapping[str, str]) -> None:
    """The list is the catalogue's, and the key arrives at a Barrack that asks for it."""
    async with listening(create_app(now=lambda: 0.0)) as url:
        with anyio.fail_after(PATIENT_S):
            async with started(command, {"BARRACK_API_URL": f"{url}/api", **env}) as client:
                tools = (await client.list_tools()).tools
                balance = await client.call_tool("get_credit_balance", {})
    dumped = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    assert dumped == offered_by(command)
    assert not balance.is_error


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(f"{running.KEY}\n", encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("name", UNLIKE)
async def test_what_a_manifest_names_starts_and_lists_the_catalogue(name: str, key_file: Path) -> None:
    start = STARTS[name]
    await every_tool_and_one_call(local(start.command), given(start, key_file))


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize(("name", "simulator"), [("claude-desktop", False), ("cursor", True)])
async def test_a_newcomer_installs_does_as_told_and_has_every_tool(
    name: str,
    simulator: bool,  # noqa: FBT001 - a parameter of the table
    tmp_path: Path,
    key_file: Path,
) -> None:
    done = install(
        name,
        print_only=False,
        home=tmp_path / "home",
        platform="linux",
        environ={},
        command=(sys.executable, "-m", "barrack_mcp"),
        now=lambda: 0.0,
        simulator=simulator,
    )
    told = re.search(r"Put your API key into (\S+), alone, .* chmod 600 \1$", done.say[1])
    if told:
        path = Path(told[1])
        path.parent.mkdir(parents=True)
        shutil.copy(key_file, path)
    client = CLIENTS[name]
    text = done.path.read_text(encoding="utf-8")
    held = tomllib.loads(text) if done.path.suffix == ".toml" else json.loads(text)
    start = said(held[client.servers]["barrack"])
    await every_tool_and_one_call(start.command, given(start, key_file))


@pytest.mark.parametrize("name", STARTS)
def test_a_manifest_gives_known_settings_and_takes_the_key_from_elsewhere(name: str) -> None:
    env = STARTS[name].env
    assert set(env) <= set(NAMES)
    (key,) = {KEY, KEY_FILE} & set(env)
    assert env[key] == manifests.KEY_FILE_HERE if key == KEY_FILE else re.fullmatch(r"\$?\{?[\w:-]+}?", env[key])


def test_the_registry_entry_keeps_to_what_the_registry_takes() -> None:
    entry = loaded("server.json")
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", entry["name"])
    assert 0 < len(entry["description"]) <= 100
    assert 0 < len(entry["title"]) <= 100
    project = manifests.package_of(CHECKOUT)
    later = json.loads(MADE_ONCE_PUBLISHED["manifests/server.json"](""))
    assert {name: value for name, value in later.items() if name != "packages"} == {
        name: value for name, value in entry.items() if name != "_meta"
    }
    (package,) = later["packages"]
    assert (package["registryType"], package["identifier"]) == ("pypi", project.name)
    assert entry["version"] == package["version"] == project.version
    assert not re.search(r"[\^~<>=*x]", entry["version"])
    secret = {variable["name"] for variable in package["environmentVariables"] if variable.get("isSecret")}
    assert secret == {KEY}
    defaults = {variable["name"]: variable.get("default") for variable in package["environmentVariables"]}
    assert defaults == {KEY: None, "BARRACK_TOOLSETS": "all", "BARRACK_READ_ONLY": "false"}


def test_readme_proves_to_the_registry_whose_package_it_is() -> None:
    assert f"mcp-name: {registry.NAME} " in (CHECKOUT / "README.md").read_text(encoding="utf-8").replace("\n", " ")


def test_the_bundle_hides_the_key_needs_what_the_package_needs_and_names_every_tool() -> None:
    manifest = loaded("mcpb", "manifest.json")
    assert manifest["user_config"]["api_key"] == {
        "type": "string",
        "title": "Barrack API key",
        "description": "The API key.",
        "required": True,
        "sensitive": True,
    }
    assert [name for name, option in manifest["user_config"].items() if "default" not in option] == ["api_key"]
    assert [tool["name"] for tool in manifest["tools"]] == [*OFFERS]
    project = loaded("mcpb", "pyproject.toml")["project"]
    ours = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == ours["dependencies"]
    assert (MANIFESTS / "mcpb" / manifest["server"]["entry_point"]).is_file()


def test_vs_code_asks_for_the_key_without_showing_it() -> None:
    (asked,) = loaded("vscode", "mcp.json")["inputs"]
    assert asked["type"] == "promptString"
    assert asked["password"]
    assert STARTS["vscode"].env == {KEY: f"${{input:{asked['id']}}}"}


def test_a_missing_or_changed_manifest_is_found_and_written_anew(tmp_path: Path) -> None:
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    shutil.copy(CHECKOUT / "README.md", tmp_path)
    manifests.stale(tmp_path, write=True)
    (tmp_path / "manifests" / "gemini" / "settings.json").unlink()
    (tmp_path / "manifests" / "server.json").write_text("{}", encoding="utf-8")
    wanted = ["manifests/server.json", "manifests/gemini/settings.json"]
    assert manifests.stale(tmp_path, write=False) == wanted
    assert manifests.stale(tmp_path, write=True) == wanted
    assert manifests.stale(tmp_path, write=False) == []


def test_every_file_among_the_manifests_is_generated_but_those_that_say_how_to_run_it() -> None:
    made = {name for name in manifests.files(manifests.package_of(CHECKOUT)) if name.startswith("manifests/")}
    there = {path.relative_to(CHECKOUT).as_posix() for path in MANIFESTS.rglob("*") if path.is_file()}
    # each of these has tests of its own
    running = tuple(f"manifests/{name}" for name in ("reap/", "docker/", "compose.yaml", "kubernetes/", "systemd/"))
    assert {name for name in there if not name.startswith(running)} == made


LIMITS = {"all": 7_400, "core": 2_400, "read-only": 3_350}


@pytest.mark.parametrize("surface", LIMITS)
def test_a_surface_stays_within_its_share_of_a_models_context(surface: str) -> None:
    (size,) = [size for size in listing.sizes() if size.surface == surface]
    assert 0 < size.tokens <= LIMITS[surface]


def test_the_sizes_add_up_and_stand_in_the_table() -> None:
    every, core, reads, *toolsets = listing.sizes()
    assert every.tools == sum(size.tools for size in toolsets) == len(OFFERS)
    assert core.tools == sum(offer.core for offer in OFFERS.values())
    assert reads.tools == sum(offer.reads for offer in OFFERS.values())
    # each list has two brackets of its own, and commas between what others hold apart
    assert every.size - sum(size.size for size in toolsets) == 2 - len(toolsets) * 2 + len(toolsets) - 1
    assert all(size.with_output > size.size for size in listing.sizes())
    table = as_stats()
    assert all(f"{size.tokens:,}" in table and size.surface in table for size in listing.sizes())
