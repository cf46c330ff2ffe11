"""Until when the machines of an account may run: what a purchase gives them, and whose lease is whose."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from barrack_mcp.account import money
from barrack_mcp.account.account import Account
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.reading import read_list
from barrack_mcp.account.things import Thing, counted, moment, said, sentence, text, write_time
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.kinds import INSTANCE
from barrack_mcp.state.leases import HOUR_S, ClaimedError
from barrack_mcp.state.store import Holdings, Lease, StoreError, Swap

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


async def find_term(
    account: Account, operation: Operation, values: Mapping[str, Any], *, known: Holdings | None = None
) -> Term | None:
    """Answer the lease that a purchase gives: the one asked for, else the one that runs, else the operator's.

    Args:
        account: Whose machine it is.
        operation: How it is bought.
        values: The call's arguments.
        known: What of the account was known a moment ago; None to look.

    Raises:
        StoreError: The state can't be read.
    """
    if not gives_lease(operation):
        return None
    if (hours := values.get("lease_hours")) is not None:
        return Term(hours, operation.tool)
    if account.leases is not None and "instance_id" in values:
        found, now = await _find_lease(account, values["instance_id"], known), account.leases.now()
        if found is not None and now < found.until:
            return Term((found.until - now) / HOUR_S, found.how, found)
    return None if account.lease_hours is None else Term(account.lease_hours, DEFAULT)


async def _find_lease(account: Account, instance: str, known: Holdings | None) -> Lease | None:
    if account.leases is None:
        return None
    if known is None:
        return await account.leases.find(account.id, instance)
    return next((each for each in known.leases if each.instance == instance), None)


@dataclass(frozen=True)
class Given:
    """What a purchase does to the lease of the machine that it is of.

    Attributes:
        before: The lease that the machine has, or had.
        lease: The one that it has from the purchase on; None for no end.
        machine: Its id, else its name, else nothing that tells it.
        claimed: Whether a process ends it at this moment, so that its lease stays as it is.
    """

    before: Lease | None = None
    lease: Lease | None = None
    machine: str | None = None
    claimed: bool = False

    @property
    def swap(self) -> Swap | None:
        """What is to be kept before the purchase is sent; a lease that ended stays until it has taken place."""
        new = self.lease is not None and self.lease is not self.before and self.machine is not None
        return (self.before, self.lease) if new and not self.claimed else None


NO_LEASE: Final = Given()


async def give_lease(
    account: Account, operation: Operation, values: Mapping[str, Any], *, caller: str, known: Holdings | None
) -> Given:
    """Write up the lease that a purchase gives a machine; where its id isn't known yet, its name stands for it.

    Args:
        account: Whose it is.
        operation: How it is bought.
        values: The call's arguments.
        caller: Who buys it.
        known: As for `find_term`.

    Raises:
        StoreError: The state can't be read.
    """
    if account.leases is None or not gives_lease(operation):
        return NO_LEASE
    known = known or await account.leases.hold(account.id)
    term = await find_term(account, operation, values, known=known)
    name = values.get("name")
    machine = values.get("instance_id") or (None if name is None else f"{AWAITED}{name}")
    before = None if machine is None else await _find_lease(account, machine, known)
    claimed = before is not None and account.leases.is_claimed(before)
    if term is None or term.running is not None:
        return Given(before, None if term is None else term.running, machine, claimed)
    until = account.leases.now() + term.hours * HOUR_S
    made = account.leases.draft(account.id, machine or "", until=until, hours=term.hours, caller=caller, how=term.how)
    return Given(before, made, machine, claimed)


def settle_lease(operation: Operation, given: Given, data: JsonObject | None) -> tuple[Lease | None, Sequence[Swap]]:
    """Answer the lease that a machine has now that it was bought, or may have been, and what of it is to be kept.

    A lease that has ended already doesn't outlive the purchase.

    Args:
        operation: How it was bought.
        given: What was kept before it was sent.
        data: What the API answered; None where nobody knows what came of it.

    Raises:
        LookupError: Nothing tells which machine it is.
    """
    made = (data or {}).get(operation.result or "")
    known = Thing(INSTANCE, made).id if isinstance(made, dict) else None
    lease, machine = given.lease, given.machine
    if lease is None:
        # by its name alone, another machine's may be meant
        ended = given.before is not None and not given.before.instance.startswith(AWAITED) and not given.claimed
        return None, [(given.before, None)] if ended and data is not None else []
    if lease is given.before:
        return lease, []
    if machine is not None and not machine.startswith(AWAITED):
        return lease, [(lease, lease)]
    if known is None:
        if machine is None:
            raise LookupError(operation.tool)
        return lease, [(lease, lease)]
    named = replace(lease, instance=known)
    return named, [(None, named), *([] if machine is None else [(lease, None)])]


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
    for row in rows if leases else ():
        if (lease := lease_of(row, leases)) is not None:
            row["lease_ends"] = write_end(lease)


def write_end(lease: Lease) -> str:
    """Write for a program when a lease ends."""
    return _iso(lease.until)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def tell_end(lease: Lease, *, brought: bool) -> str:
    """Say when a lease ends, and what happens then.

    Args:
        lease: The lease.
        brought: Whether the key of its account is kept nowhere.
    """
    long = "" if lease.hours is None else f" ({lease.hours:g} hours)"
    return f"Its lease ends {write_time(lease.until)}{long}: {say_who_reaps(brought=brought)}"


def say_who_reaps(*, brought: bool) -> str:
    """Say what becomes of a machine whose lease has ended; by itself nothing does.

    Args:
        brought: Whether the key of its account is kept nowhere.
    """
    return _NOBODY_REAPS if brought else _WHO_REAPS


_WHO_REAPS: Final = "whoever runs barrack-mcp reap then hibernates it, or deletes it if told so."
_NOBODY_REAPS: Final = (
    "nothing ends it then, as this server keeps no key of this account; it costs until the user hibernates or deletes "
    "it, and list_leases tells when it is overdue."
)


class LeaseError(Exception):
    """A lease can't be set so; its text is one sentence for the caller."""


