"""A file of the operator's that is followed while a server runs: what it says holds from the next call on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


class Followed(Generic[_T]):
    """What a file says, read anew when it has changed.

    Args:
        path: The file.
        read: Reads it; what it raises the first time is raised here.
        broken: What it raises where the file can't be followed.
    """

    def __init__(self, path: Path, read: Callable[[Path], _T], broken: type[Exception]) -> None:
        self._path, self._read, self._broken = path, read, broken
        self._said: _T | None = read(path)
        self._seen = _stamp(path)

    def now(self) -> _T | None:
        """What it says now; None while it can't be followed."""
        if (stamp := _stamp(self._path)) != self._seen:
            self._seen = stamp
            try:
                self._said = self._read(self._path)
            except self._broken as error:
                # who may call, and for which account, isn't known any more
                _log.error("Nobody can call until that is mended: %s", error)
                self._said = None
        return self._said


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
