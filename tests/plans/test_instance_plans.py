"""What a person is told before an instance is stopped, hibernated, deleted, or cut off."""

from __future__ import annotations

import pytest

from barrack_mcp.catalogue import JsonObject
from tests.plans.asking import Room, room, words

pytestmark = pytest.mark.anyio


def train_1(asked: Room) -> str:
    found: str = asked.thing("instances", vm_name="train-1")["instance_id"]
    return found


async def test_stopping_says_that_the_full_bill_goes_on_and_offers_to_hibernate() -> None:
    async with room() as asked:
        planned = await asked.plan("stop_instance")
        assert "Stopping saves nothing: the full rate (0.69 USD an hour) goes on" in words(planned)
        assert planned.plan.cost is not None
        assert planned.plan.cost.hourly_now == planned.plan.cost.hourly_after == 0.69
        assert [safer.tool for safer in planned.plan.safer] == ["hibernate_instance"]


async def test_hibernating_says_what_the_bill_falls_to_and_what_may_be_lost() -> None:
    async with room() as asked:
        planned = await asked.plan("hibernate_instance")
        assert "falls from the full rate (0.69 USD an hour) to the hibernated rate (0.01 USD an hour)" in words(planned)
        assert planned.plan.cost is not None
        assert planned.plan.cost.hourly_after == 0.01
        lost = " ".join(planned.plan.uncertain)
        assert "ephemeral disk" in lost
        assert asked.thing("instances", vm_name="train-1")["public_ip"] in lost


async def test_deleting_says_everything_that_hangs_on_the_instance() -> None:
    async with room() as asked:
        planned = await asked.plan("delete_instance")
        instance = asked.thing("instances", vm_name="train-1")
        target = planned.plan.target
        assert planned.plan.summary == (
            f"Delete instance «train-1» ({instance['instance_id']}, ACTIVE, 1 \N{MULTIPLICATION SIGN} RTX-A6000, "
            "CANADA-1) for good."
        )
        assert planned.must_type == "train-1"
        assert target["age"] == "6 days"
        assert target["public_ip"] == instance["public_ip"]
        assert "«datasets»" in target["volumes"][0]
        assert "«office»" in target["firewalls"][0]
        assert "«train-base»" in target["snapshots"][0]
        assert "«train-base-v1»" in target["images"][0]
        cost = planned.plan.cost
        assert cost is not None
        assert (cost.hourly_now, cost.hourly_after) == (0.69, 0)
        assert cost.spent_so_far is not None
        assert cost.spent_so_far > 100
        assert "datasets" in planned.protected_by
        assert "datasets" in " ".join(planned.plan.kept)
        assert "datasets" in " ".join(planned.plan.uncertain)
        assert "system disk" in " ".join(planned.plan.lost)
        assert [safer.tool for safer in planned.plan.safer] == [
            "hibernate_instance",
            "create_snapshot",
            "detach_volumes",
        ]


async def test_a_boot_volume_is_counted_as_lost_and_not_offered_for_detaching() -> None:
    def boots(answer: JsonObject) -> None:
        answer["instance"]["volume_attachments"][0]["bootable"] = True

    async with room(bent={"get_instance": boots}) as asked:
        planned = await asked.plan("delete_instance")
        assert "it boots from it" in " ".join(planned.plan.lost)
        assert "detach_volumes" not in [safer.tool for safer in planned.plan.safer]


async def test_all_volumes_of_an_instance_are_offered_for_detaching() -> None:
    async with room() as asked:
        datasets, checkpoints = (
            asked.thing("volumes", volume_name=name)["volume_id"] for name in ("datasets", "checkpoints")
        )
        await asked.do("attach_volumes", instance_id=train_1(asked), volume_ids=[checkpoints])
        detach = (await asked.plan("delete_instance")).plan.safer[-1]
        assert (detach.tool, {*detach.arguments["volume_ids"]}) == ("detach_volumes", {datasets, checkpoints})


async def test_a_stopped_instance_is_offered_a_start_before_the_hibernation() -> None:
    async with room() as asked:
        await asked.do("stop_instance", instance_id=train_1(asked))
        asked.barrack.clock.advance(60)
        planned = await asked.plan("delete_instance", instance_id=train_1(asked))
        assert [safer.tool for safer in planned.plan.safer] == ["start_instance", "detach_volumes"]
        stopping = await asked.plan("stop_instance", instance_id=train_1(asked))
        assert "to stop it wants ACTIVE" in str(stopping.refusal)
        assert [safer.tool for safer in stopping.plan.safer] == ["start_instance"]


async def test_a_hibernated_instance_is_offered_nothing_that_its_state_forbids() -> None:
    async with room() as asked:
        asleep = asked.thing("instances", status="HIBERNATED")["instance_id"]
        planned = await asked.plan("delete_instance", instance_id=asleep)
        assert planned.plan.safer == []
        assert planned.plan.cost is not None
        assert planned.plan.cost.hourly_now == 0.01


