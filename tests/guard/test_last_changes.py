"""Where a call uses or overwrites a script, a key, an image or a volume, its question says who changed it last."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.types import ElicitResult

from barrack_mcp.account.deeds import changed
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject
from barrack_mcp.state.store import End, SqliteStore, StoreError
from tests.support.house import ERAS, House, Person, house, says_yes

pytestmark = pytest.mark.anyio

OURS = "changed through us less than a minute ago by local:0"


async def make_all(made: House) -> JsonObject:
    """A key, a script, and a volume or an image to boot from, all made through us; the deployment that uses them."""
    key = await made.call("create_ssh_key", name="mine", public_key=made.good("create_ssh_key")["public_key"])
    script = await made.call("create_startup_script", name="init", script="#!/bin/sh\n")
    return made.good("deploy_instance") | {
        "ssh_key_ids": [key["result"]["ssh_key"]["id"]],
        "startup_script_id": script["result"]["script"]["id"],
    }


@pytest.mark.promise("G16")
@pytest.mark.parametrize("era", ERAS)
async def test_a_deployment_says_who_last_changed_the_key_and_the_script_that_it_uses(era: str) -> None:
    person = Person(says_yes)
    async with house(era=era, person=person) as made:
        wanted = await make_all(made)
        made.clock.at += 3 * 3600
        await made.call("update_startup_script", script_id=wanted["startup_script_id"], name="boot")
        assert (await made.call("deploy_instance", **wanted))["outcome"] == "done"
        asked = person.questions[-1]
        assert "changed through us 3 hours ago by local:0" in asked
        assert OURS in asked
        assert asked.index("3 hours ago") < asked.index(OURS)


@pytest.mark.promise("G16")
async def test_a_deployment_out_of_band_names_the_last_change_of_the_volume_and_the_image_that_it_boots() -> None:
    async with house(unattended=["spend"]) as made:
        image = await made.call("create_custom_image", **made.good("create_custom_image"))
        volume = await made.call("create_volume", **made.good("create_volume"))
        assert (image["outcome"], volume["outcome"]) == ("done", "done")
        used = {
            ("custom_image", "image_id"): image["result"]["image"]["image_id"],
            ("volume", "volume_id"): volume["result"]["volume"]["volume_id"],
        }
        store, clock = made.store, made.clock
        async with house(app=made.app, store=store, clock=clock) as other:
            for (source, name), at in used.items():
                wanted = {key: value for key, value in other.good("deploy_instance").items() if key != "os_image"}
                asked = await other.call("deploy_instance", **wanted | {"boot_source": source, name: at})
                (told,) = [each for each in asked["plan"]["runs"] if at in each]
                assert OURS in told


@pytest.mark.promise("G16")
async def test_a_text_is_overwritten_only_after_a_question_that_says_who_wrote_it() -> None:
    person = Person(lambda _: ElicitResult(action="decline"))
    async with house(person=person) as made:
        script = (await make_all(made))["startup_script_id"]
        await made.call("update_startup_script", script_id=script, script="#!/bin/sh\nother\n")
        assert OURS in person.questions[-1]
        theirs = next(each["id"] for each in made.state["scripts"] if each["id"] != script)
        await made.call("update_startup_script", script_id=theirs, script="#!/bin/sh\nother\n")
        assert "through us" not in person.questions[-1]


MADE_AND_DELETED = {
    "instance": ("deploy_instance", "data", "instance_id"),
    "snapshot": ("create_snapshot", "data", "snapshot_id"),
    "volume": ("create_volume", "volume", "volume_id"),
    "custom_image": ("create_custom_image", "image", "image_id"),
    "ssh_key": ("create_ssh_key", "ssh_key", "id"),
    "startup_script": ("create_startup_script", "script", "id"),
    "firewall": ("create_firewall", "firewall", "id"),
}
"""By the kind: the tool that makes one, where its answer holds it, and the field of the id."""


@pytest.mark.promise("G16")
@pytest.mark.parametrize("kind", MADE_AND_DELETED)
async def test_who_made_a_thing_is_told_with_the_question_that_deletes_it_and_asks_nothing_more_of_the_api(
    kind: str,
) -> None:
    make, result, field = MADE_AND_DELETED[kind]
    delete = BY_TOOL[f"delete_{kind}"]
    async with house(unattended=["spend"]) as made:
        at = (await made.call(make, **made.good(make)))["result"][result][field]
        made.barrack.clock.advance(3600)
        requests = []
        for ours in (False, True):
            before = len(made.sent)
            url = "https://barrack.example/api" if ours else "https://other.example/api"
            async with house(app=made.app, store=made.store, clock=made.clock, url=url) as asking:
                asked = await asking.call(delete.tool, **{next(iter(delete.arguments.model_fields)): at})
            assert asked["outcome"] == "approval_required", asked
            requests.append(len(made.sent) - before)
            warnings = asked["plan"]["warnings"] or [""]
            assert (OURS in warnings[0]) is ours
        assert requests[0] == requests[1]


@pytest.mark.promise("G16")
@pytest.mark.parametrize("era", ERAS)
async def test_a_question_that_has_room_for_it_says_who_changed_what_it_deletes_or_interrupts(era: str) -> None:
    person = Person(says_yes)
    async with house(era=era, person=person) as made:
        arguments = made.good("reboot_instance")
        assert (await made.call("reboot_instance", **arguments))["outcome"] == "done"
        assert "through us" not in person.questions[-1]
        made.barrack.clock.advance(3600)
        await made.call("hibernate_instance", **arguments)
        assert OURS in person.questions[-1]


async def test_another_account_is_told_nothing_of_it() -> None:
    async with house() as made:
        wanted = await make_all(made)
        async with house(app=made.app, store=made.store, clock=made.clock, url="https://other.example/api") as other:
            asked = await other.call("deploy_instance", **wanted)
            assert asked["outcome"] == "approval_required"
            assert "through us" not in str(asked["plan"])


def test_a_write_changes_what_it_makes_or_names_and_not_what_it_only_uses() -> None:
    told: dict[str, Any] = {
        "create_volume": {"volume": {"volume_id": "V"}},
        "clone_volume": {"volume": {"volume_id": "V"}},
        "create_custom_image": {"image": {"image_id": "I"}},
        "create_ssh_key": {"ssh_key": {"id": "K"}},
        "create_startup_script": {"script": {"id": "S"}},
        "deploy_instance": {"data": {"instance_id": "D"}},
        "create_snapshot": {"data": {"snapshot_id": "N"}},
        "restore_snapshot": {"data": {"instance_id": "D"}},
        "create_firewall": {"firewall": {"id": "F"}},
    }
    values = {"volume_id": "v", "key_id": "k", "ssh_key_ids": ["k"], "script_id": "s", "script_ids": ["s"]}
    values |= {"image_id": "i", "volume_ids": ["v"], "startup_script_id": "s", "snapshot_id": "n", "instance_id": "d"}
    values |= {"firewall_id": "f", "instance_ids": ["d", "e"], "add": ["e"], "remove": []}
    found = {}
    for operation in (each for each in OPERATIONS if not each.reads):
        named = {name: value for name, value in values.items() if name in operation.arguments.model_fields}
        found[operation.tool] = [thing.key for thing in changed(operation, named, told.get(operation.tool, {}))]
    assert {tool: things for tool, things in found.items() if things} == {
        "deploy_instance": [("instance", "D")],
        "create_snapshot": [("snapshot", "N")],
        "restore_snapshot": [("instance", "D")],
        "create_firewall": [("firewall", "F")],
        **{f"{verb}_instance": [("instance", "d")] for verb in ("start", "stop", "reboot", "hibernate")},
        **{f"{verb}_instance": [("instance", "d")] for verb in ("restore", "delete")},
        "toggle_instance_public_ip": [("instance", "d")],
        "add_instance_security_rule": [("instance", "d")],
        "remove_instance_security_rule": [("instance", "d")],
        "delete_snapshot": [("snapshot", "n")],
        "add_firewall_rule": [("firewall", "f")],
        "remove_firewall_rule": [("firewall", "f")],
        # who keeps it is named beside who gains it, and isn't changed
        "attach_firewall": [("firewall", "f"), ("instance", "e")],
        "delete_firewall": [("firewall", "f")],
        "create_volume": [("volume", "V")],
        "clone_volume": [("volume", "V")],
        "resize_volume": [("volume", "v")],
        "delete_volume": [("volume", "v")],
        "attach_volumes": [("volume", "v"), ("instance", "d")],
        "detach_volumes": [("volume", "v"), ("instance", "d")],
        "create_custom_image": [("image", "I")],
        "delete_custom_image": [("image", "i")],
        "create_ssh_key": [("ssh_key", "K")],
        "delete_ssh_key": [("ssh_key", "k")],
        "create_startup_script": [("script", "S")],
        "update_startup_script": [("script", "s")],
        "delete_startup_script": [("script", "s")],
        "bulk_delete_startup_scripts": [("script", "s")],
    }
    assert changed(BY_TOOL["create_volume"], {}, {}) == []


class Full(SqliteStore):
    """A state in which nothing more of this kind can be kept."""

    async def finish(self, _: End) -> bool:
        raise StoreError("full")


async def test_where_the_note_can_not_be_taken_the_write_is_done_all_the_same() -> None:
    async with Full(":memory:") as store, house(store=store) as made:
        told = await made.call("create_startup_script", name="init", script="#!/bin/sh\n")
        assert (told["outcome"], made.effects) == ("done", ["create_startup_script"])
