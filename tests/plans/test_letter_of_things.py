"""Plans to the letter, of all that is changed, interrupted, opened or destroyed, for each state of its surroundings."""

from __future__ import annotations

from typing import Any

import pytest

from barrack_mcp.account.deeds import Deeds
from barrack_mcp.account.leases import Term
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.state.store import Trace
from tests.plans.asking import Bend
from tests.plans.bending import (
    ARCHIVE,
    BATCH,
    CANADA,
    CHECKPOINTS,
    CI,
    COLD,
    DATASETS,
    DOCKER,
    FINLAND,
    GOLDEN,
    INFER,
    LAPTOP,
    MODELS,
    NARROW,
    NORWAY,
    NOTEBOOK,
    OFFICE,
    OUT,
    SCRATCH,
    SSH,
    TRAIN,
    TRAIN_2,
    TRAIN_BASE,
    UPGRADE,
    WEB,
    cut,
    rule,
    some,
    with_each,
    with_firewall,
    with_image,
    with_instance,
    with_key,
    with_one,
    with_rows,
    with_script,
    with_snapshot,
    with_volume,
)
from tests.plans.lettering import REMAKE, Case, by_tool, hold_to_letters

pytestmark = pytest.mark.anyio

FREE: JsonObject = {"volume_id": COLD, "volume_name": "cold-store", "size_gb": 1000}
BOOT: JsonObject = {"volume_id": CHECKPOINTS, "volume_name": "checkpoints", "size_gb": 200, "bootable": True}
WIDE: JsonObject = {"remote_ip_prefix": "0.0.0.0/0", "port_range_min": 22, "port_range_max": 22}
PRICES = ("get_pricing",)


def bond(at: int, **more: Any) -> JsonObject:
    return {"status": "SUCCESS", "vm": {"instance_id": f"BRK-{at}D", "vm_name": f"web-{at}"}, **more}


def instance(at: int, **more: Any) -> JsonObject:
    return {"instance_id": f"BRK-{at}D", "vm_name": f"web-{at}", "status": "ACTIVE", **more}


def bonds(number: int) -> dict[str, Bend]:
    return with_firewall(attachments=some(number, bond))


SHOWN = {row["instance_id"]: row for row in some(25, lambda at: instance(at, status="HIBERNATED"))}

OPEN = {at: row | {"security_rules": [rule("20.0.0.0/16", 444, 444)]} for at, row in SHOWN.items()}


def rules(number: int) -> list[JsonObject]:
    return some(number, lambda at: rule("203.0.113.0/24", 8000 + at, 8000 + at, str(at)))


def without_target(result: str) -> Bend:
    return lambda _: {result: None}


# Instances


def machine(tool: str, title: str) -> dict[str, Case]:
    """An instance in each state."""
    given: JsonObject = {"instance_id": TRAIN}
    worlds: dict[str, Case] = {
        "that runs": Case(tool, given),
        "that is shut off": Case(tool, given, with_instance(status="SHUTOFF", operations=None)),
        "that is shut off, without prices": Case(tool, given, with_instance(status="SHUTOFF", operations=None), PRICES),
        "that is shut off and allows it": Case(
            tool, given, with_instance(status="SHUTOFF", operations={tool.removesuffix("_instance"): True})
        ),
        "that sleeps": Case(tool, given, with_instance(status="HIBERNATED", operations=None)),
        "that sleeps and allows it": Case(
            tool, given, with_instance(status="HIBERNATED", operations={"allowed": [tool.removesuffix("_instance")]})
        ),
        "that is on its way": Case(tool, given, with_instance(status="STARTING", operations=None)),
        "that is being deleted": Case(tool, given, with_instance(status="DELETING", operations=None)),
        "of no known state": Case(tool, given, with_instance(status=None)),
        "of an unheard-of state": Case(tool, given, with_instance(status="UNHEARD_OF", operations=None)),
        "of which little is told": Case(
            tool,
            given,
            with_instance(
                vm_name=None,
                gpu_type=None,
                gpu_count=None,
                public_ip=None,
                volume_attachments=None,
                security_rules=None,
                created_at=None,
                tier=None,
            ),
        ),
        "that is not there": Case(tool, given, {"get_instance": without_target("instance")}),
    }
    return {f"{title} {state}": case for state, case in worlds.items()}


def surrounded(tool: str, title: str) -> dict[str, Case]:
    """An instance with all that hangs on it."""
    given: JsonObject = {"instance_id": TRAIN}
    attached: list[Any] = [BOOT, FREE, {"volume_id": DATASETS, "size_gb": "500"}]
    worlds: dict[str, Case] = {
        "that boots from a volume": Case(tool, given, with_instance(volume_attachments=attached)),
        "that boots by another word": Case(
            tool, given, with_instance(volume_attachments=[FREE | {"is_boot": True}, BOOT | {"bootable": False}])
        ),
        "that boots by a third word": Case(tool, given, with_instance(volume_attachments=[FREE | {"boot": True}])),
        "with a volume that nobody can read": Case(
            tool, given, with_instance(volume_attachments=[FREE, "BRK-1V", {"size_gb": 5}])
        ),
        "with rules of its own": Case(tool, given, with_instance(security_rules=[SSH, WEB, "odd"])),
        "with a model by the other name": Case(tool, given, with_instance(gpu_type=None, gpu_model="A40")),
        "without a count": Case(tool, given, with_instance(gpu_count=None)),
        "of the advanced tier": Case(tool, {"instance_id": INFER}),
        "of an odd name": Case(tool, given, with_instance(vm_name="a/b", tier="Legacy")),
        "with many snapshots and images": Case(
            tool,
            given,
            with_rows(
                "list_snapshots",
                "snapshots",
                *some(7, lambda at: {"snapshot_id": f"BRK-{at}S", "snapshot_name": f"s{at}", "instance_id": TRAIN}),
                {"snapshot_name": "odd", "instance_id": TRAIN},
                {"snapshot_id": "BRK-9S"},
            )
            | with_rows(
                "list_custom_images",
                "images",
                {"image_id": "BRK-1I", "name": "one", "snapshot_id": "BRK-1S"},
                {"image_id": "BRK-2I", "name": "two", "snapshot_id": "BRK-9S"},
                {"image_id": "BRK-3I", "name": "three"},
            ),
        ),
        "whose surroundings are not read": Case(
            tool,
            given,
            {},
            ("list_snapshots", "list_custom_images", "list_instance_firewalls", "get_instance_billing", *PRICES),
        ),
        "with no firewalls": Case(tool, given, with_rows("list_instance_firewalls", "firewalls")),
        "with firewalls that are read in part": Case(tool, given, cut("list_instance_firewalls")),
        "with bills of others": Case(
            tool,
            given,
            with_rows(
                "get_instance_billing",
                "records",
                {"instance_id": TRAIN, "total_cost": "1.5", "currency": "USD"},
                {"instance_id": INFER, "total_cost": 7},
            ),
        ),
    }
    return {f"{title} {state}": case for state, case in worlds.items()}


