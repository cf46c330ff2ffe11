"""A connection that is opened before anybody needs it, so that the first call waits for no name, no TCP and no TLS.

Nothing is said on it: whoever opens a connection next is given this one. Whether it still stands is known, since it is
listened to until then. Loaded only where one is opened, as what lies below the HTTP library is.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import anyio
import httpcore2
import httpx2

OLDEST_S: Final = 60.0
"""How long it is held. What lies between may forget a silent connection, and mostly takes minutes to."""
WORTH_WAITING_S: Final = 1.0
"""For one that is still being opened, when it is wanted."""

_STEP_S: Final = 5.0
"""For each step of opening it; longer is a trouble that the first call shall tell of."""
_SAFE: Final = frozenset({"GET", "HEAD"})
_PORTS: Final = {"http": 80, "https": 443}


class Warmed(httpx2.AsyncHTTPTransport):
    """Carries requests without a proxy; the first goes over the connection that was opened ahead, if it may.

    Args:
        url: An address of the place to connect to.
        trusted: Whose certificates count; any context where the address is none of https.
        limits: How many connections there may be, and how long one stays unused.
        now: A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        url: httpx2.URL,
        *,
        trusted: ssl.SSLContext,
        limits: httpx2.Limits,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(verify=trusted, limits=limits)
        self._spare = Spare(url, trusted, now=now)
        self._unused_s = limits.keepalive_expiry
        # the pool takes who opens its connections, and the transport takes no pool
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trusted,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=self._spare,
        )

    async def keep(self) -> None:
        """Open the connection, and hold it until it is taken, is too old, or the other side ends it."""
        await self._spare.keep()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Carry one request."""
        if request.method not in _SAFE and self._unused_s is not None:
            # a read that finds it dead is sent again, and a write whose end is unknown never is: it goes by no
            # connection that was silent for longer than any other may be
            await self._spare.drop(older_than=self._unused_s)
        return await super().handle_async_request(request)


class Spare(httpcore2.AsyncNetworkBackend):
    """Opens connections, and hands out the one that it holds to the first who wants one to that place.

    Args:
        url: An address of the place.
        trusted: Whose certificates count, if it is one of https.
        now: A clock that only goes forward, in seconds.
    """

    def __init__(self, url: httpx2.URL, trusted: ssl.SSLContext, *, now: Callable[[], float] = time.monotonic) -> None:
        self._opens = httpcore2.AnyIOBackend()
        self._host = url.raw_host.decode("ascii")
        self._port = url.port or _PORTS[url.scheme]
        self._trusted = trusted if url.scheme == "https" else None
        self._now = now
        self._since = 0.0
        self._stream: httpcore2.AsyncNetworkStream | None = None
        self._wanted = False
        self._holding = anyio.CancelScope()
        self._opened = anyio.Event()
        self._let_go = anyio.Event()

    async def keep(self) -> None:
        """Open it, and hold it until it is taken, is too old, or the other side ends it; a failure is not told."""
        stands = True
        try:
            with self._holding:
                # whatever the trouble is, the first call meets it, too, and tells it
                with suppress(Exception):
                    self._stream = await self._open()
                    self._since = self._now()
                    self._opened.set()
                    with anyio.move_on_after(OLDEST_S):
                        # nobody was asked anything, so all that can come is the end
                        await self._stream.read(1)
                stands = False
        finally:
            if not (self._wanted and stands):
                await self._close()
            self._opened.set()
            self._let_go.set()

    async def drop(self, *, older_than: float) -> None:
        """Close it if it is older than so many seconds."""
        if self._stream is not None and not self._wanted and self._now() - self._since > older_than:
            await self._end()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Hand out the connection that is held, or open one."""
        if (host, port) == (self._host, self._port) and not self._wanted and not self._let_go.is_set():
            taken = await self._take()
            if taken is not None:
                return taken if self._trusted is None else _Encrypted(taken, host)
        return await self._opens.connect_tcp(
            host, port, timeout=timeout, local_address=local_address, socket_options=socket_options
        )

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._opens.sleep(seconds)

    async def _open(self) -> httpcore2.AsyncNetworkStream:
        stream = await self._connect()
        if self._trusted is None:
            return stream
        try:
            self._trusted.set_alpn_protocols(["http/1.1"])
            return await stream.start_tls(self._trusted, self._host, timeout=_STEP_S)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await stream.aclose()
            raise

    async def _connect(self) -> httpcore2.AsyncNetworkStream:
        refused: Exception | None = None
        for address in await _look_up(self._host, self._port):
            try:
                return await self._opens.connect_tcp(address, self._port, timeout=_STEP_S)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                refused = error
        raise refused or OSError

    async def _take(self) -> httpcore2.AsyncNetworkStream | None:
        """Take it; None if it isn't there in time, or has ended, or is too old."""
        self._wanted = True
        try:
            with anyio.move_on_after(WORTH_WAITING_S):
                await self._opened.wait()
            self._wanted = self._stream is not None and self._now() - self._since <= OLDEST_S
        except BaseException:
            self._wanted = False
            raise
        finally:
            await self._end()
        stream, self._stream = self._stream, None
        if stream is None or not stream.get_extra_info("is_readable"):
            return stream
        # its end has come while it changed hands
        await stream.aclose()
        return None

    async def _end(self) -> None:
        """Have it held no longer."""
        self._holding.cancel()
        with anyio.CancelScope(shield=True):
            await self._let_go.wait()

    async def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with anyio.CancelScope(shield=True):
                await stream.aclose()


class _Encrypted(httpcore2.AsyncNetworkStream):
    """A connection whose TLS stands already, handed to the pool, which will ask for it before all else.

    Args:
        stream: The connection, encrypted.
        host: Whose certificate was checked.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream, host: str) -> None:
        self._stream = stream
        self._host = host

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,  # noqa: ARG002 - the pool has one, by which it was checked
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's own
    ) -> httpcore2.AsyncNetworkStream:
        """Hand out the encrypted connection."""
        if server_hostname != self._host:
            raise httpcore2.ConnectError("The certificate was checked for another host.")
        return self._stream

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()


async def _look_up(host: str, port: int) -> list[str]:
    """Look up a host's addresses in a thread that no ending process waits for, as it would for the event loop's."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str]) -> None:
        if not found.done():
            found.set_result(addresses)

    def look_up() -> None:
        addresses: list[str] = []
        # a name that can't be looked up is an error of its own
        with suppress(OSError, UnicodeError):
            each = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(place[0]) for *_, place in each))
        with suppress(RuntimeError):
            # the loop may be gone
            loop.call_soon_threadsafe(tell, addresses)

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    return await found
