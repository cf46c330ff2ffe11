"""One question to the API for a diagnosis: a GET, never anything else, told as it went, with nothing judged."""

from __future__ import annotations

import contextlib
import email.utils
import errno
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import httpx2
from pydantic import SecretStr
from starlette.types import ASGIApp

from barrack_mcp import __version__
from barrack_mcp.api import answer
from barrack_mcp.api.answer.gateway import Gateway, is_page, recognise
from barrack_mcp.api.client import KeyAuth
from barrack_mcp.api.http.in_process import InProcess
from barrack_mcp.api.http.network import (
    EXPIRED,
    NOT_YET,
    OTHER_HOST,
    UNKNOWN_ISSUER,
    Network,
    NoWayError,
    causes,
    open_http,
)
from barrack_mcp.catalogue import JsonObject

AT_ONCE: Final = 8

_CONNECTED: Final = ("connect_tcp.complete", "send_request_headers.started")
_NO_WAY: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)


class Trouble(StrEnum):
    """Why no answer came."""

    REFUSED = "refused"
    """Nothing listens there."""
    NO_WAY = "no_way"
    """No network of this machine leads there."""
    NO_CONNECTION = "no_connection"
    """Nothing came back in time, not even a refusal."""
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    UNKNOWN_ISSUER = "unknown_issuer"
    OTHER_HOST = "other_host"
    NO_TLS = "no_tls"
    """What answers doesn't speak TLS, or none that we do."""
    SILENT = "silent"
    """Connected, but no whole answer came in time."""
    NO_PROXY = "no_proxy"
    """The proxy on the way can't be used, or lets nothing through."""
    NO_CERTIFICATES = "no_certificates"
    """The certificates that are to be trusted can't be read."""
    BROKEN = "broken"
    """The connection broke off, or what came was no HTTP."""


@dataclass(frozen=True, slots=True)
class Form:
    """How the key rides on a request."""

    header: str
    template: str


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, as it came.

    Attributes:
        status: Its status.
        body: Its JSON; None where it is none, see `wrong`.
        wrong: Why its body can't be used, as the end of a sentence; empty if it can.
        web_page: Whether it is a page for a person.
        location: Where it points, as an absolute URL; empty if nowhere.
        date: The time that it bears, in seconds since 1970, if any.
        gateway: What answers in the API's place; None if it may be the API.
    """

    status: int
    body: object
    wrong: str
    web_page: bool
    location: str
    date: float | None
    gateway: Gateway | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it is what was asked for."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def redirects(self) -> bool:
        """Whether it only says where else to ask."""
        return HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST

    @property
    def refuses_key(self) -> bool:
        """Whether it wants another key, or any."""
        return self.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and self.gateway is None

    @property
    def throttles(self) -> bool:
        """Whether it wants fewer requests."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def in_trouble(self) -> bool:
        """Whether the other side has trouble of its own."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks one API.

    Attributes:
        url: Its base URL; requests go below it and nowhere else.
        key: The key; None where there is none.
    """

    url: str
    key: SecretStr | None
    _http: httpx2.AsyncClient
    _heard: list[int]

    @property
    def requests(self) -> int:
        """How many requests were begun."""
        return self._heard[0]

    async def get(
        self, path: str, *, seconds: float, form: Form | None = None, query: JsonObject | None = None
    ) -> Heard | Trouble:
        """Ask once. No redirect is followed.

        Args:
            path: Below the base URL, with a slash first.
            seconds: For all of it.
            form: How to send the key; without it, it isn't sent.
            query: What to put behind the path.
        """
        if not path.startswith("/"):
            raise ValueError("a path begins with a slash")
        return await self._get(self.url + path, seconds=seconds, form=form, query=query)

    async def get_at(self, base: str, path: str, *, seconds: float) -> Heard | Trouble:
        """Ask once below another base URL of the same host, without the key.

        Args:
            base: The other base URL.
            path: Below it, with a slash first.
            seconds: For all of it.
        """
        here, there = urlsplit(self.url), urlsplit(base)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc) or not path.startswith("/"):
            raise ValueError("another base URL is on the same host")
        return await self._get(base + path, seconds=seconds, form=None, query=None)

    async def _get(self, url: str, *, seconds: float, form: Form | None, query: JsonObject | None) -> Heard | Trouble:
        auth = KeyAuth(self.key, header=form.header, template=form.template) if form and self.key else None
        steps = _Steps()
        self._heard[0] += 1
        request = self._http.build_request(
            "GET", url, params=query, timeout=httpx2.Timeout(None), extensions={"trace": steps.note}
        )
        head: httpx2.Response | None = None
        raw: bytearray | None = None
        wrong = ""
        try:
            with anyio.fail_after(seconds):
                head = await self._http.send(request, auth=auth, stream=True, follow_redirects=False)
                try:
                    raw = await answer.read(head)
                finally:
                    await head.aclose()
        except answer.UnreadableError as error:
            wrong = str(error)
        except TimeoutError:
            return Trouble.SILENT if steps.connected else Trouble.NO_CONNECTION
        except (httpx2.HTTPError, OSError) as error:
            # the library's errors hold the request and with it the key: they end here
            return _trouble(error, connected=steps.connected)
        if head is None:
            return Trouble.BROKEN
        return _told(head, raw, wrong)


