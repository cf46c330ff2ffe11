"""What is told of a write that passed: what came of it, what it costs from now on, and what is next."""

from __future__ import annotations

from pathlib import Path

from barrack_mcp.account.rates import CHANGING_COST, costs_now
from barrack_mcp.api.body import without_nulls
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.outcome import Confirmed
from barrack_mcp.dispatch.answers.advice import explain, next_step
from barrack_mcp.dispatch.answers.drift import Drifts
from barrack_mcp.dispatch.answers.next_steps import tell_next
from barrack_mcp.dispatch.answers.outcomes import Answer, conclude
from barrack_mcp.dispatch.answers.pricing import recall_prices
from barrack_mcp.dispatch.answers.safe import make_safe, take_private_key
from barrack_mcp.dispatch.arguments.wishes import tell_moves
from barrack_mcp.dispatch.call import Call
from barrack_mcp.dispatch.writes.keyfile import keep
from barrack_mcp.dispatch.writes.sent import Done, NotDone, Sent, Unknown, Unsent


def conclude_unsent(unsent: Unsent) -> Answer:
    """Say that a write was held back on our side."""
    return conclude("refused", unsent.sentence, look_with=unsent.look_with)


class Report:
    """Says what came of a write.

    Args:
        currency: Currency of the rates shown.
        drifts: Says in the log what is answered otherwise than known.
        reveal_private_keys: Whether a key that the API generated may stand in the result.
    """

    def __init__(self, *, currency: str, drifts: Drifts, reveal_private_keys: bool) -> None:
        self._currency, self._drifts = currency, drifts
        self._reveal_private_keys = reveal_private_keys

    async def tell(self, call: Call, sent: Sent, keyfile: Path | None, confirmed: Confirmed) -> Answer:
        """Say what came of a write, and who agreed to it if it was sent."""
        match sent:
            case Done():
                return self._done(call, sent, keyfile, cost=await self._cost(call, sent), confirmed=confirmed)
            case NotDone(error) if error.unsent:
                return conclude("refused", await explain(call, error), failure=error.failure)
            case NotDone(error):
                told = await explain(call, error)
                return conclude("failed", told, failure=error.failure, confirmed=confirmed)
            case Unknown(sentence, where, error, lease):
                more = next_step(call.operation, error) if error is not None else ""
                told = " ".join(part for part in (sentence, more, lease.words) if part)
                return conclude("unknown", told, confirmed=confirmed, look_with=where)
            case Unsent():
                return conclude_unsent(sent)

    async def _cost(self, call: Call, sent: Done) -> tuple[str, JsonObject]:
        """What it costs from now on, in words and as fields; nothing if that can't be said, or not soon."""
        if call.operation.tool not in CHANGING_COST:
            return "", {}
        prices = await recall_prices(call.account, self._currency)
        return costs_now(call.operation, call.values, sent.data, sent.before, prices)

    def _done(
        self, call: Call, sent: Done, keyfile: Path | None, *, cost: tuple[str, JsonObject], confirmed: Confirmed
    ) -> Answer:
        operation = call.operation
        self._drifts.note(operation, sent.data)
        kept = ""
        if keyfile is not None:
            kept, keyfile = keep(take_private_key(operation, sent.data), keyfile)
        data = make_safe(operation, without_nulls(sent.data), call.values, reveal=self._reveal_private_keys)
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
        following = tell_next(operation, call.values, offered=call.offered, waits=call.patience is not None)
        parts = (f"{said}.", moved, kept, price, operation.billing, sent.lease.words, following, call.aside)
        message = " ".join(part for part in parts if part)
        return conclude("done", message, result=data, billing=billing, confirmed=confirmed)
