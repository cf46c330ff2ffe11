"""Before a call is sent all that has to be known of it is kept at once, or nothing; after it, each part by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import anyio
import pytest

from barrack_mcp.state.purchases import Purchases
from barrack_mcp.state.store import (
    Approval,
    Bought,
    End,
    Entry,
    Lease,
    Overtaken,
    Purchase,
    Standing,
    Start,
    Status,
    Store,
    Trace,
    Yes,
)
from tests.support.clock import Clock
from tests.support.stores import PENDING, Kept

pytestmark = pytest.mark.anyio

START: Final = 1_000_000.0
ENTRY: Final = Entry(
    id="e-1",
    digest="d",
    account="a",
    tool="deploy_instance",
    arguments={"name": "é"},
    look_tool="list_instances",
    look_arguments={},
    owner="p",
    standing=Standing.SENT,
    sent_at=START,
    since=START + 120,
)
PURCHASE: Final = Purchase(
    id="p-1",
    account="a",
    caller="ada",
    kind="instance",
    thing=None,
    name="é",
    row={"gpu_count": 2},
    anew=True,
    at=START,
    standing=Bought.AWAITED,
    since=START,
)
LEASE: Final = Lease(
    account="a",
    instance="=é",
    since=START,
    until=START + 3_600,
    hours=1,
    set_by="ada",
    set_at=START,
    how="deploy_instance",
)
APPROVED: Final = replace(PENDING, status=Status.APPROVED, expires_at=START + 600)
USED: Final = replace(APPROVED, status=Status.USED, used_at=START)


@pytest.fixture
async def store(kept: Kept) -> AsyncIterator[Store]:
    async with kept.open(now=Clock(START)) as opened:
        await opened.identity()
        await opened.add_approval(APPROVED, most=9)
        yield opened


def start(store: Store, **other: Any) -> Start:
    """A deployment of which all has to be known."""
    yes = Yes(nonce=store.new_nonce(), until=START + 600, approval=(APPROVED, USED))
    whole: dict[str, Any] = {"yes": yes, "entry": ENTRY, "purchases": [PURCHASE], "lease": (None, LEASE)}
    return Start(**whole | other)


async def known(store: Store) -> tuple[Entry | None, Approval | None, list[Purchase], list[Lease]]:
    """What is kept of it."""
    return (*await store.look_up("d", ["none", PENDING.binding]), await store.purchases("a"), await store.leases("a"))


async def test_all_of_a_start_is_kept_and_its_yes_is_used_up(store: Store) -> None:
    begun = start(store)
    assert await store.begin(begun) is None
    assert await known(store) == (ENTRY, None, [PURCHASE], [LEASE])
    assert begun.yes is not None
    assert await store.is_used(str(begun.yes.nonce))
    assert await store.find_approval(APPROVED.id) == USED
    assert await store.begin(replace(begun, entry=None)) is Overtaken.USED


@pytest.mark.parametrize("way", ["held", "used", "lapsed", "answered"])
async def test_of_a_start_that_something_is_in_the_way_of_nothing_is_kept_and_no_yes_is_used(
    store: Store, way: str
) -> None:
    begun, entry = start(store), None
    in_the_way: Entry | Overtaken = Overtaken.USED
    yes = begun.yes
    assert yes is not None
    nonce, until = str(yes.nonce), START + 600
    match way:
        case "held":
            in_the_way = entry = replace(ENTRY, id="e-0")
            assert await store.begin(Start(entry=entry)) is None
        case "used":
            assert await store.use(nonce, until=until)
        case "lapsed":
            begun = replace(begun, yes=replace(yes, until=START))
        case _:
            in_the_way = Overtaken.ANSWERED
            begun = replace(begun, yes=replace(yes, approval=(PENDING, USED)))
    assert await store.begin(begun) == in_the_way
    assert await known(store) == (entry, APPROVED, [], [])
    assert await store.is_used(nonce) is (way == "used")


async def test_of_twenty_starts_with_one_yes_at_once_one_is_kept(kept: Kept, store: Store) -> None:
    yes, came = start(store).yes, list[Any]()
    async with kept.open(now=Clock(START)) as other:
        await other.identity()

        async def begin(number: int) -> None:
            entry = replace(ENTRY, id=f"e-{number}", digest=f"d-{number}")
            bought = [replace(PURCHASE, id=f"p-{number}")]
            came.append(await (store, other)[number % 2].begin(Start(yes=yes, entry=entry, purchases=bought)))

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(begin, number)
    assert sorted(map(str, came)) == ["None", *["used"] * 19]
    assert (len(await store.open_entries()), len(await store.purchases("a"))) == (1, 1)


async def test_a_lease_that_another_set_meanwhile_stays_and_all_else_is_kept(store: Store) -> None:
    longer = replace(LEASE, until=START + 9_999)
    await store.keep_lease(longer)
    assert await store.begin(start(store)) is None
    assert await known(store) == (ENTRY, None, [PURCHASE], [longer])


async def test_all_of_an_end_is_kept_at_once(store: Store) -> None:
    await store.begin(start(store))
    (place,) = (await store.line_up("a", "one", until=START + 60)).places
    closed, bought = replace(ENTRY, standing=Standing.CLOSED), Purchases(store).settle(PURCHASE, thing="B-1", row={})
    named = replace(LEASE, instance="B-1")
    end = End(
        entry=(ENTRY, closed),
        purchases=[bought],
        traces=[Trace(account="a", thing="instance B-1", caller="ada", at=START)],
        since=0,
        most=9,
        leases=[(None, named), (LEASE, None)],
        place=place,
    )
    assert await store.finish(end)
    assert await known(store) == (None, None, [bought], [named])
    assert await store.traces("a", ["instance B-1"]) == end.traces
    assert await store.line("a") == []
    assert await store.finish(End(dropped=[bought])), "a second end"
    assert await store.purchases("a") == []


async def test_of_an_end_that_does_not_fit_any_more_the_rest_is_kept(store: Store) -> None:
    await store.begin(start(store))
    looked = replace(ENTRY, standing=Standing.LOOKED)
    assert await store.swap_entry(ENTRY, looked)
    await store.keep_lease(replace(LEASE, until=START + 9_999))
    (place,) = (await store.line_up("a", "one", until=START + 60)).places
    named = replace(LEASE, instance="B-1")
    closed = replace(ENTRY, standing=Standing.CLOSED)
    end = End(entry=(ENTRY, closed), dropped=[PURCHASE], leases=[(LEASE, None), (None, named)], place=place)
    assert not await store.finish(end)
    assert await store.purchases("a") == []
    assert {each.instance for each in await store.leases("a")} == {"=é", "B-1"}
    assert await store.line("a") == []


async def test_what_is_known_of_an_account_comes_with_a_place_in_its_line_where_it_is_wanted(store: Store) -> None:
    await store.begin(start(store))
    plain = await store.line_up("a", "one", until=START + 60)
    queue = await store.line_up("a", "two", until=START + 60, recall=True)
    assert (plain.holdings, [each.owner for each in queue.places]) == (None, ["one", "two"])
    assert queue.holdings is not None
    assert queue.holdings == await store.holdings("a")
    assert (queue.holdings.purchases, queue.holdings.leases) == ([PURCHASE], [LEASE])


async def test_more_requests_of_a_caller_than_may_wait_are_not_kept_and_the_place_is_left_all_the_same(
    store: Store,
) -> None:
    (place,) = (await store.line_up("a", "one", until=START + 60)).places
    asked = [replace(PENDING, id=f"ap-{at}", binding=f"b-{at}", expires_at=START + 60) for at in range(4)]
    lapsed, others = replace(asked[0], expires_at=START), replace(asked[1], caller="another")
    for each in (lapsed, others, asked[2]):
        assert await store.add_approval(each, most=2) == each
    assert await store.add_approval(asked[3], most=2, place=place) == asked[3]
    assert await store.line("a") == []
    assert await store.add_approval(replace(PENDING, id="ap-9", binding="b-9", expires_at=START + 60), most=2) is None
    assert await store.live_approval("b-9") is None
    assert await store.add_approval(replace(asked[3], id="ap-8"), most=2) == asked[3]
