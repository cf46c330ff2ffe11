"""What an answer says: read up to a limit, parsed, and judged by its status. What can't be trusted is an error."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from typing import Any, Final, cast

import httpx2
from pydantic_core import from_json

from barrack_mcp.api.answer.gateway import is_text, recognise
from barrack_mcp.api.errors import ApiError, Failure, read_error

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""Text of n bytes may take nine times as much: one rare character widens all of it, twice."""
MAX_PARTS: Final = 50_000
"""Values and brackets. Each may take a hundred bytes of memory, and several times that while it is presented."""
MAX_DEPTH: Final = 64

_DIGITS: Final = 12
_GZIP_OR_ZLIB: Final = 47
_KIND: Final = re.compile(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,40}")
_NO_PARTS: Final = bytes(code for code in range(256) if code not in b"{[,:")
_NO_FRAMES: Final = bytes(code for code in range(256) if code not in b'{[]}"')
_OF_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")


class UnreadableError(Exception):
    """An answer that is not read to its end; says in words what is wrong with it.

    Attributes:
        lasting: Whether the same request would get the same answer.
    """

    def __init__(self, words: str, *, lasting: bool = False) -> None:
        super().__init__(words)
        self.lasting = lasting


def _too_large() -> UnreadableError:
    return UnreadableError(f"is larger than {MAX_ANSWER_BYTES // 2**20} MiB and was not read", lasting=True)


async def read(response: httpx2.Response) -> bytearray:
    """Read the answer's body, unpacked, up to a size that no honest answer has.

    Raises:
        UnreadableError: It is too large, or packed in a way that can't be undone.
    """
    told = response.headers.get("content-length", "")
    if told.isdecimal() and (len(told) > _DIGITS or int(told) > MAX_ANSWER_BYTES):
        raise _too_large()
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "gzip", "deflate", ""):
        raise UnreadableError("is packed in a way that was not asked for")
    # the library's own unpacking has no limit: 64 kB may become 64 MB in one step
    unpacker = zlib.decompressobj(wbits=_GZIP_OR_ZLIB) if packing in ("gzip", "deflate") else None
    body = bytearray()
    begun = False
    async for chunk in cast("httpx2.AsyncByteStream", response.stream):
        begun = True
        body += _unpacked(unpacker, chunk, MAX_ANSWER_BYTES + 1 - len(body)) if unpacker else chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise _too_large()
    if unpacker and begun and not unpacker.eof:
        raise UnreadableError("broke off")
    return body


def _unpacked(unpacker: Any, chunk: bytes, limit: int) -> bytes:
    try:
        unpacked: bytes = unpacker.decompress(chunk, limit)
    except zlib.error:
        raise UnreadableError("is packed in a broken way") from None
    return unpacked


