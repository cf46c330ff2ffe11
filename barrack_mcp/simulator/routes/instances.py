"""Machines: what they look like, and how they start, stop, sleep, wake and go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from barrack_mcp.simulator.calls import Call, pick, route
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.market import keeps_public_ip
from barrack_mcp.simulator.routes.catalog import specify
from barrack_mcp.simulator.routes.needs import need_machine, need_status
from barrack_mcp.simulator.rules import Json, SecurityRule, missing, refusal
from barrack_mcp.simulator.world import MOVES, Firewall, Instance, Volume, World

SETTLED = ("ACTIVE", "SHUTOFF", "HIBERNATED", "ERROR")
DELETE_S = 20


def _show_attachment(volume: Volume) -> Json:
    row = pick(volume, volume_id="id", volume_name="name", size_gb="size_gb", volume_type="volume_type")
    return row | pick(volume, status="attachment", bootable="boot")


def _show_ip(instance: Instance) -> Json:
    return {"ip_status": "ATTACHED" if instance.public_ip else "DETACHED", "public_ip": instance.public_ip}


def show_instance(instance: Instance, volumes: Sequence[Volume]) -> Json:
    """A machine, with its volumes, as lists show it."""
    user = "debian" if instance.image_name.startswith("Debian") else "ubuntu"
    return {
        **pick(instance, instance_id="id", vm_name="name", status="status", gpu_type="gpu_model"),
        **pick(instance, "gpu_count", "region", "tier"),
        **_show_ip(instance),
        "private_ip": instance.private_ip,
        "created_at": iso(instance.created_at),
        "flavor": {"name": f"{instance.gpu_count}x{instance.gpu_model}", "gpu_count": instance.gpu_count},
        "image": {"name": instance.image_name, "boot_source": instance.boot_source, "default_user": user},
        "volume_attachments": [_show_attachment(volume) for volume in volumes],
        "security_rules": list(instance.rules),
        "features": {
            "hibernation": True,
            "snapshots": instance.tier == "legacy",
            "public_ip": True,
            "jupyter": instance.jupyter,
            "cloud_init": instance.cloud_init,
        },
    }


def show_whole_instance(world: World, instance: Instance, volumes: Sequence[Volume]) -> Json:
    """A machine, with its volumes and all else that is known of it."""
    active = instance.status == "ACTIVE"
    return {
        **show_instance(instance, volumes),
        "specs": specify(instance.gpu_model, instance.gpu_count),
        "operations": {
            **{verb: instance.status == move.source for verb, move in MOVES.items()},
            "delete": instance.status in SETTLED,
            "toggle_public_ip": active and not keeps_public_ip(instance.image_name),
            "attach_volumes": active,
            "create_snapshot": active and instance.tier == "legacy",
        },
        "ssh_keys": [pick(world.keys[each], "id", "name") for each in instance.ssh_key_ids if each in world.keys],
        "firewalls": [pick(firewall, "id", "name") for firewall in _firewalls_of(world, instance)],
        "startup_script_id": instance.startup_script_id,
    }


def _firewalls_of(world: World, instance: Instance) -> list[Firewall]:
    return [firewall for firewall in world.firewalls.values() if instance.id in firewall.attachments]


def answer_for(instance: Instance, message: str, **facts: Any) -> Json:
    """The answer to what was done with a machine."""
    return {"message": message, "instance_id": instance.id, **facts, "tier": instance.tier}


@route("GET", "/instances/")
def list_instances(call: Call) -> Json:
    """The machines, oldest first."""
    found = call.filter(call.world.instances.values(), "status", "region", "tier")
    volumes = call.world.volumes_by_instance()
    return call.page("instances", found, lambda instance: show_instance(instance, volumes.get(instance.id, ())))


@route("GET", "/instances/{instance_id}/")
def get_instance(call: Call) -> Json:
    """One machine in full."""
    world, instance = call.world, call.find(call.world.instances)
    return {"instance": show_whole_instance(world, instance, world.volumes_of(instance)), "tier": instance.tier}


def _move(call: Call, verb: str, message: str) -> Json:
    instance = call.find(call.world.instances)
    need_status(instance, MOVES[verb].source, what=verb)
    if verb == "restore":
        need_machine(call.world, instance)
    call.world.move(instance, verb)
    return answer_for(instance, message, status=instance.status)


@route("POST", "/instances/{instance_id}/start/")
def start_instance(call: Call) -> Json:
    """Starts a stopped machine, which cost its full rate all along."""
    return _move(call, "start", "Instance is starting")


@route("POST", "/instances/{instance_id}/stop/")
def stop_instance(call: Call) -> Json:
    """Stops a machine, which goes on costing its full rate."""
    return _move(call, "stop", "Instance is stopping")


@route("POST", "/instances/{instance_id}/reboot/")
def reboot_instance(call: Call) -> Json:
    """Starts a running machine anew."""
    return _move(call, "reboot", "Instance is rebooting")


@route("POST", "/instances/{instance_id}/hibernate/")
def hibernate_instance(call: Call) -> Json:
    """Puts the machine to sleep; its public address is released at once."""
    return _move(call, "hibernate", "Instance is hibernating")


@route("POST", "/instances/{instance_id}/restore/")
def restore_instance(call: Call) -> Json:
    """Wakes the machine; it needs stock and credits, and gets another public address once it is ACTIVE."""
    return _move(call, "restore", "Instance is being restored")


@route("DELETE", "/instances/{instance_id}/delete/")
def delete_instance(call: Call) -> Json:
    """Ends the machine in 20 seconds, for good."""
    world, instance = call.world, call.find(call.world.instances)
    need_status(instance, *SETTLED, what="delete")
    world.set_status(instance, "DELETING")
    world.later(DELETE_S, partial(world.end_instance, instance))
    return answer_for(instance, "Instance is being deleted")


@route("POST", "/instances/{instance_id}/toggle-public-ip/")
def toggle_instance_public_ip(call: Call) -> Json:
    """Takes the public address away if there is one, else gives a new one."""
    instance = call.find(call.world.instances)
    need_status(instance, "ACTIVE", what="toggle the public IP of")
    if keeps_public_ip(instance.image_name):
        raise refusal(400, "PUBLIC_IP_REQUIRED", "Instances of an application image always have a public IP")
    instance.wants_ip = instance.public_ip is None
    instance.public_ip = call.world.next_address("198.18") if instance.wants_ip else None
    return answer_for(instance, f"Public IP {'attached' if instance.wants_ip else 'detached'}", **_show_ip(instance))


@route("GET", "/instances/{instance_id}/firewalls/")
def list_instance_firewalls(call: Call) -> Json:
    """The firewalls of a machine with their rules."""
    instance = call.find(call.world.instances)
    return {
        "instance_id": instance.id,
        "firewalls": [
            {
                "firewall_id": firewall.id,
                "name": firewall.name,
                "status": firewall.attachments[instance.id],
                "rules": list(firewall.rules),
            }
            for firewall in _firewalls_of(call.world, instance)
        ],
        "tier": instance.tier,
    }


def make_rule(world: World, wanted: SecurityRule) -> Json:
    """A rule with the next number."""
    return {"id": world.next_rule_number(), **dict(wanted)}


def add_rule(call: Call, rules: list[Json]) -> Json:
    """Put the rule of the body into a list."""
    rules.append(make_rule(call.world, call.read(SecurityRule)))
    return rules[-1]


def remove_rule(call: Call, rules: list[Json]) -> str:
    """Take the rule that the path names out of a list; refuse if there is none."""
    rule_id = call.ids["rule_id"]
    kept = [each for each in rules if each["id"] != rule_id]
    if len(kept) == len(rules):
        raise missing("Rule")
    rules[:] = kept
    return rule_id


@route("POST", "/instances/{instance_id}/security-rules/")
def add_instance_security_rule(call: Call) -> Json:
    """Opens or allows something on one machine."""
    instance = call.find(call.world.instances)
    added = add_rule(call, instance.rules)
    return answer_for(instance, "Security rule added", rule=added, rule_id=added["id"])


@route("DELETE", "/instances/{instance_id}/security-rules/{rule_id}/")
def remove_instance_security_rule(call: Call) -> Json:
    """Takes a rule from one machine."""
    instance = call.find(call.world.instances)
    return answer_for(instance, "Security rule removed", rule_id=remove_rule(call, instance.rules))


@route("GET", "/instances/for-snapshot/")
def list_snapshot_eligible_instances(call: Call) -> Json:
    """The machines of which a snapshot can be made."""
    return {
        "instances": [
            pick(instance, "region", "status", instance_id="id", vm_name="name", gpu_type="gpu_model")
            for instance in call.filter(call.world.instances.values(), "region")
            if instance.tier == "legacy" and instance.status == "ACTIVE"
        ]
    }
