"""The way to one Redis: each command within its time and never made twice, its failures told in plain words."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import unquote, urlsplit

import anyio
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import TimeoutError as Late
from redis.maint_notifications import MaintNotificationsConfig

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.redis.scripts import Script

Told: TypeAlias = Any
"""What Redis answers: by the command a text, a number, or rows of them."""

SECONDS: Final = 3.0
"""Time for a command in all, the connection included."""
_AT_ONCE: Final = 16
_PORT: Final = 6379

_WHO: Final = "The Redis that BARRACK_STATE names"
_SENTENCES: Final[Sequence[tuple[type[Exception] | tuple[type[Exception], ...], str]]] = (
    (AuthenticationError, "does not let this server in; see the user and the password in BARRACK_STATE."),
    (
        NoPermissionError,
        "does not let its user do all that is needed; docs/team.md says what that is.",
    ),
    (BusyLoadingError, "is still loading what it kept; try again in a moment."),
    (OutOfMemoryError, "is full and takes no writes; give it more memory."),
    (ReadOnlyError, "takes no writes at the moment: it is a replica, or hands over to one."),
    ((TimeoutError, Late), "did not answer within {seconds:g} s; see that it runs and isn't overloaded."),
)
_OTHERWISE: Final = "can't be used at the moment; see that it runs, and its own log."


class Link:
    """Connections to a Redis, made when they are needed.

    Args:
        url: `redis://` or `rediss://`, with user, password, host, port and number of the database.
        ca_file: Certificates to trust beside the system's.
        seconds: Time for a command in all, of which it may take half to be connected.
    """

    def __init__(self, url: str, *, ca_file: Path | None = None, seconds: float = SECONDS) -> None:
        self._url = url
        self._ca_file = ca_file
        self._seconds = seconds
        self._home = _place(url)
        self._at = self._home
        self._client: Redis | None = None
        self._left: list[Redis | None] = []

    async def aclose(self) -> None:
        """Let go of the connections; a later use makes new ones."""
        clients, self._left = [*self._left, self._client], []
        self._client = None
        for client in clients:
            if client is not None:
                await client.aclose(close_connection_pool=True)

    async def run(self, script: Script, keys: Sequence[str], *values: str | float) -> Told:
        """Run a script.

        Raises:
            StoreError: It did not run, or nobody knows whether it did.
        """
        try:
            return await self._told("EVALSHA", script.digest, len(keys), *keys, *values)
        except NoScriptError:
            # the one failure that says that nothing ran
            return await self.ask("EVAL", script.text, len(keys), *keys, *values)

    async def ask(self, *command: str | float) -> Told:
        """Send a command.

        Raises:
            StoreError: It was not done, or nobody knows whether it was.
        """
        return await self._told(*command)

    async def listen(self, channel: str) -> None:
        """Be there on a channel, for as long as that can be done."""
        async with self._plainly(), self._connected().pubsub() as heard:
            async with asyncio.timeout(self._seconds):
                await heard.subscribe(channel)
            async for _ in heard.listen():
                pass

    async def _told(self, *command: str | float) -> Told:
        # what was begun is ended, within its time: whoever is cancelled must not leave it half heard
        with anyio.CancelScope(shield=True):
            async with self._plainly():
                try:
                    return await self._sent(*command)
                except MovedError as moved:
                    await self._go_to((moved.host or self._at[0], int(moved.port)))
                    return await self._sent(*command)

    async def _sent(self, *command: str | float) -> Told:
        async with asyncio.timeout(self._seconds):
            return await self._connected().execute_command(*command)  # type: ignore[no-untyped-call]  # redis has no types for it

    @asynccontextmanager
    async def _plainly(self) -> AsyncIterator[None]:
        try:
            yield
        except (NoScriptError, MovedError):
            raise
        except (RedisError, OSError, TimeoutError) as error:
            # whoever kept the slot may be gone, and the others know who does now
            await self._go_to(self._home)
            what = next((told for kinds, told in _SENTENCES if isinstance(error, kinds)), _OTHERWISE)
            raise StoreError(f"{_WHO} {what.format(seconds=self._seconds)}") from None

    async def _go_to(self, place: tuple[str, int]) -> None:
        """Turn to another node of a cluster; what others still hear from the one before, they hear to its end."""
        if self._at == place:
            return
        (*ended, last), self._client, self._at = [*self._left, self._client], None, place
        self._left = [last]
        for client in ended:
            if client is not None:
                await client.aclose(close_connection_pool=True)

    def _connected(self) -> Redis:
        if self._client is None:
            host, port = self._at
            self._client = Redis(connection_pool=_pool(self._url, host, port, self._ca_file, self._seconds))
        return self._client


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return unquote(parts.hostname or "localhost"), parts.port or _PORT


def _pool(url: str, host: str, port: int, ca_file: Path | None, seconds: float) -> BlockingConnectionPool:
    parts = urlsplit(url)
    secured: Mapping[str, Any] = {}
    if parts.scheme == "rediss":
        secured = {"ssl_min_version": ssl.TLSVersion.TLSv1_2, "ssl_ca_certs": None if ca_file is None else str(ca_file)}
    return BlockingConnectionPool(
        max_connections=_AT_ONCE,
        timeout=seconds,
        connection_class=SSLConnection if parts.scheme == "rediss" else Connection,
        host=host,
        port=port,
        db=int(parts.path.strip("/") or 0),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        socket_connect_timeout=seconds / 2,
        socket_timeout=seconds,
        # a script whose answer was lost may have run: only who knows what it does can say what to do then
        retry=Retry(NoBackoff(), 0),
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        protocol=2,
        decode_responses=True,
        **secured,
    )
