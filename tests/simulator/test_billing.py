"""What things cost: by the minute, by the state, until the credits are gone."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.simulator.box import Box, Json

pytestmark = pytest.mark.anyio

HOUR = 3600


async def record(box: Box, instance_id: str) -> Json:
    row: Json = (await box.get("/instances/billing/", instance_id=instance_id))["records"][0]
    return row


async def balance(box: Box) -> float:
    amount: float = (await box.get("/balance/"))["balance"]["amount"]
    return amount


async def test_four_gpus_for_ten_hours_cost_what_the_vendors_example_says() -> None:
    box = Box()
    wish: Json = {"tier": "advanced", "region": "FIN-01", "gpu_model": "H100-SXM5-80GB", "gpu_count": 4}
    instance_id = (await box.deploy(**wish))["data"]["instance_id"]
    assert (await box.get("/instances/billing/", instance_id=instance_id))["records"] == []
    box.wait(180 + 600 * 60)
    row = await record(box, instance_id)
    assert row == {
        "billing_id": f"{instance_id}B",
        "instance_id": instance_id,
        "vm_name": "new-1",
        "gpu_type": "H100-SXM5-80GB",
        "gpu_count": 4,
        "tier": "advanced",
        "start_time": "2026-01-15T10:03:00Z",
        "end_time": None,
        "total_duration_minutes": 600,
        "per_minute_rate": 0.166,
        "total_cost": 99.6,
        "currency": "USD",
        "status": "active",
        "description": "4 x H100-SXM5-80GB for new-1",
    }


async def test_stopping_saves_nothing_and_hibernating_nearly_all() -> None:
    box = Box()
    instance_id = box.instance("train-1")

    async def hour() -> float:
        before: float = (await record(box, instance_id))["total_cost"]
        box.wait(HOUR)
        after: float = (await record(box, instance_id))["total_cost"]
        return round(after - before, 4)

    running = await hour()
    await box.post(f"/instances/{instance_id}/stop/")
    box.wait(60)
    stopped = await hour()
    await box.post(f"/instances/{instance_id}/start/")
    box.wait(60)
    await box.post(f"/instances/{instance_id}/hibernate/")
    box.wait(60)
    asleep = await hour()
    assert (running, stopped, asleep) == (0.69, 0.69, 0.01)
    assert (await record(box, instance_id))["status"] == "hibernated"


async def test_each_row_of_a_bill_is_a_time_through_which_the_thing_cost_the_same() -> None:
    box = Box()
    instance_id = box.instance("train-1")
    for verb in ("stop", "start", "hibernate"):
        box.wait(HOUR)
        await box.post(f"/instances/{instance_id}/{verb}/")
        box.wait(HOUR)
    rows = (await box.get("/instances/billing/", instance_id=instance_id))["records"]
    assert [row["status"] for row in rows] == ["hibernated", *["completed"] * 3]
    assert len({row["billing_id"] for row in rows}) == 4
    assert rows[-1]["billing_id"] == f"{instance_id}B"
    for row in rows:
        cost = row["total_duration_minutes"] * row["per_minute_rate"]
        assert row["total_cost"] == pytest.approx(cost, abs=0.0001)
    assert all(older["end_time"] <= newer["start_time"] for newer, older in pairwise(rows))


async def test_the_books_say_what_was_drawn_and_fall_due_with_the_bills() -> None:
    box = Box()
    before = await balance(box)
    for _ in range(3):
        box.wait(5 * HOUR)
        await box.post(f"/instances/{box.instance('train-1')}/reboot/")
    drawn = sum(row["drawn"] for row in await box.control("books"))
    kinds = ("instances", "volumes", "snapshots")
    billed = [(await box.get(f"/{kind}/billing/"))["summary"]["totalCost"] for kind in kinds]
    assert drawn == pytest.approx(sum(billed), abs=0.001)
    world = box.barrack.world("sim-key")
    since = world.now - 15 * HOUR
    assert world.books.sum(since, world.now) / 10**9 == pytest.approx(before - await balance(box), abs=0.001)
    assert world.books.sum(world.now, since) == 0


async def test_prices_that_change_are_in_the_list_and_what_runs_costs_them_from_then_on() -> None:
    box = Box()
    instance_id = box.instance("train-1")
    assert (await record(box, instance_id))["per_minute_rate"] == 0.0115
    await box.control("prices", {"level": 2})
    listed = (await box.get("/pricing/"))["pricing_data"]["gpus"]["pricing"]["legacy"]["RTX-A6000"]["prices"]
    assert listed == {"USD": 1.38, "EUR": 1.5, "INR": 98}
    assert (await record(box, instance_id))["per_minute_rate"] == 0.023
    before = await balance(box)
    hourly = (await box.control("state"))["balance"]["hourly"]
    box.wait(HOUR)
    assert before - await balance(box) == pytest.approx(hourly, abs=0.001)
    assert (await box.control("prices", {"level": 0}, 400))["detail"].startswith("level")


async def test_what_is_on_its_way_or_gone_costs_nothing() -> None:
    box = Box()
    instance_id = box.instance("train-1")
    await box.post(f"/instances/{instance_id}/hibernate/")
    before = await record(box, instance_id)
    box.wait(59)
    assert (await record(box, instance_id))["total_cost"] == before["total_cost"]
    box.wait(1)
    await box.delete(f"/instances/{instance_id}/delete/")
    box.wait(20)
    gone = await record(box, instance_id)
    box.wait(HOUR)
    assert await record(box, instance_id) == gone


async def test_the_balance_falls_by_what_the_bills_rise() -> None:
    box = Box()

    async def billed() -> float:
        kinds = ("instances", "volumes", "snapshots")
        costs: list[float] = [(await box.get(f"/{kind}/billing/"))["summary"]["totalCost"] for kind in kinds]
        return sum(costs)

    credit, cost = await balance(box), await billed()
    box.wait(7 * HOUR + 59)
    assert credit - await balance(box) == pytest.approx(await billed() - cost, abs=0.001)
    assert await balance(box) < credit


async def test_volumes_are_billed_by_size_and_type_in_the_published_shape() -> None:
    box = Box()
    volume_id = box.id("volumes", "models")
    box.wait(HOUR)
    await box.post(f"/volumes/{volume_id}/resize/", {"size_gb": 600})
    answer = await box.get("/volumes/billing/", volume_id=volume_id)
    row = answer["records"][0]
    assert set(row) == {
        *("billing_id", "volume_id", "volume_name", "size_gb", "tier", "start_time", "end_time"),
        *("total_duration_minutes", "per_minute_rate", "total_cost", "currency", "status", "description"),
    }
    assert row["billing_id"].startswith("VBILL_")
    assert not row["start_time"].endswith("Z")
    assert (row["tier"], row["status"], row["size_gb"]) == ("Advanced", "in-use", 600)
    assert row["per_minute_rate"] == 0.003
    assert set(answer["summary"]) == {"totalMinutes", "activeCount", "averageUsage", "totalSizeGB", "totalCost"}
    assert set(answer) == {"success", "records", "summary", "total", "page", "limit", "total_pages", "currency"}


async def test_snapshots_are_billed_in_the_published_shape() -> None:
    box = Box()
    answer = await box.get("/snapshots/billing/")
    assert set(answer["records"][0]) == {
        *("billing_id", "snapshot_id", "snapshot_name", "size_gb", "tier", "start_time", "end_time"),
        *("total_duration_minutes", "per_minute_rate", "total_cost", "currency", "status", "description"),
    }
    assert (answer["tier"], answer["summary"]["activeCount"], answer["summary"]["totalSizeGB"]) == ("legacy", 2, 300)
    first = (await box.get("/snapshots/billing/", snapshot_id=box.id("snapshots", "train-base")))["records"][0]
    box.wait(10 * HOUR)
    later = (await box.get("/snapshots/billing/", snapshot_id=box.id("snapshots", "train-base")))["records"][0]
    assert later["total_cost"] - first["total_cost"] == pytest.approx(1.0)


async def test_the_summary_is_of_all_pages_and_its_counts_need_not_add_up() -> None:
    answer = await Box().get("/instances/billing/", limit=1)
    summary = answer["summary"]
    assert (len(answer["records"]), answer["total"], answer["total_pages"]) == (1, 9, 9)
    assert (summary["activeCount"], summary["completedCount"], summary["hibernatedCount"]) == (3, 4, 1)
    assert summary["averageUsage"] == pytest.approx(summary["totalMinutes"] / 9, abs=0.01)


async def test_an_account_in_euros_is_priced_and_billed_in_euros() -> None:
    box = Box(key="sim-key-eur")
    start = await balance(box)
    box.wait(HOUR)
    assert start - await balance(box) == pytest.approx(1.25 + 0.01, abs=0.0001)
    answer = await box.get("/instances/billing/")
    assert (answer["currency"], answer["records"][0]["currency"]) == ("EUR", "EUR")
    assert (await box.get("/volumes/types/"))["volume_types"]["legacy"][0]["rate"]["currency"] == "EUR"


async def test_when_the_credits_are_gone_every_running_machine_is_hibernated_at_that_minute() -> None:
    box = Box()
    world = box.barrack.world("sim-key")
    world.balance = int(world.hourly * 2 * 10**9)
    box.wait(2 * HOUR - 60)
    assert await box.status(box.instance("train-1")) == "ACTIVE"
    box.wait(60)
    assert await box.status(box.instance("train-1")) == "HIBERNATING"
    box.wait(60)
    rows = (await box.get("/instances/"))["instances"]
    assert {(each["status"], each["public_ip"]) for each in rows} == {("HIBERNATED", None)}
    assert await balance(box) == 0
    box.wait(30 * 24 * HOUR)
    assert await balance(box) == 0
    assert (await record(box, box.instance("train-1")))["total_duration_minutes"] > 0


async def test_a_machine_that_comes_up_without_credits_is_hibernated_at_once() -> None:
    box = Box()
    made = await box.deploy()
    box.barrack.world("sim-key").balance = 0
    box.wait(240)
    assert await box.status(made["data"]["instance_id"]) == "HIBERNATED"


async def test_minutes_are_the_same_in_one_stride_or_in_many() -> None:
    stride, steps = Box(), Box()
    for box in (stride, steps):
        await box.deploy()
        await box.post(f"/instances/{box.instance('train-2')}/hibernate/")
    stride.wait(5 * HOUR)
    for _ in range(100):
        steps.wait(5 * HOUR / 100)
        await steps.get("/balance/")
    assert await steps.get("/instances/billing/") == await stride.get("/instances/billing/")
    assert await balance(steps) == await balance(stride)


async def test_the_large_scenario_is_made_and_a_month_passes_at_once() -> None:
    box = Box(scenario="large")
    assert (await box.get("/instances/"))["total"] == 2000
    assert (await box.get("/volumes/"))["total"] == 500
    statuses = {each["status"] for each in (await box.get("/instances/", limit=100))["instances"]}
    assert statuses == {"ACTIVE", "SHUTOFF", "HIBERNATED"}
    box.wait(30 * 24 * HOUR)
    assert await balance(box) == 0


async def test_a_machine_of_which_nothing_is_known_costs_nothing() -> None:
    box = Box(scenario="large")
    (lost,) = (await box.get("/instances/", status="UNKNOWN"))["instances"]
    (failed,) = (await box.get("/instances/", status="ERROR"))["instances"]
    before = [await record(box, each["instance_id"]) for each in (lost, failed)]
    box.wait(HOUR)
    assert [await record(box, each["instance_id"]) for each in (lost, failed)] == before
    await box.delete(f"/instances/{lost['instance_id']}/delete/", 409)
    await box.delete(f"/instances/{failed['instance_id']}/delete/")