INSTANCES: dict[str, Case] = {
    **machine("stop_instance", "stop one"),
    **machine("reboot_instance", "reboot one"),
    **machine("hibernate_instance", "hibernate one"),
    **surrounded("hibernate_instance", "hibernate one"),
    **machine("delete_instance", "delete one"),
    **surrounded("delete_instance", "delete one"),
    "delete one that was deleted": Case("delete_instance", {"instance_id": TRAIN}, with_instance(status="DELETED")),
    "delete one that somebody changed": Case(
        "delete_instance",
        {"instance_id": TRAIN},
        ours={("instance", TRAIN): Trace(account="", thing="", caller="ada", at=0.0)},
    ),
    **machine("start_instance", "start one"),
    "start one at an unknown price": Case("start_instance", {"instance_id": TRAIN}, {}, PRICES),
    **machine("toggle_instance_public_ip", "flip an address of one"),
    "want an address of one that has it": Case("toggle_instance_public_ip", {"instance_id": TRAIN, "want": "on"}),
    "want no address of one that has it": Case("toggle_instance_public_ip", {"instance_id": TRAIN, "want": "off"}),
    **{
        f"{wish} of one {that}": Case(
            "toggle_instance_public_ip",
            {"instance_id": TRAIN, "want": want},
            with_instance(public_ip=None, ip_status=status),
        )
        for wish, want in (("want an address", "on"), ("want no address", "off"))
        for that, status in (
            ("that has none", "DETACHED"),
            ("that shows none", None),
            ("whose address is not told", "attached"),
            ("that is getting one", "ATTACHING"),
        )
    },
    **{
        f"flip an address that is {status}": Case(
            "toggle_instance_public_ip",
            {"instance_id": TRAIN},
            with_instance(public_ip=None, ip_status=status, security_rules=[SSH]),
        )
        for status in ("pending", "ASSIGNED", "none", "disabled")
    },
    "flip an address of one with open doors": Case(
        "toggle_instance_public_ip", {"instance_id": TRAIN}, with_instance(public_ip=None, security_rules=[SSH, NARROW])
    ),
    "flip an address of one whose firewalls are not read": Case(
        "toggle_instance_public_ip", {"instance_id": TRAIN}, with_instance(public_ip=None), ("list_instance_firewalls",)
    ),
}


# Firewalls


def attach(instances: list[str], bent: dict[str, Bend] | None = None, *failing: str, **more: Any) -> Case:
    arguments = {"firewall_id": more.pop("to", OFFICE), "instance_ids": instances}
    return Case("attach_firewall", arguments, bent or {}, failing, **more)


def opening(bent: dict[str, Bend] | None = None, *failing: str, shown: Any = None, **arguments: Any) -> Case:
    return Case("add_firewall_rule", {"firewall_id": OFFICE, **arguments}, bent or {}, failing, shown=shown or {})


def closing(bent: dict[str, Bend] | None = None, *failing: str, **arguments: Any) -> Case:
    return Case("remove_firewall_rule", arguments, bent or {}, failing)


