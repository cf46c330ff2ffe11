"""Keeps the HTTP library from writing addresses and headers into the log, which may hold a key or a secret address."""

from __future__ import annotations

import logging
from typing import Final

_TALKATIVE: Final = ("httpx2", "httpcore2")


def quiet() -> None:
    """Let the library say warnings alone, whatever level the log has; called by all that open a connection."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
