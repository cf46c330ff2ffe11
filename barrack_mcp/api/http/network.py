"""The way out: through which proxy, trusting whom, and what it says, in one sentence, if there is no way.

Calls, the doctor's questions, documents and webhooks all go by it. This machine is never reached through a proxy, and
a proxy never sees a key: all else is https, so it passes on what it can't read.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # the stub leaves it out

import httpx2
from pydantic import SecretStr

from barrack_mcp.api.http import is_loopback, quiet
from barrack_mcp.api.http.surplus import Answered

NONE: Final = "off"
"""What stands in a proxy's place where there shall be none."""

_SCHEMES: Final = ("http", "https")
_REFUSED: Final = "did not let it through"

_log = logging.getLogger(__name__)


class NoWayError(httpx2.ConnectError):
    """A request was not begun, since the network as it is set up has no way for it.

    Attributes:
        sentence: Why, and what to do, without a full stop.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class CertificatesError(Exception):
    """A file of certificates can't be used; one sentence names it."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """How connections leave this machine.

    Attributes:
        proxy: The proxy for all but this machine; None for none.
        named: Which setting or variable names it.
        no_proxy: Hosts, domains and networks that are reached without it, separated by commas.
        ca_file: Certificates to trust beside the system's, which the operator named.
        also: The same by the names of the variables that everyone's tools read.
    """

    proxy: SecretStr | None = None
    named: str = ""
    no_proxy: str = ""
    ca_file: Path | None = None
    also: tuple[tuple[str, Path], ...] = ()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read what the environment says of proxies and certificates, as everyone's tools do."""

        def said(*names: str) -> tuple[str, str]:
            return next(((name, value) for name in names if (value := environ.get(name, "").strip())), ("", ""))

        named, proxy = said("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        also = tuple((name, Path(environ[name])) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environ.get(name))
        return cls(
            proxy=SecretStr(proxy) if proxy else None, named=named, no_proxy=said("no_proxy", "NO_PROXY")[1], also=also
        )

    def by_settings(self, *, proxy: SecretStr | None, ca_file: Path | None) -> Self:
        """Put the operator's own word over the environment's."""
        if proxy is None:
            return replace(self, ca_file=ca_file)
        wanted = None if proxy.get_secret_value() == NONE else proxy
        return replace(self, proxy=wanted, named="BARRACK_PROXY", no_proxy="", ca_file=ca_file)

    def passes(self, url: httpx2.URL) -> bool:
        """Whether a request to an address goes through the proxy."""
        return self.proxy is not None and not is_loopback(url.host) and not self._is_exempt(url)

    def open(self, *, limits: httpx2.Limits | None = None, now: Callable[[], float] = time.monotonic) -> Way:
        """Make what carries requests; certificates are read when the first of them needs any.

        Args:
            limits: How many connections there may be; the library's own if None.
            now: A clock that only goes forward, in seconds.
        """
        return Way(self, limits if limits is not None else httpx2.Limits(), now)

    def trusted(self) -> ssl.SSLContext:
        """Read all certificates that count: the system's, the operator's, and those of the usual variables.

        A usual variable that leads nowhere is told in the log: other programs left it, and the system's still count.

        Raises:
            CertificatesError: The operator's own can't be used.
        """
        context = httpx2.create_ssl_context(trust_env=False)
        for name, path in self.also:
            try:
                _add(context, path)
            except (OSError, ssl.SSLError) as error:
                _log.warning("%s names %s, which %s; it is not used.", name, path, _fault(error))
        if self.ca_file is not None:
            try:
                _add(context, self.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise CertificatesError(f"BARRACK_CA_FILE: {self.ca_file} {_fault(error)}.") from None
        return context

    def _is_exempt(self, url: httpx2.URL) -> bool:
        host = url.host
        exempt = [each.strip() for each in self.no_proxy.split(",") if each.strip()]
        place = f"{host}:{url.port or 443}"
        if proxy_bypass_environment(host, {"no": self.no_proxy}) or place in exempt:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for each in exempt if (network := _network(each)) is not None)


class Way(httpx2.AsyncBaseTransport):
    """Carries each request directly or through the proxy; what is never used is never opened, unless it is warmed.

    Args:
        network: How connections leave this machine.
        limits: How many connections there may be, and how long one stays unused.
        now: A clock that only goes forward, in seconds.
    """

    def __init__(self, network: Network, limits: httpx2.Limits, now: Callable[[], float]) -> None:
        self._network = network
        self._limits = limits
        self._now = now
        self._trusted: ssl.SSLContext | None = None
        self._opened: dict[bool | str, httpx2.AsyncBaseTransport] = {}
        self._is_closed = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Carry one request; none any more once this is closed."""
        if self._is_closed:
            # the library would open a connection again, which nobody would close
            raise NoWayError("this server is ending")
        passes = self._network.passes(request.url)
        kind = passes if request.url.scheme == "https" else request.url.scheme
        if kind not in self._opened:
            self._opened[kind] = self._made(passes=passes, encrypted=request.url.scheme == "https")
        answer = await self._opened[kind].handle_async_request(request)
        answer.stream = Answered(answer)
        return answer

    async def warm(self, url: str) -> None:
        """Open a connection to an address ahead of the first request, and hold it for that; nothing is sent on it.

        Returns when it is taken, is too old, or the other side ends it. Where it can't be opened nothing is said: the
        first request will. Through a proxy, and once there was a request, none is opened.

        Args:
            url: The address.
        """
        there = httpx2.URL(url)
        if self._opened or self._is_closed or self._network.passes(there):
            return
        from barrack_mcp.api.http.spare import Warmed  # noqa: PLC0415 - loads what a single command may never need

        try:
            trusted = self._trusting(encrypted=there.scheme == "https")
        except NoWayError:
            return
        warmed = Warmed(there, trusted=trusted, limits=self._limits, now=self._now)
        self._opened[False if there.scheme == "https" else there.scheme] = warmed
        await warmed.keep()

    def _made(self, *, passes: bool, encrypted: bool) -> httpx2.AsyncBaseTransport:
        if passes and not encrypted:
            raise NoWayError("Only https goes through a proxy")
        trusted = self._trusting(encrypted=encrypted)
        proxy = _proxy(self._network) if passes else None
        return httpx2.AsyncHTTPTransport(verify=trusted, limits=self._limits, proxy=proxy)

    def _trusting(self, *, encrypted: bool) -> ssl.SSLContext:
        if not encrypted:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._trusted is None:
            try:
                self._trusted = self._network.trusted()
            except CertificatesError as error:
                raise NoWayError(str(error).rstrip(".")) from None
        return self._trusted

    async def aclose(self) -> None:
        """Close what was opened, for good."""
        self._is_closed = True
        for opened in self._opened.values():
            await opened.aclose()


def checked_proxy(value: SecretStr) -> SecretStr:
    """Check the operator's proxy.

    Raises:
        ValueError: What is wrong, without the value.
    """
    text = value.get_secret_value()
    if text.lower() in (NONE, "0", "false", "no", "none", "direct"):
        return SecretStr(NONE)
    if not is_proxy(text):
        raise ValueError(
            "must be the address of a proxy such as http://proxy.example:3128 (not SOCKS), or off for none"
        )
    return value


def is_proxy(text: str) -> bool:
    """Whether an address is that of a proxy that we can use."""
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        host, _ = url.hostname, url.port
        httpx2.URL(text if "://" in text else f"http://{text}")
    except (ValueError, httpx2.InvalidURL):
        return False
    return bool(host) and url.scheme in _SCHEMES and text.isprintable() and " " not in text


def why(error: BaseException) -> str:  # noqa: PLR0911 - one return a cause
    """Name the cause of a failed connection for people, without the library's text, which may hold headers."""
    for cause in causes(error):
        match cause:
            case NoWayError(sentence=sentence):
                return sentence
            case ssl.SSLCertVerificationError(verify_code=code):
                return _untrusted(code)
            case ssl.SSLError():
                return "what answers there speaks no TLS that can be used"
            case httpx2.ProxyError():
                status = str(cause)[:3]
                return f"the proxy {_REFUSED} ({status})" if status.isdecimal() else f"the proxy {_REFUSED}"
            case httpx2.TimeoutException() | TimeoutError():
                return "timed out"
            case OSError(errno=int(number)) if number:
                return os.strerror(number) if number > 0 else str(cause.strerror)
            case _:
                continue
    return type(error).__name__


def causes(error: BaseException) -> list[BaseException]:
    """List an error and what led to it, from the outside in."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def open_http(
    network: Network,
    *,
    transport: httpx2.AsyncBaseTransport | None = None,
    headers: Mapping[str, str] | None = None,
    limits: httpx2.Limits | None = None,
    seconds: float | None = None,
) -> httpx2.AsyncClient:
    """Make the one HTTP client that there is: it follows no redirect, reads no environment, and keeps out of the log.

    Args:
        network: The way out.
        transport: Another way than the network.
        headers: Sent with each request.
        limits: How many connections there may be.
        seconds: The library's own time for each step; None where the caller keeps the time.
    """
    quiet()
    return httpx2.AsyncClient(
        transport=transport if transport is not None else network.open(limits=limits),
        headers=dict(headers or {}),
        timeout=seconds,
        follow_redirects=False,
        trust_env=False,
    )


def _proxy(network: Network) -> httpx2.Proxy:
    text = network.proxy.get_secret_value() if network.proxy is not None else ""
    if not is_proxy(text):
        raise NoWayError(
            f"{network.named} names a proxy that can't be used (SOCKS, or no address): set BARRACK_PROXY to an http:// "
            "proxy, or to off"
        )
    return httpx2.Proxy(text if "://" in text else f"http://{text}")


def _add(context: ssl.SSLContext, path: Path) -> None:
    if path.is_dir():
        context.load_verify_locations(capath=str(path))
    else:
        context.load_verify_locations(cafile=str(path))


def _fault(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "holds no certificate in PEM form"
    return f"can't be read ({error.strerror})"


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


EXPIRED: Final = 10
NOT_YET: Final = 9
OTHER_HOST: Final = (62, 64)
UNKNOWN_ISSUER: Final = (2, 18, 19, 20, 21, 27)
"""OpenSSL's numbers for what is wrong with a certificate."""

FAULTS: Final[Mapping[int, str]] = {
    EXPIRED: "has expired",
    NOT_YET: "is not valid yet",
    **dict.fromkeys(OTHER_HOST, "is another host's"),
    **dict.fromkeys(UNKNOWN_ISSUER, "comes from an issuer that this machine doesn't trust, or from itself"),
}
"""What is wrong with a certificate, by that number."""
IF_IT_IS_YOURS: Final = "if it is your organisation's, let BARRACK_CA_FILE name its certificate"
"""What to do about an issuer that is not trusted."""

_NO_CERTIFICATE: Final = "its certificate can't be trusted"


def _untrusted(code: int) -> str:
    """Say why a certificate is not trusted, and what to do where that hangs on this machine."""
    if code not in FAULTS:
        return _NO_CERTIFICATE
    more = {EXPIRED: "; is this machine's clock right?", NOT_YET: "; is this machine's clock right?"}
    more |= dict.fromkeys(UNKNOWN_ISSUER, f"; {IF_IT_IS_YOURS}")
    return f"its certificate {FAULTS[code]}{more.get(code, '')}"
