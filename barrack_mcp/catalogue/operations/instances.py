"""Instances: the machines. Stopping one saves nothing; only hibernating or deleting ends the full rate."""

from __future__ import annotations

from typing import Annotated, Final

from barrack_mcp.catalogue.billing import AggregatedBillingResponse
from barrack_mcp.catalogue.envelope import Answer, Paged, Receipt
from barrack_mcp.catalogue.machines import VMInstance, VMResponse
from barrack_mcp.catalogue.models import DOCUMENTED, Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Look, Operation, Retry, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.rules import FirewallRule, SecurityRule, VMSecurityRule
from barrack_mcp.catalogue.values import Id, IpStatusEnum, RegionEnum, StatusEnum, Text, TierEnum, VMStatus, bare

GROUP = "Instances"

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

    status: VMStatus | None = optional("E.g. ACTIVE, SHUTOFF, HIBERNATED, ERROR.")
    region: RegionEnum | None = optional("Region.")
    tier: TierEnum | None = optional("Tier.")


class InstanceBillingQuery(Request):
    """Whose bill to show."""

    instance_id: Id | None = optional("Id or name.")


class SnapshotInstancesQuery(Request):
    """Where to look."""

    region: RegionEnum | None = optional("Region.")


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


class ListVMsForSnapshotResponse(Answer):
    """The instances that a snapshot can be taken of."""

    instances: list[Annotated[SnapshotVMResponse, bare("instance_id")]] | None = answered("The instances.", "vms")


