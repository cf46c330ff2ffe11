"""The file itself: one line put at its end, on the disk before the call returns, by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from barrack_mcp.state.audit.head import head_of, read_head, write_head
from barrack_mcp.state.audit.lock import locked
from barrack_mcp.state.audit.record import MAX_LINE, START, AuditError, BrokenLineError, Link, opened, sealed
from barrack_mcp.state.files import open_private

WAIT_S: Final = 10.0
"""How long to wait for other processes that write."""

_WINDOW: Final = 8_192
_FLAGS: Final = os.O_APPEND | os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_MEND: Final = "look with `barrack-mcp audit verify`"
_RESTART: Final = "then move it and its .head file away to start a new record"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A record as it stood at one moment; what is written later is not part of it."""

    file: BinaryIO
    size: int
    head: Link | None
    """How far it is known to have reached."""


@dataclass(frozen=True, slots=True)
class _End:
    """What a record ends in."""

    link: Link
    size: int
    """Bytes up to the end of the last whole line."""
    fragment: bytes
    """What a write that never came to its end left behind."""


def append(
    path: Path,
    kind: str,
    fields: Mapping[str, Any],
    *,
    at: Callable[[], str],
    wait: float = WAIT_S,
    on_intact: Callable[[], None] | None = None,
) -> Link:
    """Put a line at the end of a record and force it to the disk; the record is made if there is none.

    What an interrupted write left at the end is taken off and kept in a line of kind `torn`.

    Args:
        path: The record.
        kind: What kind of line.
        fields: What it says.
        at: Tells the time, ISO 8601.
        wait: Seconds to wait for other processes.
        on_intact: Called instead of writing, once the record is known to be writable.

    Raises:
        AuditError: The line isn't in the record.
    """
    with _told_plainly(path, "written"), _writable(path) as file, locked(file.fileno(), wait=wait):
        if not _is_at(file, path):
            raise AuditError(f"The audit record {path} was moved away at this very moment; try again.")
        end = _end(file, path)
        head = read_head(path)
        if head is not None and (head.seq > end.link.seq or (head.seq == end.link.seq and head.hash != end.link.hash)):
            raise AuditError(
                f"The audit record {path} was cut or exchanged: it ends at line {end.link.seq}, and its .head file "
                f"knows another line {head.seq}; {_MEND}, {_RESTART}."
            )
        if on_intact is not None:
            on_intact()
            return end.link
        lines, link = [], end.link
        if end.fragment:
            os.ftruncate(file.fileno(), end.size)
            note, link = sealed(link, at=at(), kind="torn", fields=_torn(end.fragment))
            lines.append(note)
        line, link = sealed(link, at=at(), kind=kind, fields=fields)
        _put(file, end.size, b"".join([*lines, line]))
        write_head(path, link)
        return link


@contextlib.contextmanager
def reading(path: Path, *, wait: float = WAIT_S) -> Iterator[Snapshot | None]:
    """Open a record as it stands now, without keeping others from writing; None where there is none and never was.

    Raises:
        AuditError: It can't be read.
    """
    with _told_plainly(path, "read"), contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
        except FileNotFoundError:
            head = read_head(path)
            if head is None:
                yield None
                return
            raise AuditError(
                f"The audit record {path} is gone, and its .head file knows of {head.seq} lines; bring it back, or "
                f"move {head_of(path).name} away, too, to start a new record."
            ) from None
        with locked(file.fileno(), wait=wait, shared=True):
            snapshot = Snapshot(file, os.fstat(file.fileno()).st_size, read_head(path))
        yield snapshot


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[FileIO]:
    with FileIO(open_private(path, _FLAGS), "r+b") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise AuditError(f"The audit record {path} can't be written: it is no regular file.")
        if not status.st_size:
            _keep_name(path.parent)
        yield file


def _keep_name(folder: Path) -> None:
    """Force a new file's name to the disk: without it a power cut takes the whole record."""
    if sys.platform == "win32":  # pragma: no cover - it keeps names by itself
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _is_at(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _end(file: FileIO, path: Path) -> _End:
    """Find the last whole line, from the end of the file, and check it by itself."""
    size = file.seek(0, os.SEEK_END)
    window = _WINDOW
    while True:
        start = max(0, size - window)
        file.seek(start)
        block = file.read(size - start)
        stop = block.rfind(b"\n") + 1
        begin = block.rfind(b"\n", 0, max(0, stop - 1)) + 1
        if start == 0 or begin or window > 2 * MAX_LINE:
            break
        window *= 2
    fragment = block[stop:]
    if stop == 0 and start == 0 and len(fragment) <= MAX_LINE:
        return _End(START, 0, fragment)
    try:
        _, link = opened(block[begin:stop])
    except BrokenLineError as error:
        raise AuditError(
            f"The audit record {path} is damaged or is none: its last line {error}; {_MEND}, {_RESTART}."
        ) from None
    if len(fragment) > MAX_LINE:
        raise AuditError(f"The audit record {path} ends in what is no line of it; {_MEND}, {_RESTART}.")
    return _End(link, start + stop, fragment)


def _torn(fragment: bytes) -> dict[str, Any]:
    return {
        "bytes": len(fragment),
        "sha256": hashlib.sha256(fragment).hexdigest(),
        "text": fragment.decode("latin-1"),
    }


def _put(file: FileIO, size: int, data: bytes) -> None:
    """Write all of it and force it to the disk, or take off what was written of it."""
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file.fileno(), rest) :]
        os.fsync(file.fileno())
    except OSError:
        # what can't be taken off stays as a fragment, which the next writer knows how to treat
        with contextlib.suppress(OSError):
            os.ftruncate(file.fileno(), size)
        raise


@contextlib.contextmanager
def _told_plainly(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise AuditError(f"The audit record {path} is held by another process; try again.") from error
    except OSError as error:
        raise AuditError(f"The audit record {path} can't be {done}: {_why(error)}.") from error


def _why(error: OSError) -> str:
    if error.errno in _FULL:
        return "the disk is full or the file has reached its size limit; make room and try again"
    return f"{error.strerror or 'the system gives no reason'}; mend that, or keep the record at another place"
