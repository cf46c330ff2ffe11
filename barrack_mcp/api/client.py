"""The only room that sends: one operation, as many requests as are safe, one honest reading of the answer."""

from __future__ import annotations

import random as chance
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import anyio
import httpx2
from opentelemetry import trace
from pydantic import SecretStr
from starlette.types import ASGIApp

from barrack_mcp import __version__
from barrack_mcp.api import answer
from barrack_mcp.api.answer.success import hold
from barrack_mcp.api.errors import ApiError, Failure, no_answer
from barrack_mcp.api.http import quiet
from barrack_mcp.api.http.in_process import InProcess
from barrack_mcp.api.http.network import Network, Way, why
from barrack_mcp.api.http.request import Requests
from barrack_mcp.api.pace import AT_ONCE, PER_MINUTE, Pace
from barrack_mcp.api.redact import Echo, Redaction
from barrack_mcp.api.retry import ATTEMPTS, Budget, Circuit, repeatable, wait_before
from barrack_mcp.api.wire.form import Contract, Sent, Wire, WireError
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.marks import open_texts, secrets_in, whole_texts

_tracer: Final = trace.get_tracer("barrack-mcp")

_UNHEARD: Final = nullcontext(trace.INVALID_SPAN)
"""In place of a span where nobody listens."""

HEADERS: Final = {
    "Connection": "keep-alive",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"barrack-mcp/{__version__}",
}
"""Sent with each request, beside the key."""

