"""Walks a record from its first line and finds the first one that isn't as it was written.

What a chain can't show, said plainly. Whoever can write the file can write a whole new chain: the hashes hold no
secret. Whole lines cut off the end leave a chain in order; the `.head` file beside the record shows that, as long as it
wasn't cut back or taken away as well. Who needs more keeps the last line's hash where this user can't write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from barrack_mcp.state.audit.file import Snapshot, reading
from barrack_mcp.state.audit.record import (
    MAX_LINE,
    START,
    AuditError,
    BrokenLineError,
    JsonObject,
    Link,
    opened,
    parsed,
)

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Break:
    """Where a record stops being as it was written."""

    line: int
    """Counted from 1."""
    offset: int
    """Bytes before the line."""
    what: str
    """What is wrong, in a sentence."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An intent without an outcome: it may or may not have taken place."""

    id: str
    at: str
    caller: str
    tool: str
    confirmed: str
    process: int
    """The process that meant it; if that still runs, the call may still be on its way."""


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying a record came to."""

    lines: int
    """Whole lines in the file."""
    first_break: Break | None
    """None if every line is as it was written and follows from the one before."""
    torn: int
    """Interrupted writes: those that a later line notes, and one at the end."""
    torn_end: bool
    """Whether the file ends in the beginning of a line, which a crash leaves; it was never acknowledged."""
    guarded: int
    """Lines that the head file vouches for, so that cutting them off the end is noticed."""
    head: str
    """Hash of the last line before the break, to be kept elsewhere."""
    unfinished: tuple[Unfinished, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was changed; an interrupted write changes nothing."""
        return self.first_break is None

    def as_text(self) -> str:
        """Say it to a person, a sentence a line."""
        if self.first_break is None:
            told = [f"All {self.lines} lines are as they were written; the last has the hash {self.head}."]
            if self.lines > self.guarded:
                told.append(f"Lines cut off the end would be noticed up to line {self.guarded} only.")
        else:
            told = [f"BROKEN at line {self.first_break.line}, byte {self.first_break.offset}: {self.first_break.what}"]
        if self.torn:
            told.append(f"Interrupted writes, harmless: {self.torn}{', one at the end' if self.torn_end else ''}.")
        if self.unfinished:
            names = ", ".join(f"{one.tool} at {one.at} (process {one.process})" for one in self.unfinished[:_SHOWN])
            more = f" and {len(self.unfinished) - _SHOWN} more" if len(self.unfinished) > _SHOWN else ""
            told.append(
                f"Without an outcome: {ascii(names)[1:-1]}{more}. Unless that process still runs, look what took place."
            )
        return "\n".join(told)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    offset: int
    raw: bytes


def verify(path: Path | str) -> Report:
    """Verify a record from its first line to its last, as it stands now; writers go on meanwhile.

    Raises:
        AuditError: There is no record, or it can't be read.
    """
    with reading(Path(path)) as snapshot:
        if snapshot is None:
            raise AuditError(f"There is no audit record at {path}.")
        return _verified(snapshot)


def unfinished(path: Path | str) -> list[Unfinished]:
    """List the intents without an outcome, oldest first, whether or not the chain is whole; none without a record.

    Raises:
        AuditError: The record can't be read.
    """
    with reading(Path(path)) as snapshot:
        open_intents: dict[str, Unfinished] = {}
        for line in _lines(snapshot) if snapshot else ():
            # what lacks its newline was never acknowledged, so nothing was sent on it
            _follow(open_intents, parsed(line.raw) if line.raw.endswith(b"\n") else None)
        return list(open_intents.values())


def _verified(snapshot: Snapshot) -> Report:
    link, lines, torn, torn_end = START, 0, 0, False
    first_break: Break | None = None
    open_intents: dict[str, Unfinished] = {}
    for line in _lines(snapshot):
        whole = line.raw.endswith(b"\n")
        lines += whole
        fields: JsonObject | None
        try:
            fields, link_here = opened(line.raw, after=link)
        except BrokenLineError as error:
            fields = parsed(line.raw)
            torn_end = _is_torn(line, snapshot, link) and first_break is None
            if first_break is None and not torn_end:
                first_break = Break(line.number, line.offset, f"The line {error}.")
        else:
            if first_break is None:
                first_break = _rewritten(line, link_here, snapshot.head)
                link = link if first_break else link_here
        torn += torn_end or (fields is not None and fields.get("kind") == "torn")
        if not torn_end:
            _follow(open_intents, fields)
    head = snapshot.head
    if first_break is None and head is not None and head.seq > link.seq:
        first_break = Break(
            link.seq + 1,
            snapshot.size,
            f"The record ends after line {link.seq}, and its .head file knows of line {head.seq}: "
            "lines were cut off the end, or the .head file was changed.",
        )
    return Report(
        lines=lines,
        first_break=first_break,
        torn=torn,
        torn_end=torn_end,
        guarded=head.seq if head else 0,
        head=link.hash,
        unfinished=tuple(open_intents.values()),
    )


def _is_torn(line: _Line, snapshot: Snapshot, link: Link) -> bool:
    """Whether a bad line is the beginning of one that was never acknowledged."""
    at_end = line.offset + len(line.raw) == snapshot.size and not line.raw.endswith(b"\n")
    return at_end and len(line.raw) <= MAX_LINE and (snapshot.head is None or snapshot.head.seq <= link.seq)


def _rewritten(line: _Line, link: Link, head: Link | None) -> Break | None:
    if head is None or head.seq != link.seq or head.hash == link.hash:
        return None
    return Break(
        line.number,
        line.offset,
        f"The line is whole, and the .head file knows another line {head.seq}: the record was written anew, or the "
        ".head file was changed.",
    )


def _lines(snapshot: Snapshot) -> Iterator[_Line]:
    """Read lines up to where the snapshot ends; one of undue length comes in pieces."""
    offset = number = 0
    fresh = True
    while offset < snapshot.size:
        raw = snapshot.file.readline(min(MAX_LINE + 1, snapshot.size - offset))
        if not raw:
            return
        number += fresh
        yield _Line(number, offset, raw)
        offset += len(raw)
        fresh = raw.endswith(b"\n")


def _follow(open_intents: dict[str, Unfinished], fields: JsonObject | None) -> None:
    """Open an intent, or close it with its outcome."""
    if fields is None:
        return
    match fields:
        case {"kind": "intent", "id": str(name)}:
            open_intents[name] = Unfinished(
                id=name,
                at=_text(fields, "at"),
                caller=_text(fields, "caller"),
                tool=_text(fields, "tool"),
                confirmed=_text(fields, "confirmed"),
                process=_number(fields.get("process")),
            )
        case {"kind": "outcome", "intent": str(name)}:
            open_intents.pop(name, None)


def _text(fields: JsonObject, name: str) -> str:
    return str(fields.get(name) or "")


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
