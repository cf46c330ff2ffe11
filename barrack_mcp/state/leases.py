"""Until when a machine may run: kept in the state, so that whoever reaps knows, whichever process set it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from barrack_mcp.state.owner import name_owner
from barrack_mcp.state.store import Holdings, Lease, Store

HOUR_S: Final = 3_600.0
_TRIES: Final = 20
"""How often to set a lease that others change at the same moment."""


class ClaimedError(Exception):
    """A lease can't be set, since a process ends its machine at this moment."""


class Leases:
    """Remembers the lease of each machine that has one.

    Args:
        store: Keeps them.
        now: The time in seconds since 1970.
        gone: Whether the process that bears a name has ended; by what the state knows if None.
    """

    def __init__(
        self, store: Store, *, now: Callable[[], float] = time.time, gone: Callable[[str], bool] | None = None
    ) -> None:
        self._store = store
        self.now = now
        self._owner = name_owner()
        self._gone = gone or store.gone

    async def keep(
        self,
        account: str,
        instance: str,
        *,
        until: float,
        caller: str,
        how: str,
        hours: float | None = None,
        since: float | None = None,
    ) -> Lease:
        """Let a machine run until then, whatever was said before.

        Args:
            account: What tells the account from others.
            instance: The machine's id.
            until: When its lease ends, in seconds since 1970.
            caller: Who sets it.
            how: By which tool, or `default`.
            hours: How long it is, where that is how it was said.
            since: When it began, where that was before now.

        Raises:
            ClaimedError: A process ends the machine at this moment; the lease stays as it was.
            StoreError: The state can't be read or written.
        """
        lease = self.draft(account, instance, until=until, caller=caller, how=how, hours=hours, since=since)
        await self.put(account, lease)
        return lease

    async def put(self, account: str, lease: Lease) -> None:
        """Put a lease in the place of the one that its machine has, whatever was said before.

        Args:
            account: What tells the account from others.
            lease: As it is to be.

        Raises:
            ClaimedError: A process ends the machine at this moment; the lease stays as it was.
            StoreError: The state can't be read or written.
        """
        for _ in range(_TRIES):
            found = await self.find(account, lease.instance)
            if found is not None and self.is_claimed(found):
                break
            if found is None:
                await self._store.keep_lease(lease)
                return
            if await self._store.swap_lease(found, lease):
                return
        raise ClaimedError

    def draft(
        self,
        account: str,
        instance: str,
        *,
        until: float,
        caller: str,
        how: str,
        hours: float | None = None,
        since: float | None = None,
    ) -> Lease:
        """Write a lease up that is to be kept; the arguments are those of `keep`."""
        now = self.now()
        return Lease(
            account=_digest(account),
            instance=instance,
            since=now if since is None else since,
            until=until,
            hours=hours,
            set_by=caller,
            set_at=now,
            how=how,
        )

    async def all(self, account: str) -> Mapping[str, Lease]:
        """Answer the leases of an account by the machines' ids, the one that ends first first.

        Raises:
            StoreError: The state can't be read.
        """
        return {lease.instance: lease for lease in await self._store.leases(_digest(account))}

    async def find(self, account: str, instance: str) -> Lease | None:
        """Answer a machine's lease; None if it has none.

        Raises:
            StoreError: The state can't be read.
        """
        return (await self.all(account)).get(instance)

    async def hold(self, account: str) -> Holdings:
        """Answer what of an account is known here alone.

        Raises:
            StoreError: The state can't be read.
        """
        return await self._store.holdings(_digest(account))

    async def end(self, lease: Lease, *, held: bool = False) -> bool:
        """Take a lease away; False if it stays, since it isn't any more what it was, or is claimed.

        Args:
            lease: As it was read, or as it was claimed.
            held: Whether whoever claimed it takes it away.

        Raises:
            StoreError: The state can't be written.
        """
        if self.is_claimed(lease) and not held:
            return False
        return await self._store.swap_lease(lease, None)

    async def claim(self, lease: Lease, *, seconds: float) -> Lease | None:
        """Claim a lease, so that one process alone ends what it is about.

        Args:
            lease: As it was read.
            seconds: How long the claim holds, unless its process ends before.

        Returns:
            The lease as it is claimed; None if another process is at it, or the lease was changed.

        Raises:
            StoreError: The state can't be written.
        """
        if self.is_claimed(lease):
            return None
        claimed = replace(lease, claimed_by=self._owner, claimed_until=self.now() + seconds)
        return claimed if await self._store.swap_lease(lease, claimed) else None

    async def let_go(self, claimed: Lease) -> None:
        """Give a claim back.

        Raises:
            StoreError: The state can't be written.
        """
        await self._store.swap_lease(claimed, replace(claimed, claimed_by=None, claimed_until=0.0))

    def is_claimed(self, lease: Lease) -> bool:
        """Whether a process ends its machine at this moment."""
        return lease.claimed_by is not None and self.now() < lease.claimed_until and not self._gone(lease.claimed_by)


def _digest(account: str) -> str:
    return hashlib.sha256(account.encode()).hexdigest()
