"""A state in Redis alone: what it is when Redis isn't what it was, who is there, and how often it is asked."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from barrack_mcp.state.owner import name_owner
from barrack_mcp.state.store import StoreError
from barrack_mcp.state.store.redis import RedisStore
from barrack_mcp.state.store.redis.presence import GONE_S
from barrack_mcp.state.store.redis.scripts import META
from tests.support.contending import go, hear, start
from tests.support.patience import PATIENT_S
from tests.support.redis import RedisServer, need_redis
from tests.support.stores import PENDING

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.promise("H4")]

PASSWORD = "canary-pass-90b7e2"
HOLDER = """
import sys, time, anyio
from barrack_mcp.state.owner import name_owner
from barrack_mcp.state.store.redis import RedisStore
async def main():
    async with RedisStore(sys.argv[1]) as store:
        await store.line_up("a", name_owner(), until=time.time() + 3600)
        sys.stdout.write("held\\n"); sys.stdout.flush()
        await anyio.sleep(3600)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
anyio.run(main)
"""


async def until(seen: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    with anyio.fail_after(PATIENT_S):
        while not seen():  # noqa: ASYNC110 - the event is in another process
            await anyio.sleep(0.1)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    need_redis()
    with RedisServer(tmp_path) as server:
        yield server


async def test_one_that_may_throw_away_what_it_holds_is_refused_until_it_may_not(redis: RedisServer) -> None:
    redis.says("CONFIG", "SET", "maxmemory", "100mb")
    redis.says("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    async with RedisStore(redis.url) as store:
        with pytest.raises(StoreError, match="may throw away what it holds"):
            await store.use("n", until=4e9)
        redis.says("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert await store.use("n", until=4e9)


async def test_a_full_one_takes_no_writes_and_answers_reads(redis: RedisServer) -> None:
    async with RedisStore(redis.url, now=lambda: 1_000) as store:
        await store.add_approval(PENDING, most=9)
        redis.says("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreError, match="is full and takes no writes"):
            await store.use("n", until=4e9)
        assert await store.find_approval(PENDING.id) == PENDING
        redis.says("CONFIG", "SET", "maxmemory", "0")
        assert await store.use("n", until=4e9)


async def test_what_was_set_back_while_it_was_used_is_refused_and_reads_go_on(redis: RedisServer) -> None:
    async with RedisStore(redis.url, now=lambda: 1_000) as store:
        await store.add_approval(PENDING, most=9)
        before = redis.says("HGET", META, "writes")
        assert await store.use("n", until=4e9)
        redis.says("HSET", META, "writes", before)
        with pytest.raises(StoreError, match="an older version of the state"):
            await store.use("m", until=4e9)
        assert await store.find_approval(PENDING.id) == PENDING


async def test_another_state_under_the_same_address_is_refused_until_a_new_start(redis: RedisServer) -> None:
    async with RedisStore(redis.url) as store:
        made = await store.identity()
        nonce = store.new_nonce()
        redis.says("FLUSHALL")
        with pytest.raises(StoreError, match="another state than the one that was in use"):
            await store.use(nonce, until=4e9)
    async with RedisStore(redis.url) as later:
        assert await later.identity() != made
        assert not await later.use(nonce, until=4e9)
        assert await later.use(later.new_nonce(), until=4e9)


async def test_after_a_takeover_no_nonce_of_before_is_good_and_what_was_open_has_expired(
    redis: RedisServer, tmp_path: Path
) -> None:
    (other := tmp_path / "other").mkdir()
    async with RedisStore(redis.url, now=lambda: 1_000) as store:
        await store.add_approval(PENDING, most=9)
        used, unused = store.new_nonce(), store.new_nonce()
        assert await store.use(used, until=4e9)
        with RedisServer(other) as replica:
            replica.says("REPLICAOF", "127.0.0.1", str(redis.port))
            await until(lambda: "master_link_status:up" in replica.says("INFO", "replication"))
            redis.kill()
            replica.says("REPLICAOF", "NO", "ONE")
            async with RedisStore(replica.url, now=lambda: 1_000) as there:
                assert [await there.use(each, until=4e9) for each in (used, unused)] == [False, False]
                assert await there.use(there.new_nonce(), until=4e9)
                found = await there.find_approval(PENDING.id)
                assert found is not None
                assert (found.status, await there.live_approval(PENDING.binding)) == ("expired", found)


async def test_a_replica_answers_reads_and_takes_no_writes(redis: RedisServer, tmp_path: Path) -> None:
    (other := tmp_path / "other").mkdir()
    async with RedisStore(redis.url, now=lambda: 1_000) as store:
        await store.add_approval(PENDING, most=9)
    with RedisServer(other) as replica:
        replica.says("REPLICAOF", "127.0.0.1", str(redis.port))
        await until(lambda: "master_link_status:up" in replica.says("INFO", "replication"))
        async with RedisStore(replica.url) as there:
            with pytest.raises(StoreError):
                await there.use("n", until=4e9)
            assert await there.find_approval(PENDING.id) == PENDING


async def test_of_a_cluster_the_node_that_keeps_the_state_is_found(tmp_path: Path) -> None:
    need_redis()
    clustered = ("--cluster-enabled", "yes")
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with RedisServer(tmp_path / "one", *clustered) as one, RedisServer(tmp_path / "other", *clustered) as other:
        one.says("CLUSTER", "MEET", "127.0.0.1", str(other.port))
        slot = int(one.says("CLUSTER", "KEYSLOT", META))
        one.says("CLUSTER", "ADDSLOTSRANGE", "0", str(slot - 1), str(slot + 1), "16383")
        other.says("CLUSTER", "ADDSLOTS", str(slot))
        await until(lambda: all("cluster_state:ok" in each.says("CLUSTER", "INFO") for each in (one, other)))
        async with RedisStore(one.url, now=lambda: 1_000) as store:
            assert await store.add_approval(PENDING, most=9) == PENDING
            assert [await store.use("n", until=4e9) for _ in range(2)] == [True, False]
            await until(lambda: name_owner().partition("#")[0] in other.says("PUBSUB", "CHANNELS"))
        assert (one.says("DBSIZE"), other.says("EXISTS", META)) == ("0", "1")


async def test_a_password_is_told_nowhere(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    redis.says("CONFIG", "SET", "requirepass", PASSWORD)
    caplog.set_level(logging.DEBUG)
    told = []
    for word in (PASSWORD, f"not-{PASSWORD}"):
        async with RedisStore(f"redis://:{word}@127.0.0.1:{redis.port}") as store:
            try:
                await store.identity()
            except StoreError as error:
                told.append(repr(error))
    assert len(told) == 1
    assert "does not let this server in" in told[0]
    assert PASSWORD not in f"{told} {caplog.text}"


async def test_whoever_hangs_is_given_up_in_seconds(redis: RedisServer) -> None:
    async with RedisStore(redis.url) as store:
        await store.identity()
        redis.signal(signal.SIGSTOP)
        began = anyio.current_time()
        with pytest.raises(StoreError, match="did not answer within 3 s"):
            await store.use("n", until=4e9)
        assert anyio.current_time() - began < 5
        redis.signal(signal.SIGCONT)
        assert await store.use("m", until=4e9)


async def test_what_a_killed_process_held_is_free_in_seconds_and_what_a_halted_one_holds_is_not(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a process of this machine is seen to have ended without Redis
    monkeypatch.setattr("barrack_mcp.state.store.redis.presence.is_gone", lambda _: False)
    holders = [start(HOLDER, redis.url) for _ in range(2)]
    try:
        for each in holders:
            go(each)
            assert hear(each) == "held"
        async with RedisStore(redis.url) as store:
            halted, killed = (each.owner for each in await store.line("a"))
            if f"/{holders[0].pid}#" not in halted:
                halted, killed = killed, halted
            holders[0].send_signal(signal.SIGSTOP)
            holders[1].kill()
            await until(lambda: store.gone(killed))
            assert not store.gone(halted)
            assert not store.gone(name_owner())
    finally:
        for each in holders:
            each.kill()
            each.communicate(timeout=PATIENT_S)


async def test_who_could_not_say_that_it_is_there_takes_its_place_for_lost(redis: RedisServer) -> None:
    async with RedisStore(redis.url) as store:
        (place,) = (await store.line_up("a", name_owner(), until=4e9)).places
        assert store.holds(place)
        redis.signal(signal.SIGSTOP)
        began = anyio.current_time()
        await until(lambda: not store.holds(place) and anyio.current_time() - began > GONE_S)
        redis.signal(signal.SIGCONT)
        (_, second) = (await store.line_up("a", name_owner(), until=4e9)).places
        assert [store.holds(each) for each in (place, second)] == [False, True]
