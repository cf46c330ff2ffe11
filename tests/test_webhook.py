"""The webhook: told once of a request; whatever the other side does, the call goes on and the address stays secret."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpx2
import pytest
from mcp import Client
from pydantic import SecretStr

from barrack_mcp.api.http.fetch import post_webhook
from barrack_mcp.config import Settings
from barrack_mcp.server.house import open_server, request_told
from barrack_mcp.state.store import Approval, Status
from tests.support.running import KEY

pytestmark = pytest.mark.anyio

TOKEN = "T0ken-canary-5d1f0c"
"""The part of the address that is a secret."""
SECONDS = 0.3
"""Time for a post where the other side never ends it."""

Handler = Callable[[anyio.abc.SocketStream], Awaitable[None]]


@dataclass
class Chat:
    """What came in at the other side."""

    address: str = ""
    heard: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"{self.address}/hooks/{TOKEN}")


@pytest.fixture(autouse=True)
def _talkative(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be logged, and reach loopback without a proxy."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, logger=name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


async def request_of(stream: anyio.abc.SocketStream, chat: Chat) -> None:
    """Read one request whole."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += await stream.receive()
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += await stream.receive()
    chat.heard.append((first, headers, json.loads(body) if body else None))


def answers(head: str, *more: bytes) -> Callable[[anyio.abc.SocketStream], Awaitable[None]]:
    async def handle(stream: anyio.abc.SocketStream) -> None:
        await stream.send(f"HTTP/1.1 {head}\r\n\r\n".encode())
        for each in more:
            await stream.send(each)

    return handle


async def stalls(stream: anyio.abc.SocketStream) -> None:
    await stream.receive()


async def stalls_after_the_status(stream: anyio.abc.SocketStream) -> None:
    await stream.send(b"HTTP/1.1 200 OK\r\n")
    await stream.receive()


async def drips(stream: anyio.abc.SocketStream) -> None:
    """Send a byte at a time, so that no single read ever takes long."""
    await stream.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        await stream.send(b"a")
        await anyio.sleep(SECONDS / 10)


async def never_ends(stream: anyio.abc.SocketStream) -> None:
    await stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send(b"8\r\naaaaaaaa\r\n" * 1000)


async def resets(stream: anyio.abc.SocketStream) -> None:
    await stream.aclose()