FIREWALLS: dict[str, Case] = {
    "delete one that has none": Case("delete_firewall", {"firewall_id": BATCH}),
    "delete one that two have": Case("delete_firewall", {"firewall_id": OFFICE}),
    "delete one that one has": Case("delete_firewall", {}, bonds(1)),
    **{f"delete one that {number} have": Case("delete_firewall", {}, bonds(number)) for number in (8, 9)},
    **{
        f"delete one of {number} rules": Case("delete_firewall", {}, with_firewall(rules=rules(number)))
        for number in (0, 1, 8, 9)
    },
    "delete one of rules that are not told": Case("delete_firewall", {}, with_firewall(rules=None, status=None)),
    "delete one that nobody tells who has": Case("delete_firewall", {}, with_firewall(attachments=None)),
    "delete one that is told in part who has": Case(
        "delete_firewall", {}, with_firewall(attachments=[bond(1), "BRK-2D"])
    ),
    "delete one that is told otherwise who has": Case(
        "delete_firewall", {}, with_firewall(attachments=[{"instance_id": TRAIN}, {"vm": {"id": INFER}}, {}, {"vm": 7}])
    ),
    "delete one whose instance can't be named": Case(
        "delete_firewall", {}, with_firewall(attachments=[{"instance_id": TRAIN}]), ("get_instance",)
    ),
    "delete one that is not there": Case("delete_firewall", {}, {"get_firewall": without_target("firewall")}),
    "delete one that somebody changed": Case(
        "delete_firewall", {}, ours={("firewall", BATCH): Trace(account="", thing="", caller="ada", at=1768467600.0)}
    ),
    "attach to another": attach([NOTEBOOK]),
    "attach to one more": attach([TRAIN, TRAIN_2, NOTEBOOK]),
    "attach to two more": attach([TRAIN, TRAIN_2, NOTEBOOK, ARCHIVE]),
    "attach to the same": attach([TRAIN, TRAIN_2]),
    "attach to the same in part": attach([TRAIN]),
    "attach to nobody": attach([]),
    "attach to nobody what nobody has": attach([], to=BATCH),
    "attach to nobody what nobody tells who has": attach([], with_firewall(attachments=None)),
    "attach to the same what is told in part who has": attach([TRAIN], with_firewall(attachments=[bond(1), 7])),
    "attach to one what nobody has": attach([TRAIN], to=BATCH),
    "attach to one what nobody tells who has": attach([TRAIN], with_firewall(attachments=None)),
    "attach to one that is not known": attach(["BRK-999999D"]),
    "attach to one that is not known beside the same": attach([TRAIN, TRAIN_2, "BRK-999999D"]),
    "attach to one that is not read": attach([NOTEBOOK], {}, "get_instance"),
    "attach to one whose state is not told": attach([NOTEBOOK], with_instance(status="")),
    "attach to one that runs": attach([NOTEBOOK], with_instance(status="active")),
    "attach what is open": attach([TRAIN, TRAIN_2, NOTEBOOK], with_firewall(rules=[SSH, WEB, OUT])),
    "attach what is open, to two that are unlike": attach(
        [TRAIN, NOTEBOOK, INFER], with_firewall(rules=[SSH], attachments=[])
    ),
    "attach what is open to one that is open": attach(
        [NOTEBOOK], with_firewall(rules=[SSH]) | with_instance(security_rules=[SSH])
    ),
    "attach what is open to one that another firewall opens": attach(
        [NOTEBOOK],
        with_firewall(rules=[SSH])
        | with_rows(
            "list_firewalls",
            "firewalls",
            {"id": "FW-1", "rules": [SSH], "attachments": [{"status": "SUCCESS", "vm": {"instance_id": NOTEBOOK}}]},
        ),
    ),
    "attach what is open, others not read": attach([NOTEBOOK], with_firewall(rules=[SSH]), "list_firewalls"),
    "attach what is half open, others read in part": attach(
        [NOTEBOOK], with_firewall(rules=[rule("20.0.0.0/17", 22, 22)]) | cut("list_firewalls")
    ),
    **{f"attach what has {number} rules": attach([NOTEBOOK], with_firewall(rules=rules(number))) for number in (8, 9)},
    "attach what has rules out": attach(
        [NOTEBOOK], with_firewall(rules=[*rules(8), OUT, OUT | {"direction": "EGRESS"}])
    ),
    "attach what has an odd rule": attach([NOTEBOOK], with_firewall(rules=[rule("10.0.0.0/8", 1, 9, direction=None)])),
    "attach what has no rules": attach([NOTEBOOK], with_firewall(rules=[])),
    "attach what tells no rules": attach([NOTEBOOK], with_firewall(rules=None)),
    "take off one of an id that no tool takes": attach(
        [TRAIN], with_firewall(attachments=[{"instance_id": "../x", "vm_name": "odd"}])
    ),
    "take off one of no known id": attach([TRAIN], with_firewall(attachments=[{"vm_name": "odd"}])),
    "take off one that is known by its id": attach([TRAIN], with_firewall(attachments=[{"instance_id": TRAIN_2}])),
    **{
        f"take off two, {that}": attach(
            [NOTEBOOK],
            with_firewall(
                attachments=[{"instance_id": TRAIN, "vm_name": one}, {"instance_id": TRAIN_2, "vm_name": other}]
            ),
        )
        for that, one, other in (("named", "a", "b"), ("named the other way", "b", "a"), ("named anew", "a", "c"))
    },
    "take off many": attach([TRAIN], bonds(25)),
    "keep many": attach([*SHOWN], bonds(25), shown=SHOWN),
    "gain many that sleep": attach([*SHOWN], to=BATCH, shown=SHOWN),
    "rule for a firewall": opening(),
    "rule for one that nobody has": opening(firewall_id=BATCH),
    "rule that opens wide": opening(**WIDE),
    "rule that opens ports wide": opening(**WIDE | {"port_range_min": 20, "port_range_max": 8080}),
    "rule for one address": opening(remote_ip_prefix="198.51.100.7/32", port_range_min=443, port_range_max=443),
    "rule for two addresses": opening(remote_ip_prefix="198.51.100.6/31"),
    "rule for addresses around one": opening(remote_ip_prefix="198.51.100.6/24"),
    "rule for IPv6": opening(ethertype="IPv6", remote_ip_prefix="::/0"),
    "rule for IPv4 in IPv6": opening(ethertype="IPv6", remote_ip_prefix="::ffff:198.51.100.0/120"),
    "rule out": opening(direction="egress"),
    "rule of pings": opening(protocol="icmp"),
    "rule of an odd protocol": opening(protocol="do-it-now"),
    "rule of any protocol": opening(protocol="any"),
    "rule of a protocol by its number": opening(protocol="17"),
    "rule for one that nobody tells who has": opening(with_firewall(attachments=None)),
    "wide rule for one that nobody tells who has": opening(
        with_firewall(attachments=None), remote_ip_prefix="20.0.0.0/15"
    ),
    "half wide rule for one that nobody tells who has": opening(
        with_firewall(attachments=None), remote_ip_prefix="20.0.0.0/17"
    ),
    "rule that opens with what an instance has": opening(
        with_instance(security_rules=[rule("20.0.0.0/16", 444, 444)]),
        remote_ip_prefix="20.1.0.0/16",
        port_range_min=444,
        port_range_max=444,
    ),
    "rule that opens with what another firewall has": opening(
        with_rows(
            "list_firewalls",
            "firewalls",
            {"id": "FW-1", "rules": [rule("20.0.0.0/16", 444, 444)], "attachments": [{"vm": {"instance_id": TRAIN}}]},
        ),
        remote_ip_prefix="20.1.0.0/16",
        port_range_min=444,
        port_range_max=444,
    ),
    "rule where other firewalls are not read": opening({}, "list_firewalls", "get_instance"),
    "rule that opens with what the firewall has": opening(
        with_firewall(rules=[rule("20.0.0.0/16", 444, 444)]),
        remote_ip_prefix="20.1.0.0/16",
        port_range_min=444,
        port_range_max=444,
    ),
    **{
        f"rule for one that {number} have": opening(
            bonds(number) | with_rows("list_instances", "instances", *OPEN.values()),
            shown=OPEN,
            remote_ip_prefix="20.1.0.0/16",
            port_range_min=444,
            port_range_max=444,
        )
        for number in (8, 9, 20, 21)
    },
    "rule for one that instances of odd ids have": opening(
        with_firewall(attachments=[{"instance_id": "../x", "vm_name": "odd"}, {"vm_name": "none"}])
    ),
    "rule for one that is not there": opening({"get_firewall": without_target("firewall")}),
    "rule taken from a firewall": closing(),
    "rule taken that lets SSH in": closing(with_firewall(rules=[rule("203.0.113.0/24", 1, 99, "8")])),
    "rule taken of another port": closing(rule_id="9"),
    "rule taken by a number": closing(with_firewall(rules=[rule("203.0.113.0/24", 80, 80) | {"id": 8}])),
    "rule taken that lets out": closing(with_firewall(rules=[OUT | {"id": "8"}])),
    "rule taken of all ports": closing(with_firewall(rules=[rule("203.0.113.0/24", None, None, "8", protocol="any")])),
    "rule taken of half a range": closing(with_firewall(rules=[rule("odd", 80, None, "8", direction=None)])),
    "rule taken of no range": closing(with_firewall(rules=[rule("", None, None, "8", protocol=None)])),
    "rule taken that is not there": closing(rule_id="77"),
    "rule taken where none are told": closing(with_firewall(rules=None)),
    **{f"rule taken from one that {number} have": closing(bonds(number)) for number in (0, 8, 9)},
    "rule taken from one that nobody tells who has": closing(with_firewall(attachments=None)),
    "own rule": Case("add_instance_security_rule", {}),
    "own rule that opens wide": Case("add_instance_security_rule", WIDE),
    "own rule of one without an address": Case("add_instance_security_rule", {}, with_instance(public_ip=None)),
    "own rule out": Case("add_instance_security_rule", {"direction": "egress"}),
    "own rule that opens with a firewall's": Case(
        "add_instance_security_rule",
        {"remote_ip_prefix": "20.1.0.0/16", "port_range_min": 444, "port_range_max": 444},
        with_rows("list_instance_firewalls", "firewalls", {"id": "FW-1", "rules": [rule("20.0.0.0/16", 444, 444)]}),
    ),
    "own rule that opens with another": Case(
        "add_instance_security_rule",
        {"remote_ip_prefix": "20.1.0.0/16", "port_range_min": 444, "port_range_max": 444},
        with_instance(security_rules=[rule("20.0.0.0/16", 444, 444)]),
    ),
    "own rule where firewalls are not read": Case("add_instance_security_rule", {}, {}, ("list_instance_firewalls",)),
    "own rule of one with many": Case("add_instance_security_rule", {}, with_instance(security_rules=rules(25))),
    "own rule taken": Case("remove_instance_security_rule", {}),
    "own rule taken of another port": Case(
        "remove_instance_security_rule", {}, with_instance(security_rules=[rule("203.0.113.0/24", 80, 80, "4")])
    ),
    "own rule taken that is not there": Case("remove_instance_security_rule", {"rule_id": "77"}),
    "own rule taken where none are told": Case("remove_instance_security_rule", {}, with_instance(security_rules=None)),
    "own rule taken of one that is not there": Case(
        "remove_instance_security_rule", {}, {"get_instance": without_target("instance")}
    ),
}


