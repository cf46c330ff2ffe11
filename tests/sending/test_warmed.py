"""A connection that is opened ahead: there when the first call comes, one alone, and no write goes by a stale one."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp import Client as Caller
from mcp.client.sse import sse_client
from pydantic import SecretStr

from barrack_mcp.api.client import Client, open_client
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.api.http import spare
from barrack_mcp.api.http.network import Network
from barrack_mcp.catalogue import BY_TOOL, JsonObject, Operation
from barrack_mcp.simulator import create_app
from tests.doctor.servers import certificate, told
from tests.support.clock import Clock, at_once
from tests.support.patience import PATIENT_S
from tests.support.redis import free_port
from tests.support.running import KEY, environment, product

pytestmark = pytest.mark.anyio

LIST, STOP = BY_TOOL["list_instances"], BY_TOOL["stop_instance"]
STOPPED = {"instance_id": "BRK-1D"}
ANSWERS = {"GET": {"success": True, "instances": [], "total": 0}, "POST": {"success": True, "message": "Stopped."}}

both = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
each = pytest.mark.parametrize(("operation", "arguments"), [(LIST, {}), (STOP, STOPPED)], ids=["read", "write"])


@dataclass
class Api:
    """An API that notes each connection when it stands, and each request.

    Attributes:
        url: Its address.
        issuer: Who signed its certificate; None without TLS.
        heard: The requests of each connection.
        opened: That one stands.
        closed: That one has been closed.
        deaf: Whether it hangs up on a request instead of answering.
        spoken: What was agreed on to be spoken within TLS.
    """

    url: str
    issuer: Path | None
    heard: list[list[bytes]] = field(default_factory=list)
    opened: anyio.Event = field(default_factory=anyio.Event)
    closed: anyio.Event = field(default_factory=anyio.Event)
    deaf: bool = False
    spoken: set[str | None] = field(default_factory=set)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        mine: list[bytes] = []
        self.heard.append(mine)
        self._open.add(writer)
        if self.issuer is not None:
            self.spoken.add(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        self.opened.set()
        try:
            while True:
                mine.append(await reader.readuntil(b"\r\n\r\n"))
                if self.deaf and len(self.heard) == 1:
                    return
                method = mine[-1].partition(b" ")[0].decode()
                writer.write(told(ANSWERS[method], Connection="keep-alive"))
                await writer.drain()
        except (OSError, EOFError):
            return
        finally:
            self.closed.set()
            self._open.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        """Close whatever is open."""
        for writer in list(self._open):
            writer.close()


@asynccontextmanager
async def barrack(folder: Path, *, encrypted: bool = False) -> AsyncIterator[Api]:
    """Serve an API on this machine."""
    issuer, tls = certificate(folder) if encrypted else (None, None)
    if tls is not None:
        tls.set_alpn_protocols(["h2", "http/1.1"])
    api = Api("", issuer)
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0, ssl=tls)
    api.url = f"http{'s' if encrypted else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        with anyio.fail_after(PATIENT_S):
            yield api
    finally:
        server.close()
        api.hang_up()
        await server.wait_closed()


@asynccontextmanager
async def reaching(api: Api, *, clock: Clock | None = None, **more: Any) -> AsyncIterator[Client]:
    """Open a client of it."""
    usual: dict[str, Any] = {"key": SecretStr(KEY), "network": Network(ca_file=api.issuer), "sleep": at_once}
    usual |= {"auth_header": "Authorization", "auth_template": "Bearer {key}", "seconds": 20}
    async with open_client(url=f"{api.url}/api", now=clock or Clock(), **usual | more) as client:
        yield client


@asynccontextmanager
async def warmed(api: Api, client: Client) -> AsyncIterator[None]:
    """Hold a connection ready within the block."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.warm)
        await api.opened.wait()
        yield
        tasks.cancel_scope.cancel()


@pytest.mark.promise("N11")
@both
async def test_a_connection_stands_before_the_first_call_and_serves_it(tmp_path: Path, encrypted: bool) -> None:  # noqa: FBT001 - a table's column
    async with barrack(tmp_path, encrypted=encrypted) as api, reaching(api) as client:
        async with warmed(api, client):
            assert api.heard == [[]]
            for _ in range(3):
                assert await client.send(LIST, {}) == ANSWERS["GET"]
        assert [len(requests) for requests in api.heard] == [3]
        assert api.spoken == ({"http/1.1"} if encrypted else set())


