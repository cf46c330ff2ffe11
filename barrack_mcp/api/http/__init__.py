"""HTTP, whichever way it goes: which addresses may be used, and a library that keeps them out of the log."""

from __future__ import annotations

import ipaddress
import logging
import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

PLACE: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([1-9][0-9]{0,4}))?")
"""A host, and perhaps a port, as they stand in a Host header."""

_TALKATIVE: Final = ("httpx2", "httpcore2")


def quiet() -> None:
    """Let the library say warnings alone, whatever level the log has; called by all that open a connection."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def write_place(host: str, port: int) -> str:
    """Write host and port as an address has them: an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def checked_url(value: str) -> str:
    """Check a base URL: https, or this machine; nothing in it but host, port and path.

    Raises:
        ValueError: What is wrong, without the value.
    """
    try:
        url = urlsplit(value)
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if not host or not value.isprintable() or " " in value:
        raise ValueError("must be a URL such as https://barrack.ai/api")
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise ValueError("must not hold a user name, a password, a query or a fragment")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(host)):
        raise ValueError("must begin with https://, or name this machine (http://127.0.0.1…)")
    return f"{url.scheme}://{url.netloc.lower()}{url.path}".rstrip("/")
