"""The product over stdio, as a process: broken frames, and every way to end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.abc
import pytest

from tests.stdio.mutations import answerable, broken, named
from tests.stdio.speaking import INITIALIZE, Talk, line, modern, process, request
from tests.support.patience import PATIENT_S
from tests.support.running import KEY, environment

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SERVE: Final = [sys.executable, "-m", "barrack_mcp", "serve"]
SOON: Final = 60.0
"""Seconds within which what takes a tenth of one has happened on the slowest machine."""
LATER: Final = "600"
"""Seconds for which a call would be waited for otherwise, so that nothing late passes for soon."""
MOST_MEMORY_KB: Final = 150 * 1024
LINUX: Final = sys.platform == "linux"
SIGNALS: Final = [signal.SIGTERM, signal.SIGINT]


def alone(tmp_path: Path, **settings: str) -> dict[str, str]:
    """An environment of its own: nothing of this user's is read or written."""
    return environment(
        HOME=str(tmp_path), XDG_STATE_HOME=str(tmp_path), PYTHONUNBUFFERED="", BARRACK_TIMEOUT=LATER, **settings
    )


async def opened(talk: Talk, era: str = "modern") -> None:
    """Wait until it serves."""
    if era == "legacy":
        assert "result" in await talk.ask(request("hello", "initialize", **INITIALIZE))
        await talk.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
    else:
        assert "result" in await talk.ask(modern("hello", "server/discover"))


def balance(ident: Any, era: str = "modern") -> dict[str, Any]:
    make = modern if era == "modern" else request
    return make(ident, "tools/call", name="get_credit_balance", arguments={})


async def ended(started: anyio.abc.Process) -> int:
    with anyio.fail_after(SOON):
        return await started.wait()


def peak_kb(started: anyio.abc.Process) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{started.pid}/status").read_text(encoding="ascii"))
    assert found
    return int(found[1])


@pytest.mark.promise("R1")
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_5000_broken_frames_leave_it_alive_each_good_one_answered_and_the_next_served_soon(
    era: str, tmp_path: Path
) -> None:
    expected: set[Any] = set()
    claimed: set[Any] = {None, "hello", "settled", "next"}
    async with process([*SERVE, "--simulator"], alone(tmp_path)) as (talk, started):
        with anyio.fail_after(PATIENT_S):
            await opened(talk, era)
            sent = 0
            for frame in broken(era, seed=20_261_125, count=5_000):
                await talk.send(frame + b"\n")
                sent += 1
                if (ident := answerable(frame)) is not None:
                    expected.add(ident)
                claimed |= named(frame)
            for ident in expected:
                assert await talk.answer(ident)
            await talk.ask(balance("settled", era))
            with anyio.fail_after(SOON):
                answer = await talk.ask(balance("next", era))
        assert not answer["result"].get("isError")
        if LINUX:
            assert peak_kb(started) < MOST_MEMORY_KB, f"{peak_kb(started)} kB"
        assert started.stdin is not None
        await started.stdin.aclose()
        assert await ended(started) == 0
    assert sent == 5_000
    assert len(expected) > 500
    assert talk.frames <= sent + 3
    assert talk.answered() <= claimed
    assert b"Traceback" not in talk.log


@pytest.mark.promise("P1")
@pytest.mark.parametrize("how", ["end", *SIGNALS])
async def test_idle_it_ends_at_once_with_0_and_without_a_word(how: str | signal.Signals, tmp_path: Path) -> None:
    async with process([*SERVE, "--simulator"], alone(tmp_path)) as (talk, started):
        await opened(talk)
        assert "result" in await talk.ask(balance(1))
        if isinstance(how, signal.Signals):
            started.send_signal(how)
        else:
            assert started.stdin is not None
            await started.stdin.aclose()
        assert await ended(started) == 0
    assert talk.frames == 2
    assert talk.log == b""


@asynccontextmanager
async def api() -> AsyncIterator[tuple[str, anyio.Event, anyio.Event]]:
    """An API that answers nothing until it is let go: its address, what a request sets, what lets it go."""
    asked, go = anyio.Event(), anyio.Event()

    async def handle(client: anyio.abc.SocketStream) -> None:
        body = json.dumps({"success": True, "balance": {"amount": 5.0, "currency": "USD"}}).encode()
        async with client:
            await client.receive()
            asked.set()
            await go.wait()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            await client.send(head.encode() + body)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - no Django here
        yield f"http://127.0.0.1:{port}/api", asked, go
        tasks.cancel_scope.cancel()


@pytest.mark.promise("P1")
@pytest.mark.parametrize("how", ["end", *SIGNALS])
async def test_a_call_under_way_is_finished_and_answered_before_the_end(
    how: str | signal.Signals, tmp_path: Path
) -> None:
    async with (
        api() as (url, asked, go),
        process(SERVE, alone(tmp_path, BARRACK_API_URL=url, BARRACK_API_KEY=KEY)) as (talk, started),
    ):
        await opened(talk)
        await talk.say(balance(1))
        with anyio.fail_after(SOON):
            await asked.wait()
        if isinstance(how, signal.Signals):
            started.send_signal(how)
        else:
            assert started.stdin is not None
            await started.stdin.aclose()
        go.set()
        assert "result" in await talk.answer(1)
        assert await ended(started) == 0
    assert b"Traceback" not in talk.log


