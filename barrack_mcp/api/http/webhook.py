"""What a chat is told, on its way: signed, tried a few times, never followed elsewhere, and with no key of ours."""

from __future__ import annotations

import hashlib
import hmac
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import anyio
import httpx2
from pydantic import SecretStr

from barrack_mcp.api.http.network import Network, open_http

SIGNATURE: Final = "X-Barrack-Signature"
"""The header with the time and the signature: `t=SECONDS,v1=HEX`."""
DELIVERY: Final = "X-Barrack-Delivery"
"""The header that is the same for each attempt at one message, so that who hears it twice knows."""

ATTEMPTS: Final = 4
_SECONDS: Final = 5.0
_BACKOFF_S: Final = 1.0
_FACTOR: Final = 4
_LONGEST_WAIT_S: Final = 30.0
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

_log = logging.getLogger(__name__)


def sign(secret: SecretStr, body: bytes, *, at: int) -> str:
    """Sign a message: the HMAC-SHA256 of `SECONDS.BODY`, with the time beside it.

    Args:
        secret: What only the two sides know.
        body: The message, byte for byte.
        at: Seconds since 1970.
    """
    made = hmac.new(secret.get_secret_value().encode(), b"%d.%s" % (at, body), hashlib.sha256)
    return f"t={at},v1={made.hexdigest()}"


@dataclass(frozen=True)
class _Heard:
    """What the other side made of an attempt.

    Attributes:
        taken: Whether it took the message.
        passing: Whether another attempt may fare better.
        wait: How long it asked to be left alone, in seconds.
    """

    taken: bool
    passing: bool = False
    wait: float = 0.0


async def _pause(seconds: float) -> bool:
    await anyio.sleep(seconds)
    return True


@dataclass(frozen=True)
class Webhook:
    """A chat's incoming webhook. Its address is itself a secret and never logged.

    Attributes:
        url: The address, as Slack, Mattermost and Discord have them.
        secret: Signs what is posted; None if nothing is signed.
        network: How connections leave this machine.
        seconds: Time for one attempt in all.
        transport: Another way out than the network.
        pause: Waits for so many seconds before another attempt; says whether there shall be one.
    """

    url: SecretStr
    secret: SecretStr | None = None
    network: Network = field(default_factory=Network)
    seconds: float = _SECONDS
    transport: httpx2.AsyncBaseTransport | None = None
    pause: Callable[[float], Awaitable[bool]] = _pause

    async def post(self, body: bytes, *, delivery: str, attempts: int = ATTEMPTS) -> bool:
        """Post a message; says whether it was taken. Never raises.

        Args:
            body: JSON.
            delivery: Names the message, however often it is tried.
            attempts: How often it is tried at most.
        """
        for attempt in range(1, attempts + 1):
            heard = await self._attempt(body, delivery)
            if heard.taken or not heard.passing or attempt == attempts:
                return heard.taken
            longest = _BACKOFF_S * _FACTOR ** (attempt - 1)
            # never all at once, whoever was turned away together
            if not await self.pause(heard.wait + longest * random.uniform(0.5, 1)):  # noqa: S311 - no secret
                return False
        return False

    async def _attempt(self, body: bytes, delivery: str) -> _Heard:
        headers = {"Content-Type": "application/json", DELIVERY: delivery}
        if self.secret is not None:
            headers[SIGNATURE] = sign(self.secret, body, at=int(time.time()))
        try:
            with anyio.fail_after(self.seconds):
                async with (
                    open_http(self.network, transport=self.transport, seconds=self.seconds) as http,
                    # what it says beside its status is of no use, and may have no end
                    http.stream("POST", self.url.get_secret_value(), content=body, headers=headers) as answer,
                ):
                    status, taken, wait = answer.status_code, answer.is_success, _asked_to_wait(answer)
        except Exception as error:  # noqa: BLE001 - nothing hangs on it, whatever goes wrong
            _log.warning("The webhook could not be reached (%s).", type(error).__name__)
            return _Heard(taken=False, passing=isinstance(error, httpx2.TransportError | OSError | TimeoutError))
        if not taken:
            _log.warning("The webhook answered %d.", status)
        return _Heard(taken, status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR, wait)


def _asked_to_wait(answer: httpx2.Response) -> float:
    said = answer.headers.get("retry-after", "")
    return min(float(said), _LONGEST_WAIT_S) if said.isascii() and said.isdecimal() else 0.0
