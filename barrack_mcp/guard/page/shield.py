"""What stands before the page: who may reach it by which name, from which site, with how much, and in which frame."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY: Final = 64 * 1024
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_READS: Final = frozenset({"GET", "HEAD"})

BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
TOO_LARGE: Final = 413
MISDIRECTED: Final = 421


class Shield:
    """Turns away what no person's own browser sends, and puts the protecting headers on every answer.

    Args:
        app: The page.
        hosts: The names and ports under which it may be addressed.
        scheme: How browsers reach it, `http` or `https`.
        refuse: Makes the answer to a request that is turned away, from its status.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], scheme: str, refuse: Callable[[int], Response]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._scheme = scheme
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = self._refusal(scope["method"], Headers(scope=scope))
        body: bytes | None = b""
        if refused is None and scope["method"] not in _READS:
            body = await _body(receive)
            refused = TOO_LARGE if body is None else None
        if refused is not None:
            await self._refuse(refused)(scope, receive, send_protected)
        else:
            await self._app(scope, _again(body or b"", receive), send_protected)

    def _refusal(self, method: str, headers: Headers) -> int | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return MISDIRECTED
        if method not in _READS and not _same_origin(headers, f"{self._scheme}://{hosts[0].lower()}"):
            return FORBIDDEN
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return BAD_REQUEST
        return TOO_LARGE if int(length) > MAX_BODY else None


def _same_origin(headers: Headers, own: str) -> bool:
    """Whether the browser says that our own page sends this; one that says neither has only the form's mark to show."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    # a page that sends no referrer posts its own forms with the origin "null"
    return origin in {None, own} or (origin == "null" and site == "same-origin")


async def _body(receive: Receive) -> bytes | None:
    """Read a body; None if it is too large."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > MAX_BODY:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give out a body that was read, then what else comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def following() -> Message:
        return left.pop() if left else await receive()

    return following
