"""Firewalls: sets of rules that are shared by the instances they are attached to."""

from __future__ import annotations

from typing import Annotated, Final

from barrack_mcp.catalogue.envelope import Answer, Paged, Receipt
from barrack_mcp.catalogue.models import MANY, Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Look, Operation, Retry, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.rules import FirewallRule, SecurityRule
from barrack_mcp.catalogue.values import (
    AnyIds,
    Description,
    Flag,
    Id,
    Lines,
    Name,
    RegionEnum,
    StatusEnum,
    Text,
    Texts,
    bare,
)

GROUP = "Firewalls"

SEEN: Final = Look("get_firewall", ("firewall_id",))


class FirewallPath(Request):
    """Which firewall."""

    firewall_id: Id = required("Id or name.")


class FirewallRulePath(FirewallPath):
    """Which rule of which firewall."""

    rule_id: Id = required("From get_firewall.")


class ListFirewallsQuery(Request):
    """Which firewalls to list."""

    region: RegionEnum | None = optional("Region.")


class FirewallInstancesQuery(Request):
    """For which firewall, and where."""

    firewall_id: Id | None = optional("Id or name.")
    region: RegionEnum | None = optional("Region.")


class CreateFirewallRequest(Request):
    """A new firewall, without rules."""

    name: Name = required("1-50 letters, digits, space, - _ .")
    region: RegionEnum = required("That of its instances.")
    description: Description | None = optional("What it is for.")


class AddFirewallRuleRequest(SecurityRule):
    """A new rule of a firewall."""


class AttachFirewallRequest(Request):
    """Which instances the firewall is to have."""

    instance_ids: AnyIds = required("All that shall have it; [] detaches all.")


class FirewallEnvironment(Response):
    """The part of a region in which a firewall works."""

    id: Text = answered("Environment id.", "environment_id")
    name: Text = answered("Name.", "environment_name")
    region: Text = answered("Region.")


class FirewallVM(Response):
    """An instance under a firewall."""

    instance_id: Text = answered("Instance id.", "id", "vm_id")
    vm_name: Text = answered("Name.", "name", "instance_name")
    status: StatusEnum = answered("Its state.")


class FirewallAttachment(Response):
    """The bond between a firewall and an instance."""

    id: Text = answered("Attachment id.", "attachment_id")
    vm: Annotated[FirewallVM | None, bare("instance_id")] = answered("The instance.", "instance")
    instance_id: Text = answered("Instance id, where the API puts it here.", "vm_id")
    vm_name: Text = answered("Its name, likewise.", "instance_name")
    status: StatusEnum = answered("ATTACHING, SUCCESS or ERROR.")


class FirewallResponse(Response):
    """A firewall as the API shows it."""

    id: Text = answered("Firewall id.", "firewall_id", concise=MANY)
    name: Text = answered("Name.", "firewall_name", concise=MANY)
    description: Lines = answered("What it is for.")
    status: StatusEnum = answered("CREATING, SUCCESS or ERROR.", concise=MANY)
    region: Text = answered("Region.", concise=MANY)
    environment: Annotated[FirewallEnvironment | None, bare("name")] = answered("Where it works.")
    rules: list[FirewallRule] | None = answered("Its rules.", "security_rules")
    attachments: list[Annotated[FirewallAttachment, bare("instance_id")]] | None = answered("Who has it.", concise=MANY)
    created_at: Text = answered("When it was created, ISO 8601.")


class ListFirewallsResponse(Paged):
    """A page of firewalls."""

    firewalls: list[FirewallResponse] | None = answered("The firewalls of this page.")


class FirewallReceipt(Receipt):
    """One firewall."""

    firewall: Annotated[FirewallResponse | None, bare("id")] = answered("The firewall.", "firewall_id")


class CreateFirewallResponse(FirewallReceipt):
    """The firewall that was created."""


class GetFirewallDetailsResponse(FirewallReceipt):
    """One firewall, with its rules and attachments."""


class AddFirewallRuleResponse(Receipt):
    """The rule that was added."""

    firewall_id: Text = answered("Firewall id.")
    rule: Annotated[FirewallRule | None, bare("id")] = answered("The new rule.", "rule_id")


class RemoveFirewallRuleResponse(Receipt):
    """The rule that was removed."""

    firewall_id: Text = answered("Firewall id.")
    rule_id: Text = answered("Id of the removed rule.")


class AttachFirewallResponse(Receipt):
    """The instances that have the firewall now."""

    firewall_id: Text = answered("Firewall id.")
    instance_ids: Texts = answered("The instances that have it now.", "vms", "vm_ids")


class DeleteFirewallResponse(Receipt):
    """The firewall is gone."""


class FirewallInstance(Response):
    """An instance that a firewall can be attached to."""

    instance_id: Text = answered("Instance id.", "id", "vm_id")
    vm_name: Text = answered("Name.", "name", "instance_name")
    status: StatusEnum = answered("Its state; ACTIVE is needed.")
    region: Text = answered("Region.")
    is_attached: Flag = answered("Whether it has the firewall already.", "attached")


class ListFirewallInstancesResponse(Answer):
    """The instances that a firewall can be attached to."""

    instances: list[Annotated[FirewallInstance, bare("instance_id")]] | None = answered("The instances.", "vms")


class Protocol(Response):
    """A protocol that rules can name."""

    value: Text = answered("As rules take it.", "name", "protocol")
    label: Text = answered("For people.")


class GetSupportedProtocolsResponse(Answer):
    """The protocols that rules can name."""

    protocols: list[Annotated[Protocol, bare("value")]] | None = answered("The protocols.")


