"""Snapshots: copies of an instance's disk, legacy tier only, billed while they exist."""

from functools import partial
from typing import Final

from barrack_mcp.catalogue.answers.billing import Billed, Cut, Days, SnapshotBillingResponse
from barrack_mcp.catalogue.envelope import Costing, CostingList, Leased, Named, Paged, Rated, Receipt
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT
from barrack_mcp.catalogue.models import FEW, MANY, Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.operations.instances import InstancePath
from barrack_mcp.catalogue.signs import Copied, Gone, Look, Made, Settles
from barrack_mcp.catalogue.values import Flag, Id, Lines, Name, Note, Number, RegionEnum, StatusEnum, Text, Whole

GROUP: Final = "Snapshots"

declare = partial(Operation, group=GROUP, toolset=Toolset.SNAPSHOTS)

SEEN: Final = Look("get_snapshot", ("snapshot_id",))
WHILE_IT_EXISTS: Final = "A snapshot costs per hour for as long as it exists."


class SnapshotPath(Request):
    """Which snapshot."""

    snapshot_id: Id = required("Id or name.")


class ListSnapshotsQuery(Request):
    """Which snapshots to list."""

    region: RegionEnum | None = optional("Region.")


class SnapshotBillingQuery(Request):
    """Whose bill to show."""

    snapshot_id: Id | None = optional("Id or name.")


class CreateSnapshotRequest(Request):
    """A new snapshot."""

    name: Name = required("1-50 letters, digits, space -_.")
    description: Note | None = optional("What it is for.")


class RestoreSnapshotRequest(Request):
    """A new instance from a snapshot."""

    name: Name | None = optional("Of the new instance.")


class Snapshot(Response):
    """A snapshot as the API shows it."""

    snapshot_id: Text = answered("Snapshot id.", "id", concise=MANY)
    snapshot_name: Text = answered("Name.", "name", concise=MANY)
    description: Lines = answered("What it is for.")
    status: StatusEnum = answered("creating, then SUCCESS or available.", concise=MANY)
    size_gb: Number = answered("Size in GB.", "size", concise=MANY)
    region: Text = answered("Region.", concise=MANY)
    tier: Text = answered("legacy or advanced, in either case.", concise=FEW)
    instance_id: Text = answered("The instance it was taken of.", "vm_id", concise=MANY)
    vm_name: Text = answered("Its name.", "instance_name")
    gpu_type: Text = answered("Its GPU model.", "gpu_model")
    gpu_count: Whole = answered("Number of its GPUs.")
    has_image: Flag = answered("Whether a custom image was made from it.", concise=MANY)
    image_id: Text = answered("That image.")
    created_at: Text = answered("When it was taken, ISO 8601.", concise=FEW)


class SnapshotListItem(Snapshot):
    """A snapshot in the list."""


class SnapshotDetail(Snapshot):
    """A snapshot in detail."""


class CreateSnapshotData(Snapshot):
    """The snapshot that is being taken."""


class RestoreSnapshotData(Response):
    """The instance that is being made."""

    instance_id: Text = answered("Id of the new instance.", "id", "vm_id")
    name: Text = answered("Its name.", "vm_name", "instance_name")
    status: StatusEnum = answered("Its state.")
    gpu_model: Text = answered("GPU model.", "gpu_type")
    gpu_count: Whole = answered("Number of GPUs.")
    region: Text = answered("Region.")
    tier: Text = answered("legacy or advanced, in either case.")
    snapshot_id: Text = answered("The snapshot it comes from.")


class ListSnapshotsResponse(Paged):
    """A page of snapshots."""

    snapshots: list[SnapshotListItem] | None = answered("The snapshots of this page.")


class CreateSnapshotResponse(Receipt):
    """The snapshot that is being taken."""

    data: CreateSnapshotData | None = answered("The new snapshot.", "snapshot")


class GetSnapshotDetailsResponse(Receipt):
    """One snapshot."""

    snapshot: SnapshotDetail | None = answered("The snapshot.")


class RestoreSnapshotResponse(Receipt):
    """The instance that is being made."""

    data: RestoreSnapshotData | None = answered("The new instance.", "instance", "vm")


