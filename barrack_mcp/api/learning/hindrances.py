"""What keeps learning from going on: told by an answer, in a sentence with what to do."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Final, NamedTuple

from barrack_mcp.api.answer.gateway import Gateway
from barrack_mcp.api.learning.asking import Reply
from barrack_mcp.api.learning.found import Hindrance

KEY_REFUSED: Final = (
    "The API refuses the key, or knows it by another header: check BARRACK_API_KEY, BARRACK_AUTH_HEADER and "
    "BARRACK_AUTH_TEMPLATE."
)
NO_KEY: Final = "The API tells nothing without a key, and none is set: set BARRACK_API_KEY or BARRACK_API_KEY_FILE."
SPENT: Final = "All requests that learning may make were made: start again with what was learned in use."
_REFUSALS: Final = frozenset({HTTPStatus.UNAUTHORIZED.value, HTTPStatus.FORBIDDEN.value})


class Hindered(NamedTuple):
    """What is in the way, and the sentence that says so."""

    kind: Hindrance
    sentence: str


def refused(reply: Reply) -> bool:
    """Whether the API itself wants another key, or any."""
    return reply.status in _REFUSALS and reply.gateway is None


def refusal(*, has_key: bool) -> Hindered:
    """What to say where the API refuses, again and again, whatever it is asked."""
    return Hindered(Hindrance.KEY, KEY_REFUSED if has_key else NO_KEY)


def hindered(reply: Reply) -> Hindered | None:
    """What in an answer forbids to ask on at once; None if nothing does."""
    if not reply.status:
        return Hindered(Hindrance.UNREACHABLE, f"The API {reply.wrong}: check the URL and the network.")
    gateway = reply.gateway
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Hindered(Hindrance.THROTTLED, f"The API wants fewer requests: start again {_later(reply.wait)}.")
    if gateway is not None and gateway.keeps_out:
        return in_place_of(gateway)
    if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Hindered(Hindrance.UNREACHABLE, f"The API can't serve now (503): start again {_later(reply.wait)}.")
    return None


def in_place_of(gateway: Gateway) -> Hindered:
    """What to say where something else answers in the API's place."""
    return Hindered(Hindrance.GATEWAY, f"{gateway.sentence}. {gateway.mend}".strip())


def _later(seconds: float | None) -> str:
    return "later" if seconds is None else f"in {math.ceil(seconds)} s"
