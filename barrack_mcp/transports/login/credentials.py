"""Whose a token is: one of the callers' file, or one that the identity provider signed."""

from __future__ import annotations

from mcp.server.auth.provider import AccessToken

from barrack_mcp.config.callers import SHAPE, Callers
from barrack_mcp.config.identity import Identity
from barrack_mcp.server.callers import access_of


class Credentials:
    """Says who somebody is by what they show; the one place that does, for calls and for the page alike.

    Args:
        callers: Who may call by the file.
    """

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def of_token(self, token: str) -> Identity | None:
        """Answer whose a bearer token is; see `Identities`."""
        return self._callers.find(token) if token.startswith(SHAPE) else None

    async def of_id_token(self, token: str, *, client_id: str, nonce: str) -> Identity | None:  # noqa: ARG002 - no provider yet
        """Answer whom the provider says has signed in; see `Identities`."""
        return None

    async def verify_token(self, token: str) -> AccessToken | None:
        """Answer whose a bearer token is, in the SDK's words."""
        who = await self.of_token(token)
        return None if who is None else access_of(who)