async def talks_nonsense(stream: anyio.abc.SocketStream) -> None:
    await stream.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[Chat]:
    chat = Chat()

    async def handle(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            try:
                await request_of(stream, chat)
                await handler(stream)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's
        chat.address = f"http://127.0.0.1:{port}"
        yield chat
        tasks.cancel_scope.cancel()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


async def test_the_text_is_posted_once_as_each_chat_reads_it_and_with_no_key() -> None:
    with anyio.fail_after(20):
        async with listening(answers("204 No Content")) as chat:
            assert await post_webhook(chat.url, "Delete «a<!here>&b» @everyone é")
    ((first, headers, body),) = chat.heard
    assert first == f"POST /hooks/{TOKEN} HTTP/1.1"
    assert headers["content-type"] == "application/json"
    safe = "Delete «a&lt;!here&gt;&amp;b» @everyone é"
    assert body == {"text": safe, "content": safe, "allowed_mentions": {"parse": []}}
    assert not {"authorization", "x-api-key", "cookie"} & set(headers)


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (answers("500 Internal Server Error\r\nContent-Length: 0"), "answered 500"),
        (answers("403 Forbidden\r\nContent-Length: 0"), "answered 403"),
        (answers("404 Not Found\r\nContent-Length: 4", b"gone"), "answered 404"),
        (resets, "could not be reached (RemoteProtocolError)"),
        (talks_nonsense, "could not be reached (RemoteProtocolError)"),
        (stalls, "could not be reached ("),
        (stalls_after_the_status, "could not be reached ("),
        (drips, "could not be reached (TimeoutError)"),
    ],
    ids=["500", "403", "404", "reset", "nonsense", "stall", "stall after the status", "drip"],
)
async def test_what_goes_wrong_at_the_other_side_is_told_in_the_log_without_the_address(
    handler: Handler, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    waits = handler in (stalls, stalls_after_the_status, drips)
    with anyio.fail_after(20):
        async with listening(handler) as chat:
            assert not await post_webhook(chat.url, "A request.", seconds=SECONDS if waits else 20)
    assert len(chat.heard) == 1
    assert f"The webhook {told}" in caplog.text
    assert TOKEN not in caplog.text
    assert chat.address not in caplog.text


async def test_an_endless_answer_is_not_read(caplog: pytest.LogCaptureFixture) -> None:
    with anyio.fail_after(20):
        async with listening(never_ends) as chat:
            assert await post_webhook(chat.url, "A request.", seconds=15)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent"])
async def test_a_redirect_is_not_followed(status: str, caplog: pytest.LogCaptureFixture) -> None:
    with anyio.fail_after(20):
        async with listening(answers("200 OK\r\nContent-Length: 0")) as elsewhere:
            away = answers(f"{status}\r\nLocation: {elsewhere.url.get_secret_value()}\r\nContent-Length: 0")
            async with listening(away) as chat:
                assert not await post_webhook(chat.url, "A request.")
    assert (len(chat.heard), elsewhere.heard) == (1, [])
    assert f"The webhook answered {status[:3]}" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/hooks/{token}", "http://127.0.0.1:99999/{token}", "http://[::{token}", "{token}"]
)
async def test_an_address_where_nobody_is_or_that_is_none_is_told_without_it(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(20):
        assert not await post_webhook(SecretStr(url.format(port=closed_port(), token=TOKEN)), "A request.")
    assert "The webhook could not be reached (" in caplog.text
    assert TOKEN not in caplog.text


async def test_text_that_can_not_be_sent_and_a_transport_that_breaks_are_no_exception(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def breaks(request: httpx2.Request) -> httpx2.Response:
        raise RuntimeError(f"broken at {request.url}")

    url = SecretStr(f"http://127.0.0.1/{TOKEN}")
    assert not await post_webhook(url, "half a pair: \ud800")
    assert not await post_webhook(url, "A request.", transport=httpx2.MockTransport(breaks))
    assert "(UnicodeEncodeError)" in caplog.text
    assert "(RuntimeError)" in caplog.text
    assert TOKEN not in caplog.text


async def test_one_that_is_cancelled_ends_at_once() -> None:
    with anyio.fail_after(20):
        async with listening(stalls) as chat:
            with anyio.move_on_after(SECONDS) as scope:
                await post_webhook(chat.url, "A request.", seconds=60)
            assert scope.cancelled_caught


def test_what_is_told_names_the_request_and_where_to_answer_and_gives_no_way_in() -> None:
    approval = Approval(
        id="ap-aaaaaaaaaa",
        binding="bound-to-this",
        caller="local:1000",
        tool="delete_volume",
        arguments={"volume_id": "BRK-1V"},
        plan={"summary": "Delete volume «data» (BRK-1V)."},
        must_type="data",
        fingerprint="seen",
        status=Status.PENDING,
        created_at=0.0,
        expires_at=600.0,
    )
    told = request_told(approval)
    assert told.startswith("Delete volume «data» (BRK-1V). Asked for by local:1000, request ap-aaaaaaaaaa.")
    assert not {"bound-to-this", "http"} & set(told.replace("/", " ").split())


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (answers("200 OK\r\nContent-Length: 2", b"ok"), None),
        (answers("500 Internal Server Error\r\nContent-Length: 0"), "answered 500"),
        (resets, "could not be reached"),
        (None, "could not be reached"),
    ],
    ids=["taken", "500", "reset", "nobody there"],
)
async def test_a_call_that_needs_a_yes_waits_for_it_whatever_the_webhook_does(
    handler: Handler | None, told: str | None, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with anyio.fail_after(60):
        async with listening(handler or resets) as chat:
            if handler is None:
                chat.address = f"http://127.0.0.1:{closed_port()}"
            settings = Settings(
                simulator=True,
                api_key=SecretStr(KEY),
                approval="out-of-band",
                browser=False,
                state=str(tmp_path / "state.db"),
                webhook_url=chat.url,
            )
            async with open_server(settings) as made, Client(made.server) as client:
                volumes = await client.call_tool("list_volumes", {})
                rows = (volumes.structured_content or {})["volumes"]
                volume_id = next(row["volume_id"] for row in rows if row["status"] != "in-use")
                for _ in range(3):
                    asked = (await client.call_tool("delete_volume", {"volume_id": volume_id})).structured_content or {}
                    assert asked["outcome"] == "approval_required"
    if handler is not None:
        ((_, headers, body),) = chat.heard
        assert asked["approval"]["id"] in body["text"]
        assert KEY not in f"{headers}{body}"
    assert (told or "") in caplog.text
    assert ("The webhook" in caplog.text) is (told is not None)
    assert TOKEN not in caplog.text
    assert KEY not in caplog.text
