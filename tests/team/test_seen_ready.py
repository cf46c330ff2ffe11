"""`/ready`: 200 only while the state can be kept, the key is accepted and the API answers; seldom asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from barrack_mcp.transports.monitoring import ready
from barrack_mcp.transports.monitoring.ready import EVERY_S
from tests.support.patience import PATIENT_S
from tests.support.redis import RedisServer, need_redis
from tests.support.running import KEY
from tests.team.monitored import Monitored, monitored

pytestmark = pytest.mark.anyio

READY = (200, {"status": "ready"})


async def told(server: Monitored) -> tuple[int, Any]:
    answer = await server.get("/ready")
    return answer.status_code, answer.json()


async def later(server: Monitored) -> tuple[int, Any]:
    server.clock.at += EVERY_S
    return await told(server)


def lacking(*what: str) -> tuple[int, Any]:
    return 503, {"status": "not ready", "lacking": list(what)}


@pytest.mark.promise("R10")
async def test_however_often_it_is_probed_the_api_gets_one_request_a_while(tmp_path: Path) -> None:
    async with monitored(tmp_path) as server:
        before = server.asked

        async def probe() -> None:
            assert await told(server) == READY

        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(probe)
        assert server.asked == before + 1
        server.clock.at += EVERY_S - 0.1
        assert await told(server) == READY
        assert server.asked == before + 1
        assert await later(server) == READY
        assert server.asked == before + 2
        # one that fails is no more often tried than one that does not
        server.play({"action": "status", "status": 503})
        assert await later(server) == lacking("api")
        assert [await told(server) for _ in range(5)] == [lacking("api")] * 5
        assert server.asked == before + 3


@pytest.mark.promise("R10")
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"action": "status", "status": 401}, lacking("key")),
        ({"action": "status", "status": 403}, lacking("key")),
        ({"action": "status", "status": 500}, lacking("api")),
        ({"action": "garbage"}, lacking("api")),
        ({"action": "redirect"}, lacking("api")),
        ({"action": "status", "status": 404}, READY),
        ({"action": "status", "status": 429}, READY),
    ],
    ids=str,
)
async def test_what_the_api_answers_says_whether_the_key_or_the_api_is_missing(
    fault: dict[str, Any], expected: tuple[int, Any], tmp_path: Path
) -> None:
    async with monitored(tmp_path) as server:
        assert await told(server) == READY
        server.play(fault)
        assert await later(server) == expected
        assert (await server.get("/health")).status_code == 200
        server.play()
        assert await later(server) == READY


@pytest.mark.promise("R10")
async def test_without_a_key_nothing_is_asked_and_the_key_is_named(tmp_path: Path) -> None:
    async with monitored(tmp_path, BARRACK_API_KEY="") as server:
        assert await told(server) == lacking("key")
        assert server.asked == 0


@pytest.mark.promise("R10")
async def test_callers_who_bring_their_keys_need_none_of_the_servers(tmp_path: Path) -> None:
    keys, callers = tmp_path / "key", tmp_path / "callers.toml"
    keys.write_text(f'ada = "{KEY}"\n')
    callers.write_text(f'[ada]\nsha256 = "{"0" * 64}"\n')
    for file in (keys, callers):
        file.chmod(0o600)
    files = {"BARRACK_KEYS_FILE": str(keys), "BARRACK_HTTP_TOKENS_FILE": str(callers)}
    async with monitored(tmp_path, BARRACK_API_KEY="", **files) as server:
        assert await told(server) == READY
        assert server.asked == 0


@pytest.mark.promise("R10")
async def test_a_state_or_a_record_that_cannot_be_written_is_the_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with monitored(tmp_path) as server:
        assert await told(server) == READY
        record = tmp_path / "audit.jsonl"
        record.rename(tmp_path / "aside")
        record.mkdir()
        assert await later(server) == lacking("store")
        assert "Not ready: The audit record" in caplog.text
        record.rmdir()
        assert await later(server) == READY
        for file in tmp_path.glob("state.db*"):
            file.rename(tmp_path / f"aside-{file.name}")
        (tmp_path / "state.db").write_bytes(b"no database" * 100)
        server.play({"action": "status", "status": 401})
        assert await later(server) == lacking("store", "key")


@pytest.mark.promise("R10")
async def test_a_server_that_ends_is_not_ready_and_asks_nothing(tmp_path: Path) -> None:
    async with monitored(tmp_path) as server:
        await server.house.drain()
        assert await told(server) == (503, {"status": "draining"})
        assert server.asked == 0
        assert (await server.get("/health")).status_code == 200


@pytest.mark.promise("R10")
async def test_both_are_open_to_whoever_has_no_token_and_tell_no_names(tmp_path: Path) -> None:
    callers = tmp_path / "callers.toml"
    callers.write_text(f'["canary-caller"]\nsha256 = "{"0" * 64}"\n')
    callers.chmod(0o600)
    async with monitored(tmp_path, BARRACK_HTTP_TOKENS_FILE=str(callers)) as server:
        for fault in ({"action": "slow", "times": 1, "pace_s": 0}, {"action": "status", "status": 500}):
            server.play(fault)
            server.clock.at += EVERY_S
            for path in ("/health", "/ready"):
                answer = await server.get(path)
                assert answer.status_code in (200, 503)
                assert not any(word in answer.text for word in ("canary", "127.0.0.1", str(tmp_path), "HTTP", KEY))
        assert (await server.get("/mcp")).status_code == 401


@pytest.mark.promise("R10")
async def test_an_api_that_is_silent_keeps_no_probe_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "PATIENCE_S", 0.2)
    async with monitored(tmp_path) as server:
        server.play({"action": "stall"})
        with anyio.fail_after(10):
            assert await told(server) == lacking("api")


@pytest.mark.slow
@pytest.mark.promise("R10")
async def test_a_shared_state_that_goes_and_comes_back_is_told(tmp_path: Path) -> None:
    need_redis()
    folder = tmp_path / "redis"
    folder.mkdir()
    with RedisServer(folder, "--appendonly", "yes") as redis:
        settings = {
            "BARRACK_STATE": redis.url,
            "BARRACK_STATE_KEYS": "k" * 40,
            "BARRACK_AUDIT": str(tmp_path / "a.jsonl"),
        }
        async with monitored(tmp_path, **settings) as server:
            assert await told(server) == READY
            redis.kill()
            with anyio.fail_after(PATIENT_S):
                # a write that was just made is good for a moment of real time
                while await later(server) == READY:
                    await anyio.lowlevel.checkpoint()
            assert await told(server) == lacking("store")
            shown = (await server.get("/metrics")).text
            assert "barrack_mcp_approvals_pending NaN" in shown
            assert 'barrack_mcp_state_errors_total{what="store"} 0.0' not in shown
            redis.start()
            assert await later(server) == READY