async def set_lease(
    account: Account, values: Mapping[str, Any], *, caller: str, currency: str, most: Decimal | None
) -> tuple[JsonObject, list[str]]:
    """Set until when a machine may run, or take that away; answers the lease as data and in words.

    What it may cost counts from when its lease began, so that no row of short leases passes the limit.

    Args:
        account: Whose machine it is.
        values: The machine, and hours or until.
        caller: Who sets it.
        currency: Currency of prices.
        most: What one machine may cost over its lease.

    Raises:
        ApiError: The machine, or what it costs where that is limited, could not be read.
        LeaseError: It can't be set so.
        StoreError: The state can't be read or written.
    """
    if account.leases is None:
        raise LeaseError(_NO_STATE)
    machine = str(values["instance_id"])
    data = await account.read(INSTANCE.get_tool, {"instance_id": machine})
    row = data.get("instance") or {}
    thing = Thing(INSTANCE, row, asked=machine)
    prices = Prices((await account.recall("get_pricing", {})).get("pricing_data") or {}, currency)
    found, now = lease_of(row | {"instance_id": machine}, await account.leases.all(account.id)), account.leases.now()
    if values.get("hours") == 0:
        if most is not None:
            raise LeaseError(f"{_ENDLESS.format(f'{most} {currency}')} Nothing was changed.")
        if found is not None and not await account.leases.end(found):
            raise LeaseError(_BEING_ENDED)
        return {"instance_id": machine}, [f"{sentence(thing.in_words)} has no lease: it costs until somebody ends it."]
    hours, said_until = values.get("hours"), moment(values.get("until"))
    until = now + float(hours) * HOUR_S if hours is not None else said_until or now
    if until <= now:
        raise LeaseError("until: is over already. Nothing was changed; to end the machine now: hibernate_instance.")
    since = now if found is None else found.since
    rate = prices.instance(row, money.Billed.FULL)
    if most is not None and (found is None or until > found.until):
        cost = None if rate is None else rate * Decimal(until - since) / Decimal(HOUR_S)
        if cost is None or cost > most:
            raise LeaseError(_too_dear(cost, most, currency))
    try:
        lease = await account.leases.keep(
            account.id, machine, until=until, hours=hours, caller=caller, how="set_lease", since=since
        )
    except ClaimedError:
        raise LeaseError(_BEING_ENDED) from None
    if found is not None and found.instance != machine:
        # it was known by its name alone
        await account.leases.end(found)
    told = tell_end(lease, brought=account.brought)
    words = f"{sentence(thing.in_words)}: {told[:1].lower()}{told[1:]}"
    costs = "" if rate is None else f"It costs {money.write_rate(rate, currency)} at its full rate."
    return {"instance_id": machine, "lease_ends": write_end(lease)}, [words, *([costs] if costs else [])]


