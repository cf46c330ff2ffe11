"""`like`: a machine is bought as one that is there, shown whole, and what that one doesn't tell is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.catalogue.operations.deploy import FILLED
from barrack_mcp.catalogue.schema import arguments_schema
from tests.support.house import ERAS, House, Person, house, says_yes

pytestmark = pytest.mark.anyio

FREE = ["spend"]
OTHER_IMAGE = "Ubuntu 24.04 LTS CUDA 12.8"


def bought(made: House) -> JsonObject:
    """What the API was asked to make."""
    (effect,) = [each for each in made.barrack.journal if each["operation"] == "deploy_instance"]
    return dict(effect["body"])


@pytest.mark.promise("A4")
@pytest.mark.parametrize("era", ERAS)
async def test_a_machine_like_that_one_takes_one_call_and_the_question_shows_it_whole(era: str) -> None:
    person = Person(says_yes)
    async with house(era=era, person=person) as made:
        outcome = await made.call("deploy_instance", name="train-9", like="train-1")
        assert outcome["outcome"] == "done", outcome
        row = made.thing("instances", vm_name="train-1")
        body = bought(made)
        assert {name: body[name] for name in ("tier", "region", "gpu_count", "gpu_model")} == {
            **{name: row[name] for name in ("tier", "region", "gpu_count")},
            "gpu_model": row["gpu_type"],
        }
        assert body["os_image"] == row["image"]["name"]
        assert body["ssh_key_ids"] == [key["id"] for key in row["ssh_keys"]]
        assert len(body["security_rules"]) == len(row["security_rules"]) > 0
        assert "like" not in body
        (question,) = person.questions
        for fact in (row["gpu_type"], row["tier"], row["region"], row["image"]["name"], "SSH key «", "22"):
            assert fact in question, fact
        assert "Not taken over from instance «train-1»" in outcome["message"]
        assert "attach_firewall with add" in outcome["message"]


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ({"gpu_count": 2}, {"gpu_count": 2}),
        ({"security_rules": []}, {"security_rules": []}),
        ({"public_ip": False}, {"public_ip": False}),
        ({"os_image": OTHER_IMAGE}, {"boot_source": "os_image", "os_image": OTHER_IMAGE}),
    ],
)
async def test_what_the_caller_says_counts_more_than_what_that_machine_has(
    given: JsonObject, there: JsonObject
) -> None:
    async with house(unattended=FREE) as made:
        outcome = await made.call("deploy_instance", name="train-9", like="train-1", **given)
        assert outcome["outcome"] == "done", outcome
        body = bought(made)
        assert {name: body.get(name) for name in there} == there


async def play(made: House, **row: Any) -> None:
    """Have the API show that machine otherwise."""
    at = made.thing("instances", vm_name="train-1")["instance_id"]
    machine = made.thing("instances", vm_name="train-1") | row
    shown = {name: value for name, value in machine.items() if value is not ...}
    made.play(
        {
            "method": "GET", "path": f"/instances/{at}/", "action": "status", "status": 200, "times": 9,
            "body": {"success": True, "instance": shown},
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"region": ...}, "region: instance «train-1»"),
        ({"ssh_keys": ...}, "ssh_key_ids: instance «train-1»"),
        ({"ssh_keys": ["unreadable"]}, "ssh_key_ids: instance «train-1»"),
        ({"security_rules": ...}, "security_rules: instance «train-1»"),
        ({"image": {"name": "Ubuntu", "boot_source": "volume"}}, "boot_source: instance «train-1»"),
        ({"image": {"name": "Ubuntu"}}, "boot_source: instance «train-1»"),
        ({"image": {"name": "no such", "boot_source": "custom_image"}}, "boot_source: instance «train-1»"),
        ({"security_rules": [{"direction": "ingress"}]}, "like: as instance «train-1»"),
        ({"gpu_count": 3}, "like: as instance «train-1»"),
    ],
)
async def test_what_that_machine_does_not_tell_is_asked_for_and_nothing_is_bought(row: Any, words: str) -> None:
    async with house(unattended=FREE) as made:
        await play(made, **row)
        outcome = await made.call("deploy_instance", name="train-9", like="train-1")
        assert outcome["outcome"] == "refused", outcome
        assert words in outcome["message"] or "image_id: instance «train-1»" in outcome["message"]
        assert "Nothing was sent." in outcome["message"]
        assert made.effects == []


async def test_a_machine_of_a_custom_image_is_like_one_by_the_images_name() -> None:
    async with house(unattended=FREE) as made:
        image = made.state["images"][0]
        await play(made, image={"name": image["name"], "boot_source": "custom_image"}, region=image["region"])
        outcome = await made.call("deploy_instance", name="train-9", like="train-1")
        assert outcome["outcome"] == "done", outcome
        assert bought(made)["image_id"] == image["image_id"]


async def test_what_is_needed_is_said_in_one_sentence_where_no_machine_gives_it() -> None:
    async with house(unattended=FREE) as made:
        outcome = await made.call("deploy_instance", name="train-9", region="US-1", tier="legacy")
        assert outcome["message"] == (
            "gpu_model: is required, and so are gpu_count, boot_source, ssh_key_ids; or name with like an instance to "
            "take it from. Nothing was sent."
        )
        assert made.sent == []


async def test_a_machine_that_changes_between_question_and_answer_is_not_bought_unasked() -> None:
    async with house() as made:
        first = await made.call("deploy_instance", name="train-9", like="train-1")
        assert first["outcome"] == "approval_required"
        await made.approvals.approve(first["approval"]["id"], by="local:0")
        at = made.thing("instances", vm_name="train-1")["instance_id"]
        world = made.barrack.world("sim-key").instances[at]
        world.rules = [rule | {"port_range_min": 8000, "port_range_max": 8001} for rule in world.rules]
        second = await made.call("deploy_instance", name="train-9", like="train-1")
        assert second["outcome"] in ("approval_required", "refused")
        assert made.effects == []


def test_the_schema_requires_what_no_machine_can_give() -> None:
    schema = arguments_schema(BY_TOOL["deploy_instance"].arguments)
    assert schema["required"] == ["name"]
    assert set(FILLED) < schema["properties"].keys()
