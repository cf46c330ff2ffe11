"""Every read, tried: lists first, then single things with the ids found on the way, then other places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

import anyio

from barrack_mcp.account.things import text
from barrack_mcp.api.answer.success import Says, says
from barrack_mcp.api.errors import read_error
from barrack_mcp.api.probe import AT_ONCE, Form, Heard, Probe, Trouble
from barrack_mcp.api.wire.checks import placeholders
from barrack_mcp.api.wire.form import Contract, Sent, WireError
from barrack_mcp.api.wire.overrides import ApiOverride, OperationOverride, Overrides, merged
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.kinds import KINDS, kind_named_by
from barrack_mcp.cli.doctor.drift import Fit, fit, one, rows
from barrack_mcp.cli.doctor.elsewhere import How, Place, places, pointed_at
from barrack_mcp.cli.doctor.report import Read, Verdict

READS: Final = tuple(operation for operation in OPERATIONS if operation.reads)
LEAST_S: Final = 0.3
"""A read that has less time than this isn't begun."""
MOST_S: Final = 4.0

_SLASHES_FOR_ALL: Final = 2
_UNKNOWN: Final = (404, 405, 410, 501)
_BAD_REQUEST: Final = (400, 422)


class Reads:
    """Tries every read on one API.

    Args:
        probe: Asks.
        form: How the key rides.
        contract: Where the reads are and how they speak.
        seconds: For one request at most.
        deadline: When all of it must be over, by the event loop's clock.
    """

    def __init__(self, probe: Probe, *, form: Form, contract: Contract, seconds: float, deadline: float) -> None:
        self._probe = probe
        self._form = form
        # one of our own: what answers at another place must not count as seen to work at this one
        self._contract = Contract(contract.overrides)
        self._seconds = min(seconds, MOST_S)
        self._deadline = deadline
        self._ids: dict[str, str] = {}
        self._listed: set[str] = set()
        self._done: dict[str, Read] = {}
        self._pointed: dict[str, str] = {}
        self._won: Counter[How] = Counter()
        self._places = anyio.Semaphore(AT_ONCE)
        self._taken = [contract.for_(operation).path for operation in OPERATIONS]

    async def run(self) -> tuple[Read, ...]:
        """Try them all, at most eight at once; answers them in the order of the catalogue."""
        for wave in (
            [operation for operation in READS if not self._needs(operation)],
            [operation for operation in READS if self._needs(operation)],
        ):
            await self._at_once(self._first, wave)
            absent = [each for each in wave if self._done[each.tool].verdict is Verdict.MISSING]
            await self._at_once(self._elsewhere, absent)
        return tuple(self._done[operation.tool] for operation in READS)

    def override(self) -> Overrides:
        """Everything to lay over the contract, in one: a slash that is wrong everywhere is said once."""
        slashed = {tool: path for tool, read in self._done.items() if (path := _only_slash(read))}
        works = any(read.verdict is Verdict.WORKS for read in self._done.values())
        ends = {path.endswith("/") for path in slashed.values()}
        everywhere = len(slashed) >= _SLASHES_FOR_ALL and len(ends) == 1 and not works
        whole = Overrides(api=ApiOverride(slash="always" if True in ends else "never")) if everywhere else Overrides()
        for operation in READS:
            said = self._done[operation.tool].override.operations.get(operation.tool)
            if said is not None:
                said = replace(said, path=None) if everywhere and operation.tool in slashed else said
                whole = merged(whole, one(operation, said))
        return whole

    async def _at_once(self, step: Callable[[Operation], Awaitable[None]], operations: Sequence[Operation]) -> None:
        async def in_turn(operation: Operation) -> None:
            async with self._places:
                await step(operation)

        async with anyio.create_task_group() as tasks:
            for operation in operations:
                tasks.start_soon(in_turn, operation)

    def _needs(self, operation: Operation) -> tuple[str, ...]:
        wire = self._contract.for_(operation)
        required = [name for name, info in operation.arguments.model_fields.items() if info.is_required()]
        return tuple(dict.fromkeys((*required, *placeholders(wire.path))))

    def _values(self, operation: Operation) -> dict[str, str]:
        """The ids found so far that a read needs."""
        return {name: self._ids[name] for name in self._needs(operation)}

    async def _first(self, operation: Operation) -> None:
        """Try a read where the contract has it."""
        sent = self._request(operation)
        if isinstance(sent, str):
            self._note(operation, Verdict.UNTRIED, sent)
        else:
            self._judge(operation, await self._ask(sent.path, sent.query))

    def _request(self, operation: Operation) -> Sent | str:
        """What to send for a read; or why it can't be tried."""
        wire = self._contract.for_(operation)
        if wire.method != "GET":
            return f"It is a {wire.method}, and the doctor sends nothing but GET."
        for name in self._needs(operation):
            if (kind := kind_named_by(name)) is None:
                return f"It needs {name}, and no read tells one."
            if name not in self._ids:
                why = "lists none in this account" if kind.list_tool in self._listed else "did not work"
                return f"No id: {kind.list_tool} {why}."
        try:
            sent = wire.request(self._values(operation))
        except WireError:
            return "The id found has no form in this path."
        return sent if sent.body is None else "It wants a body here, and the doctor sends none."

    async def _ask(self, path: str, query: JsonObject | None) -> Heard | Trouble | None:
        left = self._deadline - anyio.current_time()
        if left < LEAST_S:
            return None
        return await self._probe.get(path, seconds=min(self._seconds, left), form=self._form, query=query)

    def _judge(self, operation: Operation, heard: Heard | Trouble | None) -> None:
        if heard is None:
            self._note(operation, Verdict.UNTRIED, "The time was up before its turn.")
        elif isinstance(heard, Trouble):
            self._note(operation, Verdict.FAILS, _TROUBLE.get(heard, "The connection broke."))
        elif heard.gateway is not None and (heard.gateway.keeps_out or heard.in_trouble):
            self._note(operation, Verdict.FAILS, f"{heard.gateway.sentence}.")
        elif heard.status in _BAD_REQUEST and not heard.web_page:
            self._wants(operation, heard)
        elif (verdict := _absent(heard)) is not None:
            there = pointed_at(heard.location, base=self._probe.url, values=self._values(operation))
            self._pointed[operation.tool] = there
            self._note(operation, *verdict)
        elif heard.wrong:
            self._note(operation, Verdict.FAILS, f"The answer {heard.wrong}.")
        elif self._says_no(operation, heard):
            self._note(operation, Verdict.FAILS, "The API says that it did not succeed.")
        else:
            self._read(operation, fit(operation, self._contract, heard.body))

    def _says_no(self, operation: Operation, heard: Heard) -> bool:
        body: Any = self._contract.for_(operation).answer(heard.body) if isinstance(heard.body, dict | list) else None
        return says(operation, heard.status, body) is Says.NO

    def _wants(self, operation: Operation, heard: Heard) -> None:
        """Tell what the API wants beyond what was asked, by the names of our arguments alone."""
        error = read_error(heard.status, heard.body)
        named = self._contract.for_(operation).errors(error.fields)
        wanted = tuple(name for name in operation.arguments.model_fields if name in named)
        override = one(operation, OperationOverride(requires=wanted))
        told = f"The API answers {heard.status}" + (f" and wants {', '.join(wanted)}." if wanted else ".")
        self._note(operation, Verdict.DIFFERS, told, override=override)

    def _read(self, operation: Operation, fitting: Fit) -> None:
        said = OperationOverride(result=fitting.way or None, fields=dict(fitting.drift.renamed))
        if fitting.fits:
            verdict, told = Verdict.WORKS, ""
        elif fitting.way:
            verdict, told = Verdict.DIFFERS, f"The result is in {fitting.way}."
        else:
            verdict, told = Verdict.DIFFERS, "The answer holds no result that we know."
        self._note(operation, verdict, told, fitting=fitting, override=one(operation, said))

    async def _elsewhere(self, operation: Operation) -> None:
        """Try a read that is missing in a few other places, and keep the first where it fits."""
        wire = self._contract.for_(operation)
        pointed = self._pointed.get(operation.tool, "")
        for place in places(operation, wire.path, pointed=pointed, taken=self._taken, won=self._won):
            if set(placeholders(place.path)) <= self._ids.keys() and await self._fits_at(operation, place):
                return

    async def _fits_at(self, operation: Operation, place: Place) -> bool:
        said = OperationOverride(path=place.path)
        there = Contract(merged(self._contract.overrides, one(operation, said)))
        needed = self._values(operation) | {name: self._ids[name] for name in placeholders(place.path)}
        try:
            sent = there.for_(operation).request(needed)
        except WireError:
            return False
        if there.for_(operation).path == self._contract.for_(operation).path:
            # the contract has one slash for all
            return False
        heard = await self._ask(sent.path, sent.query)
        if not isinstance(heard, Heard) or heard.status != HTTPStatus.OK or heard.wrong:
            return False
        fitting = fit(operation, self._contract, heard.body)
        if not fitting.fits:
            return False
        self._won[place.how] += 1
        said = OperationOverride(path=place.path, result=fitting.way or None, fields=dict(fitting.drift.renamed))
        told = f"It is at {place.path} ({place.how.value})."
        self._note(operation, Verdict.DIFFERS, told, fitting=fitting, override=one(operation, said))
        return True

    def _note(
        self,
        operation: Operation,
        verdict: Verdict,
        told: str,
        *,
        fitting: Fit | None = None,
        override: Overrides | None = None,
    ) -> None:
        wire = self._contract.for_(operation)
        parts: dict[str, Any] = {"override": override} if override is not None else {}
        if fitting is not None:
            parts["drift"] = fitting.drift
            self._learn(operation, fitting)
        self._done[operation.tool] = Read(operation.tool, wire.method, wire.path, verdict, told, **parts)

    def _learn(self, operation: Operation, fitting: Fit) -> None:
        """Take the first id of a list for the reads that need one."""
        if fitting.data:
            self._listed.add(operation.tool)
        for kind in KINDS:
            if kind.list_tool == operation.tool:
                ids = (text(row, *kind.ids) for row in rows(operation, fitting.data))
                if (found := next(filter(None, ids), None)) is not None:
                    self._ids |= dict.fromkeys(kind.arguments, found)


def _absent(heard: Heard) -> tuple[Verdict, str] | None:
    """What a status says that is no success; None for a success."""
    status = heard.status
    if heard.refuses_key:
        return Verdict.REFUSED, f"The API answers {status}: this key may not."
    if status in _UNKNOWN:
        return Verdict.MISSING, f"The API answers {status}."
    if heard.redirects:
        return Verdict.MISSING, "The API redirects this path; not followed."
    if heard.web_page and not heard.in_trouble:
        return Verdict.MISSING, "A web page is there."
    if not heard.succeeded:
        return Verdict.FAILS, f"The API answers {status}; try again later."
    return None


def _only_slash(read: Read) -> str:
    """The path at which a read was found, if nothing but the last slash was wrong; else nothing."""
    said = read.override.operations.get(read.tool, OperationOverride())
    path = said.path or ""
    return path if path.strip("/") == read.path.strip("/") else ""


_TROUBLE: Final = {
    Trouble.REFUSED: "The connection was refused.",
    Trouble.NO_CONNECTION: "No connection in time.",
    Trouble.SILENT: "No whole answer in time.",
}
DOCUMENTED: Final = BY_TOOL["get_pricing"]
"""The one read whose path the vendor documents."""
