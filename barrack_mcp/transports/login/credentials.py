"""Whose a token is: one of the callers' file, or one that the identity provider signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthenticationError

from barrack_mcp.config import Settings
from barrack_mcp.config.callers import SHAPE, Callers
from barrack_mcp.config.identity import Identity, Places, UnknownYetError
from barrack_mcp.server.callers import access_of

if TYPE_CHECKING:
    from barrack_mcp.transports.login.issuer import Issuer


class Credentials:
    """Says who somebody is by what they show; the one place that does, for calls and for the page alike.

    Attributes:
        callers: What the callers' file says.
        issuer: The identity provider; None if there is none.
    """

    def __init__(self, callers: Callers, issuer: Issuer | None = None) -> None:
        self.callers = callers
        self.issuer = issuer

    async def of_token(self, token: str) -> Identity | None:
        """Answer whose a bearer token is; see `Identities`."""
        if token.startswith(SHAPE):
            return self.callers.find(token)
        shown = None if self.issuer is None else await self.issuer.access(token)
        return None if shown is None else shown.identity

    async def of_id_token(self, token: str, *, client_id: str, nonce: str) -> Identity | None:
        """Answer whom the provider says has signed in; see `Identities`."""
        shown = None if self.issuer is None else await self.issuer.signed_in(token, client_id=client_id, nonce=nonce)
        return None if shown is None else shown.identity

    async def places(self) -> Places:
        """Answer where people sign in; see `Identities`."""
        provider = None if self.issuer is None else await self.issuer.provider()
        if provider is None or provider.authorization is None or provider.token is None:
            raise UnknownYetError(_NOWHERE)
        return Places(issuer=provider.issuer, authorization=provider.authorization, token=provider.token)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Answer whose a bearer token is, in the SDK's words.

        Raises:
            AuthenticationError: It can't be said now.
        """
        if token.startswith(SHAPE):
            who = self.callers.find(token)
            return None if who is None else access_of(who)
        if self.issuer is None:
            return None
        try:
            shown = await self.issuer.access(token)
        except UnknownYetError as error:
            raise AuthenticationError(str(error)) from None
        if shown is None:
            return None
        return access_of(shown.identity, client=shown.client, issuer=shown.issuer, expires_at=shown.expires_at)


_NOWHERE: Final = "The identity provider doesn't say where people sign in, so nobody can by it."


def open_credentials(settings: Settings, callers: Callers) -> Credentials:
    """Know the callers of the file, and those of the identity provider where there is one."""
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return Credentials(callers)
    from barrack_mcp.transports.login.issuer import Issuer  # noqa: PLC0415 - what checks signatures is no small thing

    return Credentials(callers, Issuer(settings.oidc_issuer, audience=settings.oidc_audience, network=settings.network))
