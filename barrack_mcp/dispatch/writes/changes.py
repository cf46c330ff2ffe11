"""A call that changes something, on its way: its wish is fulfilled, it passes the guard, it is sent, it settles."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from barrack_mcp.account.rates import CHANGING_COST
from barrack_mcp.account.reading import Reader
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, Risk
from barrack_mcp.catalogue.outcome import Ending
from barrack_mcp.dispatch.answers.advice import explain
from barrack_mcp.dispatch.answers.consent import confirm
from barrack_mcp.dispatch.answers.outcomes import Answer, add_to, conclude, conclude_held
from barrack_mcp.dispatch.answers.pricing import recall_soon
from barrack_mcp.dispatch.arguments.likeness import UntoldError
from barrack_mcp.dispatch.arguments.wishes import Settled, fulfil
from barrack_mcp.dispatch.call import Call
from barrack_mcp.dispatch.crash import log_crash
from barrack_mcp.dispatch.waits import settle
from barrack_mcp.dispatch.writes.booking import Booking, HeldBackError
from barrack_mcp.dispatch.writes.keyfile import NO_PLACE, KeyFolder, reserve
from barrack_mcp.dispatch.writes.looking.look import note
from barrack_mcp.dispatch.writes.looking.view import look_with
from barrack_mcp.dispatch.writes.report import Report, conclude_unsent
from barrack_mcp.dispatch.writes.sent import Done, hold_back, recorded
from barrack_mcp.dispatch.writes.writer import STATE_UNUSABLE, UNRECORDED, Writer, broke_off
from barrack_mcp.guard.asking.asker import Asked
from barrack_mcp.guard.asking.meanings import Meant
from barrack_mcp.guard.guard import Guard
from barrack_mcp.guard.ruling.ruling import Passed, Stopped, Waiting
from barrack_mcp.state.audit import AuditError
from barrack_mcp.state.store import StoreError

_log = logging.getLogger(__name__)


class Changes:
    """Answers calls that change something.

    Args:
        guard: Lets them pass, or not.
        writer: Sends what passed.
        report: Says what came of it.
        key_folder: Where private keys go that the API generates; None where the caller sits elsewhere.
        reveal_private_keys: Whether such a key may stand in the result instead.
        on_redeemed: Told what came of a call that was approved out of band: the request's id, the verdict, a sentence.
    """

    def __init__(
        self,
        guard: Guard,
        writer: Writer,
        report: Report,
        *,
        key_folder: KeyFolder | None,
        reveal_private_keys: bool,
        on_redeemed: Callable[[str, Ending, str], None] | None,
    ) -> None:
        self._guard, self._writer, self._report = guard, writer, report
        self._key_folder, self._reveal_private_keys = key_folder, reveal_private_keys
        self._on_redeemed = on_redeemed

    async def answer(self, call: Call) -> Answer | Asked:
        """Do what a call asks for if it passes the guard; answers what came of it, or the question about it."""
        wished = await _fulfil(call)
        return wished if isinstance(wished, Answer) else await self._rule(wished)

    async def _rule(self, call: Call) -> Answer | Asked:
        operation, values, caller = call.operation, call.values, call.caller
        booking = self._writer.book(operation, values, caller)
        try:
            await self._writer.check()
            ruling = await self._guard.rule(
                operation,
                values,
                caller,
                book=booking,
                given=call.given,
                meant=call.meant,
                read=call.read,
                beside=partial(_read_beside, call),
            )
        except HeldBackError as error:
            return conclude_unsent(hold_back(error.held))
        except ApiError as error:
            return await _refuse_unread(call, error)
        except (StoreError, AuditError) as error:
            # nobody is asked about what can't be kept or written down
            _log.error("%s", error)
            return conclude("refused", STATE_UNUSABLE if isinstance(error, StoreError) else UNRECORDED)
        match ruling:
            case Passed():
                return await _let_settle(call, await self._writer.finish(partial(self._write, call, booking, ruling)))
            case Asked():
                return ruling
            case Stopped() | Waiting():
                await self._writer.decided(operation, values, caller, ruling)
                return conclude_held(ruling)

    async def _write(self, call: Call, booking: Booking, passed: Passed) -> Answer:
        """Send a write, and let the next change of the account go on when it has ended, whatever came of it."""
        try:
            return await self._send(call, booking, passed)
        finally:
            await booking.drop()
            await passed.turn.give_back()

    async def _send(self, call: Call, booking: Booking, passed: Passed) -> Answer:
        operation, values = call.operation, call.values
        keyfile: Path | None = None
        if operation.tool == "create_ssh_key" and "public_key" not in values and not self._reveal_private_keys:
            try:
                keyfile = reserve(self._key_folder, values["name"])
            except OSError:
                return conclude("refused", NO_PLACE)
        sent = await self._writer.send(booking, passed)
        if passed.approval is not None and self._on_redeemed is not None:
            verdict, said, _ = recorded(operation, values, sent)
            self._on_redeemed(passed.approval, verdict, said)
        asker = call.caller.asker
        here = asker is not None and asker.at_terminal
        confirmed = confirm(passed, caller=call.caller.subject, now=self._writer.now(), at_terminal=here)
        try:
            if keyfile is not None and not isinstance(sent, Done):
                # an empty file that stays behind changes nothing of what came of the call
                with suppress(OSError):
                    keyfile.unlink(missing_ok=True)
            return await self._report.tell(call, sent, keyfile, confirmed)
        except Exception:  # noqa: BLE001 - logged, and answered without its text
            where = look_with(operation, values)
            return conclude("unknown", broke_off(operation, where), confirmed=confirmed, look_with=where)


async def _fulfil(call: Call) -> Call | Answer:
    """Bring a wish into what the API takes; answers at once if it is fulfilled, or can't be told."""
    try:
        wished = await fulfil(call.operation, call.values, read=call.read, meant=call.meant)
    except ApiError as error:
        return await _refuse_unread(call, error)
    except UntoldError as error:
        return conclude("refused", f"{error} Nothing was sent.")
    if isinstance(wished, Settled):
        return conclude("done", wished.sentence, result=wished.result)
    meant = Meant(call.names.found, wished.wish)
    return replace(call, values=wished.values, meant=meant, aside=wished.aside)


async def _refuse_unread(call: Call, error: ApiError) -> Answer:
    """Refuse what is about something that could not be read."""
    explained = await explain(call, error, BY_TOOL.get(error.tool, call.operation))
    return conclude("refused", f"{explained} {_TARGET_UNREAD}", failure=error.failure)


async def _read_beside(call: Call, read: Reader) -> None:
    """Read, while the last look is taken, what the sending compares with, and what tells the cost afterwards."""
    async with anyio.create_task_group() as tasks:
        if call.operation.tool in CHANGING_COST and call.operation.risk is not Risk.SPEND:
            # the last look at a purchase reads the prices itself
            tasks.start_soon(recall_soon, call.account, "get_pricing")
        await note(call.operation, call.values, read=read, planned=True)


async def _let_settle(call: Call, answer: Answer) -> Answer:
    """Wait until what was done has settled, if the caller wants to; whatever ends the waiting, it stays done."""
    if call.patience is None or answer.structured.get("outcome") != "done":
        return answer
    try:
        return await settle(
            call.operation,
            call.values,
            answer,
            caller=call.caller,
            seconds=call.patience,
            offered=call.offered,
        )
    except Exception:  # noqa: BLE001 - logged, and what was done is told all the same
        return add_to(answer, f"It was not waited for to the end: {log_crash(call.operation.tool)}")


_TARGET_UNREAD: Final = "So it can't be said what the call would do, and nothing was changed."
