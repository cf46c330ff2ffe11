"""Where a private key goes that the API shows only once: a file of its owner's, never a tool's result."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from barrack_mcp.state.files import open_private, replace

NO_PLACE: Final = (
    "public_key: is required here: without it Barrack makes a private key and shows it once, and this server has no "
    "private place to keep it. Make a key pair with ssh-keygen and give its public half. Nothing was sent."
)
_LOST: Final = (
    "But its private half could not be written to its file, and Barrack shows it once: delete this key and make "
    "another, best from a public key of your own."
)

_log = logging.getLogger(__name__)


class KeyFolder:
    """A folder in which each private key gets a file of mode 0600.

    Args:
        path: The folder; it is made, with mode 0700, when the first key comes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def reserve(self, name: str) -> Path:
        """Make an empty file for the key before it is asked for, so that it can't be lost for want of a place.

        Args:
            name: The key's name: letters, digits, `-`, `_` and `.` only.

        Raises:
            OSError: The folder or the file can't be made.
        """
        for number in range(1, 1_000):
            path = self._path / (f"{name}.pem" if number == 1 else f"{name}-{number}.pem")
            try:
                os.close(open_private(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                continue
            return path
        raise FileExistsError(None, "too many keys of this name")


def reserve(folder: KeyFolder | None, name: str) -> Path:
    """Make an empty file for a key before it is asked for.

    Args:
        folder: Where; None where there is no place of the caller's own.
        name: The key's name.

    Raises:
        OSError: There is no place for it.
    """
    if folder is None:
        raise FileNotFoundError
    return folder.reserve(name)


def keep(key: str | None, file: Path) -> tuple[str, Path | None]:
    """Put a private key into its file; answers what to say of it, and the file if the key is in it.

    Args:
        key: Its text; None if none came.
        file: The file that was made for it.
    """
    try:
        if key:
            replace(file, key.encode())
            return f"Its private half is in {file}; only its owner can read it, and it is not shown again.", file
        file.unlink(missing_ok=True)
    except OSError as error:
        _log.error("a private key's file could not be written or taken away: %s", type(error).__name__)
    return (_LOST, None) if key else ("", None)
