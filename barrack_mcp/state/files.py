"""Files of their owner's alone: private from the first byte, and whole before they bear their name."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

OWNER_FILE: Final = 0o600

_OWNER_FOLDER: Final = 0o700
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
_NEW: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY


def make_folder(folder: Path) -> None:
    """Make a folder for its owner alone, and what is missing above it; one that is there stays as it is."""
    # left to themselves, the folders above would be as open as the umask lets them be
    for above in reversed(folder.parents):
        if not above.exists():
            above.mkdir(mode=_OWNER_FOLDER, exist_ok=True)
    folder.mkdir(mode=_OWNER_FOLDER, exist_ok=True)


def open_private(path: Path, flags: int) -> int:
    """Open a file for its owner alone, even if it was open to others, in a folder that is made if there is none.

    Args:
        path: The file.
        flags: As `os.open` takes them.

    Returns:
        Its descriptor.
    """
    make_folder(path.parent)
    file = os.open(path, flags, OWNER_FILE)
    mode = os.fstat(file).st_mode
    if os.name == "posix" and stat.S_ISREG(mode) and stat.S_IMODE(mode) != OWNER_FILE:
        try:
            os.fchmod(file, OWNER_FILE)
        except OSError:
            os.close(file)
            raise
    return file


def create(path: Path, content: bytes) -> None:
    """Make a file; where there is one already, that one stays. Nobody ever reads half of it."""
    with draft(path, content) as made, contextlib.suppress(FileExistsError):
        os.link(made, path)


def replace(path: Path, content: bytes, *, mode: int = OWNER_FILE, lasting: bool = True) -> None:
    """Put a file in place in one step, whatever lies there under its name; see `draft`."""
    with draft(path, content, mode=mode, lasting=lasting) as made:
        made.replace(path)


@contextlib.contextmanager
def draft(path: Path, content: bytes, *, mode: int = OWNER_FILE, lasting: bool = True) -> Iterator[Path]:
    """Have content in a file beside another that it is meant for; if it is still there in the end, it is taken away.

    Args:
        path: What it is meant for.
        content: What it holds.
        mode: Who may read and write it, once it is written.
        lasting: Whether it must outlast a power cut.
    """
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(made, _NEW | getattr(os, "O_BINARY", 0), OWNER_FILE)
    try:
        with open(file, "wb") as writing:  # noqa: PTH123 - it is open already
            writing.write(content)
            writing.flush()
            if lasting:
                os.fsync(file)
        if mode != OWNER_FILE:
            made.chmod(mode)
        yield made
    finally:
        made.unlink(missing_ok=True)


def read_private(path: Path, most: int) -> bytes | None:
    """Read a file that only its owner can have written, who runs this; None for any other, and for one that is larger.

    Raises:
        OSError: It can't be opened, or it is a link.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - it is open already
        found = os.fstat(file.fileno())
        private = sys.platform == "win32" or (found.st_uid == os.geteuid() and not found.st_mode & _OTHERS)
        if not stat.S_ISREG(found.st_mode) or not private or found.st_size > most:
            return None
        return file.read(most)


def is_anothers(path: Path) -> bool:
    """Whether a file belongs to another user than the one that runs this, who may know what is in it."""
    return sys.platform != "win32" and path.stat().st_uid != os.geteuid()


def can_be_changed_by_others(folder: Path) -> bool:
    """Whether anyone but its owner can put files into a folder or take them out of it."""
    return os.name == "posix" and bool(folder.stat().st_mode & _OTHERS_WRITE)


def is_open_to_others(path: Path) -> bool:
    """Whether anyone but its owner can read or write a file; Windows keeps no such bits."""
    return os.name == "posix" and bool(path.stat().st_mode & _OTHERS)