OPERATIONS = (
    Operation(
        tool="list_firewalls",
        title="List firewalls",
        group=GROUP,
        toolset=Toolset.FIREWALLS,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Firewalls and who has them; rules: get_firewall. Those of one instance: list_instance_firewalls.",
        method="GET",
        path="/firewalls/",
        confidence=Confidence(method=97, path=65),
        request=ListFirewallsQuery,
        paged=True,
        response=ListFirewallsResponse,
        result="firewalls",
        idempotent=True,
    ),
    Operation(
        tool="create_firewall",
        title="Create firewall",
        group=GROUP,
        toolset=Toolset.FIREWALLS,
        risk=Risk.CHANGE,
        retry=Retry.UNSENT,
        description="Create an empty firewall (25 at most); then use add_firewall_rule, attach_firewall.",
        method="POST",
        path="/firewalls/create/",
        confidence=Confidence(method=95, path=45),
        alternates=elsewhere("POST", "/firewalls/"),
        request=CreateFirewallRequest,
        response=CreateFirewallResponse,
        result="firewall",
        look=Look("list_firewalls", ("region",)),
    ),
    Operation(
        tool="get_firewall",
        title="Get firewall details",
        group=GROUP,
        toolset=Toolset.FIREWALLS,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="One firewall: rules and the instances that have it. Read before attach_firewall.",
        method="GET",
        path="/firewalls/{firewall_id}/",
        confidence=Confidence(method=97, path=60),
        place=FirewallPath,
        response=GetFirewallDetailsResponse,
        result="firewall",
        idempotent=True,
    ),
    Operation(
        tool="add_firewall_rule",
        title="Add firewall rule",
        group=GROUP,
        toolset=Toolset.FIREWALLS,
        risk=Risk.EXPOSE,
        retry=Retry.UNSENT,
        description="Let traffic through on all instances with this firewall, within 10 minutes. For one: "
        "add_instance_security_rule.",
        method="POST",
        path="/firewalls/{firewall_id}/rules/add/",
        confidence=Confidence(method=90, path=25),
        alternates=elsewhere("POST", "/firewalls/add-rule/", "/firewalls/{firewall_id}/rules/"),
        place=FirewallPath,
        request=AddFirewallRuleRequest,
        response=AddFirewallRuleResponse,
        result="rule",
        look=SEEN,
    ),
    Operation(
        tool="remove_firewall_rule",
        title="Remove firewall rule",
        group=GROUP,
        toolset=Toolset.FIREWALLS,
        risk=Risk.INTERRUPT,
        retry=Retry.UNSENT,
        description="Remove a firewall's rule; its traffic, perhaps SSH, is cut off on all its instances. One's own:"
        " remove_instance_security_rule.",
        method="DELETE",
        path="/firewalls/{firewall_id}/rules/{rule_id}/",
        confidence=Confidence(method=90, path=40),
        alternates=elsewhere("DELETE", "/firewalls/{firewall_id}/rules/{rule_id}/delete/"),
        place=FirewallRulePath,
        response=RemoveFirewallRuleResponse,
        idempotent=True,
        look=SEEN,
    ),
    Operation(
        tool="attach_firewall",
        title="Attach firewall to instances",
        group=GROUP,
        toolset=Toolset.FIREWALLS,
        risk=Risk.INTERRUPT,
        retry=Retry.UNSENT,
        description="Set which instances have a firewall. The list may replace the present one: who is left out may "
        "lose it, [] detaches all. Read get_firewall, then name all that shall have it: ACTIVE, same "
        "region.",
        method="POST",
        path="/firewalls/{firewall_id}/attach/",
        confidence=Confidence(method=90, path=45),
        alternates=elsewhere("POST", "/firewalls/{firewall_id}/attachments/", "/firewalls/{firewall_id}/attach-vms/"),
        place=FirewallPath,
        request=AttachFirewallRequest,
        response=AttachFirewallResponse,
        idempotent=True,
        look=SEEN,
    ),
    Operation(
        tool="delete_firewall",
        title="Delete firewall",
        group=GROUP,
        toolset=Toolset.FIREWALLS,
        risk=Risk.DESTROY,
        retry=Retry.UNSENT,
        description="Delete a firewall and its rules for good. Detach all first: attach_firewall with [].",
        method="DELETE",
        path="/firewalls/{firewall_id}/delete/",
        confidence=Confidence(method=90, path=45),
        alternates=elsewhere("DELETE", "/firewalls/{firewall_id}/"),
        place=FirewallPath,
        response=DeleteFirewallResponse,
        idempotent=True,
        look=SEEN,
    ),
    Operation(
        tool="list_firewall_eligible_instances",
        title="List instances available for firewall attachment",
        group=GROUP,
        toolset=Toolset.FIREWALLS,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Instances that attach_firewall accepts: ACTIVE, in its region.",
        method="GET",
        path="/firewalls/instances/",
        confidence=Confidence(method=95, path=35),
        alternates=elsewhere("GET", "/firewalls/vms/"),
        request=FirewallInstancesQuery,
        response=ListFirewallInstancesResponse,
        result="instances",
        idempotent=True,
    ),
    Operation(
        tool="list_firewall_protocols",
        title="Get supported protocols",
        group=GROUP,
        toolset=Toolset.FIREWALLS,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Protocols that security and firewall rules may name. Known: tcp, udp, icmp.",
        method="GET",
        path="/firewalls/protocols/",
        confidence=Confidence(method=97, path=50),
        alternates=elsewhere("GET", "/firewalls/supported-protocols/"),
        response=GetSupportedProtocolsResponse,
        result="protocols",
        idempotent=True,
    ),
)
