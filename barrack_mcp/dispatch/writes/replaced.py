"""The old text of what a call overwrites: kept in the record before the call is sent, and told with its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from barrack_mcp.catalogue import Operation
from barrack_mcp.dispatch.writes.looking.view import View
from barrack_mcp.state.audit.record import MAX_TEXT, canonical

_MOST_BYTES: Final = 100_000
"""As much as a line of the record holds beside all else."""


def find_replaced(operation: Operation, values: Mapping[str, Any], before: View | None) -> str | None:
    """Answer the text that a call overwrites, as it was just read; None if it overwrites none."""
    if not operation.overwrites(values) or before is None or before.thing is None:
        return None
    old = before.thing.get(str(operation.replaces))
    return old if isinstance(old, str) and old and old != values[str(operation.replaces)] else None


def in_pieces(text: str) -> list[str]:
    """Cut a text into pieces that the record keeps whole; what a line can't hold is counted at the end."""
    pieces: list[str] = []
    room = _MOST_BYTES
    for start in range(0, len(text), MAX_TEXT):
        piece = text[start : start + MAX_TEXT]
        room -= len(canonical(piece))
        if room < 0:
            return [*pieces, f"… ({len(text) - start:,} characters more)"]
        pieces.append(piece)
    return pieces
