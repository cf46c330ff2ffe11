"""What went wrong, in the API's own words, read from every shape in which it may say so."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from barrack_mcp.api.text import cite, mention
from barrack_mcp.catalogue import JsonObject

_MAX_WORDS: Final = 1_000
_MAX_NAME: Final = 100
_MAX_FIELDS: Final = 50
_MOST: Final = 20
"""Reasons of one list that are told."""
_DEEPEST: Final = 4
_WORDS: Final = (
    "title", "message", "error", "detail", "error_message", "errormessage", "error_description", "msg",
    "reason", "explanation", "details", "errors", "non_field_errors", "__all__", "_schema", "invalid-params",
    "invalid_params", "validation_errors", "field_errors", "violations", "issues", "causes", "messages",
)  # fmt: skip
"""Where an API says what is wrong, and in which order it is told."""
_PLACES: Final = ("loc", "pointer", "field", "fieldname", "param", "parameter", "property", "path", "name", "source")
"""Where one of several reasons says what it is about."""
_NOT_FIELDS: Final = frozenset(
    {
        "success", "ok", "code", "error_code", "request_id", "requestid", "status", "status_code", "statuscode", "data",
        "tier", "type", "instance", "path", "timestamp", "trace_id", "traceid", "method", "version", "url", "docs",
        "documentation_url", "help", "jsonrpc", "id", "result", "stack", "traceback", "trace", *_WORDS,
    }
)  # fmt: skip
_INNER: Final = ("error", "data", "result", "response", "fault", "exception")


class Failure(StrEnum):
    """How a request failed; decides what is known of its effect."""

    NO_KEY = "no_key"
    """No key is set: nothing was sent."""
    UNREACHABLE = "unreachable"
    """It never reached the API."""
    REJECTED = "rejected"
    """The API said no: by a status of 4xx, or in the body of a success."""
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
    UNCLEAR = "unclear"
    """An answer came that says neither yes nor no, or both: it may have been applied."""
    GATEWAY = "gateway"
    """Something on the way answered in the API's place and let nothing through."""


UNCERTAIN: Final = frozenset({Failure.BROKEN, Failure.SILENT, Failure.REDIRECTED, Failure.UNCLEAR})
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
    general: str = ""
    """What the API said beside them, in one line."""
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
    mend: str = ""
    """What to do now, where it hangs on who answered in the API's place."""
    waited: float = 0.0
    """Seconds for which an answer was waited for in vain; 0 if it failed otherwise."""

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

    def rename(self, fields: dict[str, str]) -> None:
        """Bring the field errors under other names."""
        self.fields = fields
        if self.theirs:
            self.words = _line([self.general, self.field_words])

    @property
    def sentence(self) -> str:
        """What happened, for people: the API's words as a citation, with status and request id."""
        facts = [f"HTTP {self.status}"] if self.status is not None else []
        facts += [f"code {self.code}"] if self.code else []
        facts += [f"request_id {self.request_id}"] if self.request_id else []
        words = f"Barrack says {cite(self.words, limit=_MAX_WORDS)}" if self.theirs else self.words.rstrip(".")
        return f"{words} ({', '.join(facts)})." if facts else f"{words}."


def no_answer(seconds: float, tries: int = 1) -> str:
    """Say that no answer came, for how long it was waited for, and how often it was tried."""
    return f"No answer within {seconds:.3g} s{f' ({tries} tries)' if tries > 1 else ''}"


