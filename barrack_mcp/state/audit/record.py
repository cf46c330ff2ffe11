"""The form of a line: canonical JSON that ends in a hash of itself and holds the hash of the line before. Pure data."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

JsonObject: TypeAlias = dict[str, Any]

GENESIS: Final = "0" * 64
"""What stands for the hash of the line before the first."""
MAX_TEXT: Final = 2_000
"""Characters that a line keeps of one text."""
MAX_LINE: Final = 262_144
"""Bytes of a line, its newline included."""

_MAX_NAME: Final = 200
_MAX_ENTRIES: Final = 1_000
_MAX_DEPTH: Final = 12
_MAX_BITS: Final = 64
_LARGE: Final = ("arguments", "shown")
"""What gives way, in this order, where a line would be too long."""
_SEAL: Final = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n\Z')


class AuditError(Exception):
    """The record can't be written or read; its text is one sentence for the operator."""


class BrokenLineError(Exception):
    """A line is not one that this program wrote; its text says what is wrong, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain stands: its last line's number and hash."""

    seq: int
    hash: str


START: Final = Link(0, GENESIS)


def canonical(value: Any) -> bytes:
    """Write JSON in its one spelling: keys sorted, no spaces, ASCII alone, so that a terminal shows it harmlessly."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")).encode("ascii")


def digest(value: Any) -> str:
    """Name a JSON value by the SHA-256 of its canonical form, whatever order its keys came in."""
    return hashlib.sha256(canonical(value)).hexdigest()


def sealed(after: Link, *, at: str, kind: str, fields: Mapping[str, Any]) -> tuple[bytes, Link]:
    """Make the line that follows another.

    The hash is the SHA-256 of the canonical line without `hash`; it is put in at the end, so that it covers every byte
    before it. Texts over 2,000 characters are cut; arguments, or a plan, that would still be too much give way to their
    digest.

    Args:
        after: The line before.
        at: When, ISO 8601.
        kind: What kind of line.
        fields: What else it says: JSON.

    Returns:
        The line with its newline, and where the chain stands with it.
    """
    head = {"at": at, "kind": kind, "prev": after.hash, "seq": after.seq + 1}
    body = canonical(capped(fields) | head)
    for name in _LARGE:
        if len(body) > MAX_LINE // 2 and name in fields:
            value = canonical(capped(fields[name]))
            left_out = {"left_out_bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
            fields = dict(fields) | {name: left_out}
            body = canonical(capped(fields) | head)
    seal = hashlib.sha256(body).hexdigest()
    return body[:-1] + f',"hash":"{seal}"}}\n'.encode("ascii"), Link(after.seq + 1, seal)


def opened(line: bytes, *, after: Link | None = None) -> tuple[JsonObject, Link]:
    """Check a line by itself and, if `after` is given, as the one that follows it.

    Raises:
        BrokenLineError: What is wrong with it.
    """
    if len(line) > MAX_LINE:
        raise BrokenLineError("is longer than any line of an audit record")
    seal = _SEAL.search(line)
    if seal is None:
        raise BrokenLineError("does not end in a hash and a newline: it was changed, cut or joined with another")
    if hashlib.sha256(line[: seal.start()] + b"}").hexdigest() != seal[1].decode("ascii"):
        raise BrokenLineError("does not fit its own hash: it was changed")
    fields = parsed(line)
    if fields is None or not isinstance(fields.get("seq"), int):
        raise BrokenLineError("is not a line of an audit record")
    link = Link(fields["seq"], seal[1].decode("ascii"))
    if after is not None and link.seq != after.seq + 1:
        raise BrokenLineError(
            f"has number {link.seq} where number {after.seq + 1} belongs: lines are missing, repeated, put in or moved"
        )
    if after is not None and fields.get("prev") != after.hash:
        raise BrokenLineError("does not follow from the line before it: one of the two was exchanged")
    return fields, link


def parsed(line: bytes) -> JsonObject | None:
    """Read a line's fields without checking it; None if it holds no JSON object."""
    try:
        fields = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def capped(value: Any, *, depth: int = 0) -> Any:
    """Bring any value into JSON of bounded size; what is left out is said in its place."""
    match value:
        case Mapping() | list() | tuple() | set() | frozenset():
            return _capped_within(value, depth + 1) if depth < _MAX_DEPTH else "… (too deep to be kept)"
        case str():
            return _cut(str(value), MAX_TEXT)
        case None | bool():
            return value
        case int():
            return int(value) if value.bit_length() <= _MAX_BITS else _cut(hex(value), MAX_TEXT)
        case float():
            return value if math.isfinite(value) else str(value)
        case _:
            return f"… (a {type(value).__name__}, not kept)"


def _capped_within(value: Mapping[Any, Any] | Collection[Any], depth: int) -> JsonObject | list[Any]:
    more = len(value) - _MAX_ENTRIES
    if isinstance(value, Mapping):
        kept = {_cut(str(name), _MAX_NAME): capped(held, depth=depth) for name, held in _first(value.items())}
        return kept | ({"…": f"… ({more} more)"} if more > 0 else {})
    return [capped(held, depth=depth) for held in _first(value)] + ([f"… ({more} more)"] if more > 0 else [])


def _first(values: Iterable[Any]) -> Iterable[Any]:
    return itertools.islice(values, _MAX_ENTRIES)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
