"""What stands before a port of this machine: only who addresses it by its own name and port comes in."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_DEFAULT_PORT: Final = 80
_MISDIRECTED: Final = 421
_FORBIDDEN: Final = 403


class Doorway:
    """Turns away what a web page could send here under another name, or from another place; on every path.

    Args:
        app: What is served.
        port: The port it is served on.
    """

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self._app = app
        self._hosts = frozenset(f"{name}:{port}" for name in _NAMES)
        if port == _DEFAULT_PORT:
            self._hosts |= frozenset(_NAMES)
        self._origins = frozenset(f"http://{host}" for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refused = self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        if refused is None:
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse("This server is not reached that way.", refused)(scope, receive, send)

    def _refusal(self, headers: Headers) -> int | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return _MISDIRECTED
        # programs send no origin; a browser always does when it posts
        return None if not origins or (len(origins) == 1 and origins[0].lower() in self._origins) else _FORBIDDEN
