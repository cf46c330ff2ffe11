"""What comes on a connection beside the answer that was asked for, and would be taken for the answer to the next."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import httpx2

_TO_THE_MACHINE: Final = ("_httpcore_stream", "_stream", "_connection", "_h11_state")
"""From an answer's body, as the library has it, to what took its bytes apart and holds those that are left."""


class Answered(httpx2.AsyncByteStream):
    """An answer's body, whose connection serves nobody after it if more came than the answer.

    The library keeps what is left, and would answer the next request with it: with bytes that were written before that
    was sent. So a write would be told as done which nobody did.

    Args:
        answer: The answer, as the library's transport gives it.
    """

    def __init__(self, answer: httpx2.Response) -> None:
        self._body = cast("httpx2.AsyncByteStream", answer.stream)
        self._stream = answer.extensions.get("network_stream")
        self._given_back = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the body."""
        return aiter(self._body)

    async def aclose(self) -> None:
        """Give the connection back, or close it; once, since it may be another's by then."""
        if self._given_back:
            return
        self._given_back = True
        machine: Any = self._body
        for name in _TO_THE_MACHINE:
            machine = getattr(machine, name, None)
        if machine is not None and (machine.trailing_data[0] or self._holds_more()):
            # a connection of which this is said is closed instead of being kept
            machine.send_failed()
        await self._body.aclose()

    def _holds_more(self) -> bool:
        """Whether bytes came that are not decrypted yet; the pool itself sees those that nobody fetched."""
        encrypted = self._stream.get_extra_info("ssl_object") if self._stream is not None else None
        if encrypted is None:
            return False
        try:
            encrypted.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            # it has ended
            return True
        return True
