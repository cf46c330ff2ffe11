"""Asks while it learns: GET, HEAD and OPTIONS, never anything else; so many requests in all, so many at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

import anyio
import httpx2
from starlette.types import ASGIApp

from barrack_mcp import __version__
from barrack_mcp.api import answer
from barrack_mcp.api.answer.gateway import Gateway, recognise
from barrack_mcp.api.errors import seconds_to_wait
from barrack_mcp.api.http import checked_url
from barrack_mcp.api.http.in_process import InProcess
from barrack_mcp.api.http.network import Network, open_http, why
from barrack_mcp.api.wire.shape import JsonValue

Method: TypeAlias = Literal["GET", "HEAD", "OPTIONS"]
MOST: Final = 200
"""Requests in all, whatever is learned from."""
AT_ONCE: Final = 4
MAX_BYTES: Final = 8 * 1024 * 1024
_SECONDS: Final = 20.0
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class SpentError(Exception):
    """All requests that learning may make were made."""


@dataclass(frozen=True)
class Reply:
    """An answer, as it came; its address is the one asked, since nothing is followed.

    Attributes:
        url: What was asked.
        status: Its status; 0 where no whole answer came.
        headers: Its headers, by their names in small letters.
        body: Its bytes; none beyond the most that is read.
        wrong: Why there is none or why it can't be used, as the end of a sentence; empty if it can.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    wrong: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether it is what was asked for."""
        return not self.wrong and httpx2.codes.is_success(self.status)

    @property
    def json(self) -> JsonValue:
        """Its body as JSON; None where it is none, or none that is read."""
        try:
            return answer.parse(bytearray(self.body)) if self.body else None
        except (answer.UnreadableError, ValueError):
            return None

    @property
    def gateway(self) -> Gateway | None:
        """What answers in the place of whom was asked; None if it may be them."""
        if not self.status:
            return None
        response = httpx2.Response(self.status, headers=dict(self.headers), request=httpx2.Request("GET", self.url))
        return recognise(response, self.body, self.json)

    @property
    def puts_off(self) -> bool:
        """Whether it wants no more requests now."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS or (
            self.status == HTTPStatus.SERVICE_UNAVAILABLE and self.wait is not None
        )

    @property
    def wait(self) -> float | None:
        """How many seconds it asks to wait before the next request; None if it doesn't say."""
        return seconds_to_wait(self.headers.get("retry-after"))


class Asker:
    """Asks any address, and counts.

    Args:
        http: The connections; they follow no redirect and keep no cookie.
        auth: Puts the key on a request; None for none.
        home: The base URL below whose origin alone the key goes.
        most: How many requests there may be.
        hide: Takes the key out of a text: whom it is sent to may write it into what is learned.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        auth: httpx2.Auth | None,
        home: str,
        most: int = MOST,
        hide: Callable[[str], str] = lambda text: text,
    ) -> None:
        self._http = http
        self._auth = auth
        self._home = origin(home)
        self._most = most
        self._hide = hide
        self._places = anyio.Semaphore(AT_ONCE)
        self._put_off: dict[tuple[str, str, int | None], Reply] = {}
        self.requests = 0

    @property
    def has_key(self) -> bool:
        """Whether there is a key that can go along."""
        return self._auth is not None

    @property
    def left(self) -> int:
        """How many requests may still be made."""
        return self._most - self.requests

    async def ask(
        self, method: Method, url: str, *, headers: Mapping[str, str] | None = None, with_key: bool = False
    ) -> Reply:
        """Ask once. The key goes along if it is wanted and the address is the API's own origin, else never.

        A site that has asked for fewer requests gets no more: its own answer stands for every other.

        Raises:
            SpentError: No request is left.
            ValueError: The address is none that may be asked, or the method would not be safe.
        """
        if method not in _SAFE:
            raise ValueError("only GET, HEAD and OPTIONS are asked while learning")
        checked_url(url.partition("?")[0])
        auth = self._auth if with_key and origin(url) == self._home else None
        async with self._places:
            if (put_off := self._put_off.get(origin(url))) is not None:
                return replace(put_off, url=url)
            if self.left <= 0:
                raise SpentError
            self.requests += 1
            try:
                with anyio.fail_after(_SECONDS):
                    request = self._http.build_request(method, url, headers=dict(headers or {}))
                    head = await self._http.send(request, auth=auth, stream=True, follow_redirects=False)
                    try:
                        reply = await _read(url, head)
                    finally:
                        await head.aclose()
            except TimeoutError:
                return Reply(url, 0, {}, wrong="did not answer in time")
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
                # the library's errors hold the request and with it the key: they end here
                return Reply(url, 0, {}, wrong=f"could not be reached or broke off ({why(error)})")
            if reply.puts_off:
                self._put_off[origin(url)] = reply
            return self._without_key(reply)

    def _without_key(self, reply: Reply) -> Reply:
        headers = {name: self._hide(value) for name, value in reply.headers.items()}
        # what is no text comes out as it went in
        text = reply.body.decode("utf-8", "surrogateescape")
        return replace(reply, headers=headers, body=self._hide(text).encode("utf-8", "surrogateescape"))


async def _read(url: str, head: httpx2.Response) -> Reply:
    headers = {name.lower(): value for name, value in head.headers.items()}
    body = bytearray()
    async for chunk in head.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            return Reply(url, head.status_code, headers, wrong=f"is larger than {MAX_BYTES // 2**20} MiB")
    if headers.get("content-encoding", "identity").lower() != "identity":
        return Reply(url, head.status_code, headers, wrong="came packed, which was not asked for")
    return Reply(url, head.status_code, headers, bytes(body))


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address: what is one site.

    Raises:
        ValueError: It is no address.
    """
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


@asynccontextmanager
async def open_asker(
    home: str,
    auth: httpx2.Auth | None = None,
    *,
    network: Network | None = None,
    most: int = MOST,
    hide: Callable[[str], str] = lambda text: text,
    app: ASGIApp | None = None,
) -> AsyncIterator[Asker]:
    """Open the connections of one learning and close them at the end.

    Args:
        home: Base URL of the API; the key goes to its origin alone.
        auth: Puts the key on a request; None for none.
        network: The way out; directly, trusting the system's certificates, if None.
        most: How many requests there may be.
        hide: Takes the key out of a text.
        app: An application to ask in this process instead of the network.
    """
    headers = {"User-Agent": f"barrack-mcp/{__version__} (contract learn)", "Accept-Encoding": "identity"}
    async with open_http(
        network or Network(),
        transport=InProcess(app) if app is not None else None,
        headers=headers,
        limits=httpx2.Limits(max_connections=AT_ONCE),
    ) as http:
        yield Asker(http, auth=auth, home=home, most=most, hide=hide)
