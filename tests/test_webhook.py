"""The webhook's way: whatever the other side does, the call goes on, nothing is followed, the address stays secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
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

from barrack_mcp.api.http.webhook import ATTEMPTS, DELIVERY, SIGNATURE, Webhook
from barrack_mcp.config import Settings, SettingsError, read_settings
from barrack_mcp.server.house import open_server
from tests.support.patience import PATIENT_S
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


BODY = b'{"text":"A request."}'
SECRET = SecretStr("canary-9c1e-the-two-sides-know-this-alone")


async def post(chat: SecretStr, *, attempts: int = 1, waited: list[float] | None = None, **options: Any) -> bool:
    """Post as the server does; what would be waited between attempts is kept instead."""

    async def pause(seconds: float) -> bool:
        (waited if waited is not None else []).append(seconds)
        return True

    return await Webhook(chat, pause=pause, **options).post(BODY, delivery="d-1", attempts=attempts)


async def test_a_message_is_posted_once_and_with_no_key() -> None:
    with anyio.fail_after(PATIENT_S):
        async with listening(answers("204 No Content")) as chat:
            assert await post(chat.url, attempts=ATTEMPTS)
    ((first, headers, body),) = chat.heard
    assert first == f"POST /hooks/{TOKEN} HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert headers[DELIVERY.lower()] == "d-1"
    assert body == json.loads(BODY)
    assert not {"authorization", "x-api-key", "cookie", SIGNATURE.lower()} & set(headers)


async def test_what_is_posted_is_signed_as_the_page_for_teams_says_to_check_it() -> None:
    with anyio.fail_after(PATIENT_S):
        async with listening(answers("204 No Content")) as chat:
            assert await post(chat.url, secret=SECRET)
    ((_, headers, _),) = chat.heard
    page = Path(__file__).parents[1].joinpath("docs", "team.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(import hashlib.*?)```", page, re.DOTALL)
    told: dict[str, Any] = {}
    exec(shown, told)  # noqa: S102 - our own page
    signature, secret = headers[SIGNATURE.lower()], SECRET.get_secret_value()
    at = int(signature.split(",")[0].removeprefix("t="))
    assert told["is_from_barrack"](secret, signature, BODY, now=at)
    assert told["is_from_barrack"](secret, signature, BODY, now=at + 299)
    wrong = [
        (secret, signature, BODY + b" ", at),
        (secret[:-1], signature, BODY, at),
        (secret, signature.replace(f"t={at}", f"t={at + 1}"), BODY, at),
        (secret, signature[:-1], BODY, at),
        (secret, "", BODY, at),
        (secret, "v1,t", BODY, at),
        (secret, signature, BODY, at + 301),
    ]
    assert [told["is_from_barrack"](key, said, body, now=now) for key, said, body, now in wrong] == [False] * len(wrong)
    made = hmac.new(secret.encode(), f"{at}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert signature == f"t={at},v1={made}"


@pytest.mark.parametrize(
    ("handler", "tries", "asked"),
    [
        (answers("500 Internal Server Error\r\nContent-Length: 0"), ATTEMPTS, 0),
        (answers("503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0"), ATTEMPTS, 7),
        (answers("429 Too Many Requests\r\nRetry-After: 100000\r\nContent-Length: 0"), ATTEMPTS, 30),
        (answers("429 Too Many Requests\r\nRetry-After: soon\r\nContent-Length: 0"), ATTEMPTS, 0),
        (resets, ATTEMPTS, 0),
        (answers("403 Forbidden\r\nContent-Length: 0"), 1, 0),
        (answers("410 Gone\r\nContent-Length: 0"), 1, 0),
        (answers("307 Temporary Redirect\r\nLocation: /\r\nContent-Length: 0"), 1, 0),
    ],
    ids=["500", "503", "429", "429 without a time", "reset", "403", "410", "redirect"],
)
async def test_what_may_pass_is_tried_again_a_few_times_further_and_further_apart(
    handler: Handler, tries: int, asked: float
) -> None:
    waited: list[float] = []
    with anyio.fail_after(PATIENT_S):
        async with listening(handler) as chat:
            assert not await post(chat.url, attempts=ATTEMPTS, waited=waited)
    assert len(chat.heard) == tries
    assert {headers[DELIVERY.lower()] for _, headers, _ in chat.heard} == {"d-1"}
    bounds = [(asked + most / 2, asked + most) for most in (1, 4, 16)][: tries - 1]
    assert all(least <= seconds <= most for seconds, (least, most) in zip(waited, bounds, strict=True))


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
            assert not await post(chat.url, seconds=SECONDS if waits else 20)
    assert len(chat.heard) == 1
    assert f"The webhook {told}" in caplog.text
    assert TOKEN not in caplog.text
    assert chat.address not in caplog.text


async def test_an_endless_answer_is_not_read(caplog: pytest.LogCaptureFixture) -> None:
    with anyio.fail_after(20):
        async with listening(never_ends) as chat:
            assert await post(chat.url, seconds=15)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent"])
async def test_a_redirect_is_not_followed(status: str, caplog: pytest.LogCaptureFixture) -> None:
    with anyio.fail_after(PATIENT_S):
        async with listening(answers("200 OK\r\nContent-Length: 0")) as elsewhere:
            away = answers(f"{status}\r\nLocation: {elsewhere.url.get_secret_value()}\r\nContent-Length: 0")
            async with listening(away) as chat:
                assert not await post(chat.url, attempts=ATTEMPTS)
    assert (len(chat.heard), elsewhere.heard) == (1, [])
    assert f"The webhook answered {status[:3]}" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/hooks/{token}", "http://127.0.0.1:99999/{token}", "http://[::{token}", "{token}"]
)
async def test_an_address_where_nobody_is_or_that_is_none_is_told_without_it(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(PATIENT_S):
        assert not await post(SecretStr(url.format(port=closed_port(), token=TOKEN)))
    assert "The webhook could not be reached (" in caplog.text
    assert TOKEN not in caplog.text


async def test_a_transport_that_breaks_is_no_exception(caplog: pytest.LogCaptureFixture) -> None:
    def breaks(request: httpx2.Request) -> httpx2.Response:
        raise RuntimeError(f"broken at {request.url}")

    url = SecretStr(f"http://127.0.0.1/{TOKEN}")
    assert not await post(url, attempts=ATTEMPTS, transport=httpx2.MockTransport(breaks))
    assert "(RuntimeError)" in caplog.text
    assert TOKEN not in caplog.text


async def test_one_that_is_cancelled_ends_at_once() -> None:
    with anyio.fail_after(20):
        async with listening(stalls) as chat:
            with anyio.move_on_after(SECONDS) as scope:
                await post(chat.url, seconds=60)
            assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BARRACK_WEBHOOK_SECRET", "too short a one", "must have at least 32 characters"),
        ("BARRACK_WEBHOOK_FORM", "teams", "must be 'json' or 'slack'"),
        ("BARRACK_WEBHOOK_URL", "http://chat.example/hook", "https://"),
    ],
)
def test_a_wrong_setting_is_said_without_its_value(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} .*{said}") as caught:
        read_settings({"BARRACK_SIMULATOR": "1", name: value})
    assert value not in str(caught.value)


@pytest.mark.promise("H5")
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
