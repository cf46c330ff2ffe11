"""Which store keeps the state: a file of this machine, or a Redis that many share."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from pydantic import SecretStr

from barrack_mcp.state.store.sqlite import SqliteStore
from barrack_mcp.state.store.store import Store


def store_at(
    place: Path | SecretStr, *, now: Callable[[], float] = time.time, ca_file: Path | None = None
) -> AbstractAsyncContextManager[Store]:
    """Answer the store at a place, to be opened.

    Args:
        place: An SQLite file, or the address of a Redis, which may hold a password.
        now: The time in seconds since 1970.
        ca_file: Certificates to trust beside the system's.
    """
    if isinstance(place, Path):
        return SqliteStore(place, now=now)
    from barrack_mcp.state.store.redis import RedisStore  # noqa: PLC0415 - only who shares a state needs its packages

    return RedisStore(place.get_secret_value(), now=now, ca_file=ca_file)
