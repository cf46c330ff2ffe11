"""Whatever is sent, the fake answers as an API would, and never with a 500."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barrack_mcp.simulator.calls import ROUTES, Route
from tests.simulator.box import Box, Json
from tests.support.pairs import pairs

WRITES = [route for route in ROUTES if route.method in {"POST", "PUT"}]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**200,
    1.5,
    "",
    "x" * 70_000,
    "\ud800",
    "a\x00b",
    [],
    [[]],
    [None],
    {},
    {"a": {}},
]


def real_path(box: Box, template: str) -> str:
    world = box.barrack.world("sim-key")
    return template.format(
        instance_id=box.instance("train-1"),
        volume_id=box.id("volumes", "models"),
        snapshot_id=box.id("snapshots", "train-2-before-upgrade"),
        firewall_id=box.id("firewalls", "office"),
        script_id=next(iter(world.scripts)),
    )


NO_OBJECT = {
    "cut": (b"{", 400),
    "list": (b"[]", 400),
    "text": (b'"text"', 400),
    "bytes": (b"\xff\xfe\xfd", 400),
    "nan": (b'{"name": NaN}', 400),
    "deep": (b"[" * 100_000, 400),
    "digits": (b'{"a": 1' + b"0" * 5000 + b"}", 400),
    "large": (b" " * (5 << 20), 413),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("route", "body"), pairs(WRITES, NO_OBJECT, ids=lambda part: getattr(part, "operation", part)))
async def test_a_body_that_is_no_json_object_is_a_detail_and_no_effect(route: Route, body: str) -> None:
    content, status = NO_OBJECT[body]
    box = Box()
    answer = await box.send(route.method, real_path(box, route.path), content=content)
    assert answer.status_code == status
    assert list(answer.json()) == ["detail"]
    assert box.effects() == []


FIELDS = [
    *("name", "tier", "region", "gpu_model", "gpu_count", "boot_source", "os_image", "volume_id", "image_id"),
    *("os_volume", "ssh_key_ids", "public_ip", "security_rules", "cloud_init", "startup_script_id", "script"),
    *("jupyter_password", "size_gb", "volume_type", "bootable", "volume_ids", "script_ids", "snapshot_ids"),
    *("instance_ids", "description", "public_key", "direction", "ethertype", "protocol", "remote_ip_prefix"),
    *("port_range_min", "port_range_max", "currency", "resource_type", "volume_size_gb"),
]
GOOD: Json = {
    "name": "odd-1",
    "tier": "legacy",
    "region": "CANADA-1",
    "gpu_model": "RTX-A6000",
    "gpu_count": 1,
    "boot_source": "os_image",
    "os_image": "Debian 12",
    "size_gb": 400,
    "volume_type": "SSD",
    "script": "x",
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": "tcp",
    "remote_ip_prefix": "10.0.0.0/8",
}
TAKING_BODIES = [
    *("quote_price", "deploy_instance", "add_instance_security_rule", "create_volume", "clone_volume"),
    *("resize_volume", "attach_volumes", "detach_volumes", "create_startup_script", "update_startup_script"),
    *("bulk_delete_startup_scripts", "create_snapshot", "restore_snapshot", "create_custom_image"),
    *("list_snapshot_images", "create_firewall", "attach_firewall", "create_ssh_key"),
]


@pytest.mark.anyio
@pytest.mark.parametrize("operation", TAKING_BODIES)
async def test_odd_values_in_any_field_are_never_a_500_nor_break_what_is_read_afterwards(operation: str) -> None:
    box = Box()
    route = next(route for route in ROUTES if route.operation == operation)
    path = real_path(box, route.path)
    key = next(iter(box.barrack.world("sim-key").keys.values()))
    good = GOOD | {"ssh_key_ids": [key.id], "public_key": key.public_key}
    for field in FIELDS:
        for odd in ODD:
            content = json.dumps(good | {field: odd})
            answer = await box.send(route.method, path, content=content.encode())
            assert answer.status_code in {200, 201, 400, 402, 404, 409}, (field, odd)
    for part in ("instances", "volumes", "scripts", "ssh-keys", "firewalls", "snapshots", "images"):
        await box.get(f"/{part}/")
    await box.control("state")
    await box.control("requests")


BOX = Box()


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(operation=st.sampled_from(TAKING_BODIES), body=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8))
def test_generated_bodies_are_never_a_500(operation: str, body: Json) -> None:
    async def attempt() -> None:
        route = next(route for route in ROUTES if route.operation == operation)
        answer = await BOX.send(route.method, real_path(BOX, route.path), content=json.dumps(body).encode())
        assert answer.status_code < 500
        assert isinstance(answer.json(), dict)

    anyio.run(attempt)


@pytest.mark.anyio
async def test_a_megabyte_of_text_is_a_field_error() -> None:
    answer = await Box().post("/scripts/", {"name": "s", "script": "x" * (1 << 20)}, 400)
    assert list(answer) == ["script"]
