"""The lease of a machine that was bought: kept as soon as the purchase was sent, and told either way."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from barrack_mcp.account.account import Account
from barrack_mcp.account.leases import gives_lease, keep_term, tell_end, write_end
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.state.leases import ClaimedError
from barrack_mcp.state.store import StoreError

_log = logging.getLogger(__name__)


async def keep_lease(
    account: Account, operation: Operation, values: Mapping[str, Any], data: JsonObject | None, *, caller: str
) -> tuple[str, JsonObject]:
    """Keep the lease that a purchase gives; answers what to say of it, and the same as fields.

    Args:
        account: Whose machine it is.
        operation: What was sent.
        values: Its validated arguments.
        data: What the API answered; None where nobody knows what came of it.
        caller: Who bought it.
    """
    if not gives_lease(operation):
        return "", {}
    try:
        lease = await keep_term(account, operation, values, data or {}, caller=caller)
    except (StoreError, LookupError, ClaimedError) as error:
        _log.error("the lease of a machine could not be kept: %s", error)
        wanted = "lease_hours" in values or account.lease_hours is not None
        return (_NOT_KEPT if wanted else ""), {}
    if lease is None:
        return "", {}
    told = tell_end(lease)
    if data is None:
        return f"If it took place: {told[:1].lower()}{told[1:]}", {}
    return told, {"lease_ends": write_end(lease)}


_NOT_KEPT: Final = (
    "But its lease could not be kept, so no reaping ends it: it costs until somebody hibernates or deletes it. The "
    "server's log says why; tell the user."
)
