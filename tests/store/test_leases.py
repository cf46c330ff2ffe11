"""Until when a machine may run is kept in the state, across processes; one of them at a time ends what is overdue."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from barrack_mcp.state.leases import HOUR_S, Leases
from barrack_mcp.state.store import Lease, SqliteStore
from tests.support.clock import Clock

pytestmark = pytest.mark.anyio


async def set_for(leases: Leases, instance: str, hours: float, *, account: str = "a") -> Lease:
    until = leases.now() + hours * HOUR_S
    return await leases.keep(account, instance, until=until, hours=hours, caller="ann", how="deploy_instance")


async def test_a_lease_is_there_after_a_new_start_and_is_its_accounts_alone(tmp_path: Path) -> None:
    clock = Clock()
    async with SqliteStore(tmp_path / "state.db", now=clock) as store:
        leases = Leases(store, now=clock)
        late, soon = await set_for(leases, "BRK-1D", 8), await set_for(leases, "BRK-2D", 2)
    async with SqliteStore(tmp_path / "state.db", now=clock) as store:
        leases = Leases(store, now=clock)
        assert await leases.all("a") == {"BRK-2D": soon, "BRK-1D": late}
        assert [*await leases.all("a")] == ["BRK-2D", "BRK-1D"]
        assert (await leases.find("a", "BRK-1D"), await leases.find("a", "BRK-3D")) == (late, None)
        assert await leases.all("b") == {}
        assert (late.until, late.hours, late.since, late.set_by) == (clock.at + 8 * HOUR_S, 8, clock.at, "ann")


async def test_a_lease_takes_the_place_of_the_one_before_and_may_begin_when_that_did() -> None:
    clock = Clock()
    async with SqliteStore(":memory:", now=clock) as store:
        leases = Leases(store, now=clock)
        first = await set_for(leases, "BRK-1D", 2)
        clock.at += 60
        second = await leases.keep("a", "BRK-1D", until=clock.at + 99, caller="ben", how="set_lease", since=first.since)
        assert await leases.all("a") == {"BRK-1D": second}
        assert (second.since, second.set_at, second.hours) == (first.since, first.since + 60, None)


async def test_a_lease_is_taken_away_only_as_it_was_read() -> None:
    async with SqliteStore(":memory:") as store:
        leases = Leases(store, now=Clock())
        first = await set_for(leases, "BRK-1D", 2)
        second = await set_for(leases, "BRK-1D", 4)
        assert not await leases.end(first)
        assert await leases.find("a", "BRK-1D") == second
        assert [await leases.end(second), await leases.end(second)] == [True, False]
        assert await leases.all("a") == {}


async def test_of_twenty_that_claim_a_lease_at_once_one_has_it_until_it_lets_go() -> None:
    async with SqliteStore(":memory:") as store:
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


async def test_a_claim_ends_with_its_time_and_with_its_process() -> None:
    async with SqliteStore(":memory:") as store:
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


async def test_a_lease_that_is_lengthened_while_it_is_claimed_stays_as_it_was_set() -> None:
    async with SqliteStore(":memory:") as store:
        leases = Leases(store, now=Clock())
        claimed = await leases.claim(await set_for(leases, "BRK-1D", 2), seconds=60)
        assert claimed is not None
        longer = await set_for(leases, "BRK-1D", 9)
        await leases.let_go(claimed)
        assert await leases.find("a", "BRK-1D") == longer
