"""Who bought what is kept before it is sent, outlives the process, and is forgotten where nothing came of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from barrack_mcp.state.purchases import KEPT_S, Purchases
from barrack_mcp.state.store import Bought, Purchase, SqliteStore, StoreError
from tests.support.clock import Clock
from tests.support.stores import Kept

pytestmark = pytest.mark.anyio


async def begin(purchases: Purchases, name: str, *, account: str = "a", caller: str = "ann") -> Purchase:
    row = {"volume_type": "NVMe", "size_gb": 100}
    return await purchases.begin(account, caller=caller, kind="volume", thing=None, name=name, row=row)


async def test_a_purchase_is_there_after_a_new_start_whatever_came_of_it(kept: Kept) -> None:
    clock = Clock()
    async with kept.open(now=clock) as store:
        purchases = Purchases(store, now=clock)
        first, second = await begin(purchases, "one"), await begin(purchases, "two", caller="ben")
        await purchases.settle(first, thing="VOL-1", row={"size_gb": 120, "region": "EU1"})
        clock.at += 60
        grown = await purchases.begin("a", caller="cat", kind="volume", thing="VOL-1", name=None, row={})
    async with kept.open(now=clock) as store:
        found = await Purchases(store, now=clock).all("a")
        assert [each.id for each in found] == [first.id, second.id, grown.id]
        assert [(each.caller, each.thing, each.anew, each.standing) for each in found] == [
            ("ann", "VOL-1", True, Bought.THERE),
            ("ben", None, True, Bought.AWAITED),
            ("cat", "VOL-1", False, Bought.AWAITED),
        ]
        assert found[0].row == {"volume_type": "NVMe", "size_gb": 120, "region": "EU1"}
        assert found[2].at == first.at + 60
        assert await Purchases(store, now=clock).all("b") == []


async def test_what_did_not_take_place_is_forgotten_and_what_was_destroyed_is_known_to_be_gone(kept: Kept) -> None:
    async with kept.open() as store:
        purchases = Purchases(store)
        failed, made, other = [await begin(purchases, name) for name in ("one", "two", "three")]
        foreign = await begin(purchases, "two", account="b")
        for purchase in (made, foreign):
            await purchases.settle(purchase, thing="VOL-2", row={})
        await purchases.drop(failed)
        await purchases.drop(failed)
        await purchases.end("a", "volume", ["VOL-2", "VOL-9"])
        await purchases.end("a", "snapshot", ["VOL-2"])
        assert {each.name: each.standing for each in await purchases.all("a")} == {
            "two": Bought.GONE, "three": Bought.AWAITED
        }  # fmt: skip
        assert [each.standing for each in await purchases.all("b")] == [Bought.THERE]
        assert other in await purchases.all("a")


async def test_what_is_gone_is_known_as_long_as_a_month_may_count_it(kept: Kept) -> None:
    clock = Clock()
    async with kept.open(now=clock) as store:
        purchases = Purchases(store, now=clock)
        for name in ("one", "two"):
            await purchases.settle(await begin(purchases, name), thing=name, row={})
            await purchases.end("a", "volume", [name])
            clock.at += KEPT_S - 1
        assert [each.name for each in await purchases.all("a")] == ["one", "two"]
        clock.at -= KEPT_S - 3
        await purchases.end("a", "volume", ["three"])
        assert [each.name for each in await purchases.all("a")] == ["two"]


async def test_a_purchase_whose_id_nobody_told_is_known_by_its_name(kept: Kept) -> None:
    async with kept.open() as store:
        purchases = Purchases(store)
        await purchases.settle(await begin(purchases, "one"), thing=None, row={})
        told = [(each.thing, each.name, each.standing) for each in await purchases.all("a")]
        assert told == [(None, "one", Bought.THERE)]


async def test_purchases_of_another_version_are_an_error_and_never_none(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    async with SqliteStore(file) as store:
        await begin(Purchases(store), "one")
        tables = sqlite3.connect(file)
        with tables:
            tables.execute("UPDATE purchases SET record = '{}'")
        tables.close()
        with pytest.raises(StoreError, match="who pays for what isn't known"):
            await Purchases(store).all("a")
