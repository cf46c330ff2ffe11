"""Machines: what they look like, and how they start, stop, sleep, wake and go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from barrack_mcp.simulator.calls import Call, Json, Route, matching, missing, paged, rule
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.market import gpu_hourly
from barrack_mcp.simulator.routes.catalog import available, specs
from barrack_mcp.simulator.rules import security_rule
from barrack_mcp.simulator.world import Instance, Rule, Volume, World

SETTLED = ("ACTIVE", "SHUTOFF", "HIBERNATED", "ERROR")
DELETE_S = 20
START, STOP, REBOOT, RESTORE = 30, 30, 30, 120


@dataclass(frozen=True, slots=True)
class Move:
    """A way from one settled state to another."""

    source: str
    via: str
    seconds: float
    to: str
    done: str


MOVES = {
    "start": Move("SHUTOFF", "STARTING", START, "ACTIVE", "Instance is starting"),
    "stop": Move("ACTIVE", "STOPPING", STOP, "SHUTOFF", "Instance is stopping"),
    "reboot": Move("ACTIVE", "REBOOTING", REBOOT, "ACTIVE", "Instance is rebooting"),
    "restore": Move("HIBERNATED", "RESTORING", RESTORE, "ACTIVE", "Instance is being restored"),
}


def find(call: Call) -> Instance:
    """The instance that the path names."""
    instance = call.world.instances.get(call.ids["instance_id"])
    if instance is None:
        raise missing("Instance")
    return instance


def need_status(instance: Instance, *allowed: str, what: str) -> None:
    """Refuse unless the machine is in one of these states."""
    if instance.status not in allowed:
        raise rule(
            409,
            "INVALID_INSTANCE_STATE",
            f"Cannot {what} an instance in state {instance.status}: it must be {' or '.join(allowed)}",
            current_status=instance.status,
        )


def need_profile(world: World) -> None:
    """Refuse what creates things until the profile is complete."""
    if not world.account.complete:
        raise rule(400, "PROFILE_INCOMPLETE", "Profile incomplete")


def need_credit(world: World, amount: float) -> None:
    """Refuse what the credits do not cover."""
    if world.balance_shown() < amount:
        facts = {"balance": world.balance_shown(), "required": round(amount, 4), "currency": world.account.currency}
        raise rule(402, "INSUFFICIENT_CREDITS", "Insufficient credits", **facts)


def need_stock(world: World, model: str, count: int, region: str) -> None:
    """Refuse what the data centre cannot house now."""
    left = available(world, model, region)
    if left < count:
        raise rule(409, "OUT_OF_STOCK", f"Out of stock: {left} x {model} available in {region}", available=left)


def need_machine(world: World, model: str, count: int, region: str) -> None:
    """Refuse a machine that is not in stock or whose first hour the credits do not cover."""
    need_stock(world, model, count, region)
    need_credit(world, gpu_hourly(model, count, world.account.currency))


def make_rule(world: World, values: Json) -> Rule:
    """A rule with the next number."""
    return Rule(world.next_rule_id(), **values)


def _attachment(volume: Volume) -> Json:
    return {
        "volume_id": volume.id,
        "volume_name": volume.name,
        "size_gb": volume.size_gb,
        "volume_type": volume.volume_type,
        "status": volume.attachment,
        "bootable": volume.boot,
    }


def ip_status(instance: Instance) -> str:
    """Whether the machine has a public address now."""
    return "ATTACHED" if instance.public_ip else "DETACHED"


def shown(world: World, instance: Instance) -> Json:
    """A machine as lists show it."""
    return {
        "instance_id": instance.id,
        "vm_name": instance.name,
        "status": instance.status,
        "gpu_type": instance.gpu_model,
        "gpu_count": instance.gpu_count,
        "region": instance.region,
        "tier": instance.tier,
        "ip_status": ip_status(instance),
        "public_ip": instance.public_ip,
        "private_ip": instance.private_ip,
        "created_at": iso(instance.created_at),
        "flavor": {"name": f"{instance.gpu_count}x{instance.gpu_model}", "gpu_count": instance.gpu_count},
        "image": {"name": instance.image_name, "boot_source": instance.boot_source, "default_user": "ubuntu"},
        "volume_attachments": [_attachment(volume) for volume in world.volumes_of(instance)],
        "security_rules": [asdict(each) for each in instance.rules],
        "features": {
            "hibernation": True,
            "snapshots": instance.tier == "legacy",
            "public_ip": True,
            "jupyter": instance.jupyter,
            "cloud_init": instance.cloud_init,
        },
    }


def detailed(world: World, instance: Instance) -> Json:
    """A machine with all that is known of it."""
    status = instance.status
    return {
        **shown(world, instance),
        "specs": {
            name: value for name, value in specs(instance.gpu_model, instance.gpu_count).items() if name != "regions"
        },
        "operations": {
            **{name: status == move.source for name, move in MOVES.items()},
            "hibernate": status == "ACTIVE",
            "delete": status in SETTLED,
            "toggle_public_ip": status == "ACTIVE",
            "attach_volumes": status == "ACTIVE",
            "create_snapshot": status == "ACTIVE" and instance.tier == "legacy",
        },
        "ssh_keys": [
            {"id": key.id, "name": key.name} for key in map(world.keys.get, instance.ssh_key_ids) if key is not None
        ],
        "firewalls": [
            {"id": firewall.id, "name": firewall.name}
            for firewall in world.firewalls.values()
            if instance.id in firewall.attachments
        ],
        "startup_script_id": instance.startup_script_id,
    }


def list_instances(call: Call) -> Json:
    """The machines, oldest first."""
    found = matching(call, call.world.instances.values(), status="status", region="region", tier="tier")
    return paged(call, "instances", found, lambda instance: shown(call.world, instance))


def get_instance(call: Call) -> Json:
    """One machine in full."""
    instance = find(call)
    return {"instance": detailed(call.world, instance), "tier": instance.tier}


def _moved(instance: Instance, message: str) -> Json:
    return {
        "message": message,
        "instance_id": instance.id,
        "status": instance.status,
        "tier": instance.tier,
    }


def _mover(name: str) -> Callable[[Call], Json]:
    move = MOVES[name]

    def answer(call: Call) -> Json:
        instance = find(call)
        need_status(instance, move.source, what=name)
        call.world.move(instance, move.via, move.seconds, move.to)
        return _moved(instance, move.done)

    return answer


def hibernate_instance(call: Call) -> Json:
    """Puts the machine to sleep; its public address is released at once."""
    instance = find(call)
    need_status(instance, "ACTIVE", what="hibernate")
    call.world.hibernate(instance)
    return _moved(instance, "Instance is hibernating")


def restore_instance(call: Call) -> Json:
    """Wakes the machine; it needs stock and credits, and gets another public address."""
    instance, world = find(call), call.world
    need_status(instance, "HIBERNATED", what="restore")
    need_machine(world, instance.gpu_model, instance.gpu_count, instance.region)
    if instance.wants_ip:
        instance.public_ip = world.next_address("198.18")
    return _mover("restore")(call)


def delete_instance(call: Call) -> Json:
    """Ends the machine in 20 seconds, for good."""
    instance, world = find(call), call.world
    need_status(instance, *SETTLED, what="delete")
    world.set_status(instance, "DELETING")
    world.later(DELETE_S, lambda: world.end_instance(instance))
    return {"message": "Instance is being deleted", "instance_id": instance.id, "tier": instance.tier}


def toggle_instance_public_ip(call: Call) -> Json:
    """Takes the public address away if there is one, else gives a new one."""
    instance = find(call)
    need_status(instance, "ACTIVE", what="toggle the public IP of")
    instance.wants_ip = instance.public_ip is None
    instance.public_ip = call.world.next_address("198.18") if instance.wants_ip else None
    return {
        "message": f"Public IP {'attached' if instance.wants_ip else 'detached'}",
        "instance_id": instance.id,
        "public_ip": instance.public_ip,
        "ip_status": ip_status(instance),
        "tier": instance.tier,
    }


def list_instance_firewalls(call: Call) -> Json:
    """The firewalls of a machine with their rules."""
    instance = find(call)
    return {
        "instance_id": instance.id,
        "firewalls": [
            {
                "firewall_id": firewall.id,
                "name": firewall.name,
                "status": firewall.attachments[instance.id],
                "rules": [asdict(each) for each in firewall.rules],
            }
            for firewall in call.world.firewalls.values()
            if instance.id in firewall.attachments
        ],
        "tier": instance.tier,
    }


def add_instance_security_rule(call: Call) -> Json:
    """Opens or allows something on one machine."""
    instance = find(call)
    added = make_rule(call.world, security_rule(call.body))
    instance.rules.append(added)
    return {
        "message": "Security rule added",
        "instance_id": instance.id,
        "rule": asdict(added),
        "rule_id": added.id,
        "tier": instance.tier,
    }


def remove_instance_security_rule(call: Call) -> Json:
    """Takes a rule from one machine."""
    instance = find(call)
    remove_rule(instance.rules, call.ids["rule_id"])
    return {
        "message": "Security rule removed",
        "instance_id": instance.id,
        "rule_id": call.ids["rule_id"],
        "tier": instance.tier,
    }


def remove_rule(rules: list[Rule], rule_id: str) -> None:
    """Take the rule of this id out of a list; refuse if there is none."""
    kept = [each for each in rules if each.id != rule_id]
    if len(kept) == len(rules):
        raise missing("Rule")
    rules[:] = kept


def list_snapshot_eligible_instances(call: Call) -> Json:
    """The machines of which a snapshot can be made."""
    return {
        "instances": [
            {
                "instance_id": instance.id,
                "vm_name": instance.name,
                "gpu_type": instance.gpu_model,
                "region": instance.region,
                "status": instance.status,
            }
            for instance in matching(call, call.world.instances.values(), region="region")
            if instance.tier == "legacy" and instance.status == "ACTIVE"
        ]
    }


_ONE = "/instances/{instance_id}/"
ROUTES = (
    Route("list_instances", "GET", "/instances/", list_instances),
    Route("get_instance", "GET", _ONE, get_instance),
    Route("start_instance", "POST", f"{_ONE}start/", _mover("start"), writes=True),
    Route("stop_instance", "POST", f"{_ONE}stop/", _mover("stop"), writes=True),
    Route("reboot_instance", "POST", f"{_ONE}reboot/", _mover("reboot"), writes=True),
    Route("hibernate_instance", "POST", f"{_ONE}hibernate/", hibernate_instance, writes=True),
    Route("restore_instance", "POST", f"{_ONE}restore/", restore_instance, writes=True),
    Route("delete_instance", "DELETE", f"{_ONE}delete/", delete_instance, writes=True),
    Route("toggle_instance_public_ip", "POST", f"{_ONE}toggle-public-ip/", toggle_instance_public_ip, writes=True),
    Route("list_instance_firewalls", "GET", f"{_ONE}firewalls/", list_instance_firewalls),
    Route("add_instance_security_rule", "POST", f"{_ONE}security-rules/", add_instance_security_rule, writes=True),
    Route(
        "remove_instance_security_rule",
        "DELETE",
        f"{_ONE}security-rules/{{rule_id}}/",
        remove_instance_security_rule,
        writes=True,
    ),
    Route("list_snapshot_eligible_instances", "GET", "/instances/for-snapshot/", list_snapshot_eligible_instances),
)
