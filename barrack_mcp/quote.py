"""Text from elsewhere, made safe to look at: nothing invisible, nothing that reorders, nothing endless."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
"""Unicode's categories of what has no shape of its own or moves what has: controls, bidi marks, tags, odd spaces."""
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that look like nothing."""
_SELECTORS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x1810))
_MARKS: Final = frozenset({"Mn", "Me"})
_MAX_MARKS: Final = 2
"""More marks than this on one letter only serve to paint over the lines beside it."""
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BMP: Final = 0xFFFF


@dataclass(frozen=True)
class Quoted:
    """Text that is safe to show, as far as it fits."""

    text: str
    length: int
    """Characters of the whole."""
    cut: bool
    """Whether some of it is left out."""

    def __str__(self) -> str:
        return f"{self.text}…" if self.cut else self.text


def quoted(text: str, *, limit: int = 200, keep: str = "") -> Quoted:
    r"""Show text so that what is invisible is seen, such as a bidi override as `\u202e`.

    What is escaped once stays as it is when it is quoted again.

    Args:
        text: Any text.
        limit: Characters to show at most, counted as shown.
        keep: Characters to leave as they are, such as a newline.
    """
    if len(text) <= limit and text.isascii() and _without(text, keep).isprintable():
        return Quoted(text, len(text), cut=False)
    shown: list[str] = []
    size = marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in _MARKS else 0
        piece = char if char in keep or not (_hides(char) or marks > _MAX_MARKS) else _escaped(char)
        size += len(piece)
        if size > limit:
            return Quoted("".join(shown), len(text), cut=True)
        shown.append(piece)
    return Quoted("".join(shown), len(text), cut=False)


def _without(text: str, keep: str) -> str:
    for char in keep:
        text = text.replace(char, "")
    return text


def _hides(char: str) -> bool:
    if char == " ":
        return False
    return (
        unicodedata.category(char) in _UNSEEN
        or char in _BLANK
        or any(ord(char) in selectors for selectors in _SELECTORS)
    )


def _escaped(char: str) -> str:
    code = ord(char)
    return _SHORT.get(char) or (f"\\u{code:04x}" if code <= _BMP else f"\\U{code:08x}")