def read_error(
    status: int, body: Any, *, retry_after: str | None = None, wall: Callable[[], float] = time.time
) -> ApiError:
    """Read an error answer.

    Every reason in it is kept, the general ones first: `{success: false, message|error, code?, request_id?}`,
    `{"detail": …}`, field errors `{"name": ["…"]}` beside them or alone, lists of reasons that say what each is about,
    `problem+json`, plain text; also nested ones, and no JSON at all (`body` None).
    """
    failure = _failure(status)
    error = ApiError(failure, "", status=status)
    if isinstance(body, dict):
        _read(error, body)
    elif isinstance(body, list | str) and body:
        _tell(error, _reasons(body), {})
    error.words = _line([error.general, error.field_words])
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
    by_name = {name.casefold(): value for name, value in body.items()}
    error.code = error.code or next((said for name in _CODES if (said := _text(by_name.get(name)))), None)
    error.request_id = error.request_id or next(
        (said for name in _REQUESTS if (said := _text(by_name.get(name)))), None
    )
    found = [each for name in _WORDS for each in _reasons(by_name.get(name), inner=name not in _SENTENCES)]
    fields = {name: value for name, value in body.items() if name.casefold() not in _NOT_FIELDS and _is_reason(value)}
    _tell(error, iter(found), {name[:_MAX_NAME]: _flat(value) for name, value in list(fields.items())[:_MAX_FIELDS]})
    if not error.general and not error.fields:
        inner = next((value for name in _INNER if isinstance(value := by_name.get(name), dict) and value), None)
        if inner is not None:
            _read(error, inner)


_CODES: Final = ("code", "error_code", "errorcode")
_REQUESTS: Final = ("request_id", "requestid")
_SENTENCES: Final = ("title", "message", "msg", "reason")
"""Where an object can't be one of several reasons."""


def _tell(error: ApiError, said: Iterator[tuple[str, str]], fields: dict[str, str]) -> None:
    """Keep each reason once: those about a field with it, the others in one line."""
    general: list[str] = []
    for at, words in said:
        if not at:
            general.append(words)
        elif len(fields) < _MAX_FIELDS:
            known = fields.get(at[:_MAX_NAME], "")
            fields[at[:_MAX_NAME]] = known if words in known else f"{known} {words}".strip()
    error.general, error.fields = _line(general), fields


def _reasons(value: Any, at: str = "", depth: int = _DEEPEST, *, inner: bool = True) -> Iterator[tuple[str, str]]:
    """Each reason in a value, with the field that it is about; nothing where that is not told."""
    match value:
        case str() if value.strip():
            yield at, value.strip()[:_MAX_WORDS]
        case list() if depth:
            for each in value[:_MOST]:
                yield from _reasons(each, at, depth - 1)
        case dict() if depth and inner:
            by_name = {name.casefold(): each for name, each in value.items()}
            words = [each for name in _WORDS for _, each in _reasons(by_name.get(name), depth=depth - 1)]
            about = next((place for name in _PLACES if (place := _place(by_name.get(name)))), "")
            if words:
                yield about or at, _line(words)
            else:
                for name, each in list(value.items())[:_MAX_FIELDS]:
                    if name.casefold() not in _NOT_FIELDS:
                        yield (f"{at}.{name}" if at else name), _flat(each)[:_MAX_WORDS]
        case list() | dict() if not depth and value:
            yield at, str(value)[:_MAX_WORDS]


def _place(value: Any) -> str:
    """What a reason is about: the last names of a path, however it is written."""
    if isinstance(value, dict):
        return next((place for name in _PLACES if (place := _place(value.get(name)))), "")
    steps = [str(step) for step in value] if isinstance(value, list) else str(value or "").strip("/").split("/")
    kept = [step for step in steps if step not in _ROOMS]
    return ".".join(kept)[:_MAX_NAME]


_ROOMS: Final = frozenset({"body", "query", "path", "data", "attributes", "#", ""})
"""Steps of a path that only say in which part of the request it begins."""


def _is_reason(value: Any, depth: int = 3) -> bool:
    """Whether a value under the name of a field can be what is wrong with it: words, or words by name."""
    match value:
        case str():
            return bool(value.strip())
        case list():
            return bool(value) and all(isinstance(each, str | dict) for each in value)
        case dict():
            return bool(depth and value) and all(_is_reason(each, depth - 1) for each in value.values())
        case _:
            return False


def _line(parts: Iterable[str]) -> str:
    """Put reasons into one line, each once."""
    told = ""
    for part in parts:
        if part and part.rstrip(".") not in told:
            told += f"{' ' if told.endswith(('.', '!', '?')) else '; ' if told else ''}{part}"
    return told[:_MAX_WORDS]


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
