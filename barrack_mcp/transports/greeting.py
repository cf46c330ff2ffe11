"""What a server says of itself when it starts, to the person who started it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from barrack_mcp.catalogue import OFFERS
from barrack_mcp.config import Settings
from barrack_mcp.guard.opening import page_address

AT_A_TERMINAL: Final = (
    "This speaks MCP on stdin and stdout, for a client that starts it: `barrack-mcp install CLIENT` sets one up, "
    "`barrack-mcp call TOOL` makes one call from here. Ctrl-C ends it."
)
"""For somebody who sees nothing happen."""


def is_at_terminal() -> bool:
    """Whether a person types where a client should speak."""
    return sys.stdin is not None and sys.stdin.isatty()


def listening(settings: Settings, *, transport: str, address: str, api: str) -> str:
    """Say where a server listens, what it offers and for what, and what holds there.

    Args:
        settings: What the operator set.
        transport: How calls come in.
        address: The whole address of that.
        api: The API's host; empty for the simulator.
    """
    tools = sum(map(settings.offers, OFFERS.values()))
    offered = f"{tools} of {len(OFFERS)} tools" if tools < len(OFFERS) else f"{tools} tools"
    world = f"for the account at {api}" if api else "on the SIMULATOR, where nothing is real"
    callers = "callers with a token" if settings.has_login else "whoever can reach it"
    return f"Serving {transport} on {address} to {callers}: {offered} {world}; {', '.join(_terms(settings))}."


def _terms(settings: Settings) -> Iterator[str]:
    if settings.read_only:
        yield "reads only"
        return
    if settings.unattended:
        yield f"{', '.join(settings.unattended)} without asking"
    if settings.approval == "refuse":
        yield "what needs a person's yes is refused"
    else:
        page = page_address(settings)
        yield f"requests wait at {f'{page}/' if page is not None else '`barrack-mcp approvals`'}"
    limits = []
    if settings.max_hourly_cost is not None:
        limits.append(f"all that runs at most {settings.max_hourly_cost} {settings.currency} an hour")
    if settings.min_runway_hours is not None:
        limits.append(f"credit for at least {settings.min_runway_hours} hours")
    if settings.max_monthly_cost is not None:
        limits.append(f"at most {settings.max_monthly_cost} {settings.currency} a month")
    if settings.max_machine_cost is not None:
        limits.append(f"one machine at most {settings.max_machine_cost} {settings.currency} over its lease")
    yield " and ".join(limits) if limits else "no limit on spending"
    if settings.protect:
        yield f"{len(settings.protect)} protected {'name' if len(settings.protect) == 1 else 'names'}"
