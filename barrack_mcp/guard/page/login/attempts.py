"""How often somebody may try to sign in with what is wrong: so seldom that nobody can guess, nor keep us busy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final

from starlette.requests import Request

EACH: Final = 5
"""Wrong attempts of one address in a minute."""
ALL: Final = 200
"""Wrong attempts that are kept in mind, the last ones."""
SPAN_S: Final = 60.0
_NETWORK: Final = 64
_LONGEST: Final = 64


class Attempts:
    """Counts what was wrong in the last minute, in this process.

    A token has 256 random bits, so that is against noise alone: whoever comes from another address is never kept out.

    Args:
        now: The time in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._wrong: deque[tuple[float, str]] = deque(maxlen=ALL)

    def too_many(self, address: str) -> bool:
        """Whether this address has to wait before it tries again."""
        while self._wrong and self._wrong[0][0] <= self._now() - SPAN_S:
            self._wrong.popleft()
        return sum(each == address for _, each in self._wrong) >= EACH

    def count(self, address: str) -> None:
        """Take note of a wrong one."""
        self._wrong.append((self._now(), address))


def address_of(request: Request) -> str:
    """Where a request comes from: by the word of the proxy before this server, which adds it last; else by its peer."""
    told = request.headers.getlist("x-forwarded-for")
    peer = request.client.host if request.client is not None else ""
    found = told[-1].rpartition(",")[2].strip() if told else peer
    try:
        address = ip_address(found)
    except ValueError:
        return found[:_LONGEST]
    # whoever has one address of IPv6 has all of its network
    return str(address if address.version == 4 else ip_network((address, _NETWORK), strict=False))  # noqa: PLR2004 - of IP
