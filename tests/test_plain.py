"""Over HTTP in the newer era an answer is plain as long as it is soon there; whatever lasts is streamed as ever."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.server.lowlevel import Server
from mcp.types import CallToolRequestParams, CallToolResult, TextContent
from starlette.types import Receive, Scope, Send

from barrack_mcp.config import read_settings
from barrack_mcp.server.house import open_server
from barrack_mcp.transports import hearing, plain
from barrack_mcp.transports.bounds import LONGEST
from barrack_mcp.transports.plain import Plain
from barrack_mcp.transports.web import http_app
from tests.support.listening import listening
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

VERSION = "2026-07-28"
META = "io.modelcontextprotocol"
ENVELOPE = {f"{META}/protocolVersion": VERSION, f"{META}/clientCapabilities": {}}


def asked(method: str, *, meta: Mapping[str, Any] | None = None, **params: Any) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a request."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": {**ENVELOPE, **(meta or {})}}}
    headers = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": VERSION,
        "mcp-method": method,
    }
    return headers | ({"mcp-name": params["name"]} if "name" in params else {}), json.dumps(body).encode()


def escaped(body: str) -> bytes:
    """A body that spells what it asks for by escapes, as JSON may."""
    return body.replace("progressToken", "progress\\u0054oken").encode()


class Slow:
    """A server whose one tool answers when it is let, and counts who called and who gave up."""

    def __init__(self) -> None:
        self.go, self.came, self.left = anyio.Event(), anyio.Event(), anyio.Event()
        self.server: Server[Any] = Server("slow", on_call_tool=self._call)

    async def _call(self, context: Any, params: CallToolRequestParams) -> CallToolResult:
        self.came.set()
        try:
            await self.go.wait()
        except anyio.get_cancelled_exc_class():
            self.left.set()
            raise
        if params.name == "tells":
            await context.session.report_progress(0.5, message="half")
        if params.name == "breaks":
            raise RuntimeError
        return CallToolResult(content=[TextContent(type="text", text="done")])

    @asynccontextmanager
    async def asked(
        self, *, name: str = "waits", spelled: Callable[[str], bytes] = str.encode, **more: Any
    ) -> AsyncIterator[httpx2.Response]:
        """Call the tool; gives the answer once its head is there."""
        headers, body = asked("tools/call", name=name, arguments={}, **more)
        async with (
            listening(http_app(self.server)) as url,
            httpx2.AsyncClient(timeout=20) as http,
            http.stream("POST", f"{url}/mcp", headers=headers, content=spelled(body.decode())) as answer,
        ):
            yield answer


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever is not there at once be long in coming."""
    monkeypatch.setattr(plain, "SOON_S", 0.0)
    monkeypatch.setattr(plain, "ALIVE_S", 0.01)


LISTED = asked("tools/list")[1]

REQUESTS: Mapping[str, tuple[dict[str, str], bytes]] = {
    "read": asked("tools/call", name="list_regions", arguments={}),
    "refused": asked("tools/call", name="delete_volume", arguments={"volume_id": "BRK-1V"}),
    "wrong": asked("tools/call", name="list_regions", arguments={"nope": 1}),
    "unknown": asked("tools/call", name="nope", arguments={}),
    "list": asked("tools/list"),
    "discover": asked("server/discover"),
    "no method": asked("tools/nope"),
    "no json": (asked("tools/list")[0], b"{"),
    "empty": (asked("tools/list")[0], b""),
    "batch": (asked("tools/list")[0], b"[]"),
    "notification": (asked("ping")[0], b'{"jsonrpc": "2.0", "method": "notifications/x"}'),
    "another name": (asked("tools/call", name="x", arguments={})[0], asked("tools/call", name="y")[1]),
    "another method": (asked("tools/list")[0], asked("prompts/list")[1]),
    "text": (asked("tools/list")[0] | {"content-type": "text/plain"}, asked("tools/list")[1]),
    "takes no stream": (asked("tools/list")[0] | {"accept": "application/json"}, asked("tools/list")[1]),
    "takes nothing": (asked("tools/list")[0] | {"accept": "image/png"}, asked("tools/list")[1]),
    "takes what is called so": (asked("tools/list")[0] | {"accept": "application/json, x-text/event-stream"}, LISTED),
    "takes it as a part": (asked("tools/list")[0] | {"accept": 'application/json;of="text/event-stream"'}, LISTED),
    "takes a longer one": (asked("tools/list")[0] | {"accept": "application/json, text/event-streams"}, LISTED),
    "takes it last": (asked("tools/list")[0] | {"accept": "application/json;q=1 ,text/event-stream ; q=0.1,"}, LISTED),
    "takes all": (asked("tools/list")[0] | {"accept": "*/*"}, asked("tools/list")[1]),
    "another version": (asked("tools/list")[0] | {"mcp-protocol-version": "2999-01-01"}, asked("tools/list")[1]),
    "listens to nothing": asked("subscriptions/listen", notifications={}),
}


