"""A real server over HTTP in a flood: one caller's 500 calls at once, and 200 connections that say nothing."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from barrack_mcp.api.pace import AT_ONCE, OF_ONE, WAITING
from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.faults import parse
from tests.support.callers import Desk
from tests.support.patience import PATIENT_S
from tests.support.running import KEY, environment, listening
from tests.test_transports import socket_port

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CALLS, IDLE = 500, 200
SERVE = [sys.executable, "-m", "barrack_mcp", "serve", "--transport", "http", "--port"]


@asynccontextmanager
async def serving(settings: dict[str, str]) -> AsyncIterator[str]:
    """A server in a process of its own, until it is well."""
    with socket_port() as port:
        pass
    url = f"http://127.0.0.1:{port}"
    async with await anyio.open_process([*SERVE, str(port)], env=environment(**settings), stderr=None) as started:
        try:
            async with httpx2.AsyncClient() as http:
                while True:
                    try:
                        assert (await http.get(f"{url}/health")).status_code == 200
                    except httpx2.ConnectError:
                        await anyio.sleep(0.05)
                    else:
                        break
            yield url
        finally:
            started.kill()


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Client]:
    headers, limits = {"Authorization": f"Bearer {token}"}, httpx2.Limits(max_connections=None)
    async with (
        httpx2.AsyncClient(headers=headers, timeout=PATIENT_S, limits=limits) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode="2026-07-28") as client,
    ):
        await client.list_tools()
        yield client


@pytest.mark.promise("R3")
async def test_in_a_flood_the_api_sees_a_few_the_rest_is_told_busy_and_another_caller_is_served(
    tmp_path: Path,
) -> None:
    app, desk = create_app(now=lambda: 0.0), Desk(tmp_path / "callers.toml")
    ada, ben = desk.let_in("ada"), desk.let_in("ben")
    told: Counter[str] = Counter()
    async with listening(app) as address:
        settings = {
            "BARRACK_API_URL": f"{address}/api",
            "BARRACK_API_KEY": KEY,
            "BARRACK_HTTP_TOKENS_FILE": str(desk.path),
            "BARRACK_STATE": str(tmp_path / "state.db"),
            "BARRACK_TIMEOUT": "300",
        }
        with anyio.fail_after(100):
            async with (
                serving(settings) as url,
                connected(url, ada) as one,
                connected(url, ben) as other,
                AsyncExitStack() as held,
                anyio.create_task_group() as tasks,
            ):
                for client in (one, other):
                    assert (await client.call_tool("list_ssh_keys", {})).structured_content
                for _ in range(IDLE):
                    await held.enter_async_context(await anyio.connect_tcp("127.0.0.1", urlsplit(url).port or 0))
                app.state.barrack.faults.replace(parse([{"path": "/volumes/", "action": "stall", "times": 9_999}]))
                app.state.barrack.requests.clear()

                all_told = anyio.Event()

                async def call(number: int) -> None:
                    # each another read: equal ones share a request
                    answer = await one.call_tool("list_volumes", {"page": number + 1})
                    told["busy" if "Busy" in str(answer.content) else "done"] += 1
                    if told.total() == CALLS - OF_ONE - WAITING:
                        all_told.set()

                for number in range(CALLS):
                    tasks.start_soon(call, number)
                await all_told.wait()
                assert told == {"busy": CALLS - OF_ONE - WAITING}
                assert len(app.state.barrack.requests) == OF_ONE < AT_ONCE
                # another is answered beside all that, and so is a probe
                answer = await other.call_tool("list_ssh_keys", {})
                assert not answer.is_error
                async with httpx2.AsyncClient() as http:
                    assert (await http.get(f"{url}/health")).status_code == 200
                tasks.cancel_scope.cancel()
