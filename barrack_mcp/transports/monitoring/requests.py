"""Each request over HTTP under an id: its client's own, where that can stand in a log, else one that is made here."""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from barrack_mcp.state.audit.origin import CARRIED, Origin, coming_from, new_id

HEADER: Final = "x-request-id"

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BEARING: Final = ("authorization", "cookie", "x-barrack-api-key")
"""Headers that bear secrets: what stands in one of them is no id."""


class RequestIds:
    """Gives each request to an application its id, which its answer bears, too.

    Args:
        app: The application.
        transport: How calls come in.
    """

    def __init__(self, app: ASGIApp, transport: str) -> None:
        self._app = app
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _given(Headers(scope=scope)) or new_id()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request
            await send(message)

        with coming_from(Origin(request, self._transport)) as origin:
            # a session's calls run in tasks that began before this request
            await self._app({**scope, CARRIED: origin}, receive, answer)


def _given(headers: Headers) -> str:
    """The client's own id; empty where it brings none, several, or one that could be more than an id."""
    match headers.getlist(HEADER):
        case [given] if _SAFE.fullmatch(given):
            bearing = (value for name in _BEARING for value in headers.getlist(name))
            return "" if any(given in value for value in bearing) else given
        case _:
            return ""
