"""Globs of names and ids: one that can match nothing would leave unprotected what somebody thinks protected."""

from __future__ import annotations

import re
from typing import Final

from barrack_mcp.api.text import fold_looks

_NEVER_IN_A_NAME: Final = re.compile(
    r"[\"'`\u201c\u201d\u201e\u2018\u2019\xab\xbb;|\\{}()<>^$\uff0c\u3001\uff1b\s\x00-\x1f\x7f]"
)
_SET: Final = re.compile(r"\[!?\]?[^\]]{0,100}+\]")
_BACKWARDS: Final = re.compile(r"(.)-(.)")

WRONG_MARK: Final = (
    "holds a mark that no name has, so it would match nothing: separate globs by commas, without quotes or brackets "
    "around them or blanks in them (? stands for any one character)"
)
WRONG_SET: Final = "holds a set in brackets that can match nothing, so what it is to protect would be unprotected"


def check_globs(globs: tuple[str, ...]) -> tuple[str, ...]:
    """See that each glob can match a name.

    Raises:
        ValueError: One can't; the text says why, without it.
    """
    for glob in globs:
        # names are held against what it looks like, too
        for form in (glob, fold_looks(glob)):
            if not form or _NEVER_IN_A_NAME.search(form):
                raise ValueError(WRONG_MARK)
            rest = _SET.sub("", form)
            sets = _SET.findall(form)
            if "[" in rest or "]" in rest or any(_is_empty(each) for each in sets) or not (rest or len(sets) > 1):
                raise ValueError(WRONG_SET)
    return globs


def _is_empty(found: str) -> bool:
    inside = found[1:-1].removeprefix("!")
    return not inside or any(first > last for first, last in _BACKWARDS.findall(inside))
