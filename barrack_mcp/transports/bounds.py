"""How much is under way over HTTP at once: in all, and by one caller, who never takes what is left for others.

The rule is one: a caller may have as many of anything as are still free. Alone that is half of all; of two who want
all, each gets a third; and whoever comes next finds some free.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import principal_components
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from barrack_mcp.server.callers import identity_of, scope_of
from barrack_mcp.server.watch import NOBODY, Full, Watch
from barrack_mcp.transports.login import OPEN
from barrack_mcp.transports.monitoring.routes import METRICS
from barrack_mcp.transports.narrowing import MESSAGES

REQUESTS: Final = 1_024
STREAMS: Final = 512
"""Answers without an end of their own, over which a server speaks when it wants to."""
BYTES: Final = 128 * 1_024 * 1_024
"""Of bodies that are under way."""
LONGEST: Final = 4 * 1_024 * 1_024
"""Of one body: what the SDK takes."""
SESSIONS: Final = 4_096
SESSIONS_OF_ONE: Final = 64
"""Sessions of a caller's that have nothing under way; the one unused for longest gives way to a new one."""

_BESIDE: Final = OPEN | {METRICS}
"""What tells how the server is, whatever else there is."""
_SESSION: Final = "mcp-session-id"
_AGAIN_S: Final = 1
_BUSY: Final = "Busy: too much is under way at the moment, of yours or of all. Nothing was done; try again soon."
_ENDING: Final = (
    "The server is stopping. Nothing was done; try again: another one, or the same once it is back, answers."
)


@dataclass
class _Places:
    """Room for so much of one thing, for all callers.

    Attributes:
        most: Of it, for all.
        used: How much is in use.
    """

    most: int
    used: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._held: dict[str, int] = {}

    def has(self, caller: str, much: int) -> bool:
        """Whether a caller may have so much more: no more than what is then free."""
        return self._held.get(caller, 0) + much <= self.most - self.used - much

    def take(self, caller: str, much: int) -> None:
        """Let a caller have so much, until it is given back."""
        self._held[caller] = self._held.get(caller, 0) + much
        self.used += much

    def give_back(self, caller: str, much: int) -> None:
        """Have back what a caller had."""
        self.used -= much
        if left := self._held.get(caller, 0) - much:
            self._held[caller] = left
        else:
            # of nothing there may be several
            self._held.pop(caller, None)


