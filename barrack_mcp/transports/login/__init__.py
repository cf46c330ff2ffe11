"""Who may come in over HTTP: whoever bears the token of a caller. A token never goes on to Barrack."""

from __future__ import annotations

from typing import Final

from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from starlette.datastructures import Headers
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from barrack_mcp.transports.login.credentials import Credentials

OPEN: Final = frozenset({"/health"})
"""The paths that tell nothing of anybody's."""


class Login:
    """Lets a request through to an application if it bears the token of a caller, in its one Authorization header.

    Args:
        app: The application.
        credentials: Says whose a token is.
    """

    def __init__(self, app: ASGIApp, credentials: Credentials) -> None:
        self._open = app
        self._closed = AuthenticationMiddleware(
            RequireAuthMiddleware(app, required_scopes=[]), backend=BearerAuthBackend(credentials)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a request; 401 where it bears no token, or none that is a caller's."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._open(scope, receive, send)
            return
        if len(Headers(scope=scope).getlist("authorization")) > 1:
            # who reads the first and who reads the last would see two callers
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != b"authorization"]}
        await self._closed(scope, receive, send)
