"""Who pays for a purchase: written down before it is sent, with what tells its price; settled by what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from barrack_mcp.account.account import Account
from barrack_mcp.account.deeds import changed
from barrack_mcp.account.things import Thing
from barrack_mcp.catalogue import JsonObject, Operation, Risk
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME, Kind, kind_named_by
from barrack_mcp.catalogue.signs import Gone, Made
from barrack_mcp.state.store import End, Purchase

_COSTING: Final = (INSTANCE, VOLUME, SNAPSHOT)
_TELLING: Final = ("tier", "gpu_model", "gpu_type", "gpu_count", "volume_type", "size_gb")
"""What tells the price of a thing, in its row or in the arguments that make it."""


def makes(operation: Operation) -> bool:
    """Whether a purchase makes something new; else it grows or wakes what is there."""
    return isinstance(operation.sign, Made)


def draft_purchases(
    account: Account, operation: Operation, values: Mapping[str, Any], *, caller: str
) -> Sequence[Purchase]:
    """Write up what a call is about to buy; nothing if it buys nothing, or no state is kept.

    Args:
        account: Whose credit it takes.
        operation: What is about to be sent.
        values: Its validated arguments.
        caller: Who pays for it from now on.
    """
    if operation.risk is not Risk.SPEND or account.purchases is None:
        return ()
    kind, thing = _bought(operation, values)
    name = values.get("name") if thing is None else None
    drafts = [
        account.purchases.draft(account.id, caller=caller, kind=kind.type, thing=thing, name=name, row=_telling(values))
    ]
    if isinstance(disk := values.get("os_volume"), dict):
        row = _telling({"tier": values.get("tier"), **disk})
        drafts.append(
            account.purchases.draft(
                account.id, caller=caller, kind=VOLUME.type, thing=None, name=disk.get("name"), row=row
            )
        )
    return drafts


def ends_purchases(operation: Operation) -> bool:
    """Whether an operation destroys what was bought, so that it costs no more."""
    return isinstance(operation.sign, Gone) and any(kind_named_by(name) in _COSTING for name in operation.placeholders)


def settle_purchases(
    account: Account, operation: Operation, values: Mapping[str, Any], data: JsonObject, begun: Sequence[Purchase]
) -> Sequence[Purchase]:
    """Write up what was bought, by what the API answered."""
    if account.purchases is None:
        return ()
    made = data.get(operation.result or "")
    settled = []
    for number, purchase in enumerate(begun):
        # the answer shows what was asked for first; the rest is known by its name
        row = made if isinstance(made, dict) and not number else {}
        kind, _ = _bought(operation, values)
        told = _telling(row) if makes(operation) else {}
        settled.append(account.purchases.settle(purchase, thing=Thing(kind, row).id, row=told))
    return settled


def end_purchases(
    account: Account, operation: Operation, values: Mapping[str, Any], data: JsonObject, known: Sequence[Purchase]
) -> End:
    """Write up what was destroyed of what was bought.

    Args:
        account: Whose it was.
        operation: What destroyed it.
        values: Its validated arguments.
        data: What the API answered.
        known: The account's purchases.
    """
    if account.purchases is None:
        return End()
    (thing,) = changed(operation, values, data)
    return account.purchases.end(known, thing.kind.type, [str(thing.id)])


def _bought(operation: Operation, values: Mapping[str, Any]) -> tuple[Kind, str | None]:
    """What a purchase is of: its kind, and its id where it is there already."""
    if isinstance(operation.sign, Made):
        return operation.sign.kind, None
    named = {name: kind for name in operation.placeholders if (kind := kind_named_by(name)) is not None}
    ((name, kind),) = named.items()
    return kind, str(values[name])


def _telling(row: Mapping[str, Any]) -> JsonObject:
    return {name: row[name] for name in _TELLING if row.get(name) is not None}
