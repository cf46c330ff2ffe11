"""Who else can reach a file: what its own bits say, the folders on the way to it, and whether anybody else is there."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from barrack_mcp.state.secret import KeyFileError

_READ: Final = 0o044
_WRITE: Final = 0o022
_GROUP_READ: Final = 0o040
_PASS: Final = 0o011
_CONTAINERS: Final = (
    "/.dockerenv",
    "/run/.containerenv",
    "/var/run/secrets/kubernetes.io",
    # the one trace of Kubernetes where a pod gets no token of its service account
    "/dev/termination-log",
)
"""What tells that this process is in a container, so that nobody else uses this machine."""


def check_reach(path: Path, *, in_container: bool | None = None) -> None:
    """See that a secret's file is out of others' reach, however it came there.

    What a person made can be made theirs alone, so it has to be. Docker and Kubernetes mount secrets that everyone in
    the container may read, which is one program; and what lies in a folder that others can't enter is out of their
    reach, whatever its own bits say.

    Args:
        path: The file.
        in_container: Whether nobody else uses this machine; found out if None.

    Raises:
        KeyFileError: Others can read or write it; the sentence says what can be done about it there.
        OSError: It can't be looked at.
    """
    if os.name != "posix":
        return
    file = path.resolve(strict=True)
    found = file.stat()
    open_bits = found.st_mode & (_READ | _WRITE)
    if found.st_uid != os.getuid() and (found.st_uid, found.st_gid) == (0, 0):
        # the system's own: systemd lets a service read its credential by a list, which shows as bits of that group
        open_bits &= ~_GROUP_READ
    if not open_bits:
        return
    others = "others can write" if open_bits & _WRITE else "others can read"
    # what is mounted bears no such bit, or can't be changed whatever its bits are; what a person made can
    if found.st_mode & stat.S_IWUSR and found.st_uid == os.getuid() and os.access(file, os.W_OK):
        raise KeyFileError(f"{others} {path}; run: chmod 600 {path}")
    if in_container is None:
        in_container = any(Path(each).exists() for each in _CONTAINERS)
    if not open_bits & _WRITE and (in_container or _is_enclosed(file)):
        return
    raise KeyFileError(
        f"{others} {path}, and it is not yours to change: let who mounts it give it mode 0400 (Docker: mode, "
        "Kubernetes: defaultMode)"
    )


def _is_enclosed(file: Path) -> bool:
    """Whether a folder on the way to a file lets nobody but its owner pass, who is this user or the system's."""
    for folder in file.parents:
        found = folder.stat()
        if stat.S_ISDIR(found.st_mode) and not found.st_mode & _PASS and found.st_uid in (0, os.getuid()):
            return True
    return False
