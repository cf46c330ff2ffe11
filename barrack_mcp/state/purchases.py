"""Who bought what: kept in the state before a purchase is sent, so that no end of a process hides who pays for it."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from barrack_mcp.state.store import Bought, End, Purchase, Store

KEPT_S: Final = 62 * 86_400.0
"""How long it is known who bought what is gone: it counts for the month in which it went."""


class Purchases:
    """Remembers who bought what.

    Args:
        store: Keeps it.
        now: The time in seconds since 1970.
    """

    def __init__(self, store: Store, *, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self.now = now

    def draft(
        self,
        account: str,
        *,
        caller: str,
        kind: str,
        thing: str | None,
        name: str | None,
        row: Mapping[str, Any],
    ) -> Purchase:
        """Write a purchase up that is about to be sent: once it is kept, its caller pays.

        Args:
            account: What tells the account from others.
            caller: Who buys.
            kind: What is bought.
            thing: The id of what is there already and is grown or woken; None where something is made.
            name: The name that it is to bear, where that was said.
            row: What tells its price.
        """
        now = self.now()
        return Purchase(
            id=secrets.token_hex(8),
            account=_digest(account),
            caller=caller,
            kind=kind,
            thing=thing,
            name=name,
            row=row,
            anew=thing is None,
            at=now,
            standing=Bought.AWAITED,
            since=now,
        )

    def settle(self, purchase: Purchase, *, thing: str | None, row: Mapping[str, Any]) -> Purchase:
        """Write a purchase up that took place.

        Args:
            purchase: As it began.
            thing: The id of what was bought, if that was told; else its name stands for it.
            row: What more tells its price.
        """
        known, row = purchase.thing or thing, {**purchase.row, **row}
        return replace(purchase, thing=known, row=row, standing=Bought.THERE, since=self.now())

    def end(self, known: Iterable[Purchase], kind: str, things: Collection[str]) -> End:
        """Write up that things were destroyed, so that nobody waits for them to be shown; forget what is long gone.

        Args:
            known: The purchases of the account.
            kind: What was destroyed.
            things: The ids.
        """
        now, gone, dropped = self.now(), [], []
        for each in known:
            if each.kind == kind and each.thing in things and each.standing is not Bought.GONE:
                gone.append(replace(each, standing=Bought.GONE, since=now))
            elif each.standing is Bought.GONE and now - each.since > KEPT_S:
                dropped.append(each)
        return End(purchases=gone, dropped=dropped)

    async def all(self, account: str) -> Sequence[Purchase]:
        """Answer the purchases of an account, the first first.

        Raises:
            StoreError: The state can't be read.
        """
        return await self._store.purchases(_digest(account))


def _digest(account: str) -> str:
    return hashlib.sha256(account.encode()).hexdigest()