@both
async def test_a_call_that_comes_while_it_is_being_opened_waits_for_it(
    tmp_path: Path,
    encrypted: bool,  # noqa: FBT001 - a table's column
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # however busy this machine is
    monkeypatch.setattr(spare, "WORTH_WAITING_S", 60)
    async with barrack(tmp_path, encrypted=encrypted) as api, reaching(api) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.warm)
            await anyio.lowlevel.checkpoint()
            assert not api.heard
            await client.send(STOP, STOPPED)
        assert [len(requests) for requests in api.heard] == [1]


async def test_of_calls_that_come_at_once_one_gets_it_and_each_is_sent_once(tmp_path: Path) -> None:
    async with barrack(tmp_path) as api, reaching(api) as client, warmed(api, client):
        async with anyio.create_task_group() as calls:
            for _ in range(5):
                calls.start_soon(client.send, STOP, STOPPED)
        assert [len(requests) for requests in api.heard] == [1] * 5


@pytest.mark.promise("N11")
@both
@each
async def test_what_the_other_side_ended_meanwhile_is_not_used(
    tmp_path: Path,
    encrypted: bool,  # noqa: FBT001 - a table's column
    operation: Operation,
    arguments: JsonObject,
) -> None:
    async with barrack(tmp_path, encrypted=encrypted) as api, reaching(api) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.warm)
            await api.opened.wait()
            api.hang_up()
        await client.send(operation, arguments)
        assert [len(requests) for requests in api.heard] == [0, 1]


@both
# in the very same moment nobody can know it
@pytest.mark.parametrize("turns", range(1, 6))
async def test_what_the_other_side_ends_just_before_a_write_comes_is_not_used(
    tmp_path: Path,
    encrypted: bool,  # noqa: FBT001 - a table's column
    turns: int,
) -> None:
    async with barrack(tmp_path, encrypted=encrypted) as api, reaching(api) as client, warmed(api, client):
        await anyio.wait_all_tasks_blocked()
        api.hang_up()
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        await client.send(STOP, STOPPED)
        assert [len(requests) for requests in api.heard] == [0, 1]


@pytest.mark.promise("N11")
@pytest.mark.parametrize(
    ("operation", "arguments", "after_s", "requests"),
    [
        (LIST, {}, 4, [1]),
        (STOP, STOPPED, 4, [1]),
        (LIST, {}, 6, [1]),
        (STOP, STOPPED, 6, [0, 1]),
        (LIST, {}, spare.OLDEST_S + 1, [0, 1]),
    ],
)
async def test_an_old_one_carries_a_read_and_no_write_and_a_very_old_one_nothing(
    tmp_path: Path, operation: Operation, arguments: JsonObject, after_s: float, requests: list[int]
) -> None:
    clock = Clock()
    async with barrack(tmp_path) as api, reaching(api, clock=clock) as client, warmed(api, client):
        # the client has it as soon as it has nothing else to do
        await anyio.wait_all_tasks_blocked()
        clock.at += after_s
        await client.send(operation, arguments)
        assert [len(each) for each in api.heard] == requests
        if len(requests) > 1:
            await api.closed.wait()


@pytest.mark.promise("N11")
async def test_one_that_dies_under_the_first_call_is_as_any_other_that_does(tmp_path: Path) -> None:
    async with barrack(tmp_path) as api, reaching(api) as client, warmed(api, client):
        api.deaf = True
        assert await client.send(LIST, {}) == ANSWERS["GET"]
        assert [len(requests) for requests in api.heard] == [1, 1]
    async with barrack(tmp_path) as api, reaching(api) as client, warmed(api, client):
        api.deaf = True
        with pytest.raises(ApiError) as error:
            await client.send(STOP, STOPPED)
        assert error.value.uncertain
        assert [len(requests) for requests in api.heard] == [1]


@pytest.mark.promise("N11")
@pytest.mark.parametrize(("url", "words"), [("", "its certificate"), ("http://127.0.0.1:{}", "refused")])
async def test_what_can_not_be_opened_ahead_is_told_by_the_first_call(tmp_path: Path, url: str, words: str) -> None:
    async with barrack(tmp_path, encrypted=True) as api:
        api.url = url.format(free_port()) or api.url
        async with reaching(api, network=Network()) as client:
            await client.warm()
            with pytest.raises(ApiError, match=words) as error:
                await client.send(STOP, STOPPED)
        assert error.value.failure is Failure.UNREACHABLE
        assert not any(api.heard)