_STATUS: Final = "http.response.status_code"
_LEAST_SHARE: Final = 0.1
"""Part of a call's time that must be left to begin a request: a write that is sent too late to hear its answer would
make an effect uncertain that need not be."""
_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
_NO_SUCH_PATH: Final = (404, 405)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a call, for the record."""

    number: int
    """Counted from 1."""
    status: int | None
    """HTTP status, if an answer came."""
    failure: Failure | None
    """How it failed; None if it succeeded."""


class Client:
    """Sends operations to one API with one key.

    Args:
        transport: The connection pool. Nothing is between it and us that might follow a redirect, or keep a cookie:
            callers with different keys may share it, and a session must never pass from one to another.
        url: Base URL without a trailing slash.
        auth: What attaches the key; None where there is none.
        seconds: Time for one call in all: waiting for a turn, all requests, and the pauses between them.
        contract: How each operation is spelled; as shipped if None.
        per_minute: Requests in any minute at most; None for no limit.
        claim: Claims a request of those that all servers may send together, as `Pace` takes it; None if there is one.
        now: A clock that only goes forward, in seconds.
        sleep: Waits for so many seconds.
        random: Gives a number from 0 to 1.
        wall: The time of day, in seconds since 1970.
        redaction: Takes the key out of what the API answers.
        watch: Told of each request when it is over, and of each that was not begun, under the number 0.
        way: The way out, where a connection can be opened ahead.
    """

    def __init__(
        self,
        transport: httpx2.AsyncBaseTransport,
        *,
        url: str,
        auth: KeyAuth | None,
        seconds: float,
        contract: Contract | None = None,
        per_minute: int | None = PER_MINUTE,
        claim: Callable[[float], Awaitable[float]] | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        random: Callable[[], float] = chance.random,
        wall: Callable[[], float] = time.time,
        redaction: Redaction | None = None,
        watch: Callable[[Attempt], None] | None = None,
        way: Way | None = None,
    ) -> None:
        self._transport = transport
        self._requests = Requests(url, HEADERS)
        self._auth = auth
        self._seconds = seconds
        self._contract = contract if contract is not None else Contract()
        self._now = now
        self._sleep = sleep
        self._random = random
        self._wall = wall
        self._redaction = redaction if redaction is not None else Redaction()
        self._watch = watch
        self._url = url
        self._way = way
        self.pace = Pace(per_minute=per_minute, now=now, sleep=sleep, claim=claim)
        self._budget = Budget()
        self._circuit = Circuit(now)
        self.changes = 0
        """Grows when a write is sent, and when it has ended, whatever came of it."""

    async def warm(self) -> None:
        """Open a connection ahead of the first call and hold it for that, as `Way.warm` does; never without a key."""
        if self._auth is not None and self._way is not None:
            await self._way.warm(self._url)

    async def send(
        self,
        operation: Operation,
        arguments: Mapping[str, Any],
        *,
        on_attempt: Callable[[Attempt], None] | None = None,
        attempts_at_most: int = ATTEMPTS,
    ) -> Any:
        """Send one operation and answer the API's JSON.

        A write that may have been applied is never sent again. Cancelling aborts the request at once; who must know
        what became of a write shields this call, which ends by itself when its time is up.

        Args:
            operation: What to do.
            arguments: Its validated arguments; those not given are left out.
            on_attempt: Told of each request when it is over, unless it was cancelled.
            attempts_at_most: Requests for it at most.

        Returns:
            The body of a successful answer, under our names: mostly an object, sometimes a list; `{}` if there is none.

        Raises:
            ApiError: For everything else, with what is known of the effect and how many requests there were.
        """
        if self._auth is None:
            raise ApiError(
                Failure.NO_KEY,
                "No API key is set, so nothing was sent; set BARRACK_API_KEY or BARRACK_API_KEY_FILE and start again",
            )
        wire = self._contract.for_(operation)
        try:
            sent = wire.request(arguments)
        except WireError as error:
            raise ApiError(Failure.REJECTED, f"{error} Nothing was sent") from None
        secrets = secrets_in(operation, arguments)
        echo = Echo(secrets, known=open_texts(operation, arguments) if secrets else ())
        self._budget.earn()
        deadline = self._now() + self._seconds
        attempts = 0
        failed: ApiError | None = None
        silence = _Silence()
        while True:
            begun = False
            try:
                self._circuit.check()
                async with self.pace.turn(self._latest(deadline)):
                    with self._circuit.watching():
                        begun = True
                        attempts += 1
                        silence.begin(self._now())
                        with _traced(operation, sent.method, attempts) if is_heard() else _UNHEARD as span:
                            status, body = await self._once(operation, sent, deadline, attempts, wire=wire, echo=echo)
                            span.set_attribute(_STATUS, status)
            except ApiError as error:
                error.attempts = attempts
                silence.tell(error)
                _explain(error, wire)
                self._tell(Attempt(attempts if begun else 0, error.status, error.failure), on_attempt)
                if not begun and failed is not None:
                    # there was no turn for another try: what the last one met says more
                    raise failed from None
                again = begun and attempts < attempts_at_most
                wait = self._pause(operation, error, attempts, deadline) if again else None
                if wait is None:
                    raise
                failed = error
            else:
                self._tell(Attempt(attempts, status, None), on_attempt)
                self._contract.saw(operation, body)
                return body
            await self._sleep(wait)

    def _tell(self, attempt: Attempt, on_attempt: Callable[[Attempt], None] | None) -> None:
        """Say that a request is over to who watches, and, if it was begun, to who wants to know of this call's."""
        if self._watch is not None:
            self._watch(attempt)
        if on_attempt is not None and attempt.number:
            on_attempt(attempt)

    def _latest(self, deadline: float) -> float:
        return deadline - self._seconds * _LEAST_SHARE

    def _pause(self, operation: Operation, error: ApiError, attempts: int, deadline: float) -> float | None:
        """Choose the seconds to wait before the next request; None if there shall be none."""
        if attempts >= ATTEMPTS or not repeatable(operation, error):
            return None
        wait = wait_before(attempts, error, self._random)
        if self._now() + wait > self._latest(deadline) or self._circuit.is_open or not self._budget.spend():
            return None
        return wait

    async def _once(
        self, operation: Operation, sent: Sent, deadline: float, number: int, *, wire: Wire, echo: Echo
    ) -> tuple[int, Any]:
        """Send one request; answer status and body, under our names."""
        left = deadline - self._now()
        # a read that stalls must leave time to try again: each attempt gets an even share of what is left, the last
        # one all. A write is tried again only if it could not be sent, so it shares the time to connect alone.
        share = left / (ATTEMPTS + 1 - number)
        limit = share if operation.reads else left
        progress = _Progress()
        times = {"connect": share, "read": None, "write": None, "pool": None}
        request = self._requests.make(*sent, extensions={"timeout": times, "trace": progress.note})
        head: httpx2.Response | None = None
        self.changes += not operation.reads
        try:
            raw: bytearray | None = None
            with anyio.move_on_after(limit) as time_left:
                if self._auth is not None:
                    self._auth.attach_to(request)
                head = await self._transport.handle_async_request(request)
                head.request = request
                try:
                    raw = await answer.read(head)
                finally:
                    await head.aclose()
            if time_left.cancelled_caught or head is None:
                raise TimeoutError
        except answer.UnreadableError as error:
            if head is None or head.is_success:
                status = head.status_code if head is not None else None
                raise ApiError(Failure.SILENT, f"The answer {error}", status=status, lasting=error.lasting) from None
            raw = None
        except (httpx2.HTTPError, OSError) as error:
            # the library's errors hold the request and with it the key: they end here
            if head is None or head.is_success:
                raise _broken_off(error, limit, never_sent=progress.never_sent) from None
            raw = None
        finally:
            self.changes += not operation.reads
        # what was made is answered whole; a no has no place for what a call may have held in secret
        whole = whole_texts(operation.response) if head.is_success else frozenset[str]()

        def redact(body: Any, came: bytearray | None) -> Any:
            refused = isinstance(body, dict) and body.get("success") is False
            return echo.hidden_in(self._redaction.hidden_in(body, came), but=() if refused else whole)

        came = answer.judge(head, raw, reads=operation.reads, wall=self._wall, redact=redact)
        body = wire.answer(came)
        hold(operation, head.status_code, body, came=came, empty=not raw or raw.isspace())
        return head.status_code, body


def is_heard() -> bool:
    """Whether anybody hears of spans; until a provider is set they would be made for nobody."""
    return not (
        isinstance(_tracer, trace.ProxyTracer) and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    )