# Volumes, snapshots and images


def volume(bent: dict[str, Bend] | None = None, *failing: str, at: str = COLD) -> Case:
    return Case("delete_volume", {"volume_id": at}, bent or {}, failing)


def put(bent: dict[str, Bend] | None = None, *failing: str, ids: tuple[str, ...] = (CHECKPOINTS,), **more: Any) -> Case:
    return Case("attach_volumes", {"instance_id": TRAIN, "volume_ids": [*ids], **more}, bent or {}, failing)


def take(
    bent: dict[str, Bend] | None = None, *failing: str, ids: tuple[str, ...] = (DATASETS,), gone: tuple[str, ...] = ()
) -> Case:
    return Case("detach_volumes", {"instance_id": TRAIN, "volume_ids": [*ids]}, bent or {}, failing, gone)


STORAGE: dict[str, Case] = {
    "delete one that is free": volume(),
    "delete one that is attached": volume(at=DATASETS),
    "delete one that is attached, without prices": volume({}, *PRICES, at=DATASETS),
    "delete one that is in use by nobody knows whom": volume(with_volume(status="in-use")),
    "delete one that is being attached": volume(with_volume(status="attaching")),
    "delete one that is attached, it says": volume(with_volume(status="Attached")),
    "delete one that is held by a list": volume(
        with_volume(attachment=["odd", {"instance_id": INFER, "vm_name": "i"}])
    ),
    "delete one that is held by an empty list": volume(with_volume(attachment=[])),
    "delete one that is held by an id alone": volume(with_volume(attachment=None, instance_id=TRAIN)),
    "delete one that is held by an odd id": volume(with_volume(attachment={"instance_id": "../x", "vm_name": "odd"})),
    "delete one that is held by whom nobody can name": volume(
        with_volume(attachment=None, instance_id=TRAIN), "get_instance"
    ),
    "delete one that is in the making": volume(with_volume(status="creating")),
    "delete one that is in the making, without prices": volume(with_volume(status="creating"), *PRICES),
    "delete one that boots": volume(with_volume(bootable=True)),
    "delete one that boots, it says": volume(with_volume(bootable="yes")),
    "delete one of unknown size": volume(with_volume(size_gb=None, volume_type=None, tier=None, created_at=None)),
    **{
        f"delete one that says {name}": volume(with_volume(**{name: "2026-01-10T10:00:00Z"}))
        for name in ("last_used_at", "last_attached_at", "detached_at", "last_used")
    },
    "delete one that says two uses": volume(with_volume(last_used_at="long ago", last_used="2026-01-10T10:00:00Z")),
    "delete one without prices and bills": volume({}, "get_volume_billing", *PRICES),
    "delete one with bills": volume(
        with_rows(
            "get_volume_billing",
            "records",
            {"volume_id": COLD, "total_cost": 3, "currency": "USD"},
            {"volume_id": MODELS, "total_cost": 5, "currency": "USD"},
        )
    ),
    "delete one that is not there": volume({"get_volume": without_target("volume")}),
    "put one": put(),
    "put two": put(ids=(CHECKPOINTS, DATASETS)),
    "put one that is there": put(ids=(DATASETS,)),
    "put one that is elsewhere": put(ids=(MODELS,)),
    "put one that is in use by nobody knows whom": put(with_volume(status="in-use")),
    "put one that an odd instance has": put(with_volume(attachment={"instance_id": "../x"})),
    "put one of another region": put(ids=(COLD,)),
    "put one of no known region": put(with_volume(region=None)),
    "put one to an instance of no known region": put(with_instance(region=None), ids=(COLD,)),
    "put one in the making": put(with_volume(status="creating")),
    "put several of which none can be": put(ids=(MODELS, COLD, DATASETS)),
    "put one that is not read": put({}, "get_volume"),
    "put one to an instance that sleeps": put(instance_id=ARCHIVE),
    "put one to an instance that sleeps, without prices": put({}, *PRICES, instance_id=ARCHIVE),
    "put one to an instance that sleeps and allows it": put(
        with_instance(operations={"attach_volumes": True}), instance_id=ARCHIVE, ids=(DATASETS,)
    ),
    "put one to an instance that is shut off": put(instance_id=NOTEBOOK),
    "put one to an instance that is not there": put({"get_instance": without_target("instance")}),
    "take one": take(),
    "take two": take(ids=(DATASETS, CHECKPOINTS)),
    "take one that nobody has": take(ids=(CHECKPOINTS,)),
    "take one that is elsewhere": take(ids=(MODELS,)),
    "take two of which one is elsewhere": take(ids=(CHECKPOINTS, MODELS)),
    "take one that an odd instance has": take(with_volume(attachment={"instance_id": "../x"}), ids=(MODELS,)),
    "take one that does not say its id": take(with_volume(volume_id=None), ids=(CHECKPOINTS,)),
    "take one that is elsewhere and does not say its id": take(with_volume(volume_id=None), ids=(MODELS,)),
    "take one that is not known": take(ids=("BRK-999999V",)),
    "take one that is told as attached alone": take({}, gone=("get_volume",)),
    "take one that is not read": take({}, "get_volume"),
    "take one that is not read and not told": take({}, "get_volume", ids=(MODELS,)),
    "take one where nobody tells what is attached": take(with_instance(volume_attachments=None), ids=(CHECKPOINTS,)),
    "take one that only its own row tells": take(with_instance(volume_attachments=[])),
    "take one that it boots from": take(with_instance(volume_attachments=[BOOT]), ids=(CHECKPOINTS,)),
    "take one from an instance that is not there": take({"get_instance": without_target("instance")}),
    "take one that somebody changed": Case(
        "detach_volumes",
        {"instance_id": TRAIN, "volume_ids": [DATASETS]},
        ours={
            ("volume", DATASETS): Trace(account="", thing="", caller="ada", at=1768467600.0),
            ("instance", TRAIN): Trace(account="", thing="", caller="eve", at=1768000000.0),
        },
    ),
}


