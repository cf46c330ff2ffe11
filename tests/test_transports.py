"""The product as users run it: a process, a socket, a terminal."""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.sse import sse_client

from barrack_mcp.catalogue import OFFERS
from barrack_mcp.cli.simulate import simulate
from tests.support.forking import PRODUCT
from tests.support.patience import PATIENT_S
from tests.support.running import environment, product

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ERAS = ["legacy", "auto"]
TOOLS = [*OFFERS]
NOBODY = {"BARRACK_API_KEY": "k", "BARRACK_API_URL": "http://127.0.0.1:1/api"}
"""An address where nothing listens."""
COMMAND = [sys.executable, "-m", "barrack_mcp"]


LATE = """
import sys
from barrack_mcp.cli.app import load_late
load_late()
import barrack_mcp.transports.serve
assert not {"mcp.client", "mcp.server.mcpserver", "barrack_mcp.transports.web", "jinja2"} & sys.modules.keys()
import mcp
from mcp.server import MCPServer
assert mcp.Client.__module__ == "mcp.client.client" and mcp.server.MCPServer is MCPServer
assert not hasattr(mcp, "nothing")
"""


@asynccontextmanager
async def served(transport: str) -> AsyncIterator[tuple[str, anyio.abc.Process]]:
    """Run `serve` on a free port and wait until it says where."""
    with socket_port() as port:
        pass
    command = [*COMMAND, "serve", "--simulator", "--transport", transport, "--port", str(port)]
    async with await anyio.open_process(command, env=environment(), stderr=subprocess.PIPE) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            with anyio.fail_after(PATIENT_S):
                await _until_healthy(url)
            yield url, process
        finally:
            if process.returncode is None:
                process.terminate()


async def test_a_start_loads_what_it_uses_and_the_rest_for_who_asks() -> None:
    await anyio.run_process([sys.executable, "-c", LATE])


async def _until_healthy(url: str) -> None:
    async with httpx2.AsyncClient() as http:
        while True:
            try:
                assert (await http.get(f"{url}/health")).json()["status"] == "ok"
            except httpx2.ConnectError:
                await anyio.lowlevel.checkpoint()
            else:
                return


class socket_port:  # noqa: N801 - reads as the function it stands for
    """A port that is free now."""

    def __enter__(self) -> int:
        import socket  # noqa: PLC0415 - here alone

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return int(free.getsockname()[1])

    def __exit__(self, *_: object) -> None: ...


async def _reads_and_has_to_wait(client: Client) -> None:
    assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS
    listed = await client.call_tool("list_instances", {"limit": 2})
    assert listed.structured_content is not None
    assert len(listed.structured_content["instances"]) == 2
    instance_id = listed.structured_content["instances"][0]["instance_id"]
    waiting = await client.call_tool("delete_instance", {"instance_id": instance_id})
    assert waiting.structured_content is not None
    assert waiting.structured_content["outcome"] == "approval_required"
    with pytest.raises(MCPError):
        await client.call_tool("nope", {})


@pytest.mark.parametrize("era", ERAS)
async def test_stdio_serves_both_eras(era: str) -> None:
    async with product("--simulator", settings={}, mode=era) as client:
        await _reads_and_has_to_wait(client)


async def test_streamable_http_serves_both_eras_and_says_that_it_is_well() -> None:
    async with served("http") as (url, _):
        for era in ERAS:
            async with Client(f"{url}/mcp", mode=era) as client:
                await _reads_and_has_to_wait(client)
                key = await client.call_tool("create_ssh_key", {"name": "remote"})
                assert key.structured_content is not None
                assert key.structured_content["outcome"] == "refused"
        async with httpx2.AsyncClient() as http:
            for header in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
                answer = await http.post(f"{url}/mcp", json={}, headers=header)
                assert answer.status_code in (403, 421)
            assert (await http.get(f"{url}/health")).status_code == 200
            assert (await http.get(f"{url}/health", headers={"Host": "evil.example"})).status_code == 421


