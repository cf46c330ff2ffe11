"""What people ask an assistant for, done by a script that counts its calls: each answer holds what comes next."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any

import pytest
from mcp.types import TextContent

from barrack_mcp.catalogue import BY_TOOL, JsonObject, Risk
from tests.support.house import House, Person, house, says_yes

pytestmark = pytest.mark.anyio


class Assistant:
    """Calls tools as a model does, and counts."""

    def __init__(self, made: House) -> None:
        self._made = made
        self.calls: list[str] = []

    async def __call__(self, tool: str, **arguments: Any) -> JsonObject:
        self.calls.append(tool)
        result = await self._made.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        self.text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        return dict(result.structured_content or {})


@dataclass(frozen=True)
class Errand:
    """What somebody wants, by the names that they know; its calls are all that it takes.

    Attributes:
        wish: In their words.
        calls: Each tool with its arguments.
        effects: What then took place.
        told: Words of the last answer: what the reply to the wish is made of.
    """

    wish: str
    calls: tuple[tuple[str, JsonObject], ...]
    effects: tuple[str, ...]
    told: tuple[str, ...]


def errand(wish: str, tool: str, *told: str, done: bool = True, **arguments: Any) -> Errand:
    """One that takes a single call, which changes something unless it is `done` no more than read."""
    return Errand(wish, ((tool, arguments),), (tool,) if done else (), told)


ERRANDS = [
    errand("How long will my money last?", "get_spending_overview", "it lasts 50 hours", "17 Jan 2026", done=False),
    errand("What do I pay per month?", "get_spending_overview", "3,657.30 USD a month", done=False),
    errand("What do I pay for that nobody uses?", "get_spending_overview", "notebook-1", "cold-store", done=False),
    errand("What does a pair of A6000s cost?", "quote_price", "1.38 USD an hour", gpu_model="RTX-A6000", gpu_count=2,
           tier="legacy", done=False),
    errand("Which volume was that with data in its name?", "list_volumes", "datasets,500", name="data", done=False),
    errand("What is attached to nothing?", "list_volumes", "checkpoints,200,SSD,legacy,CANADA-1,available", done=False),
    errand("Is the notebook on?", "get_instance", "SHUTOFF", "full rate", instance_id="notebook-1", done=False),
    errand("Stop train-1.", "stop_instance", "Stopping saves nothing", "A person approved it", instance_id="train-1"),
    errand("Start the notebook.", "start_instance", "until it is ACTIVE", instance_id="notebook-1"),
    errand("Reboot infer-1.", "reboot_instance", "A person approved it", instance_id="infer-1"),
    errand("Put train-2 to sleep.", "hibernate_instance", "0.01 USD an hour instead of 0.69", "Kept:",
           instance_id="train-2"),
    errand("Wake archive-1.", "restore_instance", "USD an hour", "Next:", instance_id="archive-1"),
    errand("Delete the notebook for good.", "delete_instance", "A person approved it", instance_id="notebook-1"),
    errand("Delete the cold store.", "delete_volume", "A person approved it", volume_id="cold-store"),
    errand("Make the cold store 1,200 GB.", "resize_volume", "USD an hour", volume_id="cold-store", size_gb=1200),
    errand("Keep train-2's disk.", "create_snapshot", "0.10 USD an hour", "Next:", instance_id="train-2", name="keep"),
    errand("Make an image of the snapshot before the upgrade.", "create_custom_image", "Next:",
           snapshot_id="train-2-before-upgrade", name="upgrade"),
    errand("Let my office reach HTTPS on train-1.", "add_instance_security_rule", "10 minutes", instance_id="train-1",
           remote_ip_prefix="203.0.113.0/24", direction="ingress", ethertype="IPv4", protocol="tcp",
           port_range_min=443, port_range_max=443),
    errand("Take the office rules off train-2.", "attach_firewall", "train-2", "train-1", firewall_id="office",
           remove=["train-2"]),
    errand("See that train-1 has a public IP.", "toggle_instance_public_ip", "already", instance_id="train-1",
           want="on", done=False),
    errand("Let train-2 have the checkpoints.", "attach_volumes", "mount it inside", instance_id="train-2",
           volume_ids=["checkpoints"]),
    errand("Forget the key of the CI.", "delete_ssh_key", "A person approved it", key_id="ci"),
    Errand(
        "Take the models off infer-1 and delete them.",
        (
            ("detach_volumes", {"instance_id": "infer-1", "volume_ids": ["models"]}),
            ("delete_volume", {"volume_id": "models"}),
        ),
        ("detach_volumes", "delete_volume"),
        ("A person approved it",),
    ),
    Errand(
        "Start the notebook, and give it the office rules, too.",
        (
            ("start_instance", {"instance_id": "notebook-1"}),
            ("attach_firewall", {"firewall_id": "office", "add": ["notebook-1"]}),
        ),
        ("start_instance", "attach_firewall"),
        ("notebook-1", "train-2"),
    ),
]  # fmt: skip


@pytest.mark.promise("A4")
@pytest.mark.parametrize("errand", ERRANDS, ids=lambda errand: errand.wish)
async def test_an_errand_takes_its_calls_and_no_more_and_the_last_answer_holds_the_reply(errand: Errand) -> None:
    async with house(person=Person(says_yes)) as made:
        ask = Assistant(made)
        for tool, arguments in errand.calls:
            await ask(tool, **arguments)
            made.barrack.clock.advance(600)
        assert [word for word in errand.told if word not in ask.text] == []
        assert ask.calls == [tool for tool, _ in errand.calls]
        assert tuple(made.effects) == errand.effects


def test_errands_are_of_every_kind_that_changes_or_costs_and_most_take_one_call() -> None:
    risks = {BY_TOOL[tool].risk for each in ERRANDS for tool in each.effects}
    assert risks == {*Risk} - {Risk.READ}
    assert [each.wish for each in ERRANDS if len(each.calls) > 1] == [
        "Take the models off infer-1 and delete them.",
        "Start the notebook, and give it the office rules, too.",
    ]


@pytest.mark.promise("A4")
async def test_the_cheapest_machine_with_eight_gpus_of_80_gb_takes_one_call() -> None:
    async with house() as made:
        ask = Assistant(made)
        stocks = (await ask("list_gpu_stock", gpu_count=8, min_vram_gb=80))["stocks"]
        cheapest = stocks[0]
        assert (cheapest["gpu_model"], cheapest["hourly_rate"]) == ("A100-PCIe-80GB", 12.4)
        assert int(cheapest["instances_available"]) > 0
        assert all(row["max_gpu_count"] >= 8 and row["vram_gb"] >= 80 for row in stocks)
        assert [row["hourly_rate"] for row in stocks] == sorted(row["hourly_rate"] for row in stocks)
        assert len(ask.calls) == 1


async def test_what_is_sold_out_comes_last_and_what_does_not_exist_is_told_apart() -> None:
    async with house() as made:
        ask = Assistant(made)
        there = (await ask("list_gpu_stock", gpu_model="RTX-A6000", gpu_count=8))["notes"]
        most = "the most there is: 4 GPUs in one instance, 48 GB of VRAM a GPU."
        assert there == [f"No model here offers instances with 8 GPUs; {most}"]
        world = made.barrack.world("sim-key")
        world.stock_factor = 0
        stocks = (await ask("list_gpu_stock", gpu_model="RTX-A6000"))["stocks"]
        assert {row["available"] for row in stocks} == {"0"}
        assert {row["max_gpu_count"] for row in stocks} == {4}


@pytest.mark.promise("A4")
async def test_who_can_reach_what_takes_one_call() -> None:
    async with house() as made:
        ask = Assistant(made)
        answer = await ask("list_instances", detail="full")
        (machine,) = [row for row in answer["instances"] if row["vm_name"] == "train-1"]
        (firewall,) = machine["firewalls"]
        assert firewall["name"] == "office"
        assert firewall["rules"][0]["remote_ip_prefix"]
        assert machine["security_rules"][0]["port_range_min"] == 22
        assert any("What no rule lets in is closed" in note for note in answer["notes"])
        assert len(ask.calls) == 1
        one = await ask("get_instance", instance_id="train-1")
        assert one["instance"]["firewalls"] == machine["firewalls"]


@pytest.mark.promise("A4")
async def test_what_all_machines_cost_takes_one_call() -> None:
    async with house() as made:
        ask = Assistant(made)
        answer = await ask("list_instances")
        assert answer["sum"]["hourly"] == pytest.approx(sum(row["hourly_rate"] for row in answer["instances"]))
        assert "5 instances together, as they stand: 4.57 USD an hour, 3,336.10 USD a month." in ask.text
        assert len(ask.calls) == 1


@pytest.mark.promise("A4")
async def test_moving_a_volume_takes_two_calls() -> None:
    async with house(person=Person(says_yes)) as made:
        ask = Assistant(made)
        taken = await ask("detach_volumes", instance_id="train-1", volume_ids=["datasets"])
        assert "until all are available" in taken["message"]
        made.barrack.clock.advance(60)
        given = await ask("attach_volumes", instance_id="train-2", volume_ids=["datasets"])
        assert "Then mount it inside" in given["message"]
        assert ask.calls == made.effects == ["detach_volumes", "attach_volumes"]


@pytest.mark.promise("A4")
async def test_a_machine_like_that_one_takes_one_call_and_its_question_is_the_quote() -> None:
    person = Person(says_yes)
    async with house(person=person) as made:
        ask = Assistant(made)
        bought = await ask("deploy_instance", name="train-9", like="train-1")
        assert bought["outcome"] == "done"
        assert ask.calls == made.effects == ["deploy_instance"]
        (question,) = person.questions
        assert "0.69 USD an hour" in question
        machines = {row["vm_name"]: row for row in made.state["instances"]}
        alike = ("gpu_type", "gpu_count", "region", "tier")
        assert [machines["train-9"].get(name) for name in alike] == [machines["train-1"].get(name) for name in alike]


async def test_a_quote_holds_what_was_asked_and_nothing_else() -> None:
    async with house() as made:
        ask = Assistant(made)
        quote = await ask("quote_price", gpu_model="RTX-A6000", tier="legacy", currency="EUR")
        assert quote["pricing_data"]["gpus"]["pricing"] == {
            "legacy": {"RTX-A6000": {"prices": {"EUR": 0.75}, "max_count": 4, "unit": "per GPU per hour"}}
        }
        assert list(quote["pricing_data"]) == ["gpus"]
        assert len(ask.text) < 1_200
        storage = (await ask("get_pricing", resource_type="volumes", volume_type="NVMe"))["pricing_data"]
        assert {kind: list(part["pricing"]) for kind, part in storage.items()} == {"volumes": ["advanced"]}
        everything = (await ask("get_pricing"))["pricing_data"]
        assert {"gpus", "volumes", "snapshots", "metadata"} <= everything.keys()


async def test_a_thing_is_found_by_a_part_of_its_name_on_whichever_page_it_stands() -> None:
    async with house() as made:
        ask = Assistant(made)
        made.barrack.reset("large")
        names = sorted(row["vm_name"] for row in made.state["instances"])
        wanted = names[1_234]
        found = await ask("list_instances", name=wanted.upper())
        assert wanted in {row["vm_name"] for row in found["instances"]}
        assert found["total"] == sum(wanted in name for name in names)
        glob = await ask("list_instances", name=f"{wanted[:-1]}?", limit=3)
        assert all(row["vm_name"].startswith(wanted[:-1]) for row in glob["instances"])
        assert glob["total"] >= len(glob["instances"]) > 0
        made.barrack.reset("small")
        made.barrack.world("sim-key").instances[
            made.thing("instances", vm_name="train-1")["instance_id"]
        ].name = "\uff54r\u0430in\u200b-1"
        seen = await ask("list_instances", name="train-*")
        assert len(seen["instances"]) == sum(row["vm_name"].startswith("train-") for row in made.state["instances"]) + 1
        nothing = await ask("list_volumes", name="no-such")
        assert nothing["volumes"] == []
        assert "No row has this name; there are: " in " ".join(nothing["notes"])


async def test_an_image_is_found_by_name_and_the_others_page_by_page() -> None:
    async with house() as made:
        ask = Assistant(made)
        comfy = await ask("list_os_images", name="comfy", region="CANADA-1")
        assert comfy["images"][0]["gpu_models"] == ["L40", "RTX-A6000"]
        seen = []
        for page in (1, 2, 3):
            seen += (await ask("list_os_images", page=page, limit=20))["images"]
        assert len({row["id"] for row in seen}) == len(seen) > 40


@pytest.mark.parametrize(
    "tool", ["list_instances", "list_volumes", "list_snapshots", "list_firewalls", "list_gpu_stock", "list_os_images"]
)
async def test_no_cell_of_a_table_holds_json(tool: str) -> None:
    async with house() as made:
        ask = Assistant(made)
        await ask(tool)
        lines = ask.text.splitlines()
        start = next(at for at, line in enumerate(lines) if line.count(",") > 2 and " " not in line)
        # where the page stands in its list is told below the table
        rows = list(csv.reader(line for line in lines[start:] if not line.startswith("{")))
        table = [row for row in rows if len(row) == len(rows[0])]
        assert len(table) > 1
        assert not any(mark in cell for row in table for cell in row for mark in ("{", "[{", '":'))
