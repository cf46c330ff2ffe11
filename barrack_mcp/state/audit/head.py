"""How far a record reached, kept in a small file beside it, so that lines cut off its end are missed."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Final

from barrack_mcp.state.audit.record import Link, canonical, parsed
from barrack_mcp.state.files import replace

_MAX_BYTES: Final = 1_000
_MAX_SEQ: Final = 10**15
_HASH: Final = re.compile(r"[0-9a-f]{64}")


def head_of(path: Path) -> Path:
    """Name the file that keeps a record's head."""
    return path.with_name(f"{path.name}.head")


def read_head(path: Path) -> Link | None:
    """Read how far a record is known to have reached; None where nothing readable says so.

    Raises:
        OSError: It is there and can't be read.
    """
    try:
        with head_of(path).open("rb") as file:
            fields = parsed(file.read(_MAX_BYTES)) or {}
    except FileNotFoundError:
        return None
    match fields:
        case {"seq": int(seq), "hash": str(seal)} if 0 < seq < _MAX_SEQ and _HASH.fullmatch(seal):
            return Link(seq, seal)
        case _:
            return None


def write_head(path: Path, link: Link) -> None:
    """Put a new head in the old one's place, whole or not at all; call it with the record locked.

    It is written after the line, and not forced to the disk: a record that is ahead of its head is in order. Where the
    head can't be written, the old one stays, and is still true.
    """
    with contextlib.suppress(OSError):
        replace(head_of(path), canonical({"hash": link.hash, "seq": link.seq}) + b"\n", lasting=False)
