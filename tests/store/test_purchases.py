"""Who bought what is kept before it is sent, outlives the process, and is forgotten where nothing came of it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from barrack_mcp.state.purchases import KEPT_S, Purchases
from barrack_mcp.state.store import Bought, End, Purchase, SqliteStore, Start, Store, StoreError
from tests.support.clock import Clock
from tests.support.stores import Kept

pytestmark = pytest.mark.anyio


@dataclass
class Shop:
    """Where things are bought, and come to be or not."""

    store: Store
    now: Callable[[], float] = time.time

    @property
    def purchases(self) -> Purchases:
        return Purchases(self.store, now=self.now)

    async def begin(
        self, name: str | None, *, account: str = "a", caller: str = "ann", thing: str | None = None
    ) -> Purchase:
        row = {"volume_type": "NVMe", "size_gb": 100}
        begun = self.purchases.draft(account, caller=caller, kind="volume", thing=thing, name=name, row=row)
        await self.store.begin(Start(purchases=[begun]))
        return begun

    async def settle(self, purchase: Purchase, *, thing: str | None, **row: Any) -> None:
        await self.store.finish(End(purchases=[self.purchases.settle(purchase, thing=thing, row=row)]))

    async def drop(self, purchase: Purchase) -> None:
        await self.store.finish(End(dropped=[purchase]))

    async def end(self, kind: str, *things: str) -> None:
        await self.store.finish(self.purchases.end(await self.all(), kind, things))

    async def all(self, account: str = "a") -> Sequence[Purchase]:
        return await self.purchases.all(account)


async def test_a_purchase_is_there_after_a_new_start_whatever_came_of_it(kept: Kept) -> None:
    clock = Clock()
    async with kept.open(now=clock) as store:
        shop = Shop(store, clock)
        first, second = await shop.begin("one"), await shop.begin("two", caller="ben")
        await shop.settle(first, thing="VOL-1", size_gb=120, region="EU1")
        clock.at += 60
        grown = await shop.begin(None, caller="cat", thing="VOL-1")
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
        shop = Shop(store)
        failed, made, other = [await shop.begin(name) for name in ("one", "two", "three")]
        foreign = await shop.begin("two", account="b")
        for purchase in (made, foreign):
            await shop.settle(purchase, thing="VOL-2")
        await shop.drop(failed)
        await shop.drop(failed)
        await shop.end("volume", "VOL-2", "VOL-9")
        await shop.end("snapshot", "VOL-2")
        assert {each.name: each.standing for each in await shop.all()} == {
            "two": Bought.GONE, "three": Bought.AWAITED
        }  # fmt: skip
        assert [each.standing for each in await shop.all("b")] == [Bought.THERE]
        assert other in await shop.all()


async def test_what_is_gone_is_known_as_long_as_a_month_may_count_it(kept: Kept) -> None:
    clock = Clock()
    async with kept.open(now=clock) as store:
        shop = Shop(store, clock)
        for name in ("one", "two"):
            await shop.settle(await shop.begin(name), thing=name)
            await shop.end("volume", name)
            clock.at += KEPT_S - 1
        assert [each.name for each in await shop.all()] == ["one", "two"]
        clock.at -= KEPT_S - 3
        await shop.end("volume", "three")
        assert [each.name for each in await shop.all()] == ["two"]


async def test_a_purchase_whose_id_nobody_told_is_known_by_its_name(kept: Kept) -> None:
    async with kept.open() as store:
        shop = Shop(store)
        await shop.settle(await shop.begin("one"), thing=None)
        told = [(each.thing, each.name, each.standing) for each in await shop.all()]
        assert told == [(None, "one", Bought.THERE)]


async def test_purchases_of_another_version_are_an_error_and_never_none(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    async with SqliteStore(file) as store:
        await Shop(store).begin("one")
        tables = sqlite3.connect(file)
        with tables:
            tables.execute("UPDATE purchases SET record = '{}'")
        tables.close()
        with pytest.raises(StoreError, match="who pays for what isn't known"):
            await Purchases(store).all("a")
