"""The two roads to the fake, within a process and over a socket: whichever a call takes, it is the same fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from barrack_mcp.api.http.in_process import InProcess
from barrack_mcp.simulator.server import listening
from tests.simulator.box import Box, Json
from tests.simulator.test_routes import ROWS, body_of, stage
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

BY_THE_SOCKET = ("date", "server")
"""Headers that uvicorn adds."""
WHOLE: list[Json] = [
    {"action": "status", "status": 503, "headers": {"Retry-After": "7"}},
    {"action": "status", "status": 204},
    {"action": "status", "status": 205, "after_effect": True},
    {"action": "garbage"},
    {"action": "redirect", "status": 307},
    {"action": "slow", "pace_s": 0},
]
"""Faults whose answer comes whole."""

ODD: list[tuple[str, str, Json]] = [
    ("GET", "/instances/?limit=2&page=2&status=&tier=LEGACY&odd=%C3%A9%20b&odd=c", {}),
    ("GET", "/instances/a%2Fb%0A%C3%A9/", {}),
    ("GET", "/instances//", {}),
    ("GET", "/nothing/", {}),
    ("HEAD", "/regions/", {}),
    ("PATCH", "/regions/", {}),
    ("GET", "/regions/", {"headers": {"Authorization": "Bearer nobody"}}),
    ("POST", "/scripts/", {"content": b'{"name": '}),
    ("POST", "/scripts/", {"content": b" " * (5 << 20)}),
    ("POST", "/scripts/", {"json": {"name": "\u00e9\u202e", "script": "\U0001f600"}}),
]


def within(app: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=InProcess(app), base_url="http://127.0.0.1", trust_env=False)


@pytest.fixture
async def roads() -> AsyncIterator[tuple[Box, Box]]:
    """Two fakes that are alike: one within this process, one behind a socket."""
    near, far = Box(), Box()
    with anyio.fail_after(PATIENT_S):
        async with (
            listening(far.app) as address,
            httpx2.AsyncClient(base_url=address, trust_env=False, timeout=PATIENT_S) as far.client,
        ):
            yield near, far


async def seen(box: Box, method: str, path: str, **more: Any) -> Json:
    """One call: all that its caller sees of the answer, and all that is remembered of it."""
    answer = await box.send(method, path, **more)
    headers = {name: value for name, value in answer.headers.items() if name not in BY_THE_SOCKET}
    books = list(box.barrack.requests), list(box.barrack.journal)
    return {"status": answer.status_code, "headers": headers, "body": answer.content, "books": books}


@pytest.mark.promise("V1")
async def test_each_operation_is_the_same_on_both_roads(roads: tuple[Box, Box]) -> None:
    for operation, method, path, _ in ROWS:
        told = []
        for box in roads:
            box.barrack.reset()
            ids = await stage(box)
            body = body_of(operation, box, ids)
            more = {} if body is None else {"json": body}
            told.append(await seen(box, method, path.format(**ids), **more))
        assert told[0] == told[1], operation
        assert told[0]["status"] in {200, 201}, operation


@pytest.mark.promise("V1")
async def test_what_is_refused_or_odd_is_the_same_on_both_roads(roads: tuple[Box, Box]) -> None:
    for method, path, more in ODD:
        near, far = [await seen(box, method, path, **more) for box in roads]
        assert near == far, path


@pytest.mark.promise("V1")
async def test_a_fault_that_answers_does_so_alike_on_both_roads(roads: tuple[Box, Box]) -> None:
    for fault in WHOLE:
        told = []
        for box in roads:
            box.barrack.reset()
            await box.control("faults", [fault])
            path = f"/instances/{box.instance('train-1')}/stop/"
            told.append([await seen(box, "POST", path), await box.control("journal")])
        assert told[0] == told[1], fault


async def test_control_is_the_same_on_both_roads(roads: tuple[Box, Box]) -> None:
    for method, path in (("GET", "state"), ("GET", "nothing"), ("POST", "state"), ("GET", "clock"), ("GET", "books")):
        near, far = [await box.client.request(method, f"/_sim/{path}") for box in roads]
        assert (near.status_code, near.content, near.headers.get("allow")) == (
            far.status_code,
            far.content,
            far.headers.get("allow"),
        )


async def test_an_application_that_ends_without_its_answer_is_a_connection_that_broke() -> None:
    async def silent(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async with within(silent) as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get("/")


async def test_an_application_hears_that_its_caller_is_gone_once_it_has_answered() -> None:
    heard: list[str] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            heard.extend([(await receive())["type"], (await receive())["type"]])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await anyio.wait_all_tasks_blocked()
            assert heard == []
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"whole"})
        heard.append((await receive())["type"])

    async with within(app) as client:
        assert (await client.get("/")).content == b"whole"
    assert heard == ["http.request", "http.disconnect", "http.disconnect"]
