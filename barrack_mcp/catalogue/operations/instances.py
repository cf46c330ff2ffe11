"""Instances: the machines. Stopping one saves nothing; only hibernating or deleting ends the full rate."""

from functools import partial
from typing import Annotated, Final

from barrack_mcp.catalogue.answers.billing import AggregatedBillingResponse, Billed, Cut, Days
from barrack_mcp.catalogue.answers.machines import VMInstance, VMResponse
from barrack_mcp.catalogue.envelope import Costing, CostingList, Envelope, Leased, Named, Paged, RatedMachine, Receipt
from barrack_mcp.catalogue.kinds import INSTANCE
from barrack_mcp.catalogue.models import DOCUMENTED, Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.rules import FirewallRule, SecurityRule, VMSecurityRule
from barrack_mcp.catalogue.signs import Flipped, Gone, Look, Reaches, RuleAdded, RuleRemoved, Settles
from barrack_mcp.catalogue.values import (
    Id,
    IpStatusEnum,
    OnOff,
    RegionEnum,
    StatusEnum,
    Text,
    TierEnum,
    VMStatus,
    bare,
)

GROUP: Final = "Instances"

declare = partial(Operation, group=GROUP, toolset=Toolset.INSTANCES)

FULL_RATE: Final = (
    "ACTIVE and SHUTOFF instances both cost the full rate; only hibernating (a small rate) or deleting ends it."
)
SEEN: Final = Look("get_instance", ("instance_id",))


class InstancePath(Request):
    """Which instance."""

    instance_id: Id = required("Id or name.")


class InstanceRulePath(InstancePath):
    """Which rule of which instance."""

    rule_id: Id = required("From get_instance.")


class ListInstancesQuery(Request):
    """Which instances to list."""

    status: VMStatus | None = optional("E.g. ACTIVE, SHUTOFF.")
    region: RegionEnum | None = optional("Region.")
    tier: TierEnum | None = optional("Tier.")


class InstanceBillingQuery(Request):
    """Whose bill to show."""

    instance_id: Id | None = optional("Id or name.")


class SnapshotInstancesQuery(Request):
    """Where to look."""

    region: RegionEnum | None = optional("Region.")


class PublicIpWish(Request):
    """How the public IP shall be. Ours: the API flips it whichever it is."""

    want: OnOff | None = optional("Without it, it flips.")


class VMSecurityRuleRequest(SecurityRule):
    """A new rule of one instance."""


class ListVMsResponse(Paged):
    """A page of instances."""

    instances: list[VMInstance] | None = answered("The instances of this page.", "vms")


class VMDetailsResponse(Receipt):
    """One instance."""

    instance: VMResponse | None = answered("The instance.", "vm")


class InstanceReceipt(Receipt):
    """What an action on an instance answers."""

    instance_id: Text = answered("Instance id.", "vm_id")
    status: StatusEnum = answered("Its state now, often one on the way.")


class StartVMResponse(InstanceReceipt):
    """The instance starts."""


class StopVMResponse(InstanceReceipt):
    """The instance stops."""


class RebootVMResponse(InstanceReceipt):
    """The instance reboots."""


class HibernateVMResponse(InstanceReceipt):
    """The instance is being hibernated."""


class RestoreVMResponse(InstanceReceipt):
    """The instance is being restored."""


class DeleteVMResponse(InstanceReceipt):
    """The instance is being deleted."""


class ToggleVMPublicIPResponse(InstanceReceipt):
    """The public IP was given or taken."""

    public_ip: Text = answered("The public IP now, if any.", "ip", "floating_ip")
    ip_status: IpStatusEnum = answered("State of the public IP.")


class AttachedFirewall(Response):
    """A firewall on an instance."""

    firewall_id: Text = answered("Firewall id.", "id")
    name: Text = answered("Name.", "firewall_name")
    status: StatusEnum = answered("State of the attachment: ATTACHING, SUCCESS or ERROR.")
    rules: list[FirewallRule] | None = answered("Its rules.")


class GetVMAttachedFirewallsResponse(Receipt):
    """The firewalls of one instance."""

    instance_id: Text = answered("Instance id.", "vm_id")
    firewalls: list[Annotated[AttachedFirewall, bare("firewall_id")]] | None = answered("Its firewalls.")


