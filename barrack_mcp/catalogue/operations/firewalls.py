"""Firewalls: sets of rules that are shared by the instances they are attached to."""

from functools import partial
from typing import Annotated, Final, Self

from pydantic import model_validator

from barrack_mcp.catalogue.envelope import Envelope, Named, Paged, Receipt
from barrack_mcp.catalogue.kinds import FIREWALL
from barrack_mcp.catalogue.models import MANY, Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.rules import FirewallRule, SecurityRule
from barrack_mcp.catalogue.signs import FirewallMoved, Gone, Look, Made, RuleAdded, RuleRemoved, Settles
from barrack_mcp.catalogue.values import (
    AnyIds,
    Description,
    Flag,
    Id,
    Ids,
    Lines,
    Name,
    RegionEnum,
    StatusEnum,
    Text,
    Texts,
    bare,
)

GROUP: Final = "Firewalls"

declare = partial(Operation, group=GROUP, toolset=Toolset.FIREWALLS)

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

    name: Name = required("1-50 letters, digits, space -_.")
    region: RegionEnum = required("That of its instances.")
    description: Description | None = optional("What it is for.")


class AddFirewallRuleRequest(SecurityRule):
    """A new rule of a firewall."""


class AttachFirewallRequest(Request):
    """Which instances the firewall is to have."""

    instance_ids: AnyIds | None = optional("All who shall have it; [] is none.")


class AttachmentChange(Request):
    """The same told as a difference. Ours: the API takes the whole."""

    add: Ids | None = optional("Ids or names; others keep it.")
    remove: Ids | None = optional("Ids or names.")

    @model_validator(mode="after")
    def _whole_or_difference(self) -> Self:
        whole = getattr(self, "instance_ids", None) is not None
        if whole == (self.add is not None or self.remove is not None):
            raise ValueError("instance_ids: is needed, or else add, remove or both")
        if both := set(self.add or ()) & set(self.remove or ()):
            raise ValueError(f"remove: must not name what add names ({len(both)} of them)")
        return self


class AttachmentMoves(Response):
    """What we add to the answer: whom the firewall was given, left and taken off."""

    gained: Texts = answered("Instances that have it now and had it not.")
    kept: Texts = answered("Instances that had it and have it.")
    lost: Texts = answered("Instances that had it and have it no more.")


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

    firewall_id: Text = answered("Id of the deleted firewall.")


class FirewallInstance(Response):
    """An instance that a firewall can be attached to."""

    instance_id: Text = answered("Instance id.", "id", "vm_id")
    vm_name: Text = answered("Name.", "name", "instance_name")
    status: StatusEnum = answered("Its state; ACTIVE is needed.")
    region: Text = answered("Region.")
    is_attached: Flag = answered("Whether it has the firewall already.", "attached")


class ListFirewallInstancesResponse(Envelope):
    """The instances that a firewall can be attached to."""

    instances: list[Annotated[FirewallInstance, bare("instance_id")]] | None = answered("The instances.", "vms")


class Protocol(Response):
    """A protocol that rules can name."""

    value: Text = answered("As rules take it.", "name", "protocol")
    label: Text = answered("For people.")
    has_ports: Flag = answered("Whether its rules take ports.")


class GetSupportedProtocolsResponse(Envelope):
    """The protocols that rules can name."""

    protocols: list[Annotated[Protocol, bare("value")]] | None = answered("The protocols.")