@pytest.mark.promise("R3")
async def test_a_ping_is_answered_soon_while_500_calls_are_under_way(tmp_path: Path) -> None:
    async with (
        api() as (url, asked, _),
        process(SERVE, alone(tmp_path, BARRACK_API_URL=url, BARRACK_API_KEY=KEY)) as (talk, started),
    ):
        await opened(talk, "legacy")
        for number in range(500):
            await talk.say(balance(number, "legacy"))
        # none of the calls is ever answered: a ping that waited for one would hang
        with anyio.fail_after(SOON):
            assert "result" in await talk.ask(request("ping", "ping"))
            await asked.wait()
        for number in SIGNALS:
            started.send_signal(number)
        await ended(started)


@pytest.mark.promise("P1")
async def test_a_second_signal_ends_it_whatever_is_under_way(tmp_path: Path) -> None:
    async with (
        api() as (url, asked, _),
        process(SERVE, alone(tmp_path, BARRACK_API_URL=url, BARRACK_API_KEY=KEY)) as (talk, started),
    ):
        await opened(talk)
        await talk.say(balance(1))
        with anyio.fail_after(SOON):
            await asked.wait()
        for number in SIGNALS:
            started.send_signal(number)
        assert await ended(started) in {128 + number for number in SIGNALS}
    assert b"Traceback" not in talk.log


