"""What the environment hands over, as it was meant: each tool between a person and us leaves marks of its own on it.

A shell of Windows leaves blanks, Docker's --env-file quotes, Compose an empty text, an editor a byte-order mark, and
who can't fill in a reference leaves the reference. What is certain is put right; what can't be is refused, by name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_MARKS: Final = "\ufeff\u200b\u2060"
"""Byte-order marks, and blanks of no width, which come along with what is copied from a page."""
_QUOTES: Final = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019", "\u201e\u201c")
_REFERENCE: Final = re.compile(r"\$\{|\$\(|\{\{")
_WHOLE_REFERENCE: Final = re.compile(r"\$[A-Za-z_]\w*|%[A-Za-z_]\w*%")
_IN_A_PATH: Final = re.compile(r"\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)|%([A-Za-z_]\w*)%")
_PLACE: Final = re.compile(r"(tcp|udp|sctp)://\S+")
_SERVICE: Final = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")
_LINKED: Final = re.compile(r"/[^\s/]++/\S++")

NOT_FILLED_IN: Final = (
    "holds a reference that nobody filled in: give the value itself, or set what it refers to where this is started"
)


def clean(value: str) -> str | None:
    """Take off what was put around a value on its way: blanks, byte-order marks, one pair of quotes; None if empty.

    Raises:
        ValueError: What it holds is a reference that nobody filled in.
    """
    value = _stripped(value)
    if len(value) > 1 and value[0] + value[-1] in _QUOTES:
        value = _stripped(value[1:-1])
    if _REFERENCE.search(value) or _WHOLE_REFERENCE.fullmatch(value):
        raise ValueError(NOT_FILLED_IN)
    return value or None


def expand(value: str, environ: Mapping[str, str]) -> str:
    """Put the folders in place that a path names in a shell's words: `~`, `$HOME`, `${HOME}`, `%USERPROFILE%`.

    Args:
        value: The path, or anything else.
        environ: The process's environment; what is not in it stays as it is, to be refused.
    """

    def filled(found: re.Match[str]) -> str:
        return environ.get(found[1] or found[2] or found[3]) or found[0]

    return _IN_A_PATH.sub(filled, value)


def as_path(value: str) -> Path:
    """Read a path that means the same whatever folder the process was started in.

    Raises:
        ValueError: It does not.
    """
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError("begins with ~, and whose home that is isn't known here: write the path from / on") from None
    if "\0" in value or not path.is_absolute():
        raise ValueError("must be a path from the root on (or from ~): started elsewhere, it would be another file")
    return path


def is_anothers(name: str, value: str) -> bool:
    """Whether Kubernetes or Docker set a variable, after a Service or a container that bears our prefix.

    Args:
        name: The variable.
        value: What it holds.
    """
    if name.endswith("_PORT") and _PLACE.fullmatch(value):
        return True
    return bool(_SERVICE.search(name)) or (name.endswith("_NAME") and bool(_LINKED.fullmatch(value)))


def has_screen(environ: Mapping[str, str]) -> bool:
    """Whether a person sees this machine's windows: not over ssh, nor in a container."""
    if "SSH_CONNECTION" in environ:
        return False
    return sys.platform in ("darwin", "win32") or any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _stripped(value: str) -> str:
    return value.strip().strip(_MARKS).strip()
