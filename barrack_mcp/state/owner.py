"""Who holds something in the state: the names of processes, and whether one of them has ended."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_STARTED: Final = secrets.token_hex(4)
"""What tells this process from those before and after it that bear its number."""


def name_owner() -> str:
    """Name one holder in this process, of which there may be several."""
    return f"{incarnation()}.{secrets.token_hex(4)}"


def incarnation(owner: str | None = None) -> str:
    """Name this process, or the one in which a holder is, so that no other one ever bears that name."""
    if owner is None:
        return f"{process()}#{_STARTED}"
    place, _, rest = owner.partition("#")
    return f"{place}#{rest.partition('.')[0]}"


def process() -> str:
    """Name this process: its machine, the space its number counts in, and the number."""
    space = ""
    with suppress(OSError):
        # containers may share a machine's name and each have a process 1
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()}/{space}/{os.getpid()}"


def is_gone(owner: str) -> bool:
    """Whether a process of this machine has ended; False for all of which that can't be told."""
    place, _, number = owner.partition("#")[0].rpartition("/")
    if place != process().rpartition("/")[0] or not number.isdecimal() or sys.platform == "win32":
        return False
    if int(number) == os.getpid() and "." in owner.partition("#")[2]:
        # a container that is started again gives its first process the same number
        return incarnation(owner) != incarnation()
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
