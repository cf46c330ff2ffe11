"""A folder of what can be had again: its owner's alone, never more than so much, and no loss if it is gone."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from barrack_mcp.state.files import can_be_changed_by_others, is_anothers, make_folder, read_private, replace

_MOST_FILES: Final = 500
_MOST_BYTES: Final = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


class CacheFolder:
    """Keeps bytes by name; whatever fails, it is as if nothing had been kept.

    What another user may have put there is neither read nor trusted: a folder or a file that others can change, a link,
    anything that is no plain file.

    Args:
        folder: The folder; made when something is first kept.
        most_files: How many files it holds; the oldest go first.
        most_bytes: How many bytes they hold together.
    """

    def __init__(self, folder: Path, *, most_files: int = _MOST_FILES, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most_files = most_files
        self._most_bytes = most_bytes

    def read(self, name: str) -> bytes | None:
        """What is kept under a name; None if nothing is that can be used."""
        try:
            return read_private(self._folder / name, self._most_bytes) if self._is_ours() else None
        except OSError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Keep something under a name, in the place of what was there; then let the oldest go beyond the bounds."""
        if len(content) > self._most_bytes:
            return
        try:
            make_folder(self._folder)
            if self._is_ours():
                replace(self._folder / name, content, lasting=False)
                self._let_go()
        except OSError as error:
            _log.debug("Nothing could be kept in the cache (%s).", error.strerror)

    def _is_ours(self) -> bool:
        return not is_anothers(self._folder) and not can_be_changed_by_others(self._folder)

    def _let_go(self) -> None:
        newest_first = sorted(self._files(), key=lambda each: each[1].st_mtime, reverse=True)
        size = 0
        for number, (path, found) in enumerate(newest_first, start=1):
            size += found.st_size
            if number > self._most_files or size > self._most_bytes:
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._folder.iterdir():
            # another process may be clearing up, too
            with contextlib.suppress(OSError):
                found = path.lstat()
                if stat.S_ISREG(found.st_mode):
                    yield path, found
