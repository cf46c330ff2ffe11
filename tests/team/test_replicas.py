"""Servers that share one Redis: a yes asked for by one is honoured by another, once, whatever is killed in between."""

from __future__ import annotations

import signal
from pathlib import Path

import anyio
import pytest

from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.state.store.redis import RedisStore
from tests.support.redis import need_redis
from tests.support.replicas import TOOL, Fleet, Replica, fleet

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")
"""What Redis has to keep to prove that nothing it confirmed is lost."""


@pytest.fixture(autouse=True)
def _with_redis() -> None:
    need_redis()


async def approve(there: Fleet) -> None:
    """A person says yes to all that waits, wherever it was asked for."""
    async with RedisStore(there.url) as store:
        approvals = Approvals(store, ttl=600)
        for each in await approvals.pending():
            await approvals.approve(each.id, by="ben")


@pytest.mark.promise("P6")
async def test_a_question_asked_by_one_is_answered_at_another_once_though_the_first_is_killed(tmp_path: Path) -> None:
    async with fleet(tmp_path) as there, there.replica() as one, there.replica() as other:
        first, second = await one.asked("train-1"), await one.asked("train-2")
        assert await other.redeemed(first) == "done"
        assert [await each.redeemed(first) for each in (one, other)] == ["refused", "refused"]
        one.kill()
        assert await other.redeemed(second) == "done"
        assert await other.redeemed(second) == "refused"
        assert there.effects == [TOOL, TOOL]


@pytest.mark.promise("P6")
async def test_a_request_out_of_band_is_honoured_by_another_after_its_own_server_was_killed(tmp_path: Path) -> None:
    async with fleet(tmp_path) as there:
        settings = {"BARRACK_APPROVAL": "out-of-band"}
        async with there.replica(**settings) as one, there.replica(**settings) as other:
            for each in (one, other):
                assert (await each.told("train-1"))[0] == "approval_required"
            one.kill()
            await approve(there)
            assert (await other.told("train-1"))[0] == "done"
            assert (await other.told("train-1"))[0] == "refused"
        assert there.effects == [TOOL]


@pytest.mark.promise("P6")
@pytest.mark.promise("G4")
async def test_of_two_hundred_redemptions_at_once_at_two_servers_one_takes_effect(tmp_path: Path) -> None:
    async with fleet(tmp_path) as there, there.replica() as one, there.replica() as other:
        sealed = await one.asked("train-1")
        came: list[str] = []

        async def redeem(at: Replica) -> None:
            came.append(await at.redeemed(sealed))

        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(redeem, (one, other)[number % 2])
        assert len(came) == 200
        assert came.count("done") == 1
        assert there.effects == [TOOL]


@pytest.mark.promise("H4")
@pytest.mark.parametrize("kept", [ALWAYS, ("--appendonly", "yes")], ids=["proven", "unproven"])
async def test_after_a_new_start_of_redis_a_yes_counts_if_nothing_can_be_lost_and_else_is_asked_for_anew(
    tmp_path: Path, kept: tuple[str, ...]
) -> None:
    proven = kept is ALWAYS
    async with fleet(tmp_path, *kept) as there, there.replica() as one, there.replica() as other:
        used, sealed, third = [await one.asked(name) for name in ("train-1", "train-2", "infer-1")]
        assert await other.redeemed(used) == "done"
        there.redis.kill()
        assert await one.redeemed(third) == "refused"
        assert all([await one.reads(), await other.reads()])
        assert there.effects == [TOOL]
        there.redis.start()
        assert await other.redeemed(used) == "refused"
        assert await other.redeemed(sealed) == ("done" if proven else "refused")
        assert await one.redeemed(sealed) == "refused"
        if not proven:
            assert await one.redeemed(await other.asked("train-2")) == "done"
            assert "has to be asked anew" in there.said()
        assert there.effects == [TOOL, TOOL]