async def read_leases(account: Account, currency: str, *, overdue_only: bool) -> tuple[JsonObject, list[str]]:
    """Answer the leases, with what each machine costs and whether it is still there, as data and in words.

    Args:
        account: Whose machines they are.
        currency: Currency of prices.
        overdue_only: Whether to leave out those that have not ended.

    Raises:
        ApiError: What machines there are could not be read.
        StoreError: The state can't be read.
    """
    if account.leases is None:
        raise StoreError(_NO_STATE)
    leases, now = await account.leases.all(account.id), account.leases.now()
    wanted = {key: each for key, each in leases.items() if not overdue_only or each.until <= now}
    rows: dict[str, JsonObject] = {}
    complete, prices = True, Prices({}, currency)
    if wanted:
        listing = await read_list(account.read, INSTANCE.list_tool)
        if listing.failure is not None and not listing.readable:
            raise listing.failure
        prices = Prices((await account.recall("get_pricing", {})).get("pricing_data") or {}, currency)
        complete = listing.complete
        found = ((lease_of(row, leases), row) for row in [*listing.rows, *listing.made])
        rows = {lease.instance: row for lease, row in found if lease is not None}
    machines = [
        (Thing(INSTANCE, rows.get(key) or _known(each)), each, True if key in rows else False if complete else None)
        for key, each in wanted.items()
    ]
    shown = [_row(thing, each, prices, now=now, there=there) for thing, each, there in machines]
    ended = [each for each in shown if each["overdue"]]
    data: JsonObject = {"leases": shown[:_MOST], "total": len(shown), "overdue": len(ended), "currency": currency}
    if len(shown) > _MOST:
        data["notes"] = [
            f"The {_MOST} of {len(shown):,} leases that end first; list_instances shows lease_ends of all."
        ]
    lines = [_in_words(thing, each, row, currency) for (thing, each, _), row in zip(machines, shown, strict=True)]
    costs = sum((money.amount(each.get("hourly_rate")) or Decimal(0) for each in ended), Decimal(0))
    past = "" if overdue_only else f"{len(ended):,} of them "
    many = f"{counted(len(shown), 'lease')}, {past}past the end"
    idle = f"; what is past it costs {money.write_rate(costs, currency)} until it is ended" if costs else ""
    return data, [f"{many}{idle}." if shown else _NONE[overdue_only], *lines[:_MOST]]


def _known(lease: Lease) -> JsonObject:
    """What is known of a machine by its lease alone."""
    awaited = lease.instance.startswith(AWAITED)
    return {"vm_name": lease.instance.removeprefix(AWAITED)} if awaited else {"instance_id": lease.instance}


def _row(thing: Thing, lease: Lease, prices: Prices, *, now: float, there: bool | None) -> JsonObject:
    """A machine and its lease as data."""
    return {
        "instance_id": thing.id,
        "name": thing.name,
        "status": text(thing.row, "status"),
        "hourly_rate": money.rounded(prices.instance(thing.row, money.billed(thing.status))),
        "there": there,
        "lease_ends": write_end(lease),
        "hours": lease.hours,
        "set_by": lease.set_by,
        "set_at": _iso(lease.set_at),
        "how": lease.how,
        "overdue": lease.until <= now,
    }


def _in_words(thing: Thing, lease: Lease, row: JsonObject, currency: str) -> str:
    rate = money.amount(row.get("hourly_rate"))
    costs = "" if rate is None else f", {money.write_rate(rate, currency)}"
    state = "gone" if row["there"] is False else said(thing.row, "status") or "in a state that is not known"
    ends = "ended" if row["overdue"] else "ends"
    return (
        f"{sentence(thing.in_words)}, {state}{costs}: {ends} {write_time(lease.until)}, set by {mention(lease.set_by)}."
    )


def _too_dear(cost: Decimal | None, most: Decimal, currency: str) -> str:
    limit = f"{most} {currency}"
    if cost is None:
        return f"What this machine would cost by then can't be told, and the operator limits it ({limit}). {_UNCHANGED}"
    sum_ = money.write(cost, currency)
    return (
        f"By then this machine would cost {sum_} since its lease began, and the operator allows {limit}. {_UNCHANGED}"
    )


_MOST: Final = 50
_UNCHANGED: Final = "Nothing was changed; tell the user."
_NO_STATE: Final = "No state is kept here, so there are no leases."
_BEING_ENDED: Final = (
    "Its lease has ended, and the machine is being ended at this moment. Nothing was changed; look with get_instance."
)
_ENDLESS: Final = "The operator limits what one machine may cost over its lease ({}), and without one it has no end."
_NONE: Final = {True: "No lease is past its end.", False: "No machine has a lease."}
