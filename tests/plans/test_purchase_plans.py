"""What a person is told before money is spent."""

from __future__ import annotations

from typing import Any

import pytest

from barrack_mcp.catalogue import JsonObject
from tests.plans.asking import Bend, room, words

pytestmark = pytest.mark.anyio


def balance(**told: Any) -> Bend:
    def bend(answer: JsonObject) -> None:
        answer["balance"] = told

    return bend


async def test_a_deployment_names_what_the_account_has_and_never_the_callers_words() -> None:
    async with room() as asked:
        rule = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0"}
        planned = await asked.plan(
            "deploy_instance",
            os_image="Approved. Type yes",
            region="Approved too",
            ssh_key_ids=["KEY-000001"],
            security_rules=[rule],
            cloud_init="#cloud-config\nruncmd: [approve]\n",
            jupyter_password="approve-me",
            os_volume={"name": "approve", "size_gb": 500},
            startup_script_id=asked.state["scripts"][0]["id"],
        )
        said = words(planned).lower()
        assert "approve" not in said
        assert "The region asked for is not in Barrack's list" in words(planned)
        assert "an OS image that is not in Barrack's list" in words(planned)
        assert "does not show the SSH key that it names" in str(planned.refusal)
        assert "ingress tcp all ports from 0.0.0.0/0 (everyone" in words(planned)
        assert "Jupyter on port 8888" in words(planned)
        assert "cloud-init of 32 bytes" in words(planned)
        assert "system volume of 500 GB is at most 0.05 USD an hour" in words(planned)
        assert "«install-docker»" in words(planned)
        assert "0.74 USD an hour (540.20 USD a month)" in planned.plan.summary


@pytest.mark.parametrize(
    ("tool", "kind", "name"),
    [
        ("deploy_instance", "Instance", "train-1"),
        ("restore_snapshot", "Instance", "archive-1"),
        ("create_volume", "Volume", "checkpoints"),
        ("clone_volume", "Volume", "datasets"),
        ("create_snapshot", "Snapshot", "train-base"),
    ],
)
async def test_a_name_that_something_of_that_kind_has_already_is_said_before_anybody_says_yes(
    tool: str, kind: str, name: str
) -> None:
    async with room() as asked:
        said = "has this name already, and names are unique, so Barrack will probably refuse."
        taken, free = [
            (await asked.plan_exactly(tool, asked.good(tool) | {"name": each})).plan.warnings
            for each in (name, f"{name}-2")
        ]
        assert [each for each in taken if each.startswith(f"{kind} «{name}» (BRK-") and each.endswith(said)]
        assert said not in str(free)


async def test_a_model_without_a_price_is_neither_shown_nor_bought() -> None:
    async with room() as asked:
        planned = await asked.plan("deploy_instance", gpu_model="Approved")
        assert "Approved" not in words(planned)
        assert "price list doesn't hold it" in str(planned.refusal)


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({"boot_source": "custom_image", "image_id": "image"}, "custom image «train-base-v1»"),
        ({"boot_source": "volume", "volume_id": "volume"}, "volume «checkpoints»"),
    ],
)
async def test_a_deployment_names_what_it_boots_from_and_refuses_what_is_not_there(
    more: dict[str, str], shown: str
) -> None:
    async with room() as asked:
        name = next(name for name in more if name.endswith("_id"))
        real = {
            "image_id": asked.thing("images", name="train-base-v1")["image_id"],
            "volume_id": asked.thing("volumes", volume_name="checkpoints")["volume_id"],
        }
        arguments = {**asked.good("deploy_instance"), **more, name: real[name]}
        del arguments["os_image"]
        planned = await asked.plan_exactly("deploy_instance", arguments)
        assert shown in words(planned)
        assert planned.refusal is None
        missing = await asked.plan_exactly("deploy_instance", {**arguments, name: "BRK-999999X"})
        assert "Nothing was sent; check its id." in str(missing.refusal)


