"""Replaces a file whole or not at all, and keeps the old one beside it."""

from __future__ import annotations

import stat
from itertools import count
from pathlib import Path

from barrack_mcp.state import files


class ChangedError(Exception):
    """Somebody else wrote the file meanwhile; nothing was changed."""


def current(path: Path) -> bytes | None:
    """Answer what a file holds; None if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def replace(path: Path, old: bytes | None, new: bytes, *, stamp: str) -> Path | None:
    """Put new content in a file's place, with its mode; answer where the old content is.

    Args:
        path: The file; if it is a link, what it leads to is replaced and the link stays.
        old: What it held when it was read; None if there was none.
        new: What it shall hold.
        stamp: Part of the backup's name.

    Raises:
        ChangedError: It holds something else by now.
        OSError: It can't be written.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = files.OWNER_FILE if old is None else stat.S_IMODE(target.stat().st_mode)
    backup = None
    with files.draft(target, new, mode=mode) as made:
        if current(target) != old:
            raise ChangedError
        if old is not None:
            backup = _free(target, stamp)
            files.replace(backup, old, mode=mode)
        made.replace(target)
    return backup


def _free(target: Path, stamp: str) -> Path:
    names = (f"{target.name}.{stamp}{'' if number == 1 else f'-{number}'}.bak" for number in count(1))
    return next(path for path in map(target.with_name, names) if not path.exists())
