"""What went wrong, in the API's own words, read from every shape in which it may say so."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from barrack_mcp.api.text import cite, mention
from barrack_mcp.catalogue import JsonObject

_MAX_WORDS: Final = 1_000
_MAX_NAME: Final = 100
_MAX_FIELDS: Final = 50
_WORDS: Final = ("message", "error", "detail", "error_message", "msg")
_NOT_FIELDS: Final = frozenset(
    {"success", "code", "request_id", "status", "status_code", "errors", "data", "tier", *_WORDS}
)


class Failure(StrEnum):
    """How a request failed; decides what is known of its effect."""

    NO_KEY = "no_key"
    """No key is set: nothing was sent."""
    UNREACHABLE = "unreachable"
    """It never reached the API."""
    REJECTED = "rejected"
    """The API said no: a status of 4xx, or `success: false`."""
    UNAUTHORISED = "unauthorised"
    """The API doesn't accept the key, or not for this."""
    THROTTLED = "throttled"
    """Too many requests: not applied."""
    BUSY = "busy"
    """Too many calls at once on our side: nothing was sent."""
    REDIRECTED = "redirected"
    """The API points elsewhere: our path or base URL is wrong. Never followed."""
    BROKEN = "broken"
    """A status of 5xx: it may have been applied."""
    SILENT = "silent"
    """Sent, but no whole, readable answer came in time: it may have been applied."""


UNCERTAIN: Final = frozenset({Failure.BROKEN, Failure.SILENT, Failure.REDIRECTED})
"""After these a write may or may not have taken effect."""


@dataclass
class ApiError(Exception):
    """A request that did not succeed."""

    failure: Failure
    words: str
    """What the API said, in one line and cut, for us to read; else a sentence of ours."""
    theirs: bool = False
    """Whether the words are the API's: such words are cited, never said."""
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    """Field errors: the API's words by name of the field."""
    retry_after: float | None = None
    """Seconds to wait, if the API said so."""
    tool: str = ""
    """The read that failed, where one was made on the way to something else."""
    attempts: int = 0
    """Requests that were begun; 0 if nothing was sent."""
    guess: str = ""
    """Method and path, where they are only a guess of ours and the answer looks as if the guess were wrong."""
    lasting: bool = False
    """Whether it would fail the same way again, though failures of its kind may pass."""

    def __str__(self) -> str:
        return self.sentence

    @property
    def uncertain(self) -> bool:
        """Whether a write may have taken effect."""
        return self.failure in UNCERTAIN

    @property
    def unsent(self) -> bool:
        """Whether no request of it ever reached the API."""
        return self.failure in (Failure.NO_KEY, Failure.UNREACHABLE, Failure.BUSY) or (
            self.failure is Failure.REJECTED and not self.attempts
        )

    @property
    def field_words(self) -> str:
        """The field errors in one line."""
        return "; ".join(f"{name}: {words}" for name, words in self.fields.items())

    @property
    def sentence(self) -> str:
        """What happened, for people: the API's words as a citation, with status and request id."""
        facts = [f"HTTP {self.status}"] if self.status is not None else []
        facts += [f"code {self.code}"] if self.code else []
        facts += [f"request_id {self.request_id}"] if self.request_id else []
        words = f"Barrack says {cite(self.words, limit=_MAX_WORDS)}" if self.theirs else self.words.rstrip(".")
        return f"{words} ({', '.join(facts)})." if facts else f"{words}."


def read_error(
    status: int, body: Any, *, retry_after: str | None = None, wall: Callable[[], float] = time.time
) -> ApiError:
    """Read an error answer.

    The shapes (all inferred): `{success: false, message|error, code?, request_id?}`, `{"detail": …}`, and field
    errors `{"name": ["…"]}`; also nested or listed ones, and no JSON at all (`body` None).
    """
    failure = _failure(status)
    error = ApiError(failure, "", status=status)
    if isinstance(body, dict):
        _read(error, body)
    elif isinstance(body, list) and body:
        error.words = _flat(body)
    error.words = (error.words or error.field_words)[:_MAX_WORDS]
    error.theirs = bool(error.words)
    error.words = error.words or f"The API answered {status}"
    if failure in (Failure.THROTTLED, Failure.BROKEN):
        error.retry_after = seconds_to_wait(retry_after, wall=wall)
    error.lasting = status == 501  # noqa: PLR2004 - Not Implemented
    return error


def _failure(status: int) -> Failure:
    if status in (401, 403):
        return Failure.UNAUTHORISED
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        return Failure.THROTTLED
    if 300 <= status < 400:  # noqa: PLR2004 - redirects
        return Failure.REDIRECTED
    return Failure.BROKEN if status >= 500 else Failure.REJECTED  # noqa: PLR2004 - server errors


def _read(error: ApiError, body: JsonObject) -> None:
    nested = body.get("error")
    if isinstance(nested, dict):
        body = {**body, **nested, "error": None}
    error.words = next((_flat(body[name]) for name in _WORDS if body.get(name)), "")
    error.code = _text(body.get("code"))
    error.request_id = _text(body.get("request_id"))
    listed = body.get("errors")
    fields = listed if isinstance(listed, dict) else {k: v for k, v in body.items() if k not in _NOT_FIELDS}
    error.fields = {
        name[:_MAX_NAME]: _flat(words)
        for name, words in list(fields.items())[:_MAX_FIELDS]
        if isinstance(words, list | dict | str) and words
    }


def _text(value: object) -> str | None:
    return mention(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _flat(words: Any, depth: int = 4) -> str:
    """Bring nested words of the API into one line."""
    if depth and isinstance(words, list):
        return " ".join(_flat(word, depth - 1) for word in words[:20])
    if depth and isinstance(words, dict):
        return "; ".join(f"{name}: {_flat(word, depth - 1)}" for name, word in list(words.items())[:20])
    return str(words)[:_MAX_WORDS]


def seconds_to_wait(header: str | None, *, wall: Callable[[], float] = time.time) -> float | None:
    """Read `Retry-After`: seconds or a date; None for what is absent, negative or no number."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - wall()
        except (ValueError, OverflowError):
            return None
        return max(0.0, seconds)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
