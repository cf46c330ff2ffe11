"""The corridor that every call walks once: look up, validate, guard, send, present."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import anyio

from barrack_mcp.account.account import Account, Once
from barrack_mcp.account.leases import show_leases
from barrack_mcp.account.rates import CHANGING_COST, costs_now, no_such_model, priced, quote, rate
from barrack_mcp.account.reading import Reader, read_page
from barrack_mcp.account.spending.bills import asks_for_days, read_between, tell_scope
from barrack_mcp.account.spending.credit import tell_burn
from barrack_mcp.account.things import objects
from barrack_mcp.api.body import typed, without_nulls
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.api.pace import sharing
from barrack_mcp.api.text import compact
from barrack_mcp.catalogue import BY_TOOL, Insight, JsonObject, Offer, Operation, Risk
from barrack_mcp.catalogue.outcome import Confirmed, Ending
from barrack_mcp.dispatch import insights
from barrack_mcp.dispatch.answers import advice
from barrack_mcp.dispatch.answers.brief import abridge, is_brief
from barrack_mcp.dispatch.answers.consent import confirm
from barrack_mcp.dispatch.answers.drift import Drifts
from barrack_mcp.dispatch.answers.next_steps import tell_next
from barrack_mcp.dispatch.answers.outcomes import Answer, add_to, conclude, conclude_held, conclude_unsent, tell
from barrack_mcp.dispatch.answers.pricing import cut_prices, recall_prices, recall_soon
from barrack_mcp.dispatch.answers.safe import make_safe, take_private_key
from barrack_mcp.dispatch.arguments.likeness import UntoldError
from barrack_mcp.dispatch.arguments.names import Names, NotFoundError
from barrack_mcp.dispatch.arguments.validation import BadArgumentsError, present, validated
from barrack_mcp.dispatch.arguments.wishes import Settled, fulfil, tell_moves
from barrack_mcp.dispatch.crash import crashed
from barrack_mcp.dispatch.ending import OnEnd, ending
from barrack_mcp.dispatch.reads import stock
from barrack_mcp.dispatch.reads.filters import explain_empty
from barrack_mcp.dispatch.reads.named import chooses_by_name, read_named
from barrack_mcp.dispatch.reads.quotes import tell_quotes
from barrack_mcp.dispatch.reads.reach import join_firewalls, show_rules
from barrack_mcp.dispatch.waits import settle
from barrack_mcp.dispatch.writes.booking import Booking, HeldBackError
from barrack_mcp.dispatch.writes.keyfile import NO_PLACE, KeyFolder, keep, reserve
from barrack_mcp.dispatch.writes.looking.look import note
from barrack_mcp.dispatch.writes.looking.view import look_with
from barrack_mcp.dispatch.writes.original import restore
from barrack_mcp.dispatch.writes.writer import (
    STATE_UNUSABLE,
    UNRECORDED,
    Done,
    NotDone,
    Sent,
    Unknown,
    Unsent,
    Writer,
    broke_off,
    hold_back,
    recorded,
)
from barrack_mcp.guard.asking.asker import Asked
from barrack_mcp.guard.asking.meanings import NOTHING_MEANT, Meant
from barrack_mcp.guard.guard import Guard
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.guard.ruling.ruling import Passed, Stopped, Waiting
from barrack_mcp.state.audit import AuditError
from barrack_mcp.state.audit.origin import coming_from
from barrack_mcp.state.store import StoreError

_log = logging.getLogger(__name__)


class UnknownToolError(Exception):
    """No tool of this name is offered."""


@dataclass(frozen=True)
class _Call:
    """One call on its way."""

    operation: Operation
    values: JsonObject
    caller: Caller
    given: Mapping[str, Any]
    """The arguments as they came."""
    names: Names
    meant: Meant
    """What its words stand for, as a person was or will be asked about them."""
    read: Reader
    """Reads what is looked at before the question; the same but once."""
    patience: float | None = None
    """How many seconds to wait until what was done has settled; None if nobody waits."""
    aside: str = ""
    """What to say of how the wish was brought into what the API takes."""

    @property
    def account(self) -> Account:
        return self.caller.account


@dataclass
class Dispatcher:
    """Walks calls through the corridor.

    Attributes:
        surface: The tools on offer, by name.
        guard: Lets what changes something pass, or not.
        writer: Sends what passed.
        currency: Currency of the rates shown.
        key_folder: Where private keys go that the API generates; None where the caller sits elsewhere.
        reveal_private_keys: Whether such a key may stand in the result instead.
        drifts: Says in the log what is answered otherwise than known.
        on_redeemed: Told what came of a call that was approved out of band: the request's id, the verdict, a sentence.
        unsaid: What the first answer has to say beside what was asked for; empty if nothing.
        on_end: Told of each call when it is over; None where nobody counts.
    """

    surface: Mapping[str, Offer]
    guard: Guard
    writer: Writer
    currency: str = "USD"
    key_folder: KeyFolder | None = None
    reveal_private_keys: bool = False
    drifts: Drifts = field(default_factory=Drifts)
    on_redeemed: Callable[[str, Ending, str], None] | None = None
    unsaid: str = ""
    on_end: OnEnd | None = None

    def surface_of(self, caller: Caller) -> Mapping[str, Offer]:
        """The tools on offer for one caller, by name."""
        if caller.allowance.tools is None:
            return self.surface
        return {tool: offer for tool, offer in self.surface.items() if caller.allowance.names(tool)}

    async def call(self, tool: str, arguments: Mapping[str, Any], caller: Caller) -> Answer | Asked:
        """Run one tool and answer what came of it, or the question that a person has to answer first.

        Raises:
            UnknownToolError: The surface doesn't offer such a tool.
        """
        offer = self.surface_of(caller).get(tool)
        if offer is None:
            raise UnknownToolError(tool)
        claimed = caller.on_behalf_of or ""
        with (
            sharing(caller.subject),
            coming_from(on_behalf_of=claimed),
            ending(tool, caller.subject, self.on_end) as call,
        ):
            try:
                alike = isinstance(offer, Operation) and offer.reads
                same = (id(self), tool, caller.subject, caller.allowance, compact(arguments)) if alike else None
                answer = await caller.account.moment.share(same, partial(self._walk, offer, arguments, caller))
            except Exception:  # noqa: BLE001 - logged, and answered without its text
                # what was sent answers for itself: here nothing was
                sentence = crashed(tool) if offer.reads else f"{crashed(tool)} Nothing was sent to Barrack."
                answer = conclude("failed" if offer.reads else "refused", sentence, failure="internal")
            call.came_to(answer)
            return answer

    async def _walk(self, offer: Offer, arguments: Mapping[str, Any], caller: Caller) -> Answer | Asked:
        read = Once(caller.account.recall)
        names = Names(caller.account.read, deeds=caller.account.deeds, offered=self.surface_of(caller))
        operation = offer if isinstance(offer, Operation) else None
        asks = operation is not None and not operation.reads
        # how long somebody waits afterwards is no part of what is asked for, sealed and sent
        given = {name: value for name, value in arguments.items() if name != "wait_seconds"}
        try:
            said = present(offer, arguments)
            meant = self.guard.meant_by(operation, given, caller) if operation is not None and asks else NOTHING_MEANT
            values = validated(offer, await names.resolve(offer, said, known=meant.names, read=read))
            patience = values.pop("wait_seconds", None)
            if operation is not None:
                values = await restore(operation, values, read=caller.account.read)
        except BadArgumentsError as error:
            return conclude("refused", f"{error} Nothing was sent.", failure="arguments")
        except NotFoundError as error:
            return conclude("refused", str(error), failure="arguments")
        if operation is None:
            return await self._answer_ourselves(offer, values, caller)
        call = _Call(operation, values, caller, given, names, meant, read, patience)
        return await (self._read(call) if operation.reads else self._change(call))

    async def _answer_ourselves(self, offer: Offer, values: JsonObject, caller: Caller) -> Answer:
        if not isinstance(offer, Insight):
            raise TypeError(offer.tool)
        errand = insights.Errand(
            insight=offer,
            values=values,
            caller=caller,
            offered=self.surface_of(caller),
            currency=self.currency,
            now=self.writer.now(),
            policy=self.guard.policy,
        )
        return await insights.answer(errand, self.writer)

    async def _change(self, call: _Call) -> Answer | Asked:
        wished = await self._wished(call)
        return wished if isinstance(wished, Answer) else await self._guarded(wished)

    async def _wished(self, call: _Call) -> _Call | Answer:
        """Bring a wish into what the API takes; answers at once if it is fulfilled, or can't be told."""
        try:
            wished = await fulfil(call.operation, call.values, read=call.read, meant=call.meant)
        except ApiError as error:
            return await self._unread(call, error)
        except UntoldError as error:
            return conclude("refused", f"{error} Nothing was sent.")
        if isinstance(wished, Settled):
            return conclude("done", wished.sentence, result=wished.result)
        meant = Meant(call.names.found, wished.wish)
        return replace(call, values=wished.values, meant=meant, aside=wished.aside)

    async def _unread(self, call: _Call, error: ApiError) -> Answer:
        """Refuse what is about something that could not be read."""
        explained = await self._explained(call, error, BY_TOOL.get(error.tool, call.operation))
        return conclude("refused", f"{explained} {_TARGET_UNREAD}", failure=error.failure)

    async def _guarded(self, call: _Call) -> Answer | Asked:
        operation, values, caller = call.operation, call.values, call.caller
        booking = self.writer.book(operation, values, caller)
        try:
            await self.writer.check()
            ruling = await self.guard.rule(
                operation,
                values,
                caller,
                book=booking,
                given=call.given,
                meant=call.meant,
                read=call.read,
                beside=partial(self._beside, call),
            )
        except HeldBackError as error:
            return conclude_unsent(hold_back(error.held))
        except ApiError as error:
            return await self._unread(call, error)
        except (StoreError, AuditError) as error:
            # nobody is asked about what can't be kept or written down
            _log.error("%s", error)
            return conclude("refused", STATE_UNUSABLE if isinstance(error, StoreError) else UNRECORDED)
        match ruling:
            case Passed():
                return await self._settled(call, await self.writer.finish(partial(self._write, call, booking, ruling)))
            case Asked():
                return ruling
            case Stopped() | Waiting():
                await self.writer.decided(operation, values, caller, ruling)
                return conclude_held(ruling)

    async def _beside(self, call: _Call, read: Reader) -> None:
        """Read, while the last look is taken, what the sending compares with, and what tells the cost afterwards."""
        async with anyio.create_task_group() as tasks:
            if call.operation.tool in CHANGING_COST and call.operation.risk is not Risk.SPEND:
                # the last look at a purchase reads the prices itself
                tasks.start_soon(recall_soon, call.account, "get_pricing")
            await note(call.operation, call.values, read=read, planned=True)

    async def _settled(self, call: _Call, answer: Answer) -> Answer:
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
                offered=self.surface,
            )
        except Exception:  # noqa: BLE001 - logged, and what was done is told all the same
            return add_to(answer, f"It was not waited for to the end: {crashed(call.operation.tool)}")

    async def _read(self, call: _Call) -> Answer:
        operation, values = call.operation, call.values
        read_at = self.writer.ledger.now()
        try:
            if chooses_by_name(operation, values):
                data = without_nulls(await read_named(call.account.read, operation, values))
            elif asks_for_days(values):
                data = without_nulls(
                    await read_between(
                        call.account.read, operation, values, currency=self.currency, now=self.writer.now()
                    )
                )
            else:
                data = without_nulls(await self._typed(call, values))
        except ApiError as error:
            return conclude("failed", await self._explained(call, error), failure=error.failure)
        if not asks_for_days(values):
            self.drifts.note(operation, data)
        await self.writer.looked(operation, values, call.account, read_at=read_at)
        if unpriced := no_such_model(operation, values, data):
            return conclude("failed", unpriced, failure=Failure.REJECTED)
        if quoted := quote(operation, values, data, self.currency):
            policy = self.guard.policy.within(call.caller.allowance)
            await tell_quotes(
                quoted, data, account=call.account, caller=call.caller.subject, policy=policy, now=self.writer.now()
            )
        cut_prices(operation, values, data)
        tell_scope(operation, values, data)
        if operation.tool == "list_gpu_stock":
            await self._complete(call, data)
        if rows := priced(operation, data):
            rate(operation, data, await recall_prices(call.account, self.currency))
            await show_leases(call.account, operation, rows)
        await self._join(call, data)
        unmet = await explain_empty(operation, values, data, read=partial(self._typed, call))
        data = make_safe(operation, abridge(operation, data, values), values)
        unsaid, self.unsaid = self.unsaid, ""
        if beside := [each for each in (unsaid, unmet) if each]:
            data["notes"] = [*data.get("notes", []), *beside]
        return Answer(data, tell(operation, data, brief=is_brief(operation, values)))

    async def _join(self, call: _Call, data: JsonObject) -> None:
        """Add to machines that are shown in full what their firewalls let in, and to a balance what eats it."""
        tool, read = call.operation.tool, call.account.read
        if tool == "list_instances" and not is_brief(call.operation, call.values):
            await join_firewalls(objects(data.get("instances")), data, read=read)
        elif tool == "get_instance" and objects([data.get("instance")]):
            await show_rules(data["instance"], data, read=read)
        elif tool == "get_credit_balance":
            await tell_burn(call.account, data, currency=self.currency, now=self.writer.now())

    async def _complete(self, call: _Call, data: JsonObject) -> None:
        """Add to the stock what the price list and the specifications say of it, as far as they can be read soon."""
        told: JsonObject = {}

        async def specify() -> None:
            told["prices"] = await recall_prices(call.account, self.currency)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(specify)
            told["specs"] = (await recall_soon(call.account, "list_gpu_specs")).get("specs")
        stock.complete(data, call.values, **told)

    async def _typed(self, call: _Call, values: JsonObject) -> JsonObject:
        """The answer in full; a page that is too large to be read is joined from smaller ones."""

        async def read(tool: str, arguments: JsonObject) -> JsonObject:  # noqa: ARG001 - a reader's own names
            return typed(call.operation, await call.account.client.send(call.operation, arguments))

        return await read_page(read, call.operation.tool, call.operation.on_the_wire(values))

    async def _write(self, call: _Call, booking: Booking, passed: Passed) -> Answer:
        """Send a write, and let the next change of the account go on when it has ended, whatever came of it."""
        try:
            return await self._sent(call, booking, passed)
        finally:
            await booking.drop()
            await passed.turn.give_back()

    async def _sent(self, call: _Call, booking: Booking, passed: Passed) -> Answer:
        operation, values = call.operation, call.values
        keyfile: Path | None = None
        if operation.tool == "create_ssh_key" and "public_key" not in values and not self.reveal_private_keys:
            try:
                keyfile = reserve(self.key_folder, values["name"])
            except OSError:
                return conclude("refused", NO_PLACE)
        sent = await self.writer.send(booking, passed)
        if passed.approval is not None and self.on_redeemed is not None:
            verdict, said, _ = recorded(operation, values, sent)
            self.on_redeemed(passed.approval, verdict, said)
        asker = call.caller.asker
        here = asker is not None and asker.at_terminal
        confirmed = confirm(passed, caller=call.caller.subject, now=self.writer.now(), at_terminal=here)
        try:
            if keyfile is not None and not isinstance(sent, Done):
                # an empty file that stays behind changes nothing of what came of the call
                with suppress(OSError):
                    keyfile.unlink(missing_ok=True)
            return await self._tell(call, sent, keyfile, confirmed)
        except Exception:  # noqa: BLE001 - logged, and answered without its text
            where = look_with(operation, values)
            return conclude("unknown", broke_off(operation, where), confirmed=confirmed, look_with=where)

    async def _tell(self, call: _Call, sent: Sent, keyfile: Path | None, confirmed: Confirmed) -> Answer:
        """Say what came of a write, and who agreed to it if it was sent."""
        match sent:
            case Done():
                return self._done(call, sent, keyfile, cost=await self._cost(call, sent), confirmed=confirmed)
            case NotDone(error) if error.unsent:
                return conclude("refused", await self._explained(call, error), failure=error.failure)
            case NotDone(error):
                told = await self._explained(call, error)
                return conclude("failed", told, failure=error.failure, confirmed=confirmed)
            case Unknown(sentence, where, error, lease):
                more = advice.next_step(call.operation, error) if error is not None else ""
                told = " ".join(part for part in (sentence, more, lease.words) if part)
                return conclude("unknown", told, confirmed=confirmed, look_with=where)
            case Unsent():
                return conclude_unsent(sent)

    async def _cost(self, call: _Call, sent: Done) -> tuple[str, JsonObject]:
        """What it costs from now on, in words and as fields; nothing if that can't be said, or not soon."""
        if call.operation.tool not in CHANGING_COST:
            return "", {}
        prices = await recall_prices(call.account, self.currency)
        return costs_now(call.operation, call.values, sent.data, sent.before, prices)

    def _done(
        self,
        call: _Call,
        sent: Done,
        keyfile: Path | None,
        *,
        cost: tuple[str, JsonObject],
        confirmed: Confirmed,
    ) -> Answer:
        operation = call.operation
        self.drifts.note(operation, sent.data)
        kept = ""
        if keyfile is not None:
            kept, keyfile = keep(take_private_key(operation, sent.data), keyfile)
        data = make_safe(operation, without_nulls(sent.data), call.values, reveal=self.reveal_private_keys)
        if keyfile is not None:
            data["private_key_file"] = str(keyfile)
        moved = ""
        if operation.tool == "attach_firewall":
            names = {thing_id: name for name, thing_id in call.names.found.values()}
            moved, fields = tell_moves(sent.before, sent.data, call.values, names)
            data |= make_safe(operation, fields, call.values)
        if sent.replaced is not None and operation.result is not None and operation.replaces is not None:
            # the old text is told as the new one is
            old = {operation.result: {operation.replaces: sent.replaced}}
            data["replaced"] = make_safe(operation, old, call.values)[operation.result].get(operation.replaces)
        said = sent.words(operation).rstrip(".")
        if sent.partly:
            asked = ", ".join(name for name in operation.arguments.model_fields if name.endswith("_ids"))
            message = f"{said}. Not done for all of {asked}: the result tells which were done and which failed."
            return conclude("failed", message, result=data, failure="partly", confirmed=confirmed)
        price, fields = cost
        data |= sent.lease.fields
        billing = {"note": operation.billing, **fields} if operation.billing else None
        following = tell_next(operation, call.values, offered=self.surface, waits=call.patience is not None)
        parts = (f"{said}.", moved, kept, price, operation.billing, sent.lease.words, following, call.aside)
        message = " ".join(part for part in parts if part)
        return conclude("done", message, result=data, billing=billing, confirmed=confirmed)

    async def _explained(self, call: _Call, error: ApiError, operation: Operation | None = None) -> str:
        """The API's own words, and what to do now.

        Args:
            call: The call.
            error: What the API said.
            operation: What it said that to, if not to the call itself.
        """
        operation = operation or call.operation
        parts = [error.sentence]
        if (more := advice.follow_up(operation, error)) is not None:
            arguments = {name: call.values[name] for name in more.arguments}
            try:
                parts.append(more.sentence(await call.account.read(more.tool, arguments)))
            except ApiError as second:
                _log.info("%s could not be read: %s", more.tool, second.failure)
        if error.status == HTTPStatus.NOT_FOUND and (new := call.names.what_is_new(call.operation, call.values)):
            return f"{error.sentence} {new}"
        if error.status == HTTPStatus.NOT_FOUND:
            parts.append(await call.names.suggest(operation, call.values))
        parts.append(advice.next_step(operation, error))
        return " ".join(part for part in parts if part)


_TARGET_UNREAD: Final = "So it can't be said what the call would do, and nothing was changed."
