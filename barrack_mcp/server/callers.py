"""Who calls over HTTP, and for which account: each caller with their own key, or with the server's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from mcp import MCPError
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.context import ServerRequestContext
from mcp.types import INVALID_REQUEST
from pydantic import SecretStr

from barrack_mcp.account.account import Account
from barrack_mcp.config.callers import Callers
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


def by_login(callers: Callers, accounts: Accounts) -> Callable[[ServerRequestContext[Any]], Caller]:
    """Find who makes a request by the token that let it in."""

    def find(context: ServerRequestContext[Any]) -> Caller:
        user = context.request.scope.get("user") if context.request is not None else None
        name = user.access_token.client_id if isinstance(user, AuthenticatedUser) else ""
        row = callers.named(name)
        if row is None:
            raise MCPError(INVALID_REQUEST, _NOBODY)
        allowance = Allowance(tools=row.tools, protect=row.protect, max_hourly_cost=row.max_hourly_cost)
        return Caller(name, accounts.of(name), allowance=allowance)

    return find