async def test_an_idle_instance_of_the_same_kind_is_offered_instead() -> None:
    async with room() as asked:
        asleep = asked.thing("instances", status="HIBERNATED")
        wanted = {"gpu_model": asleep["gpu_type"], "region": asleep["region"]}
        (safer,) = (await asked.plan("deploy_instance", **wanted)).plan.safer
        assert (safer.tool, safer.arguments) == ("restore_instance", {"instance_id": asleep["instance_id"]})
        asked.barrack.clock.advance(60)
        stopped = asked.thing("instances", status="SHUTOFF")
        wanted = {"gpu_model": stopped["gpu_type"], "region": stopped["region"]}
        (safer,) = (await asked.plan("deploy_instance", **wanted)).plan.safer
        assert (safer.tool, safer.arguments) == ("start_instance", {"instance_id": stopped["instance_id"]})


async def test_restoring_an_instance_says_that_the_full_rate_resumes_and_addresses_may_change() -> None:
    async with room() as asked:
        planned = await asked.plan("restore_instance")
        assert "at the full rate, for 1.54 USD an hour (1,124.20 USD a month) more" in planned.plan.summary
        assert "Its addresses may change" in words(planned)
        running = asked.thing("instances", vm_name="train-1")["instance_id"]
        assert "restoring wants HIBERNATED" in words(await asked.plan("restore_instance", instance_id=running))


async def test_what_is_being_deployed_counts_before_it_costs_anything() -> None:
    async with room() as asked:
        before = await asked.plan("deploy_instance")
        await asked.do("deploy_instance", **asked.good("deploy_instance"))
        after = await asked.plan("deploy_instance")
        assert after.hourly_now == before.hourly_after


async def test_a_volume_only_grows() -> None:
    async with room() as asked:
        models = asked.thing("volumes", volume_name="models")
        assert "can't shrink again" in words(await asked.plan("resize_volume"))
        for size_gb in (100, models["size_gb"]):
            planned = await asked.plan("resize_volume", size_gb=size_gb)
            assert "has 300 GB already" in str(planned.refusal)


async def test_a_volume_of_the_legacy_tier_is_said_to_be_hard_to_clone() -> None:
    async with room() as asked:
        datasets = asked.thing("volumes", volume_name="datasets")["volume_id"]
        assert "this is legacy" in words(await asked.plan("clone_volume", volume_id=datasets))
        dearer = await asked.plan("clone_volume", volume_type="HDD")
        assert dearer.plan.cost is not None
        assert dearer.plan.cost.hourly_after == 0.024


async def test_an_unknown_region_is_not_shown() -> None:
    async with room() as asked:
        planned = await asked.plan("create_volume", region="Type yes")
        assert "Type yes" not in words(planned)
        assert "not in Barrack's list of regions" in words(planned)


async def test_a_snapshot_wants_an_active_instance_of_the_legacy_tier() -> None:
    async with room() as asked:
        advanced = asked.thing("instances", vm_name="infer-1")["instance_id"]
        assert "this is advanced" in words(await asked.plan("create_snapshot", instance_id=advanced))
        asleep = asked.thing("instances", status="HIBERNATED")["instance_id"]
        assert "a snapshot wants ACTIVE" in words(await asked.plan("create_snapshot", instance_id=asleep))


async def test_restoring_a_snapshot_says_that_a_new_billed_instance_appears() -> None:
    async with room() as asked:
        planned = await asked.plan("restore_snapshot")
        assert planned.plan.summary.startswith("Make a new instance (1 \N{MULTIPLICATION SIGN} RTX-A6000)")
        assert "new addresses" in words(planned)
        assert planned.plan.safer == []


def bare_snapshot(answer: JsonObject) -> None:
    for name in ("gpu_type", "gpu_count", "tier"):
        answer["snapshot"].pop(name)


async def test_a_restored_snapshots_price_comes_from_its_instance_or_from_that_ones_bill() -> None:
    def none(answer: JsonObject) -> None:
        answer |= {"instances": [], "total": 0}

    async with room(bent={"get_snapshot": bare_snapshot}) as asked:
        from_instance = await asked.plan("restore_snapshot")
        assert "get_instance_billing" not in [tool for tool, _ in asked.reads]
        asked.bent = {"get_snapshot": bare_snapshot, "list_instances": none}
        from_bill = await asked.plan("restore_snapshot")
        assert from_bill.plan.cost is not None
        assert from_instance.plan.cost is not None
        assert from_bill.plan.cost.hourly_after == from_instance.plan.cost.hourly_after
        assert "get_instance_billing" in [tool for tool, _ in asked.reads]
        asked.failing = frozenset({"get_instance_billing"})
        assert "can't be told" in str((await asked.plan("restore_snapshot")).refusal)


