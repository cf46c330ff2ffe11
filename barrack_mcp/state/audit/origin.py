"""Which request something was done for, from end to end: log, record and answer name it by the same id.

It goes along with whatever runs for the request, also with what outlives it; a write is finished under its id.
"""

from __future__ import annotations

import secrets
from contextvars import ContextVar, Token
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


class coming_from:  # noqa: N801 - reads as the function it stands for
    """Let a block run for a request; a class, since a generator around each call takes several times as long.

    Args:
        origin: The request; what it runs for already, if None.
        fields: What is known of it beside that.
    """

    __slots__ = ("_before", "_fields", "_origin")

    def __init__(self, origin: Origin | None = None, **fields: str) -> None:
        self._origin = origin
        self._fields = fields
        self._before: Token[Origin] | None = None

    def __enter__(self) -> Origin:
        known = current() if self._origin is None else self._origin
        for name, said in self._fields.items():
            if getattr(known, name) != said:
                known = replace(known, **self._fields)
                break
        self._before = _current.set(known)
        return known

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            _current.reset(self._before)
