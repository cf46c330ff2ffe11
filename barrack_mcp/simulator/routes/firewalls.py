"""Firewalls: their rules, and the machines behind them."""

from __future__ import annotations

from dataclasses import asdict

from barrack_mcp.simulator.calls import Call, Json, Route, matching, missing, paged, rule
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.market import REGIONS
from barrack_mcp.simulator.routes.instances import make_rule, need_status, remove_rule
from barrack_mcp.simulator.rules import (
    PORTLESS,
    PROTOCOLS,
    Field,
    choice,
    ids,
    name50,
    need_free_name,
    read,
    security_rule,
    text,
)
from barrack_mcp.simulator.world import Firewall, World

MAX_FIREWALLS = 25
CREATE_S, ATTACH_S = 10, 10

_CREATE = {
    "name": Field(name50),
    "region": Field(choice(*REGIONS)),
    "description": Field(text(0, 255), required=False),
}
_ATTACH = {"instance_ids": Field(ids())}


def shown(world: World, firewall: Firewall) -> Json:
    """A firewall as the API shows it."""
    return {
        "id": firewall.id,
        "name": firewall.name,
        "description": firewall.description,
        "status": firewall.status,
        "region": firewall.region,
        "environment": {"id": list(REGIONS).index(firewall.region) + 1, "name": firewall.region.lower()}
        | {"region": firewall.region},
        "rules": [asdict(each) for each in firewall.rules],
        "attachments": [
            {
                "status": status,
                "vm": {
                    "instance_id": instance_id,
                    "vm_name": world.instances[instance_id].name,
                    "status": world.instances[instance_id].status,
                },
            }
            for instance_id, status in firewall.attachments.items()
        ],
        "created_at": iso(firewall.created_at),
    }


def _find(call: Call) -> Firewall:
    firewall = call.world.firewalls.get(call.ids["firewall_id"])
    if firewall is None:
        raise missing("Firewall")
    return firewall


def _tier(firewall: Firewall) -> str:
    return REGIONS[firewall.region][1][0]


def list_firewalls(call: Call) -> Json:
    """The firewalls, oldest first."""
    found = matching(call, call.world.firewalls.values(), region="region")
    return paged(call, "firewalls", found, lambda firewall: shown(call.world, firewall))


def get_firewall(call: Call) -> Json:
    """One firewall."""
    return {"firewall": shown(call.world, _find(call))}


def create_firewall(call: Call) -> Json:
    """Creates a firewall without rules, attached to nothing."""
    world, wanted = call.world, read(call.body, _CREATE)
    if len(world.firewalls) >= MAX_FIREWALLS:
        raise rule(400, "FIREWALL_LIMIT_REACHED", f"At most {MAX_FIREWALLS} firewalls are allowed")
    need_free_name("Firewall", wanted["name"], world.firewalls.values())
    firewall = Firewall(world.next_id("FW-{}"), wanted["name"], wanted["description"] or "", wanted["region"], call.now)
    world.firewalls[firewall.id] = firewall
    world.later(CREATE_S, lambda: setattr(firewall, "status", "SUCCESS"))
    return {"message": "Firewall is being created", "firewall": shown(world, firewall)}


def add_firewall_rule(call: Call) -> Json:
    """Adds a rule for every machine behind the firewall."""
    firewall = _find(call)
    added = make_rule(call.world, security_rule(call.body))
    firewall.rules.append(added)
    return {"message": "Firewall rule added", "firewall_id": firewall.id, "rule": asdict(added)}


def remove_firewall_rule(call: Call) -> Json:
    """Takes a rule from every machine behind the firewall."""
    firewall = _find(call)
    remove_rule(firewall.rules, call.ids["rule_id"])
    return {
        "message": "Firewall rule removed",
        "firewall_id": firewall.id,
        "rule_id": call.ids["rule_id"],
        "tier": _tier(firewall),
    }


def attach_firewall(call: Call) -> Json:
    """Makes the firewall guard exactly these machines: any other that it guarded loses it."""
    world, firewall = call.world, _find(call)
    wanted = read(call.body, _ATTACH)["instance_ids"]
    if firewall.status != "SUCCESS":
        raise rule(409, "FIREWALL_NOT_READY", f"The firewall is {firewall.status}: wait until it is created")
    for instance_id in wanted:
        instance = world.instances.get(instance_id)
        if instance is None:
            raise missing("Instance")
        if instance.region != firewall.region:
            raise rule(400, "REGION_MISMATCH", "The instance is in another region than the firewall")
        if instance_id not in firewall.attachments:
            need_status(instance, "ACTIVE", what="attach a firewall to")
    call.changed = set(wanted) != set(firewall.attachments)
    fresh = [instance_id for instance_id in wanted if instance_id not in firewall.attachments]
    firewall.attachments = {instance_id: firewall.attachments.get(instance_id, "ATTACHING") for instance_id in wanted}
    if fresh:
        world.later(ATTACH_S, lambda: _attached(firewall, fresh))
    return {"message": "Firewall attachments updated", "firewall_id": firewall.id, "instance_ids": wanted}


def _attached(firewall: Firewall, instance_ids: list[str]) -> None:
    for instance_id in instance_ids:
        if instance_id in firewall.attachments:
            firewall.attachments[instance_id] = "SUCCESS"


def delete_firewall(call: Call) -> Json:
    """Deletes a firewall that guards nothing, with its rules, for good."""
    firewall = _find(call)
    if firewall.attachments:
        count = len(firewall.attachments)
        raise rule(409, "FIREWALL_ATTACHED", f"The firewall is attached to {count} instance(s): detach it first")
    del call.world.firewalls[firewall.id]
    return {"message": "Firewall deleted", "firewall_id": firewall.id}


def list_firewall_eligible_instances(call: Call) -> Json:
    """The ACTIVE machines that a firewall could guard, and whether it does."""
    world, chosen = call.world, None
    if call.query.get("firewall_id"):
        chosen = world.firewalls.get(call.query["firewall_id"])
        if chosen is None:
            raise missing("Firewall")
    return {
        "instances": [
            {
                "instance_id": instance.id,
                "vm_name": instance.name,
                "status": instance.status,
                "region": instance.region,
                "is_attached": chosen is not None and instance.id in chosen.attachments,
            }
            for instance in matching(call, world.instances.values(), region="region")
            if instance.status == "ACTIVE" and (chosen is None or chosen.region == instance.region)
        ]
    }


def list_firewall_protocols(_: Call) -> Json:
    """The protocols that a rule may name."""
    return {
        "protocols": [
            {"value": value, "label": value.upper(), "has_ports": value not in PORTLESS} for value in PROTOCOLS
        ]
    }


_ONE = "/firewalls/{firewall_id}/"
ROUTES = (
    Route("list_firewalls", "GET", "/firewalls/", list_firewalls),
    Route("create_firewall", "POST", "/firewalls/create/", create_firewall, writes=True, status=201),
    Route("get_firewall", "GET", _ONE, get_firewall),
    Route("add_firewall_rule", "POST", f"{_ONE}rules/add/", add_firewall_rule, writes=True, status=201),
    Route("remove_firewall_rule", "DELETE", f"{_ONE}rules/{{rule_id}}/", remove_firewall_rule, writes=True),
    Route("attach_firewall", "POST", f"{_ONE}attach/", attach_firewall, writes=True),
    Route("delete_firewall", "DELETE", f"{_ONE}delete/", delete_firewall, writes=True),
    Route("list_firewall_eligible_instances", "GET", "/firewalls/instances/", list_firewall_eligible_instances),
    Route("list_firewall_protocols", "GET", "/firewalls/protocols/", list_firewall_protocols),
)