def parse(raw: bytearray) -> object:
    """Parse JSON whose size in memory has an end; `{}` for no text at all.

    Raises:
        ValueError: It is no JSON.
        UnreadableError: It has too many parts, or they are nested too deeply.
    """
    if not raw or raw.isspace():
        return {}
    if len(raw) > MAX_PARTS and len(raw.translate(None, _NO_PARTS)) > MAX_PARTS:
        raise UnreadableError(f"has more than {MAX_PARTS:,} parts and was not read", lasting=True)
    try:
        body: object = from_json(raw, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        body = _parse_leniently(raw)
        deep = _depth_beyond(body, MAX_DEPTH)
    else:
        deep = len(raw) > MAX_DEPTH and not _is_plainly_flat(raw, MAX_DEPTH) and _depth_beyond(body, MAX_DEPTH)
    if deep:
        raise _too_deep()
    return body


def _parse_leniently(raw: bytearray) -> object:
    """Parse what is JSON to some alone, such as UTF-16: NaN and Infinity are null, and half a character is none.

    Raises:
        ValueError: It is no JSON.
        UnreadableError: It is nested too deeply.
    """
    try:
        body = json.loads(raw, parse_constant=lambda _: None)
        # half a pair of surrogates can't be sent on to anybody
        text = json.dumps(body, ensure_ascii=False).encode("utf-16", "surrogatepass")
        return json.loads(text.decode("utf-16", "replace"))
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> UnreadableError:
    return UnreadableError("is nested too deeply and was not read", lasting=True)


def _is_plainly_flat(raw: bytearray, depth: int) -> bool:
    """Whether JSON shows by its brackets alone that it is no deeper; else its values tell, which takes far longer."""
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    # a text is two quotation marks now, and more than those if it holds a bracket
    frames = raw.translate(_OF_ONE_KIND, _NO_FRAMES).replace(b'""', b"")
    for _ in range(depth):
        # takes away all that hold nothing: one level
        frames = frames.replace(b"[]", b"")
        if not frames:
            return True
    return False


def _depth_beyond(body: object, depth: int) -> bool:
    level = [body]
    for _ in range(depth + 1):
        # parsed JSON is made of these two, and to ask for a subclass takes thrice as long
        holders = [each for each in level if type(each) is dict or type(each) is list]
        if not holders:
            return False
        level = []
        for each in holders:
            level += each.values() if isinstance(each, dict) else each
    return True


def judge(
    response: httpx2.Response,
    raw: bytearray | None,
    *,
    reads: bool,
    wall: Callable[[], float],
    redact: Callable[[Any, bytearray | None], Any],
) -> object:
    """Answer the JSON of a success.

    Args:
        response: The answer's head.
        raw: Its body; None if that could not be read.
        reads: Whether the operation changes nothing, so that an empty answer means nothing.
        wall: The time of day, in seconds since 1970, for dates in the answer.
        redact: Takes out of the answer what must not go on, before anything is cut, so that no half of it stays; is
            given its JSON and the text of that, or its text alone.

    Raises:
        ApiError: It is no success, or can't be understood.
    """
    status = response.status_code
    body, wrong = _body_of(response, raw)
    body = redact(body, raw)
    gateway = recognise(response, raw, body)
    if status >= 300 or gateway is not None:  # noqa: PLR2004 - what is not a success
        if isinstance(wrong, _NoJsonError) and gateway is None and is_text(response, raw):
            body, wrong = redact((raw or b"").decode(errors="replace").strip(), None), None
        error = read_error(status, body, retry_after=response.headers.get("retry-after"), wall=wall)
        if gateway is not None and error.failure is not Failure.REDIRECTED:
            error.words, error.theirs, error.mend = gateway.sentence, False, gateway.mend
            if gateway.keeps_out or status < 300:  # noqa: PLR2004 - a success, but whose
                error.failure = Failure.GATEWAY if gateway.keeps_out else Failure.SILENT
        elif error.failure is Failure.REDIRECTED:
            error.words = "The API redirects this path elsewhere, so our path or BARRACK_API_URL is wrong; not followed"
            # where to is anybody's text; `doctor` tells it
            error.theirs, error.mend = False, gateway.mend if gateway else ""
        elif wrong is not None:
            error.words = f"The answer {wrong}"
        raise error
    if wrong is None and (status < 200 or (reads and not (raw or b"").strip())):  # noqa: PLR2004 - the first success
        wrong = UnreadableError("is empty")
    if wrong is not None:
        raise ApiError(Failure.SILENT, f"The answer {wrong}", status=status, lasting=wrong.lasting)
    if isinstance(body, dict) and _media_type(response) == "application/problem+json":
        error = read_error(status, body)
        error.failure = Failure.REJECTED
        raise error
    return body


class _NoJsonError(UnreadableError):
    """An answer that was read to its end and is something else."""


def _media_type(response: httpx2.Response) -> str:
    return response.headers.get("content-type", "").split(";")[0].strip().lower()


def _body_of(response: httpx2.Response, raw: bytearray | None) -> tuple[object, UnreadableError | None]:
    if raw is None:
        return None, UnreadableError(f"of status {response.status_code} could not be read")
    try:
        return parse(raw), None
    except ValueError:
        return None, _NoJsonError(f"is no JSON but {_kind(response)}")
    except UnreadableError as wrong:
        return None, wrong


def _kind(response: httpx2.Response) -> str:
    kind = _media_type(response)
    return "a web page" if kind == "text/html" else f"of type {kind}" if _KIND.fullmatch(kind) else "unreadable"
