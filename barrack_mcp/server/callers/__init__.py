"""Who makes a request, and what they may: by the login, as far as the client narrows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, INVALID_REQUEST

from barrack_mcp.account.account import Account
from barrack_mcp.catalogue import OFFERS, Risk
from barrack_mcp.config.callers import Callers, CallersError
from barrack_mcp.config.identity import ON_BEHALF_OF, SCOPE, Identity, Proof, claim
from barrack_mcp.guard.decide import ALL_ALLOWED, Allowance
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.server.callers.accounts import ACCOUNT
from barrack_mcp.server.callers.narrowing import KEY as NARROWING
from barrack_mcp.server.callers.narrowing import Narrowing
from barrack_mcp.server.tools import LOCAL_USER

LOCAL: Final = Identity(LOCAL_USER)
"""Whoever calls where there is no login: this machine's user, as far as can be told."""
_ON_BEHALF_OF: Final = "X-Barrack-On-Behalf-Of"
_NOBODY = "Whoever called may not any more; nothing was done."


def allow(callers: Callers, who: Identity) -> Allowance | None:
    """Say what somebody may: what their row says, and of that what the scopes of their token are good for.

    Returns:
        None if nothing says that they may call at all.
    """
    try:
        row = callers.row_of(who)
    except CallersError:
        return None
    if row is None and (who.proof is Proof.FILE or not who.scopes):
        return None
    risks = frozenset(risk for risk in Risk if f"{SCOPE}{risk}" in who.scopes) if who.scopes else frozenset(Risk)
    if row is None:
        return Allowance(tools=_tools(risks, ("all",)))
    tools = _tools(risks & row.risks, row.toolsets)
    return Allowance(
        tools=tools,
        protect=row.protect,
        max_hourly_cost=row.max_hourly_cost,
        max_monthly_cost=row.max_monthly_cost,
    )


@lru_cache(maxsize=256)
def _tools(risks: frozenset[Risk], toolsets: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for name, offer in OFFERS.items() if offer.risk in risks and offer.is_in(toolsets))


def find_lacking(callers: Callers, who: Identity, tool: str) -> str | None:
    """Find the scope that alone stands between somebody and a tool; None if that is not what is missing."""
    offer = OFFERS.get(tool)
    if offer is None or not who.scopes or (scope := f"{SCOPE}{offer.risk}") in who.scopes:
        return None
    allowance = allow(callers, replace(who, scopes=who.scopes | {scope}))
    return scope if allowance is not None and allowance.names(tool) else None


def by_request(callers: Callers | None, shared: Account) -> Callable[[ServerRequestContext[Any]], Caller]:
    """Find who makes a request, for which account, of which tools and on whose behalf.

    Args:
        callers: Who may call, where there is a login; else all are this machine's user.
        shared: The account of those who have none of their own.
    """

    def find(context: ServerRequestContext[Any]) -> Caller:
        scope = scope_of(context)
        if callers is None:
            who, allowance, names = LOCAL, ALL_ALLOWED, frozenset[str]()
        else:
            who = who_asks(scope)
            names = callers.names_of(who)
            allowed = allow(callers, who)
            if allowed is None:
                raise MCPError(INVALID_REQUEST, _NOBODY)
            allowance = allowed
        if (narrowing := scope.get(NARROWING)) is not None:
            allowance = replace(allowance, tools=_left(allowance.tools, narrowing))
        account = scope.get(ACCOUNT, shared)
        return Caller(who.name, account, allowance=allowance, on_behalf_of=_claimed(context), known_as=names)

    return find


@lru_cache(maxsize=256)
def _left(tools: frozenset[str] | None, narrowing: Narrowing) -> frozenset[str]:
    return frozenset(
        name for name, offer in OFFERS.items() if (tools is None or name in tools) and narrowing.leaves(offer)
    )


def _claimed(context: ServerRequestContext[Any]) -> str | None:
    """Read for whom a bot says that it calls: what a call says goes before what all of its requests say.

    Raises:
        MCPError: It says that it does, and not for whom.
    """
    said = (context.meta or {}).get(ON_BEHALF_OF)
    if said is None and context.request is not None:
        headers = context.request.headers.getlist(_ON_BEHALF_OF)
        # a header is read letter by letter, and a name may be written in any
        names = [each.encode("latin-1").decode("utf-8", "replace") for each in headers]
        said = names if len(names) > 1 else next(iter(names), None)
    if said is None:
        return None
    if not isinstance(said, str) or not (told := claim(said)):
        # left out, it would be as if nobody had been named
        raise MCPError(INVALID_PARAMS, f"{_ON_BEHALF_OF} and {ON_BEHALF_OF} want one name. Nothing was done.")
    return told


def scope_of(context: ServerRequestContext[Any]) -> MutableMapping[str, Any]:
    """The scope of the request over HTTP that a message came by; empty over stdio."""
    return context.request.scope if context.request is not None else {}


def who_asks(scope: Mapping[str, Any]) -> Identity:
    """Who makes a request, by the login that let it in.

    Raises:
        MCPError: None did.
    """
    user = scope.get("user")
    if not isinstance(user, AuthenticatedUser):
        raise MCPError(INVALID_REQUEST, _NOBODY)
    return identity_of(user.access_token)


def access_of(
    who: Identity, *, client: str = "", issuer: str | None = None, expires_at: int | None = None
) -> AccessToken:
    """Write down in the SDK's words who somebody is; what is kept beside a session is whose it is, not the token.

    Args:
        who: Who it is.
        client: The client that the token was made for.
        issuer: Who made it; None for the callers' file.
        expires_at: When it ends, in seconds since 1970.
    """
    known = {"groups": sorted(who.groups), "known_as": sorted(who.known_as)}
    claims = {"iss": issuer, **known} if who.proof is Proof.ISSUER else {}
    return AccessToken(
        token="",
        client_id=client or who.name,
        scopes=sorted(who.scopes),
        subject=who.name,
        expires_at=expires_at,
        claims=claims,
    )


def identity_of(access: AccessToken) -> Identity:
    """Read who it is that `access_of` wrote down."""
    claims = access.claims or {}
    proof = Proof.ISSUER if "iss" in claims else Proof.FILE
    return Identity(
        access.subject or access.client_id,
        proof,
        groups=frozenset(claims.get("groups", ())),
        scopes=frozenset(access.scopes),
        known_as=frozenset(claims.get("known_as", ())),
    )
