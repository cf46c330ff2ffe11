"""Which request something was done for, from end to end: log, record and answer name it by the same id.

It goes along with whatever runs for the request, also with what outlives it; a write is finished under its id.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something comes from.

    Attributes:
        request: Id of the request; empty outside of one.
        transport: How it came in; empty where that is not known.
        on_behalf_of: For whom the caller says it is; a claim, and empty where there is none.
    """

    request: str = ""
    transport: str = ""
    on_behalf_of: str = ""


CARRIED: Final = "barrack_mcp.origin"
"""Under which name a request over HTTP carries its own, for what runs apart from it."""

_current: Final[ContextVar[Origin]] = ContextVar("origin", default=Origin())  # noqa: B039 - it is frozen


def current() -> Origin:
    """Answer what this runs for."""
    return _current.get()


def new_id() -> str:
    """Make the id of a request that brings none."""
    return secrets.token_hex(8)


@contextmanager
def coming_from(origin: Origin | None = None, **fields: str) -> Iterator[Origin]:
    """Let the block run for a request.

    Args:
        origin: The request; what it runs for already, if None.
        fields: What is known of it beside that.
    """
    known = current() if origin is None else origin
    if any(getattr(known, name) != said for name, said in fields.items()):
        known = replace(known, **fields)
    before = _current.set(known)
    try:
        yield known
    finally:
        _current.reset(before)
