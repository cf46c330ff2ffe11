"""Who may come in over HTTP: whoever bears the token of a caller. A token never goes on to Barrack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from starlette.authentication import AuthenticationError
from starlette.datastructures import Headers
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from barrack_mcp.catalogue import OFFERS, Risk
from barrack_mcp.config import Settings
from barrack_mcp.config.callers import Callers
from barrack_mcp.config.identity import SCOPE, Proof
from barrack_mcp.server.callers import allow, identity_of
from barrack_mcp.transports.login.credentials import Credentials, open_credentials
from barrack_mcp.transports.login.resource import Resource, refuse
from barrack_mcp.transports.login.scopes import StepUp
from barrack_mcp.transports.narrowing import Narrowed

OPEN: Final = frozenset({"/health", "/ready"})
"""The paths that tell nothing of anybody's."""
_WAIT_S: Final = 10
"""After how long to try again where the identity provider doesn't answer."""


class Login:
    """Lets a request through to an application if it bears the token of a caller, in its one Authorization header.

    Args:
        app: The application.
        credentials: Says whose a token is.
        resource: This server, as an identity provider's clients see it; None if there is no such provider.
    """

    def __init__(self, app: ASGIApp, credentials: Credentials, resource: Resource | None = None) -> None:
        self._app, self._credentials, self._resource = app, credentials, resource
        self._known = AuthenticationMiddleware(self._judge, BearerAuthBackend(credentials), on_error=_later)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a request: 401 where nobody is known by it, 403 where somebody is who may nothing here."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
        elif self._resource is not None and self._resource.is_asked_for(scope["path"]):
            await self._resource.describe(scope)(scope, receive, send)
        else:
            await self._known(_with_one_token(scope), receive, send)

    async def _judge(self, scope: Scope, receive: Receive, send: Send) -> None:
        user, resource = scope.get("user"), self._resource
        where = None if resource is None else resource.where(scope)
        if not isinstance(user, AuthenticatedUser):
            await refuse(401, "invalid_token", _NOBODY, resource=where)(scope, receive, send)
            return
        who = identity_of(user.access_token)
        if allow(self._credentials.callers, who) is not None:
            await self._app(scope, receive, send)
        elif who.proof is Proof.FILE or resource is None:
            await refuse(401, "invalid_token", _NOBODY, resource=where)(scope, receive, send)
        else:
            refusal = refuse(403, "insufficient_scope", _NOTHING, resource=where, scopes=resource.scopes)
            await refusal(scope, receive, send)


@dataclass(frozen=True)
class Gate:
    """What lets callers in.

    Attributes:
        credentials: Says whose a token is.
        offered: The tools that the server offers.
        resource: This server, as an identity provider's clients see it; None if there is no such provider.
    """

    credentials: Credentials
    offered: frozenset[str] = frozenset(OFFERS)
    resource: Resource | None = None

    def close(self, app: ASGIApp, path: str) -> ASGIApp:
        """Put an application behind the login, and what narrows it behind that.

        Args:
            app: The application.
            path: Where calls come in.
        """
        if self.resource is not None:
            app = StepUp(app, self.credentials.callers, self.resource, self.offered)
        return Login(Narrowed(app, path), self.credentials, self.resource)


def open_gate(settings: Settings, callers: Callers, path: str) -> Gate:
    """Let in whom the settings say.

    Args:
        settings: What the operator set.
        callers: What the callers' file says.
        path: Where calls come in.
    """
    offers = [offer for offer in OFFERS.values() if settings.offers(offer)]
    risks = {offer.risk for offer in offers}
    resource = None
    if settings.oidc_issuer is not None:
        scopes = [f"{SCOPE}{risk}" for risk in Risk if risk in risks]
        resource = Resource(path=path, issuer=settings.oidc_issuer, scopes=scopes, public_url=settings.public_url)
    return Gate(open_credentials(settings, callers), frozenset(offer.tool for offer in offers), resource)


_NOBODY: Final = "Send the token of a caller in one Authorization header: Bearer, a space, the token."
_NOTHING: Final = "You are known, but nothing says what you may: get a token for these scopes, or ask the operator."


def _with_one_token(scope: Scope) -> Scope:
    """Leave the token out where it came twice, or by an address too, which ends up in logs."""
    many = len(Headers(scope=scope).getlist("authorization")) > 1
    # who reads the first and who reads the last would see two callers
    if not many and "access_token" not in parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        return scope
    return {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != b"authorization"]}


def _later(_: HTTPConnection, error: AuthenticationError) -> Response:
    told = {"error": "temporarily_unavailable", "error_description": str(error)}
    return JSONResponse(told, 503, headers={"Retry-After": str(_WAIT_S)})
