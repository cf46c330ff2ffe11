"""Asks for a token that is good for more, where that alone stands between a caller and a tool."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from barrack_mcp.catalogue import OFFERS
from barrack_mcp.config.callers import Callers
from barrack_mcp.server.callers import find_lacking, identity_of
from barrack_mcp.server.callers.narrowing import ALL, KEY
from barrack_mcp.transports.login.resource import Resource, refuse

_MOST: Final = 4 * 1024 * 1024
"""Bytes of a body; a longer one is refused behind this."""


class StepUp:
    """Answers 403 to the call of a tool that a caller may use but for the scopes of the token that came along.

    What is behind this refuses such a call in any case; here a client learns which token to get.

    Args:
        app: The application.
        callers: What the callers' file says.
        resource: This server, as the identity provider's clients see it.
        offered: The tools that the server offers.
    """

    def __init__(self, app: ASGIApp, callers: Callers, resource: Resource, offered: Collection[str]) -> None:
        self._app, self._callers = app, callers
        self._resource, self._offered = resource, offered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a request by the tools that its body calls."""
        user = scope.get("user")
        if scope["type"] != "http" or scope["method"] != "POST" or not isinstance(user, AuthenticatedUser):
            await self._app(scope, receive, send)
            return
        who = identity_of(user.access_token)
        if not who.scopes or who.scopes.issuperset(self._resource.scopes):
            await self._app(scope, receive, send)
            return
        body, messages = await _read(receive)
        narrowing = scope.get(KEY, ALL)
        for tool in _called(body):
            offered = tool in self._offered and narrowing.leaves(OFFERS[tool])
            lacking = find_lacking(self._callers, who, tool) if offered else None
            if lacking is not None:
                refusal = refuse(
                    403,
                    "insufficient_scope",
                    f"That tool wants a token that is good for {lacking}.",
                    resource=self._resource.where(scope),
                    scopes=sorted(who.scopes | {lacking}),
                )
                await refusal(scope, receive, send)
                return

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, again, send)


async def _read(receive: Receive) -> tuple[bytes, list[Message]]:
    """Read a body, and what it came as, to be given on."""
    body, messages = bytearray(), []
    while True:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if not message.get("more_body", False) or len(body) > _MOST:
            return bytes(body), messages


def _called(body: bytes) -> list[str]:
    """The tools that a body calls; none where it can't be read, which is for others to say."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return [tool for each in (told if isinstance(told, list) else [told]) if (tool := _tool(each)) is not None]


def _tool(message: Any) -> str | None:
    if not isinstance(message, dict) or message.get("method") != "tools/call":
        return None
    params = message.get("params")
    name = params.get("name") if isinstance(params, dict) else None
    return name if isinstance(name, str) else None
