"""Machines on their way from state to state."""

from __future__ import annotations

import pytest

from tests.simulator.box import SSH, Box

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("verb", "name", "via", "seconds", "to"),
    [
        ("start", "notebook-1", "STARTING", 30, "ACTIVE"),
        ("stop", "train-1", "STOPPING", 30, "SHUTOFF"),
        ("reboot", "train-1", "REBOOTING", 30, "ACTIVE"),
        ("hibernate", "train-1", "HIBERNATING", 60, "HIBERNATED"),
        ("restore", "archive-1", "RESTORING", 120, "ACTIVE"),
    ],
)
async def test_a_move_takes_its_time(verb: str, name: str, via: str, seconds: int, to: str) -> None:
    box = Box()
    instance_id = box.instance(name)
    answer = await box.post(f"/instances/{instance_id}/{verb}/")
    assert {answer["status"], await box.status(instance_id)} == {via}
    assert set(answer) == {"success", "message", "instance_id", "status", "tier", "request_id"}
    box.wait(seconds - 1)
    assert await box.status(instance_id) == via
    box.wait(1)
    assert await box.status(instance_id) == to


@pytest.mark.parametrize(
    ("verb", "name", "state"),
    [
        ("start", "train-1", "ACTIVE"),
        ("stop", "notebook-1", "SHUTOFF"),
        ("reboot", "archive-1", "HIBERNATED"),
        ("hibernate", "notebook-1", "SHUTOFF"),
        ("restore", "train-1", "ACTIVE"),
        ("toggle-public-ip", "archive-1", "HIBERNATED"),
    ],
)
async def test_a_move_from_the_wrong_state_names_the_state(verb: str, name: str, state: str) -> None:
    box = Box()
    answer = await box.post(f"/instances/{box.instance(name)}/{verb}/", status=409)
    assert state in answer["message"]
    assert (answer["code"], answer["current_status"]) == ("INVALID_INSTANCE_STATE", state)
    assert box.effects() == []


async def test_a_machine_on_its_way_can_not_be_deleted() -> None:
    box = Box()
    path = f"/instances/{box.instance('train-1')}"
    await box.post(f"{path}/stop/")
    assert "STOPPING" in (await box.delete(f"{path}/delete/", 409))["message"]


async def test_operations_list_what_the_state_allows() -> None:
    box = Box()
    train = (await box.get(f"/instances/{box.instance('train-1')}/"))["instance"]["operations"]
    assert train == {
        "start": False,
        "stop": True,
        "reboot": True,
        "restore": False,
        "hibernate": True,
        "delete": True,
        "toggle_public_ip": True,
        "attach_volumes": True,
        "create_snapshot": True,
    }


async def test_hibernating_releases_the_public_ip_and_restoring_gives_another() -> None:
    box = Box()
    instance_id = box.instance("train-1")

    async def address() -> str | None:
        ip: str | None = (await box.get(f"/instances/{instance_id}/"))["instance"]["public_ip"]
        return ip

    before = await address()
    await box.post(f"/instances/{instance_id}/hibernate/")
    box.wait(60)
    assert await address() is None
    await box.post(f"/instances/{instance_id}/restore/")
    box.wait(120)
    assert await address() not in (None, before)


async def test_a_machine_without_a_public_ip_is_restored_without() -> None:
    box = Box()
    instance_id = box.instance("train-1")
    await box.post(f"/instances/{instance_id}/toggle-public-ip/")
    await box.post(f"/instances/{instance_id}/hibernate/")
    box.wait(60)
    await box.post(f"/instances/{instance_id}/restore/")
    box.wait(120)
    assert (await box.get(f"/instances/{instance_id}/"))["instance"]["public_ip"] is None


async def test_toggling_the_public_ip_takes_it_and_gives_another() -> None:
    box = Box()
    path = f"/instances/{box.instance('train-1')}/toggle-public-ip/"
    off, on = await box.post(path), await box.post(path)
    assert (off["public_ip"], off["ip_status"]) == (None, "DETACHED")
    assert on["public_ip"]
    assert on["ip_status"] == "ATTACHED"


async def test_restoring_needs_stock() -> None:
    box = Box()
    box.barrack.world("sim-key").stock_factor = 0
    answer = await box.post(f"/instances/{box.instance('archive-1')}/restore/", status=409)
    assert answer["code"] == "OUT_OF_STOCK"


async def test_restoring_needs_credits() -> None:
    box = Box()
    box.barrack.world("sim-key").balance = 10**9
    answer = await box.post(f"/instances/{box.instance('archive-1')}/restore/", status=402)
    assert answer["balance"] == 1.0


async def test_deleting_keeps_the_users_volumes_and_frees_the_name() -> None:
    box = Box()
    instance_id = box.instance("train-1")
    await box.delete(f"/instances/{instance_id}/delete/")
    assert await box.status(instance_id) == "DELETING"
    box.wait(20)
    await box.get(f"/instances/{instance_id}/", 404)
    assert instance_id not in str(await box.get("/instances/"))
    volume = (await box.get(f"/volumes/{box.id('volumes', 'datasets')}/"))["volume"]
    assert (volume["status"], volume["instance_id"], volume["attachment"]) == ("available", None, None)
    firewall = (await box.get(f"/firewalls/{box.id('firewalls', 'office')}/"))["firewall"]
    assert [each["vm"]["vm_name"] for each in firewall["attachments"]] == ["train-2"]
    record = (await box.get("/instances/billing/", instance_id=instance_id))["records"][0]
    assert record["status"] == "completed"
    assert record["end_time"] == "2026-01-15T10:00:00Z"
    await box.deploy(name="train-1")


async def test_security_rules_come_and_go_with_the_published_answer() -> None:
    box = Box()
    path = f"/instances/{box.instance('train-1')}/security-rules/"
    added = await box.post(path, SSH)
    gone = await box.delete(f"{path}{added['rule']['id']}/")
    assert {name: value for name, value in gone.items() if name not in {"message", "request_id"}} == {
        "success": True,
        "instance_id": box.instance("train-1"),
        "rule_id": added["rule_id"],
        "tier": "legacy",
    }
    assert (await box.delete(f"{path}{added['rule_id']}/", 404))["message"] == "Rule not found"


async def test_the_firewalls_of_a_machine_come_with_their_rules() -> None:
    box = Box()
    answer = await box.get(f"/instances/{box.instance('train-1')}/firewalls/")
    assert [(each["name"], each["status"], len(each["rules"])) for each in answer["firewalls"]] == [
        ("office", "SUCCESS", 2)
    ]
