"""What is written down before a write is sent: in the ledger, so that it isn't sent twice, and who pays for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from barrack_mcp.account.account import Account
from barrack_mcp.account.spending.purchases import begin_purchases, drop_purchases, settle_purchases
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.marks import masked
from barrack_mcp.dispatch.writes import look as looking
from barrack_mcp.dispatch.writes.ledger import Entry, Held, Ledger, belongs, digest_of
from barrack_mcp.guard.guard import Caller
from barrack_mcp.state.store import Purchase, StoreError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Begun:
    """A write that is known before it is sent.

    Attributes:
        ledger: Knows what was sent.
        entry: What stands there of it; None where a second call does nothing more.
        account: Whose it is.
        operation: What is sent.
        values: Its validated arguments.
        purchases: What it buys.
    """

    ledger: Ledger
    entry: Entry | None
    account: Account
    operation: Operation
    values: JsonObject
    purchases: Sequence[Purchase] = ()

    async def close(self, outcome: Literal["done", "failed", "unknown"], data: JsonObject | None = None) -> None:
        """Take note of what came of it.

        Args:
            outcome: Whether it took place.
            data: What the API answered, where it did.
        """
        try:
            if self.entry is not None:
                await self.ledger.close(self.entry, outcome)
            if outcome == "failed":
                await drop_purchases(self.account, self.purchases)
            elif data is not None:
                await settle_purchases(self.account, self.operation, self.values, data, self.purchases)
        except StoreError as error:
            # what stays open there is held back, and what is awaited counts
            _log.error("%s", error)


async def begin(ledger: Ledger, operation: Operation, values: JsonObject, caller: Caller) -> Begun | Held:
    """Write down that a call is about to be sent; answers what holds it back, if anything does.

    Raises:
        StoreError: It can't be written down, so it must not be sent.
    """
    account, entry = caller.account, None
    if belongs(operation):
        where = looking.look_with(operation, values)
        found = await ledger.begin(
            # another lease makes no other purchase of it
            digest_of(operation.tool, operation.on_the_wire(values), account.id),
            operation.tool,
            masked(operation, values),
            (where.tool, where.arguments),
            account.id,
        )
        if isinstance(found, Held):
            return found
        entry = found
    begun = Begun(ledger, entry, account, operation, values)
    try:
        return replace(begun, purchases=await begin_purchases(account, operation, values, caller=caller.subject))
    except StoreError:
        await begun.close("failed")
        raise
