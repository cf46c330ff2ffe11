"""Whether the body of a success says that it is one: an API may say no with a status that says yes.

Four things may speak: a flag (`success`, `ok`), a word or number (`status`, `code`), a reason (`error`, `errors`), and
the thing that was asked for, which nobody sends who did not do it. What is in a thing is the thing's own: an instance
whose `status` is ERROR was read, or made, well. What says nothing is neither yes nor no.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from barrack_mcp.api.body import is_list
from barrack_mcp.api.errors import Failure, read_error
from barrack_mcp.api.text import cite
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.models import spellings

_DEEPEST: Final = 3
_MOST_ROWS: Final = 20
_LONGEST_CODE: Final = 9

_FLAGS: Final = frozenset(
    {"success", "succeeded", "successful", "issuccess", "issuccessful", "wassuccessful", "ok", "isok"}
)
_FLAGS_OF_NO: Final = frozenset(
    {"iserror", "haserror", "haserrors", "isfailed", "isfailure", "failed", "cloudflareerror"}
)
_WORDS: Final = frozenset({"status", "result", "outcome", "state", "resultcode", "statustext", "statusmessage"})
_NUMBERS: Final = frozenset(
    {"status", "code", "statuscode", "httpstatus", "httpcode", "httpstatuscode", "errorcode", "errcode", "resultcode"}
)
_REASONS: Final = frozenset(
    {"error", "errors", "errormessage", "errormsg", "errordescription", "errordetail", "errordetails", "exception"}
    | {"fault", "failurereason", "nonfielderrors", "validationerrors", "fielderrors", "invalidparams", "violations"}
)
_ENVELOPES: Final = frozenset(
    {"data", "result", "results", "response", "payload", "body", "meta", "header", "envelope"} | {"status"}
)
_EITHER_FLAG: Final = _FLAGS | _FLAGS_OF_NO
_WHOLLY: Final = _FLAGS | _WORDS | _NUMBERS
"""What speaks of the answer as a whole, even under a name of the thing's."""
_SPEAKING: Final = _EITHER_FLAG | _WHOLLY | _REASONS
_LISTENED_TO: Final = _SPEAKING | _ENVELOPES | {"detail"}
_OF_THE_ENVELOPE: Final = frozenset({"message", "requestid", "tier", "detail", "title", "type", *_SPEAKING})

_YES: Final = frozenset(
    {"true", "yes", "y", "ok", "okay", "success", "successful", "succeeded", "accepted", "created", "updated"}
    | {"deleted", "done", "completed", "complete"}
)
_NO: Final = frozenset(
    {"false", "no", "n", "ko", "nok", "not", "error", "errors", "err", "fail", "failed", "failure", "failing"}
    | {"rejected", "refused", "denied", "declined", "invalid", "unsuccessful", "unauthorized", "unauthorised"}
    | {"forbidden", "exception", "fault", "bad", "unavailable", "conflict", "aborted"}
)
_NO_REASON: Final = frozenset({"", "none", "null", "nil", "false", "0", "no", "no error", "no errors", "n/a", *_YES})

_TELLING: Final = frozenset({HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})
"""Statuses that say by themselves that it was done, or will be."""


_POSITION: Final = frozenset({"total", "page", "limit", "totalpages"})


class Says(Enum):
    """What an answer with the status of a success says of it."""

    YES = auto()
    NO = auto()
    BOTH = auto()
    NEITHER = auto()


@dataclass(slots=True)
class _Heard:
    """What speaks in an answer."""

    yes: bool = False
    """A flag, a word or a number says yes."""
    result: bool = False
    """What was asked for is there."""
    no: bool = False
    """A flag or a number says no, which nothing but the answer itself can bear."""
    reason: bool = False
    """A word or a reason says no."""
    doubt: bool = False
    """The same in a place where it may be the thing's own."""


