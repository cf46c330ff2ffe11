"""How many requests one whole guarded call takes: its question, the answer to it, and the sending.

A vendor's keys have limits a minute and an hour, so that a request saved is worth more than a millisecond.
"""

from __future__ import annotations

import pytest
from mcp.types import ElicitResult

from barrack_mcp.catalogue import JsonObject
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.house import ASKING, Person, house, says_yes

pytestmark = pytest.mark.anyio

BUDGETS = {
    "deploy_instance": 17,
    "stop_instance": 8,
    "reboot_instance": 8,
    "hibernate_instance": 8,
    "restore_instance": 16,
    "delete_instance": 11,
    "toggle_instance_public_ip": 7,
    "add_instance_security_rule": 3,
    "remove_instance_security_rule": 3,
    "delete_ssh_key": 9,
    "create_volume": 13,
    "detach_volumes": 5,
    "clone_volume": 13,
    "resize_volume": 13,
    "delete_volume": 5,
    "delete_startup_script": 9,
    "bulk_delete_startup_scripts": 6,
    "create_snapshot": 14,
    "restore_snapshot": 15,
    "delete_snapshot": 11,
    "delete_custom_image": 7,
    "add_firewall_rule": 3,
    "remove_firewall_rule": 3,
    "attach_firewall": 7,
    "delete_firewall": 3,
}
"""By operation, where the target is named by its id; its name takes one request more.

A purchase reads all that costs again after the yes, three lists, since the yes binds the sum; what is deleted reads
again what its plan said would be kept, and what opens a machine what else lets in. A deployment reads its keys again,
since the yes is for those who hold them. A machine is looked for in the stock first, so that nobody is asked in vain.
"""

WAYS = ("legacy", "auto", "out of band")


async def spent(tool: str, way: str, given: JsonObject | None = None, *, scenario: str = "small") -> list[str]:
    """The requests of one call that a person agrees to, each as method and path."""
    app = create_app(now=lambda: 0.0, scenario=scenario)
    person = Person(says_yes) if way != "out of band" else None
    async with house(era=way if person else "auto", person=person, app=app) as made:
        arguments = made.good(tool) if given is None else given
        app.state.barrack.requests.clear()
        outcome = await made.call(tool, **arguments)
        if person is None:
            approval = await made.approvals.find(outcome["approval"]["id"])
            await made.approvals.approve(approval.id, by="a test", typed=approval.must_type)
            outcome = await made.call(tool, **arguments)
        assert outcome["outcome"] == "done", outcome
        assert made.effects == [tool]
        return [f"{each['method']} {each['path']}" for each in app.state.barrack.requests]


async def test_what_seldom_changes_is_read_once_a_minute_but_a_price_again_after_the_yes() -> None:
    async with house(person=Person(lambda _: ElicitResult(action="accept"), reads_s=0)) as made:
        wanted = made.good("create_volume")

        async def asked() -> set[str]:
            made.barrack.requests.clear()
            assert (await made.call("create_volume", **wanted))["outcome"] == "refused"
            return {each["path"] for each in made.barrack.requests} & {"/pricing/", "/regions/"}

        assert await asked() == {"/pricing/", "/regions/"}
        assert await asked() == set()
        made.clock.at += 59
        assert await asked() == set()
        made.clock.at += 1
        assert await asked() == {"/pricing/", "/regions/"}
    requests = await spent("create_volume", "auto")
    assert (requests.count("GET /pricing/"), requests.count("GET /regions/")) == (2, 1)


def test_every_operation_that_asks_has_its_budget() -> None:
    assert list(BUDGETS) == [operation.tool for operation in ASKING]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tool", BUDGETS)
async def test_a_whole_call_keeps_to_its_budget_whichever_way_it_is_asked(tool: str, way: str) -> None:
    requests = await spent(tool, way)
    assert len(requests) <= BUDGETS[tool], requests


@pytest.mark.parametrize("way", WAYS)
async def test_a_name_takes_one_request_more(way: str) -> None:
    app = create_app(now=lambda: 0.0)
    name = examples.free_volume(app.state.barrack.state())["volume_name"]
    requests = await spent("delete_volume", way, {"volume_id": name})
    assert len(requests) <= 6, requests


@pytest.mark.parametrize("way", WAYS)
async def test_in_an_account_of_two_thousand_machines_a_purchase_reads_the_ends_of_its_lists(way: str) -> None:
    state = create_app(now=lambda: 0.0, scenario="large").state.barrack.state()
    machine = examples.first(state["instances"], status="ACTIVE", tier="legacy")
    wanted = {
        "name": "fresh-1",
        "boot_source": "os_image",
        "tier": "legacy",
        "region": machine["region"],
        "gpu_model": machine["gpu_type"],
        "gpu_count": 1,
        "os_image": machine["image"]["name"],
        "ssh_key_ids": [state["ssh_keys"][0]["id"]],
    }
    requests = await spent("deploy_instance", way, wanted, scenario="large")
    assert len(requests) <= 38, requests