def drop(bent: dict[str, Bend] | None = None, *failing: str, at: str = UPGRADE) -> Case:
    return Case("delete_snapshot", {"snapshot_id": at}, bent or {}, failing)


def image(bent: dict[str, Bend] | None = None, *failing: str, name: str = "fresh-1", at: str = UPGRADE) -> Case:
    return Case("create_custom_image", {"snapshot_id": at, "name": name}, bent or {}, failing)


def forget(bent: dict[str, Bend] | None = None, *failing: str) -> Case:
    return Case("delete_custom_image", {}, bent or {}, failing)


def imaged(**told: Any) -> dict[str, Bend]:
    return {"get_snapshot_image": lambda answer: answer.update(told)}


SNAPSHOTS: dict[str, Case] = {
    "drop one": drop(),
    "drop one with an image": drop(at=TRAIN_BASE),
    "drop one with an image that only it tells": drop({}, "list_custom_images", at=TRAIN_BASE),
    "drop one with an image that only the list tells": drop({}, "get_snapshot_image", at=TRAIN_BASE),
    "drop one of whose image nothing is read": drop({}, "get_snapshot_image", "list_custom_images", at=TRAIN_BASE),
    "drop one that has an image no more": drop(
        imaged(has_image=False) | with_rows("list_custom_images", "images"), at=TRAIN_BASE
    ),
    "drop one that has an image of no name": drop(imaged(has_image=True, image=None)),
    "drop one that may have an image": drop(imaged(has_image=None, image={"image_id": "BRK-5I", "name": "five"})),
    "drop one of an odd image": drop(imaged(has_image="yes", image="BRK-5I")),
    "drop one of an odd name": drop(with_snapshot(snapshot_name="n" * 60, size_gb=None, created_at=None)),
    "drop one of no name": drop(with_snapshot(snapshot_name=None)),
    "drop one whose origin is gone": drop(with_rows("list_instances", "instances")),
    "drop one whose origin is not told": drop(with_snapshot(instance_id=None)),
    "drop one whose origin is not read": drop({}, "list_instances"),
    "drop one whose origin is not seen": drop(cut("list_instances") | with_snapshot(instance_id="BRK-1D")),
    "drop one whose origin is there twice": drop(
        with_rows(
            "list_instances",
            "instances",
            *({"instance_id": TRAIN_2, "vm_name": name, "status": "ACTIVE"} for name in ("one", "two")),
        )
    ),
    "drop one that instances were made from": drop(
        with_rows(
            "list_instances",
            "instances",
            instance(1, snapshot_id=UPGRADE),
            instance(2, source_snapshot_id=UPGRADE),
            instance(3, snapshot_id="BRK-1S"),
            instance(4, image={"name": "train-base-v1"}),
        )
    ),
    "drop one whose image instances boot": drop(
        with_rows(
            "list_instances",
            "instances",
            instance(1, image={"name": "train-base-v1"}),
            instance(2, image={"image_id": GOLDEN}),
            instance(3, image={"id": GOLDEN, "name": "other"}),
            instance(4, image={"image_id": "BRK-7I"}),
            instance(5, image="train-base-v1"),
            instance(6, image={}),
        ),
        at=TRAIN_BASE,
    ),
    "drop one that instances were made from, read in part": drop(
        with_each("list_instances", "instances", snapshot_id=UPGRADE) | {}, at=UPGRADE
    ),
    "drop one without prices and bills": drop({}, "get_snapshot_billing", *PRICES),
    "drop one with bills": drop(
        with_rows(
            "get_snapshot_billing",
            "records",
            {"snapshot_id": UPGRADE, "total_cost": 3, "currency": "USD"},
            {"snapshot_id": TRAIN_BASE, "total_cost": 5, "currency": "USD"},
        )
    ),
    "drop one that is not there": drop({"get_snapshot": without_target("snapshot")}),
    "drop one that somebody changed": Case(
        "delete_snapshot",
        {"snapshot_id": UPGRADE},
        ours={("snapshot", UPGRADE): Trace(account="", thing="", caller="ada", at=1768467600.0)},
    ),
    "image of one": image(),
    "image of one that has one": image(at=TRAIN_BASE),
    "image of one that has one of an odd id": image(imaged(has_image=True, image={"image_id": "../x", "name": "odd"})),
    "image of one that has one of no name": image(imaged(has_image=True, image=None)),
    "image of one that has two": image(
        with_rows(
            "list_custom_images",
            "images",
            *some(2, lambda at: {"image_id": f"BRK-{at}I", "name": f"i{at}", "snapshot_id": UPGRADE}),
        )
    ),
    "image of one in the making": image(with_snapshot(status="creating")),
    "image of one of an unheard-of state": image(with_snapshot(status="UNHEARD_OF")),
    "image of one of no known state": image(with_snapshot(status=None, size_gb=None)),
    "image of one that failed": image(with_snapshot(status="ERROR")),
    "image of a name that is taken": image(name="train-base-v1"),
    "image where none are read": image({}, "get_snapshot_image", "list_custom_images"),
    "image of one that is not there": image({"get_snapshot": without_target("snapshot")}),
    "forget one": forget(),
    "forget one whose snapshot is gone": forget(with_rows("list_snapshots", "snapshots")),
    "forget one whose snapshot is not told": forget(with_image(snapshot_id=None)),
    "forget one whose snapshot is not told, among others": forget(
        with_image(snapshot_id=None) | with_each("list_snapshots", "snapshots", snapshot_id=None)
    ),
    "forget one whose snapshot is not read": forget({}, "list_snapshots"),
    "forget one whose snapshot is there twice": forget(
        with_rows(
            "list_snapshots",
            "snapshots",
            *({"snapshot_id": TRAIN_BASE, "snapshot_name": name} for name in ("one", "two")),
        )
    ),
    "forget one that instances boot": forget(
        with_one("list_instances", "instances", TRAIN, image={"name": "train-base-v1"})
        | with_image(size="100", created_at=None)
    ),
    "forget one that instances boot, read in part": forget(
        {
            "list_instances": lambda answer: answer.update(
                total=99, instances=[row | {"image": {"image_id": GOLDEN}} for row in answer["instances"]]
            )
        }
    ),
    "forget one where instances are read in part": forget(cut("list_instances")),
    "forget one where instances don't say what they boot": forget(with_each("list_instances", "instances", image=None)),
    "forget one where there are no instances": forget(with_rows("list_instances", "instances")),
    "forget one where instances are not read": forget({}, "list_instances"),
    "forget one that is not there": forget({"get_custom_image": without_target("image")}),
    "forget one that somebody changed": Case(
        "delete_custom_image",
        {},
        ours={("image", GOLDEN): Trace(account="", thing="", caller="ada", at=1768467600.0)},
    ),
}


