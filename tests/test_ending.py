"""How a process ends: soon where it is idle, after what was sent where it is not; and what is left if it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.sse import sse_client

from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.faults import parse
from barrack_mcp.state import audit
from tests.stdio.speaking import modern, process
from tests.support.patience import PATIENT_S
from tests.support.running import EVERY_RISK, KEY, environment, listening
from tests.test_transports import socket_port

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SERVE = [sys.executable, "-m", "barrack_mcp", "serve"]
SOON_S = 60.0
"""Within which what takes under a second has ended on the slowest machine."""
LATER = "600"
"""Seconds for which a call would be waited for otherwise, so that nothing late passes for soon."""
TIMEOUT_S = 2.0
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@dataclass
class Barrack:
    """A simulator on a socket that answers no write, and the record of the product that sends to it."""

    simulated: Any
    settings: dict[str, str]
    record: Path

    async def reached(self, method: str) -> None:
        """Wait until a write has come in."""
        while not any(each["method"] == method for each in self.simulated.requests):  # noqa: ASYNC110 - no event tells
            await anyio.sleep(0.01)

    @property
    def effects(self) -> list[str]:
        return [effect["operation"] for effect in self.simulated.journal]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.record.read_text(encoding="ascii").splitlines()]

    @property
    def shutoff(self) -> str:
        rows = json.loads(json.dumps(self.simulated.state()))["instances"]
        return str(next(row["instance_id"] for row in rows if row["status"] == "SHUTOFF"))


@asynccontextmanager
async def silent_barrack(tmp_path: Path) -> AsyncIterator[Barrack]:
    app = create_app(now=lambda: 0.0)
    app.state.barrack.faults.replace(parse([{"method": "POST", "action": "stall", "after_effect": True}]))
    async with listening(app) as address:
        settings = {
            "BARRACK_API_URL": f"{address}/api",
            "BARRACK_API_KEY": KEY,
            "BARRACK_UNATTENDED": EVERY_RISK,
            "BARRACK_TIMEOUT": str(TIMEOUT_S),
            "BARRACK_AUDIT": str(tmp_path / "audit.jsonl"),
        }
        yield Barrack(app.state.barrack, settings, tmp_path / "audit.jsonl")


def start(barrack: Barrack) -> dict[str, Any]:
    return modern("write", "tools/call", name="start_instance", arguments={"instance_id": barrack.shutoff})


@pytest.mark.promise("P1")
@pytest.mark.parametrize("how", ["EOF", *SIGNALS])
async def test_over_stdio_a_write_that_was_sent_is_finished_recorded_and_answered_before_the_end(
    how: str | signal.Signals, tmp_path: Path
) -> None:
    with anyio.fail_after(PATIENT_S):
        async with (
            silent_barrack(tmp_path) as barrack,
            process(SERVE, environment(**barrack.settings)) as (talk, started),
        ):
            assert "result" in await talk.ask(modern("hello", "server/discover"))
            await talk.say(start(barrack))
            await barrack.reached("POST")
            if isinstance(how, str):
                assert started.stdin is not None
                await started.stdin.aclose()
            else:
                started.send_signal(how)
            answer = await talk.answer("write")
            assert await started.wait() == 0
            assert answer["result"]["structuredContent"]["outcome"] == "done"
            assert barrack.effects == ["start_instance"]
            assert [line.get("outcome") for line in barrack.lines()] == [None, "done"]


@pytest.mark.promise("P1")
async def test_a_client_that_dies_while_a_read_hangs_ends_the_process_soon(tmp_path: Path) -> None:
    """Both of its pipes close then; who only closes its end of the input still gets its answers."""
    with anyio.fail_after(PATIENT_S):
        async with silent_barrack(tmp_path) as barrack:
            barrack.simulated.faults.replace(parse([{"method": "*", "path": "*", "action": "stall"}]))
            reading, writing = os.pipe()
            settings = environment(**barrack.settings | {"BARRACK_TIMEOUT": LATER})
            started = await anyio.open_process(SERVE, env=settings, stdout=writing, stderr=subprocess.DEVNULL)
            os.close(writing)
            try:
                assert started.stdin is not None
                call = modern("read", "tools/call", name="list_instances", arguments={})
                await started.stdin.send(json.dumps(call).encode() + b"\n")
                await barrack.reached("GET")
                os.close(reading)
                await started.stdin.aclose()
                with anyio.fail_after(SOON_S):
                    assert await started.wait() == 0
            finally:
                if started.returncode is None:
                    started.kill()
    assert barrack.effects == []


@asynccontextmanager
async def served(transport: str, settings: dict[str, str]) -> AsyncIterator[tuple[str, anyio.abc.Process]]:
    with socket_port() as port:
        pass
    command = [*SERVE, "--transport", transport, "--port", str(port)]
    async with await anyio.open_process(command, env=environment(**settings), stderr=subprocess.PIPE) as started:
        try:
            async with httpx2.AsyncClient() as http:
                while True:
                    try:
                        assert (await http.get(f"http://127.0.0.1:{port}/health")).status_code == 200
                    except httpx2.ConnectError:
                        await anyio.sleep(0.05)
                    else:
                        break
            yield f"http://127.0.0.1:{port}", started
        finally:
            if started.returncode is None:
                started.kill()


def connected(transport: str, url: str, era: str) -> Client:
    if transport == "http":
        return Client(f"{url}/mcp", mode=era)
    return Client(sse_client(f"{url}/sse"), mode=era)


@pytest.mark.promise("P1")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(("transport", "era"), [("http", "legacy"), ("http", "auto"), ("sse", "legacy")])
async def test_an_idle_port_with_a_client_connected_ends_soon_with_0(
    transport: str, era: str, number: signal.Signals
) -> None:
    with anyio.fail_after(PATIENT_S):
        async with served(transport, {"BARRACK_SIMULATOR": "1", "BARRACK_TIMEOUT": LATER}) as (url, started):
            try:
                async with connected(transport, url, era) as client:
                    assert (await client.call_tool("get_credit_balance", {})).structured_content
                    begun = time.monotonic()
                    started.send_signal(number)
                    assert await started.wait() == 0
                    assert time.monotonic() - begun < SOON_S
            except (MCPError, httpx2.HTTPError, ExceptionGroup):
                # the client is cut off, which is its own affair
                assert await started.wait() == 0


@pytest.mark.promise("P1")
@pytest.mark.parametrize(("transport", "era"), [("http", "legacy"), ("http", "auto"), ("sse", "legacy")])
async def test_on_a_port_a_write_that_was_sent_is_finished_recorded_and_answered_before_the_end(
    transport: str, era: str, tmp_path: Path
) -> None:
    answers: list[Any] = []
    with anyio.fail_after(PATIENT_S):
        async with (
            silent_barrack(tmp_path) as barrack,
            served(transport, barrack.settings) as (url, started),
        ):
            try:
                async with connected(transport, url, era) as client, anyio.create_task_group() as tasks:
                    # else the client asks for them to check the answer, and nobody is there any more
                    await client.list_tools()

                    async def write() -> None:
                        result = await client.call_tool("start_instance", {"instance_id": barrack.shutoff})
                        answers.append(result.structured_content)

                    tasks.start_soon(write)
                    await barrack.reached("POST")
                    started.send_signal(signal.SIGTERM)
                    assert await started.wait() == 0
            except (MCPError, httpx2.HTTPError, ExceptionGroup):
                assert await started.wait() == 0
            assert barrack.effects == ["start_instance"]
            assert [line.get("outcome") for line in barrack.lines()] == [None, "done"]
    assert [answer["outcome"] for answer in answers] == ["done"]


@pytest.mark.promise("P1")
async def test_a_second_signal_ends_a_port_at_once(tmp_path: Path) -> None:
    with anyio.fail_after(PATIENT_S):
        async with silent_barrack(tmp_path) as barrack:
            settings = barrack.settings | {"BARRACK_TIMEOUT": LATER}
            async with served("http", settings) as (url, started):
                body = {
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "tools/call",
                    "params": start(barrack)["params"],
                }
                headers = {
                    "accept": "application/json, text/event-stream",
                    "mcp-protocol-version": "2026-07-28",
                    "mcp-method": "tools/call",
                    "mcp-name": "start_instance",
                }
                async with httpx2.AsyncClient(timeout=PATIENT_S) as http, anyio.create_task_group() as tasks:

                    async def write() -> None:
                        with suppress(httpx2.HTTPError):
                            await http.post(f"{url}/mcp", json=body, headers=headers)

                    tasks.start_soon(write)
                    await barrack.reached("POST")
                    started.send_signal(signal.SIGTERM)
                    while True:
                        await anyio.sleep(0.3)
                        started.send_signal(signal.SIGTERM)
                        with anyio.move_on_after(1):
                            assert await started.wait() == 128 + signal.SIGTERM
                            break


@pytest.mark.promise("P1")
async def test_killed_in_mid_write_it_leaves_an_intent_without_outcome_and_the_next_process_holds_the_call_back(
    tmp_path: Path,
) -> None:
    with anyio.fail_after(PATIENT_S):
        async with silent_barrack(tmp_path) as barrack:
            environ = environment(**barrack.settings | {"BARRACK_STATE": str(tmp_path / "state.db")})
            rows = json.loads(json.dumps(barrack.simulated.state()))["volumes"]
            clone = modern(
                "write",
                "tools/call",
                name="clone_volume",
                arguments={"volume_id": rows[-1]["volume_id"], "name": "again"},
            )
            async with process(SERVE, environ) as (talk, started):
                assert "result" in await talk.ask(modern("hello", "server/discover"))
                await talk.say(clone)
                await barrack.reached("POST")
                os.kill(started.pid, signal.SIGKILL)
                await started.wait()
            (left,) = audit.unfinished(barrack.record)
            assert (left.tool, left.process) == ("clone_volume", started.pid)
            assert audit.verify(barrack.record).ok
            async with process(SERVE, environ) as (talk, _):
                assert "result" in await talk.ask(modern("hello", "server/discover"))
                answer = (await talk.ask(clone))["result"]["structuredContent"]
            assert answer["outcome"] == "refused"
            assert "nobody knows whether it took place" in answer["message"]
            assert barrack.effects == ["clone_volume"]