@pytest.mark.parametrize(
    "otherwise",
    [
        {"key": None},
        {"app": create_app()},
        {"network": Network(ca_file=Path("none.pem"))},
        {"network": Network(proxy=SecretStr("http://127.0.0.1:9"), named="HTTPS_PROXY")},
    ],
    ids=["no key", "simulator", "no certificates", "proxy"],
)
async def test_none_is_opened_where_none_could_be_used(
    tmp_path: Path, otherwise: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[Any] = []

    def look_up(*asked: Any, **_: Any) -> list[Any]:
        looked_up.append(asked)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    async with barrack(tmp_path, encrypted=True) as api:
        # this machine is reached without a proxy, whatever its name
        api.url = api.url.replace("127.0.0.1", "barrack.test")
        async with reaching(api, **otherwise) as client:
            await client.warm()
        assert not api.heard
    assert not looked_up


async def test_none_is_opened_once_there_was_a_call(tmp_path: Path) -> None:
    async with barrack(tmp_path) as api, reaching(api) as client:
        await client.send(LIST, {})
        await client.warm()
        assert [len(requests) for requests in api.heard] == [1]


@each
async def test_once_the_client_is_closed_nothing_is_sent_and_no_connection_is_opened(
    tmp_path: Path, operation: Operation, arguments: JsonObject
) -> None:
    async with barrack(tmp_path) as api:
        async with reaching(api) as client:
            pass
        with pytest.raises(ApiError, match="this server is ending") as caught:
            await client.send(operation, arguments, attempts_at_most=1)
        assert caught.value.unsent
        await client.warm()
        assert not api.heard


@both
async def test_the_end_closes_it_and_waits_for_no_name_server(
    tmp_path: Path,
    encrypted: bool,  # noqa: FBT001 - a table's column
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with barrack(tmp_path, encrypted=encrypted) as api, reaching(api) as client:
        async with warmed(api, client):
            pass
        await api.closed.wait()
        assert api.heard == [[]]
    asked, answered = anyio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hang(*_: Any, **__: Any) -> list[Any]:
        # Python waits for any other at the end of the process
        assert threading.current_thread().daemon
        loop.call_soon_threadsafe(asked.set)
        answered.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with anyio.fail_after(20):
        async with reaching(api) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.warm)
            await asked.wait()
            tasks.cancel_scope.cancel()
    answered.set()


@asynccontextmanager
async def serving(transport: str, api: Api) -> AsyncIterator[Caller]:
    """Run `serve` with that API as a process, and connect to it once it holds a connection."""
    settings = {"BARRACK_API_URL": f"{api.url}/api", "BARRACK_API_KEY": KEY, "BARRACK_CA_FILE": str(api.issuer)}
    if transport == "stdio":
        async with product(settings=settings) as caller:
            await api.opened.wait()
            yield caller
        return
    port = free_port()
    command = [sys.executable, "-m", "barrack_mcp", "serve", "--transport", transport, "--port", str(port)]
    async with await anyio.open_process(command, env=environment(**settings), stderr=subprocess.DEVNULL) as process:
        await api.opened.wait()
        url = f"http://127.0.0.1:{port}"
        async with Caller(sse_client(f"{url}/sse") if transport == "sse" else f"{url}/mcp") as caller:
            yield caller
        process.terminate()
        await process.wait()
        assert process.returncode in (0, -signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.promise("N11")
@pytest.mark.parametrize("transport", ["stdio", "http", "sse"])
async def test_a_server_has_one_connection_before_its_first_call_and_no_other_by_it(
    tmp_path: Path, transport: str
) -> None:
    async with barrack(tmp_path, encrypted=True) as api, serving(transport, api) as caller:
        await caller.list_tools()
        assert api.heard == [[]]
        assert (await caller.call_tool("list_instances", {})).structured_content == {"instances": [], "total": 0}
        assert [len(requests) for requests in api.heard] == [1]
    await api.closed.wait()


@pytest.mark.slow
@pytest.mark.promise("N11")
async def test_a_server_that_starts_while_the_api_is_down_serves_and_its_first_call_tells_it() -> None:
    settings = {"BARRACK_API_URL": f"http://127.0.0.1:{free_port()}/api", "BARRACK_API_KEY": KEY}
    with anyio.fail_after(PATIENT_S):
        async with product(settings=settings) as caller:
            assert (await caller.list_tools()).tools
            answer = await caller.call_tool("list_instances", {})
    assert answer.is_error
    assert "could not be reached" in str(answer.content)
