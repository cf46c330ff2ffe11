"""Addresses asked one by one what they can do, for the operations that nothing else has told.

Whatever stands in a path is made up: no address of a thing of anybody's is asked, since a server may be so simple that
it does its work whichever the method. What an address says counts only if an address beside it that can't be says
something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from http import HTTPStatus
from itertools import islice
from typing import Final, NamedTuple

import anyio

from barrack_mcp.api.learning.asking import AT_ONCE, Asker, Method, Reply, SpentError
from barrack_mcp.api.learning.candidates import Candidate, candidates, method_there
from barrack_mcp.api.learning.found import Found, Hindrance, Progress, Source
from barrack_mcp.api.learning.hindrances import SPENT, Hindered, hindered, refusal, refused
from barrack_mcp.api.learning.options import Said, said_by
from barrack_mcp.api.openapi.document import Document, TheirOperation
from barrack_mcp.api.openapi.schemas import Shape
from barrack_mcp.api.wire.bounds import PLACEHOLDER, place
from barrack_mcp.api.wire.names import plain
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation

NOWHERE: Final = "no-such-address-e3b7"
"""The last word of an address that can't be."""
DUMMIES: Final = ("0", "00000000-0000-0000-0000-000000000000")
"""What stands for a thing in a path: nobody's number, nobody's UUID."""

_ACCEPT: Final = {"Accept": "application/json"}
_PATIENCE: Final = 20
"""So many addresses that say nothing, before any has said something, are enough."""
_TROUBLES: Final = 5
_REFUSALS: Final = 5
_REFUSALS_AMONG_OTHERS: Final = 20
"""The same, where the key was good for something: it may be that it may not do the rest."""
_SILENT: Final = "The API's addresses say nothing of themselves, so nothing was learned from them."
_CATCH_ALL: Final = "The API answers alike for addresses that can't be, so its addresses tell nothing."
_MUTE: Final = frozenset(
    {
        *(HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.BAD_REQUEST),
        *(HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.NOT_IMPLEMENTED),
    }
)
"""How an address answers OPTIONS that is there, and that may say more when it is asked with GET."""


async def ask_addresses(
    asker: Asker, url: str, *, known: Mapping[str, str], today: date, tell: Progress | None = None
) -> Found | None:
    """Ask the addresses where operations may be that are not known yet, with OPTIONS, or with GET where that is mute.

    Args:
        asker: Asks; no more than it has left.
        url: The API's base URL, without a slash at its end.
        known: The paths that surer sources told, by tool; none of these tools is looked for.
        today: Goes with what is found.
        tell: Told how many requests were made, of how many that may be needed.

    Returns:
        Operations, each with the tool that it was asked for as its id; none, with what was in the way, where something
        was; None where there is nothing to say.
    """
    survey = _Survey(asker, url, known, tell)
    await survey.look()
    return survey.found(today)


class _Told(NamedTuple):
    """What an address says, and how its path is written."""

    said: Said
    path: str