class AddVMSecurityRuleResponse(Receipt):
    """The rule that was added."""

    instance_id: Text = answered("Instance id.", "vm_id")
    rule: Annotated[VMSecurityRule | None, bare("id")] = answered("The new rule.", "rule_id")
    rule_id: Text = answered("Id of the new rule.")


class RemoveVMSecurityRuleResponse(Receipt):
    """The rule that was removed."""

    instance_id: Text = answered("Instance id.", mark=DOCUMENTED)
    rule_id: Text = answered("Id of the removed rule.", mark=DOCUMENTED)


class SnapshotVMResponse(Response):
    """An instance that a snapshot can be taken of."""

    instance_id: Text = answered("Instance id.", "id", "vm_id")
    vm_name: Text = answered("Name.", "name", "instance_name")
    gpu_type: Text = answered("GPU model.", "gpu_model")
    region: Text = answered("Region.")
    status: StatusEnum = answered("State; ACTIVE is needed.")


class ListVMsForSnapshotResponse(Envelope):
    """The instances that a snapshot can be taken of."""

    instances: list[Annotated[SnapshotVMResponse, bare("instance_id")]] | None = answered("The instances.", "vms")


OPERATIONS = (
    declare(
        tool="list_instances",
        title="List instances",
        risk=Risk.READ,
        description="Instances: state, GPU, IPs, rate, sum. SHUTOFF costs the full rate, HIBERNATED little. "
        "detail=full: also rules and firewalls, so who can reach what.",
        endpoint=Endpoint("GET", "/instances/", Confidence(99, 45)),
        alternates=elsewhere("GET", "/vms/", "/virtual-machines/", "/deployments/"),
        request=ListInstancesQuery,
        ours=Named,
        paged=True,
        response=ListVMsResponse,
        result="instances",
        beside=CostingList,
        adds=RatedMachine,
        core=True,
        billing=FULL_RATE,
    ),
    declare(
        tool="get_instance",
        title="Get instance details",
        risk=Risk.READ,
        description="One instance: state, GPU, IPs, volumes, keys, rules, firewalls with theirs. SHUTOFF costs "
        "the full rate.",
        endpoint=Endpoint("GET", "/instances/{instance_id}/", Confidence(99, 40)),
        alternates=elsewhere(
            "GET",
            "/instances/{instance_id}/details/",
            "/instances/details/{instance_id}/",
            "/deployments/{instance_id}/",
        ),
        place=InstancePath,
        response=VMDetailsResponse,
        result="instance",
        beside=Costing,
        adds=RatedMachine,
        core=True,
        billing=FULL_RATE,
    ),
    declare(
        tool="start_instance",
        title="Start instance",
        risk=Risk.CHANGE,
        description="Boot a SHUTOFF instance; stopped or running, it costs the full rate. A HIBERNATED one: "
        "restore_instance.",
        endpoint=Endpoint("POST", "/instances/{instance_id}/start/", Confidence(99, 30)),
        alternates=elsewhere("POST", "/deployments/{instance_id}/start/"),
        place=InstancePath,
        response=StartVMResponse,
        core=True,
        sets_state=True,
        planned=True,
        look=SEEN,
        sign=Reaches(("STARTING", "ACTIVE")),
        settles=Settles(INSTANCE, "STARTING", "ACTIVE", "instance_id"),
        billing="Starting changes nothing on the bill: the instance cost the full rate while it was stopped, too.",
    ),
    declare(
        tool="stop_instance",
        title="Stop instance",
        risk=Risk.INTERRUPT,
        description="Shut down an ACTIVE instance. Saves no money: SHUTOFF costs the full rate. To save: "
        "hibernate_instance; to end all cost: delete_instance.",
        endpoint=Endpoint("POST", "/instances/{instance_id}/stop/", Confidence(99, 30)),
        alternates=elsewhere("POST", "/deployments/{instance_id}/stop/"),
        place=InstancePath,
        response=StopVMResponse,
        sets_state=True,
        look=SEEN,
        sign=Reaches(("STOPPING", "SHUTOFF")),
        settles=Settles(INSTANCE, "STOPPING", "SHUTOFF", "instance_id"),
        billing="Stopping saves nothing: a stopped (SHUTOFF) instance costs the full rate; only hibernating or "
        "deleting ends it.",
    ),
    declare(
        tool="reboot_instance",
        title="Reboot instance",
        risk=Risk.INTERRUPT,
        description="Restart an ACTIVE instance: running work is lost. The bill goes on.",
        endpoint=Endpoint("POST", "/instances/{instance_id}/reboot/", Confidence(99, 30)),
        alternates=elsewhere("POST", "/deployments/{instance_id}/reboot/"),
        place=InstancePath,
        response=RebootVMResponse,
        look=SEEN,
        sign=Reaches(("REBOOTING",), passes=True),
        settles=Settles(INSTANCE, "REBOOTING", "ACTIVE", "instance_id"),
        billing="Rebooting changes nothing on the bill: the full rate goes on.",
    ),
    declare(
        tool="hibernate_instance",
        title="Hibernate instance",
        risk=Risk.INTERRUPT,
        description="Pause an ACTIVE instance (SHUTOFF: start it first) at a small rate. Ephemeral disk and "
        "public IP may be lost. Back, if there is stock: restore_instance.",
        endpoint=Endpoint("POST", "/instances/{instance_id}/hibernate/", Confidence(99, 30)),
        alternates=elsewhere(
            "POST",
            "/vms/{instance_id}/hibernate/",
            "/hibernate/{instance_id}/",
            "/deployments/{instance_id}/hibernate/",
        ),
        place=InstancePath,
        response=HibernateVMResponse,
        core=True,
        sets_state=True,
        look=SEEN,
        sign=Reaches(("HIBERNATING", "HIBERNATED")),
        settles=Settles(INSTANCE, "HIBERNATING", "HIBERNATED", "instance_id"),
        billing="A hibernated instance costs a small hourly rate instead of the full one; its volumes cost as before.",
        on_conflict="Only an ACTIVE instance can be hibernated. If it is SHUTOFF: start_instance, get_instance until "
        "it is ACTIVE, then hibernate_instance.",
        after="Kept: its system disk and volumes. Perhaps lost: its ephemeral disk and public IP. restore_instance "
        "wakes it while there is stock.",
    ),
    declare(
        tool="restore_instance",
        title="Restore hibernated instance",
        risk=Risk.SPEND,
        description="Wake a HIBERNATED instance; the full rate resumes. Needs stock and credit; the IP may "
        "change. A SHUTOFF one: start_instance.",
        endpoint=Endpoint("POST", "/instances/{instance_id}/restore/", Confidence(99, 30)),
        alternates=elsewhere(
            "POST", "/instances/{instance_id}/hibernate-restore/", "/deployments/{instance_id}/restore/"
        ),
        place=InstancePath,
        ours=Leased,
        response=RestoreVMResponse,
        core=True,
        look=SEEN,
        sign=Reaches(("RESTORING", "ACTIVE")),
        settles=Settles(INSTANCE, "RESTORING", "ACTIVE", "instance_id"),
        billing="The full rate resumes as soon as the instance is ACTIVE.",
        after="Its public IP may be another one.",
    ),
    declare(
        tool="delete_instance",
        title="Delete instance",
        risk=Risk.DESTROY,
        description="Delete an instance and its disks for good, ending its bill. Detach volumes first to keep "
        "them. To pause: hibernate_instance.",
        endpoint=Endpoint("DELETE", "/instances/{instance_id}/delete/", Confidence(99, 30)),
        alternates=elsewhere("DELETE", "/instances/{instance_id}/", "/deployments/{instance_id}/delete/"),
        place=InstancePath,
        response=DeleteVMResponse,
        core=True,
        look=SEEN,
        sign=Gone(),
        billing="Deleting ends the instance's bill; volumes and snapshots that remain cost as before.",
        after="It is gone within a minute or so; get_instance finds nothing then.",
    ),
    declare(
        tool="toggle_instance_public_ip",
        title="Toggle public IP for instance",
        risk=Risk.INTERRUPT,
        description="Give an instance a public IP or take it away (want). Connections break; the old IP may not "
        "return.",
        endpoint=Endpoint("POST", "/instances/{instance_id}/toggle-public-ip/", Confidence(99, 30)),
        alternates=elsewhere(
            "POST", "/instances/{instance_id}/toggle-ip/", "/deployments/{instance_id}/toggle-public-ip/"
        ),
        place=InstancePath,
        ours=PublicIpWish,
        response=ToggleVMPublicIPResponse,
        look=SEEN,
        sign=Flipped(),
        after="Next: get_instance shows the address, usually within a minute. What no rule lets in stays closed.",
    ),
    declare(
        tool="list_instance_firewalls",
        title="Get firewalls attached to instance",
        risk=Risk.READ,
        description="Firewalls of one instance, with rules. Its own too: get_instance.",
        endpoint=Endpoint("GET", "/instances/{instance_id}/firewalls/", Confidence(99, 30)),
        alternates=elsewhere(
            "GET",
            "/instances/{instance_id}/attached-firewalls/",
            "/firewalls/instance/{instance_id}/",
            "/deployments/{instance_id}/firewalls/",
        ),
        place=InstancePath,
        response=GetVMAttachedFirewallsResponse,
        result="firewalls",
    ),
    declare(
        tool="add_instance_security_rule",
        title="Add instance security rule",
        risk=Risk.EXPOSE,
        description="Let traffic to or from one ACTIVE instance, within 10 minutes; without rules all is closed. "
        "Several: add_firewall_rule.",
        endpoint=Endpoint("POST", "/instances/{instance_id}/security-rules/", Confidence(99, 30)),
        alternates=elsewhere(
            "POST", "/instances/{instance_id}/sg-rules/", "/deployments/{instance_id}/security-rules/"
        ),
        place=InstancePath,
        request=VMSecurityRuleRequest,
        response=AddVMSecurityRuleResponse,
        result="rule",
        look=SEEN,
        sign=RuleAdded("security_rules"),
        after="It is in force within 10 minutes; get_instance lists it. What no rule lets in stays closed.",
    ),
    declare(
        tool="remove_instance_security_rule",
        title="Remove instance security rule",
        risk=Risk.INTERRUPT,
        description="Remove an instance's own rule; its traffic, perhaps SSH, is cut off. A firewall's: "
        "remove_firewall_rule.",
        endpoint=Endpoint("DELETE", "/instances/{instance_id}/security-rules/{rule_id}/", Confidence(99, 30)),
        alternates=elsewhere(
            "DELETE",
            "/instances/{instance_id}/sg-rules/{rule_id}/",
            "/deployments/{instance_id}/security-rules/{rule_id}/",
        ),
        place=InstanceRulePath,
        response=RemoveVMSecurityRuleResponse,
        sets_state=True,
        look=SEEN,
        sign=RuleRemoved("security_rules"),
        after="It is out of force within 10 minutes.",
    ),
    declare(
        tool="get_instance_billing",
        title="Get instance billing",
        toolset=Toolset.ACCOUNT,
        risk=Risk.READ,
        description="What instances have cost, in all or between two days. Price now: quote_price.",
        endpoint=Endpoint("GET", "/instances/billing/", Confidence(99, 40)),
        alternates=elsewhere(
            "GET", "/instances/{instance_id}/billing/", "/billing/instances/", "/deployments/billing/"
        ),
        request=InstanceBillingQuery,
        paged=True,
        response=AggregatedBillingResponse,
        result="records",
        ours=Days,
        beside=Billed,
        adds=Cut,
        billing=FULL_RATE,
    ),
    declare(
        tool="list_snapshot_eligible_instances",
        title="List Instance eligible for snapshot creation",
        toolset=Toolset.SNAPSHOTS,
        risk=Risk.READ,
        description="Instances that create_snapshot accepts: legacy tier, ACTIVE.",
        endpoint=Endpoint("GET", "/instances/for-snapshot/", Confidence(99, 20)),
        alternates=elsewhere(
            "GET", "/instances/snapshot-eligible/", "/snapshots/vms/", "/snapshots/eligible-instances/"
        ),
        request=SnapshotInstancesQuery,
        response=ListVMsForSnapshotResponse,
        result="instances",
    ),
)
