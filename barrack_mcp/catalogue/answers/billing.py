# ruff: noqa: N815 - the API spells its summaries in camelCase
"""What the vendor billed, and how it takes a bill apart. The rows and summaries are documented."""

from typing import Self

from pydantic import model_validator

from barrack_mcp.catalogue.envelope import Beside, Paged
from barrack_mcp.catalogue.models import DOCUMENTED, Request, Response, answered, optional
from barrack_mcp.catalogue.values import Day, Flag, Lines, Number, Text, Whole


class Days(Request):
    """From which day to which to show what was billed. Ours; all pages are looked through."""

    since: Day | None = optional("First day, UTC.")
    until: Day | None = optional("Last day.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError("since: must not be after until")
        return self


class Cut(Response):
    """What we add to a row where days were asked for."""

    minutes_between: Whole = answered("Minutes of it that fall between the days.")
    cost_between: Number = answered("What these cost, or the least of it.")
    cost_between_at_most: Number = answered("The most that they cost, where only that can be told.")


class SpentBetween(Response):
    """What rows cost from one instant to another."""

    since: Text = answered("From when on, ISO 8601.")
    until: Text = answered("Until when.")
    cost: Number = answered("What was spent, or the least of it.")
    at_most: Number = answered("The most that was spent, where only that can be told.")
    currency: Text = answered("USD, EUR or INR.")
    by_currency: dict[str, Number] | None = answered("The same, where rows are in several currencies.")
    at_most_by_currency: dict[str, Number] | None = answered("The most, likewise.")
    rows: Whole = answered("How many rows have a part in it.")
    complete: Flag = answered("Whether all was read and can be told.")


class Billed(Beside):
    """What we say beside a bill."""

    between: SpentBetween | None = answered("What was spent between the days that were asked for.")


class BillingRow(Response):
    """What one resource cost over one stretch of time."""

    billing_id: Text = answered("Id of this row.", mark=DOCUMENTED)
    tier: Text = answered("legacy or advanced, in either case.", mark=DOCUMENTED)
    start_time: Text = answered("ISO 8601, with or without zone.", mark=DOCUMENTED)
    end_time: Text = answered("ISO 8601; null while it goes on.", mark=DOCUMENTED)
    total_duration_minutes: Number = answered("Minutes billed.", mark=DOCUMENTED)
    per_minute_rate: Number = answered("Price per minute of the whole resource.", mark=DOCUMENTED)
    total_cost: Number = answered("Cost so far.", mark=DOCUMENTED)
    currency: Text = answered("Currency of the amounts.", mark=DOCUMENTED)
    status: Text = answered("State of the row or of its resource.", mark=DOCUMENTED)
    description: Lines = answered("In words.", mark=DOCUMENTED)


class BillingRecord(BillingRow):
    """What one instance cost."""

    instance_id: Text = answered("Instance id.", mark=DOCUMENTED)
    vm_name: Text = answered("Instance name.", "name", mark=DOCUMENTED)
    gpu_type: Text = answered("GPU model.", "gpu_model", mark=DOCUMENTED)
    gpu_count: Whole = answered("Number of GPUs.", mark=DOCUMENTED)


class SizedRow(BillingRow):
    """What one piece of storage cost."""

    size_gb: Number = answered("Size in GB.", "size", mark=DOCUMENTED)


class VolumeBillingRecord(SizedRow):
    """What one volume cost; its times have no zone."""

    volume_id: Text = answered("Volume id.", mark=DOCUMENTED)
    volume_name: Text = answered("Volume name.", "name", mark=DOCUMENTED)


class SnapshotBillingRecord(SizedRow):
    """What one snapshot cost."""

    snapshot_id: Text = answered("Snapshot id.", mark=DOCUMENTED)
    snapshot_name: Text = answered("Snapshot name.", "name", mark=DOCUMENTED)


class Summary(Response):
    """Sums over all rows, not over this page alone."""

    totalMinutes: Number = answered("Minutes billed.", "total_minutes", mark=DOCUMENTED)
    activeCount: Whole = answered("Rows that go on.", "active_count", mark=DOCUMENTED)
    averageUsage: Number = answered("Minutes a row.", "average_usage", mark=DOCUMENTED)
    totalCost: Number = answered("Cost in all.", "total_cost", mark=DOCUMENTED)


class BillingSummary(Summary):
    """Sums over the instances."""

    completedCount: Whole = answered("Rows that ended.", "completed_count", mark=DOCUMENTED)
    hibernatedCount: Whole = answered("Hibernated instances.", "hibernated_count", mark=DOCUMENTED)


class SizedSummary(Summary):
    """Sums over storage."""

    totalSizeGB: Number = answered("GB in all.", "total_size_gb", mark=DOCUMENTED)


class VolumeBillingSummary(SizedSummary):
    """Sums over the volumes."""


class SnapshotBillingSummary(SizedSummary):
    """Sums over the snapshots."""


class BillingPage(Paged):
    """One page of what was billed."""

    currency: Text = answered("Currency of the amounts.", mark=DOCUMENTED)
    tier: Text = answered("Tier of all rows, where the API says it.", mark=DOCUMENTED)


class AggregatedBillingResponse(BillingPage):
    """What the account's instances cost."""

    records: list[BillingRecord] | None = answered("The rows of this page.", mark=DOCUMENTED)
    summary: BillingSummary | None = answered("Sums.", mark=DOCUMENTED)


class VolumeHourlyBillingResponse(BillingPage):
    """What the account's volumes cost."""

    records: list[VolumeBillingRecord] | None = answered("The rows of this page.", mark=DOCUMENTED)
    summary: VolumeBillingSummary | None = answered("Sums.", mark=DOCUMENTED)


class SnapshotBillingResponse(BillingPage):
    """What the account's snapshots cost."""

    records: list[SnapshotBillingRecord] | None = answered("The rows of this page.", mark=DOCUMENTED)
    summary: SnapshotBillingSummary | None = answered("Sums.", mark=DOCUMENTED)


class Billing(Response):
    """The cost block of one instance; nothing is known of its fields."""


class BillingBreakdown(Response):
    """How a cost block is taken apart; nothing is known of its fields."""


class ComputeBilling(Response):
    """The compute part of a breakdown; nothing is known of its fields."""


class GpuBilling(Response):
    """The GPU part of a breakdown; nothing is known of its fields."""


class StorageBilling(Response):
    """The storage part of a breakdown; nothing is known of its fields."""


class DataVolumeBilling(Response):
    """A data volume's part of the storage; nothing is known of its fields."""


class HibernationBillingMetrics(Response):
    """What hibernation saved or cost; nothing is known of its fields."""