# Scripts and keys


def write(bent: dict[str, Bend] | None = None, ours: Any = None, **arguments: Any) -> Case:
    arguments = {"script_id": DOCKER, **arguments}
    return Case("update_startup_script", arguments, bent or {}, ours=ours or {}, exactly=True)


def scripts(*ids: str, bent: dict[str, Bend] | None = None, **more: Any) -> Case:
    return Case("bulk_delete_startup_scripts", {"script_ids": [*ids]}, bent or {}, **more)


def used(tool: str, *rows: JsonObject, bent: dict[str, Bend] | None = None, failing: tuple[str, ...] = ()) -> Case:
    """A call about what instances may use, each of them with one of these fields."""
    instances = [instance(at, **row) for at, row in enumerate(rows)]
    return Case(
        tool,
        {},
        with_rows("list_instances", "instances", *instances) | (bent or {}),
        failing,
        shown={row["instance_id"]: row for row in instances},
    )


TEN = {f"SCR-{at}": {"id": f"SCR-{at}", "name": f"s{at}", "script": "x" * at} for at in range(10)}
OLD = "#!/bin/sh\ncurl -fsSL get.docker.com | sh\n"
MANY = "\n".join(f"line {at}" for at in range(20))

ACCESS: dict[str, Case] = {
    "text of one": write(script="#!/bin/sh\nexit\n"),
    "text and name of one": write(script="#!/bin/sh\n", name="other"),
    "text and the same name": write(script="#!/bin/sh\n", name="install-docker"),
    "name of one": write(name="other"),
    "same text": write(script=OLD),
    "text of an empty one": write(with_script(script=""), script="#!/bin/sh\n"),
    "text of one that is not told": write(with_script(script=None), script="#!/bin/sh\n"),
    "text with the lines in another order": write(with_script(script="a\nb\na\n"), script="a\nb\nc\n"),
    "text of many lines": write(with_script(script=MANY), script="x"),
    "text of as many lines as are told": write(with_script(script="\n".join(MANY.split("\n")[:12])), script="x"),
    "text that somebody wrote": write(
        ours={("script", DOCKER): Trace(account="", thing="", caller="ada", at=1768467600.0)}, script="x"
    ),
    "name that somebody gave": write(
        ours={("script", DOCKER): Trace(account="", thing="", caller="ada", at=1768467600.0)}, name="x"
    ),
    "text of one of no known age": write(with_script(updated_at=None, created_at=None), script="x"),
    "text of one that is not there": write({"get_startup_script": without_target("script")}, script="x"),
    "forget a script": used("delete_startup_script"),
    "forget a script that some ran": used(
        "delete_startup_script",
        {"startup_script_id": DOCKER},
        {"startup_script": "install-docker"},
        {"startup_script_id": SCRATCH},
    ),
    "forget a script that nobody ran": used("delete_startup_script", {"startup_script_id": None}, {}),
    "forget a script of which nobody tells who ran it": used("delete_startup_script", {}, {"script": DOCKER}),
    "forget a script where instances are not read": used("delete_startup_script", {}, failing=("list_instances",)),
    "forget a script where instances are not looked at": used("delete_startup_script", {}, failing=("get_instance",)),
    "forget a script where instances are read in part": Case("delete_startup_script", {}, cut("list_instances")),
    **{
        f"forget a script among {number} instances": used(
            "delete_startup_script", *({"startup_script_id": SCRATCH} for _ in range(number))
        )
        for number in (20, 21)
    },
    "forget a script that is not told": used("delete_startup_script", bent=with_script(script=None, name=None)),
    "forget a script that somebody wrote": Case(
        "delete_startup_script",
        {},
        ours={("script", DOCKER): Trace(account="", thing="", caller="ada", at=1768467600.0)},
    ),
    "forget a script that is not there": Case(
        "delete_startup_script", {}, {"get_startup_script": without_target("script")}
    ),
    "forget two scripts": scripts(DOCKER, SCRATCH),
    "forget one script of several": scripts(DOCKER),
    "forget scripts of which some are not known": scripts(DOCKER, *(f"SCR-{at}" for at in range(7))),
    "forget scripts of which none is told": scripts(DOCKER, bent=with_script(script=None, name=None)),
    "forget ten scripts": scripts(*TEN, shown=TEN),
    "forget eleven scripts": scripts(*(f"SCR-{at}" for at in range(11))),
    "forget twelve scripts": scripts(*(f"SCR-{at}" for at in range(12))),
    "forget scripts that somebody wrote": scripts(
        DOCKER, SCRATCH, ours={("script", SCRATCH): Trace(account="", thing="", caller="ada", at=1768467600.0)}
    ),
    "forget a key": used("delete_ssh_key"),
    "forget a key that runs nowhere": used("delete_ssh_key", {"ssh_keys": [{"id": CI}], "status": "SHUTOFF"}),
    "forget a key that some have": used(
        "delete_ssh_key",
        {"ssh_keys": [{"id": LAPTOP}, {"id": CI, "name": "x"}], "status": "active"},
        {"ssh_keys": [{"id": LAPTOP, "name": "ci"}]},
        {"ssh_keys": [{"name": "ci"}], "status": "HIBERNATED"},
        {"ssh_key_ids": [LAPTOP, CI]},
        {"ssh_key": CI, "status": None},
        {"key_name": "ci", "status": "SHUTOFF"},
        {"key_name": ["other", None, 7, {}], "ssh_key": {"name": "ci"}},
        {"ssh_keys": None},
    ),
    "forget a key that one has that runs": used("delete_ssh_key", {"ssh_keys": [CI]}),
    "forget a key of no name": used("delete_ssh_key", {"ssh_keys": ["None", None]}, bent=with_key(name=None)),
    "forget a key where instances are listed by another word": Case(
        "delete_ssh_key",
        {},
        with_rows("list_instances", "instances", {"id": "BRK-0D"}),
        shown={"BRK-0D": instance(0, ssh_keys=[CI])},
    ),
    "forget a key that is told by nobody": used("delete_ssh_key", {}, {"keys": [CI]}),
    "forget a key where instances are not read": used("delete_ssh_key", {}, failing=("list_instances",)),
    "forget a key that an odd instance has": Case(
        "delete_ssh_key",
        {},
        {"get_instance": lambda answer: answer["instance"].update(instance_id="../x", ssh_keys=[CI])},
    ),
    "forget a key of no fingerprint": used("delete_ssh_key", bent=with_key(fingerprint=None, created_at=None)),
    "forget a key that somebody made": Case(
        "delete_ssh_key", {}, ours={("ssh_key", CI): Trace(account="", thing="", caller="ada", at=1768467600.0)}
    ),
    "forget a key that is not there": Case("delete_ssh_key", {}, {"get_ssh_key": without_target("ssh_key")}),
}