class _Steps:
    """How far a request came, as the transport tells it."""

    def __init__(self) -> None:
        self.connected = False

    async def note(self, event: str, _: JsonObject) -> None:
        # a connection that is used again is not told of, but what is sent on it is
        self.connected = self.connected or event.endswith(_CONNECTED)


def _told(head: httpx2.Response, raw: bytearray | None, wrong: str) -> Heard:
    body: object = None
    web_page = is_page(head, raw)
    if not wrong and raw is not None:
        try:
            body = answer.parse(raw)
        except answer.UnreadableError as error:
            wrong = str(error)
        except ValueError:
            wrong = "is a web page" if web_page else "is no JSON"
    gateway = recognise(head, raw, body)
    return Heard(head.status_code, body, wrong, web_page, _location(head), _date(head.headers), gateway)


def _location(head: httpx2.Response) -> str:
    try:
        return str(head.url.join(head.headers["location"])) if "location" in head.headers else ""
    except (httpx2.InvalidURL, ValueError):
        return ""


def _date(headers: Mapping[str, str]) -> float | None:
    with contextlib.suppress(ValueError, OverflowError, KeyError):
        return email.utils.parsedate_to_datetime(headers["date"]).timestamp()
    return None


def _trouble(error: BaseException, *, connected: bool) -> Trouble:  # noqa: PLR0911 - one return a cause
    for cause in causes(error):
        if isinstance(cause, NoWayError):
            return Trouble.NO_CERTIFICATES if "BARRACK_CA_FILE" in cause.sentence else Trouble.NO_PROXY
        if isinstance(cause, httpx2.ProxyError):
            return Trouble.NO_PROXY
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause.verify_code)
        if isinstance(cause, ssl.SSLError):
            return Trouble.NO_TLS
        if isinstance(cause, OSError) and cause.errno in _NO_WAY:
            return Trouble.NO_WAY
        if isinstance(cause, httpx2.TimeoutException | TimeoutError) and not connected:
            return Trouble.NO_CONNECTION
    return Trouble.BROKEN if connected else Trouble.REFUSED


def _certificate(code: int) -> Trouble:
    known = {EXPIRED: Trouble.EXPIRED, NOT_YET: Trouble.NOT_YET}
    known |= dict.fromkeys(OTHER_HOST, Trouble.OTHER_HOST) | dict.fromkeys(UNKNOWN_ISSUER, Trouble.UNKNOWN_ISSUER)
    return known.get(code, Trouble.NO_TLS)


@asynccontextmanager
async def open_probe(
    url: str, key: SecretStr | None, *, app: ASGIApp | None = None, network: Network | None = None
) -> AsyncIterator[Probe]:
    """Open the connections of one diagnosis and close them at the end.

    Args:
        url: Base URL of the API, without a trailing slash.
        key: The key, if there is one; it is sent only where a question says how.
        app: An application to ask in this process instead of the network.
        network: The way out; directly, trusting the system's certificates, if None.
    """
    headers: dict[str, Any] = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"barrack-mcp/{__version__} (doctor)",
    }
    async with open_http(
        network or Network(),
        transport=InProcess(app) if app is not None else None,
        headers=headers,
        limits=httpx2.Limits(max_connections=AT_ONCE),
    ) as http:
        http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
        yield Probe(url, key, http, [0])