class Bounds:
    """Counts what is under way over HTTP, and turns away what would be too much.

    Args:
        requests: Requests that may be under way at once.
        streams: Streams that may be open at once.
        size: Bytes of bodies that may be under way.
        watch: Told of what is turned away, but at the end.
    """

    def __init__(
        self, *, requests: int = REQUESTS, streams: int = STREAMS, size: int = BYTES, watch: Watch = NOBODY
    ) -> None:
        self._requests, self._streams, self._bodies = _Places(requests), _Places(streams), _Places(size)
        self._messages = _Places(requests)
        self._watch = watch
        self._sessions: dict[str, _Sessions] = {}
        self._none: anyio.Event | None = None
        """Made by whoever waits until no request is under way."""
        self.draining = False
        """Whether what comes now is turned away, since the server ends."""

    def hold(self, app: ASGIApp) -> ASGIApp:
        """Put an application within these bounds; to stand behind the login, which says who calls."""

        async def held(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] in _BESIDE:
                await app(scope, receive, send)
            else:
                await self._pass(app, scope, receive, send)

        return held

    async def hold_call(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Keep a call within these bounds that outlasts the request it came by, as those do that a stream answers.

        Raises:
            MCPError: There is no room for it; nothing was done.
        """
        scope = scope_of(ctx)
        if ctx.request_id is None or not _is_message(scope):
            return await call_next(ctx)
        caller, size = _caller(scope), _size(scope)
        if self._is_full(caller, self._requests, size):
            raise MCPError(INTERNAL_ERROR, _BUSY)
        self._begin(caller, self._requests, size)
        try:
            return await call_next(ctx)
        finally:
            self._end(caller, self._requests, size)

    async def drain(self, *, beside: Callable[[], Awaitable[None]]) -> None:
        """Turn away what comes from now on, and return when no request is under way any more; streams stay.

        Args:
            beside: Waited for, too.
        """
        self.draining = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._wait)
            await beside()

    async def _wait(self) -> None:
        while self._requests.used:
            self._none = self._none or anyio.Event()
            await self._none.wait()

    async def _pass(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        caller, size = _caller(scope), _size(scope)
        kept = self._streams if scope["method"] == "GET" else self._requests
        if _is_message(scope):
            # it ends as soon as it is taken; were it turned away here, clients would give up all of their session
            kept = self._messages
        if self.draining:
            await _refuse(_ENDING, connection="close")(scope, receive, send)
            return
        if self._is_full(caller, kept, size):
            await _refuse(_BUSY)(scope, receive, send)
            return
        sessions = self._sessions.get(caller)
        if sessions is None:
            # without a login everybody is one caller
            sessions = self._sessions[caller] = _Sessions(SESSIONS_OF_ONE if caller else SESSIONS // 2)
        visit = _Visit(sessions, scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.note(message)
                if self.draining:
                    MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        self._begin(caller, kept, size)
        try:
            try:
                await app(scope, receive, answer)
            finally:
                visit.end()
                self._end(caller, kept, size)
            for session, user in sessions.surplus():
                await app(*_ending({**scope, "user": user}, session))
        finally:
            if not sessions:
                self._sessions.pop(caller, None)

    def _is_full(self, caller: str, kept: _Places, size: int) -> bool:
        """Whether a caller can't have one more of something, with a body of such a size; that is counted."""
        if kept.has(caller, 1) and self._bodies.has(caller, size):
            return False
        named: Full = "streams" if kept is self._streams else "requests"
        self._watch.busy("bodies" if kept.has(caller, 1) else named)
        return True

    def _begin(self, caller: str, kept: _Places, size: int) -> None:
        kept.take(caller, 1)
        self._bodies.take(caller, size)

    def _end(self, caller: str, kept: _Places, size: int) -> None:
        kept.give_back(caller, 1)
        self._bodies.give_back(caller, size)
        if self._none is not None and not self._requests.used:
            self._none.set()
            self._none = None


class _Sessions:
    """The sessions of one caller, the one that was unused for longest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used: OrderedDict[str, int] = OrderedDict()
        """How many requests each has under way."""
        self._users: dict[str, object] = {}
        """As who each was begun: by another client of theirs, or narrowed otherwise, it can't be found."""

    def __bool__(self) -> bool:
        return bool(self._used)

    def begin(self, session: str) -> None:
        """Take note of one more request to a session, if it is one of these."""
        if session in self._used:
            self._used[session] += 1
            self._used.move_to_end(session)

    def open(self, session: str, user: object) -> None:
        """Take note of a new one, and of who began it."""
        self._used[session], self._users[session] = 0, user

    def is_lost(self, session: str, user: object) -> bool:
        """Whether a session that can't be found by somebody isn't there: they are who began it."""
        return _client(self._users.get(session)) == _client(user)

    def end(self, session: str, *, gone: bool) -> None:
        """Take note of the end of a request to a session, and whether the session has ended with it."""
        if session in self._used:
            self._used[session] -= 1
            if gone:
                del self._used[session], self._users[session]

    def surplus(self) -> list[tuple[str, object]]:
        """Take out the sessions that are too many, each with who began it."""
        if len(self._used) <= self._most:
            return []
        idle = [session for session, used in self._used.items() if not used]
        ended = idle[: max(0, len(idle) - self._most)]
        for session in ended:
            del self._used[session]
        return [(session, self._users.pop(session)) for session in ended]


class _Visit:
    """One request and its answer, as far as they are about a session.

    Args:
        sessions: Those of its caller.
        scope: The request.
    """

    def __init__(self, sessions: _Sessions, scope: Scope) -> None:
        self._sessions = sessions
        self._user = scope.get("user")
        self._ends = scope["method"] == "DELETE"
        self._session = Headers(scope=scope).get(_SESSION, "")
        self._gone = False
        sessions.begin(self._session)

    def note(self, head: Message) -> None:
        """See by the head of the answer whether a session begins or is over."""
        given = Headers(raw=head["headers"]).get(_SESSION)
        if not self._session and given is not None:
            self._sessions.open(given, self._user)
        ended = self._ends and head["status"] < _REDIRECTED
        unknown = head["status"] == _NOT_FOUND and self._sessions.is_lost(self._session, self._user)
        self._gone = ended or unknown

    def end(self) -> None:
        """The request is over."""
        self._sessions.end(self._session, gone=self._gone)


_NOT_FOUND: Final = 404
_REDIRECTED: Final = 300


def _caller(scope: Scope) -> str:
    """Who calls; nobody's name where there is no login."""
    user = scope.get("user")
    return identity_of(user.access_token).name if isinstance(user, AuthenticatedUser) else ""


def _is_message(scope: Mapping[str, Any]) -> bool:
    """Whether a request brings what a stream will answer."""
    return str(scope.get("path", "")).endswith(MESSAGES)


def _client(user: object) -> object:
    """By which client somebody calls, and how that is narrowed, as sessions have it."""
    return principal_components(user.access_token) if isinstance(user, AuthenticatedUser) else None


def _size(scope: Scope) -> int:
    """How long a body may be by its head; one that doesn't say may be of the greatest length."""
    headers = Headers(scope=scope)
    told = headers.get("content-length")
    if told is not None and told.isascii() and told.isdigit():
        return min(int(told), LONGEST)
    return LONGEST if "transfer-encoding" in headers else 0


def _refuse(why: str, **headers: str) -> JSONResponse:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32603, "message": why}}
    return JSONResponse(error, 503, headers={"Retry-After": str(_AGAIN_S), **headers})


def _ending(scope: Scope, session: str) -> tuple[Scope, Receive, Send]:
    """A request of the same caller's that ends a session, and whose answer nobody hears."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        """Hear nothing."""

    kept = [pair for pair in scope["headers"] if pair[0] in (b"host", b"authorization")]
    headers = [*kept, (_SESSION.encode(), session.encode())]
    return {**scope, "method": "DELETE", "headers": headers}, receive, send