class DeleteSnapshotResponse(Receipt):
    """The snapshot is gone."""

    snapshot_id: Text = answered("Id of the deleted snapshot.")


OPERATIONS = (
    declare(
        tool="list_snapshots",
        title="List snapshots",
        risk=Risk.READ,
        description="Snapshots: state, size, origin, rate, sum. Each costs while it exists.",
        endpoint=Endpoint("GET", "/snapshots/", Confidence(97, 70)),
        request=ListSnapshotsQuery,
        ours=Named,
        paged=True,
        response=ListSnapshotsResponse,
        result="snapshots",
        beside=CostingList,
        adds=Rated,
        billing=WHILE_IT_EXISTS,
    ),
    declare(
        tool="create_snapshot",
        title="Create snapshot",
        risk=Risk.SPEND,
        description="Snapshot an ACTIVE legacy instance, which may pause; costs per hour until deleted.",
        endpoint=Endpoint("POST", "/instances/{instance_id}/snapshots/", Confidence(97, 30)),
        alternates=elsewhere(
            "POST", "/instances/{instance_id}/snapshot/", "/snapshots/", "/deployments/{instance_id}/snapshots/"
        ),
        place=InstancePath,
        request=CreateSnapshotRequest,
        response=CreateSnapshotResponse,
        result="data",
        look=Look("list_snapshots"),
        sign=Made(SNAPSHOT, ("instance_id",)),
        settles=Settles(SNAPSHOT, "CREATING", "available"),
        billing=WHILE_IT_EXISTS,
        after="Then create_custom_image can use it.",
    ),
    declare(
        tool="get_snapshot",
        title="Get snapshot details",
        risk=Risk.READ,
        description="One snapshot: state, size in GB, region, rate, and whose it is.",
        endpoint=Endpoint("GET", "/snapshots/{snapshot_id}/", Confidence(97, 65)),
        place=SnapshotPath,
        response=GetSnapshotDetailsResponse,
        result="snapshot",
        beside=Costing,
        adds=Rated,
    ),
    declare(
        tool="restore_snapshot",
        title="Restore snapshot",
        risk=Risk.SPEND,
        description="Make and bill a new instance from a snapshot: same region, new IPs, no rules. To wake a "
        "hibernated one: restore_instance.",
        endpoint=Endpoint("POST", "/snapshots/{snapshot_id}/restore/", Confidence(95, 80)),
        place=SnapshotPath,
        request=RestoreSnapshotRequest,
        ours=Leased,
        response=RestoreSnapshotResponse,
        result="data",
        look=Look("list_instances"),
        sign=Copied(INSTANCE, origin=SNAPSHOT),
        settles=Settles(INSTANCE, "CREATING", "ACTIVE", subject="the new instance is"),
        billing="A new instance costs the full rate from when it is ACTIVE; the snapshot goes on costing, too.",
        after="get_instance shows whether it has rules: without one that lets in port 22 nobody can log in.",
    ),
    declare(
        tool="delete_snapshot",
        title="Delete snapshot",
        risk=Risk.DESTROY,
        description="Delete a snapshot for good, ending its bill. Its images should stay.",
        endpoint=Endpoint("DELETE", "/snapshots/{snapshot_id}/", Confidence(95, 60)),
        place=SnapshotPath,
        response=DeleteSnapshotResponse,
        look=SEEN,
        sign=Gone(),
        billing="Deleting ends the snapshot's bill.",
    ),
    declare(
        tool="get_snapshot_billing",
        title="Get snapshot billing",
        toolset=Toolset.ACCOUNT,
        risk=Risk.READ,
        description="What each snapshot has cost, in all or between two days (UTC).",
        endpoint=Endpoint("GET", "/snapshots/billing/", Confidence(97, 70)),
        request=SnapshotBillingQuery,
        paged=True,
        response=SnapshotBillingResponse,
        result="records",
        ours=Days,
        beside=Billed,
        adds=Cut,
        billing=WHILE_IT_EXISTS,
    ),
)
