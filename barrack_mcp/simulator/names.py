"""Names are unique among the things of one kind in an account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from barrack_mcp.simulator.calls import rule


class Named(Protocol):
    """Anything with a name that is unique among its kind."""

    name: str


def need_free_name(kind: str, name: str, things: Iterable[Named]) -> None:
    """Refuse a name that another thing of the kind bears."""
    if any(thing.name == name for thing in things):
        code = f"{kind.upper().replace(' ', '_')}_NAME_EXISTS"
        raise rule(409, code, f"{kind} name already exists")
