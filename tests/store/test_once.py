"""What is good once is so in every store: nonces and approvals, across tasks, processes and new starts."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from barrack_mcp.state.store import Status
from barrack_mcp.state.store.sqlite import KEPT_S, SLACK_S
from tests.support.contending import contend
from tests.support.stores import PENDING, Kept

pytestmark = pytest.mark.anyio

CONTENDER = """
import sys, anyio
from barrack_mcp.state.store import SqliteStore
from barrack_mcp.state.store.redis import RedisStore
async def main():
    won = []
    async def one():
        won.append(await store.use("nonce", until=4e9))
    async with (RedisStore if "://" in sys.argv[1] else SqliteStore)(sys.argv[1]) as store:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
    sys.stdout.write(str(sum(won)))
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
anyio.run(main)
"""


async def test_a_nonce_is_good_once_and_another_one_is_good_too(kept: Kept) -> None:
    async with kept.open(now=lambda: 100) as store:
        assert await store.use("a", until=200)
        assert not await store.use("a", until=200)
        assert not await store.use("a", until=300)
        assert await store.use("b", until=200)


async def test_a_nonce_that_was_used_is_known_without_using_it(kept: Kept) -> None:
    async with kept.open(now=lambda: 100) as store:
        assert not await store.is_used("a")
        assert await store.use("a", until=200)
        assert (await store.is_used("a"), await store.is_used("b")) == (True, False)
        assert await store.use("b", until=200)


async def test_a_nonce_stays_used_when_the_store_is_opened_again(kept: Kept) -> None:
    async with kept.open() as store:
        assert await store.use("a", until=4e9)
    async with kept.open() as other:
        assert not await other.use("a", until=4e9)


@pytest.mark.parametrize(("now", "good"), [(199.0, True), (200.0, False), (201.0, False)])
async def test_a_nonce_is_good_until_its_time_is_over(kept: Kept, now: float, *, good: bool) -> None:
    async with kept.open(now=lambda: now) as store:
        assert await store.use("a", until=200) is good


async def test_used_nonces_are_forgotten_an_hour_past_their_time(kept: Kept) -> None:
    clock = [0.0]
    async with kept.open(now=lambda: clock[0]) as store:
        for number in range(50):
            await store.use(f"old-{number}", until=10)
        clock[0] = 9 + SLACK_S
        await store.use("within", until=1e9)
        assert kept.count("nonces") == 51
        clock[0] = 10 + SLACK_S
        await store.use("after", until=1e9)
    assert kept.count("nonces") == 2


async def test_of_twenty_at_once_in_one_process_one_uses_the_nonce(kept: Kept) -> None:
    won: list[bool] = []

    async def one() -> None:
        won.append(await store.use("nonce", until=4e9))

    async with kept.open() as store, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(one)
    assert sorted(won) == [False] * 19 + [True]


@pytest.mark.slow
def test_of_twenty_at_once_in_four_processes_that_make_the_state_one_uses_the_nonce(kept: Kept) -> None:
    assert sorted(contend(CONTENDER, kept.place)) == ["0", "0", "0", "1"]


async def test_an_approval_comes_back_as_it_went_in_and_in_its_order(kept: Kept) -> None:
    async with kept.open(now=lambda: 1_000) as store:
        assert await store.add_approval(PENDING, most=9) == PENDING
        found = await store.find_approval("ap-one")
        assert found == PENDING
        assert list(found.arguments) == ["zeta", "alpha"]
        assert await store.live_approval("b") == PENDING
        assert await store.find_approval("ap-two") is None
        assert await store.live_approval("c") is None


async def test_a_binding_has_one_live_approval_and_then_room_for_the_next(kept: Kept) -> None:
    second = replace(PENDING, id="ap-two")
    async with kept.open(now=lambda: 1_000) as store:
        await store.add_approval(PENDING, most=9)
        assert await store.add_approval(second, most=9) == PENDING
        assert await store.swap_approval(PENDING, replace(PENDING, status=Status.USED))
        assert await store.add_approval(second, most=9) == second


@pytest.mark.parametrize(
    ("changed", "live"),
    [
        ({"status": Status.APPROVED}, True),
        ({"status": Status.DENIED}, True),
        ({"status": Status.EXPIRED}, True),
        ({"status": Status.DENIED, "told_at": 1.0}, False),
        ({"status": Status.EXPIRED, "told_at": 1.0}, False),
        ({"status": Status.USED}, False),
    ],
)
async def test_an_answer_is_live_until_it_is_told_or_used(
    kept: Kept, changed: dict[str, Status | float], *, live: bool
) -> None:
    after = replace(PENDING, **changed)  # type: ignore[arg-type]  # fields by name
    async with kept.open(now=lambda: 1_000) as store:
        await store.add_approval(PENDING, most=9)
        assert await store.swap_approval(PENDING, after)
        assert (await store.live_approval("b") == after) is live


async def test_a_swap_wants_the_approval_as_it_is_and_changes_nothing_else(kept: Kept) -> None:
    denied = replace(PENDING, status=Status.DENIED)
    async with kept.open(now=lambda: 1_000) as store:
        await store.add_approval(PENDING, most=9)
        assert await store.swap_approval(PENDING, denied)
        assert not await store.swap_approval(PENDING, replace(PENDING, status=Status.APPROVED))
        assert not await store.swap_approval(replace(denied, id="ap-two"), PENDING)
        assert await store.find_approval("ap-one") == denied


async def test_changes_count_additions_and_new_statuses_only(kept: Kept) -> None:
    async with kept.open(now=lambda: 1_000) as store:
        assert await store.changes() == 0
        await store.add_approval(PENDING, most=9)
        await store.add_approval(PENDING, most=9)
        assert await store.changes() == 1
        wrong = replace(PENDING, wrong_names=1)
        await store.swap_approval(PENDING, wrong)
        assert await store.changes() == 1
        await store.swap_approval(wrong, replace(wrong, status=Status.DENIED))
        await store.swap_approval(wrong, replace(wrong, status=Status.APPROVED))
        assert await store.changes() == 2


async def test_a_list_is_newest_first_of_the_statuses_asked_for_and_no_longer_than_asked(kept: Kept) -> None:
    async with kept.open(now=lambda: 1_000) as store:
        for number, status in enumerate([Status.PENDING, Status.DENIED, Status.PENDING, Status.USED]):
            await store.add_approval(replace(PENDING, id=f"ap-{number}", binding=f"b{number}", status=status), most=9)
        assert [a.id for a in await store.approvals([Status.PENDING], limit=9)] == ["ap-2", "ap-0"]
        assert [a.id for a in await store.approvals([Status.PENDING, Status.USED], limit=2)] == ["ap-3", "ap-2"]


async def test_old_approvals_are_forgotten(kept: Kept) -> None:
    clock = [1_000.0]
    async with kept.open(now=lambda: clock[0]) as store:
        await store.add_approval(PENDING, most=9)
        clock[0] = PENDING.expires_at + KEPT_S
        await store.add_approval(replace(PENDING, id="ap-two", binding="c", expires_at=clock[0] + 600), most=9)
        assert await store.find_approval("ap-one") is None
