"""What is under way over HTTP is bounded, in all and for each caller; what is too much is told so, and ends in time."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.lowlevel import Server
from mcp.types import CallToolRequestParams, CallToolResult
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from barrack_mcp.api.http import listener as web
from barrack_mcp.api.http.listener import Listener
from barrack_mcp.config.identity import Identity, Proof
from barrack_mcp.server.callers import access_of
from barrack_mcp.server.watch import Full, Nobody
from barrack_mcp.transports.bounds import LONGEST, SESSIONS_OF_ONE, Bounds
from barrack_mcp.transports.web import sse_app
from tests.support.callers import served
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio


class Held:
    """An application that keeps each request until told, as a caller whom a header names."""

    def __init__(self, bounds: Bounds) -> None:
        self.go = anyio.Event()
        self.here: Counter[str] = Counter()
        self.most = 0
        self._inner = bounds.hold(self._answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = dict(scope["headers"]).get(b"who", b"").decode()
        user = AuthenticatedUser(access_of(Identity(name, Proof.FILE)))
        await self._inner({**scope, "user": user}, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/health":
            await PlainTextResponse("well")(scope, receive, send)
            return
        name = dict(scope["headers"]).get(b"who", b"").decode()
        self.here[name] += 1
        self.most = max(self.most, self.here.total())
        try:
            await self.go.wait()
        finally:
            self.here[name] -= 1
        await PlainTextResponse("done")(scope, receive, send)


@asynccontextmanager
async def asking(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://x") as http:
        yield http


class Counted(Nobody):
    """Counts who was turned away."""

    def __init__(self) -> None:
        self.full: Counter[str] = Counter()

    def busy(self, full: Full) -> None:
        self.full[full] += 1


class Answers:
    """What callers were answered."""

    def __init__(self) -> None:
        self.by: dict[str, Counter[int]] = {}
        self.all: list[httpx2.Response] = []

    async def ask(self, http: httpx2.AsyncClient, who: str, method: str = "POST", **more: Any) -> None:
        answer = await http.request(method, "/mcp", headers={"who": who}, **more)
        self.by.setdefault(who, Counter())[answer.status_code] += 1
        self.all.append(answer)


async def settled() -> None:
    for _ in range(80):
        await anyio.lowlevel.checkpoint()


@pytest.mark.promise("R3")
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_caller_may_have_as_many_as_are_still_free_so_that_the_next_finds_some(method: str) -> None:
    counted, answers = Counted(), Answers()
    app = Held(Bounds(requests=60, streams=60, watch=counted))
    with anyio.fail_after(PATIENT_S):
        async with asking(app) as http, anyio.create_task_group() as tasks:
            # alone a half, of what is left then again, and so on
            for who, most in (("ada", 30), ("ben", 15), ("cat", 7), ("dan", 4)):
                for _ in range(70):
                    tasks.start_soon(answers.ask, http, who, method)
                await settled()
                assert (app.here[who], answers.by[who]) == (most, {503: 70 - most})
            assert (await http.get("/health")).text == "well"
            told = answers.all[0]
            assert told.headers["retry-after"] == "1"
            assert "Busy" in told.json()["error"]["message"]
            app.go.set()
    assert app.most <= 60
    assert counted.full == {"requests" if method == "POST" else "streams": 4 * 70 - 56}
    assert {who: found[200] for who, found in answers.by.items()} == {"ada": 30, "ben": 15, "cat": 7, "dan": 4}


@pytest.mark.promise("R3")
async def test_streams_take_no_place_of_requests_and_bodies_are_counted_by_their_size() -> None:
    counted, answers = Counted(), Answers()
    app = Held(Bounds(requests=10, streams=4, size=5 * LONGEST, watch=counted))
    with anyio.fail_after(PATIENT_S):
        async with asking(app) as http, anyio.create_task_group() as tasks:
            for _ in range(9):
                tasks.start_soon(answers.ask, http, "ada", "GET")
            await settled()
            assert app.here["ada"] == 2
            for _ in range(4):
                tasks.start_soon(partial(answers.ask, http, "ben", content=b"x" * LONGEST))
            await settled()
            assert app.here["ben"] == 2
            # what doesn't say how long it is may be as long as any
            tasks.start_soon(partial(answers.ask, http, "ben", content=pieces()))
            await settled()
            assert app.here["ben"] == 2
            tasks.start_soon(partial(answers.ask, http, "ben", content=b"{}"))
            await settled()
            assert app.here["ben"] == 3
            assert counted.full == {"streams": 7, "bodies": 3}
            app.go.set()


async def pieces() -> AsyncIterator[bytes]:
    yield b"{}"


@pytest.mark.promise("R3")
async def test_at_the_end_what_is_under_way_ends_and_what_comes_is_told_to_go_elsewhere() -> None:
    bounds = Bounds()
    app, answers, order = Held(bounds), Answers(), []
    with anyio.fail_after(PATIENT_S):
        async with asking(app) as http, anyio.create_task_group() as tasks:
            tasks.start_soon(answers.ask, http, "ada")
            await settled()
            assert [bounds.draining] == [False]

            async def end() -> None:
                await bounds.drain(beside=settled)
                order.append("drained")

            tasks.start_soon(end)
            await settled()
            assert bounds.draining
            await answers.ask(http, "ben")
            (told,) = answers.all
            assert (told.status_code, told.headers["connection"]) == (503, "close")
            assert "stopping" in told.json()["error"]["message"]
            assert (await http.get("/health")).text == "well"
            assert not order
            app.go.set()
    assert answers.by["ada"] == {200: 1}
    assert answers.all[-1].headers["connection"] == "close"
    assert order == ["drained"]


@pytest.mark.promise("R3")
async def test_what_one_session_over_sse_has_under_way_is_bounded_and_told_busy_in_the_session() -> None:
    go, here, counted = anyio.Event(), Counter[str](), Counted()

    async def call(_: Any, params: CallToolRequestParams) -> CallToolResult:
        here[params.name] += 1
        await go.wait()
        here[params.name] -= 1
        return CallToolResult(content=[])

    server: Server[Any] = Server("held", on_call_tool=call)
    bounds, told = Bounds(requests=12, watch=counted), Counter[str]()

    async def ask(client: Client, name: str) -> None:
        try:
            await client.call_tool(name, {})
        except MCPError as error:
            told[name if "Busy" in error.message else "otherwise"] += 1

    with anyio.fail_after(PATIENT_S):
        async with listening(sse_app(server, bounds=bounds)) as (url, _), AsyncExitStack() as opened:
            first, second = [await opened.enter_async_context(Client(sse_client(f"{url}/sse"))) for _ in range(2)]
            tasks = await opened.enter_async_context(anyio.create_task_group())
            for client, name in ((first, "one"), (second, "two")):
                for _ in range(8):
                    tasks.start_soon(ask, client, name)
                while here["one"] + told["one"] < 8 or (client is second and told["two"] < 8):
                    await anyio.lowlevel.checkpoint()
            # without a login both are one caller's; alone that is a half
            assert (here, told) == ({"one": 6}, {"one": 2, "two": 8})
            assert counted.full == {"requests": 10}
            drained = anyio.Event()

            async def drain() -> None:
                await bounds.drain(beside=settled)
                drained.set()

            tasks.start_soon(drain)
            await settled()
            assert not drained.is_set()
            go.set()
            await drained.wait()
            assert here == {"one": 0}
            tasks.cancel_scope.cancel()


@pytest.mark.promise("R3")
async def test_of_a_callers_unused_sessions_the_oldest_gives_way_and_another_callers_stays(tmp_path: Path) -> None:
    begin = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
    }  # fmt: skip
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    async with served(tmp_path, {"ada": (), "ben": ()}) as made, httpx2.AsyncClient(timeout=PATIENT_S) as http:

        async def ask(who: str, body: Any, **headers: str) -> httpx2.Response:
            usual = {
                "Authorization": f"Bearer {made.desk.tokens[who]}",
                "Accept": "application/json, text/event-stream",
            }
            return await http.post(f"{made.url}/mcp", json=body, headers=usual | headers)

        async def open_one(who: str) -> str:
            return str((await ask(who, begin)).headers["mcp-session-id"])

        others = await open_one("ben")
        own = [await open_one("ada") for _ in range(SESSIONS_OF_ONE)]
        # the first is used again, so that the second is the one unused for longest
        assert (await ask("ada", ping, **{"mcp-session-id": own[0]})).status_code == 200
        await open_one("ada")
        # what is under way gives no way, and the oldest does once the answer that began another has left
        assert (await ask("ben", ping, **{"mcp-session-id": others})).status_code == 200
        found = [(await ask("ada", ping, **{"mcp-session-id": each})).status_code for each in own[:3]]
        assert found == [200, 404, 200]


@pytest.mark.promise("R3")
async def test_a_body_that_is_too_long_is_refused_before_it_is_read_and_a_head_too(tmp_path: Path) -> None:
    async with served(tmp_path, {"ada": ()}) as made:
        headers = [
            ("authorization", f"Bearer {made.desk.tokens['ada']}"),
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
        ]
        long = b'"' + b"x" * LONGEST + b'"'
        assert await made.status(headers=headers, content=long) == 413
        assert await made.status(headers=headers, content=slices(long)) == 413


async def slices(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 65_536):
        yield body[at : at + 65_536]


@asynccontextmanager
async def listening(app: ASGIApp, **options: Any) -> AsyncIterator[tuple[str, Listener]]:
    """A server of ours, with its own connections."""
    started = anyio.Event()
    with socket.create_server(("127.0.0.1", 0)) as bound:
        options.setdefault("finish", settled)
        server = Listener(app, seconds=5, started=started.set, **options)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(server.serve, sockets=[bound]))
            await started.wait()
            try:
                yield f"http://127.0.0.1:{bound.getsockname()[1]}", server
            finally:
                server.should_exit = True


async def said(stream: anyio.abc.ByteStream) -> bytes:
    """All that comes until the other side closes."""
    heard = b""
    try:
        while True:
            heard += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return heard


GET = b"GET /mcp HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.promise("R3")
async def test_idle_connections_keep_nobody_out_and_where_all_ask_who_comes_is_told_busy() -> None:
    app, counted = Held(Bounds()), Counted()
    with anyio.fail_after(PATIENT_S):
        async with (
            listening(app, most=20, full=partial(counted.busy, "connections")) as (url, _),
            AsyncExitStack() as held,
        ):
            port = urlsplit(url).port or 0
            for _ in range(200):
                await held.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))
            busy = [await held.enter_async_context(await anyio.connect_tcp("127.0.0.1", port)) for _ in range(20)]
            for each in busy:
                await each.send(GET)
            while app.here.total() < len(busy):
                await anyio.lowlevel.checkpoint()
            async with httpx2.AsyncClient() as http:
                told = await http.get(f"{url}/health")
                assert (told.status_code, told.headers["connection"]) == (503, "close")
                assert "too many are connected" in told.text
                assert counted.full == {"connections": 1}
                app.go.set()
                for each in busy:
                    assert b"200 OK" in await each.receive()
                assert (await http.get(f"{url}/health")).status_code == 200


@pytest.mark.promise("R3")
async def test_a_head_of_no_end_is_refused_and_what_is_begun_and_not_ended_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web, "IDLE_S", 0.05)
    with anyio.fail_after(30):
        app = Held(Bounds())
        async with listening(app, most=20) as (url, _):
            port = urlsplit(url).port or 0
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000)
                assert b" 400 " in await said(stream)
            for begun in (b"", b"GET / HTTP", b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"):
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    await stream.send(begun)
                    assert await said(stream) == b""
            app.go.set()


@pytest.mark.promise("R3")
async def test_while_requests_end_new_connections_are_still_answered_that_the_server_stops() -> None:
    bounds = Bounds()
    app = Held(bounds)
    with anyio.fail_after(PATIENT_S):
        async with (
            listening(app, finish=partial(bounds.drain, beside=settled), lingers=True) as (url, server),
            await anyio.connect_tcp("127.0.0.1", urlsplit(url).port or 0) as stream,
        ):
            await stream.send(b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            while not app.here.total():
                await anyio.lowlevel.checkpoint()
            server.should_exit = True
            while not bounds.draining:
                await anyio.lowlevel.checkpoint()
            async with httpx2.AsyncClient() as http:
                told = await http.post(f"{url}/mcp")
                assert (told.status_code, told.headers["connection"]) == (503, "close")
            app.go.set()
            assert (await said(stream)).startswith(b"HTTP/1.1 200 OK")