@pytest.mark.parametrize("volumes", [None, "missing"])
async def test_volumes_that_the_api_does_not_show_are_said_to_be_unknown(volumes: str | None) -> None:
    def hide(answer: JsonObject) -> None:
        answer["instance"]["volume_attachments"] = None
        if volumes:
            del answer["instance"]["volume_attachments"]

    async with room(bent={"get_instance": hide}) as asked:
        assert "attached to it: Barrack did not say which" in words(await asked.plan("delete_instance"))


async def test_a_volume_attached_meanwhile_is_another_question() -> None:
    async with room() as asked:
        before = await asked.plan("delete_instance")
        free = asked.thing("volumes", volume_name="checkpoints")["volume_id"]
        await asked.do("attach_volumes", instance_id=train_1(asked), volume_ids=[free])
        assert (await asked.plan("delete_instance")).fingerprint != before.fingerprint


async def test_a_rule_that_came_meanwhile_is_another_question() -> None:
    async with room() as asked:
        at = train_1(asked)
        before = await asked.plan("reboot_instance", instance_id=at)
        rule = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "192.0.2.7/32"}
        await asked.do("add_instance_security_rule", instance_id=at, **rule, port_range_min=8888, port_range_max=8888)
        assert (await asked.plan("reboot_instance", instance_id=at)).fingerprint != before.fingerprint


async def test_a_changed_state_is_another_question() -> None:
    async with room() as asked:
        before = await asked.plan("stop_instance")
        await asked.do("reboot_instance", instance_id=train_1(asked))
        assert (await asked.plan("stop_instance", instance_id=train_1(asked))).fingerprint != before.fingerprint


async def test_toggling_says_which_way() -> None:
    async with room() as asked:
        address = asked.thing("instances", vm_name="train-1")["public_ip"]
        taking = await asked.plan("toggle_instance_public_ip")
        assert taking.plan.summary.startswith(f"Take the public IP {address} away")
        await asked.do("toggle_instance_public_ip", instance_id=train_1(asked))
        giving = await asked.plan("toggle_instance_public_ip")
        assert giving.plan.summary.startswith("Give instance «train-1»")
        assert giving.fingerprint != taking.fingerprint


async def test_a_public_ip_on_its_way_is_not_guessed_at() -> None:
    def attaching(answer: JsonObject) -> None:
        answer["instance"] |= {"public_ip": None, "ip_status": "ATTACHING"}

    async with room(bent={"get_instance": attaching}) as asked:
        assert "may give it or take it away" in words(await asked.plan("toggle_instance_public_ip"))


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("train-1", "train-1"),
        ("x" * 50, "x" * 50),
        ("x" * 51, None),
        ("a\u202eb", None),
        ("a\nb", None),
        (" a", None),
        ("a  b", None),
        ("", None),
        (None, None),
    ],
)
async def test_a_name_that_cannot_be_typed_as_shown_is_replaced_by_the_id(name: str | None, typed: str | None) -> None:
    def rename(answer: JsonObject) -> None:
        answer["instance"]["vm_name"] = name

    async with room(bent={"get_instance": rename}) as asked:
        assert (await asked.plan("delete_instance")).must_type == (typed or train_1(asked))


async def test_what_was_spent_counts_this_instance_and_this_currency_alone() -> None:
    def foreign(answer: JsonObject) -> None:
        for row in answer["records"]:
            row["currency"] = "EUR"

    def all_rows(answer: JsonObject) -> None:
        answer["records"].append({**answer["records"][0], "instance_id": "BRK-000001D", "total_cost": 10**6})

    async with room(bent={"get_instance_billing": all_rows}) as asked:
        cost = (await asked.plan("delete_instance")).plan.cost
        assert cost is not None
        assert 100 < (cost.spent_so_far or 0) < 1000
        asked.bent = {"get_instance_billing": foreign}
        cost = (await asked.plan("delete_instance")).plan.cost
        assert cost is not None
        assert cost.spent_so_far is None


@pytest.mark.parametrize(
    ("created", "age"),
    [
        ("2026-01-15T09:59:30Z", "less than a minute"),
        ("2026-01-15T09:58:00", "2 minutes"),
        ("2026-01-15T08:30:00+00:00", "1 hour"),
        ("2026-01-16T10:00:00Z", None),
        ("yesterday", None),
        (None, None),
    ],
)
async def test_an_age_is_told_with_and_without_a_zone_and_never_guessed(created: str | None, age: str | None) -> None:
    def born(answer: JsonObject) -> None:
        answer["instance"]["created_at"] = created

    async with room(bent={"get_instance": born}) as asked:
        assert (await asked.plan("stop_instance")).plan.target.get("age") == age
