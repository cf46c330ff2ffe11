"""Whatever is sent, the fake answers as an API would, and never with a 500."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barrack_mcp.simulator.calls import ROUTES, Route
from tests.simulator.box import UBUNTU, Box, Json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
ODD: list[Any] = [
    *(None, True, 0, -1, 10**200, 1.5, "", "x" * 70_000, "\ud800", "a\x00b"),
    *([], [[]], [None], {}, {"a": {}}),
]
RULE: Json = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "10.0.0.0/8"}
PORTS: Json = {"port_range_min": 22, "port_range_max": 22}
TAKING: dict[str, Json] = {
    "quote_price": {"tier": "legacy", "currency": "USD", "resource_type": "volumes", "gpu_model": "L40"}
    | {"gpu_count": 1, "volume_type": "SSD", "volume_size_gb": 100},
    "deploy_instance": {"name": "odd-1", "tier": "legacy", "region": "CANADA-1", "gpu_model": "RTX-A6000"}
    | {"gpu_count": 1, "boot_source": "os_image", "os_image": UBUNTU, "volume_id": None, "image_id": None}
    | {"os_volume": None, "ssh_key_ids": [], "public_ip": True, "security_rules": [], "cloud_init": "x"}
    | {"startup_script_id": None, "jupyter_password": "longenough"},
    "add_instance_security_rule": RULE | PORTS,
    "create_volume": {"name": "odd-2", "size_gb": 400, "region": "CANADA-1", "tier": "legacy", "volume_type": "SSD"}
    | {"bootable": True, "os_image": UBUNTU},
    "clone_volume": {"name": "odd-3", "volume_type": "HDD"},
    "resize_volume": {"size_gb": 400},
    "attach_volumes": {"volume_ids": []},
    "detach_volumes": {"volume_ids": []},
    "create_startup_script": {"name": "odd-4", "script": "x"},
    "update_startup_script": {"name": "odd-5", "script": "x"},
    "bulk_delete_startup_scripts": {"script_ids": []},
    "create_snapshot": {"name": "odd-6", "description": "x"},
    "restore_snapshot": {"name": "odd-7"},
    "create_custom_image": {"name": "odd-8"},
    "list_snapshot_images": {"snapshot_ids": []},
    "create_firewall": {"name": "odd-9", "region": "CANADA-1", "description": "x"},
    "add_firewall_rule": RULE | PORTS,
    "attach_firewall": {"instance_ids": []},
    "create_ssh_key": {"name": "odd-10", "public_key": None},
}
"""Every field that an operation takes, with a value that is fine by itself."""


def real_path(box: Box, template: str) -> str:
    world = box.barrack.world("sim-key")
    return template.format(
        instance_id=box.instance("train-1"),
        volume_id=box.id("volumes", "models"),
        snapshot_id=box.id("snapshots", "train-2-before-upgrade"),
        firewall_id=box.id("firewalls", "office"),
        script_id=next(iter(world.scripts)),
    )


def route_of(operation: str) -> Route:
    return next(route for route in ROUTES if route.operation == operation)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"\xff\xfe\xfd", 400),
        (b'{"name": NaN}', 400),
        (b"[" * 100_000, 400),
        (b'{"a": ' + b"[" * 250 + b"]" * 250 + b"}", 400),
        (b'{"a": 1' + b"0" * 5000 + b"}", 400),
        (b" " * (5 << 20), 413),
    ],
    ids=["cut", "list", "text", "bytes", "nan", "endless", "deep", "digits", "large"],
)
async def test_a_body_that_is_no_json_object_is_a_detail_and_no_effect(content: bytes, status: int) -> None:
    box = Box()
    answer = await box.send("POST", "/scripts/", content=content)
    assert answer.status_code == status
    assert list(answer.json()) == ["detail"]
    assert box.effects() == []


@pytest.mark.anyio
async def test_every_operation_that_takes_a_body_is_tried() -> None:
    for route in ROUTES:
        if route.method in {"POST", "PUT"} and route.operation not in TAKING:
            box = Box()
            odd: Json = {field: [[]] for good in TAKING.values() for field in good}
            answer = await box.send(route.method, real_path(box, route.path), content=json.dumps(odd).encode())
            assert answer.status_code == 200 or "success" in answer.json(), route.operation


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("operation", TAKING)
async def test_odd_values_in_any_field_are_never_a_500_nor_break_what_is_read_afterwards(operation: str) -> None:
    box, route, good = Box(), route_of(operation), TAKING[operation]
    path = real_path(box, route.path)
    if "ssh_key_ids" in good:
        good = good | {"ssh_key_ids": [box.id("keys", "laptop")]}
    for field in good:
        for odd in ODD:
            answer = await box.send(route.method, path, content=json.dumps(good | {field: odd}).encode())
            assert answer.status_code in {200, 201, 400, 402, 404, 409}, (field, odd)
    for part in ("instances", "volumes", "scripts", "ssh-keys", "firewalls", "snapshots", "images"):
        await box.get(f"/{part}/")
    await box.control("state")
    await box.control("requests")


BOX = Box()


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), operation=st.sampled_from(list(TAKING)))
def test_generated_bodies_are_never_a_500(data: st.DataObject, operation: str) -> None:
    async def attempt() -> None:
        body = data.draw(st.dictionaries(st.sampled_from(list(TAKING[operation])), VALUES, max_size=8))
        route = route_of(operation)
        answer = await BOX.send(route.method, real_path(BOX, route.path), content=json.dumps(body).encode())
        assert answer.status_code < 500
        assert isinstance(answer.json(), dict)

    anyio.run(attempt)


@pytest.mark.anyio
async def test_a_megabyte_of_text_is_a_field_error() -> None:
    answer = await Box().post("/scripts/", {"name": "s", "script": "x" * (1 << 20)}, 400)
    assert list(answer) == ["script"]
