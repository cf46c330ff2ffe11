"""Secrets found by their value, in whatever they have strayed into, and replaced: texts, JSON, logs, tracebacks."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote, quote_plus

from pydantic import SecretStr
from pydantic_core import PydanticSerializationError, to_json

HIDDEN: Final = "[secret]"
LEAST: Final = 8
"""Characters of a secret from which on it is looked for; shorter ones stand in many an innocent word."""

_SIX_BITS: Final = 6
_PIECE: Final = 12
"""Characters that a text has in common with a long secret by no chance."""
_BESIDE: Final = 2
"""Characters beside an open name that a secret may have beside it, too, such as a space."""
_LOOKED_AT: Final = 100_000
"""Characters of an answer in which a call's own secrets are looked for."""


class Redaction:
    """Knows secrets, and takes them out of texts; also as they look percent-encoded, in base64, in JSON and in hex.

    Args:
        secrets: What must not be seen; those of less than 8 characters are not looked for.
    """

    def __init__(self, *secrets: SecretStr | None) -> None:
        self._forms: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self._in_json: tuple[bytes, ...] | None = None
        self.learn(*secrets)

    def learn(self, *secrets: SecretStr | None) -> None:
        """Look for these, too, from now on."""
        texts = (secret.get_secret_value().strip() for secret in secrets if secret is not None)
        forms = self._forms.union(*(_forms(text) for text in texts if len(text) >= LEAST))
        if forms != self._forms:
            longest_first = sorted(forms, key=lambda form: (-len(form), form))
            self._forms, self._pattern = forms, re.compile("|".join(map(re.escape, longest_first)))
            # JSON writes a text letter by letter, so that a part of it is there, too, in the same way
            written = [_json(form) for form in longest_first if not any(each in form for each in forms - {form})]
            self._in_json = None if None in written else tuple(each[1:-1] for each in written if each)

    def hidden(self, text: str) -> str:
        """Replace each secret in a text by `[secret]`."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)

    def hidden_in(self, value: Any, came: bytes | bytearray | None = None) -> Any:
        """Copy JSON with each secret in its texts replaced, names included; what holds none is answered as it is.

        Args:
            value: JSON.
            came: The text that it was parsed from, if that is at hand.
        """
        if self._pattern is None:
            return value
        # one look at the whole instead of one at each text: hardly any answer holds a secret
        written = came if came is not None and _is_verbatim(came) else _json(value)
        if self._in_json is None or written is None or any(form in written for form in self._in_json):
            return self._replaced(value)
        return value

    def _replaced(self, value: Any) -> Any:
        match value:
            case str():
                return self.hidden(value)
            case dict():
                return {self._replaced(name): self._replaced(each) for name, each in value.items()}
            case list():
                return [self._replaced(each) for each in value]
            case int() if len(digits := str(value)) >= LEAST:
                # a key of digits alone may come back as a number
                return HIDDEN if HIDDEN in self.hidden(digits) else value
            case _:
                return value


def _is_verbatim(written: bytes | bytearray) -> bool:
    """Whether JSON holds each of its texts as it is: without a backslash, and in UTF-8, which has no zeros.

    Nor has it halves of a character, which begin with this byte and are put together when they are parsed.
    """
    return b"\\" not in written and b"\0" not in written and b"\xed" not in written


def _json(value: Any) -> bytes | None:
    """Write JSON; None for what holds half a pair of surrogates."""
    try:
        return to_json(value)
    except PydanticSerializationError:
        return None


class Echo:
    """Knows what a call carries that must not come back in what is said of it: the whole, its lines, any piece of it.

    An API that refuses a script quotes a line of it, or its beginning. So whatever stands in a text and in a secret
    alike is hidden, from so many characters on that nobody writes them by chance.

    Args:
        secrets: What must not be seen.
        known: What the call holds that may be seen, even where a secret holds it, too, such as a name.
    """

    def __init__(self, secrets: Iterable[str], *, known: Iterable[str] = ()) -> None:
        self._secrets = tuple(dict.fromkeys(text.strip() for text in secrets if len(text.strip()) >= LEAST))
        self._known = tuple(known)

    def hidden(self, text: str) -> str:
        """Replace in a text what stands in a secret, too."""
        return str(self.hidden_in(text))

    def hidden_in(self, value: Any, *, but: Collection[str] = ()) -> Any:
        """Copy JSON with what stands in a secret replaced in its texts, and each name that holds a whole one.

        Args:
            value: JSON.
            but: Names of fields whose text stays as it is.
        """
        if not self._secrets:
            return value
        texts: list[str] = []
        room = _LOOKED_AT
        for text in _texts(value, but):
            # what is not looked at is not shown either
            texts.append(text[: max(0, room)])
            room -= len(text)
        return self._replaced(value, self._pieces("\n\n".join(texts)), but, set(texts))

    def _replaced(
        self, value: Any, pieces: dict[int, set[str]], but: Collection[str], looked_at: Collection[str]
    ) -> Any:
        match value:
            case str():
                return self._without(value, pieces) if value in looked_at else HIDDEN
            case dict():
                return {
                    HIDDEN if any(secret in name for secret in self._secrets) else name: each
                    if name in but and isinstance(each, str)
                    else self._replaced(each, pieces, but, looked_at)
                    for name, each in value.items()
                }
            case list():
                return [self._replaced(each, pieces, but, looked_at) for each in value]
            case int() if len(digits := str(value)) >= LEAST:
                return HIDDEN if _stretches(digits, pieces) else value
            case _:
                return value

    def _without(self, text: str, pieces: dict[int, set[str]]) -> str:
        """A text with each stretch that is made of such pieces replaced, but for what may be seen."""
        kept: list[str] = []
        end = 0
        for begin, stop in _stretches(text, pieces):
            around = text[max(0, begin - _BESIDE) : stop + _BESIDE]
            if any(text[begin + _BESIDE : stop - _BESIDE] in known and known in around for known in self._known):
                continue
            kept += (text[end:begin], HIDDEN)
            end = stop
        return "".join((*kept, text[end:]))

    def _pieces(self, text: str) -> dict[int, set[str]]:
        """What a text and a secret have in common, by length."""
        found: dict[int, set[str]] = {}
        for length, forms in self._forms().items():
            there = {text[at : at + length] for at in range(len(text) - length + 1)}
            common = {form[at : at + length] for form in forms for at in range(len(form) - length + 1)} & there
            if common:
                found[length] = common
        return found

    def _forms(self) -> dict[int, set[str]]:
        """The ways in which each secret may be written down, by how long a piece of it must be to tell anything."""
        found: dict[int, set[str]] = {}
        for secret in self._secrets:
            lines = [line.strip() for line in secret.splitlines()]
            found.setdefault(max(LEAST, min(_PIECE, len(secret) * 3 // 4)), set()).update(_forms(secret))
            for line in lines:
                if LEAST <= len(line) < _PIECE:
                    found.setdefault(len(line), set()).update(form for form in _forms(line) if len(form) == len(line))
        return found


def _texts(value: Any, but: Collection[str]) -> Iterator[str]:
    """All texts in JSON but for names, and numbers long enough to be one."""
    match value:
        case str():
            yield value
        case dict():
            for name, each in value.items():
                if not (name in but and isinstance(each, str)):
                    yield from _texts(each, but)
        case list():
            for each in value:
                yield from _texts(each, but)
        case int() if len(digits := str(value)) >= LEAST:
            yield digits


def _stretches(text: str, pieces: Mapping[int, Collection[str]]) -> list[tuple[int, int]]:
    """Where a text is made of such pieces, from and to."""
    found: list[tuple[int, int]] = []
    for at in range(len(text)) if pieces else ():
        length = max((length for length, some in pieces.items() if text[at : at + length] in some), default=0)
        if not length:
            continue
        if found and at <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], at + length))
        else:
            found.append((at, at + length))
    return found


class HidingFormatter(logging.Formatter):
    """Formats a record as another formatter does, and takes the secrets out of what comes of it.

    Message, arguments, traceback and stack have become one text by then, so a secret can't hide between them.
    """

    def __init__(self, inner: logging.Formatter, redaction: Redaction) -> None:
        super().__init__()
        self._inner = inner
        self.redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """Format; what can't be formatted is named, since the library would show its parts as they are."""
        try:
            text = self._inner.format(record)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the log goes on
            text = f"a record of {record.name} could not be written ({type(error).__name__})"
        finally:
            # it would be cached as it is, for every other formatter
            record.exc_text = None
        return self.redaction.hidden(text)


