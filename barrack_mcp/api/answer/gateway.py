"""Who answers: the API, or something on the way to it, such as a proxy, a firewall, a login of a network.

A page for people is none of the API's answers, whatever its status: a 403 of such a page says nothing about the key.
Only names that are known here are told; what the other side calls itself is anybody's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx2

from barrack_mcp.api.text import mention

_START: Final = 2_000
"""Bytes of a page in which its kind and title show."""
_PAGES: Final = ("text/html", "application/xhtml+xml")
_CHALLENGES: Final = (
    b"just a moment",
    b"attention required",
    b"checking your browser",
    b"cf-chl",
    b"challenge-platform",
)
_CLOUDFLARE_LEAST, _CLOUDFLARE_MOST = 520, 530
"""What Cloudflare says of the server behind it, in numbers of its own."""

_KNOWN: Final = (
    ("cloudflare", "Cloudflare"),
    ("cloudfront", "Amazon CloudFront"),
    ("awselb", "a load balancer at Amazon"),
    ("akamai", "Akamai"),
    ("sucuri", "Sucuri"),
    ("imperva", "Imperva"),
    ("incapsula", "Imperva"),
    ("zscaler", "Zscaler"),
    ("netskope", "Netskope"),
    ("fortigate", "a FortiGate"),
    ("squid", "a Squid proxy"),
    ("varnish", "Varnish"),
    ("haproxy", "HAProxy"),
    ("traefik", "Traefik"),
    ("envoy", "Envoy"),
    ("openresty", "OpenResty"),
    ("nginx", "nginx"),
    ("apache", "Apache"),
    ("caddy", "Caddy"),
    ("microsoft-iis", "IIS"),
)
_TELLING_HEADERS: Final = ("server", "via", "x-cache", "x-iinfo", "x-sucuri-id", "x-squid-error", "proxy-agent")

_NOT_OF_THE_KEY: Final = "This says nothing about the key:"


@dataclass(frozen=True, slots=True)
class Gateway:
    """What answered in the API's place.

    Attributes:
        sentence: Who it is and what it wants, without the full stop.
        mend: What to do now, in a sentence.
        keeps_out: Whether the request certainly did not get past it.
    """

    sentence: str
    mend: str
    keeps_out: bool = False


def recognise(response: httpx2.Response, raw: bytes | bytearray | None, body: Any = None) -> Gateway | None:
    """Say what answers in the API's place; None if it may be the API itself.

    Args:
        response: The answer's head.
        raw: Its body; None if that could not be read.
        body: The same as JSON, if it is any.
    """
    status = response.status_code
    if (host := _points_to(response)) is not None:
        told = f"What answers points to another host ({mention(host)}): this network wants a login (captive portal), or"
        return Gateway(f"{told} the API has moved; not followed", BROWSER)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        sentence = "A proxy answers in the API's place and wants a login"
        return Gateway(sentence, "Give this server a way past the proxy, or the proxy's login.", keeps_out=True)
    if status == HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED:
        return Gateway("This network wants a login first (captive portal)", BROWSER, keeps_out=True)
    if _is_challenge(response, raw, body):
        return Gateway(
            "Cloudflare answers in the API's place and wants to see a browser (a challenge)",
            f"{_NOT_OF_THE_KEY} try again later or from another network; the API's owner can let programs through.",
            keeps_out=True,
        )
    if not is_page(response, raw) or (300 <= status < 400):  # noqa: PLR2004 - redirects
        return None
    return _page(response, _name(response))


BROWSER: Final = "Open a browser to log in, or check the URL."
_LATER: Final = "Try again later; who runs the API knows more."


def _page(response: httpx2.Response, name: str) -> Gateway | None:
    """Judge a web page by its status; None where a path that the API doesn't have is as likely."""
    status = response.status_code
    if status < 300:  # noqa: PLR2004 - a success
        causes = ["this network wants a login (captive portal)", "BARRACK_API_URL points to a website"]
        likely = " or ".join(reversed(causes) if _scheme(response) == "https" else causes)
        return Gateway(f"A web page answers in the API's place: {likely}", BROWSER)
    answers = f"A web page of {name} answers in the API's place" if name else "A web page answers in the API's place"
    if status in _KEEPING_OUT:
        mend = f"{_NOT_OF_THE_KEY} a firewall, a proxy or a sign-in stands before the API; try from another network."
        return Gateway(f"{answers} and does not let the request through", mend, keeps_out=True)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Gateway(f"{answers} and wants fewer requests", "")
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    cloudflares = _CLOUDFLARE_LEAST <= status <= _CLOUDFLARE_MOST
    return Gateway(f"{answers}: {_NO_ANSWER if cloudflares else _TROUBLES.get(status, _TROUBLE)}", _LATER)


_KEEPING_OUT: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS)
_NO_ANSWER: Final = "it got no good answer from the API behind it"
_TROUBLE: Final = "the API has trouble of its own"
_TROUBLES: Final = {
    HTTPStatus.BAD_GATEWAY.value: _NO_ANSWER,
    HTTPStatus.GATEWAY_TIMEOUT.value: _NO_ANSWER,
    HTTPStatus.SERVICE_UNAVAILABLE.value: "the API is under maintenance or overloaded",
}


def _scheme(response: httpx2.Response) -> str:
    try:
        return response.url.scheme
    except RuntimeError:
        # made by hand, for no request
        return "https"


def is_page(response: httpx2.Response, raw: bytes | bytearray | None) -> bool:
    """Whether it is a page for people, by what it says of itself or by how it begins."""
    start = bytes((raw or b"")[:200]).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return _media_type(response) in _PAGES or start.startswith((b"<!doctype html", b"<html"))


def is_text(response: httpx2.Response, raw: bytes | bytearray | None) -> bool:
    """Whether it is plain text, whose words can be told."""
    return bool(raw and raw.strip()) and _media_type(response) in ("text/plain", "") and not is_page(response, raw)


def _points_to(response: httpx2.Response) -> str | None:
    """The other host that a redirect points to; None if it doesn't."""
    if not 300 <= response.status_code < 400 or "location" not in response.headers:  # noqa: PLR2004 - redirects
        return None
    try:
        here = str(response.url)
        there = urlsplit(urljoin(here, response.headers["location"])).netloc
        return there if there and there != urlsplit(here).netloc else None
    except (ValueError, RuntimeError):
        return None


def _is_challenge(response: httpx2.Response, raw: bytes | bytearray | None, body: Any) -> bool:
    """Whether Cloudflare wants more than the API's key; such a page may come with any status, also as JSON."""
    headers = response.headers
    if headers.get("cf-mitigated", "").strip().lower() == "challenge":
        return True
    if response.status_code not in _REFUSING or _name(response) != "Cloudflare":
        return False
    if isinstance(body, dict) and body.get("cloudflare_error") is True:
        return response.status_code == HTTPStatus.FORBIDDEN
    start = bytes((raw or b"")[:_START]).lower()
    return any(mark in start for mark in _CHALLENGES) or start.startswith(b"error code: 1")


_REFUSING: Final = (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def _name(response: httpx2.Response) -> str:
    """What is known of who answers; empty if nothing is."""
    if "cf-ray" in response.headers:
        return "Cloudflare"
    said = " ".join(response.headers.get(name, "").lower() for name in _TELLING_HEADERS)
    if "x-iinfo" in response.headers:
        return "Imperva"
    return next((name for mark, name in _KNOWN if mark in said), "")


def _media_type(response: httpx2.Response) -> str:
    return response.headers.get("content-type", "").split(";")[0].strip().lower()