async def test_sse_serves_both_eras() -> None:
    async with served("sse") as (url, _):
        for era in ERAS:
            async with Client(sse_client(f"{url}/sse"), mode=era) as client:
                await _reads_and_has_to_wait(client)
        async with httpx2.AsyncClient() as http:
            assert (await http.get(f"{url}/sse", headers={"Host": "evil.example"})).status_code == 421
            for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
                answer = await http.request(method, f"{url}/sse", headers={"Accept": "text/event-stream"})
                assert (answer.status_code, answer.headers["allow"]) == (405, "GET"), method


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_served_port_ends_on_sigterm(transport: str) -> None:
    async with served(transport) as (_, process):
        process.send_signal(signal.SIGTERM)
        with anyio.fail_after(PATIENT_S):
            assert await process.wait() in (0, -signal.SIGTERM)


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_it_ends_without_a_word_while_clients_are_connected(transport: str) -> None:
    async with served(transport) as (url, process):
        way = sse_client(f"{url}/sse") if transport == "sse" else f"{url}/mcp"
        with contextlib.suppress(BaseExceptionGroup, MCPError, httpx2.HTTPError):
            async with Client(way, mode="legacy") as client:
                await client.list_tools()
                process.send_signal(signal.SIGTERM)
                with anyio.fail_after(PATIENT_S):
                    assert await process.wait() == 0
        assert process.stderr is not None
        said = b"".join([chunk async for chunk in process.stderr]).decode()
    assert said.count("\n") == 1, said
    assert "Serving" in said


def run(*arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        env=environment(**{"COLUMNS": "200"} | settings),
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
        check=False,
    )


def ended(*arguments: str, **settings: str) -> tuple[int, str, str]:
    """The same, without a word to say to it and off a start that is shared: its code, its stdout, its stderr."""
    done = PRODUCT.run(arguments, environment(**{"COLUMNS": "200"} | settings))
    return done.code, done.out.decode(), done.err.decode()


def test_nothing_but_protocol_goes_to_stdout_and_the_end_of_input_ends_the_process() -> None:
    frames = [
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "t", "version": "1"},
            },
        },
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ]
    done = run("serve", stdin="".join(json.dumps(frame) + "\n" for frame in frames))
    assert done.returncode == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [1]
    assert answers[0]["result"]["serverInfo"]["name"] == "barrack-mcp"
    assert "No API key is set" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "words"),
    [
        (["serve", "--transport", "http", "--host", "0.0.0.0"], {}, 2, "--host must be this machine"),
        (["serve"], {"BARRACK_READONLY": "1"}, 2, "did you mean BARRACK_READ_ONLY?"),
        (["serve", "--toolsets", "cor"], {}, 2, "did you mean core?"),
        (["serve", "--transport", "pigeon"], {}, 2, "pigeon"),
        (["call", "list_instance", "--simulator"], {}, 2, "did you mean list_instances?"),
        (["call", "get_instance", "train-1", "--simulator"], {}, 2, "key=value; get_instance takes: instance_id."),
        (["call", "list_instances", "--args", "{", "--simulator"], {}, 2, "--args is not JSON"),
        (["call", "list_instances", "--args", "[]", "--simulator"], {}, 2, "must be a JSON object"),
        (["call", "list_instances", "limit=0", "--simulator"], {}, 2, "limit: must be"),
        (["call", "list_instances"], {}, 3, "`barrack-mcp key` takes one and keeps it."),
        (["call", "list_instances"], NOBODY, 4, "Connection refused"),
        (["call", "delete_volume", "volume_id=BRK-1V", "--simulator"], {}, 1, "nothing was changed"),
        (["call", "delete_instance", "instance_id=BRK-103320D", "--simulator"], {}, 5, "needs a person's yes"),
        (["call", "stop_instance", "instance_id=BRK-1D"], NOBODY | {"BARRACK_READ_ONLY": "1"}, 2, "ONLY is on"),
        (["call", "get_instance", "instance_id=BRK-1D", "--simulator"], {}, 1, "Check instance_id"),
        (["manifests"], {}, 2, "either --write or --check"),
        (["--version"], {}, 0, "barrack-mcp 0."),
    ],
)  # fmt: skip
def test_the_command_line_says_in_a_sentence_what_is_wrong_and_exits_with_its_code(
    arguments: list[str], settings: dict[str, str], code: int, words: str
) -> None:
    exited, out, err = ended(*arguments, **settings)
    assert words in out + err
    assert exited == code
    assert "Traceback" not in err


