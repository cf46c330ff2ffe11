"""What a store keeps of calls, turns and itself: each row as it went in, in its order, for its account alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from barrack_mcp.state.store import Entry, Overtaken, Place, Standing, Start, Store
from barrack_mcp.state.store.sqlite import KEPT_S
from tests.support.clock import Clock
from tests.support.stores import Kept

pytestmark = pytest.mark.anyio

START = 10 * KEPT_S
ENTRY = Entry(
    id="e-1",
    digest="d",
    account="a",
    tool="deploy_instance",
    arguments={"name": "é", "sizes": [1, 2]},
    look_tool="list_instances",
    look_arguments={},
    owner="p",
    standing=Standing.SENT,
    sent_at=START,
    since=START,
)


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
async def store(kept: Kept, clock: Clock) -> AsyncIterator[Store]:
    async with kept.open(now=clock) as opened:
        yield opened


async def add(store: Store, entry: Entry) -> Entry | Overtaken | None:
    """Keep an entry; answers what is in the way."""
    return await store.begin(Start(entry=entry))


async def open_entry(store: Store, digest: str = "d") -> Entry | None:
    return (await store.look_up(digest, ()))[0]


async def test_an_entry_comes_back_as_it_went_in_and_one_of_its_digest_is_live(store: Store) -> None:
    assert await open_entry(store) is None
    assert await add(store, ENTRY) is None
    assert await open_entry(store) == ENTRY
    assert await open_entry(store, "another") is None
    assert await add(store, replace(ENTRY, id="e-2")) == ENTRY
    assert json.dumps(json.loads(ENTRY.to_json()), separators=(",", ":")) == ENTRY.to_json()


async def test_an_entry_gives_way_to_what_became_of_it_once(store: Store) -> None:
    await add(store, ENTRY)
    closed = replace(ENTRY, standing=Standing.CLOSED)
    assert await store.swap_entry(ENTRY, closed)
    assert not await store.swap_entry(ENTRY, closed)
    assert await open_entry(store) is None
    again = replace(ENTRY, id="e-2")
    assert await add(store, again) is None


async def test_open_entries_are_listed_oldest_first_of_one_account_or_of_all(store: Store) -> None:
    entries = [replace(ENTRY, id=f"e-{at}", digest=f"d-{at}", account="ab"[at % 2]) for at in range(4)]
    for entry in entries:
        await add(store, entry)
    await store.swap_entry(entries[0], replace(entries[0], standing=Standing.LOOKED))
    assert await store.open_entries() == entries[1:]
    assert await store.open_entries("a") == [entries[2]]
    assert await store.open_entries("b") == [entries[1], entries[3]]
    assert await store.open_entries("c") == []


@pytest.mark.parametrize(("later", "there"), [(0.0, True), (KEPT_S - 1, True), (KEPT_S, False), (KEPT_S + 1, False)])
async def test_after_a_month_an_entry_is_neither_found_nor_kept(
    store: Store,
    clock: Clock,
    kept: Kept,
    later: float,
    there: bool,  # noqa: FBT001 - a table's column
) -> None:
    await add(store, ENTRY)
    clock.at += later
    assert (await open_entry(store) is not None) is there
    assert (await store.open_entries() != []) is there
    await add(store, replace(ENTRY, id="e-2", digest="other", sent_at=clock.at))
    assert kept.count("entries") == 1 + there


async def test_places_are_kept_in_their_order_for_their_account_until_they_are_left(store: Store, clock: Clock) -> None:
    (first,) = (await store.line_up("a", "one", until=START + 5)).places
    clock.at += 1
    before, second = (await store.line_up("a", "two", until=START + 6)).places
    (other,) = (await store.line_up("b", "three", until=START + 7)).places
    assert before == first
    assert first == Place(number=1, account="a", owner="one", since=START, until=START + 5)
    assert second == Place(number=2, account="a", owner="two", since=START + 1, until=START + 6)
    assert await store.line("a") == [first, second]
    await store.leave(first)
    assert (await store.line("a"), await store.line("b"), await store.line("c")) == ([second], [other], [])
