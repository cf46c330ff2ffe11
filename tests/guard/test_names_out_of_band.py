"""A name means what it means when a person is asked; an answer given, it means what it means by then."""

from __future__ import annotations

import pytest

from barrack_mcp.simulator.world import Volume
from tests.support.house import house

pytestmark = pytest.mark.anyio


async def test_after_a_no_the_same_words_are_for_what_bears_the_name_by_then() -> None:
    async with house(era="auto", person=None) as h:
        one, other = [each for each in h.barrack.worlds["sim-key"].instances.values() if each.status == "ACTIVE"][:2]
        name = one.name
        asked = await h.call("stop_instance", instance_id=name)
        assert asked["plan"]["target"]["id"] == one.id
        await h.approvals.deny(asked["approval"]["id"], by="a person")
        assert (await h.call("stop_instance", instance_id=name))["outcome"] == "refused"
        one.name, other.name = "precious", name
        again = await h.call("stop_instance", instance_id=name)
        assert again["plan"]["target"]["id"] == other.id
        assert h.effects == []


async def test_what_bears_the_name_of_something_deleted_can_be_deleted_in_its_turn() -> None:
    async with house(era="auto", person=None) as h:
        world = h.barrack.worlds["sim-key"]
        volume = next(each for each in world.volumes.values() if not each.instance_id)
        asked = await h.call("delete_volume", volume_id=volume.name)
        await h.approvals.approve(asked["approval"]["id"], by="a person", typed=volume.name)
        assert (await h.call("delete_volume", volume_id=volume.name))["outcome"] == "done"
        following = Volume(
            name=volume.name,
            tier=volume.tier,
            region=volume.region,
            volume_type=volume.volume_type,
            size_gb=100,
            status="available",
        )
        world.put(world.volumes, following)
        again = await h.call("delete_volume", volume_id=volume.name)
        assert again["outcome"] == "approval_required"
        assert again["plan"]["target"]["id"] == following.id


async def test_who_was_to_gain_or_lose_a_firewall_is_held_to_the_name_that_was_shown() -> None:
    async with house(era="auto", person=None) as h:
        world = h.barrack.worlds["sim-key"]
        one, other = [each for each in world.instances.values() if each.status == "ACTIVE"][:2]
        name, firewall = one.name, next(iter(world.firewalls.values())).name
        asked = await h.call("attach_firewall", firewall_id=firewall, instance_ids=[name])
        await h.approvals.approve(asked["approval"]["id"], by="a person")
        one.name, other.name = "precious", name
        assert (await h.call("attach_firewall", firewall_id=firewall, instance_ids=[name]))["outcome"] == "refused"
        assert h.effects == []
