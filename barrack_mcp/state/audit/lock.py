"""A lock on an open file that holds between processes and threads alike, and ends with the process that has it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

_PAUSE_S = 0.002

if sys.platform == "win32":  # pragma: no cover - the other system's way
    import msvcrt
    import os

    _FAR = 1 << 40
    """A byte that no record reaches: a lock there is in no reader's way."""

    def _take(file: int, *, shared: bool) -> None:  # noqa: ARG001 - this system has one kind
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def _release(file: int) -> None:
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

    _TAKEN: tuple[type[OSError], ...] = (PermissionError, BlockingIOError)
else:
    import fcntl

    def _take(file: int, *, shared: bool) -> None:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)

    def _release(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)

    _TAKEN = (BlockingIOError,)


@contextlib.contextmanager
def locked(file: int, *, wait: float, shared: bool = False) -> Iterator[None]:
    """Hold an open file alone, or beside other readers, for as long as the block runs.

    Args:
        file: The file's descriptor; two descriptors of one file exclude each other, even in one process.
        wait: Seconds to wait for others.
        shared: Whether other shared holders are welcome.

    Raises:
        TimeoutError: Others have held it all the while.
        OSError: The file system can't lock.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            _take(file, shared=shared)
        except _TAKEN as error:
            if time.monotonic() >= deadline:
                raise TimeoutError from error
            time.sleep(_PAUSE_S)
        else:
            break
    try:
        yield
    finally:
        _release(file)
