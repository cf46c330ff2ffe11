"""Signs that a thing has changed, got something or lost it, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from barrack_mcp.catalogue import JsonObject
from tests.looking.scripted import ID, judged, vm

pytestmark = pytest.mark.anyio


def firewall(**facts: Any) -> JsonObject:
    return {"firewall": {"id": "FW-1", **facts}}


RULE = {
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": "tcp",
    "remote_ip_prefix": "10.0.0.0/8",
    "port_range_min": 22,
    "port_range_max": 22,
}
ICMP = {name: value for name, value in RULE.items() if "port" not in name} | {"protocol": "icmp"}


def rule(at: str, **facts: Any) -> JsonObject:
    return {"id": at, **RULE, **facts}


@pytest.mark.parametrize(
    ("before", "after", "done"),
    [
        ({"public_ip": "198.18.0.1"}, {"public_ip": None}, True),
        ({"public_ip": None}, {"public_ip": "198.18.0.1"}, True),
        ({"ip_status": "ATTACHED"}, {"ip_status": "detached"}, True),
        ({"public_ip": "198.18.0.1"}, {"public_ip": "198.18.0.2"}, False),
        ({"public_ip": "198.18.0.1"}, {"public_ip": None, "status": "HIBERNATING"}, False),
        ({"public_ip": "198.18.0.1"}, {}, False),
        ({}, {"public_ip": "198.18.0.1"}, False),
    ],
)
async def test_a_toggle_shows_in_comparison_only(before: JsonObject, after: JsonObject, *, done: bool) -> None:
    looked = await judged("toggle_instance_public_ip", ID, get_instance=[vm(**before), vm(**after)])
    assert (looked.outcome == "done") is done


@pytest.mark.parametrize(
    ("before", "after", "done"),
    [
        ([], [rule("1")], True),
        ([rule("1")], [rule("1"), rule("2")], True),
        ([], [rule("1", direction="INGRESS", ethertype="ipv4", remote_ip_prefix="10.1.2.3/8")], True),
        ([rule("1")], [rule("1")], False),
        ([], [rule("1", port_range_max=23)], False),
        ([], [rule("1", remote_ip_prefix="10.0.0.0/9")], False),
        ([], [rule("1", remote_ip_prefix="everywhere")], False),
        ([], [rule("1"), rule("2")], False),
        ([], [RULE], False),
        (None, [rule("1")], False),
        ([], None, False),
    ],
)
async def test_a_new_rule_is_one_with_the_same_meaning_that_was_not_there(
    before: Any, after: Any, *, done: bool
) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("add_firewall_rule", {"get_firewall": [firewall(rules=before), firewall(rules=after)]}),
        ("add_instance_security_rule", {"get_instance": [vm(security_rules=before), vm(security_rules=after)]}),
    ]
    for tool, answers in cases:
        looked = await judged(tool, {"firewall_id": "FW-1", **ID, **RULE}, **answers)
        assert (looked.outcome == "done") is done, looked.sentence


async def test_a_rule_for_all_ports_is_the_same_however_the_api_writes_it() -> None:
    for ports in ({}, {"port_range_min": -1, "port_range_max": -1}, {"port_range_min": 1, "port_range_max": 65_535}):
        after = firewall(rules=[{"id": "1", **ICMP, **ports}])
        looked = await judged(
            "add_firewall_rule", {"firewall_id": "FW-1", **ICMP}, get_firewall=[firewall(rules=[]), after]
        )
        assert looked.outcome == "done"


@pytest.mark.parametrize(
    ("before", "after", "done"),
    [
        ([rule("1"), rule("2")], [rule("2")], True),
        ([rule("1")], [rule("1")], False),
        ([rule("2")], [rule("2")], False),
        ([rule("1")], None, False),
        (None, [], False),
    ],
)
async def test_a_removed_rule_was_there_before(before: Any, after: Any, *, done: bool) -> None:
    looked = await judged(
        "remove_firewall_rule",
        {"firewall_id": "FW-1", "rule_id": "1"},
        get_firewall=[firewall(rules=before), firewall(rules=after)],
    )
    assert (looked.outcome == "done") is done


def disks(*ids: str, **facts: Any) -> list[JsonObject]:
    return [{"volume_id": at, **facts} for at in ids]


@pytest.mark.parametrize(
    ("tool", "before", "after", "done"),
    [
        ("attach_volumes", disks(), disks("a", "b"), True),
        ("attach_volumes", disks("a"), disks("a", "b", "c"), True),
        ("attach_volumes", disks(), disks("a"), False),
        ("attach_volumes", disks("a", "b"), disks("a", "b"), False),
        ("attach_volumes", disks(), disks("a", "b", status="ERROR"), False),
        ("attach_volumes", disks(), None, False),
        ("attach_volumes", None, disks("a", "b"), False),
        ("detach_volumes", disks("a", "b", "c"), disks("c"), True),
        ("detach_volumes", disks("a"), disks(), True),
        ("detach_volumes", disks("a", "b"), disks("b"), False),
        ("detach_volumes", disks(), disks(), False),
    ],
)
async def test_volumes_have_moved_when_all_of_them_have(tool: str, before: Any, after: Any, *, done: bool) -> None:
    answers = [vm(volume_attachments=before), vm(volume_attachments=after)]
    looked = await judged(tool, {**ID, "volume_ids": ["a", "b"]}, get_instance=answers)
    assert (looked.outcome == "done") is done, looked.sentence


def behind(*ids: str, **facts: Any) -> list[JsonObject]:
    return [{"vm": {"instance_id": at}, **facts} for at in ids]


@pytest.mark.parametrize(
    ("wanted", "before", "after", "done"),
    [
        (["a"], behind("b"), behind("a"), True),
        (["a"], behind("b"), behind("a", "b"), True),
        (["a"], behind("b"), [{"instance_id": "a"}], True),
        ([], behind("a"), behind(), True),
        (["a"], behind("a", "b"), behind("a"), True),
        (["a"], behind("a", "b"), behind("a", "b"), False),
        (["a"], behind("a"), behind("a"), False),
        (["a"], behind(), behind("a", status="ERROR"), False),
        (["a"], behind(), [{"vm": {}}], False),
        (["a"], None, behind("a"), False),
        ([], behind("a"), None, False),
    ],
)
async def test_a_firewall_is_attached_when_those_named_have_it_and_had_not(
    wanted: list[str], before: Any, after: Any, *, done: bool
) -> None:
    looked = await judged(
        "attach_firewall",
        {"firewall_id": "FW-1", "instance_ids": wanted},
        get_firewall=[firewall(attachments=before), firewall(attachments=after)],
    )
    assert (looked.outcome == "done") is done, looked.sentence


@pytest.mark.parametrize(
    ("before", "after", "done"),
    [
        (100, 500, True),
        ("100", 500.0, True),
        (100, 100, False),
        (500, 500, False),
        (None, 500, False),
        (100, None, False),
    ],
)
async def test_a_volume_has_grown_to_exactly_the_size_asked_for(before: Any, after: Any, *, done: bool) -> None:
    looked = await judged(
        "resize_volume",
        {"volume_id": "V", "size_gb": 500},
        get_volume=[{"volume": {"volume_id": "V", "size_gb": size}} for size in (before, after)],
    )
    assert (looked.outcome == "done") is done


@pytest.mark.parametrize(
    ("before", "after", "done"),
    [
        ({"name": "a", "script": "x"}, {"name": "b", "script": "y\r\nz\n"}, True),
        ({"name": "a", "script": "x"}, {"name": "b", "script": "x"}, False),
        ({"name": "b", "script": "y\nz"}, {"name": "b", "script": "y\nz"}, False),
        ({}, {"name": "b", "script": "y\nz"}, False),
        ({"name": "a"}, {"name": "b"}, False),
    ],
)
async def test_a_script_is_rewritten_when_it_reads_as_asked(before: Any, after: Any, *, done: bool) -> None:
    values = {"script_id": "S", "name": "b", "script": "y\nz"}
    looked = await judged("update_startup_script", values, get_startup_script=[{"script": before}, {"script": after}])
    assert (looked.outcome == "done") is done