# What is bought with what is there


def deploy(bent: dict[str, Bend] | None = None, *failing: str, ours: Any = None, **arguments: Any) -> Case:
    return Case("deploy_instance", arguments, bent or {}, failing, ours=ours or {})


def made_a_moment_ago() -> Deeds:
    """A volume that no list shows yet."""
    deeds, create = Deeds(lambda: 0.0), BY_TOOL["create_volume"]
    wanted = {"name": "new", "size_gb": 500, "region": CANADA, "tier": "legacy", "volume_type": "SSD"}
    deeds.note(create, wanted, {"volume": {"volume_id": "BRK-1V"}})
    return deeds


def boot(source: str, **arguments: Any) -> Case:
    bent, failing = arguments.pop("bent", {}), arguments.pop("failing", ())
    usual = {"name": "fresh-1", "tier": "legacy", "region": CANADA, "gpu_model": "RTX-A6000", "gpu_count": 1}
    wanted = {**usual, "boot_source": source, "ssh_key_ids": [LAPTOP], **arguments}
    return Case("deploy_instance", wanted, bent, failing, exactly=True)


def idle(status: str, **fields: Any) -> JsonObject:
    return instance(1, status=status, gpu_type="RTX-A6000", gpu_count=1, region=CANADA, **fields)


def asleep(*rows: JsonObject) -> dict[str, Bend]:
    return with_rows("list_instances", "instances", *rows)