class _Survey:
    """One round of questions: what was said where, and what is to be asked next."""

    def __init__(self, asker: Asker, url: str, known: Mapping[str, str], tell: Progress | None) -> None:
        self._asker = asker
        self._url = url
        self._known = dict(known)
        self._tell = tell
        self._begun = asker.requests
        self._told: dict[str, _Told | None] = {}
        self._found: dict[str, TheirOperation] = {}
        self._notes: dict[str, None] = {}
        self._ends = ["", "/"] if known and not any(path.endswith("/") for path in known.values()) else ["/", ""]
        self._dummies = list(DUMMIES)
        self._sure_of_end, self._sure_of_dummy = bool(known), False
        self._mute = self._refusals = self._troubles = 0
        self._refused = False
        self._stopped: Hindered | None = None
        self._enough = False

    async def look(self) -> None:
        """Ask for lists first, then for the things in them, then for what is done to things."""
        unknown = [operation for operation in OPERATIONS if operation.tool not in self._known]
        await self._ask_all([f"/{NOWHERE}", *self._above(unknown)])
        if self._told.get(f"/{NOWHERE}") is not None:
            self._notes[_CATCH_ALL] = None
            return
        for wave in _waves(unknown):
            await self._look_for(wave)
        if self._found and not self._over:
            await self._look_again([operation for operation in unknown if operation.tool not in self._found])

    def _above(self, operations: Iterable[Operation]) -> Iterator[str]:
        """The known addresses above those of operations: what is made there, and how it is spelled, tells of them."""
        known = {_shape_of(path.rstrip("/")): path.rstrip("/") for path in self._known.values()}
        for operation in operations:
            for candidate in candidates(operation, self._known):
                path = candidate.path
                while path:
                    if _shape_of(path) in known:
                        yield known[_shape_of(path)]
                    path = path.rpartition("/")[0]

    async def _look_again(self, operations: Iterable[Operation]) -> None:
        """Ask the likeliest places of what was not found with the other end: one API may write paths both ways."""
        self._ends.reverse()
        self._told = {there: told for there, told in self._told.items() if told is not None or there.count("/") == 1}
        await self._look_for(operations, most=1)

    def _likely(self, operation: Operation) -> Iterator[Candidate]:
        """Where it may be: not below what was asked and said nothing."""
        for candidate in candidates(operation, self._known):
            top = "/".join(candidate.path.split("/")[:2])
            if candidate.path == top or self._told.get(top, True) is not None:
                yield candidate

    async def _look_for(self, operations: Iterable[Operation], *, most: int | None = None) -> None:
        """Ask each operation's likeliest place, then the next of those that were not there."""
        left = {each.tool: islice(self._likely(each), most) for each in operations}
        while left and not self._over:
            asked = {tool: next(places, None) for tool, places in left.items()}
            trials = {tool: candidate for tool, candidate in asked.items() if candidate is not None}
            await self._ask_all([each.path for each in trials.values()])
            there = [each for each in trials.values() if self._told[_shape_of(each.path)] is not None]
            await self._ask_all([control(each) for each in there])
            for tool, candidate in trials.items():
                if (operation := self._operation(BY_TOOL[tool], candidate)) is not None:
                    self._found[tool] = operation
            left = {tool: left[tool] for tool in trials if tool not in self._found}
        self._known |= {tool: operation.path for tool, operation in self._found.items()}

    @property
    def _over(self) -> bool:
        return self._enough or self._stopped is not None

    async def _ask_all(self, paths: Iterable[str]) -> None:
        new = {_shape_of(path): path for path in paths}
        asked = [path for there, path in new.items() if there not in self._told]
        self._told |= dict.fromkeys(map(_shape_of, asked))
        turns = anyio.Semaphore(AT_ONCE)
        # the first to answer tells how all are spelled
        while asked and len(self._spellings(asked[0])) > 1 and not self._over:
            await self._ask(asked.pop(0), turns)
        async with anyio.create_task_group() as group:
            for path in asked:
                group.start_soon(self._ask, path, turns)

    async def _ask(self, path: str, turns: anyio.Semaphore) -> None:
        """Ask one address in the spellings that it may have, until it says something."""
        async with turns:
            for end, dummy in self._spellings(path):
                if self._over:
                    return
                written = f"{path}{end}"
                said = await self._said_at(self._url + PLACEHOLDER.sub(dummy, written))
                if said is not None:
                    self._told[_shape_of(path)] = _Told(said, written)
                    self._learn_spelling(end, dummy if "{" in path else None)
                    return
        self._mute += 1
        self._enough = self._enough or (self._mute >= _PATIENCE and not any(self._told.values()))

    def _spellings(self, path: str) -> list[tuple[str, str]]:
        ends = self._ends[:1] if self._sure_of_end else self._ends
        dummies = self._dummies[:1] if self._sure_of_dummy or "{" not in path else self._dummies
        return [(end, dummy) for dummy in dummies for end in ends]

    def _learn_spelling(self, end: str, dummy: str | None) -> None:
        self._ends.sort(key=lambda each: each != end)
        self._sure_of_end = True
        if dummy is not None:
            self._dummies.sort(key=lambda each: each != dummy)
            self._sure_of_dummy = True

    async def _said_at(self, address: str) -> Said | None:
        reply = await self._reply("OPTIONS", address)
        said = said_by(reply) if reply is not None else None
        if reply is None or said is not None or reply.status not in _MUTE:
            return said
        # it may be mute in this, and still say which methods it has when it is asked with another
        reply = await self._reply("GET", address)
        return said_by(reply) if reply is not None and reply.status == HTTPStatus.METHOD_NOT_ALLOWED else None

    async def _reply(self, method: Method, address: str) -> Reply | None:
        """Ask once; None where there is no going on."""
        if self._over:
            return None
        try:
            reply = await self._asker.ask(method, address, headers=_ACCEPT, with_key=True)
        except SpentError:
            self._stopped = Hindered(Hindrance.SPENT, SPENT)
            return None
        except ValueError:
            # a learned path may be one that nobody can ask
            return None
        if self._tell is not None:
            made = self._asker.requests - self._begun
            self._tell(made, max(made, len(self._told)))
        self._judge(reply)
        return reply if self._stopped is None else None

    def _judge(self, reply: Reply) -> None:
        """See what an answer means for going on: one that is refused or lost is no reason to end, several are."""
        self._refused = self._refused or refused(reply)
        self._refusals = self._refusals + 1 if refused(reply) else 0
        troubled = not reply.status or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self._troubles = self._troubles + 1 if troubled and reply.status != HTTPStatus.NOT_IMPLEMENTED else 0
        if self._stopped is not None:
            return
        if self._refusals >= (_REFUSALS_AMONG_OTHERS if any(self._told.values()) else _REFUSALS):
            self._stopped = refusal(has_key=self._asker.has_key)
        elif self._troubles >= _TROUBLES:
            words = "The API has trouble of its own, again and again: start again later."
            self._stopped = Hindered(Hindrance.UNREACHABLE, words)
        elif (way := hindered(reply)) is not None and (reply.status or self._troubles > 1):
            self._stopped = way

    def _operation(self, operation: Operation, candidate: Candidate) -> TheirOperation | None:
        """What an address says of an operation, if it says anything that an address beside it does not."""
        told = self._told.get(_shape_of(candidate.path))
        beside = self._told.get(_shape_of(control(candidate)))
        if told is None or (beside is not None and _alike(told.said, beside.said)):
            return None
        method = method_there(operation, candidate, told.said.methods)
        taken = {place(each.method, each.path) for each in self._found.values()}
        if method is None or place(method, told.path) in taken:
            return None
        return TheirOperation(
            method=method,
            path=told.path,
            operation_id=operation.tool,
            body=self._body(candidate, told, method),
            origin=self._url + told.path,
        )

    def _body(self, candidate: Candidate, told: _Told, method: str) -> Shape | None:
        """What an address takes; None where it only repeats what is taken where such things are made."""
        body = told.said.bodies.get(method)
        above = candidate.parent
        while body is not None and above:
            there = self._told.get(_shape_of(above))
            if there is not None and there.said.bodies.get("POST") == body:
                return None
            above = above.rpartition("/")[0]
        return body if body is not None and body.fields else None

    def found(self, today: date) -> Found | None:
        """What all of it comes to."""
        if self._enough and self._refused:
            self._stopped = self._stopped or refusal(has_key=self._asker.has_key)
        elif self._enough:
            self._notes[_SILENT] = None
        if self._stopped is not None:
            self._notes[self._stopped.sentence] = None
        if not self._found and not self._notes:
            return None
        ordered = tuple(self._found[tool] for tool in BY_TOOL if tool in self._found)
        return Found(
            source=Source.ADDRESS,
            place=self._url,
            day=today,
            document=Document(name=self._url, operations=ordered),
            notes=tuple(self._notes),
            complete=self._stopped is None,
            hindered=self._stopped.kind if self._stopped is not None else None,
        )


def control(candidate: Candidate) -> str:
    """An address beside a candidate, or below one that a value ends, which can't be."""
    return f"{candidate.path if candidate.ends_open else candidate.parent}/{NOWHERE}"


def _alike(there: Said, nowhere: Said) -> bool:
    """Whether an address says what one says that can't be; a name that repeats the address tells nothing."""
    echoes = plain(NOWHERE) in plain(nowhere.name)
    return replace(there, name="") == replace(nowhere, name="") if echoes else there == nowhere


def _shape_of(path: str) -> str:
    return PLACEHOLDER.sub("{}", path)


def _waves(operations: Iterable[Operation]) -> Iterator[list[Operation]]:
    """Lists, whose addresses tell where all else is; then what is read of one thing; then the rest."""
    waves: tuple[list[Operation], ...] = ([], [], [])
    for operation in operations:
        path = operation.path.rstrip("/")
        if operation.method == "GET" and path.count("/") == 1:
            waves[0].append(operation)
        else:
            waves[1 if operation.method == "GET" and path.endswith("}") else 2].append(operation)
    yield from waves
