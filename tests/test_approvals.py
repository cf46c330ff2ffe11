"""Approvals out of band: asked once, answered by a person, used once, told once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from barrack_mcp.guard.approvals import (
    MAX_WRONG_NAMES,
    Approval,
    Approvals,
    NotPending,
    Status,
    UnknownApproval,
    WrongName,
)
from barrack_mcp.state.store import SqliteStore
from tests.support.clock import Clock
from tests.support.contending import contend
from tests.support.guarding import told

pytestmark = pytest.mark.anyio

TTL = 600.0
START = 1_000_000.0

CONTENDER = """
import sys, anyio
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.state.store import SqliteStore
async def main():
    said = []
    async def one():
        if sys.argv[2] == "request":
            asked = await approvals.request(
                binding="b", caller="c", tool="t", arguments={}, plan={}, must_type=None, fingerprint="f"
            )
            said.append(asked.id)
        else:
            redeemed = await approvals.redeem("b")
            said.append(redeemed.status if redeemed else "none")
    async with SqliteStore(sys.argv[1]) as store:
        approvals = Approvals(store, ttl=600)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
    sys.stdout.write(" ".join(said))
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
anyio.run(main)
"""


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
async def store(clock: Clock) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(":memory:", now=clock) as opened:
        yield opened


@pytest.fixture
def approvals(store: SqliteStore, clock: Clock) -> Approvals:
    return Approvals(store, ttl=TTL, now=clock)


async def ask(approvals: Approvals, binding: str = "b", **changed: Any) -> Approval:
    call: dict[str, Any] = {
        "binding": binding,
        "caller": "local:1000",
        "tool": "delete_instance",
        "arguments": {"instance_id": "i-1"},
        "plan": {"summary": "Delete train-1."},
        "must_type": None,
        "fingerprint": "seen",
    }
    return await approvals.request(**call | changed)


async def test_a_request_holds_what_was_asked_and_when_it_lapses(approvals: Approvals) -> None:
    asked = await ask(approvals, must_type="train-1")
    assert re.fullmatch(r"ap-[a-z2-7]{10}", asked.id)
    assert asked == Approval(
        id=asked.id,
        binding="b",
        caller="local:1000",
        tool="delete_instance",
        arguments={"instance_id": "i-1"},
        plan={"summary": "Delete train-1."},
        must_type="train-1",
        fingerprint="seen",
        status=Status.PENDING,
        created_at=START,
        expires_at=START + TTL,
    )
    assert await approvals.find(asked.id) == asked


async def test_asking_again_while_it_waits_gives_the_same_request_and_no_more_time(
    approvals: Approvals, clock: Clock
) -> None:
    asked = await ask(approvals)
    clock.at += TTL - 1
    assert await ask(approvals, fingerprint="seen later") == asked
    assert len(await approvals.pending()) == 1


async def test_another_binding_is_another_request(approvals: Approvals) -> None:
    assert (await ask(approvals)).id != (await ask(approvals, "other")).id
    assert await approvals.redeem("third") is None


async def test_a_yes_is_good_once(approvals: Approvals, clock: Clock) -> None:
    asked = await ask(approvals)
    assert await approvals.redeem("b") == asked
    clock.at += 5
    await approvals.approve(asked.id, by="ada")
    clock.at += 5
    redeemed = await approvals.redeem("b")
    assert redeemed is not None
    assert redeemed.fingerprint == "seen"
    assert (redeemed.decided_by, redeemed.decided_at) == ("ada", START + 5)
    assert (redeemed.status, redeemed.used_at) == (Status.USED, START + 10)
    assert [await told(approvals, "b") for _ in range(19)] == [None] * 19
    assert await approvals.find(asked.id) == redeemed


async def test_a_yes_to_one_call_is_none_to_another(approvals: Approvals) -> None:
    await approvals.approve((await ask(approvals, "a")).id, by="ada")
    await ask(approvals, "b")
    assert await told(approvals, "b") is Status.PENDING
    assert await told(approvals, "a") is Status.USED


async def test_asking_again_after_a_yes_that_is_not_used_gives_the_one_that_is_approved(approvals: Approvals) -> None:
    asked = await ask(approvals)
    approved = await approvals.approve(asked.id, by="ada")
    assert await ask(approvals) == approved
    assert await told(approvals, "b") is Status.USED
    assert (await ask(approvals)).id != asked.id


async def test_of_twenty_at_once_in_one_process_one_redeems(approvals: Approvals) -> None:
    await approvals.approve((await ask(approvals)).id, by="ada")
    said: list[str] = []

    async def one() -> None:
        said.append(str(await told(approvals, "b")))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(one)
    assert sorted(said) == ["None"] * 19 + ["used"]


@pytest.mark.slow
async def test_of_twenty_at_once_in_four_processes_one_redeems(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    async with SqliteStore(path) as store:
        approvals = Approvals(store, ttl=TTL)
        await approvals.approve((await ask(approvals)).id, by="ada")
        said = " ".join(await anyio.to_thread.run_sync(contend, CONTENDER, path, "redeem")).split()
        assert sorted(said) == ["none"] * 19 + ["used"]
        assert [a.status for a in await approvals.recent()] == [Status.USED]


@pytest.mark.slow
async def test_twenty_who_ask_at_once_in_four_processes_share_one_request(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    said = " ".join(await anyio.to_thread.run_sync(contend, CONTENDER, path, "request")).split()
    async with SqliteStore(path) as store:
        assert said == [a.id for a in await Approvals(store, ttl=TTL).pending()] * 20


async def test_a_no_is_told_once_and_then_a_new_request_starts(approvals: Approvals, clock: Clock) -> None:
    asked = await ask(approvals)
    denied = await approvals.deny(asked.id, by="ada")
    assert (denied.status, denied.decided_by, denied.decided_at) == (Status.DENIED, "ada", START)
    clock.at += 5 * TTL
    redeemed = await approvals.redeem("b")
    assert redeemed is not None
    assert redeemed.status is Status.DENIED
    assert redeemed.id == asked.id
    assert await approvals.redeem("b") is None
    assert (await ask(approvals)).id != asked.id


async def test_of_twenty_at_once_one_is_told_the_no(approvals: Approvals) -> None:
    await approvals.deny((await ask(approvals)).id, by="ada")
    said: list[str] = []

    async def one() -> None:
        said.append(str(await told(approvals, "b")))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(one)
    assert sorted(said) == ["None"] * 19 + ["denied"]


@pytest.mark.parametrize("untold", [Approvals.deny, None])
async def test_asking_anew_instead_of_hearing_the_old_answer_starts_a_new_request(
    approvals: Approvals, clock: Clock, untold: Callable[..., Awaitable[Approval]] | None
) -> None:
    asked = await ask(approvals)
    if untold:
        await untold(approvals, asked.id, by="ada")
    else:
        clock.at += TTL
    anew = await ask(approvals)
    assert anew.id != asked.id
    assert await approvals.redeem("b") == anew


@pytest.mark.parametrize(("after", "good"), [(TTL - 1, True), (TTL, False), (TTL + 1, False)])
async def test_a_yes_counts_until_the_time_limit(
    approvals: Approvals, clock: Clock, after: float, *, good: bool
) -> None:
    asked = await ask(approvals)
    await approvals.approve(asked.id, by="ada")
    clock.at += after
    assert await told(approvals, "b") is (Status.USED if good else Status.EXPIRED)
    assert await approvals.redeem("b") is None
    assert (await approvals.find(asked.id)).status is (Status.USED if good else Status.EXPIRED)


@pytest.mark.parametrize(("after", "good"), [(TTL - 1, True), (TTL, False), (TTL + 1, False)])
@pytest.mark.parametrize("decide", [Approvals.approve, Approvals.deny])
async def test_a_person_can_answer_until_the_time_limit(
    approvals: Approvals, clock: Clock, decide: Callable[..., Awaitable[Approval]], after: float, *, good: bool
) -> None:
    asked = await ask(approvals)
    clock.at += after
    if good:
        assert (await decide(approvals, asked.id, by="ada")).decided_at == clock.at
        return
    with pytest.raises(NotPending, match="has expired") as caught:
        await decide(approvals, asked.id, by="ada")
    assert caught.value.approval.status is Status.EXPIRED
    assert await told(approvals, "b") is Status.EXPIRED


async def test_an_unanswered_request_lapses_is_told_once_and_can_be_asked_again(
    approvals: Approvals, clock: Clock
) -> None:
    asked = await ask(approvals)
    clock.at += TTL
    assert [await told(approvals, "b") for _ in range(2)] == [Status.EXPIRED, None]
    anew = await ask(approvals)
    assert (anew.id != asked.id, anew.expires_at) == (True, clock.at + TTL)


async def test_a_lapsed_request_stays_lapsed_when_the_clock_is_set_back(approvals: Approvals, clock: Clock) -> None:
    asked = await ask(approvals)
    clock.at += TTL
    await approvals.changes()
    clock.at -= TTL
    with pytest.raises(NotPending):
        await approvals.approve(asked.id, by="ada")


@pytest.mark.parametrize("decide", [Approvals.approve, Approvals.deny])
async def test_a_decided_request_can_not_be_decided_again_and_the_error_says_which_way_it_went(
    approvals: Approvals, decide: Callable[..., Awaitable[Approval]]
) -> None:
    one, two, three = [await ask(approvals, binding) for binding in "abc"]
    await approvals.approve(one.id, by="ada")
    await approvals.deny(two.id, by="ada")
    await approvals.approve(three.id, by="ada")
    await approvals.redeem("c")
    told = [(two, "denied already"), (three, "approved and used already")]
    if decide is Approvals.approve:
        # a no takes back a yes that nobody has used
        told.append((one, "approved already"))
    for asked, word in told:
        before = await approvals.find(asked.id)
        with pytest.raises(NotPending, match=f"Nothing changed: this request has been {word}"):
            await decide(approvals, asked.id, by="eve")
        assert await approvals.find(asked.id) == before


async def test_of_twenty_answers_at_once_one_counts_and_a_no_may_take_it_back(approvals: Approvals) -> None:
    asked = await ask(approvals)
    done: list[Status] = []

    async def one(decide: Callable[..., Awaitable[Approval]]) -> None:
        try:
            done.append((await decide(approvals, asked.id, by="ada")).status)
        except NotPending:
            return

    async with anyio.create_task_group() as tasks:
        for decide in [Approvals.approve, Approvals.deny] * 10:
            tasks.start_soon(one, decide)
    # a no that came second took the yes back
    assert done in ([Status.APPROVED], [Status.DENIED], [Status.APPROVED, Status.DENIED])
    assert done[-1] is (await approvals.find(asked.id)).status


@pytest.mark.parametrize("unknown", ["ap-aaaaaaaaaa", "", "ap-ü", "ap-\udcff", "' OR 1=1 --"])
async def test_an_unknown_id_is_no_request(approvals: Approvals, unknown: str) -> None:
    await ask(approvals)
    for use in (approvals.find, partial(approvals.approve, by="ada"), partial(approvals.deny, by="ada")):
        with pytest.raises(UnknownApproval, match="no request with this id"):
            await use(unknown)


NAME = "Tråin-1"


@pytest.mark.parametrize(
    "typed",
    [
        None,
        "",
        "tråin-1",
        "Tråin-1 ",
        " Tråin-1",
        "Tråin-1\n",
        "Tråin",
        "\u0422råin-1",
        "yes",
        "\udcff",
    ],
    ids=ascii,
)
async def test_a_name_that_differs_in_anything_approves_nothing(approvals: Approvals, typed: str | None) -> None:
    asked = await ask(approvals, must_type=NAME)
    changes = await approvals.changes()
    with pytest.raises(WrongName, match=r"nothing was approved\. 9 tries are left\.") as caught:
        await approvals.approve(asked.id, by="ada", typed=typed)
    assert NAME not in str(caught.value)
    assert await told(approvals, "b") is Status.PENDING
    assert await approvals.changes() == changes
    assert (await approvals.approve(asked.id, by="ada", typed=NAME)).status is Status.APPROVED


async def test_the_tenth_wrong_name_denies(approvals: Approvals) -> None:
    asked = await ask(approvals, must_type=NAME)
    left = []
    for _ in range(MAX_WRONG_NAMES):
        with pytest.raises(WrongName) as caught:
            await approvals.approve(asked.id, by="ada", typed="guess")
        left.append(str(caught.value).rpartition("approved. ")[2])
    assert left == [f"{n} tries are left." for n in range(9, 1, -1)] + ["1 try is left.", "The request is now denied."]
    with pytest.raises(NotPending, match="denied already"):
        await approvals.approve(asked.id, by="ada", typed=NAME)
    redeemed = await approvals.redeem("b")
    assert redeemed is not None
    assert redeemed.status is Status.DENIED
    assert redeemed.decided_by == "ada, by 10 wrong names"


async def test_wrong_names_at_once_are_all_counted(approvals: Approvals) -> None:
    asked = await ask(approvals, must_type=NAME)

    async def one() -> None:
        with pytest.raises(WrongName):
            await approvals.approve(asked.id, by="ada", typed="guess")

    async with anyio.create_task_group() as tasks:
        for _ in range(9):
            tasks.start_soon(one)
    assert (await approvals.find(asked.id)).wrong_names == 9


async def test_what_is_typed_where_no_name_is_wanted_does_not_matter(approvals: Approvals) -> None:
    asked = await ask(approvals)
    assert (await approvals.approve(asked.id, by="ada", typed="anything")).status is Status.APPROVED


async def test_pending_ones_are_listed_oldest_first_and_the_others_newest_first(
    approvals: Approvals, clock: Clock
) -> None:
    ids = [(await ask(approvals, binding)).id for binding in "abcdef"]
    await approvals.approve(ids[1], by="ada")
    await approvals.deny(ids[3], by="ada")
    assert [a.id for a in await approvals.pending()] == [ids[0], ids[2], ids[4], ids[5]]
    assert [a.id for a in await approvals.recent()] == [ids[3], ids[1]]
    assert [a.id for a in await approvals.recent(limit=1)] == [ids[3]]
    clock.at += TTL
    assert await approvals.pending() == []
    assert [a.status for a in await approvals.recent()] == [Status.EXPIRED] * 2 + [Status.DENIED] + [Status.EXPIRED] * 3


async def test_the_count_of_changes_grows_with_every_transition_and_only_then(
    approvals: Approvals, clock: Clock
) -> None:
    counts = [await approvals.changes()]

    async def grew() -> bool:
        counts.append(await approvals.changes())
        return counts[-1] > counts[-2]

    one, two = await ask(approvals, "a"), await ask(approvals, "b")
    assert await grew()
    await ask(approvals, "a")
    await approvals.pending()
    await approvals.recent()
    await approvals.redeem("a")
    assert not await grew()
    await approvals.approve(one.id, by="ada")
    assert await grew()
    await approvals.redeem("a")
    assert await grew()
    await approvals.deny(two.id, by="ada")
    assert await grew()
    await ask(approvals, "c")
    assert await grew()
    clock.at += TTL
    assert await grew()
    assert not await grew()


async def test_something_good_once_is_used_up_in_the_same_store(approvals: Approvals, store: SqliteStore) -> None:
    assert await approvals.use("link", until=START + 1)
    assert not await approvals.use("link", until=START + 1)
    assert not await store.use("link", until=START + 1)


async def test_a_request_of_which_nobody_was_told_ends_at_once_unless_it_has_its_answer(
    approvals: Approvals, clock: Clock
) -> None:
    asked = await ask(approvals)
    clock.at += 5
    with anyio.CancelScope() as scope:
        scope.cancel()
        await approvals.withdraw(asked)
    ended = replace(asked, status=Status.EXPIRED, expires_at=START + 5, told_at=START + 5)
    assert await approvals.find(asked.id) == ended
    assert await approvals.redeem("b") is None
    agreed, refused = await ask(approvals), await ask(approvals, "other")
    await approvals.approve(agreed.id, by="ada")
    denied = await approvals.deny(refused.id, by="ada")
    clock.at += TTL + 5
    await approvals.withdraw(agreed)
    await approvals.withdraw(refused)
    gone = await approvals.find(agreed.id)
    assert (gone.status, gone.expires_at, gone.told_at) == (Status.EXPIRED, agreed.expires_at, clock.at)
    assert await approvals.find(refused.id) == denied


async def test_the_request_behind_a_call_is_shown_as_it_stands_and_left_as_it_is(
    approvals: Approvals, clock: Clock
) -> None:
    assert await approvals.live("b") is None
    asked = await ask(approvals)
    assert await approvals.live("b") == asked
    clock.at += TTL
    for _ in range(2):
        assert await approvals.live("b") == replace(asked, status=Status.EXPIRED)


async def test_a_yes_that_was_not_used_may_be_taken_back(approvals: Approvals) -> None:
    asked = await ask(approvals)
    await approvals.approve(asked.id, by="ada")
    assert (await approvals.deny(asked.id, by="eve")).status is Status.DENIED


async def test_twenty_answers_are_listed_unless_more_are_wanted(approvals: Approvals) -> None:
    for at in range(21):
        await approvals.deny((await ask(approvals, f"b-{at}")).id, by="ada")
    assert (len(await approvals.recent()), len(await approvals.recent(30))) == (20, 21)