DEPLOYMENTS: dict[str, Case] = {
    "deploy one": deploy(),
    "deploy one where there are none": deploy(
        with_rows(
            "list_gpu_stock",
            "stocks",
            {"region": CANADA, "gpu_model": "RTX-A6000", "available": "0"},
            {"region": NORWAY, "gpu_model": "RTX-A6000", "available": "3+"},
        )
    ),
    "deploy one beside what was made a moment ago": Case("deploy_instance", {}, deeds=made_a_moment_ago()),
    "deploy one that is to end": Case("deploy_instance", {}, term=Term(hours=8.0, how="deploy_instance")),
    "deploy one with an address": deploy(public_ip=True),
    "deploy one without an address": deploy(public_ip=False),
    "deploy one with all that runs": deploy(
        startup_script_id=DOCKER, cloud_init="#cloud-config\n\u00e9\n", jupyter_password="a-password-1"
    ),
    "deploy one with a script of no age": deploy(
        with_script(updated_at=None, created_at=None, script=None), startup_script_id=DOCKER
    ),
    "deploy one with a script that was made": deploy(with_script(updated_at=None), startup_script_id=DOCKER),
    "deploy one with a script that is not read": deploy({}, "get_startup_script", startup_script_id=DOCKER),
    "deploy one with an OS that is not listed": deploy(with_rows("list_os_images", "images"), os_image="odd"),
    "deploy one with an OS that is not read": deploy({}, "list_os_images"),
    "deploy one in a region that is not listed": deploy(with_rows("list_regions", "regions", {"name": "ELSEWHERE"})),
    "deploy one of an unknown model": deploy(gpu_model="UNHEARD-OF"),
    "deploy one without prices": deploy({}, *PRICES),
    "deploy one of too many GPUs": deploy(gpu_count=99),
    "deploy two GPUs": deploy(gpu_count=2),
    "deploy one of the advanced tier": deploy(tier="advanced", gpu_model="H100-SXM5-80GB", region=FINLAND),
    "deploy one with two keys": deploy(ssh_key_ids=[LAPTOP, CI]),
    "deploy one with a key that is not listed": deploy(
        with_rows("list_ssh_keys", "ssh_keys"), ssh_key_ids=[CI, LAPTOP]
    ),
    "deploy one with a key of no age": deploy(with_one("list_ssh_keys", "ssh_keys", LAPTOP, created_at=None)),
    "deploy one with a key that was changed": deploy(
        with_one("list_ssh_keys", "ssh_keys", LAPTOP, updated_at="2026-01-14T10:00:00Z")
    ),
    "deploy one with a key that nobody knows": deploy(ssh_key_ids=["KEY-1"]),
    "deploy one with keys that are not read": deploy({}, "list_ssh_keys", "get_ssh_key"),
    "deploy one with what somebody made": deploy(
        ours={
            ("ssh_key", LAPTOP): Trace(account="", thing="", caller="ada", at=1768467600.0),
            ("script", DOCKER): Trace(account="", thing="", caller="eve", at=1768000000.0),
        },
        startup_script_id=DOCKER,
    ),
    "deploy one with a door": deploy(security_rules=[rule("198.51.100.7/32", 22, 22)]),
    "deploy one that is open": deploy(security_rules=[NARROW, SSH, WEB]),
    "deploy one with doors alike": deploy(
        security_rules=[
            rule("203.0.113.0/24", 443, 443),
            rule("198.51.100.7/32", 22, 22),
            rule("203.0.113.0/24", 80, 80),
            rule("198.51.100.8/32", 22, 22),
            rule("203.0.113.0/24", 53, 53, protocol="udp"),
            rule("203.0.113.0/24", 80, 80),
            rule("2001:db8::/64", 443, 443),
            OUT,
            rule("198.51.100.0/25", 1, 65535, direction="egress"),
        ]
    ),
    "deploy one with doors of unlike width": deploy(
        security_rules=[
            {"direction": "ingress", "ethertype": "IPv4", "protocol": "icmp", "remote_ip_prefix": "203.0.113.0/24"},
            {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "203.0.113.0/25"},
            rule("203.0.113.0/25", 1, 65535),
            rule("203.0.113.0/25", 0, 65535),
            rule("203.0.113.9/25", 5, 9),
            rule("2001:db8::/96", 5, 9),
            rule("203.0.113.0/24", 5, 9, direction="egress"),
        ]
    ),
    "deploy from a volume": boot("volume", volume_id=CHECKPOINTS),
    "deploy from a volume that is not known": boot("volume", volume_id="BRK-1V"),
    "deploy from a volume of which little is told": boot(
        "volume", volume_id=CHECKPOINTS, bent=with_volume(size_gb=None, created_at=None)
    ),
    "deploy from an image": boot("custom_image", image_id=GOLDEN),
    "deploy from an image of a size": boot("custom_image", image_id=GOLDEN, bent=with_image(size="80")),
    "deploy from an image that is not read": boot("custom_image", image_id=GOLDEN, failing=("get_custom_image",)),
    "deploy on a disk of its own": deploy(os_volume={"size_gb": 1500}),
    "deploy on a disk of its own, without prices": deploy({}, *PRICES, os_volume={"size_gb": 1500}),
    "deploy one where the same is idle": deploy(
        asleep(
            idle("SHUTOFF"),
            idle("SHUTOFF") | {"instance_id": "BRK-2D"},
            idle("HIBERNATED") | {"instance_id": "BRK-3D"},
            idle("ACTIVE") | {"instance_id": "BRK-4D"},
        )
    ),
    "deploy one where the same sleeps": deploy(asleep(idle("HIBERNATED") | {"gpu_type": "rtx-a6000"})),
    "deploy one where others are idle": deploy(
        asleep(
            idle("SHUTOFF") | {"gpu_type": "A40"},
            idle("SHUTOFF") | {"gpu_count": 2},
            idle("SHUTOFF") | {"region": NORWAY},
            idle("HIBERNATED") | {"instance_id": "../x"},
        )
    ),
}


TABLES = by_tool(INSTANCES, FIREWALLS, STORAGE, SNAPSHOTS, ACCESS, DEPLOYMENTS)


@pytest.mark.parametrize("tool", TABLES)
async def test_each_plan_of_a_tool_says_what_its_letter_holds(tool: str, pytestconfig: pytest.Config) -> None:
    await hold_to_letters(tool, TABLES[tool], remake=pytestconfig.getoption(REMAKE))