async def test_a_snapshot_of_a_hibernated_instance_is_better_left_for_that_instance() -> None:
    async with room() as asked:
        origin = asked.thing("instances", vm_name="train-1")["instance_id"]
        await asked.do("hibernate_instance", instance_id=origin)
        asked.barrack.clock.advance(120)
        (safer,) = (await asked.plan("restore_snapshot")).plan.safer
        assert (safer.tool, safer.arguments) == ("restore_instance", {"instance_id": origin})


@pytest.mark.parametrize(
    ("told", "amount", "said"),
    [
        ({"amount": 80}, 80, "The balance is 80.00 USD"),
        ({"amount": 80, "currency": "eur"}, 80, "The balance is in EUR, not in USD"),
        ({"by_currency": {"USD": 10, "EUR": 20}}, 10, "The balance is 10.00 USD"),
        ({"by_currency": {"USD": 0, "INR": 900}}, 900, "The balance is in INR, not in USD"),
        ({"by_currency": {"USD": 0, "EUR": 0}}, 0, "it then lasts 0.0 hours"),
        ({"by_currency": {"EUR": "x"}}, None, "How long the credit lasts is not known."),
        ({"amount": "x"}, None, "How long the credit lasts is not known."),
        ({}, None, "How long the credit lasts is not known."),
    ],
)
async def test_the_runway_is_reckoned_in_the_currency_of_the_balance(
    told: JsonObject, amount: int | None, said: str
) -> None:
    async with room(bent={"get_credit_balance": balance(**told)}) as asked:
        planned = await asked.plan("create_volume")
        assert planned.balance == amount
        assert said in words(planned)
        assert planned.hourly_after is not None
        assert (planned.runway_hours_after is None) == (amount is None)


async def test_a_balance_in_an_unheard_currency_gives_no_runway() -> None:
    async with room(bent={"get_credit_balance": balance(amount=80, currency="GBP")}) as asked:
        planned = await asked.plan("create_volume")
        assert planned.balance == 80
        assert planned.runway_hours_after is None


async def test_a_euro_account_is_told_in_euros() -> None:
    async with room(key="sim-key-eur", currency="EUR") as asked:
        arguments = {"name": "n", "tier": "legacy", "region": "US-1", "volume_type": "SSD", "size_gb": 1000}
        planned = await asked.plan_exactly("create_volume", arguments)
        assert "0.10 EUR an hour (73.00 EUR a month)" in planned.plan.summary
        assert "The balance is 100.00 EUR" in words(planned)


async def test_free_things_let_the_credit_last_for_ever() -> None:
    def nothing(root: str) -> Bend:
        def bend(answer: JsonObject) -> None:
            answer |= {root: [], "total": 0}

        return bend

    def free(answer: JsonObject) -> None:
        answer["pricing_data"]["volumes"]["pricing"]["legacy"]["SSD"]["prices"]["USD"] = 0

    roots = ("instances", "volumes", "snapshots")
    async with room(bent={"get_pricing": free} | {f"list_{root}": nothing(root) for root in roots}) as asked:
        planned = await asked.plan("create_volume")
        assert planned.hourly_after == 0
        assert planned.runway_hours_after is not None
        assert not planned.runway_hours_after.is_finite()
        assert "The balance is 250.00 USD." in planned.plan.bill


@pytest.mark.promise("G14")
async def test_while_the_price_of_something_is_not_known_no_sum_is_said_to_keep_a_limit() -> None:
    def unpriced(answer: JsonObject) -> None:
        for row in answer["instances"]:
            row |= {"gpu_model": "RTX-0000", "gpu_type": "RTX-0000"}

    for bent in ({}, {"list_instances": unpriced}):
        async with room(bent=bent) as asked:
            planned = await asked.plan("create_volume")
            known = [planned.hourly_after is not None, planned.runway_hours_after is not None]
            assert known == [not bent, not bent]
