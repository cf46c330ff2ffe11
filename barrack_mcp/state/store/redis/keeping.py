"""How well a Redis keeps what it holds, by what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.redis.link import Link

OLDEST: Final = 6
"""The first version that has all that is used."""


def throws_away(told: Mapping[str, Any]) -> bool:
    """Whether it makes room for what is new by what it holds. Of the state nothing lapses, so `volatile-…` spares it.

    Args:
        told: Its answer to INFO.
    """
    return bool(told.get("maxmemory")) and str(told.get("maxmemory_policy", "")).startswith("allkeys-")


async def is_written_at_once(link: Link) -> bool | None:
    """Whether what it confirms is on its disk by then; None where its user may not ask."""
    try:
        found = await link.ask("CONFIG GET", "appendfsync")
    except StoreError:
        return None
    return bool(found) and found.get("appendfsync") == "always"


async def proves(link: Link, told: Mapping[str, Any]) -> bool:
    """Whether what this server confirmed outlasts it, and it alone has ever kept it.

    Args:
        link: The way to it.
        told: Its answer to INFO.
    """
    # the history of a server that it took over; nothing but zeros if it took over none
    took_over = str(told.get("master_replid2", "?")).strip("0")
    if told.get("role") != "master" or told.get("connected_slaves") or took_over:
        return False
    # who may not ask doesn't know
    return bool(told.get("aof_enabled")) and await is_written_at_once(link) is True