def hold(operation: Operation, status: int, body: Any, *, came: Any, empty: bool) -> None:
    """Let an answer pass that says yes; for a read also one that says nothing, since its list may be empty.

    Args:
        operation: What was asked for.
        status: The answer's status, which is that of a success.
        body: Its JSON under our names.
        came: The same as it came, for the API's own words.
        empty: Whether there was no body at all.

    Raises:
        ApiError: It says no, and why; or a write's answer leaves it open, so that somebody has to look.
    """
    said = says(operation, status, body, empty=empty)
    if said is Says.YES or (said is Says.NEITHER and operation.reads and not _only_explains(body)):
        return
    error = read_error(status, came)
    if said is Says.NO or operation.reads:
        error.failure = _failure(came)
        raise error
    known = f": {cite(error.words, limit=_LONGEST_SAID)}" if error.theirs else ""
    how = "both yes and no" if said is Says.BOTH else "neither yes nor no"
    error.failure, error.words, error.theirs = Failure.UNCLEAR, f"The API's answer says {how}{known}", False
    raise error


_LONGEST_SAID: Final = 400


def _only_explains(body: Any) -> bool:
    """Whether a read got nothing but the sentence in which an API says what is wrong with a request."""
    return isinstance(body, dict) and isinstance(body.get("detail"), str) and body.keys() <= _BESIDE_A_REASON


_BESIDE_A_REASON: Final = frozenset({"detail", "type", "title", "code", "request_id", "status", "instance"})


def says(operation: Operation, status: int, body: Any, *, empty: bool = False) -> Says:
    """Weigh all that an answer says of its success."""
    heard = _listen(operation, body)
    if heard.no or heard.reason:
        return Says.BOTH if heard.yes or (heard.result and not heard.no) else Says.NO
    if heard.yes:
        return Says.YES
    if heard.doubt and not operation.reads:
        return Says.BOTH if heard.result else Says.NEITHER
    # without a body the status has the only word
    if heard.result or empty or (status in _TELLING and isinstance(body, dict)):
        return Says.YES
    return Says.NEITHER


def _failure(came: Any) -> Failure:
    """What kind of no a body says by its number, if it bears one."""
    numbers = [_number(value) for level in _levels(came) for name, value in level.items() if _plain(name) in _NUMBERS]
    code = next((each for each in numbers if each is not None and each >= HTTPStatus.BAD_REQUEST), 0)
    if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Failure.UNAUTHORISED
    if HTTPStatus.INTERNAL_SERVER_ERROR <= code < _LAST_STATUS:
        return Failure.BROKEN
    return Failure.REJECTED


_LAST_STATUS: Final = 600


def _levels(body: Any) -> Iterator[JsonObject]:
    if isinstance(body, dict):
        yield body
        yield from (inner for name, inner in body.items() if _plain(name) in _ENVELOPES and isinstance(inner, dict))


def _listen(operation: Operation, body: Any) -> _Heard:
    heard = _Heard()
    if isinstance(body, dict):
        _hear(operation, body, heard)
    elif isinstance(body, list) and body:
        rows = [_Heard() for _ in body[:_MOST_ROWS]]
        for row, each in zip(body, rows, strict=False):
            if isinstance(row, dict):
                _hear(operation, row, each, of_root=True)
        heard.no = all(row.no or row.reason for row in rows)
        heard.result = any(row.result for row in rows)
    return heard


