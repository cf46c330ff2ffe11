"""Walks calls through the corridor: looks up the tool, checks what is said, and lets it be read or changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final

from barrack_mcp.account.account import Once
from barrack_mcp.api.pace import sharing
from barrack_mcp.api.text import compact
from barrack_mcp.catalogue import Insight, JsonObject, Offer, Operation
from barrack_mcp.catalogue.outcome import Ending
from barrack_mcp.dispatch import insights
from barrack_mcp.dispatch.answers.drift import Drifts
from barrack_mcp.dispatch.answers.outcomes import Answer, conclude
from barrack_mcp.dispatch.arguments.names import Names, NotFoundError
from barrack_mcp.dispatch.arguments.validation import BadArgumentsError, drop_blanks, validate
from barrack_mcp.dispatch.call import Call
from barrack_mcp.dispatch.crash import log_crash
from barrack_mcp.dispatch.ending import OnEnd, ending
from barrack_mcp.dispatch.reads.reads import Reads
from barrack_mcp.dispatch.writes.changes import Changes
from barrack_mcp.dispatch.writes.keyfile import KeyFolder
from barrack_mcp.dispatch.writes.original import restore
from barrack_mcp.dispatch.writes.report import Report
from barrack_mcp.dispatch.writes.writer import Writer
from barrack_mcp.guard.asking.asker import Asked
from barrack_mcp.guard.asking.meanings import NOTHING_MEANT
from barrack_mcp.guard.guard import Guard
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.state.audit.origin import coming_from

_SURFACES: Final = 256
"""Of callers who may less than all, kept at once."""


class UnknownToolError(Exception):
    """No tool of this name is offered."""


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

    def __post_init__(self) -> None:
        # callers differ in little: to go through all tools twice a call takes a thirtieth of a read
        self._narrowed = lru_cache(_SURFACES)(self._left)
        policy, unsaid = self.guard.policy, self.unsaid
        self._reads = Reads(policy, self.writer, currency=self.currency, drifts=self.drifts, unsaid=unsaid)
        self._changes = Changes(
            self.guard,
            self.writer,
            Report(currency=self.currency, drifts=self.drifts, reveal_private_keys=self.reveal_private_keys),
            key_folder=self.key_folder,
            reveal_private_keys=self.reveal_private_keys,
            on_redeemed=self.on_redeemed,
        )

    def surface_of(self, caller: Caller) -> Mapping[str, Offer]:
        """The tools on offer for one caller, by name."""
        tools = caller.allowance.tools
        return self.surface if tools is None else self._narrowed(tools)

    def _left(self, tools: frozenset[str]) -> Mapping[str, Offer]:
        return MappingProxyType({tool: offer for tool, offer in self.surface.items() if tool in tools})

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
                sentence = log_crash(tool) if offer.reads else f"{log_crash(tool)} Nothing was sent to Barrack."
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
            said = drop_blanks(offer, arguments)
            meant = self.guard.meant_by(operation, given, caller) if operation is not None and asks else NOTHING_MEANT
            values = validate(offer, await names.resolve(offer, said, known=meant.names, read=read))
            patience = values.pop("wait_seconds", None)
            if operation is not None:
                values = await restore(operation, values, read=caller.account.read)
        except BadArgumentsError as error:
            return conclude("refused", f"{error} Nothing was sent.", failure="arguments")
        except NotFoundError as error:
            return conclude("refused", str(error), failure="arguments")
        if operation is None:
            return await self._answer_ourselves(offer, values, caller)
        call = Call(
            operation=operation,
            values=values,
            caller=caller,
            given=given,
            names=names,
            meant=meant,
            read=read,
            offered=self.surface,
            patience=patience,
        )
        return await (self._reads.answer(call) if operation.reads else self._changes.answer(call))

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