OPERATIONS = (
    Operation(
        tool="list_instances",
        title="List instances",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Instances with state, GPU, region, IPs. ACTIVE and SHUTOFF both cost the full rate, HIBERNATED "
        "a small one. One in full: get_instance.",
        method="GET",
        path="/instances/",
        confidence=Confidence(method=99, path=45),
        alternates=elsewhere("GET", "/vms/", "/virtual-machines/"),
        request=ListInstancesQuery,
        paged=True,
        response=ListVMsResponse,
        result="instances",
        idempotent=True,
        core=True,
        billing=FULL_RATE,
    ),
    Operation(
        tool="get_instance",
        title="Get instance details",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="One instance: state, GPU, IPs, volumes, rules, allowed operations. SHUTOFF still costs the full"
        " rate.",
        method="GET",
        path="/instances/{instance_id}/",
        confidence=Confidence(method=99, path=40),
        alternates=elsewhere("GET", "/instances/{instance_id}/details/", "/instances/details/{instance_id}/"),
        place=InstancePath,
        response=VMDetailsResponse,
        result="instance",
        idempotent=True,
        core=True,
        billing=FULL_RATE,
    ),
    Operation(
        tool="start_instance",
        title="Start instance",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.CHANGE,
        retry=Retry.UNSENT,
        description="Boot a SHUTOFF instance. The bill stays the same: stopped or running, the full rate. A "
        "HIBERNATED one: restore_instance.",
        method="POST",
        path="/instances/{instance_id}/start/",
        confidence=Confidence(method=99, path=45),
        place=InstancePath,
        response=StartVMResponse,
        idempotent=True,
        core=True,
        look=SEEN,
        billing="Starting changes nothing on the bill: the instance cost the full rate while it was stopped, too.",
    ),
    Operation(
        tool="stop_instance",
        title="Stop instance",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.INTERRUPT,
        retry=Retry.UNSENT,
        description="Shut down an ACTIVE instance. Saves no money: SHUTOFF costs the full rate, the hardware stays "
        "reserved. To save use hibernate_instance, to end all cost delete_instance.",
        method="POST",
        path="/instances/{instance_id}/stop/",
        confidence=Confidence(method=99, path=45),
        place=InstancePath,
        response=StopVMResponse,
        idempotent=True,
        look=SEEN,
        billing="Stopping saves nothing: a stopped (SHUTOFF) instance costs the full rate; only hibernating or "
        "deleting ends it.",
    ),
    Operation(
        tool="reboot_instance",
        title="Reboot instance",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.INTERRUPT,
        retry=Retry.UNSENT,
        description="Restart an ACTIVE instance: running work is lost. The bill goes on at the full rate.",
        method="POST",
        path="/instances/{instance_id}/reboot/",
        confidence=Confidence(method=99, path=45),
        place=InstancePath,
        response=RebootVMResponse,
        look=SEEN,
        billing="Rebooting changes nothing on the bill: the full rate goes on.",
    ),
    Operation(
        tool="hibernate_instance",
        title="Hibernate instance",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.INTERRUPT,
        retry=Retry.UNSENT,
        description="Pause an ACTIVE instance (SHUTOFF: start it first); "
        "instead of the full rate a small one stays. Ephemeral disk and public"
        " IP may be lost. Back, if there is stock: restore_instance.",
        method="POST",
        path="/instances/{instance_id}/hibernate/",
        confidence=Confidence(method=99, path=45),
        alternates=elsewhere("POST", "/vms/{instance_id}/hibernate/", "/hibernate/{instance_id}/"),
        place=InstancePath,
        response=HibernateVMResponse,
        idempotent=True,
        core=True,
        look=SEEN,
        billing="A hibernated instance costs a small hourly rate instead of the full one; its volumes cost as before.",
        on_conflict="Only an ACTIVE instance can be hibernated. If it is SHUTOFF: start_instance, get_instance until "
        "it is ACTIVE, then hibernate_instance.",
    ),
    Operation(
        tool="restore_instance",
        title="Restore hibernated instance",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.SPEND,
        retry=Retry.UNSENT,
        description="Wake a HIBERNATED instance; the full rate resumes. Needs stock and credit; the IP may change. A"
        " SHUTOFF one: start_instance.",
        method="POST",
        path="/instances/{instance_id}/restore/",
        confidence=Confidence(method=99, path=45),
        alternates=elsewhere("POST", "/instances/{instance_id}/hibernate-restore/"),
        place=InstancePath,
        response=RestoreVMResponse,
        core=True,
        look=SEEN,
        billing="The full rate resumes as soon as the instance is ACTIVE.",
        after="Next: get_instance until it is ACTIVE; its public IP may be another one.",
    ),
    Operation(
        tool="delete_instance",
        title="Delete instance",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.DESTROY,
        retry=Retry.UNSENT,
        description="Delete an instance and its disks for good, ending its bill. Detach volumes first to keep them. "
        "To pause: hibernate_instance.",
        method="DELETE",
        path="/instances/{instance_id}/delete/",
        confidence=Confidence(method=99, path=35),
        alternates=elsewhere("DELETE", "/instances/{instance_id}/"),
        place=InstancePath,
        response=DeleteVMResponse,
        idempotent=True,
        core=True,
        look=SEEN,
        billing="Deleting ends the instance's bill; volumes and snapshots that remain cost as before.",
    ),
    Operation(
        tool="toggle_instance_public_ip",
        title="Toggle public IP for instance",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.INTERRUPT,
        retry=Retry.UNSENT,
        description="Flip an instance's public IP: taken away if it has one, else given. Connections break, the old "
        "IP may not return; read get_instance first.",
        method="POST",
        path="/instances/{instance_id}/toggle-public-ip/",
        confidence=Confidence(method=99, path=35),
        alternates=elsewhere("POST", "/instances/{instance_id}/toggle-ip/"),
        place=InstancePath,
        response=ToggleVMPublicIPResponse,
        look=SEEN,
    ),
    Operation(
        tool="list_instance_firewalls",
        title="Get firewalls attached to instance",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Firewalls attached to one instance, with rules. Its own rules: get_instance.",
        method="GET",
        path="/instances/{instance_id}/firewalls/",
        confidence=Confidence(method=99, path=35),
        alternates=elsewhere(
            "GET", "/instances/{instance_id}/attached-firewalls/", "/firewalls/instance/{instance_id}/"
        ),
        place=InstancePath,
        response=GetVMAttachedFirewallsResponse,
        result="firewalls",
        idempotent=True,
    ),
    Operation(
        tool="add_instance_security_rule",
        title="Add instance security rule",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.EXPOSE,
        retry=Retry.UNSENT,
        description="Let traffic through to or from one ACTIVE instance, within 10 minutes. For several: "
        "add_firewall_rule.",
        method="POST",
        path="/instances/{instance_id}/security-rules/",
        confidence=Confidence(method=99, path=35),
        alternates=elsewhere("POST", "/instances/{instance_id}/sg-rules/"),
        place=InstancePath,
        request=VMSecurityRuleRequest,
        response=AddVMSecurityRuleResponse,
        result="rule",
        look=SEEN,
    ),
    Operation(
        tool="remove_instance_security_rule",
        title="Remove instance security rule",
        group=GROUP,
        toolset=Toolset.INSTANCES,
        risk=Risk.INTERRUPT,
        retry=Retry.UNSENT,
        description="Remove an instance's own rule; its traffic, perhaps SSH, is cut off. A firewall's: "
        "remove_firewall_rule.",
        method="DELETE",
        path="/instances/{instance_id}/security-rules/{rule_id}/",
        confidence=Confidence(method=99, path=35),
        alternates=elsewhere("DELETE", "/instances/{instance_id}/sg-rules/{rule_id}/"),
        place=InstanceRulePath,
        response=RemoveVMSecurityRuleResponse,
        idempotent=True,
        look=SEEN,
    ),
    Operation(
        tool="get_instance_billing",
        title="Get instance billing",
        group=GROUP,
        toolset=Toolset.ACCOUNT,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="What instances have cost so far, row by row, with sums. Price now: quote_price.",
        method="GET",
        path="/instances/billing/",
        confidence=Confidence(method=99, path=40),
        alternates=elsewhere("GET", "/instances/{instance_id}/billing/", "/billing/instances/"),
        request=InstanceBillingQuery,
        paged=True,
        response=AggregatedBillingResponse,
        result="records",
        idempotent=True,
        billing=FULL_RATE,
    ),
    Operation(
        tool="list_snapshot_eligible_instances",
        title="List Instance eligible for snapshot creation",
        group=GROUP,
        toolset=Toolset.SNAPSHOTS,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Instances that create_snapshot accepts: legacy tier, ACTIVE.",
        method="GET",
        path="/instances/for-snapshot/",
        confidence=Confidence(method=99, path=20),
        alternates=elsewhere(
            "GET", "/instances/snapshot-eligible/", "/snapshots/vms/", "/snapshots/eligible-instances/"
        ),
        request=SnapshotInstancesQuery,
        response=ListVMsForSnapshotResponse,
        result="instances",
        idempotent=True,
    ),
)
