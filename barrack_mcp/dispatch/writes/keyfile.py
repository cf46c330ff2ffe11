"""Where a private key goes that the API shows only once: a file of its owner's, never a tool's result."""

from __future__ import annotations

import os
from pathlib import Path

from barrack_mcp.state.files import open_private


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
