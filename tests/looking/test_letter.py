"""Each sign to the letter: what is told of it, what stands for the API's answer, and whether it is looked for again."""

from __future__ import annotations

from typing import Any

import pytest

from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.dispatch.writes.looking.sign import NOT_READ_BEFORE
from tests.looking.scripted import GONE, ID, judged, vm

pytestmark = pytest.mark.anyio

RULE = {
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": "tcp",
    "remote_ip_prefix": "10.0.0.0/8",
    "port_range_min": 22,
    "port_range_max": 22,
}
FIREWALL = {"firewall_id": "FW-1"}
VOLUME = {"name": "data-1", "region": "CANADA-1", "tier": "legacy", "size_gb": 100, "volume_type": "SSD"}
ROW = {"volume_id": "V-1", "volume_name": "data-1"}
SNAPSHOT = {"snapshot_id": "S"}
BASE = {"image_id": "I", "name": "base-1"}
TAKEN = {"snapshot": {"snapshot_name": "nightly", "region": "US-1"}}
NOTHING_NEW = "nothing new of that name is there, which proves nothing: it may still come"
ITS_RULES = "its rules are not told now"


def rule(at: str, **facts: Any) -> JsonObject:
    return {"id": at, **RULE, **facts}


def rules(*rows: Any) -> JsonObject:
    return {"firewall": {"id": "FW-1", "rules": list(rows)}}


def disks(*ids: str) -> JsonObject:
    return vm(volume_attachments=[{"volume_id": at} for at in ids])


def behind(*rows: JsonObject | str) -> JsonObject:
    """A firewall that these have; one of whom only the id is told is told as the API documents it."""
    told = [{"vm": {"instance_id": row}} if isinstance(row, str) else row for row in rows]
    return {"firewall": {"id": "FW-1", "attachments": told}}


def scripts(*ids: str) -> JsonObject:
    return {"scripts": [{"id": at} for at in ids], "total": len(ids)}


def volumes(*rows: JsonObject) -> JsonObject:
    return {"volumes": list(rows), "total": len(rows)}


def machines(*rows: JsonObject, total: int | None = None) -> JsonObject:
    return {"instances": list(rows), "total": len(rows) if total is None else total}


def machine(at: str, name: str | None = None, **facts: Any) -> JsonObject:
    return {"instance_id": at, "vm_name": name, **facts}


async def looked_at(tool: str, values: JsonObject, *answers: Any, **more: Any) -> tuple[str, JsonObject | None, int]:
    """What is told, what stands for the answer, and in how many looks."""
    look = BY_TOOL[tool].look
    assert look is not None
    sleeps: list[float] = []
    more[look.tool] = [*answers]
    looked = await judged(tool, values, sleeps=sleeps, **more)
    told = looked.sentence.partition(": ")[2].partition(". It was sent once")[0]
    assert (looked.outcome == "done") is (looked.result is not None)
    return told, looked.result, len(sleeps) + 1