OPERATIONS = (
    declare(
        tool="list_firewalls",
        title="List firewalls",
        risk=Risk.READ,
        description="Firewalls and who has them; detail=full: with rules. Of one instance: list_instance_firewalls.",
        endpoint=Endpoint("GET", "/firewalls/", Confidence(97, 35)),
        request=ListFirewallsQuery,
        ours=Named,
        paged=True,
        response=ListFirewallsResponse,
        result="firewalls",
    ),
    declare(
        tool="create_firewall",
        title="Create firewall",
        risk=Risk.CHANGE,
        description="Create an empty firewall (25 at most); then add_firewall_rule, attach_firewall.",
        endpoint=Endpoint("POST", "/firewalls/create/", Confidence(95, 35)),
        alternates=elsewhere("POST", "/firewalls/"),
        request=CreateFirewallRequest,
        response=CreateFirewallResponse,
        result="firewall",
        look=Look("list_firewalls", ("region",)),
        sign=Made(FIREWALL, ("region",)),
        settles=Settles(FIREWALL, "CREATING", "SUCCESS"),
        after="Then add_firewall_rule and attach_firewall: it lets nothing in yet.",
    ),
    declare(
        tool="get_firewall",
        title="Get firewall details",
        risk=Risk.READ,
        description="One firewall: its rules, and the instances that have it now.",
        endpoint=Endpoint("GET", "/firewalls/{firewall_id}/", Confidence(97, 35)),
        place=FirewallPath,
        response=GetFirewallDetailsResponse,
        result="firewall",
    ),
    declare(
        tool="add_firewall_rule",
        title="Add firewall rule",
        risk=Risk.EXPOSE,
        description="Let traffic through on all instances with this firewall, within 10 minutes. One alone: "
        "add_instance_security_rule.",
        endpoint=Endpoint("POST", "/firewalls/{firewall_id}/rules/add/", Confidence(90, 25)),
        alternates=elsewhere("POST", "/firewalls/add-rule/", "/firewalls/{firewall_id}/rules/"),
        place=FirewallPath,
        request=AddFirewallRuleRequest,
        response=AddFirewallRuleResponse,
        result="rule",
        look=SEEN,
        sign=RuleAdded("rules"),
        after="It is in force within 10 minutes on all that have the firewall. What no rule lets in stays closed.",
    ),
    declare(
        tool="remove_firewall_rule",
        title="Remove firewall rule",
        risk=Risk.INTERRUPT,
        description="Remove a firewall's rule; its traffic, perhaps SSH, is cut off on all its instances.",
        endpoint=Endpoint("DELETE", "/firewalls/{firewall_id}/rules/{rule_id}/", Confidence(90, 35)),
        alternates=elsewhere("DELETE", "/firewalls/{firewall_id}/rules/{rule_id}/delete/"),
        place=FirewallRulePath,
        response=RemoveFirewallRuleResponse,
        sets_state=True,
        look=SEEN,
        sign=RuleRemoved("rules"),
        after="It is out of force within 10 minutes on all that have the firewall.",
    ),
    declare(
        tool="attach_firewall",
        title="Attach firewall to instances",
        risk=Risk.INTERRUPT,
        description="Say who gets (add) or loses (remove) a firewall, or all who shall have it (instance_ids): "
        "the others lose it. ACTIVE, in its region.",
        endpoint=Endpoint("POST", "/firewalls/{firewall_id}/attach/", Confidence(90, 35)),
        alternates=elsewhere("POST", "/firewalls/{firewall_id}/attachments/", "/firewalls/{firewall_id}/attach-vms/"),
        place=FirewallPath,
        request=AttachFirewallRequest,
        ours=AttachmentChange,
        adds=AttachmentMoves,
        response=AttachFirewallResponse,
        sets_state=True,
        look=SEEN,
        sign=FirewallMoved(),
        settles=Settles(FIREWALL, "ATTACHING", "SUCCESS", "firewall_id", subject="each attachment is"),
        after="What no rule lets in stays closed.",
    ),
    declare(
        tool="delete_firewall",
        title="Delete firewall",
        risk=Risk.DESTROY,
        description="Delete a firewall and its rules for good. Detach all first: attach_firewall.",
        endpoint=Endpoint("DELETE", "/firewalls/{firewall_id}/delete/", Confidence(90, 35)),
        alternates=elsewhere("DELETE", "/firewalls/{firewall_id}/"),
        place=FirewallPath,
        response=DeleteFirewallResponse,
        look=SEEN,
        sign=Gone(),
    ),
    declare(
        tool="list_firewall_eligible_instances",
        title="List instances available for firewall attachment",
        risk=Risk.READ,
        description="Instances that attach_firewall accepts: ACTIVE, in its region.",
        endpoint=Endpoint("GET", "/firewalls/instances/", Confidence(95, 35)),
        alternates=elsewhere("GET", "/firewalls/vms/"),
        request=FirewallInstancesQuery,
        response=ListFirewallInstancesResponse,
        result="instances",
    ),
    declare(
        tool="list_firewall_protocols",
        title="Get supported protocols",
        risk=Risk.READ,
        description="Protocols that rules may name. Known: tcp, udp, icmp and more.",
        endpoint=Endpoint("GET", "/firewalls/protocols/", Confidence(97, 35)),
        alternates=elsewhere("GET", "/firewalls/supported-protocols/"),
        response=GetSupportedProtocolsResponse,
        result="protocols",
    ),
)
