"""Which state this is: an id that a copy, an older version put back, and a state made anew do not share.

What makes a yes single-use has to live and die with the key that seals it, so the id is mixed into that key. It is made
at random, and made anew when the file is not the one that it was made for (a copy), or when it holds less than was once
written (an older version): a count of what was written stands in a small file beside it, too. A whole folder that is
set back together with its disk can't be told from one that nothing was written to since.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from pathlib import Path
from typing import Final

from barrack_mcp.state.files import replace

_COUNT: Final = ".count"
"""What the name of the file beside the state ends with."""


def identify(tables: sqlite3.Connection, path: Path | None) -> str:
    """Answer a state's id; one that was copied or set back gets another. To be called while it is held alone.

    Args:
        tables: The state.
        path: Its file; None for one in memory.
    """
    place = _place(path)
    kept = tables.execute("SELECT id, place FROM identity").fetchone()
    if kept is not None and kept[1] == place and _written(tables) >= _left(path):
        return str(kept[0])
    made = secrets.token_hex(16)
    tables.execute("DELETE FROM identity")
    tables.execute("INSERT INTO identity VALUES (?, ?)", (made, place))
    count_write(tables, path)
    return made


def count_write(tables: sqlite3.Connection, path: Path | None) -> None:
    """Count a write, in the state and beside it. To be called before it is kept, while the state is held alone.

    Raises:
        OSError: It can't be counted.
    """
    tables.execute("UPDATE counters SET value = value + 1 WHERE name = 'writes'")
    if path is not None:
        # after a power cut it may be gone, which is told from nothing worse than a copy
        replace(_beside(path), str(_written(tables)).encode(), lasting=False)


def _written(tables: sqlite3.Connection) -> int:
    return int(tables.execute("SELECT value FROM counters WHERE name = 'writes'").fetchone()[0])


def _left(path: Path | None) -> float:
    """How many writes were counted beside a state; endless if that is not known."""
    if path is None:
        return 0
    with contextlib.suppress(OSError, ValueError):
        return int(_beside(path).read_bytes())
    return float("inf")


def _place(path: Path | None) -> str:
    """Which file of this machine it is, under whatever name."""
    if path is None:
        return ""
    found = path.stat()
    return f"{found.st_dev}:{found.st_ino}"


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}{_COUNT}")
