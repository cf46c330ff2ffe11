"""The keys that seal what clients carry: made once, in a file that only its owner can read."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from barrack_mcp.state.files import create, is_anothers, is_open_to_others, make_folder

_BYTES: Final = 32


class KeyFileError(Exception):
    """The file can't be used; its text is one sentence for the operator."""


def secret_in(path: Path) -> str:
    """Read the secret kept in a file, or make one; two processes that make it at once agree on one.

    Raises:
        KeyFileError: It can't be read or made, others can read it, or it is another user's.
    """
    try:
        make_folder(path.parent)
        if not path.exists():
            create(path, secrets.token_urlsafe(_BYTES).encode())
        secret = path.read_text(encoding="ascii").strip()
        if is_anothers(path):
            raise KeyFileError(f"{path} belongs to another user, who knows what is in it; delete it, and one is made.")
        if is_open_to_others(path):
            raise KeyFileError(f"Others can read {path}; run: chmod 600 {path}")
    except (OSError, UnicodeDecodeError):
        raise KeyFileError(f"{path} can't be read or made.") from None
    if len(secret) < _BYTES:
        raise KeyFileError(f"{path} is too short for a secret; delete it, and a new one is made.")
    return secret