def test_a_call_reads_words_numbers_lists_and_json() -> None:
    done = run(
        "call", "list_snapshot_images", "snapshot_ids=BRK-1S, BRK-2S", "--args", '{"snapshot_ids": ["x"]}',
        "--json", "--simulator",
    )  # fmt: skip
    assert done.returncode in (0, 1)
    assert json.loads(done.stdout)
    done = run("call", "list_instances", "limit=1", "status=ACTIVE", "--json", "--simulator")
    assert len(json.loads(done.stdout)["instances"]) == 1


def test_the_tool_table_names_every_tool_and_json_is_what_a_client_sees() -> None:
    table = run("tools").stdout
    assert all(tool in table for tool in TOOLS)
    assert [tool["name"] for tool in json.loads(run("tools", "--json").stdout)] == TOOLS
    listed = json.loads(run("tools", "--json", BARRACK_READ_ONLY="1").stdout)
    assert [tool["name"] for tool in listed] == [tool for tool in TOOLS if OFFERS[tool].reads]


def test_a_taken_port_is_said_in_a_sentence() -> None:
    import socket  # noqa: PLC0415 - here alone

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("serve", "--simulator", "--transport", "http", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "is it taken?" in done.stderr


async def test_simulate_is_a_barrack_that_the_product_and_scripts_can_use() -> None:
    with socket_port() as port:
        pass
    command = [*COMMAND, "simulate", "--port", str(port), "--speed", "0", "--scenario", "large", "--seed", "7"]
    async with await anyio.open_process(command, env=environment(), stderr=subprocess.PIPE) as process:
        url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=url, headers={"Authorization": "Bearer sim-key"}) as http:
            with anyio.fail_after(PATIENT_S):
                while True:
                    try:
                        listed = (await http.get("/api/instances/")).json()
                    except httpx2.ConnectError:
                        await anyio.lowlevel.checkpoint()
                    else:
                        break
            assert listed["total"] == 2_000
            assert (await http.get("/_sim/journal")).json() == []
        taken = await anyio.run_process(command, env=environment(), check=False)
        assert taken.returncode == 2
        assert b"try another --port" in taken.stderr
        process.send_signal(signal.SIGTERM)
        with anyio.fail_after(PATIENT_S):
            assert await process.wait() == 0
        assert process.stderr is not None
        said = b"".join([part async for part in process.stderr]).decode()
        assert " USD, and all in it costs " in said
        assert "0 simulated seconds pass in a real one" in said
        assert f'POST {url}/_sim/clock with {{"advance_s": 3600}}' in said


def test_simulated_time_runs_like_a_clock_unless_told_otherwise() -> None:
    assert inspect.signature(simulate).parameters["speed"].default == 1


def test_stale_generated_files_are_named_and_written(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[1] / "pyproject.toml", tmp_path)

    def manifests(flag: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "manifests", flag],
            cwd=tmp_path,
            env=environment(PYTHONPATH=str(Path(__file__).parents[1])),
            capture_output=True,
            text=True,
            check=False,
        )

    assert (manifests("--check").returncode, manifests("--write").returncode) == (1, 0)
    assert manifests("--check").returncode == 0
    assert (tmp_path / "manifests" / "tools.json").exists()
    (tmp_path / "pyproject.toml").unlink()
    elsewhere = manifests("--check")
    assert (elsewhere.returncode, "no pyproject.toml" in elsewhere.stderr) == (2, True)


def test_the_demo_tells_the_whole_story(tmp_path: Path) -> None:
    done = run("demo", HOME=str(tmp_path / "nowhere"))
    assert done.returncode == 0, done.stderr
    for words in ("a GPU costs", "0.69 USD an hour", "ACTIVE", "SUCCESS", "already has the image «demo-image»",
                  "SHUTOFF", "HIBERNATED", "0.01", "it needs a person's yes", "demo-1 is still there",
                  "The client asks", "Approve?", "The person says yes.", "it, asked through the client.",
                  "demo-1 is gone"):  # fmt: skip
        assert words in re.sub(r"\s*\n", " ", done.stdout), words
