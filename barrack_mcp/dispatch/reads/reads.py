"""A call that only looks, from the API's answer to the model's, with what stands beside it."""

from __future__ import annotations

from functools import partial

import anyio

from barrack_mcp.account.leases import show_leases
from barrack_mcp.account.rates import no_such_model, priced, quote, rate
from barrack_mcp.account.reading import read_page
from barrack_mcp.account.spending.bills import asks_for_days, read_between, tell_scope
from barrack_mcp.account.spending.credit import tell_burn
from barrack_mcp.account.things import objects
from barrack_mcp.api.body import typed, without_nulls
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.dispatch.answers.advice import explain
from barrack_mcp.dispatch.answers.brief import abridge, is_brief
from barrack_mcp.dispatch.answers.drift import Drifts
from barrack_mcp.dispatch.answers.outcomes import Answer, conclude, tell
from barrack_mcp.dispatch.answers.pricing import cut_prices, recall_prices, recall_soon
from barrack_mcp.dispatch.answers.safe import make_safe
from barrack_mcp.dispatch.call import Call
from barrack_mcp.dispatch.reads import stock
from barrack_mcp.dispatch.reads.filters import explain_empty
from barrack_mcp.dispatch.reads.named import chooses_by_name, read_named
from barrack_mcp.dispatch.reads.quotes import tell_quotes
from barrack_mcp.dispatch.reads.reach import join_firewalls, show_rules
from barrack_mcp.dispatch.writes.writer import Writer
from barrack_mcp.guard.decide import Policy


class Reads:
    """Answers calls that only look.

    Args:
        policy: What the operator set.
        writer: Hears what was seen: it tells what became of a write without an answer.
        currency: Currency of the rates shown.
        drifts: Says in the log what is answered otherwise than known.
        unsaid: What the first answer has to say beside what was asked for; empty if nothing.
    """

    def __init__(self, policy: Policy, writer: Writer, *, currency: str, drifts: Drifts, unsaid: str) -> None:
        self._policy, self._writer = policy, writer
        self._currency, self._drifts, self._unsaid = currency, drifts, unsaid

    async def answer(self, call: Call) -> Answer:
        """Read what a call asks for, and answer it with what stands beside it."""
        operation, values = call.operation, call.values
        read_at = self._writer.ledger.now()
        try:
            if chooses_by_name(operation, values):
                data = without_nulls(await read_named(call.account.read, operation, values))
            elif asks_for_days(values):
                data = without_nulls(
                    await read_between(
                        call.account.read, operation, values, currency=self._currency, now=self._writer.now()
                    )
                )
            else:
                data = without_nulls(await _read_in_full(call, values))
        except ApiError as error:
            return conclude("failed", await explain(call, error), failure=error.failure)
        if not asks_for_days(values):
            self._drifts.note(operation, data)
        await self._writer.looked(operation, values, call.account, read_at=read_at)
        if unpriced := no_such_model(operation, values, data):
            return conclude("failed", unpriced, failure=Failure.REJECTED)
        if quoted := quote(operation, values, data, self._currency):
            policy = self._policy.within(call.caller.allowance)
            await tell_quotes(
                quoted, data, account=call.account, caller=call.caller.subject, policy=policy, now=self._writer.now()
            )
        cut_prices(operation, values, data)
        tell_scope(operation, values, data)
        if operation.tool == "list_gpu_stock":
            await self._complete(call, data)
        if rows := priced(operation, data):
            rate(operation, data, await recall_prices(call.account, self._currency))
            await show_leases(call.account, operation, rows)
        await self._join(call, data)
        unmet = await explain_empty(operation, values, data, read=partial(_read_in_full, call))
        data = make_safe(operation, abridge(operation, data, values), values)
        unsaid, self._unsaid = self._unsaid, ""
        if beside := [each for each in (unsaid, unmet) if each]:
            data["notes"] = [*data.get("notes", []), *beside]
        return Answer(data, tell(operation, data, brief=is_brief(operation, values)))

    async def _join(self, call: Call, data: JsonObject) -> None:
        """Add to machines that are shown in full what their firewalls let in, and to a balance what eats it."""
        tool, read = call.operation.tool, call.account.read
        if tool == "list_instances" and not is_brief(call.operation, call.values):
            await join_firewalls(objects(data.get("instances")), data, read=read)
        elif tool == "get_instance" and objects([data.get("instance")]):
            await show_rules(data["instance"], data, read=read)
        elif tool == "get_credit_balance":
            await tell_burn(call.account, data, currency=self._currency, now=self._writer.now())

    async def _complete(self, call: Call, data: JsonObject) -> None:
        """Add to the stock what the price list and the specifications say of it, as far as they can be read soon."""
        told: JsonObject = {}

        async def specify() -> None:
            told["prices"] = await recall_prices(call.account, self._currency)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(specify)
            told["specs"] = (await recall_soon(call.account, "list_gpu_specs")).get("specs")
        stock.complete(data, call.values, **told)


async def _read_in_full(call: Call, values: JsonObject) -> JsonObject:
    """The answer in full; a page that is too large to be read is joined from smaller ones."""

    async def read(tool: str, arguments: JsonObject) -> JsonObject:  # noqa: ARG001 - a reader's own names
        return typed(call.operation, await call.account.client.send(call.operation, arguments))

    return await read_page(read, call.operation.tool, call.operation.on_the_wire(values))
