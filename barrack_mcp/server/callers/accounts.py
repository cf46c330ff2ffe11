"""For which account a request over HTTP is: that of the caller's own key, or the server's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import anyio
from pydantic import SecretStr

from barrack_mcp.account.account import Account
from barrack_mcp.config.keys import Keys

ACCOUNT: Final = "barrack_mcp.account"
"""Where a request's scope holds its account, if that isn't everybody's."""
MOST: Final = 64
"""Accounts that are kept open beside those of the start."""

OpenAccount: TypeAlias = Callable[[SecretStr | None], AbstractAsyncContextManager[Account]]
"""Opens the account of a key."""


class FullError(Exception):
    """As many accounts are in use as can be kept open."""


@dataclass
class _Open:
    account: Account
    stack: AsyncExitStack
    users: int = 0


@dataclass
class Accounts:
    """The accounts that calls are about.

    Attributes:
        shared: That of callers who have no key of their own.
        opened: Opens one.
        kept: Those that are open from the start to the end, by their keys.
        most: How many others are kept open, those longest unused being closed first.
    """

    shared: Account
    opened: OpenAccount
    kept: dict[SecretStr | None, Account]
    most: int = MOST
    _others: dict[SecretStr, _Open] = field(default_factory=dict)
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    def __iter__(self) -> Iterator[Account]:
        """Each account of the start once, the shared one first."""
        return iter(self.kept.values())

    @property
    def at_hand(self) -> list[Account]:
        """Each account that is open now, the shared one first."""
        return [*self, *(each.account for each in self._others.values())]

    @asynccontextmanager
    async def of(self, key: SecretStr | None) -> AsyncIterator[Account]:
        """Use the account of a key; it stays open as long as that takes, and longer if there is room.

        Args:
            key: The key; None for the account of those who have none of their own.

        Raises:
            FullError: As many others are in use as can be.
        """
        if key is None or key in self.kept:
            yield self.shared if key is None else self.kept[key]
            return
        mine = await self._enter(key)
        try:
            yield mine.account
        finally:
            mine.users -= 1

    async def _enter(self, key: SecretStr) -> _Open:
        async with self._lock:
            # whoever is used last stands last
            found = self._others.pop(key, None)
            if found is None:
                await self._make_room()
                stack = AsyncExitStack()
                found = _Open(await stack.enter_async_context(self.opened(key)), stack)
            self._others[key] = found
            found.users += 1
            return found

    async def _make_room(self) -> None:
        if len(self._others) < self.most:
            return
        unused = next((key for key, each in self._others.items() if not each.users), None)
        if unused is None:
            raise FullError
        await self._others.pop(unused).stack.aclose()

    async def close(self) -> None:
        """Close those that are open beside those of the start."""
        for each in self._others.values():
            await each.stack.aclose()
        self._others.clear()


@asynccontextmanager
async def open_accounts(
    opened: OpenAccount, shared: SecretStr | None, keys: Keys | None = None
) -> AsyncIterator[Accounts]:
    """Open the account of each key once.

    Args:
        opened: Opens one.
        shared: The server's own key.
        keys: The keys of callers; those that come later are opened when they are first used.
    """
    async with AsyncExitStack() as stack:
        kept = {shared: await stack.enter_async_context(opened(shared))}
        for key in keys.by_name().values() if keys is not None else ():
            if key not in kept:
                kept[key] = await stack.enter_async_context(opened(key))
        accounts = Accounts(kept[shared], opened, kept)
        stack.push_async_callback(accounts.close)
        yield accounts


def given_keys(keys: Keys | None, *, shared: SecretStr | None) -> list[SecretStr | None]:
    """List the keys that the operator gives now, each once: the server's own first, None where it has none.

    Args:
        keys: The keys of callers; None where the operator gave them none.
        shared: The server's own key.
    """
    return list(dict.fromkeys([shared, *(() if keys is None else keys.by_name().values())]))


def owners_of(keys: Keys | None, *, shared: SecretStr | None) -> list[list[str]]:
    """Say which callers have accounts of their own now, those of one account together.

    Args:
        keys: The keys of callers; None where the operator gave them none.
        shared: The server's own key.
    """
    named = {} if keys is None else keys.by_name()
    own = dict.fromkeys(key for key in named.values() if key != shared)
    return [[name for name, key in named.items() if key == each] for each in own]