def _hear(operation: Operation, level: JsonObject, heard: _Heard, depth: int = 0, *, of_root: bool = False) -> None:
    """Listen to an object of the answer: all of it, what is under the root, or what is under an envelope's name."""
    roots = _roots(operation)
    own = _own(operation, of_rows=of_root)
    rooted = [name for name in level if name in roots and _holds(level[name])]
    thing = (
        not rooted
        and "jsonrpc" not in level
        and any(name in own and _shows(name, value) for name, value in level.items())
    )
    heard.result = heard.result or thing or any(not isinstance(level[name], dict) for name in rooted)
    declared = _top(operation) if thing and not depth else frozenset[str]()
    named = ((name, _plain(name), value) for name, value in level.items())
    for name, plain, value in [each for each in named if each[1] in _LISTENED_TO or each[0] in roots]:
        if name in declared and plain not in _WHOLLY:
            # under this name the thing itself says something, such as which of several were not deleted
            continue
        if plain in _EITHER_FLAG and (flag := _flag(value)) is not None:
            heard.yes = heard.yes or (flag and plain in _FLAGS)
            heard.no = heard.no or flag is (plain in _FLAGS_OF_NO)
        if isinstance(value, dict) and depth < _DEEPEST and (plain in _ENVELOPES or name in roots):
            _hear(operation, value, heard, depth + 1, of_root=name in roots)
        verdict = _number_says(plain, value)
        if verdict is not None and not (thing and depth):
            heard.no, heard.yes = heard.no or not verdict, heard.yes or verdict
        elif _says_no(plain, value, words=not of_root):
            if not thing:
                heard.reason = True
            elif not depth:
                heard.doubt = True
        elif not thing and plain in _WORDS and isinstance(value, str) and _first_word(value) in _YES and not of_root:
            heard.yes = True


def _says_no(plain: str, value: Any, *, words: bool) -> bool:
    if plain in _REASONS:
        return _is_reason(value)
    if plain == "detail":
        # the usual form of what is wrong with a request, one by one
        return isinstance(value, list) and any(
            isinstance(each, dict) and {"loc", "msg"} <= each.keys() for each in value
        )
    return words and plain in _WORDS and isinstance(value, str) and _first_word(value) in _NO


def _is_reason(value: Any) -> bool:
    match value:
        case bool() | None:
            return value is True
        case str():
            return value.strip().casefold() not in _NO_REASON
        case int() | float():
            return value != 0
        case dict():
            return any(_is_reason(each) for each in value.values())
        case list():
            return any(_is_reason(each) for each in value)
        case _:
            return False


def _flag(value: Any) -> bool | None:
    match value:
        case bool():
            return value
        case int() | float():
            return value != 0
        case str():
            word = _first_word(value)
            return True if word in _YES or word == "1" else False if word in _NO or word == "0" else None
        case _:
            return None


def _number_says(plain: str, value: Any) -> bool | None:
    number = _number(value) if plain in _NUMBERS else None
    if number is None:
        return None
    if HTTPStatus.OK <= number < HTTPStatus.MULTIPLE_CHOICES:
        return True
    return False if number >= HTTPStatus.BAD_REQUEST else None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        return int(value) if len(value.strip()) <= _LONGEST_CODE else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _first_word(text: str) -> str:
    words = text.casefold().replace("_", " ").replace("-", " ").replace(":", " ").split(maxsplit=1)
    return words[0].strip(".!,;") if words else ""


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def _holds(value: Any) -> bool:
    """Whether something stands there, were it a list without rows; an object of nulls is nothing."""
    if isinstance(value, dict):
        return any(_holds(each) for each in value.values())
    return value is not None and value != ""


def _shows(name: str, value: Any) -> bool:
    """Whether a field of the thing is there; a list of sentences under its name says what is wrong with it."""
    wrong = isinstance(value, list) and not name.endswith("ids") and all(isinstance(each, str) for each in value)
    return _holds(value) and value != [] and not wrong


@cache
def _roots(operation: Operation) -> frozenset[str]:
    return frozenset(spellings(operation.response, operation.result)) if operation.result else frozenset()


@cache
def _own(operation: Operation, *, of_rows: bool) -> frozenset[str]:
    """The names under which the thing that was asked for shows; a list's rows stand in it, not at its top."""
    models = (operation.response,) if is_list(operation) and not of_rows else (operation.row, operation.response)
    names = {each for model in models for name in model.model_fields for each in spellings(model, name)}
    return frozenset(name for name in names if _plain(name) not in _OF_THE_ENVELOPE | _POSITION) - _roots(operation)


@cache
def _top(operation: Operation) -> frozenset[str]:
    """The names that the answer's own fields may bear at its top."""
    model = operation.response
    return frozenset(each for name in model.model_fields for each in spellings(model, name))
