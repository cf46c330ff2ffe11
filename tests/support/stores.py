"""States of either kind for the same tests: in SQLite's file, and in a real Redis."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from barrack_mcp.state.store import Approval, SqliteStore, Status, Store
from barrack_mcp.state.store.redis import RedisStore
from barrack_mcp.state.store.redis.scripts import key
from tests.support.redis import RedisServer

PENDING = Approval(
    id="ap-one",
    binding="b",
    caller="local:1",
    tool="delete_instance",
    arguments={"zeta": 1, "alpha": [None, "ü"]},
    plan={"summary": "s"},
    must_type="train-1",
    fingerprint="f",
    status=Status.PENDING,
    created_at=1_000.25,
    expires_at=1_600.25,
)


class Kept(Protocol):
    """One state, to be opened again and again."""

    def open(self, *, now: Callable[[], float] = ...) -> AbstractAsyncContextManager[Store]:
        """Open it."""
        ...

    def count(self, what: str) -> int:
        """How many of these it holds."""
        ...

    @property
    def place(self) -> str:
        """What a process needs to open it."""
        ...


class InFile:
    """A state in an SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def place(self) -> str:
        return str(self.path)

    def open(self, **more: Any) -> SqliteStore:
        return SqliteStore(self.path, **more)

    def count(self, what: str) -> int:
        with sqlite3.connect(self.path) as tables:
            return int(tables.execute(f"SELECT count(*) FROM {what}").fetchone()[0])  # noqa: S608 - ours


class InRedis:
    """A state in a Redis."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server

    @property
    def place(self) -> str:
        return self.server.url

    def open(self, **more: Any) -> RedisStore:
        # how long it may take on a busy machine is no part of what is tested over both
        return RedisStore(self.server.url, seconds=30, **more)

    def count(self, what: str) -> int:
        return int(self.server.says("ZCARD" if what == "nonces" else "HLEN", key(what)))
