"""An account's line to the letter: how long a place counts, what is told of waiting, and what is left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import anyio
import anyio.lowlevel
import pytest

from barrack_mcp.guard.turns import BusyError, Turn, Turns
from barrack_mcp.state.store import Place, Queue, SqliteStore
from tests.support.clock import Clock
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

ELSEWHERE = "elsewhere//1#abcd"
"""The name of a process of another machine, of which nobody here knows whether it goes on."""
SINCE = datetime(2026, 1, 15, 9, 30, 5, tzinfo=UTC).timestamp()


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock on the wall is five hours off."""
    monkeypatch.setenv("TZ", "EST+5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="a process changes its zone on POSIX alone")
@pytest.mark.usefixtures("far_away")
async def test_since_when_another_change_is_under_way_is_told_in_the_one_zone_or_not_at_all() -> None:
    assert "has been under way since 09:30:05 UTC, and one" in str(BusyError(SINCE))
    assert "has been under way, and one" in str(BusyError(None))


async def test_a_turn_is_good_for_the_wait_and_the_call_and_not_an_instant_more() -> None:
    clock = Clock()
    async with SqliteStore(":memory:", now=clock) as store:
        turn = await Turns(store, now=clock, patience=30, hold=100).take("a")
        clock.at += 129
        lapsed = [turn.lapsed]
        clock.at += 1
        assert [*lapsed, turn.lapsed] == [False, True]
        await turn.give_back()


async def test_a_line_that_is_empty_by_the_time_somebody_gives_up_says_nothing_of_since_when() -> None:
    class Tidied(SqliteStore):
        async def line(self, account: str) -> list[Place]:
            return [] if self.tidied else await super().line(account)

        tidied = False

    async with Tidied(":memory:") as store:
        turn = await Turns(store, hold=100).take("a")
        store.tidied = True
        with pytest.raises(BusyError, match="has been under way, and one"):
            await Turns(store, patience=0.01, hold=100).take("a")
        await turn.give_back()


async def test_whoever_is_cancelled_while_lining_up_leaves_no_place_behind() -> None:
    class Slow(SqliteStore):
        def __init__(self) -> None:
            super().__init__(":memory:")
            self.lining_up, self.go_on = anyio.Event(), anyio.Event()
            self.accounts: list[str] = []

        async def line_up(self, account: str, owner: str, *, until: float, recall: bool = False) -> Queue:
            place = await super().line_up(account, owner, until=until, recall=recall)
            self.accounts.append(account)
            self.lining_up.set()
            await self.go_on.wait()
            return place

    async with Slow() as store:
        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(Turns(store, hold=1).take, "a")
                await store.lining_up.wait()
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await anyio.wait_all_tasks_blocked()
                store.go_on.set()
        assert await store.line(store.accounts[0]) == []


async def test_a_call_that_waits_for_this_process_and_then_for_another_is_told_once() -> None:
    heard: list[str] = []
    taken: list[Turn] = []

    async def tell(sentence: str) -> None:
        heard.append(sentence)

    async with SqliteStore(":memory:") as store:
        turns = Turns(store, hold=100)
        first = await turns.take("a")
        (place,) = await line_of(store, turns)

        async def wait() -> None:
            taken.append(await turns.take("a", tell=tell))

        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                while not heard:
                    await anyio.lowlevel.checkpoint()
                other = (await store.line_up(place.account, ELSEWHERE, until=time.time() + 100)).places[-1]
                await first.give_back()
                while len(await store.line(place.account)) < 2:
                    await anyio.lowlevel.checkpoint()
                await anyio.wait_all_tasks_blocked()
                assert taken == []
                await store.leave(other)
        assert len(heard) == 1
        await taken[0].give_back()
        assert await store.line(place.account) == []


async def line_of(store: SqliteStore, turns: Turns) -> list[Place]:
    """The line in which these turns stand, for an account of which one is held."""
    return [place for turn in turns._held.values() for place in await store.line(turn.place.account)]  # noqa: SLF001 - a line is named by a digest of its account