def protect(redaction: Redaction, logger: logging.Logger | None = None) -> None:
    """See to it that nothing this process logs, and no traceback of what nobody caught, shows a secret.

    Doing it again with the same redaction changes nothing; handlers that are added later need it again.

    Args:
        redaction: Knows the secrets.
        logger: Whose handlers to mend; the root's by default.
    """
    for handler in (logger or logging.getLogger()).handlers:
        present = handler.formatter
        if not (isinstance(present, HidingFormatter) and present.redaction is redaction):
            handler.setFormatter(HidingFormatter(present or logging.Formatter(), redaction))

    def write(kind: type[BaseException], error: BaseException | None, frames: TracebackType | None) -> None:
        lines = traceback.format_exception(kind, error, frames)
        if sys.stderr is not None:
            sys.stderr.write(redaction.hidden("".join(lines)))

    def in_thread(args: Any) -> None:
        if args.exc_type is not SystemExit:
            write(args.exc_type, args.exc_value, args.exc_traceback)

    def unraisable(args: Any) -> None:
        write(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook, threading.excepthook, sys.unraisablehook = write, in_thread, unraisable


def _forms(secret: str) -> Iterator[str]:
    """All the ways in which a secret may be written down."""
    raw = secret.encode(errors="surrogatepass")
    yield secret
    for percented in (
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        quote(secret, errors="replace"),
    ):
        yield percented
        yield re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), percented)
    for escaped in (json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret), repr(raw)[1:]):
        inner = escaped[1:-1]
        yield inner
        yield inner.replace("/", "\\/")
    yield html.escape(secret)
    yield raw.hex()
    yield raw.hex().upper()
    yield from _in_base64(raw)


def _in_base64(raw: bytes) -> Iterator[str]:
    """What of a secret stays the same in base64 whatever stands before and after it."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode()
        first = -(-before * 8 // _SIX_BITS)
        last = (before + len(raw)) * 8 // _SIX_BITS
        inner = encoded[first:last]
        yield inner
        yield inner.translate(str.maketrans("+/", "-_"))
