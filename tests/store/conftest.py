"""The same tests over each store: SQLite's file, and a real Redis, started once a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.redis import RedisServer, need_redis
from tests.support.stores import InFile, InRedis, Kept


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    need_redis()
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.slow)])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """A state of either kind that holds nothing yet."""
    if request.param == "sqlite":
        return InFile(tmp_path / "state" / "state.db")
    server: RedisServer = request.getfixturevalue("redis_server")
    server.says("FLUSHALL")
    return InRedis(server)
