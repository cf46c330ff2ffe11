"""Where records are: one file, or a folder that several servers share, with a file and a chain for each host.

Chains are not shared over a network: a lock and a last line that two hosts see differently would break them.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Final

from barrack_mcp.state.audit.head import head_of
from barrack_mcp.state.audit.record import AuditError

_ENDING: Final = ".jsonl"
_HEAD: Final = head_of(Path("x")).name.removeprefix("x")
_LONGEST: Final = 64
_ODD: Final = re.compile(r"[^a-z0-9.-]+")


def file_at(place: Path, host: str | None = None) -> Path:
    """Name the file that a host writes: the place itself, or its own in it.

    Args:
        place: A file, or a folder that is there.
        host: The host's name; this one's if None.
    """
    if not place.is_dir():
        return place
    name = _ODD.sub("-", (platform.node() if host is None else host).lower())[:_LONGEST].strip(".-")
    return place / f"{name or 'server'}{_ENDING}"


def records_at(place: Path) -> list[Path]:
    """List the records at a place, by name: the file itself, or each in the folder, also those of which a head is left.

    Raises:
        AuditError: The folder can't be read.
    """
    if not place.is_dir():
        return [place]
    try:
        names = {path.name for path in place.iterdir() if not path.name.startswith(".")}
    except OSError as error:
        raise AuditError(f"The folder of audit records {place} can't be read: {error.strerror}.") from error
    # one that was taken away is told, as long as its head was not
    records = {name.removesuffix(_HEAD) for name in names}
    return [place / name for name in sorted(records) if name.endswith(_ENDING)]
