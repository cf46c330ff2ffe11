"""What happens to a write that may be sent: written down, sent once, looked up where no answer came, and finished.

The order is what makes it honest. The ledger's entry and the record's intent are on the disk before the first byte
leaves; what came of it closes both. From there on the write belongs to the process, not to the call: a client that
cancels or goes away ends its own waiting, and nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

import anyio
from anyio.abc import TaskGroup

from barrack_mcp.account.account import Account
from barrack_mcp.api.body import typed
from barrack_mcp.api.client import Attempt
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import JsonObject, Offer, Operation
from barrack_mcp.catalogue.marks import masked
from barrack_mcp.catalogue.outcome import LookWith, Plan
from barrack_mcp.dispatch.crash import log_crash
from barrack_mcp.dispatch.writes.booking import Booking, Told
from barrack_mcp.dispatch.writes.ledger import Ledger
from barrack_mcp.dispatch.writes.looking import look as looking
from barrack_mcp.dispatch.writes.replaced import find_replaced, in_pieces
from barrack_mcp.dispatch.writes.sent import Done, NotDone, Sent, Unknown, Unsent, recorded, standing_of
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.guard.ruling.ruling import Passed, Stopped, Waiting, digest
from barrack_mcp.state.audit import NEVER_ASKS, Audit, AuditError
from barrack_mcp.state.store import StoreError

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Came:
    """What came of a change of what we keep ourselves; an error of our own, until it is said."""

    outcome: Literal["done", "refused", "failed"] = "failed"
    message: str = "An error of our own came."

    def end(self, outcome: Literal["done", "refused", "failed"], message: str) -> None:
        """Say what came of it."""
        self.outcome, self.message = outcome, message


@dataclass
class Writer:
    """Sends writes.

    Attributes:
        ledger: Knows what was sent and never answered.
        audit: The record; None where none is kept.
        tasks: Runs writes apart from the calls that want them; without it, under a shield.
        now: The time in seconds since 1970.
        sleep: Waits for so many seconds between looks.
    """

    ledger: Ledger
    audit: Audit | None = None
    tasks: TaskGroup | None = None
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[object]] = anyio.sleep
    _under_way: int = field(default=0, init=False)
    _none: anyio.Event = field(default_factory=anyio.Event, init=False)
    _ending: bool = field(default=False, init=False)

    def book(self, operation: Operation, values: JsonObject, caller: Caller) -> Booking:
        """Open the book for a write: there it is looked up, and written down before it is sent."""
        return Booking(self.ledger, operation, values, caller)

    async def check(self) -> None:
        """See that what is sent can be recorded.

        Raises:
            AuditError: It can't be, so nothing may be sent, whatever a person says.
        """
        if self.audit is not None:
            await self.audit.check()

    async def looked(self, operation: Operation, values: JsonObject, account: Account, *, read_at: float) -> None:
        """Take note that a read was made, which may settle what was open."""
        try:
            await self.ledger.looked(account.id, operation.tool, values, read_at=read_at)
        except StoreError as error:
            _log.error("%s", error)

    async def decided(self, operation: Operation, values: JsonObject, caller: Caller, held: Stopped | Waiting) -> None:
        """Write down that a call was not sent: it was refused, or waits for a person."""
        if self.audit is None:
            return
        try:
            await self.audit.decision(
                caller=caller.subject,
                on_behalf_of=caller.on_behalf_of,
                tool=operation.tool,
                risk=operation.risk,
                arguments=masked(operation, values),
                decision="approval_required" if isinstance(held, Waiting) else "refused",
                message=held.sentence,
                plan=held.shown if isinstance(held, Stopped) and held.shown else _digest_of(held.plan),
                approval=held.approval.id if isinstance(held, Waiting) else None,
            )
        except AuditError as error:
            _log.error("%s", error)

    async def finish(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Run what must not be left half done to its end, even if whoever waits for it is cancelled."""
        kept: list[_T] = []
        broken: list[Exception] = []
        over = anyio.Event()
        abandoned = False

        async def run() -> None:
            with anyio.CancelScope(shield=True):
                try:
                    kept.append(await work())
                except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                    broken.append(error)
                    if abandoned:
                        _log.exception("internal error in a write that nobody waits for any more")
                finally:
                    self._end()
                    over.set()

        self._under_way += 1
        if self.tasks is None:
            await run()
        else:
            self.tasks.start_soon(run)
            try:
                await over.wait()
            except BaseException:
                abandoned = True
                raise
        if broken:
            raise broken[0]
        return kept[0]

    def is_draining(self) -> bool:
        """Whether no more writes are sent, since this process ends."""
        return self._ending

    async def drain(self) -> None:
        """Send no more writes, and return when none is under way."""
        self._ending = True
        while self._under_way:
            await self._none.wait()

    async def send(self, booking: Booking, passed: Passed) -> Sent:
        """Send a write, once, and say what came of it; an error of our own before it is raised, after it is told.

        Args:
            booking: What to do, for whom, and what is written down of it already.
            passed: How it was allowed, the plan that was shown, and what was read to allow it.
        """
        if self._ending:
            return Unsent(_ENDING)
        operation, values, account = booking.operation, booking.values, booking.account
        read, planned = passed.read or account.read, passed.read is not None
        before = await looking.note(operation, values, read=read, planned=planned)
        replaced = find_replaced(operation, values, before)
        try:
            intent = await self._intent(booking, passed, replaced)
        except AuditError as error:
            _log.error("%s", error)
            return Unsent(UNRECORDED)
        if passed.turn.lapsed:
            # what was read last may be so no more
            await self._outcome(intent, operation, values, Unsent(_TOO_LATE), attempts=[], seconds=0)
            return Unsent(_TOO_LATE)
        where = looking.look_with(operation, values)
        sent: Sent = Unknown(_BROKE_OFF, where)
        lease = Told()
        attempts: list[Attempt] = []
        sent_at = self.now()
        try:
            try:
                sent = await self._sent(operation, values, before, account, attempts.append)
                if isinstance(sent, Done):
                    account.deeds.note(operation, values, sent.data)
            finally:
                lease = await booking.close(standing_of(sent), sent.data if isinstance(sent, Done) else None)
                await self._outcome(intent, operation, values, sent, attempts=attempts, seconds=self.now() - sent_at)
        except Exception:  # noqa: BLE001 - logged, and told without its text
            return Unknown(broke_off(operation, where), where, lease=lease)
        if isinstance(sent, Done):
            thing = before.thing if before is not None else None
            return replace(sent, replaced=replaced, before=thing, lease=lease)
        return replace(sent, lease=lease) if isinstance(sent, Unknown) else sent

    @asynccontextmanager
    async def recording(self, offer: Offer, values: JsonObject, caller: Caller) -> AsyncIterator[Came | Unsent]:
        """Write down a change of what we keep ourselves before it is made, and what came of it.

        Args:
            offer: The tool that changes it.
            values: Its validated arguments.
            caller: Who asked for it.
        """
        if self._ending:
            yield Unsent(_ENDING)
            return
        intent, came, began = "", Came(), self.now()
        if self.audit is not None:
            try:
                intent = await self.audit.intent(
                    caller=caller.subject,
                    on_behalf_of=caller.on_behalf_of,
                    tool=offer.tool,
                    risk=offer.risk,
                    arguments=masked(offer, values),
                    confirmed=NEVER_ASKS,
                    api=caller.account.api,
                )
            except AuditError as error:
                _log.error("%s", error)
                yield Unsent(UNRECORDED)
                return
        try:
            yield came
        finally:
            if self.audit is not None:
                try:
                    took = self.now() - began
                    await self.audit.outcome(intent, outcome=came.outcome, message=came.message, seconds=took)
                except AuditError as error:
                    _log.error("%s", error)

    async def _sent(
        self,
        operation: Operation,
        values: JsonObject,
        before: looking.View | None,
        account: Account,
        on_attempt: Callable[[Attempt], None],
    ) -> Sent:
        sent_at = self.now()
        try:
            body = await account.client.send(operation, operation.on_the_wire(values), on_attempt=on_attempt)
        except ApiError as error:
            if not error.uncertain:
                return NotDone(error)
            looked = await looking.look(
                operation, values, before=before, sent_at=sent_at, read=account.read, now=self.now, sleep=self.sleep
            )
            if looked.result is None:
                return Unknown(f"{error.sentence} {looked.sentence}", looked.look_with, error)
            return Done(typed(operation, looked.result), f"{error.sentence} {looked.sentence}")
        return Done(typed(operation, body))

    async def _intent(self, booking: Booking, passed: Passed, replaced: str | None) -> str:
        if self.audit is None:
            return ""
        operation, caller = booking.operation, booking.caller
        return await self.audit.intent(
            caller=caller.subject,
            on_behalf_of=caller.on_behalf_of,
            tool=operation.tool,
            risk=operation.risk,
            arguments=masked(operation, booking.values),
            plan=passed.plan,
            confirmed=passed.how,
            approval=passed.approval,
            api=caller.account.api,
            **({} if replaced is None else {"replaced": in_pieces(replaced)}),
        )

    async def _outcome(
        self,
        intent: str,
        operation: Operation,
        values: JsonObject,
        sent: Sent,
        *,
        attempts: list[Attempt],
        seconds: float,
    ) -> None:
        if self.audit is None:
            return
        verdict, message, request_id = recorded(operation, values, sent)
        try:
            await self.audit.outcome(
                intent,
                outcome=verdict,
                message=message,
                request_id=request_id,
                status=attempts[-1].status if attempts else None,
                attempts=len(attempts),
                seconds=seconds,
            )
        except AuditError as error:
            _log.error("%s", error)

    def _end(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._none.set()
            self._none = anyio.Event()


def _digest_of(plan: Plan | None) -> str | None:
    return None if plan is None else digest(plan)


def broke_off(operation: Operation, where: LookWith) -> str:
    """Say that an error of our own came once a write was sent; to be called where it is caught."""
    return f"{log_crash(operation.tool)} {_BROKE_OFF} Look with {where.tool} before doing it again."


STATE_UNUSABLE: Final = (
    "Not done: the server can't keep its state at the moment, so it can't see to it that this happens once. Nothing "
    "was sent to Barrack; tell the user that the server's log says why."
)
UNRECORDED: Final = (
    "Not done: the record of what is done can't be written at the moment, and nothing is changed without it. Nothing "
    "was sent to Barrack; tell the user that the server's log says why. Reading goes on."
)
_ENDING: Final = "Not done: the server is stopping. Nothing was sent to Barrack; call again once it is back."
_TOO_LATE: Final = (
    "Not done: too much time went by between the last look at what this is about and its sending. Nothing was sent to "
    "Barrack; the same call can be made again."
)
_BROKE_OFF: Final = "It was sent, and an error of our own came before its answer."
