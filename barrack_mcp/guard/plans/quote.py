"""A name from the API as it may stand inside our own sentences: in full view, short, unable to pass for our words."""

from __future__ import annotations

import re
from typing import Final

from barrack_mcp import quote

LONGEST: Final = 60
"""Characters of a quoted text, the mark of a cut included."""

_OURS: Final = str.maketrans({"\\": "\\\\", "«": "\\u00ab", "»": "\\u00bb"})
"""What our own sentences escape and quote with."""

_STRAY_SPACE: Final = re.compile(r"^ | (?=$| )")
"""A space that nobody sees: at an end, or beside another."""


def quoted(text: object) -> str:
    """Escape what can't be seen for what it is, and cut at 60 characters."""
    source = str(text)[: LONGEST * 2]
    return str(quote.quoted(_STRAY_SPACE.sub(r"\\x20", source.translate(_OURS)), limit=LONGEST - 1))


def is_plain(text: str) -> bool:
    """Whether the text stands in a question exactly as it is, so that a person can type it."""
    return quoted(text) == text
