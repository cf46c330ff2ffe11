"""An application of this process in the network's place: a request is handed over whole, and so is its answer."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import anyio
import anyio.lowlevel
import httpx2
from starlette.types import ASGIApp, Message


class InProcess(httpx2.AsyncBaseTransport):
    """Carries requests to an application; what it raises comes through, as from a connection that broke.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Hand a request over, and answer once the application has nothing more to say."""
        url = request.url
        path, _, query = url.raw_path.partition(b"?")
        exchange = _Exchange(request.read())
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": url.scheme,
            "path": unquote_to_bytes(path).decode(errors="replace"),
            "raw_path": path,
            "query_string": query,
            "server": (url.host, url.port),
            "client": None,
            "root_path": "",
        }
        # over a network, too, others go on meanwhile, and find what they would ask asked already
        await anyio.lowlevel.checkpoint()
        await self._app(scope, exchange.receive, exchange.send)
        if exchange.status is None or not exchange.is_over:
            raise httpx2.RemoteProtocolError("The application ended before its answer did.", request=request)
        body = exchange.body if request.method != "HEAD" else b""
        return httpx2.Response(exchange.status, headers=exchange.headers, stream=httpx2.ByteStream(body))


class _Exchange:
    """One request and its answer, as the application sees them."""

    def __init__(self, asked: bytes) -> None:
        self._asked: bytes | None = asked
        self._over: anyio.Event | None = None
        self.is_over = False
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def receive(self) -> Message:
        """Give the body once; then nothing more until the answer is whole."""
        if self._asked is not None:
            body, self._asked = self._asked, None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self.is_over:
            self._over = self._over or anyio.Event()
            await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take the head of the answer, or a part of its body."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message.get("headers", [])
            return
        self.body += message.get("body", b"")
        if not message.get("more_body", False):
            self.is_over = True
            if self._over is not None:
                self._over.set()