@contextmanager
def _traced(operation: Operation, method: str, number: int) -> Iterator[trace.Span]:
    """Send one request within the block, in a span: what it asks for and how it ended, nothing of whom it is about."""
    path = operation.path
    with _tracer.start_as_current_span(
        f"{method} {path}",
        kind=trace.SpanKind.CLIENT,
        attributes={"http.request.method": method, "url.template": path, "http.request.resend_count": number - 1},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except ApiError as error:
            if error.status is not None:
                span.set_attribute(_STATUS, error.status)
            span.set_attribute("error.type", error.failure.value)
            span.set_status(trace.StatusCode.ERROR)
            raise


class _Progress:
    """How far a request came, as the transport tells it."""

    def __init__(self) -> None:
        self._connecting = False
        self._sending = False

    async def note(self, event: str, _: JsonObject) -> None:
        self._connecting = self._connecting or event.startswith("connection.connect")
        self._sending = self._sending or event.endswith(".send_request_headers.started")

    @property
    def never_sent(self) -> bool:
        """Whether it certainly ended before its first byte; without any news nothing is certain."""
        return self._connecting and not self._sending


class _Silence:
    """For how long a call has had no answer, over all its tries."""

    def __init__(self) -> None:
        self._begun: list[float] = []

    def begin(self, now: float) -> None:
        """Note when a try began."""
        self._begun.append(now)

    def tell(self, error: ApiError) -> None:
        """Let an error say it, if it is that no answer came."""
        if error.waited:
            error.words = no_answer(self._begun[-1] - self._begun[0] + error.waited, len(self._begun))


def _explain(error: ApiError, wire: Wire) -> None:
    """Bring an error under our names, and say if it looks as if the path were not the API's."""
    error.rename(wire.errors(error.fields))
    page = error.failure is Failure.SILENT and "a web page" in error.words.casefold()
    if wire.guessed and (page or error.failure is Failure.REDIRECTED or error.status in _NO_SUCH_PATH):
        error.guess = wire.asked


def _broken_off(error: Exception, limit: float, *, never_sent: bool) -> ApiError:
    if never_sent or isinstance(error, _NEVER_SENT):
        return ApiError(Failure.UNREACHABLE, f"The API could not be reached ({why(error)})")
    if isinstance(error, TimeoutError):
        return ApiError(Failure.SILENT, no_answer(limit), waited=limit)
    return ApiError(Failure.SILENT, f"The connection broke before the answer was whole ({why(error)})")


@asynccontextmanager
async def open_client(
    *,
    url: str,
    key: SecretStr | None,
    auth_header: str,
    auth_template: str,
    seconds: float,
    contract: Contract | None = None,
    app: ASGIApp | None = None,
    network: Network | None = None,
    per_minute: int | None = PER_MINUTE,
    claim: Callable[[float], Awaitable[float]] | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    random: Callable[[], float] = chance.random,
    watch: Callable[[Attempt], None] | None = None,
) -> AsyncIterator[Client]:
    """Open the connection pool and close it at the end.

    Args:
        url: Base URL of the API, without a trailing slash.
        key: The API key; without it every call fails before it is sent.
        auth_header: Name of the header that carries it.
        auth_template: Value of that header, with `{key}`.
        seconds: Time for one call in all.
        contract: How each operation is spelled; as shipped if None.
        app: An application to call in this process instead of the network; it needs no limit a minute.
        network: The way out; directly, trusting the system's certificates, if None.
        per_minute: Requests in any minute at most; None for no limit.
        claim: Claims a request of those that all servers may send together, as `Pace` takes it; None if there is one.
        now: A clock that only goes forward, in seconds.
        sleep: Waits for so many seconds.
        random: Gives a number from 0 to 1.
        watch: Told of each request.
    """
    auth = KeyAuth(key, header=auth_header, template=auth_template) if key is not None else None
    quiet()
    way: Way | None = None
    transport: httpx2.AsyncBaseTransport
    if app is not None:
        transport = InProcess(app)
    else:
        transport = way = (network or Network()).open(limits=httpx2.Limits(max_connections=AT_ONCE), now=now)
    async with transport:
        yield Client(
            transport,
            url=url,
            auth=auth,
            seconds=seconds,
            contract=contract,
            per_minute=per_minute if app is None else None,
            claim=claim,
            now=now,
            sleep=sleep,
            random=random,
            redaction=Redaction(key),
            watch=watch,
            way=way,
        )


class KeyAuth(httpx2.Auth):
    """Attach the key to a request as it leaves.

    Args:
        key: The API key.
        header: Name of the header; the vendor documents that a key authenticates, not the header's name.
        template: Value of the header, with `{key}` where the key goes.
    """

    def __init__(self, key: SecretStr, *, header: str, template: str) -> None:
        self._key = key
        self._header = header
        self._template = template

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Set the header and send."""
        self.attach_to(request)
        yield request

    def attach_to(self, request: httpx2.Request) -> None:
        """Set the header."""
        request.headers[self._header] = self._template.replace("{key}", self._key.get_secret_value())