@pytest.mark.promise("H4")
async def test_an_approval_that_was_open_when_redis_may_have_lost_something_has_expired(tmp_path: Path) -> None:
    settings = {"BARRACK_APPROVAL": "out-of-band"}
    async with fleet(tmp_path, "--appendonly", "yes") as there, there.replica(**settings) as one:
        await one.told("train-1")
        await approve(there)
        there.redis.kill()
        there.redis.start()
        assert (await one.told("train-1"))[0] == "refused"
        assert (await one.told("train-1"))[0] == "approval_required"
        assert there.effects == []
        await approve(there)
        assert (await one.told("train-1"))[0] == "done"
        assert there.effects == [TOOL]


@pytest.mark.promise("H4")
async def test_where_redis_lost_its_memory_nothing_is_changed_until_a_new_start_and_reads_go_on(tmp_path: Path) -> None:
    async with fleet(tmp_path) as there:
        async with there.replica() as one, there.replica() as other:
            used, sealed = await one.asked("train-1"), await one.asked("train-2")
            assert await one.redeemed(used) == "done"
            there.redis.kill()
            there.redis.forget()
            there.redis.start()
            for each in (one, other):
                assert [await each.redeemed(used), await each.redeemed(sealed)] == ["refused", "refused"]
                assert (await each.told("infer-1"))[0] == "refused"
                assert await each.reads()
            assert "another state than the one that was in use" in there.said()
        async with there.replica() as later:
            assert [await later.redeemed(used), await later.redeemed(sealed)] == ["refused", "refused"]
            assert there.effects == [TOOL]
            assert await later.redeemed(await later.asked("train-2")) == "done"


@pytest.mark.promise("H4")
async def test_while_redis_hangs_reads_are_answered_and_writes_refused_in_seconds(tmp_path: Path) -> None:
    async with fleet(tmp_path) as there, there.replica() as one:
        sealed = await one.asked("train-1")
        there.redis.signal(signal.SIGSTOP)
        # far less than a call to the API may take, and than Redis would let it wait
        with anyio.fail_after(50):
            assert await one.reads()
            assert await one.redeemed(sealed) == "refused"
        assert there.effects == []
        there.redis.signal(signal.SIGCONT)
        assert await one.redeemed(await one.asked("train-2")) == "done"


async def test_a_server_that_starts_before_redis_changes_nothing_until_that_is_there(tmp_path: Path) -> None:
    async with fleet(tmp_path) as there:
        there.redis.kill()
        async with there.replica() as one:
            assert await one.reads()
            assert (await one.told("train-1"))[0] == "refused"
            there.redis.start()
            assert (await one.told("train-1"))[0] == "done"
        assert there.effects == [TOOL]


async def test_keys_are_exchanged_one_server_after_the_other(tmp_path: Path) -> None:
    old, new = "o" * 40, "n" * 40
    async with fleet(tmp_path) as there, there.replica(keys=old) as one:
        sealed, second = await one.asked("train-1"), await one.asked("train-2")
        async with there.replica(keys=f"{new},{old}") as other, there.replica(keys=new) as last:
            assert await other.redeemed(sealed) == "done"
            assert await last.redeemed(second) == "-32602"
            assert await last.redeemed(await other.asked("infer-1")) == "done"
        assert there.effects == [TOOL, TOOL]


async def test_a_request_under_the_old_key_is_found_by_a_server_that_has_the_new_one_too(tmp_path: Path) -> None:
    old, new, settings = "o" * 40, "n" * 40, {"BARRACK_APPROVAL": "out-of-band"}
    async with fleet(tmp_path) as there, there.replica(keys=old, **settings) as one:
        assert (await one.told("train-1"))[0] == "approval_required"
        await approve(there)
        async with there.replica(keys=f"{new},{old}", **settings) as other:
            assert (await other.told("train-1"))[0] == "done"
        assert there.effects == [TOOL]
