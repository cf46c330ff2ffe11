"""Servers that share their state: whichever of them gets a client's next request, it is answered, in both eras."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.callers import served
from tests.support.house import ERAS
from tests.support.patience import PATIENT_S
from tests.support.redis import RedisServer, need_redis

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KEYS = "a key of the operator's of 32 characters or more"


class InTurn(httpx2.AsyncHTTPTransport):
    """A proxy that knows nothing of sessions: each request goes to the next server.

    Args:
        ports: Theirs.
    """

    def __init__(self, ports: Iterator[int]) -> None:
        super().__init__()
        self._ports = ports

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(port=next(self._ports))
        return await super().handle_async_request(request)


@pytest.mark.promise("P6")
@pytest.mark.parametrize("era", ERAS)
async def test_each_request_of_a_client_can_go_to_another_server(tmp_path: Path, era: str) -> None:
    need_redis()
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    with RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as redis:
        shared = {"BARRACK_STATE": redis.url, "BARRACK_STATE_KEYS": KEYS}
        async with (
            served(tmp_path / "one", {"ada": ()}, **shared, BARRACK_AUDIT=str(tmp_path / "one.jsonl")) as one,
            served(tmp_path / "other", {"eve": ()}, **shared, BARRACK_AUDIT=str(tmp_path / "other.jsonl")) as other,
        ):
            other.desk.path.write_text(one.desk.path.read_text(encoding="utf-8"), encoding="utf-8")
            ports = itertools.cycle(int(each.url.rpartition(":")[2]) for each in (one, other))
            headers = {"Authorization": f"Bearer {one.desk.tokens['ada']}", "Host": "bot.example.com"}
            async with (
                httpx2.AsyncClient(transport=InTurn(ports), headers=headers, timeout=PATIENT_S) as http,
                Client(streamable_http_client(f"{one.url}/mcp", http_client=http), mode=era) as client,
            ):
                for _ in range(3):
                    assert len((await client.list_tools()).tools) > 60
                    assert not (await client.call_tool("get_credit_balance", {})).is_error
                # what wants a yes waits for one, the same at both, since this client can be asked by neither
                told = [await client.call_tool("stop_instance", {"instance_id": "train-1"}) for _ in range(2)]
            waiting = {str((each.structured_content or {})["approval"]["id"]) for each in told}
            assert len(waiting) == 1
