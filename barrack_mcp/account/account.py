"""The account that a call is about. It travels with the call: nothing below the transport knows of another key."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final, TypeVar, cast

import anyio
from pydantic import SecretStr

from barrack_mcp.account.deeds import Deeds, changed
from barrack_mcp.account.reading import Reader, reader
from barrack_mcp.account.things import Thing
from barrack_mcp.api.client import Client
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.state.leases import Leases
from barrack_mcp.state.purchases import Purchases
from barrack_mcp.state.store import End, Purchase, StoreError, Trace
from barrack_mcp.state.traces import Traces

KEPT: Final = frozenset({"get_pricing", "list_regions", "list_os_images", "list_gpu_specs"})
"""The reads whose answers seldom change."""

KEPT_S: Final = 60.0
"""How old such an answer may be where it need not be fresh."""

MOMENT_S: Final = 0.05
"""How long ago the same read may have begun that a call waits for, instead of reading: less than most networks take."""

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Account:
    """An account at the API, and the way to it.

    Attributes:
        client: Sends to it, with its key.
        url: The API's base URL.
        key_digest: What tells its key from others, without telling the key.
        api: The API's name in the record.
        now: A clock that only goes forward, in seconds.
        sleep: Waits for so many seconds of it.
        traces: Knows by whom and when things were last changed through us; None where no state is kept.
        leases: Knows until when machines may run; None where no state is kept.
        purchases: Knows who bought what; None where no state is kept.
        lease_hours: How long a machine may run that is bought without a lease; None for no end.
        brought: Whether its key comes with each call and is kept nowhere, so that nothing reaps in it.
    """

    client: Client
    url: str
    key_digest: str = ""
    api: str = ""
    now: Callable[[], float] = field(default=time.monotonic, repr=False)
    sleep: Callable[[float], Awaitable[object]] = field(default=anyio.sleep, repr=False)
    traces: Traces | None = field(default=None, repr=False)
    leases: Leases | None = field(default=None, repr=False)
    purchases: Purchases | None = field(default=None, repr=False)
    lease_hours: int | None = None
    brought: bool = False

    @property
    def id(self) -> str:
        """What tells it from other accounts."""
        return f"{self.url} {self.key_digest}"

    @cached_property
    def _reader(self) -> Reader:
        return reader(self.client)

    @cached_property
    def deeds(self) -> Deeds:
        """What was made in it through us a moment ago."""
        return Deeds(self.now)

    @cached_property
    def _kept(self) -> dict[str, tuple[float, JsonObject]]:
        """The answers that seldom change, each with when it was asked for."""
        return {}

    @cached_property
    def moment(self) -> Moment:
        """What is read in it right now."""
        return Moment(self.now, lambda: self.client.changes)

    def note_changes(self, operation: Operation, values: JsonObject, data: JsonObject, *, caller: str) -> End:
        """Write up what a write changed, and who had it done; nothing where no state is kept."""
        if self.traces is None:
            return End()
        return self.traces.note(self.id, [thing.key for thing in changed(operation, values, data)], caller=caller)

    async def last_changes(self, things: Iterable[Thing]) -> Mapping[tuple[str, str], Trace]:
        """Answer the last change of each of these things that was changed through us, by its type and id.

        Raises:
            StoreError: The state can't be read.
        """
        return {} if self.traces is None else await self.traces.find(self.id, [thing.key for thing in things])

    async def find_purchases(self) -> Sequence[Purchase]:
        """Answer who bought what, the first purchase first.

        Raises:
            StoreError: That can't be read, or isn't kept.
        """
        if self.purchases is None:
            raise StoreError("No state is kept here, so it isn't known who bought what.")
        return await self.purchases.all(self.id)

    async def read(self, tool: str, arguments: JsonObject) -> JsonObject:
        """Read, now.

        Raises:
            ApiError: It did not succeed.
        """
        asked_at = self.now()
        data = await self._reader(tool, arguments)
        if tool in KEPT:
            self._kept[_key(tool, arguments)] = (asked_at, data)
        return data

    async def recall(self, tool: str, arguments: JsonObject) -> JsonObject:
        """Answer what was read within the last minute, or is being read, if it seldom changes; read all else.

        Raises:
            ApiError: It did not succeed.
        """
        now = self.now()
        for key in [key for key, (asked_at, _) in self._kept.items() if now - asked_at >= KEPT_S]:
            del self._kept[key]
        if tool not in KEPT:
            return await self.read(tool, arguments)
        key = _key(tool, arguments)
        _, data = self._kept.get(key, (now, None))
        return await self.moment.share(key, partial(self.read, tool, arguments)) if data is None else data


@dataclass(eq=False)
class _Flight:
    """One answer on its way.

    Attributes:
        begun: When that began.
        answers: It, once it is there.
        failure: Why there is none, where the API said so.
    """

    begun: float = 0.0
    answers: list[Any] = field(default_factory=list)
    failure: ApiError | None = None
    _is_over: bool = False
    _over: anyio.Event | None = None
    """Made by whoever waits first: mostly nobody does."""

    async def wait(self) -> None:
        """Wait until it is there, or will never be."""
        if not self._is_over:
            self._over = self._over or anyio.Event()
            await self._over.wait()

    def land(self) -> None:
        """Let go who waits, now or later."""
        self._is_over = True
        if self._over is not None:
            self._over.set()


class Moment:
    """Lets calls that ask for the same in the same moment share one answer, and lets no answer outlive a change.

    Args:
        now: A clock that only goes forward, in seconds.
        changes: Counts what is sent that changes something, when it goes and when it has ended.
    """

    def __init__(self, now: Callable[[], float], changes: Callable[[], int]) -> None:
        self._now = now
        self._sent = changes
        self._changes = 0
        self._flying: dict[Hashable, _Flight] = {}

    async def share(self, same: Hashable | None, answer: Callable[[], Awaitable[_T]]) -> _T:
        """Answer a call, together with those that are the same and came a moment ago.

        Args:
            same: What calls have in common that may share an answer; None for one that may change something.
            answer: Finds the answer.
        """
        if same is None:
            self._changes += 1
            try:
                return await answer()
            finally:
                self._changes += 1
        key = (same, self._changes, self._sent())
        flight = self._flying.get(key)
        if flight is not None and self._now() - flight.begun <= MOMENT_S:
            await flight.wait()
            # who asked first may have given up
            return cast("_T", flight.answers[0]) if flight.answers else await answer()
        flight = self._flying[key] = _Flight(self._now())
        try:
            found = await answer()
            flight.answers.append(found)
            return found
        finally:
            flight.land()
            if self._flying.get(key) is flight:
                del self._flying[key]


class Once:
    """Reads the same thing but once: who comes second gets what came just now, or waits for it.

    Args:
        read: Sends one read.
    """

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._flights: dict[str, _Flight] = {}

    async def __call__(self, tool: str, arguments: JsonObject) -> JsonObject:
        """Read, or answer what was read.

        Raises:
            ApiError: It did not succeed.
        """
        key = _key(tool, arguments)
        while (earlier := self._flights.get(key)) is not None:
            await earlier.wait()
            if earlier.failure is not None:
                raise earlier.failure
            if earlier.answers:
                return cast("JsonObject", earlier.answers[0])
            # who asked first gave up, and left the place to whoever still wants to know
        flight = self._flights[key] = _Flight()
        try:
            data = await self._read(tool, arguments)
            flight.answers.append(data)
        except ApiError as error:
            flight.failure = error
            raise
        finally:
            if not flight.answers and flight.failure is None:
                del self._flights[key]
            flight.land()
        return data


def digest_of_key(key: SecretStr | None) -> str:
    """Digest a key, so that accounts can be told apart without it; empty if there is none."""
    return hashlib.sha256(key.get_secret_value().encode()).hexdigest() if key is not None else ""


def _key(tool: str, arguments: JsonObject) -> str:
    return json.dumps([tool, arguments], sort_keys=True)
