"""Narrows what a request is offered, by its address (`/mcp/x/volumes/readonly`) and by its headers.

Whoever sets up a client chooses it, and no call can change it: it is read anew from each request, and a session that
was begun under one is none for requests under another.
"""

from __future__ import annotations

from typing import Final

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from barrack_mcp.server.callers.narrowing import ALL, KEY, Narrowing, read_path

READ_ONLY: Final = "X-Barrack-Read-Only"
TOOLSETS: Final = "X-Barrack-Toolsets"
MESSAGES: Final = "/messages/"
"""Where messages come in over SSE."""


class Narrowed:
    """Reads how a request is narrowed, and gives it on to where calls come in.

    Args:
        app: The application.
        path: Where calls come in.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app, self._path = app, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a request: 404 for an address that is none, 400 for a header that says nothing."""
        path = scope.get("path", "")
        below = path.startswith(f"{self._path}/") and path != f"{self._path}/"
        if scope["type"] != "http" or not (below or path in (self._path, MESSAGES)):
            await self._app(scope, receive, send)
            return
        to, rest = self._path, path.removeprefix(self._path) if below else ""
        if below and rest.endswith(MESSAGES):
            to, rest = MESSAGES, rest.removesuffix(MESSAGES)
        try:
            narrowing = read_path(rest)
        except ValueError as error:
            await PlainTextResponse(_whole(f"This address {error}"), 404)(scope, receive, send)
            return
        try:
            narrowing = _by_headers(narrowing, Headers(scope=scope))
        except ValueError as error:
            await PlainTextResponse(_whole(str(error)), 400)(scope, receive, send)
            return
        if narrowing != ALL:
            scope = _within(scope, narrowing)
        if below or narrowing != ALL:
            scope = self._led(scope, to if below else path, narrowing)
        await self._app(scope, receive, send)

    def _led(self, scope: Scope, to: str, narrowing: Narrowing) -> Scope:
        """Lead a request to where calls come in; over SSE it is told to send its messages to a place as narrow."""
        root = f"{self._path}{narrowing.write()}" if narrowing != ALL else ""
        return {**scope, "root_path": root, "path": f"{root}{to}", "raw_path": f"{root}{to}".encode()}


def _whole(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def _by_headers(narrowing: Narrowing, headers: Headers) -> Narrowing:
    for name, narrow in ((TOOLSETS, Narrowing.to), (READ_ONLY, Narrowing.to_reads)):
        for value in headers.getlist(name):
            try:
                narrowing = narrow(narrowing, value)
            except ValueError as error:
                raise ValueError(f"{name} {error}") from None
    return narrowing


def _within(scope: Scope, narrowing: Narrowing) -> Scope:
    """Make the narrowing a part of who calls, as far as sessions and sealed questions go."""
    user = scope.get("user")
    if isinstance(user, AuthenticatedUser):
        known = user.access_token
        own = known.model_copy(update={"client_id": f"{known.client_id} {narrowing.write()}"})
    else:
        # nobody is known, and narrowed or not they stay the one caller that all are
        own = AccessToken(token="", client_id="", scopes=[], claims={"iss": narrowing.write()})
    return {**scope, KEY: narrowing, "user": AuthenticatedUser(own)}
