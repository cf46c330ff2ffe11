"""Firewalls: their rules, and the machines behind them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import StringConstraints

from barrack_mcp.simulator.calls import Call, pick, route
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.market import REGIONS
from barrack_mcp.simulator.routes.instances import add_rule, remove_rule
from barrack_mcp.simulator.routes.needs import need_status
from barrack_mcp.simulator.rules import PORTLESS, PROTOCOLS, Body, Ids, Json, Name, Region, refusal
from barrack_mcp.simulator.world import Firewall, World

MAX_FIREWALLS = 25
CREATE_S, ATTACH_S = 10, 10


class _NewFirewall(Body):
    name: Name
    region: Region
    description: Annotated[str, StringConstraints(max_length=255)] | None = None


class _Attachments(Body):
    instance_ids: Ids


def show_firewall(world: World, firewall: Firewall) -> Json:
    """A firewall as the API shows it."""
    guarded = [(world.instances[instance_id], status) for instance_id, status in firewall.attachments.items()]
    return {
        **pick(firewall, "id", "name", "description", "status", "region"),
        "environment": {
            "id": list(REGIONS).index(firewall.region) + 1,
            "name": firewall.region.lower(),
            "region": firewall.region,
        },
        "rules": list(firewall.rules),
        "attachments": [
            {"status": status, "vm": pick(instance, "status", instance_id="id", vm_name="name")}
            for instance, status in guarded
        ],
        "created_at": iso(firewall.created_at),
    }


@route("GET", "/firewalls/")
def list_firewalls(call: Call) -> Json:
    """The firewalls, oldest first."""
    found = call.filter(call.world.firewalls.values(), "region")
    return call.page("firewalls", found, lambda firewall: show_firewall(call.world, firewall))


@route("GET", "/firewalls/{firewall_id}/")
def get_firewall(call: Call) -> Json:
    """One firewall."""
    return {"firewall": show_firewall(call.world, call.find(call.world.firewalls))}


@route("POST", "/firewalls/create/", status=201)
def create_firewall(call: Call) -> Json:
    """Creates a firewall without rules, attached to nothing."""
    world, wanted = call.world, call.read(_NewFirewall)
    if len(world.firewalls) >= MAX_FIREWALLS:
        raise refusal(400, "FIREWALL_LIMIT_REACHED", f"At most {MAX_FIREWALLS} firewalls are allowed")
    world.firewalls.need_free(wanted.name)
    firewall = Firewall(name=wanted.name, description=wanted.description or "", region=wanted.region)
    world.put(world.firewalls, firewall)
    world.become(firewall, "SUCCESS", CREATE_S)
    return {"message": "Firewall is being created", "firewall": show_firewall(world, firewall)}


@route("POST", "/firewalls/{firewall_id}/rules/add/", status=201)
def add_firewall_rule(call: Call) -> Json:
    """Adds a rule for every machine behind the firewall."""
    firewall = call.find(call.world.firewalls)
    added = add_rule(call, firewall.rules)
    return {"message": "Firewall rule added", "firewall_id": firewall.id, "rule": added}


@route("DELETE", "/firewalls/{firewall_id}/rules/{rule_id}/")
def remove_firewall_rule(call: Call) -> Json:
    """Takes a rule from every machine behind the firewall."""
    firewall = call.find(call.world.firewalls)
    removed, tier = remove_rule(call, firewall.rules), REGIONS[firewall.region][1][0]
    return {"message": "Firewall rule removed", "firewall_id": firewall.id, "rule_id": removed, "tier": tier}


@route("POST", "/firewalls/{firewall_id}/attach/")
def attach_firewall(call: Call) -> Json:
    """Makes the firewall guard exactly these machines: any other that it guarded loses it."""
    world, firewall = call.world, call.find(call.world.firewalls)
    wanted = call.read(_Attachments).instance_ids
    if firewall.status != "SUCCESS":
        raise refusal(409, "FIREWALL_NOT_READY", f"The firewall is {firewall.status}: wait until it is created")
    fresh = [instance_id for instance_id in wanted if instance_id not in firewall.attachments]
    for instance in map(world.instances.find, wanted):
        if instance.region != firewall.region:
            raise refusal(400, "REGION_MISMATCH", "The instance is in another region than the firewall")
        if instance.id in fresh:
            need_status(instance, "ACTIVE", what="attach a firewall to")
    call.changed = set(wanted) != set(firewall.attachments)
    firewall.attachments = {instance_id: firewall.attachments.get(instance_id, "ATTACHING") for instance_id in wanted}
    if fresh:
        world.later(ATTACH_S, partial(_finish_attaching, firewall, fresh))
    return {"message": "Firewall attachments updated", "firewall_id": firewall.id, "instance_ids": wanted}


def _finish_attaching(firewall: Firewall, instance_ids: list[str]) -> None:
    firewall.attachments |= {each: "SUCCESS" for each in instance_ids if each in firewall.attachments}


@route("DELETE", "/firewalls/{firewall_id}/delete/")
def delete_firewall(call: Call) -> Json:
    """Deletes a firewall that guards nothing, with its rules, for good."""
    firewall = call.find(call.world.firewalls)
    if firewall.attachments:
        count = len(firewall.attachments)
        raise refusal(409, "FIREWALL_ATTACHED", f"The firewall is attached to {count} instance(s): detach it first")
    del call.world.firewalls[firewall.id]
    return {"message": "Firewall deleted", "firewall_id": firewall.id}


@route("GET", "/firewalls/instances/")
def list_firewall_eligible_instances(call: Call) -> Json:
    """The ACTIVE machines that a firewall could guard, and whether it does."""
    asked = call.query.get("firewall_id")
    chosen = call.world.firewalls.find(asked) if asked else None
    return {
        "instances": [
            pick(instance, "status", "region", instance_id="id", vm_name="name")
            | {"is_attached": chosen is not None and instance.id in chosen.attachments}
            for instance in call.filter(call.world.instances.values(), "region")
            if instance.status == "ACTIVE" and (chosen is None or chosen.region == instance.region)
        ]
    }


@route("GET", "/firewalls/protocols/")
def list_firewall_protocols(_: Call) -> Json:
    """The protocols that a rule may name."""
    return {
        "protocols": [
            {"value": value, "label": value.upper(), "has_ports": value not in PORTLESS} for value in PROTOCOLS
        ]
    }