@pytest.mark.promise("R14")
async def test_whatever_is_asked_is_answered_as_the_sdk_answers_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(answer: httpx2.Response) -> tuple[object, ...]:
        kept = {name: answer.headers.get(name) for name in ("content-type", "content-length", "allow")}
        return answer.status_code, kept, answer.content

    ways: list[dict[str, tuple[object, ...]]] = []
    for plainly in (True, False):
        if not plainly:
            monkeypatch.setattr(Plain, "_may_be_plain", lambda *_: False)
        settings = read_settings({"BARRACK_SIMULATOR": "1", "BARRACK_STATE": str(tmp_path / f"{plainly}.db")})
        async with (
            open_server(settings, remote=True) as house,
            listening(http_app(house.server)) as url,
            httpx2.AsyncClient(timeout=20) as http,
        ):
            found = {
                name: told(await http.post(f"{url}/mcp", headers=headers, content=body))
                for name, (headers, body) in REQUESTS.items()
            }
            # an id of an approval request is another each time
            found["refused"] = found["refused"][:1]
            headers, body = REQUESTS["list"]
            found["narrowed"] = told(await http.post(f"{url}/mcp/readonly", headers=headers, content=body))
            ways.append(found)
    assert ways[0] == ways[1]
    assert b"CANADA-1" in str(ways[0]["read"][2]).encode()


@pytest.mark.promise("R14")
async def test_nothing_runs_beside_a_call_that_is_answered_soon() -> None:
    slow = Slow()
    slow.go.set()
    beside: list[int] = []

    headers, body = asked("tools/call", name="waits", arguments={})
    app = http_app(slow.server)

    async def through(scope: Scope, receive: Receive, send: Send) -> None:
        before = len(anyio.get_running_tasks())

        async def sending(message: Any) -> None:
            if scope["type"] == "http":
                beside.append(len(anyio.get_running_tasks()) - before)
            await send(message)

        await app(scope, receive, sending)

    async with listening(through) as url, httpx2.AsyncClient(timeout=20) as http:
        assert (await http.post(f"{url}/mcp", headers=headers, content=body)).status_code == 200
    assert beside == [0, 0]


@pytest.mark.promise("R14")
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", ["waits", "breaks"])
async def test_a_call_that_lasts_becomes_a_stream_that_shows_that_it_lives_and_ends_with_the_answer(name: str) -> None:
    slow = Slow()
    async with slow.asked(name=name) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        said = b""
        async for part in answer.aiter_bytes():
            said += part
            if said.count(b": ping\r\n\r\n") > 1:
                slow.go.set()
    pings, event, data = said.partition(b"event: message\r\ndata: ")
    assert set(pings.split(b"\r\n\r\n")) == {b": ping", b""}
    assert event
    assert json.loads(data)["id"] == 1
    assert (b"done" in data, b'"error"' in data) == (name == "waits", name == "breaks")


@pytest.mark.promise("R14")
@pytest.mark.usefixtures("soon")
async def test_a_call_ends_when_its_client_goes() -> None:
    slow = Slow()
    headers, body = asked("tools/call", name="waits", arguments={})
    async with listening(http_app(slow.server)) as url, anyio.create_task_group() as tasks:

        async def ask() -> None:
            async with httpx2.AsyncClient(timeout=20) as http:
                await http.post(f"{url}/mcp", headers=headers, content=body)

        tasks.start_soon(ask)
        await slow.came.wait()
        tasks.cancel_scope.cancel()
    with anyio.fail_after(10):
        await slow.left.wait()


@pytest.mark.promise("R14")
@pytest.mark.parametrize("meta", [{"progressToken": "p"}, {"progressToken": 0}])
@pytest.mark.parametrize("spelled", [str.encode, escaped, partial(str.encode, encoding="utf-16")])
async def test_who_wants_to_hear_how_a_call_goes_on_hears_it(
    meta: dict[str, Any], spelled: Callable[[str], bytes]
) -> None:
    slow = Slow()
    slow.go.set()
    async with slow.asked(name="tells", meta=meta, spelled=spelled) as answer:
        said = await answer.aread()
    assert answer.headers["content-type"] == "text/event-stream"
    assert b'"message":"half"' in said
    assert b"done" in said


@pytest.mark.promise("R14")
@pytest.mark.usefixtures("soon")
async def test_a_stream_begins_as_the_sdk_begins_it() -> None:
    def told(answer: httpx2.Response) -> list[tuple[str, str]]:
        return [(name, value) for name, value in answer.headers.items() if name not in {"date", "x-request-id"}]

    heads = []
    for name, meta in (("waits", None), ("tells", {"progressToken": "p"})):
        slow = Slow()
        if meta is not None:
            slow.go.set()
        async with slow.asked(name=name, meta=meta) as answer:
            heads.append(told(answer))
    assert heads[0] == heads[1]


@pytest.mark.promise("R14")
async def test_what_says_that_it_is_too_long_is_refused_though_nothing_of_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearing, "PATIENCE_S", 0.0)
    headers = {**asked("tools/list")[0], "content-length": str(LONGEST + 1)}
    async with listening(http_app(Slow().server)) as url:
        place = url.removeprefix("http://")
        head = "".join(f"{name}: {value}\r\n" for name, value in {"host": place, **headers}.items())
        host, _, port = place.partition(":")
        async with await anyio.connect_tcp(host, int(port)) as connection:
            await connection.send(f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode())
            with anyio.fail_after(PATIENT_S):
                assert (await connection.receive()).startswith(b"HTTP/1.1 413 ")