STATES = [
    (vm(status=None), vm(status="SHUTOFF"), (NOT_READ_BEFORE, None, 1)),
    (vm(status="shutoff"), vm(), ("it was SHUTOFF before the call, too", None, 1)),
    (vm(), vm(), ("it is ACTIVE", None, 3)),
]
GOING = [
    (vm(), GONE, ("it was there before, and is gone now", ID, 1)),
    (vm(), vm(status="deleting"), ("it is DELETING now", {**ID, "status": "DELETING"}, 1)),
    (vm(), vm(), ("it is still there", None, 3)),
    (vm(status="deleted"), GONE, ("it was DELETED before the call", None, 1)),
    (GONE, GONE, (NOT_READ_BEFORE, None, 1)),
]
ADDRESSES = [
    (
        vm(public_ip="198.18.0.1"),
        vm(public_ip=None, ip_status="DETACHED"),
        (
            "it had a public IP before, and has none now",
            {**ID, "public_ip": None, "ip_status": "DETACHED"},
            1,
        ),
    ),
    (
        vm(public_ip=None),
        vm(public_ip="198.18.0.1"),
        ("it had no public IP before, and has one now", {**ID, "public_ip": "198.18.0.1"}, 1),
    ),
    (vm(public_ip="a"), vm(public_ip="a"), ("it has a public IP, as before the call", None, 3)),
    (vm(public_ip=None), vm(public_ip=None), ("it has no public IP, as before the call", None, 3)),
    (vm(), vm(public_ip="a"), (NOT_READ_BEFORE, None, 1)),
    (GONE, vm(public_ip="a"), (NOT_READ_BEFORE, None, 1)),
    (vm(public_ip="a"), vm(), ("whether it has a public IP is not told now", None, 3)),
    (
        vm(public_ip="a"),
        vm(public_ip=None, status="HIBERNATED"),
        ("its public IP changed, but so did its state, which may be why", None, 3),
    ),
]
SIZES = [
    (
        {"volume": {"size_gb": 100}},
        {"volume": {"size_gb": "500"}},
        ("it looks as asked for now, and did not before", {"volume": {"size_gb": "500"}}, 1),
    ),
    ({"volume": {"size_gb": "500"}}, {"volume": {}}, ("it looked like that before the call", None, 1)),
    ({"volume": {"size_gb": 100}}, {"volume": {}}, ("it does not look as asked for yet", None, 3)),
    ({"volume": {"name": "a"}}, {"volume": {"size_gb": 500}}, (NOT_READ_BEFORE, None, 1)),
]
COMING = "such a rule is there now that was not before"
NONE_YET = "no such rule has come yet"
ADDED = [
    (rules(), rules(rule("1")), (COMING, {**FIREWALL, "rule": rule("1")}, 1)),
    (rules(rule("1")), rules(rule("1")), (NONE_YET, None, 3)),
    (rules(), rules(rule("1", direction="egress")), (NONE_YET, None, 3)),
    (rules(), rules(rule("1", ethertype="IPv6")), (NONE_YET, None, 3)),
    (rules(), rules(rule("1", protocol="udp")), (NONE_YET, None, 3)),
    (rules(), rules(rule("1", protocol=None)), (NONE_YET, None, 3)),
    (rules(), rules(rule("1", remote_ip_prefix="office")), (NONE_YET, None, 3)),
    (rules(), rules(rule("1"), rule("2")), ("which of the rules is the new one can't be told", None, 3)),
    (rules(), rules(RULE), ("which of the rules is the new one can't be told", None, 3)),
    (rules(), {"firewall": {"id": "FW-1"}}, (ITS_RULES, None, 3)),
    ({"firewall": {"id": "FW-1"}}, rules(), (NOT_READ_BEFORE, None, 1)),
    (GONE, rules(), (NOT_READ_BEFORE, None, 1)),
]
REMOVED = [
    (
        rules(rule("1")),
        rules(),
        ("the rule was there before, and is gone now", {**FIREWALL, "rule_id": "1"}, 1),
    ),
    (rules(rule("1")), rules(rule("1")), ("the rule is still there", None, 3)),
    (rules(rule("1")), {"firewall": {"id": "FW-1"}}, (ITS_RULES, None, 3)),
    (rules(rule("2")), rules(), (f"{NOT_READ_BEFORE}, or the rule was not there", None, 1)),
]
MOVED = {**ID, "volume_ids": ["a", "b"]}
ATTACHED = [
    (disks(), disks("b", "a"), ("all of them are attached now, and were not before", MOVED, 1)),
    (disks(), disks("a"), ("1 of 2 are attached", None, 3)),
    (disks("a", "b"), disks(), ("all of them were attached before the call", None, 1)),
    (vm(), disks("a", "b"), (NOT_READ_BEFORE, None, 1)),
    (disks(), vm(), ("its volumes are not told now", None, 3)),
]
DETACHED = [
    (disks("a", "b"), disks(), ("all of them are detached now, and were not before", MOVED, 1)),
    (disks("a", "b"), disks("a"), ("1 of 2 are detached", None, 3)),
    (disks(), disks(), ("all of them were detached before the call", None, 1)),
]
BOTH = "these instances have it now, and not all of them had before; others have it, too"
EXACTLY = "exactly these instances have it now, and it was otherwise before"
HAVING = [
    (behind("c"), behind("b", "a"), (EXACTLY, {**FIREWALL, "instance_ids": ["a", "b"]}, 1)),
    (behind("a"), behind("c", "b", "a"), (BOTH, {**FIREWALL, "instance_ids": ["a", "b", "c"]}, 1)),
    (behind("a"), behind("a"), ("other instances have it", None, 3)),
    (behind("a", "b", "c"), behind("a", "b", "d"), ("other instances have it", None, 3)),
    (behind("a", "b"), behind(), ("the same instances had it before the call", None, 1)),
    (
        behind(),
        behind({"instance_id": "a", "vm": {"name": "one"}}, {"instance_id": "b"}),
        (EXACTLY, {**FIREWALL, "instance_ids": ["a", "b"]}, 1),
    ),
    (behind(), behind("a", "b", {"vm": {"name": "nameless"}}), ("its instances are not told now", None, 3)),
    ({"firewall": {"id": "FW-1"}}, behind("a", "b"), (NOT_READ_BEFORE, None, 1)),
]
GONE_ALL = [
    (
        scripts("1", "2", "3"),
        scripts("3"),
        ("all of them were there before, and are gone now", {"deleted_count": 2, "deleted_ids": ["2", "1"]}, 1),
    ),
    (scripts("1", "2"), scripts("1", "2"), ("2 of 2 are still there", None, 3)),
    (
        scripts("1"),
        scripts(),
        ("not all of them were seen before the call, so that nothing seen now proves anything", None, 1),
    ),
]
IMAGED = [
    (
        {"has_image": False},
        {"has_image": True, "image": BASE},
        ("the snapshot has that image now, and had none before", {"image": BASE}, 1),
    ),
    ({"image": None}, {"image": BASE | {"name": " base-1 "}}, (
        "the snapshot has that image now, and had none before", {"image": BASE | {"name": " base-1 "}}, 1,
    )),
    ({"image": None}, {"image": {"image_id": "I"}}, ("the snapshot has an image of another name", None, 3)),
    ({"image": None}, {"image": BASE | {"name": "other"}}, ("the snapshot has an image of another name", None, 3)),
    ({"image": None}, {"image": {}}, ("the snapshot has no image yet", None, 3)),
    ({"image": None}, {"image": "base-1"}, ("the snapshot has no image yet", None, 3)),
    ({"image": BASE}, {"image": BASE}, ("the snapshot had an image before the call", None, 1)),
    ({"has_image": True}, {"image": BASE}, ("the snapshot had an image before the call", None, 1)),
    ({"snapshot_id": "S"}, {"image": BASE}, (NOT_READ_BEFORE, None, 1)),
]  # fmt: skip
MADE = [
    (volumes(), volumes(ROW), ("it is there now, and was not before", {"volume": ROW}, 1)),
    (volumes(), volumes(ROW | {"size_gb": "100"}), (
        "it is there now, and was not before", {"volume": ROW | {"size_gb": "100"}}, 1,
    )),
    (volumes(), volumes({"volume_id": "V-1"}), (NOTHING_NEW, None, 3)),
    (volumes(ROW), volumes(ROW), (
        "one of that name is there, but was before, which proves nothing: it may still come", None, 3,
    )),
    (volumes(), volumes(ROW, ROW | {"volume_id": "V-2"}), ("there is more than one new thing that it may be", None, 3)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("tool", "values", "before", "after", "came"),
    [
        (tool, values, *case)
        for tool, values, cases in (
            ("stop_instance", ID, STATES),
            ("delete_instance", ID, GOING),
            ("toggle_instance_public_ip", ID, ADDRESSES),
            ("resize_volume", {"volume_id": "V", "size_gb": 500}, SIZES),
            ("add_firewall_rule", FIREWALL | RULE, ADDED),
            ("remove_firewall_rule", {**FIREWALL, "rule_id": "1"}, REMOVED),
            ("attach_volumes", MOVED, ATTACHED),
            ("detach_volumes", MOVED, DETACHED),
            ("attach_firewall", {**FIREWALL, "instance_ids": ["b", "a"]}, HAVING),
            ("bulk_delete_startup_scripts", {"script_ids": ["2", "1"]}, GONE_ALL),
            ("create_custom_image", SNAPSHOT | {"name": "base-1"}, IMAGED),
            ("create_volume", VOLUME, MADE),
        )
        for case in cases
    ],
)
async def test_what_is_seen_is_told_to_the_letter_and_what_can_tell_no_more_is_looked_at_once(
    tool: str, values: JsonObject, before: Any, after: Any, came: tuple[str, JsonObject | None, int]
) -> None:
    assert await looked_at(tool, values, before, after) == came


OLD, NEW = machine("1", "a"), machine("2", "Nightly-restored", region="US-1")
UNTIED = "there is a new instance, but nothing ties it to this snapshot"


@pytest.mark.parametrize(
    ("before", "after", "origin", "came"),
    [
        (machines(OLD), machines(OLD, NEW), TAKEN, ("it is there now, and was not before", {"data": NEW}, 1)),
        (machines(OLD), machines(OLD), TAKEN, (NOTHING_NEW, None, 3)),
        (machines(OLD), machines(OLD, machine("2")), TAKEN, (UNTIED, None, 3)),
        (machines(OLD), machines(OLD, NEW), {"snapshot": {"region": "US-1"}}, (UNTIED, None, 3)),
        (machines(OLD), machines(OLD, NEW), {}, (UNTIED, None, 3)),
        (
            machines(OLD, total=400),
            machines(OLD, NEW),
            TAKEN,
            ("no name was given, and not all instances were read before the call", None, 1),
        ),
    ],
)
async def test_what_was_made_of_a_snapshot_without_a_name_is_told_to_the_letter(
    before: JsonObject, after: JsonObject, origin: JsonObject, came: tuple[str, JsonObject | None, int]
) -> None:
    assert await looked_at("restore_snapshot", SNAPSHOT, before, after, get_snapshot=origin) == came


async def test_a_thing_without_a_name_ends_no_search_for_one_that_was_given_none() -> None:
    nameless = [machine(f"n-{at}") for at in range(10)]

    def paged(arguments: JsonObject) -> JsonObject:
        return machines(*(nameless if arguments["page"] == 1 else [NEW]), total=11)

    told, result, _ = await looked_at("restore_snapshot", SNAPSHOT, machines(*nameless), paged, get_snapshot=TAKEN)
    assert (told, result) == ("it is there now, and was not before", {"data": NEW})


@pytest.mark.parametrize(("second", "done"), [(-2, False), (-1, True), (0, True), (3, True), (4, False)], ids=str)
async def test_a_thing_may_seem_a_second_older_than_the_call_or_younger_than_the_look(
    second: int, *, done: bool
) -> None:
    # sent at 1,000 s, and looked at 2 s later, by a clock that goes as ours does
    created = f"1970-01-01T00:16:{40 + second}Z"
    clock = {"pricing_data": {"metadata": {"timestamp": 1_002}}}
    after = volumes(ROW | {"created_at": created})
    _, result, _ = await looked_at("create_volume", VOLUME, {"volumes": [], "total": 900}, after, get_pricing=clock)
    assert (result is not None) is done
