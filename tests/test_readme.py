"""README, the pages under docs/ and the generated files say what the product does."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import typer.main
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import load
from barrack_mcp.catalogue import BY_TOOL, OFFERS, Risk
from barrack_mcp.cli import manifests
from barrack_mcp.cli.app import app
from barrack_mcp.cli.install.clients import CLIENTS
from barrack_mcp.cli.install.places import place
from barrack_mcp.cli.manifests import readme
from barrack_mcp.cli.process import ExitCode
from barrack_mcp.config import IN_FILES, NAMES, read_settings
from barrack_mcp.simulator.app import create_app
from tests.promises import PROMISES
from tests.support import forking
from tests.support.callers import Desk
from tests.support.pages import ALL, BLOCKS, CHECKOUT, COMMANDS, PAGES, Block
from tests.support.patience import PATIENT_S
from tests.support.running import KEY, environment, listening

README = PAGES["README.md"]
MOST_BYTES = 12_000
"""README is read in a minute; the rest stands under docs/."""
PRODUCT = [sys.executable, "-m", "barrack_mcp"]
TABLE = re.search(r"<!-- errors -->\n.*?\n.*?\n(.*?)<!-- end errors -->", PAGES["docs/troubleshooting.md"], re.DOTALL)
ERRORS = re.findall(r"^\| `([^`]+)` \|", TABLE[1] if TABLE else "", re.MULTILINE)
CLIENT_ROWS = re.findall(r"^\| [^|]+ \| `barrack-mcp (install [^`]+)` \|", PAGES["docs/clients.md"], re.MULTILINE)
UNLIKE = ("claude-desktop", "vscode", "cursor", "codex", "zed", "opencode")
"""One client of each way to write a file, to name a server and to get the key."""


@pytest.mark.promise("P4")
def test_generated_files_are_up_to_date() -> None:
    assert manifests.stale(CHECKOUT, write=False) == []


def test_a_stale_file_is_found_and_written_anew(tmp_path: Path) -> None:
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    every = [name for name in manifests.files(manifests.package_of(CHECKOUT)) if _is_generated_in(name)]
    for name, page in PAGES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(re.sub(r"(<!-- generated: \w+ -->\n).*\n", r"\1", page), encoding="utf-8")
    assert manifests.stale(tmp_path, write=False) == every
    assert manifests.stale(tmp_path, write=True) == every
    assert manifests.stale(tmp_path, write=False) == []
    assert all((tmp_path / name).read_text(encoding="utf-8") == page for name, page in PAGES.items())


def _is_generated_in(name: str) -> bool:
    return "<!-- generated: " in PAGES.get(name, "<!-- generated: ")


def test_every_page_with_a_generated_part_is_among_those_that_are_made_anew() -> None:
    assert {name for name in PAGES if _is_generated_in(name)} <= set(readme.PAGES)


def test_readme_is_read_in_a_minute() -> None:
    assert len(README.encode()) <= MOST_BYTES
    # what is said, and what is shown
    assert README.count("<picture>") == 2


def test_the_table_of_risks_has_a_row_for_each() -> None:
    assert re.findall(r"^\| (\w+) \| [0-9]+ \|", PAGES["docs/approvals.md"], re.MULTILINE) == list(Risk)


def test_every_tool_and_every_setting_is_told() -> None:
    assert all(f"`{tool}`" in PAGES["docs/tools.md"] for tool in OFFERS)
    assert all(f"`{name}`" in PAGES["docs/settings.md"] for name in NAMES)


def test_every_setting_that_is_told_exists() -> None:
    told = set(re.findall(r"BARRACK_[A-Z_]*[A-Z]", ALL))
    assert told <= {*NAMES, *IN_FILES, "BARRACK_CONFIG"}


def test_the_two_commands_stand_there_word_for_word() -> None:
    demo = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/barrack-mcp demo"
    tests = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest"
    assert f"<!-- command: demo -->\n```\n{demo}\n```\n<!-- end -->" in README
    assert f"<!-- command: tests -->\n```\n{tests}\n```\n<!-- end -->" in README


def test_every_block_is_of_a_kind_that_a_test_reads() -> None:
    assert {block.language for block in BLOCKS} <= {"", "sh", "json", "toml", "python", "yaml"}
    assert [block.command for block in BLOCKS if not block.language] == list(COMMANDS)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"])
def test_each_json_example_is_json_and_starts_the_product(block: Block) -> None:
    (server,) = next(iter(json.loads(block.text).values())).values()
    if "url" in server:
        # one that is started elsewhere
        assert server["url"].endswith("/mcp")
        return
    assert (server["command"], server["args"]) == ("barrack-mcp", ["serve"])
    assert set(server["env"]) <= set(NAMES)


def test_the_toml_examples_are_taken_by_the_product(tmp_path: Path) -> None:
    override, settings = (block.text for block in BLOCKS if block.language == "toml")
    assert Contract(load(override.encode(), "contract.md")).for_(BY_TOOL["list_instances"]).path == "/v2/machines"
    (tmp_path / "barrack.toml").write_text(settings, encoding="utf-8")
    read = read_settings({"BARRACK_CONFIG": str(tmp_path / "barrack.toml")})
    assert read.protect == ("prod-*",)
    assert read.toolsets == ("core", "snapshots")
    assert {*tomllib.loads(settings)} <= read.model_fields_set


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)|\b(?:src|srcset)=\"([^\"]+)\"", PAGES[page])
    for target in (one or other for one, other in links):
        if not target.startswith("https://"):
            name, _, anchor = target.partition("#")
            led_to = (CHECKOUT / page).parent.joinpath(name).resolve() if name else CHECKOUT / page
            assert led_to.exists(), target
            assert not anchor or anchor in _anchors(led_to.read_text(encoding="utf-8")), target


def _anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_readme_leads_to_every_page() -> None:
    assert [name for name in PAGES if name != "README.md" and f"]({name})" not in README] == []


def test_every_command_in_a_sentence_exists_with_its_options() -> None:
    commands = [" ".join(words.split()) for words in re.findall(r"`barrack-mcp ([^`#]+)`", ALL)]
    assert len(commands) > 30
    for found in commands:
        words = found.split()
        at: Any = typer.main.get_command(app)
        while hasattr(at, "get_command") and words and not words[0].startswith("-"):
            at = at.get_command(None, words.pop(0))
            assert at is not None, found
        options = {name for parameter in at.params for name in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, found


def test_it_is_told_what_every_exit_code_means() -> None:
    told = ", ".join(f"{code.value} {code.meaning}" for code in ExitCode)
    assert f"Exit codes: {told}." in " ".join(PAGES["docs/tools.md"].split())


@asynccontextmanager
async def newcomer(home: Path) -> AsyncIterator[dict[str, str]]:
    """A person's shell with nothing in it, and a fake Barrack."""
    home.mkdir(exist_ok=True)
    moved = dict.fromkeys(("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "APPDATA", "LOCALAPPDATA"), "")
    async with listening(create_app(scenario="small", seed=1, speed=60.0)) as address:
        yield environment(
            **moved,
            HOME=str(home),
            USERPROFILE=str(home),
            COLUMNS="200",
            BARRACK_API_URL=f"{address}/api",
            BARRACK_API_KEY=KEY,
        )


async def typed(words: list[str], env: Mapping[str, str]) -> tuple[int, str]:
    with anyio.fail_after(PATIENT_S):
        done = await anyio.run_process(words, stdin=subprocess.DEVNULL, env=env, check=False, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


async def entered(words: list[str], env: Mapping[str, str]) -> tuple[int, str]:
    """A command of the product, off a start that is shared."""
    with anyio.fail_after(PATIENT_S):
        done = await anyio.to_thread.run_sync(forking.PRODUCT.run, words, env, abandon_on_cancel=True)
    return done.code, done.said.decode()


SERVING = re.findall(r"^(?:BARRACK_\S+ )*barrack-mcp (serve .*)$", PAGES["docs/team.md"], re.MULTILINE)


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("line", dict.fromkeys(SERVING))
async def test_each_server_that_is_told_answers_where_it_is_told(line: str, tmp_path: Path) -> None:
    async with newcomer(tmp_path / "home") as env:
        if "--host" in line:
            desk = Desk(tmp_path / "callers.toml")
            desk.let_in("ada")
            known = {"BARRACK_HTTP_TOKENS_FILE": str(desk.path), "BARRACK_PUBLIC_URL": "https://bot.example.com"}
            await _serves(shlex.split(line), {**env, **known}, token=desk.tokens["ada"])
        else:
            await _serves(shlex.split(line), env)


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("command", ["approve", "deny"])
async def test_a_person_answers_at_a_terminal_what_waits(command: str, tmp_path: Path) -> None:
    assert f"\nbarrack-mcp {command} ID\n" in PAGES["docs/team.md"]
    async with newcomer(tmp_path / "home") as env:
        await _decides(command, env)


async def _serves(words: list[str], env: Mapping[str, str], *, token: str = "") -> None:
    port = words[words.index("--port") + 1] if "--port" in words else "8765"
    words = [word for word in words if word not in ("--port", port)]
    async with listening(create_app(scenario="small", seed=1, speed=60.0)) as free:
        mine = free.rpartition(":")[2]
    command = [*PRODUCT, *words, "--port", mine]
    async with (
        await anyio.open_process(command, env=env, stderr=subprocess.DEVNULL) as process,
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"} if token else {}) as web,
    ):
        try:
            with anyio.fail_after(PATIENT_S):
                await _healthy(web, f"http://127.0.0.1:{mine}/health")
            path = "sse" if "sse" in words else "mcp"
            assert f"http://127.0.0.1:{port}/{path}" in PAGES["docs/team.md"]
            if path == "mcp":
                async with Client(streamable_http_client(f"http://127.0.0.1:{mine}/mcp", http_client=web)) as client:
                    tools = {tool.name for tool in (await client.list_tools()).tools}
                assert ("delete_instance" in tools) is ("--read-only" not in words)
        finally:
            process.terminate()
            with anyio.fail_after(PATIENT_S):
                assert await process.wait() in (0, -signal.SIGTERM, 1)


async def _healthy(web: httpx2.AsyncClient, url: str) -> None:
    while True:
        try:
            assert (await web.get(url)).json()["status"] == "ok"
        except httpx2.ConnectError:
            await anyio.lowlevel.checkpoint()
        else:
            return


async def _decides(command: str, env: Mapping[str, str]) -> None:
    """Ask for something, and answer at a terminal as the person does."""
    if sys.platform == "win32":
        pytest.skip("no pseudo-terminal to type at")
    # each stops another machine: what is stopped already can't be
    call = [*PRODUCT, "call", "stop_instance", f"instance_id={'train-1' if command == 'approve' else 'train-2'}"]
    code, said = await typed(call, env)
    found = re.search(r"request (ap-\w+)", said)
    assert (code, found is not None) == (5, True), said
    assert found is not None
    said = await anyio.to_thread.run_sync(_at_a_terminal, [*PRODUCT, command, found[1]], dict(env))
    assert ("Approved, once." if command == "approve" else "Denied") in said
    code, said = await typed(call, env)
    assert (code, "Instance is stopping" in said) == ((0, True) if command == "approve" else (5, False)), said


def _at_a_terminal(words: list[str], env: dict[str, str]) -> str:
    import pty  # noqa: PLC0415 - Windows has none

    ours, theirs = pty.openpty()
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as asking:
        os.close(theirs)
        said = b""
        try:
            # what is typed before the question answers nothing
            while chunk := os.read(ours, 65_536):
                said += chunk
                if said.rstrip().endswith(b"Type yes:"):
                    os.write(ours, b"yes\n")
        except OSError:
            # the other end is closed: that is how a terminal ends
            pass
        assert asking.wait(PATIENT_S) == 0
    os.close(ours)
    return said.decode()


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_evening_has_limits_that_a_second_order_runs_into(tmp_path: Path) -> None:
    found = re.search(
        r"^((?:BARRACK_\S+ )+)barrack-mcp (call deploy_instance .*)$", README.replace("\\\n", ""), re.MULTILINE
    )
    assert found is not None
    limits, line = found.groups()
    async with newcomer(tmp_path / "home") as env:
        env |= dict(word.split("=", 1) for word in limits.split())
        for count, words in (("1", "it then lasts"), ("4", "all that runs would cost more per hour")):
            more = line.replace("gpu_count=1", f"gpu_count={count}")
            code, said = await entered(shlex.split(more), env)
            assert (code, words in said) == (5, True), said


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("line", [line for line in CLIENT_ROWS if line.split()[1] in UNLIKE])
async def test_a_newcomer_types_the_line_and_the_client_has_a_server_that_answers(line: str, tmp_path: Path) -> None:
    words = shlex.split(line)
    client = CLIENTS[words[1]]
    home = tmp_path / "home"
    async with newcomer(home) as env:
        code, said = await typed([*PRODUCT, *words], env)
        path = place(client, home=home, platform=sys.platform, environ={})
        assert (code, said.startswith(f"Wrote {path}.")) == (0, True), said
        written = path.read_text(encoding="utf-8")
        entry = (tomllib.loads if path.suffix == ".toml" else json.loads)(written)[client.servers]["barrack"]
        program, *arguments = [entry["command"], *entry["args"]] if "args" in entry else entry["command"]
        await _starts(entry, program, arguments, env, home)


async def _starts(entry: Mapping[str, Any], command: str, args: list[str], env: Mapping[str, str], home: Path) -> None:
    """Start a server as a client does: with its file's environment, filled in from where the client was started."""
    own = {name: value for name, value in env.items() if name != "BARRACK_API_KEY"}
    for name, value in entry.get("env", entry.get("environment", {})).items():
        own[name] = KEY if "$" in value or "{env:" in value else value
        if name == "BARRACK_API_KEY_FILE":
            kept = Path(value)
            assert home in kept.parents
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(KEY, encoding="utf-8")
            kept.chmod(0o600)
    own |= {name: env[name] for name in entry.get("env_vars", ())}
    parameters = StdioServerParameters(command=command, args=args, env=own)
    with open(os.devnull, "w", encoding="utf-8") as log, anyio.fail_after(PATIENT_S):  # noqa: ASYNC230, PTH123 - the null device
        async with Client(stdio_client(parameters, errlog=log)) as client:
            listed = await client.call_tool("list_instances", {})
            assert listed.structured_content is not None
            assert len(listed.structured_content["instances"]) == 5


def test_what_each_client_can_not_is_told_beside_what_to_do() -> None:
    _, _, told = PAGES["docs/clients.md"].partition("## What each can, and what to do about what it can't")
    named = {name for cell in re.findall(r"^\| ([^|]+) \|", told, re.MULTILINE) for name in cell.split(", ")}
    assert {client.title.removesuffix(" in VS Code") for client in CLIENTS.values()} <= named


def test_the_table_of_clients_has_them_all() -> None:
    assert [shlex.split(line)[1] for line in CLIENT_ROWS] == list(CLIENTS)


def _texts() -> list[str]:
    """Every text in the product's source as it is put together, a hole where something is filled in."""
    found = []
    for path in (CHECKOUT / "barrack_mcp").rglob("*.py"):
        every = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        docs = {node.value for node in every if isinstance(node, ast.Expr)}
        for node in every:
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                found.append("".join(str(part) for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docs:
                found.append(node.value)
    return found


def test_every_error_in_the_table_is_one_that_the_product_can_say() -> None:
    texts = _texts()
    assert len(ERRORS) >= 25
    assert [error for error in ERRORS if not any(error in text for text in texts)] == []


NOBODY = {"BARRACK_API_KEY": KEY, "BARRACK_API_URL": "http://127.0.0.1:9/api"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "settings", "error"),
    [
        ("call list_instances", {}, "No API key is set"),
        ("serve", {}, "No API key is set"),
        ("call list_instances", {"BARRACK_API_KEY": "${env:X}"}, "holds a reference that nobody filled in"),
        ("call list_instances", NOBODY, "The API could not be reached"),
        ("call list_instances", {"BARRACK_PROTEKT": "x"}, "is not a setting of this version"),
        ("call list_instance", {}, "No such tool;"),
        ("call stop_instance", {"BARRACK_READ_ONLY": "1"}, "BARRACK_READ_ONLY is on"),
        ("call stop_instance", {"BARRACK_TOOLSETS": "volumes"}, "leaves this tool out"),
        ("call delete_instance instance_id=BRK-103339D --simulator", {}, "Not done yet: it needs a person's yes"),
        (
            "call delete_instance instance_id=BRK-103339D --simulator",
            {"BARRACK_APPROVAL": "refuse"},
            "and the operator has not allowed this without one",
        ),
        ("approve ap-1", {}, "This wants a person at a terminal"),
        ("serve --transport http --host 0.0.0.0", {}, "--host must be this machine"),
        (
            'call create_ssh_key name=k --args \'{"public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}\' --simulator',
            {},
            "must not hold a private key",
        ),
    ],
)
def test_a_newcomers_mistake_is_told_as_the_table_has_it(line: str, settings: dict[str, str], error: str) -> None:
    assert any(error in each for each in ERRORS)
    assert error in forking.PRODUCT.run(shlex.split(line), environment(**settings)).said.decode()


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_wrong_key_is_told_as_the_table_has_it(tmp_path: Path) -> None:
    async with newcomer(tmp_path / "home") as env:
        code, said = await entered(["call", "list_instances"], {**env, "BARRACK_API_KEY": "wrong"})
    assert (code, "Check that the API key is right" in said) == (3, True)


def test_every_promise_that_security_names_is_one() -> None:
    named = set(re.findall(r"\b[GNRSP]\d+\b", PAGES["docs/approvals.md"]))
    assert named
    assert named <= {promise.id for promise in PROMISES}


@pytest.mark.parametrize("picture", ["call-light", "call-dark", "threats-light", "threats-dark"])
def test_the_drawings_are_as_their_words_make_them(picture: str) -> None:
    script = CHECKOUT / ".ci" / "drawings.py"
    if not script.exists():
        pytest.skip("a source distribution has no .ci")
    drawn = runpy.run_path(str(script))["drawn"](*picture.split("-"))
    assert (CHECKOUT / "docs" / f"{picture}.svg").read_text(encoding="utf-8") == drawn
    assert re.findall(r"\w+://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"], "a picture fetches nothing"


@pytest.mark.slow
def test_the_pictures_of_a_session_show_what_a_session_says(tmp_path: Path) -> None:
    script = CHECKOUT / ".ci" / "session.py"
    if not script.exists():
        pytest.skip("a source distribution has no .ci")
    subprocess.run([sys.executable, script, tmp_path], env=environment(), timeout=PATIENT_S, check=True)
    for scheme in ("light", "dark"):
        kept = (CHECKOUT / "docs" / f"session-{scheme}.svg").read_text(encoding="utf-8")
        made = (tmp_path / f"session-{scheme}.svg").read_text(encoding="utf-8")
        written = re.findall(r"<text[^>]*>(.*?)</text>", kept)
        assert written == re.findall(r"<text[^>]*>(.*?)</text>", made)
        assert len(written) > 30
        assert kept.count("http") == 1, "the name of the format alone: a picture fetches nothing"
