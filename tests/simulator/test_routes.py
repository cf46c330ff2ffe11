"""The operations: that they exist, who may call them, how lists and errors look."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType

import pytest

from barrack_mcp.simulator import scenarios
from barrack_mcp.simulator.app import find_route
from barrack_mcp.simulator.calls import ROUTES, Call
from barrack_mcp.simulator.world import Account, World
from tests.simulator.box import Box, Json

pytestmark = pytest.mark.anyio

OPERATIONS = """
get_credit_balance GET /balance/ balance
get_pricing GET /pricing/ pricing_data
quote_price POST /pricing/ pricing_data
list_gpu_stock GET /gpu-stocks/ stocks
list_gpu_specs GET /gpu-specs/ specs
list_regions GET /regions/ regions
list_os_images GET /os-images/ images
deploy_instance POST /instances/deploy/ data
list_instances GET /instances/ instances
get_instance GET /instances/{train}/ instance
start_instance POST /instances/{notebook}/start/ instance_id
stop_instance POST /instances/{train}/stop/ instance_id
reboot_instance POST /instances/{train}/reboot/ instance_id
hibernate_instance POST /instances/{train}/hibernate/ instance_id
restore_instance POST /instances/{archive}/restore/ instance_id
delete_instance DELETE /instances/{train}/delete/ instance_id
toggle_instance_public_ip POST /instances/{train}/toggle-public-ip/ ip_status
list_instance_firewalls GET /instances/{train}/firewalls/ firewalls
add_instance_security_rule POST /instances/{train}/security-rules/ rule
remove_instance_security_rule DELETE /instances/{train}/security-rules/{rule}/ rule_id
get_instance_billing GET /instances/billing/ records
list_snapshot_eligible_instances GET /instances/for-snapshot/ instances
list_ssh_keys GET /ssh-keys/ ssh_keys
create_ssh_key POST /ssh-keys/ ssh_key
get_ssh_key GET /ssh-keys/{key}/ ssh_key
delete_ssh_key DELETE /ssh-keys/{spare}/ message
list_volumes GET /volumes/ volumes
create_volume POST /volumes/ volume
get_volume GET /volumes/{free}/ volume
attach_volumes POST /instances/{train}/attach-volumes/ volume_ids
detach_volumes POST /instances/{train}/detach-volumes/ volume_ids
clone_volume POST /volumes/{nvme}/clone/ volume
resize_volume POST /volumes/{nvme}/resize/ volume
delete_volume DELETE /volumes/{free}/ message
list_volume_types GET /volumes/types/ volume_types
get_volume_billing GET /volumes/billing/ records
list_startup_scripts GET /scripts/ scripts
create_startup_script POST /scripts/ script
get_startup_script GET /scripts/{script}/ script
update_startup_script PUT /scripts/{script}/ script
delete_startup_script DELETE /scripts/{script}/ message
bulk_delete_startup_scripts POST /scripts/bulk-delete/ deleted_ids
list_snapshots GET /snapshots/ snapshots
create_snapshot POST /instances/{train}/snapshots/ data
get_snapshot GET /snapshots/{snapshot}/ snapshot
restore_snapshot POST /snapshots/{snapshot}/restore/ data
delete_snapshot DELETE /snapshots/{snapshot}/ message
get_snapshot_billing GET /snapshots/billing/ records
list_custom_images GET /images/ images
get_custom_image GET /images/{image}/ image
create_custom_image POST /snapshots/{snapshot}/image/ image
delete_custom_image DELETE /images/{image}/ message
get_snapshot_image GET /snapshots/{snapshot}/image-relationship/ has_image
list_snapshot_images POST /snapshots/image-relationships/ relationships
list_firewalls GET /firewalls/ firewalls
create_firewall POST /firewalls/create/ firewall
get_firewall GET /firewalls/{firewall}/ firewall
add_firewall_rule POST /firewalls/{firewall}/rules/add/ rule
remove_firewall_rule DELETE /firewalls/{firewall}/rules/{frule}/ rule_id
attach_firewall POST /firewalls/{firewall}/attach/ instance_ids
delete_firewall DELETE /firewalls/{firewall}/delete/ message
list_firewall_eligible_instances GET /firewalls/instances/ instances
list_firewall_protocols GET /firewalls/protocols/ protocols
"""
ROWS = [line.split() for line in OPERATIONS.strip().splitlines()]
BARE = ("get_instance_billing", "get_volume_billing", "get_snapshot_billing")


async def stage(box: Box) -> dict[str, str]:
    """Ids for the placeholders above, such that every operation can succeed."""
    spare = (await box.post("/ssh-keys/", {"name": "spare", "public_key": _public_key(box)}, 201))["ssh_key"]["id"]
    world = box.barrack.world("sim-key")
    train, firewall = world.instances[box.instance("train-1")], world.firewalls[box.id("firewalls", "batch")]
    return {
        "train": train.id,
        "notebook": box.instance("notebook-1"),
        "archive": box.instance("archive-1"),
        "rule": train.rules[0]["id"],
        "key": next(iter(world.keys)),
        "spare": spare,
        "free": box.id("volumes", "checkpoints"),
        "attached": box.id("volumes", "datasets"),
        "nvme": box.id("volumes", "models"),
        "script": next(iter(world.scripts)),
        "snapshot": box.id("snapshots", "train-2-before-upgrade"),
        "image": next(iter(world.images)),
        "firewall": firewall.id,
        "frule": firewall.rules[0]["id"],
    }


def _public_key(box: Box) -> str:
    return next(iter(box.barrack.world("sim-key").keys.values())).public_key


def body_of(operation: str, box: Box, ids: dict[str, str]) -> Json | None:
    rule = {"direction": "egress", "ethertype": "IPv6", "protocol": "icmp", "remote_ip_prefix": "::/0"}
    volume = {"name": "v", "size_gb": 100, "region": "CANADA-1", "tier": "legacy", "volume_type": "SSD"}
    return {
        "quote_price": {"tier": "legacy", "gpu_count": 1},
        "deploy_instance": box.wish(),
        "add_instance_security_rule": rule,
        "add_firewall_rule": rule,
        "create_ssh_key": {"name": "third", "public_key": _public_key(box)},
        "create_volume": volume,
        "attach_volumes": {"volume_ids": [ids["free"]]},
        "detach_volumes": {"volume_ids": [ids["attached"]]},
        "clone_volume": {"name": "copy"},
        "resize_volume": {"size_gb": 2000},
        "create_startup_script": {"name": "s", "script": "#!/bin/sh\n"},
        "update_startup_script": {"name": "renamed"},
        "bulk_delete_startup_scripts": {"script_ids": [ids["script"]]},
        "create_snapshot": {"name": "now"},
        "create_custom_image": {"name": "second"},
        "list_snapshot_images": {"snapshot_ids": [ids["snapshot"]]},
        "create_firewall": {"name": "f", "region": "CANADA-1"},
        "attach_firewall": {"instance_ids": []},
    }.get(operation)


def test_the_table_holds_exactly_the_operations_of_the_contract() -> None:
    assert len({route.operation for route in ROUTES}) == len(ROUTES)
    assert {route.operation for route in ROUTES} == {row[0] for row in ROWS}


@pytest.mark.parametrize(("operation", "method", "path", "root"), ROWS, ids=[row[0] for row in ROWS])
async def test_every_operation_answers_with_its_root_and_is_journalled_if_it_changes_something(
    operation: str, method: str, path: str, root: str
) -> None:
    box = Box()
    ids = await stage(box)
    box.barrack.journal.clear()
    body = body_of(operation, box, ids)
    answer = await box.send(method, path.format(**ids), **({} if body is None else {"json": body}))
    assert answer.status_code in {200, 201}, answer.text
    told = answer.json()
    assert told["success"] is True
    assert root in told
    if operation in BARE:
        assert "request_id" not in told
    else:
        assert re.fullmatch(r"[0-9a-f]{8}", told["request_id"])
    reads = method == "GET" or operation in {"quote_price", "list_snapshot_images"}
    writes = [] if reads or operation == "attach_firewall" else [operation]
    assert box.effects() == writes
    if writes:
        assert told["message"]


async def test_without_the_key_or_without_the_last_slash_nothing_is_answered() -> None:
    box = Box()
    ids = await stage(box)
    box.barrack.journal.clear()
    for _, method, path, _ in ROWS:
        where = path.format(**ids)
        wrong = await box.send(method, where, headers={"Authorization": "Bearer nobody"})
        assert (wrong.status_code, wrong.json()) == (401, {"detail": "Invalid API key."})
        unslashed = await box.send(method, where.rstrip("/"))
        assert (unslashed.status_code, unslashed.json()) == (404, {"detail": "Not found."})
    assert box.effects() == []


async def test_an_unknown_id_is_not_found_with_the_things_name() -> None:
    box = Box()
    ids = await stage(box)
    box.barrack.journal.clear()
    for operation, method, path, _ in (row for row in ROWS if "{" in row[2]):
        where = path.format(**dict.fromkeys(ids, "BRK-000000X"))
        answer = await box.call(method, where, body_of(operation, box, ids), expect=404)
        assert answer["success"] is False
        assert answer["message"].endswith("not found")
        assert answer["code"].endswith("_NOT_FOUND")
        assert re.fullmatch(r"[0-9a-f]{8}", answer["request_id"])
    assert box.effects() == []


async def test_a_missing_key_says_so() -> None:
    box = Box()
    answer = await box.client.get("http://sim/api/balance/")
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Authentication credentials were not provided."}


async def test_the_form_of_the_key_can_be_chosen() -> None:
    box = Box(auth_header="X-API-Key", auth_template="{key}")
    good = await box.client.get("/api/balance/", headers={"x-api-key": "sim-key"})
    bad = await box.client.get("/api/balance/", headers={"x-api-key": "Bearer sim-key"})
    assert (good.status_code, bad.status_code) == (200, 401)


@pytest.mark.parametrize("method", ["PATCH", "PUT", "OPTIONS", "DELETE"])
async def test_a_wrong_method_is_not_allowed(method: str) -> None:
    answer = await Box().send(method, "/regions/")
    assert answer.status_code == 405
    assert answer.json() == {"detail": f'Method "{method}" not allowed.'}


@pytest.mark.parametrize("path", ["/nothing/", "//", "/instances//", "/instances/a/b/c/", "/"])
async def test_an_unknown_path_is_not_found(path: str) -> None:
    assert await Box().get(path, 404) == {"detail": "Not found."}


async def test_an_escaped_slash_in_an_id_stays_one_segment() -> None:
    answer = await Box().get("/instances/a%2Fb/", 404)
    assert answer["message"] == "Instance not found"


async def test_lists_page_from_1_and_count_all() -> None:
    box = Box()
    first = await box.get("/instances/", page=1, limit=2)
    last = await box.get("/instances/", page=3, limit=2)
    beyond = await box.get("/instances/", page=9, limit=2)
    assert [len(each["instances"]) for each in (first, last, beyond)] == [2, 1, 0]
    assert [first[name] for name in ("total", "page", "limit", "total_pages")] == [5, 1, 2, 3]


async def test_the_page_length_is_20_unless_told_otherwise() -> None:
    answer = await Box(scenario="large").get("/instances/")
    assert (len(answer["instances"]), answer["limit"], answer["total"], answer["total_pages"]) == (20, 20, 2000, 100)


@pytest.mark.parametrize(
    ("name", "value"), [("page", "0"), ("page", "x"), ("limit", "101"), ("limit", "-1"), ("limit", "9" * 30)]
)
async def test_a_page_or_limit_that_does_not_fit_is_a_field_error(name: str, value: str) -> None:
    answer = await Box().get("/volumes/", 400, **{name: value})
    assert list(answer) == [name]
    assert isinstance(answer[name][0], str)


FILTERS: list[tuple[str, str, Json, int]] = [
    ("/instances/", "instances", {"status": "ACTIVE"}, 3),
    ("/instances/", "instances", {"status": "hibernated"}, 1),
    ("/instances/", "instances", {"region": "CANADA-1"}, 3),
    ("/instances/", "instances", {"tier": "ADVANCED"}, 1),
    ("/instances/", "instances", {"tier": "advanced", "region": "CANADA-1"}, 0),
    ("/instances/", "instances", {"unknown": "x"}, 5),
    ("/volumes/", "volumes", {"tier": "legacy"}, 2),
    ("/volumes/", "volumes", {"region": "FIN-01"}, 2),
    ("/snapshots/", "snapshots", {"region": "NORWAY-1"}, 0),
    ("/images/", "images", {"region": "CANADA-1"}, 1),
    ("/firewalls/", "firewalls", {"region": "NORWAY-1"}, 1),
    ("/ssh-keys/", "ssh_keys", {"region": "US-1"}, 2),
    ("/ssh-keys/", "ssh_keys", {"region": "MOON-1"}, 0),
    ("/gpu-stocks/", "stocks", {"gpu_model": "L40"}, 3),
    ("/gpu-stocks/", "stocks", {"region": "FIN-03"}, 1),
    ("/gpu-specs/", "specs", {"gpu_model": "RTX-A6000"}, 3),
    ("/gpu-specs/", "specs", {"gpu_count": "8", "tier": "advanced"}, 2),
    ("/gpu-specs/", "specs", {"gpu_count": "1", "region": "ICE-01"}, 1),
    ("/regions/", "regions", {"tier": "legacy"}, 3),
    ("/regions/", "regions", {}, 7),
    ("/os-images/", "images", {"region": "US-1"}, 14),
    ("/os-images/", "images", {"region": "US-1", "tier": "legacy"}, 7),
    ("/volumes/types/", "volume_types", {}, 2),
    ("/volumes/types/", "volume_types", {"tier": "legacy"}, 1),
    ("/volumes/types/", "volume_types", {"region": "FIN-01"}, 1),
    ("/volumes/types/", "volume_types", {"region": "MOON-1"}, 0),
    ("/instances/for-snapshot/", "instances", {}, 2),
    ("/instances/for-snapshot/", "instances", {"region": "NORWAY-1"}, 0),
    ("/instances/billing/", "records", {"instance_id": "none"}, 0),
]


async def test_filters_narrow_lists() -> None:
    box = Box()
    for path, root, query, count in FILTERS:
        assert len((await box.get(path, **query))[root]) == count, (path, query)


async def test_some_images_are_applications_made_for_some_gpus() -> None:
    images = (await Box().get("/os-images/", region="CANADA-1"))["images"]
    assert set(images[0]) == {"id", "name", "type", "version", "region", "tier"}
    assert {each["name"]: each["gpu_models"] for each in images if each["type"] == "Application"} == {
        "Barrack Qwen 3-32B": ["H100-PCIe-NVLink-80GB", "H100-PCIe-80GB", "A100-PCIe-80GB"],
        "Barrack ComfyUI - WAN T2V 14B": ["L40", "RTX-A6000"],
    }


async def test_prices_come_as_published() -> None:
    data = (await Box().get("/pricing/"))["pricing_data"]
    assert data["volumes"]["pricing"]["legacy"]["SSD"] == {
        "prices": {"USD": 0.1, "EUR": 0.1, "INR": 10},
        "unit": "per TB per hour",
    }
    assert set(data["volumes"]["pricing"]["advanced"]) == {"HDD", "NVMe"}
    assert data["volumes"]["minimum_size_gb"] == 100
    assert data["snapshots"]["pricing"]["legacy"]["fixed_size_gb"] == 100
    gpus = data["gpus"]["pricing"]
    assert gpus["legacy"]["RTX-A6000"] == {
        "prices": {"USD": 0.69, "EUR": 0.75, "INR": 49},
        "max_count": 4,
        "unit": "per GPU per hour",
    }
    assert gpus["advanced"]["B300-262GB"]["prices"] == {"USD": 5.79, "EUR": 5.99, "INR": 499}
    assert len(gpus["legacy"]) == 7
    assert data["metadata"] == {
        "supported_currencies": ["USD", "EUR", "INR"],
        "supported_tiers": ["legacy", "advanced"],
        "volume_minimum_size_gb": 100,
        "authenticated_user": "dev@example.com",
        "authentication_type": "api_key",
        "timestamp": 1768471200,
    }


async def test_both_ways_to_ask_for_prices_agree_and_check_what_they_are_asked() -> None:
    box = Box()
    asked: Json = {"tier": "legacy", "currency": "EUR", "resource_type": "gpus", "gpu_model": "L40", "gpu_count": 2}
    assert (await box.get("/pricing/", **asked))["pricing_data"] == (await box.post("/pricing/", asked))["pricing_data"]
    assert list(await box.get("/pricing/", 400, gpu_count="x")) == ["gpu_count"]
    assert list(await box.get("/pricing/", 400, gpu_count="3")) == ["gpu_count"]
    assert list(await box.post("/pricing/", {"currency": "GBP", "volume_size_gb": 0}, 400)) == [
        "currency",
        "volume_size_gb",
    ]


def steps(deed: Callable[[], object]) -> int:
    """How many functions are called meanwhile."""
    seen = 0

    def note(_: FrameType, event: str, __: object) -> None:
        nonlocal seen
        seen += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        deed()
    finally:
        sys.setprofile(before)
    return seen


@pytest.mark.promise("V2")
@pytest.mark.parametrize("path", ["/instances/", "/volumes/"])
@pytest.mark.parametrize("query", [{}, {"region": "us-1", "tier": "LEGACY"}])
def test_a_page_takes_no_more_steps_out_of_many_things_than_out_of_few(
    path: str, query: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    for many in (200, 2000):
        monkeypatch.setattr(scenarios, "LARGE_INSTANCES", many)
        monkeypatch.setattr(scenarios, "LARGE_VOLUMES", many)
        # a world of its own: those of a scenario are kept
        world = World(Account("key", "dev@example.com", "USD", 1.0), seed=1, index=0)
        scenarios.large(world)
        route, _ = find_route("GET", path)
        call = Call(world, {}, {"limit": "10", **query}, {})
        assert many / 100 < route.answer(call)["total"] <= many
        taken.append(steps(partial(route.answer, call)))
    assert taken[1] <= taken[0] + 10
