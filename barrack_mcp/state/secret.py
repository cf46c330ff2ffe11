"""The keys that seal what clients carry: made once, in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

_FILE: Final = 0o600
_FOLDER: Final = 0o700
_BYTES: Final = 32


class KeyFileError(Exception):
    """The file can't be used; its text is one sentence for the operator."""


def secret_in(path: Path) -> str:
    """Read the secret kept in a file, or make one; two processes that make it at once agree on one.

    Raises:
        KeyFileError: It can't be read or made, or others can read it.
    """
    try:
        path.parent.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            _make(path)
            mode = path.stat().st_mode
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise KeyFileError(f"{path} can't be read or made.") from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(f"Others can read {path}; run: chmod 600 {path}")
    if len(secret) < _BYTES:
        raise KeyFileError(f"{path} is too short for a secret; delete it, and a new one is made.")
    return secret


def _make(path: Path) -> None:
    """Make the file whole before it bears its name, so that nobody reads half of it; the first one stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_BYTES))
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
