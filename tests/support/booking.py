"""Calls that a test writes down by itself, as the corridor does before it sends one."""

from __future__ import annotations

from typing import Any

from barrack_mcp.dispatch.writes.ledger import Entry, Held, Ledger
from barrack_mcp.state.store import Overtaken, Start


async def begin(ledger: Ledger, digest: str, tool: str = "create_volume", *call: Any) -> Entry | Held:
    """Write a call down; answers its entry, or what holds it back.

    Args:
        ledger: Where.
        digest: What it has in common with equal ones.
        tool: Which it is.
        call: The rest of what `Ledger.draft` takes.
    """
    entry = ledger.draft(digest, tool, *(call or ({}, ("list_volumes", {}), "a")))
    found = await ledger.begin(Start(entry=entry))
    assert not isinstance(found, Overtaken)
    return found or entry


async def begun(ledger: Ledger, digest: str, *call: Any) -> Entry:
    """Write a call down that nothing holds back."""
    entry = await begin(ledger, digest, *call)
    assert isinstance(entry, Entry)
    return entry


async def held(ledger: Ledger, digest: str) -> Held | None:
    """What would hold a call back."""
    return (await ledger.look_up(digest))[0]
