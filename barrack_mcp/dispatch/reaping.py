"""Reaping: what is past its lease is hibernated, or deleted if the operator says so; each machine once, each told.

Nobody is asked: a lease was shown in the question that bought the machine, and an operator has the reaping run. But it
walks the same corridor as every call, as a caller of its own: what is protected stays, all of it is recorded, and what
has no answer is looked up. A claim in the state keeps two reapers off the same machine, and how it stands is read after
the claim, so that whoever comes second finds it done.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final, Literal, TypeAlias

import anyio

from barrack_mcp.account.account import Account
from barrack_mcp.account.leases import AWAITED, lease_of, write_end
from barrack_mcp.account.reading import read_list
from barrack_mcp.account.things import Thing, said, write_time
from barrack_mcp.account.waiting import Beat, End, Goal, wait
from barrack_mcp.api.errors import ApiError
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject, Risk
from barrack_mcp.catalogue.kinds import INSTANCE
from barrack_mcp.config.callers import REAPER
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.dispatcher import Dispatcher
from barrack_mcp.guard.decide import Mode, Policy
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.state.leases import Leases
from barrack_mcp.state.store import Lease, StoreError

CLAIM_S: Final = 900.0
"""How long a machine is claimed at most: longer than starting and hibernating it can take."""
START_S: Final = 300.0
"""How long a machine that is started may take until it is ACTIVE."""

Came: TypeAlias = Literal["done", "due", "settled", "gone", "busy", "refused", "failed", "unknown"]
"""What came of a machine: done or refused, failed, unknown as of any call; due, where nothing was to be done; settled,
where it costs no full rate any more; gone, with its lease; busy, where it is on its way or another reaper is at it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Reaped:
    """What came of one machine that is past its lease.

    Attributes:
        instance: Its id, or the name under which it was bought.
        name: Its name; None if that isn't known.
        status: Its state when it was looked at; None if that isn't known.
        lease: Until when it could run.
        came: What came of it.
        message: The same in plain sentences.
        failure: As of an answer, for exit codes.
    """

    instance: str
    name: str | None
    status: str | None
    lease: Lease
    came: Came
    message: str
    failure: str = ""

    @property
    def fields(self) -> JsonObject:
        """It as data."""
        told = {"instance_id": self.instance, "name": self.name, "status": self.status}
        return {
            **{name: value for name, value in told.items() if value is not None},
            "lease_ended": write_end(self.lease),
            "set_by": self.lease.set_by,
            "outcome": self.came,
            "message": self.message,
        }


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What a reaping does.

    Attributes:
        delete: Whether it deletes, for good, in the place of hibernating.
        start: Whether it starts what is stopped, so that it can be hibernated.
        dry: Whether it only tells what it would do.
    """

    delete: bool = False
    start: bool = False
    dry: bool = False


def unasked(policy: Policy) -> Policy:
    """What the operator set, but that nobody is asked about what ends a machine; what is protected stays so."""
    return replace(policy, mode=Mode.REFUSE, unattended=frozenset({Risk.INTERRUPT, Risk.DESTROY}))


async def _tell_nobody(_: Beat) -> None:
    """Nobody listens while a machine starts."""


@dataclass(frozen=True, kw_only=True)
class Reaper:
    """Ends what is past its lease.

    Attributes:
        dispatcher: Makes the calls, by a guard that lets what ends a machine pass unasked.
        account: Whose machines they are.
        sleep: Waits for so many seconds while a machine starts.
    """

    dispatcher: Dispatcher
    account: Account
    sleep: Callable[[float], Awaitable[object]] = field(default=anyio.sleep, repr=False)

    async def reap(self, orders: Orders) -> list[Reaped]:
        """End what is overdue, one machine after the other, the one that is longest overdue first.

        A lease whose machine is gone goes with it; a machine that could not be read isn't gone.

        Raises:
            ApiError: What machines there are could not be read; nothing was sent.
            StoreError: The state can't be read; nothing was sent.
        """
        leases = self._leases
        overdue = [each for each in (await leases.all(self.account.id)).values() if each.until <= leases.now()]
        if not overdue:
            return []
        listing = await read_list(self.account.read, INSTANCE.list_tool)
        if listing.failure is not None and not listing.readable:
            raise listing.failure
        rows: dict[str, JsonObject] = {}
        by_key = {each.instance: each for each in overdue}
        for row in listing.rows:
            if (lease := lease_of(row, by_key)) is not None:
                rows[lease.instance] = row
        return [await self._one(each, rows.get(each.instance), orders, whole=listing.complete) for each in overdue]

    @property
    def _leases(self) -> Leases:
        if self.account.leases is None:
            raise AssertionError(REAPER)
        return self.account.leases

    async def _one(self, lease: Lease, row: JsonObject | None, orders: Orders, *, whole: bool) -> Reaped:
        """End one machine, or say why not."""
        awaited = lease.instance.startswith(AWAITED)
        case = _Case(lease, Thing(INSTANCE, row or {}, asked=None if awaited else lease.instance), orders)
        if row is None and whole:
            return await self._forget(case, lease)
        if row is None and (awaited or orders.dry):
            return case.told("failed", "The list of machines could not be read in full, and it is not in what came.")
        if orders.dry:
            return case.judge() or case.told("due", f"It would be {case.verb}d.")
        try:
            async with self._claimed(lease) as held:
                return case.told("busy", _ANOTHER) if held is None else await self._ended(case, held)
        except (ApiError, StoreError) as error:
            _log.error("%s", error)
            words = error.sentence if isinstance(error, ApiError) else "The state can't be written."
            return case.told("failed", f"{words} Nothing was sent.", getattr(error, "failure", ""))

    async def _forget(self, case: _Case, lease: Lease) -> Reaped:
        """Drop the lease of a machine that is no more."""
        if not case.orders.dry:
            try:
                await self._leases.end(lease, held=True)
            except StoreError as error:
                _log.error("%s", error)
        return case.told("gone", "There is no such machine any more; its lease goes, too.")

    @asynccontextmanager
    async def _claimed(self, lease: Lease) -> AsyncIterator[Lease | None]:
        """Hold a machine, so that no other process ends it and nobody sets its lease meanwhile."""
        claimed = await self._leases.claim(lease, seconds=CLAIM_S)
        try:
            yield claimed
        finally:
            if claimed is not None:
                with anyio.CancelScope(shield=True):
                    try:
                        await self._leases.let_go(claimed)
                    except StoreError as error:
                        # it lapses with this process, and with its time
                        _log.error("%s", error)

    async def _ended(self, case: _Case, claimed: Lease) -> Reaped:
        """Read how a machine stands, now that nobody else ends it, and end it."""
        machine = str(case.thing.id)
        try:
            data = await self.account.read(INSTANCE.get_tool, {"instance_id": machine})
        except ApiError as error:
            if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                return await self._forget(case, claimed)
            raise
        case = case.anew(data.get("instance"))
        if (told := case.judge()) is not None:
            return told
        if case.thing.status == "SHUTOFF" and not case.orders.delete:
            started = await self._call("start_instance", machine)
            if started.structured["outcome"] != "done":
                return case.of(started)
            waited = await wait(
                Goal(INSTANCE, machine, states=("ACTIVE",), way="STARTING"),
                read=self.account.read,
                seconds=START_S,
                tell=_tell_nobody,
                now=self.account.now,
                sleep=self.sleep,
                wall=self._leases.now,
            )
            if waited.end is not End.THERE:
                state = mention(waited.state) or "in a state that is not told"
                return case.told("busy", f"It was started and is {state} now; the next reaping goes on with it.")
        return case.of(await self._call(f"{case.verb}_instance", machine))

    async def _call(self, tool: str, instance_id: str) -> Answer:
        match await self.dispatcher.call(tool, {"instance_id": instance_id}, Caller(REAPER, self.account)):
            case Answer() as answer:
                return answer
            case _:
                raise AssertionError(tool)


Reapers: TypeAlias = Callable[[], Iterable[AbstractAsyncContextManager[Reaper]]]
"""Finds who reaps now, one for each account, to be opened."""


async def keep_reaping(
    reapers: Reapers, seconds: float, *, sleep: Callable[[float], Awaitable[object]] = anyio.sleep
) -> None:
    """Hibernate what is overdue now, and again after so many seconds each, until it is cancelled.

    What goes wrong in an account is told in the log and tried again the next time; the others' go on.

    Args:
        reapers: Who reaps; found anew each time.
        seconds: The time between.
        sleep: Waits for so many seconds.
    """
    while True:
        for opening in reapers():
            try:
                async with opening as reaper:
                    for reaped in await reaper.reap(Orders()):
                        level = logging.INFO if reaped.came == "settled" else logging.WARNING
                        _log.log(level, "%s", tell(reaped))
            except (ApiError, StoreError) as error:
                _log.error("What is past its lease could not be ended: %s", error)
            except Exception:  # noqa: BLE001 - logged, and tried again
                _log.exception("internal error in reaping")
        await sleep(seconds)


@dataclass(frozen=True)
class _Case:
    """One machine that is past its lease, as it stands."""

    lease: Lease
    thing: Thing
    orders: Orders

    @property
    def verb(self) -> str:
        """What is done with it."""
        return "delete" if self.orders.delete else "hibernate"

    def anew(self, row: Any) -> _Case:
        """Take it as it was read just now."""
        thing = Thing(INSTANCE, row if isinstance(row, dict) else {}, asked=self.thing.id)
        return replace(self, thing=thing)

    def judge(self) -> Reaped | None:
        """Say why nothing is to be done with it; None if something is."""
        status = self.thing.status
        if status == "DELETED":
            return self.told("gone", "It is deleted already.")
        if status in _GOING or (status in _RESTS and not self.orders.delete):
            return self.told("settled", f"It is {status} already.")
        if status not in ("ACTIVE", "SHUTOFF", "ERROR", *_RESTS):
            state = said(self.thing.row, "status") or "in a state that is not told"
            return self.told("busy", f"It is {state}: the next reaping looks again.")
        if self.orders.delete or status == "ACTIVE" or (status == "SHUTOFF" and self.orders.start):
            return None
        return self.told("refused", _STOPPED if status == "SHUTOFF" else _BROKEN, "refused")

    def of(self, answer: Answer) -> Reaped:
        """Say what a call came to."""
        came: Mapping[str, Came] = {"done": "done", "failed": "failed", "unknown": "unknown"}
        structured = answer.structured
        return self.told(came.get(structured["outcome"], "refused"), structured["message"], answer.failure)

    def told(self, came: Came, message: str, failure: str = "") -> Reaped:
        """Put it into words."""
        return Reaped(
            instance=self.thing.id or self.lease.instance.removeprefix(AWAITED),
            name=self.thing.name,
            status=self.thing.status or None,
            lease=self.lease,
            came=came,
            message=message,
            failure=failure or ("" if came in _WELL else came),
        )


def tell(reaped: Reaped) -> str:
    """Say in a line what came of a machine."""
    which = Thing(INSTANCE, {"vm_name": reaped.name}, asked=reaped.instance).in_words
    return f"{which}, past its lease since {write_time(reaped.lease.until)}: {reaped.came}. {reaped.message}"


_GOING: Final = ("HIBERNATING", "DELETING")
_RESTS: Final = ("HIBERNATED",)
_WELL: Final = frozenset({"done", "due", "settled", "gone", "busy"})
_ANOTHER: Final = "Another reaper is at it, or its lease was changed just now."
_STOPPED: Final = (
    "It is SHUTOFF and costs the full rate, and only an ACTIVE machine can be hibernated. With --start it is started "
    "first; with --delete it is deleted. Nothing was sent."
)
_BROKEN: Final = "It is in ERROR and can't be hibernated; with --delete it is deleted. Nothing was sent."
