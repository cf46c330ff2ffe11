"""Lets who answers at a page's address prove that it is the page, before anybody is sent there."""

from __future__ import annotations

import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

import anyio

from barrack_mcp.guard.page.link.entry import answer_knock

_SECONDS: Final = 2.0
_LONGEST: Final = 4_096
"""Bytes of an answer that are read; a genuine one has fewer than a thousand."""


async def is_served(address: str, *, secret: str) -> bool:
    """Whether the page itself answers at this address; whoever else listens there can't know the secret.

    Args:
        address: The page's address with its path, as the page left it.
        secret: The page's secret.
    """
    place, challenge = urlsplit(address), secrets.token_urlsafe(32)
    # the page's own path is not told before the proof
    request = f"GET /proof?challenge={challenge} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n"
    told = b""
    try:
        with anyio.fail_after(_SECONDS):
            async with await anyio.connect_tcp(place.hostname or "", place.port or 0) as stream:
                await stream.send(request.encode())
                while len(told) < _LONGEST:
                    told += await stream.receive()
    except anyio.EndOfStream:
        head, _, body = told.partition(b"\r\n\r\n")
        return head.startswith(b"HTTP/1.1 200 ") and hmac.compare_digest(
            body, answer_knock(secret, address, challenge).encode()
        )
    except (OSError, ValueError, anyio.BrokenResourceError):
        return False
    return False
