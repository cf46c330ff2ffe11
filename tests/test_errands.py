"""What people ask an assistant for, done by a script that counts its calls: each answer holds what comes next."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from mcp.types import TextContent

from barrack_mcp.catalogue import JsonObject
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
async def test_a_machine_like_that_one_takes_one_read_and_a_quote() -> None:
    async with house() as made:
        ask = Assistant(made)
        like = (await ask("get_instance", instance_id="train-1"))["instance"]
        quote = await ask("quote_price", tier=like["tier"], gpu_model=like["gpu_type"], gpu_count=like["gpu_count"])
        assert "0.69 USD an hour, 16.56 USD a day" in quote["billing"]
        wanted = {
            "name": "train-9",
            "boot_source": like["image"]["boot_source"],
            "os_image": like["image"]["name"],
            "ssh_key_ids": [key["id"] for key in like["ssh_keys"]],
            "security_rules": [
                {name: value for name, value in rule.items() if name != "id"} for rule in like["security_rules"]
            ],
            **{name: like[name] for name in ("region", "tier", "gpu_count")},
            "gpu_model": like["gpu_type"],
            "public_ip": True,
        }
        waiting = await ask("deploy_instance", **wanted)
        assert waiting["outcome"] == "approval_required"
        assert ask.calls == ["get_instance", "quote_price", "deploy_instance"]


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
