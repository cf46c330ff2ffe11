"""Callers say what shall be: who gets or loses a firewall, a public IP on or off; what is so already is left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from barrack_mcp.guard.asking.asker import Asked, Asker
from tests.support.guarding import an_asker
from tests.support.house import House, Person, house, says_yes

pytestmark = pytest.mark.anyio

FREE = ["interrupt"]


@pytest.mark.promise("A5")
@pytest.mark.parametrize(
    ("given", "parts", "sentence"),
    [
        ({"add": ["infer-2"]}, ({"infer-2"}, {"train-1", "train-2"}, set()), "Gained: "),
        ({"remove": ["train-2"]}, (set(), {"train-1"}, {"train-2"}), "Kept: "),
        ({"add": ["infer-2"], "remove": ["train-1"]}, ({"infer-2"}, {"train-2"}, {"train-1"}), "; lost: "),
        ({"instance_ids": ["train-1"]}, (set(), {"train-1"}, {"train-2"}), "Kept: "),
        ({"instance_ids": []}, (set(), set(), {"train-1", "train-2"}), "Lost: "),
    ],
)
async def test_a_firewall_is_given_and_taken_by_name_and_the_answer_says_who_gained_kept_and_lost_it(
    given: dict[str, list[str]], parts: tuple[set[str], set[str], set[str]], sentence: str
) -> None:
    async with house(unattended=FREE) as made:
        names = {row["instance_id"]: row["vm_name"] for row in made.state["instances"]}
        extra = next(row for row in made.state["instances"] if row["vm_name"] not in ("train-1", "train-2"))
        world = made.barrack.world("sim-key").instances[extra["instance_id"]]
        world.name, world.region, world.status = "infer-2", "CANADA-1", "ACTIVE"
        names[world.id] = "infer-2"
        outcome = await made.call("attach_firewall", firewall_id="office", **given)
        assert outcome["outcome"] == "done", outcome
        told = [{names[each] for each in outcome["result"][part]} for part in ("gained", "kept", "lost")]
        assert told == list(parts)
        assert sentence in outcome["message"]
        assert "(brk-" not in outcome["message"]
        assert outcome["message"].count("(BRK-") == sum(map(len, parts))
        office = made.thing("firewalls", name="office")
        having = {row["vm"]["vm_name"] for row in office["attachments"]}
        assert having == parts[0] | parts[1]


@pytest.mark.parametrize(
    "given",
    [{}, {"add": ["train-1"], "instance_ids": []}, {"add": []}, {"add": ["train-1"], "remove": ["train-1"]}],
)
async def test_what_is_no_wish_or_two_at_once_is_refused(given: dict[str, list[str]]) -> None:
    async with house(unattended=FREE) as made:
        outcome = await made.call("attach_firewall", firewall_id="office", **given)
        assert outcome["outcome"] == "refused"
        assert made.effects == []


async def test_where_nobody_knows_who_has_a_firewall_no_list_is_made_up() -> None:
    async with house(unattended=FREE) as made:
        office = made.thing("firewalls", name="office")
        body = {"success": True, "firewall": {"id": office["id"], "name": "office", "region": "CANADA-1"}}
        made.play(
            {
                "method": "GET",
                "path": f"/firewalls/{office['id']}/",
                "action": "status",
                "status": 200,
                "body": body,
                "times": 9,
            }
        )
        outcome = await made.call("attach_firewall", firewall_id=office["id"], remove=["train-1"])
        assert outcome["outcome"] == "refused"
        assert made.effects == []


@pytest.mark.promise("A5")
@pytest.mark.parametrize("want", ["on", "off"])
@pytest.mark.parametrize("state", ["ATTACHED", "DETACHED"])
async def test_a_public_ip_is_as_it_is_wanted_and_flipped_only_if_it_is_not(want: str, state: str) -> None:
    async with house(person=Person(says_yes)) as made:
        machine = made.barrack.world("sim-key").instances[made.thing("instances", vm_name="train-1")["instance_id"]]
        has = state == "ATTACHED"
        if not has:
            machine.public_ip, machine.wants_ip = None, False
        outcome = await made.call("toggle_instance_public_ip", instance_id="train-1", want=want)
        assert outcome["outcome"] == "done", outcome
        assert (machine.public_ip is not None) == (want == "on")
        flips = has != (want == "on")
        assert made.effects == (["toggle_instance_public_ip"] if flips else [])
        assert ("already. Nothing was sent." in outcome["message"]) == (not flips)


async def test_a_public_ip_on_its_way_is_left_alone() -> None:
    async with house(person=Person(says_yes)) as made:
        machine = made.thing("instances", vm_name="train-1")
        body = {"success": True, "instance": machine | {"ip_status": "ATTACHING"}}
        path = f"/instances/{machine['instance_id']}/"
        made.play({"method": "GET", "path": path, "action": "status", "status": 200, "body": body, "times": 9})
        outcome = await made.call("toggle_instance_public_ip", instance_id=machine["instance_id"], want="off")
        assert (outcome["outcome"], made.effects) == ("refused", [])
        assert "want: the public IP is ATTACHING now" in outcome["message"]


async def agreed(made: House, tool: str, **given: Any) -> None:
    """Have a call asked about out of band, and agreed to."""
    outcome = await made.call(tool, **given)
    approval = await made.approvals.find(outcome["approval"]["id"])
    await made.approvals.approve(approval.id, by="a test", typed=approval.must_type)


@pytest.mark.promise("G7")
async def test_who_has_the_firewall_by_the_time_of_the_yes_is_asked_about_anew() -> None:
    async with house() as made:
        given = {"firewall_id": "office", "remove": ["train-2"]}
        await agreed(made, "attach_firewall", **given)
        office = made.barrack.world("sim-key").firewalls[made.thing("firewalls", name="office")["id"]]
        del office.attachments[made.thing("instances", vm_name="train-1")["instance_id"]]
        outcome = await made.call("attach_firewall", **given)
        assert outcome["outcome"] == "refused"
        assert "changed" in outcome["message"]
        assert made.effects == []
        # and then the wish means what it means by now
        assert (await made.call("attach_firewall", **given))["plan"]["target"]["name"] == "office"


@pytest.mark.promise("G7")
async def test_a_public_ip_that_came_by_itself_meanwhile_is_not_flipped_off_again() -> None:
    async with house() as made:
        at = made.thing("instances", vm_name="train-1")["instance_id"]
        machine = made.barrack.world("sim-key").instances[at]
        address, machine.public_ip, machine.wants_ip = machine.public_ip, None, False
        await agreed(made, "toggle_instance_public_ip", instance_id=at, want="on")
        machine.public_ip, machine.wants_ip = address, True
        outcome = await made.call("toggle_instance_public_ip", instance_id=at, want="on")
        assert outcome["outcome"] == "refused"
        assert made.effects == []
        assert (await made.call("toggle_instance_public_ip", instance_id=at, want="on"))["outcome"] == "done"
        assert made.effects == []


@pytest.mark.promise("G5")
async def test_a_yes_for_one_wish_is_no_yes_for_another() -> None:
    async with house() as made:
        await agreed(made, "attach_firewall", firewall_id="office", remove=["train-2"])
        outcome = await made.call("attach_firewall", firewall_id="office", remove=["train-1"])
        assert outcome["outcome"] == "approval_required"
        assert made.effects == []


@pytest.mark.promise("G5")
async def test_the_answer_to_one_wish_brought_with_another_is_no_yes_for_either() -> None:
    async with house() as made:
        office = made.thing("firewalls", name="office")["id"]
        first, second = (made.thing("instances", vm_name=name)["instance_id"] for name in ("train-1", "train-2"))
        caller = made.dispatcher.caller

        async def call(remove: str, asker: Asker) -> Any:
            given = {"firewall_id": office, "remove": [remove]}
            return await made.dispatcher.call("attach_firewall", given, replace(caller, asker=asker))

        asked = await call(first, an_asker())
        assert isinstance(asked, Asked)
        answer = await call(second, an_asker(asked, says_yes("Approve?")))
        assert answer.structured["outcome"] == "refused"
        assert made.effects == []
