"""Who calls over HTTP, and for which account: each caller with their own key, or with the server's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_REQUEST
from pydantic import SecretStr

from barrack_mcp.account.account import Account
from barrack_mcp.catalogue import OFFERS, Risk
from barrack_mcp.config.callers import Callers, CallersError
from barrack_mcp.config.identity import SCOPE, Identity, Proof
from barrack_mcp.guard.decide import Allowance
from barrack_mcp.guard.guard import Caller

OpenAccount: TypeAlias = Callable[[SecretStr | None], AbstractAsyncContextManager[Account]]
"""Opens the account of a key."""

_NOBODY = "Whoever called may not any more; nothing was done."


@dataclass(frozen=True)
class Accounts:
    """The accounts that calls are about.

    Attributes:
        shared: That of callers who have no key of their own.
        own: That of each other one, by the caller's name; who shares a key shares the account.
    """

    shared: Account
    own: Mapping[str, Account]

    def __iter__(self) -> Iterator[Account]:
        """Each account once, the shared one first."""
        return iter(dict.fromkeys([self.shared, *self.own.values()]))

    def of(self, name: str) -> Account:
        """The account of a caller."""
        return self.own.get(name, self.shared)


@asynccontextmanager
async def open_accounts(
    opened: OpenAccount, shared: SecretStr | None, keys: Mapping[str, SecretStr]
) -> AsyncIterator[Accounts]:
    """Open the account of each key once.

    Args:
        opened: Opens one.
        shared: The server's own key.
        keys: The keys of callers, by name.
    """
    async with AsyncExitStack() as stack:
        by_key = {shared: await stack.enter_async_context(opened(shared))}
        for key in keys.values():
            if key not in by_key:
                by_key[key] = await stack.enter_async_context(opened(key))
        yield Accounts(by_key[shared], {name: by_key[key] for name, key in keys.items()})


def owners_of(keys: Mapping[str, SecretStr], *, shared: SecretStr | None) -> list[list[str]]:
    """Say which callers have accounts of their own, those of one account together.

    Args:
        keys: The keys of callers, by name.
        shared: The server's own key.
    """
    own = dict.fromkeys(key for key in keys.values() if key != shared)
    return [[name for name, key in keys.items() if key == each] for each in own]


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


def by_login(callers: Callers, accounts: Accounts) -> Callable[[ServerRequestContext[Any]], Caller]:
    """Find who makes a request by the login that let it in."""

    def find(context: ServerRequestContext[Any]) -> Caller:
        user = context.request.scope.get("user") if context.request is not None else None
        who = identity_of(user.access_token) if isinstance(user, AuthenticatedUser) else None
        allowance = None if who is None else allow(callers, who)
        if who is None or allowance is None:
            raise MCPError(INVALID_REQUEST, _NOBODY)
        return Caller(who.name, accounts.of(who.name), allowance=allowance)

    return find


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
    claims = {"iss": issuer, "groups": sorted(who.groups)} if who.proof is Proof.ISSUER else {}
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
    )
