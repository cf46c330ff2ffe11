"""Waiting until a thing has reached a state: few looks, each at the time when it tells most.

An API that tells nobody when something is over must be asked, and each question is a request that others can't make. So
the looks are few: near the beginning, since some things are quick and some fail at once; then ever fewer; one more when
the usual time is over; and from there on ever fewer again. How late the end is noticed follows from that: at once where
a thing takes as long as it usually does, else by what lies between two looks.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from http import HTTPStatus
from typing import Any, Final

import anyio

from barrack_mcp.account.reading import Reader
from barrack_mcp.account.things import Thing, moment, objects, status
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.api.text import cite
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.catalogue.kinds import Kind, Usually

BEAT_S: Final = 10.0
"""How often whoever waits hears that it goes on: some clients give up when they hear nothing for a minute."""

_FIRST_S: Final = 3.0
_SOONEST_S: Final = 20.0
"""What usually takes less is looked at as if it took so long."""
_GROWTH_BEFORE, _GROWTH_AFTER = 1.5, 0.7
"""How long to go on without a look, by what has gone by; smaller once it should be over."""
_NEAR: Final = 0.75
"""From this part of the usual time on, the next look is the one at its end."""
_MARGIN_S: Final = 0.5
"""How long after the usual end that look is: what is over to the second should be seen to be."""
_LONG_S, _STEADY_S = 180.0, 30.0
"""From when on the steps grow no more, and how long they are then."""
_STILL_S: Final = 20.0
"""What has stayed in another state for so long is not on its way: an API may show a change some seconds late. What is
known to have been sent on its way has as long as that may take: an API need not show that it is."""
_READ_S: Final = 10.0
"""Time for one look."""
_INSTANT_S: Final = 0.001
"""What is less is no time: it may be what adding up others left over."""
_MOST_FAILURES: Final = 3
"""Looks in a row that may fail."""
_FAILED: Final = frozenset({"ERROR", "FAILED"})
"""The states of what will not come to be. Every other state that is not known counts as one on the way."""
_PASSING: Final = frozenset(
    {Failure.UNREACHABLE, Failure.THROTTLED, Failure.BUSY, Failure.BROKEN, Failure.SILENT, Failure.UNCLEAR}
)
"""Failures of a read after which the next may succeed."""
_REASONS: Final = ("status_reason", "fault", "failure_reason", "error_message", "error", "reason", "status_message")
"""Fields in which an API may say why something failed; inferred."""
_UNKNOWN_USUALLY: Final = Usually(60, 600)


class End(StrEnum):
    """How the waiting ended."""

    THERE = auto()
    """It is in a state that was waited for."""
    FAILED = auto()
    """It is in a state of failure."""
    ELSEWHERE = auto()
    """It stays in another state, and nothing is on the way."""
    GONE = auto()
    """There is no such thing, or not any more."""
    LATE = auto()
    """The time was up before it was there."""
    UNREAD = auto()
    """How it stands could not be read any more."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for.

    Attributes:
        kind: What the thing is.
        id: Its id.
        states: The states that will do; none given, every one in which it stays.
        left: A state that it must have left before one of these counts: it looks the same before and after.
        way: The state in which it is on its way there, as far as known from what was done.
        new: Whether it was made a moment ago, so that the API may not know it yet.
    """

    kind: Kind
    id: str
    states: tuple[str, ...] = ()
    left: bool = False
    way: str = ""
    new: bool = False


@dataclass(frozen=True, slots=True)
class Beat:
    """What whoever waits hears meanwhile.

    Attributes:
        thing: As it was last seen; None if it was not.
        state: The state that it was in.
        seconds: How long has been waited.
        usually: How long it usually takes from beginning to end.
        left: How many seconds of the usual time are left; 0 once they are over.
    """

    thing: Thing | None
    state: str
    seconds: float
    usually: Usually
    left: float


@dataclass(frozen=True, slots=True)
class Waited:
    """What came of waiting.

    Attributes:
        end: How it ended.
        thing: As it was last seen; None if it was not.
        state: The state that it was in, as it came; empty if none was told.
        seconds: How long was waited.
        usually: How long it usually takes.
        reason: Why it failed, in the API's words made safe; empty if it doesn't say.
        error: The read that failed last, if the waiting ended with that.
    """

    end: End
    thing: Thing | None
    state: str
    seconds: float
    usually: Usually
    reason: str = ""
    error: ApiError | None = None


def next_look(gone_by: float, usual: float) -> float:
    """Say when to look next, in seconds from when the thing began to be on its way.

    At most 8 looks fall into the first three minutes, the one at the beginning included, whatever the usual time.

    Args:
        gone_by: When the last look was.
        usual: How many seconds it usually takes.
    """
    end = max(usual, _SOONEST_S) + _MARGIN_S
    if gone_by < end:
        at = gone_by + max(_FIRST_S, gone_by * _GROWTH_BEFORE)
        return at if at < end * _NEAR else end
    return gone_by + (gone_by * _GROWTH_AFTER if gone_by < _LONG_S else _STEADY_S)


def state_of(thing: Thing) -> str:
    """The state of a thing as it came; that of what it is attached to, where that is on its way or has failed."""
    bonds = thing.row.get(thing.kind.bonds)
    rows = objects(bonds if isinstance(bonds, list) else [bonds])
    moving = [word for row in rows if (word := status(row)) in thing.kind.ways or word in _FAILED]
    failed = [word for word in moving if word in _FAILED]
    return next(iter([*failed, *moving]), str(thing.row.get("status") or ""))


def rests(kind: Kind, state: str) -> bool:
    """Whether a thing in this state stays in it until somebody changes it."""
    return state.upper() in {name.upper() for rest in kind.rests for name in rest}


async def wait(
    goal: Goal,
    *,
    read: Reader,
    seconds: float,
    tell: Callable[[Beat], Awaitable[None]],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    wall: Callable[[], float] = time.time,
) -> Waited:
    """Look at a thing until it is where it should be, or never will be; a cancelled wait sends nothing more.

    Args:
        goal: What is waited for.
        read: Sends one read.
        seconds: How long to wait at most; the last look is made when they are over.
        tell: Hears how it goes on, at least every `BEAT_S`.
        now: A clock that only goes forward, in seconds.
        sleep: Waits for so many seconds.
        wall: Seconds since 1970, by which the API says when a thing was made.
    """
    return await _Watch(goal, read, seconds, tell, now, sleep, wall).run()


@dataclass
class _Watch:
    """One wait."""

    goal: Goal
    read: Reader
    limit: float
    tell: Callable[[Beat], Awaitable[None]]
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]
    wall: Callable[[], float]
    thing: Thing | None = None
    state: str = ""
    began: float = field(init=False)
    """When the waiting began."""
    ahead: float = 0.0
    """How long the thing had been on its way by then."""
    still_since: float | None = None
    """Since when it has stayed in a state that was not waited for, or has told none."""
    moved: bool = False
    """Whether it was seen on its way."""
    failures: int = 0
    error: ApiError | None = None

    def __post_init__(self) -> None:
        self.began = self.now()
        self.state = self.goal.way

    async def run(self) -> Waited:
        if self.goal.way:
            # it has just been sent on its way: a look would tell what is known
            await self._pause(_FIRST_S)
        while True:
            end = await self._look()
            if end is None and self.gone_by >= self.limit - _INSTANT_S:
                end = End.LATE
            if end is not None:
                reason = _reason(self.thing) if end is End.FAILED else ""
                error = self.error if end in (End.UNREAD, End.LATE) else None
                return Waited(end, self.thing, self.state, self.gone_by, self.usually, reason, error)
            hold_off = (self.error.retry_after or 0.0) if self.error else 0.0
            at = next_look(self.ahead + self.gone_by, self.usually.least) - self.ahead
            await self._pause(max(at, self.gone_by + hold_off))

    @property
    def gone_by(self) -> float:
        """How long has been waited."""
        return self.now() - self.began

    @property
    def usually(self) -> Usually:
        ways = self.goal.kind.ways
        known = ways.get(self.state.upper()) or ways.get(self.goal.way.upper())
        return known or ways.get("CREATING", _UNKNOWN_USUALLY)

    async def _pause(self, until: float) -> None:
        """Wait until so many seconds have gone by since the beginning, and say now and then that it goes on."""
        until = min(until, self.limit)
        await self._beat()
        while (left := until - self.gone_by) > _INSTANT_S:
            await self.sleep(min(left, BEAT_S))
            if left > BEAT_S:
                await self._beat()

    async def _beat(self) -> None:
        left = max(0.0, self.usually.least - self.ahead - self.gone_by)
        await self.tell(Beat(self.thing, self.state, self.gone_by, self.usually, left))

    async def _look(self) -> End | None:
        """Read how the thing stands; answers how the waiting ends, if it does."""
        kind = self.goal.kind
        arguments = {kind.arguments[0]: self.goal.id}
        try:
            # a look that nobody answers is one that failed, and there will be others
            with anyio.fail_after(_READ_S):
                data = await self.read(kind.get_tool, arguments)
        except TimeoutError:
            return self._failed(ApiError(Failure.SILENT, "The API did not answer in time"))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return self._missed(error)
            return self._failed(error)
        self.failures, self.error = 0, None
        self.thing = Thing(kind, _row(kind, data), asked=self.goal.id)
        self.state = state_of(self.thing)
        return self._judge(self.thing)

    def _failed(self, error: ApiError) -> End | None:
        self.failures, self.error = self.failures + 1, error
        passing = error.failure in _PASSING and not error.lasting
        return None if passing and self.failures < _MOST_FAILURES else End.UNREAD

    def _missed(self, error: ApiError) -> End | None:
        """Judge that there is no such thing: where it was to be deleted, that is the end."""
        if "DELETED" in self._wanted or (not self._wanted and self.state.upper() == "DELETING"):
            self.state = "DELETED"
            return End.THERE
        if self.thing is None and self.goal.new and self.gone_by < _STILL_S:
            return None
        self.error = error
        return End.GONE

    @property
    def _wanted(self) -> set[str]:
        return {name.upper() for state in self.goal.states for name in self.goal.kind.names_of(state)}

    def _judge(self, thing: Thing) -> End | None:
        kind, state = self.goal.kind, self.state.upper()
        if state in self._wanted and not (self.goal.left and self._looks_as_before(state)):
            return End.THERE
        if state in _FAILED:
            return End.FAILED
        if state and not rests(kind, state):
            self.moved, self.still_since = True, None
            self.ahead = self.ahead or self._since_made(thing)
            return None
        if state and not self._wanted:
            return End.THERE
        if self.still_since is None:
            self.still_since = self.gone_by
        allowed = self.goal.kind.ways[self.goal.way].most if self.goal.way else _STILL_S
        return End.ELSEWHERE if self.gone_by - self.still_since >= allowed else None

    def _looks_as_before(self, state: str) -> bool:
        """Whether what it shows may be from before it began: it was not seen on its way, and could not be back yet."""
        return not self.moved and state != self.goal.way and self.gone_by < self.usually.least

    def _since_made(self, thing: Thing) -> float:
        """How long a thing in the making has been so; 0 if that can't be told, or not by our clock."""
        if self.state.upper() not in ("CREATING", "BUILD"):
            return 0.0
        made = moment(thing.row.get("created_at"))
        since = 0.0 if made is None else self.wall() - made - self.gone_by
        return since if 0 < since < self.usually.most else 0.0


def _row(kind: Kind, data: JsonObject) -> JsonObject:
    root = BY_TOOL[kind.get_tool].result
    found = data if root is None else data.get(root)
    return found if isinstance(found, dict) else {}


def _reason(thing: Thing | None) -> str:
    """Say in the API's words why a thing failed; empty if it doesn't say."""
    row: Mapping[str, Any] = thing.row if thing is not None else {}
    for name in _REASONS:
        said = row.get(name)
        if isinstance(said, dict):
            said = said.get("message")
        if isinstance(said, str) and said.strip():
            return cite(said, limit=300)
    return ""
