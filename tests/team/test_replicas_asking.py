"""How often a call asks the shared state, as Redis itself sees it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcp import Client

from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.config import read_settings
from barrack_mcp.server.house import open_server
from barrack_mcp.simulator import create_app
from barrack_mcp.state.store.redis.scripts import BEAT, CLAIM
from tests.support import examples
from tests.support.house import Person, says_yes
from tests.support.listening import listening
from tests.support.redis import RedisServer, need_redis
from tests.support.replicas import KEYS

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@contextmanager
def watching(redis: RedisServer, kept: Path) -> Iterator[Callable[[], tuple[int, int]]]:
    """Have Redis say what it is asked; gives what counts it, claims of requests towards the API by themselves.

    Not counted are signs of life, and the text of a script, which is sent once and from then on known by its digest.
    """
    with (
        kept.open("wb") as file,
        subprocess.Popen([*redis.client, "MONITOR"], stdout=file) as heard,
    ):
        marks = 0

        def counted() -> tuple[int, int]:
            nonlocal marks
            marks += 1
            mark = f"mark-{marks}"
            while mark not in kept.read_text():
                redis.says("ECHO", mark)
                time.sleep(0.05)
            lines = kept.read_text().partition(mark)[0].splitlines()
            sent = [each.partition("] ")[2] for each in lines if " lua] " not in each]
            asked = [
                each
                for each in sent
                if each.startswith(('"EVALSHA"', '"HGET"', '"HGETALL"', '"HVALS"')) and BEAT.digest not in each
            ]
            claims = sum(CLAIM.digest in each for each in asked)
            return len(asked) - claims, claims

        try:
            yield counted
        finally:
            heard.kill()


async def test_how_often_a_call_asks_redis_is_bounded(tmp_path: Path) -> None:
    """A read twice at most; an answer to a question 4 times, 3 more where the ledger holds it, 2 more to buy.

    Of the requests towards the API several are claimed at a time: calls that follow each other claim once each at most.
    """
    need_redis()
    app = create_app(now=lambda: 0.0)
    state = json.loads(json.dumps(app.state.barrack.state()))
    bounds = {
        "list_instances": 2,
        "get_instance": 2,
        "list_snapshots": 2,
        "get_spending_overview": 2,
        "stop_instance": 2 + 4,
        "reboot_instance": 3 + 4 + 3,
        "create_volume": 3 + 4 + 3 + 2,
    }
    calls = {tool: examples.good(BY_TOOL[tool], state) if tool in BY_TOOL else {} for tool in bounds}
    calls["stop_instance"], calls["reboot_instance"] = {"instance_id": "infer-1"}, {"instance_id": "train-1"}
    (kept := tmp_path / "redis").mkdir()
    with RedisServer(kept) as redis, watching(redis, tmp_path / "commands") as seen:
        async with listening(app) as address:
            given = {
                "HOME": str(tmp_path),
                "BARRACK_STATE": redis.url,
                "BARRACK_STATE_KEYS": KEYS,
                "BARRACK_API_URL": f"{address}/api",
                "BARRACK_API_KEY": "sim-key",
                "BARRACK_AUDIT": str(tmp_path / "audit.jsonl"),
            }
            async with (
                open_server(read_settings(given), remote=True) as house,
                Client(house.server, mode="auto", elicitation_callback=Person(says_yes)) as client,
            ):
                made = 0
                for tool, most in bounds.items():
                    asked = []
                    # on a slow machine what proved that the state is there has lapsed at times, and is asked anew
                    for _ in range(3 if BY_TOOL.get(tool) is None or BY_TOOL[tool].reads else 1):
                        before, _ = seen()
                        result = await client.call_tool(tool, calls[tool])
                        assert not result.is_error, tool
                        asked.append(seen()[0] - before)
                        made += 1
                    assert min(asked) <= most, tool
                assert 1 <= seen()[1] <= made
