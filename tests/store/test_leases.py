"""Until when a machine may run is kept in the state, across processes; one of them at a time ends what is overdue."""

from __future__ import annotations

import anyio
import pytest

from barrack_mcp.state.leases import HOUR_S, ClaimedError, Leases
from barrack_mcp.state.store import Lease
from tests.support.clock import Clock
from tests.support.stores import Kept

pytestmark = pytest.mark.anyio


async def set_for(leases: Leases, instance: str, hours: float, *, account: str = "a") -> Lease:
    until = leases.now() + hours * HOUR_S
    return await leases.keep(account, instance, until=until, hours=hours, caller="ann", how="deploy_instance")


async def test_a_lease_is_there_after_a_new_start_and_is_its_accounts_alone(kept: Kept) -> None:
    clock = Clock()
    async with kept.open(now=clock) as store:
        leases = Leases(store, now=clock)
        late, soon = await set_for(leases, "BRK-1D", 8), await set_for(leases, "BRK-2D", 2)
    async with kept.open(now=clock) as store:
        leases = Leases(store, now=clock)
        assert await leases.all("a") == {"BRK-2D": soon, "BRK-1D": late}
        assert [*await leases.all("a")] == ["BRK-2D", "BRK-1D"]
        assert (await leases.find("a", "BRK-1D"), await leases.find("a", "BRK-3D")) == (late, None)
        assert await leases.all("b") == {}
        assert (late.until, late.hours, late.since, late.set_by) == (clock.at + 8 * HOUR_S, 8, clock.at, "ann")


async def test_a_lease_takes_the_place_of_the_one_before_and_may_begin_when_that_did(kept: Kept) -> None:
    clock = Clock()
    async with kept.open(now=clock) as store:
        leases = Leases(store, now=clock)
        first = await set_for(leases, "BRK-1D", 2)
        clock.at += 60
        second = await leases.keep("a", "BRK-1D", until=clock.at + 99, caller="ben", how="set_lease", since=first.since)
        assert await leases.all("a") == {"BRK-1D": second}
        assert (second.since, second.set_at, second.hours) == (first.since, first.since + 60, None)


async def test_a_lease_is_taken_away_only_as_it_was_read(kept: Kept) -> None:
    async with kept.open() as store:
        leases = Leases(store, now=Clock())
        first = await set_for(leases, "BRK-1D", 2)
        second = await set_for(leases, "BRK-1D", 4)
        assert not await leases.end(first)
        assert await leases.find("a", "BRK-1D") == second
        assert [await leases.end(second), await leases.end(second)] == [True, False]
        assert await leases.all("a") == {}


async def test_of_twenty_that_claim_a_lease_at_once_one_has_it_until_it_lets_go(kept: Kept) -> None:
    async with kept.open() as store:
        clock = Clock()
        reapers = [Leases(store, now=clock) for _ in range(20)]
        lease = await set_for(reapers[0], "BRK-1D", 2)
        won: list[tuple[Leases, Lease]] = []

        async def one(leases: Leases) -> None:
            if (claimed := await leases.claim(lease, seconds=60)) is not None:
                won.append((leases, claimed))

        async with anyio.create_task_group() as tasks:
            for leases in reapers:
                tasks.start_soon(one, leases)
        ((holder, claimed),) = won
        found = await holder.find("a", "BRK-1D")
        assert found == claimed
        assert await reapers[-1].claim(found, seconds=60) is None
        await holder.let_go(claimed)
        assert await holder.find("a", "BRK-1D") == lease


async def test_a_claim_ends_with_its_time_and_with_its_process(kept: Kept) -> None:
    async with kept.open() as store:
        clock = Clock()
        one, other = Leases(store, now=clock), Leases(store, now=clock)
        lease = await set_for(one, "BRK-1D", 2)
        claimed = await one.claim(lease, seconds=60)
        assert claimed is not None
        clock.at += 60
        assert await other.claim(claimed, seconds=60) is not None
        found = await one.find("a", "BRK-1D")
        assert found is not None
        assert await one.claim(found, seconds=60) is None
        heir = Leases(store, now=clock, gone=lambda owner: owner == found.claimed_by)
        assert await heir.claim(found, seconds=60) is not None


async def test_a_lease_is_not_set_while_a_process_ends_its_machine_and_is_again_when_that_lets_go(kept: Kept) -> None:
    async with kept.open() as store:
        leases = Leases(store, now=Clock())
        claimed = await leases.claim(await set_for(leases, "BRK-1D", 2), seconds=60)
        assert claimed is not None
        with pytest.raises(ClaimedError):
            await set_for(leases, "BRK-1D", 9)
        assert await leases.find("a", "BRK-1D") == claimed
        await leases.let_go(claimed)
        longer = await set_for(leases, "BRK-1D", 9)
        assert await leases.find("a", "BRK-1D") == longer


async def test_of_a_claim_and_a_longer_lease_at_once_one_holds_and_the_other_is_told_so(kept: Kept) -> None:
    async with kept.open() as store:
        leases = Leases(store, now=Clock())
        lease = await set_for(leases, "BRK-1D", 2)
        told: list[str] = []

        async def reap() -> None:
            told.append("not claimed" if await leases.claim(lease, seconds=60) is None else "claimed")

        async def lengthen() -> None:
            try:
                await set_for(leases, "BRK-1D", 9)
            except ClaimedError:
                told.append("not set")
            else:
                told.append("set")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reap)
            tasks.start_soon(lengthen)
        assert sorted(told) in (["claimed", "not set"], ["not claimed", "set"])
