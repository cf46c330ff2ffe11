"""Firewalls, their rules and who is behind them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.box import SSH, Box, Json

pytestmark = pytest.mark.anyio


async def test_a_firewall_is_created_in_10_seconds_and_not_attachable_before() -> None:
    box = Box()
    made = (await box.post("/firewalls/create/", {"name": "f", "region": "CANADA-1"}, 201))["firewall"]
    assert (made["status"], made["rules"], made["attachments"]) == ("CREATING", [], [])
    assert made["environment"]["region"] == "CANADA-1"
    path = f"/firewalls/{made['id']}"
    assert (await box.post(f"{path}/attach/", {"instance_ids": []}, 409))["code"] == "FIREWALL_NOT_READY"
    box.wait(10)
    assert (await box.get(f"{path}/"))["firewall"]["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("more", "field"),
    [({"name": "a\nb"}, "name"), ({"region": "X"}, "region"), ({"description": "x" * 256}, "description")],
)
async def test_a_field_of_a_firewall_that_does_not_fit_is_told(more: Json, field: str) -> None:
    body = {"name": "f", "region": "CANADA-1"} | more
    assert list(await Box().post("/firewalls/create/", body, 400)) == [field]


async def test_an_account_has_at_most_25_firewalls_of_different_names() -> None:
    box = Box()
    answer = await box.post("/firewalls/create/", {"name": "office", "region": "CANADA-1"}, 409)
    assert answer["message"] == "Firewall name already exists"
    for number in range(23):
        await box.post("/firewalls/create/", {"name": f"f{number}", "region": "CANADA-1"}, 201)
    answer = await box.post("/firewalls/create/", {"name": "one-more", "region": "CANADA-1"}, 400)
    assert answer["code"] == "FIREWALL_LIMIT_REACHED"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"port_range_min": None}, "port_range_min"),
        ({"port_range_max": None}, "port_range_max"),
        ({"port_range_min": 23}, "port_range_min"),
        ({"port_range_min": 0}, "port_range_min"),
        ({"port_range_max": 65_536}, "port_range_max"),
        ({"protocol": "icmp"}, "port_range_min"),
        ({"protocol": "TCP"}, "protocol"),
        ({"ethertype": "IPv6"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": "10.0.0.0/33"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": 10}, "remote_ip_prefix"),
        ({"direction": None}, "direction"),
    ],
)
async def test_a_rule_that_does_not_fit_is_told_by_its_field(more: dict[str, Any], field: str) -> None:
    box = Box()
    path = f"/firewalls/{box.id('firewalls', 'batch')}/rules/add/"
    assert list(await box.post(path, SSH | more, 400)) == [field]
    assert box.effects() == []


async def test_a_rule_without_ports_is_fine_and_can_be_removed_once() -> None:
    box = Box()
    path = f"/firewalls/{box.id('firewalls', 'batch')}"
    body = {"direction": "ingress", "ethertype": "IPv4", "protocol": "icmp", "remote_ip_prefix": "0.0.0.0/0"}
    rule_id = (await box.post(f"{path}/rules/add/", body, 201))["rule"]["id"]
    assert rule_id.isdigit()
    assert (await box.delete(f"{path}/rules/{rule_id}/"))["tier"] == "legacy"
    await box.delete(f"{path}/rules/{rule_id}/", 404)


async def test_attaching_replaces_the_whole_set() -> None:
    box = Box()
    firewall_id, one, two = box.id("firewalls", "office"), box.instance("train-1"), box.instance("train-2")
    path = f"/firewalls/{firewall_id}"

    async def attached() -> list[tuple[str, str]]:
        firewall = (await box.get(f"{path}/"))["firewall"]
        return [(each["vm"]["instance_id"], each["status"]) for each in firewall["attachments"]]

    assert await attached() == [(one, "SUCCESS"), (two, "SUCCESS")]
    answer = await box.post(f"{path}/attach/", {"instance_ids": [two]})
    assert (answer["firewall_id"], answer["instance_ids"]) == (firewall_id, [two])
    assert await attached() == [(two, "SUCCESS")]
    await box.post(f"{path}/attach/", {"instance_ids": [one, two]})
    assert await attached() == [(one, "ATTACHING"), (two, "SUCCESS")]
    box.wait(10)
    assert await attached() == [(one, "SUCCESS"), (two, "SUCCESS")]
    await box.post(f"{path}/attach/", {"instance_ids": []})
    assert await attached() == []
    await box.delete(f"{path}/delete/")
    await box.get(f"{path}/", 404)


async def test_attaching_what_is_attached_changes_nothing() -> None:
    box = Box()
    body = {"instance_ids": [box.instance("train-2"), box.instance("train-1")]}
    await box.post(f"/firewalls/{box.id('firewalls', 'office')}/attach/", body)
    assert box.effects() == []


async def test_a_machine_taken_out_while_attaching_stays_out() -> None:
    box = Box()
    path = f"/firewalls/{box.id('firewalls', 'office')}"
    two = [box.instance("train-1"), box.instance("train-2")]
    await box.post(f"{path}/attach/", {"instance_ids": []})
    await box.post(f"{path}/attach/", {"instance_ids": two})
    await box.post(f"{path}/attach/", {"instance_ids": two[:1]})
    box.wait(10)
    assert len((await box.get(f"{path}/"))["firewall"]["attachments"]) == 1


@pytest.mark.parametrize(
    ("machine", "status", "code"),
    [("archive-1", 400, "REGION_MISMATCH"), ("notebook-1", 409, "INVALID_INSTANCE_STATE"), ("", 404, None)],
)
async def test_an_attachment_that_a_rule_forbids_changes_nothing(machine: str, status: int, code: str | None) -> None:
    box = Box()
    instance_id = box.instance(machine) if machine else "BRK-0D"
    body = {"instance_ids": [instance_id]}
    answer = await box.post(f"/firewalls/{box.id('firewalls', 'office')}/attach/", body, status)
    assert answer["code"] == (code or "INSTANCE_NOT_FOUND")
    assert box.effects() == []


async def test_an_attached_firewall_can_not_be_deleted() -> None:
    box = Box()
    answer = await box.delete(f"/firewalls/{box.id('firewalls', 'office')}/delete/", 409)
    assert "attached to 2 instance(s)" in answer["message"]


async def test_eligible_machines_are_active_and_in_the_firewalls_region() -> None:
    box = Box()
    everywhere = (await box.get("/firewalls/instances/"))["instances"]
    here = (await box.get("/firewalls/instances/", firewall_id=box.id("firewalls", "office")))["instances"]
    assert {each["vm_name"] for each in everywhere} == {"train-1", "train-2", "infer-1"}
    assert {(each["vm_name"], each["is_attached"]) for each in here} == {("train-1", True), ("train-2", True)}
    assert (await box.get("/firewalls/instances/", 404, firewall_id="FW-0"))["message"] == "Firewall not found"


async def test_the_protocols_say_which_have_ports() -> None:
    protocols = (await Box().get("/firewalls/protocols/"))["protocols"]
    ports = {each["value"]: each["has_ports"] for each in protocols}
    assert (ports["tcp"], ports["udp"], ports["icmp"]) == (True, True, False)