@pytest.mark.promise("P1")
def test_a_client_that_has_gone_ends_it(tmp_path: Path) -> None:
    started = subprocess.Popen(
        [*SERVE, "--simulator"], env=alone(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert started.stdin is not None
    assert started.stdout is not None
    started.stdout.close()
    started.stdin.write(line(balance(1)))
    started.stdin.flush()
    try:
        assert started.wait(PATIENT_S) == 0
    finally:
        started.kill()
        started.stdin.close()


@pytest.mark.parametrize("source", ["file", "terminal", "nothing", "closed", "no way out"])
def test_stdin_may_be_a_file_a_terminal_nothing_or_closed_and_stdout_too(source: str, tmp_path: Path) -> None:
    frame = line(balance(1))
    given = tmp_path / "frames"
    given.write_bytes(frame)
    command, answers = [*SERVE, "--simulator"], 1
    env = alone(tmp_path)
    if source == "terminal":
        pty = pytest.importorskip("pty")
        ours, theirs = pty.openpty()
        os.write(ours, frame + b"\x04")
        try:
            done = subprocess.run(command, stdin=theirs, env=env, capture_output=True, timeout=PATIENT_S, check=False)
        finally:
            os.close(ours)
            os.close(theirs)
    elif source == "file":
        with given.open("rb") as frames:
            done = subprocess.run(command, stdin=frames, env=env, capture_output=True, timeout=PATIENT_S, check=False)
    else:
        redirect, answers = {"nothing": ("</dev/null", 0), "closed": ("<&-", 0), "no way out": (">&- 2>&-", 0)}[source]
        shell = ["sh", "-c", f'exec "$@" {redirect}', "sh", *command]
        done = subprocess.run(shell, input=frame, env=env, capture_output=True, timeout=PATIENT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert [json.loads(answer)["id"] for answer in done.stdout.splitlines()] == [1] * answers
    assert b"Traceback" not in done.stderr


@pytest.mark.promise("P1")
def test_a_terminal_that_is_hung_up_ends_it(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [*SERVE, "--simulator"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, env=alone(tmp_path)) as started:
        os.close(theirs)
        os.write(ours, line(balance(1)))
        assert started.stdout is not None
        assert json.loads(started.stdout.readline())["id"] == 1
        os.close(ours)
        assert started.wait(PATIENT_S) == 0


NOISY: Final = """
import os, subprocess, sys, threading, anyio
from mcp.server.lowlevel import Server
from mcp.types import CallToolResult
from barrack_mcp.transports.stdio.connection import serve_stdio

print("before", end="")

async def call(context, params):
    print("kept back", end="")
    os.write(1, b"written past Python")
    subprocess.run(["echo", "a child"])
    if params.name == "thread":
        threading.Thread(target=threading.Event().wait).start()
    if params.name == "shield":
        with anyio.CancelScope(shield=True):
            await anyio.sleep_forever()
    return CallToolResult(content=[])

anyio.run(lambda: serve_stdio(Server("noisy", on_call_tool=call), drain_seconds=0.2))
print("after", end="")
"""


@pytest.mark.promise("P1")
@pytest.mark.parametrize("name", ["quiet", "thread", "shield"])
@pytest.mark.parametrize("how", ["end", signal.SIGTERM])
async def test_no_print_reaches_stdout_and_nothing_that_hangs_keeps_the_process(
    name: str, how: str | signal.Signals, tmp_path: Path
) -> None:
    async with process([sys.executable, "-c", NOISY], alone(tmp_path)) as (talk, started):
        await talk.say(modern(1, "tools/call", name=name, arguments={}))
        if name != "shield":
            assert "result" in await talk.answer(1)
        else:
            with anyio.fail_after(PATIENT_S):
                while b"a child" not in talk.log:
                    await anyio.lowlevel.checkpoint()
        if isinstance(how, signal.Signals):
            started.send_signal(how)
        else:
            assert started.stdin is not None
            await started.stdin.aclose()
        assert await ended(started) == 0
    assert talk.frames == (name != "shield")
    assert b"written past Python" in talk.log
    if name == "quiet":
        assert b"kept back" in talk.log


NOT_GREETED: Final = ["--port", "8765"]
"""What means nothing over stdio, and is enough for the client to be left to the house."""


@pytest.mark.promise("V3")
@pytest.mark.parametrize("flags", [[], NOT_GREETED], ids=["greeted", "by the house"])
async def test_a_client_hears_the_same_whether_or_not_it_is_greeted(tmp_path: Path, flags: list[str]) -> None:
    """The first list, a call, and a question of the server's, which wants to know what the client can."""
    async with process([*SERVE, "--simulator", *flags], alone(tmp_path)) as (talk, _):
        await opened(talk, "legacy")
        assert len((await talk.ask(request(1, "tools/list")))["result"]["tools"]) > 60
        assert "balance" in (await talk.ask(balance(2, "legacy")))["result"]["structuredContent"]
        stop = {"name": "stop_instance", "arguments": {"instance_id": "train-1"}}
        await talk.say(request(3, "tools/call", **stop))
        question = await talk.next("elicitation/create")
        await talk.say(
            {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"approve": True}}}
        )
        assert (await talk.answer(3))["result"]["structuredContent"]["outcome"] == "done"
        assert talk.answered() == {"hello", 1, 2, 3}


async def test_a_wrong_setting_ends_a_process_that_has_greeted_with_its_sentence(tmp_path: Path) -> None:
    async with process(SERVE, alone(tmp_path, BARRACK_MAX_HOURLY_COST="much")) as (talk, started):
        await opened(talk)
        assert await started.wait() == 2
        with anyio.fail_after(PATIENT_S):
            while b"BARRACK_MAX_HOURLY_COST" not in talk.log:
                await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_while_the_house_is_being_built_ends_it_without_a_word(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with process(SERVE, alone(tmp_path, BARRACK_SIMULATOR="1")) as (talk, started):
        await opened(talk)
        started.send_signal(number)
        assert await ended(started) == 0
        assert talk.log == b""


LOADING: Final = """
import atexit, json, sys

order, under_way = [], {}

class Watch:
    def find_spec(self, name, path=None, target=None):
        order.append(name)
        if name in ("mcp_types", "mcp.server.lowlevel"):
            ours = [each for each in sys.modules if each.startswith("barrack_mcp.")]
            under_way[name] = [each for each in ours if sys.modules[each].__spec__._initializing]

sys.meta_path.insert(0, Watch())
loaded = lambda: [each for each in order if each in sys.modules]
atexit.register(lambda: print(json.dumps([loaded(), under_way]), file=sys.stderr))
sys.argv[1:] = ["serve"]
from barrack_mcp.cli import main
main()
"""
"""Serves, and says at the end which modules were loaded, in order, and which of ours awaited the SDK's."""
UNNEEDED: Final = (
    "mcp.client",
    "mcp.server.mcpserver",
    "barrack_mcp.simulator",
    "barrack_mcp.transports.web",
    "barrack_mcp.transports.login",
    "barrack_mcp.api.learning",
    "barrack_mcp.api.openapi",
    "jinja2",
    "prometheus_client",
    "redis",
    "rich",
    "yaml",
)
"""What no start and no read over stdio has a use for."""


@pytest.mark.promise("V5")
async def test_a_start_loads_nothing_before_it_greets_the_sdk_under_few_imports_and_only_what_a_read_uses(
    tmp_path: Path,
) -> None:
    async with (
        api() as (url, _, go),
        process([sys.executable, "-c", LOADING], alone(tmp_path, BARRACK_API_URL=url, BARRACK_API_KEY=KEY)) as (
            talk,
            started,
        ),
    ):
        go.set()
        assert "result" in await talk.ask(modern(0, "tools/list"))
        assert "result" in await talk.ask(balance(1))
        assert started.stdin is not None
        await started.stdin.aclose()
        assert await ended(started) == 0
    order, under_way = json.loads(talk.log.splitlines()[-1])
    before = order[: order.index("barrack_mcp.cli.app")]
    assert {name.partition(".")[0] for name in before} <= {"barrack_mcp", *sys.stdlib_module_names}
    assert not {"asyncio", "ssl", "logging", "email", "sqlite3"}.intersection(before)
    # classes are made by deep calls, and each import that is under way makes them deeper
    shallow = {"barrack_mcp.cli.serve", "barrack_mcp.transports.serve"}
    assert under_way.keys() == {"mcp_types", "mcp.server.lowlevel"}
    assert all(shallow.issuperset(names) for names in under_way.values()), under_way
    assert [name for name in order if name in UNNEEDED] == []
