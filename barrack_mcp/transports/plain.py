"""Answers over HTTP in the newer era: plainly, as long as nothing has to be told on the way, else by a stream.

The SDK opens a stream for each call, beside it a task for the call and one that listens whether the client goes, and
ends all of that when the answer is there. Nearly every answer is there at once, and a fifth of what a read takes was
that. Here a call runs in the task that it came in by. One that lasts gets what it would have had: who leaves is
noticed, and who waits is shown that something lives, so that nothing between them takes the line for dead.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import anyio
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SOON_S: Final = 0.1
"""How long a call may last before somebody listens whether its client goes."""
ALIVE_S: Final = 15.0
"""How often who waits is shown that something lives; as the SDK does it."""

_TOLD_ON_THE_WAY: Final = (b"progressToken", b"logLevel", b"\\u00", b"\0")
"""What a client asks by to be told how its call goes on; it may spell the letters of that by escapes, or two bytes."""
_LISTENING: Final = "subscriptions/listen"
"""What is answered by a stream alone."""
_EVENTS: Final = "text/event-stream"
_STREAM: Final = [
    (b"content-type", _EVENTS.encode()),
    (b"cache-control", b"no-cache, no-transform"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
]


class Plain:
    """Answers what needs no stream, and gives on all else.

    Args:
        server: What answers.
        streaming: The SDK's own application for it, which answers everything.
        path: Where calls come in.
        security: What the SDK looks at in a request.
        longest: Bytes of a body at most.
    """

    def __init__(
        self, server: Server[Any], streaming: ASGIApp, path: str, *, security: TransportSecuritySettings, longest: int
    ) -> None:
        self._plain = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, security_settings=security, max_request_body_size=longest
        )
        self._streaming = streaming
        self._path = path
        self._longest = longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or run through one start and end of the server."""
        if scope["type"] == "lifespan":
            async with self._plain.run():
                await self._streaming(scope, receive, send)
            return
        if not self._may_be_plain(scope):
            await self._streaming(scope, receive, send)
            return
        begin = await receive()
        heard = [begin]

        async def hear() -> Message:
            return heard.pop() if heard else await receive()

        if _wants_nothing_on_the_way(begin):
            await _Answer(receive, send).come_from(self._plain.asgi_app, scope, hear)
        else:
            await self._streaming(scope, hear, send)

    def _may_be_plain(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "POST":
            return False
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        return (
            headers.get("mcp-protocol-version") in MODERN_PROTOCOL_VERSIONS
            and headers.get("mcp-method", _LISTENING) != _LISTENING
            # whoever takes no stream is refused for it, and whoever may have one is not
            and _EVENTS in (each.partition(";")[0].strip() for each in headers.get("accept", "").split(","))
            # what is too long is refused by its head, whether or not any of it comes
            and length.isdecimal()
            and int(length) <= self._longest
            and scope["path"] == f"{scope.get('root_path', '')}{self._path}"
        )


def _wants_nothing_on_the_way(message: Message) -> bool:
    """Whether a request is here as a whole, and asks to be told nothing but its answer."""
    body = message.get("body", b"")
    return (
        message["type"] == "http.request"
        and not message.get("more_body", False)
        and not any(word in body for word in _TOLD_ON_THE_WAY)
    )


class _Answer:
    """One answer on its way, which becomes a stream if it is long in coming.

    Args:
        receive: Tells when the client has gone.
        send: Takes the answer.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._call = anyio.CancelScope()
        self._watch: asyncio.Task[None] | None = None
        self._streams = self._is_told = False

    async def come_from(self, app: ASGIApp, scope: Scope, hear: Receive) -> None:
        """Let an application answer a request; that ends when the client goes."""
        lasts = asyncio.get_running_loop().call_later(SOON_S, self._lasts)
        try:
            with self._call:
                await app(scope, hear, self._tell)
        finally:
            lasts.cancel()
            if self._watch is not None:
                self._watch.cancel()

    def _lasts(self) -> None:
        self._watch = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        """Show from time to time that something lives, until the client goes."""
        while True:
            with anyio.move_on_after(ALIVE_S):
                while (await self._receive())["type"] != "http.disconnect":
                    """What else may come says nothing."""
                self._call.cancel()
                return
            if self._is_told:
                return
            if not self._streams:
                self._streams = True
                await self._send({"type": "http.response.start", "status": 200, "headers": _STREAM})
            await self._send({"type": "http.response.body", "body": b": ping\r\n\r\n", "more_body": True})

    async def _tell(self, message: Message) -> None:
        self._is_told = True
        if self._streams and message["type"] == "http.response.start":
            return
        if self._streams:
            # its only part: the SDK answers JSON as a whole
            message = {**message, "body": b"event: message\r\ndata: " + message.get("body", b"") + b"\r\n\r\n"}
        await self._send(message)
