"""Until when the machines of an account may run: what a purchase gives them, and whose lease is whose."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from barrack_mcp.account.account import Account
from barrack_mcp.account.things import Thing, write_time
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.kinds import INSTANCE
from barrack_mcp.state.leases import HOUR_S
from barrack_mcp.state.store import Lease, StoreError

_log = logging.getLogger(__name__)

DEFAULT: Final = "default"
"""How a lease came about that no call named."""
AWAITED: Final = "="
"""What a name begins with in the place of an id, which holds no such sign: the machine's id is not known yet."""


@dataclass(frozen=True)
class Term:
    """The lease that a purchase gives a machine.

    Attributes:
        hours: How long it may run from the purchase on.
        running: The lease that it has already and that goes on; None where it gets a new one.
        how: By which tool it is set, or `default`.
    """

    hours: float
    how: str
    running: Lease | None = None

    @property
    def facts(self) -> JsonObject:
        """What of it a person agrees to."""
        return {"lease": self.hours} if self.running is None else {"lease_until": self.running.until}


def gives_lease(operation: Operation) -> bool:
    """Whether an operation buys a machine, so that it can be given a lease."""
    return operation.own is not None and "lease_hours" in operation.own.model_fields


async def find_term(account: Account, operation: Operation, values: Mapping[str, Any]) -> Term | None:
    """Answer the lease that a purchase gives: the one asked for, else the one that runs, else the operator's.

    Raises:
        StoreError: The state can't be read.
    """
    if not gives_lease(operation):
        return None
    if (hours := values.get("lease_hours")) is not None:
        return Term(hours, operation.tool)
    if account.leases is not None and "instance_id" in values:
        found, now = await account.leases.find(account.id, values["instance_id"]), account.leases.now()
        if found is not None and now < found.until:
            return Term((found.until - now) / HOUR_S, found.how, found)
    return None if account.lease_hours is None else Term(account.lease_hours, DEFAULT)


async def keep_term(
    account: Account, operation: Operation, values: Mapping[str, Any], data: JsonObject, *, caller: str
) -> Lease | None:
    """Keep the lease of a machine that was bought, or may have been; None if it has none.

    Where its id isn't known yet, its name stands for it. A lease that has ended already doesn't outlive the purchase.

    Args:
        account: Whose it is.
        operation: How it was bought.
        values: The call's arguments.
        data: What the API answered; empty if that is not known.
        caller: Who bought it.

    Raises:
        StoreError: The state can't be read or written.
        LookupError: Nothing tells which machine it is.
    """
    if account.leases is None or not gives_lease(operation):
        return None
    term = await find_term(account, operation, values)
    if term is not None and term.running is not None:
        return term.running
    made = data.get(operation.result or "")
    row = made if isinstance(made, dict) else {}
    machine = values.get("instance_id") or Thing(INSTANCE, row).id
    if term is None:
        ended = None if machine is None else await account.leases.find(account.id, machine)
        if ended is not None:
            await account.leases.end(ended)
        return None
    if machine is None:
        if "name" not in values:
            raise LookupError(operation.tool)
        machine = f"{AWAITED}{values['name']}"
    until = account.leases.now() + term.hours * HOUR_S
    return await account.leases.keep(account.id, machine, until=until, hours=term.hours, caller=caller, how=term.how)


def lease_of(row: JsonObject, leases: Mapping[str, Lease]) -> Lease | None:
    """Answer the lease of a machine, by its id, else by the name under which it was bought."""
    machine = Thing(INSTANCE, row)
    return leases.get(machine.id or "") or leases.get(f"{AWAITED}{machine.name}")


async def show_leases(account: Account, operation: Operation, rows: Iterable[JsonObject]) -> None:
    """Add to each machine of an answer when its lease ends, as far as that is known; rows of other things stay."""
    if operation.tool not in (INSTANCE.list_tool, INSTANCE.get_tool) or account.leases is None:
        return
    try:
        leases = await account.leases.all(account.id)
    except StoreError as error:
        _log.warning("no lease can be shown: %s", error)
        return
    for row in rows:
        if (lease := lease_of(row, leases)) is not None:
            row["lease_ends"] = write_end(lease)


def write_end(lease: Lease) -> str:
    """Write for a program when a lease ends."""
    return datetime.fromtimestamp(lease.until, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def tell_end(lease: Lease) -> str:
    """Say when a lease ends, and what happens then."""
    long = "" if lease.hours is None else f" ({lease.hours:g} hours)"
    return f"Its lease ends {write_time(lease.until)}{long}: {WHO_REAPS}"


WHO_REAPS: Final = "whoever runs barrack-mcp reap then hibernates it, or deletes it if told so."
"""What becomes of a machine whose lease has ended; by itself nothing does."""
