"""Leases: until when machines may run."""

from typing import Final, Self

from pydantic import model_validator

from barrack_mcp.catalogue.envelope import Beside, Rated
from barrack_mcp.catalogue.insights.insight import Insight
from barrack_mcp.catalogue.models import Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Risk
from barrack_mcp.catalogue.values import Flag, HoursOrNone, Id, Instant, Number, Text, Whole, YesNo


class LeasesRequest(Request):
    """Which leases."""

    overdue_only: YesNo | None = optional("Only those past their end.")


class SetLeaseRequest(Request):
    """Whose lease, and how long it is."""

    instance_id: Id = required("Id or name.")
    hours: HoursOrNone | None = optional("From now; 0: no end.")
    until: Instant | None = optional("Instead: ISO 8601, UTC.")

    @model_validator(mode="after")
    def _says_one(self) -> Self:
        if (self.hours is None) is (self.until is None):
            raise ValueError("hours: say either hours or until")
        return self


class LeasedMachine(Rated):
    """A machine with a lease."""

    instance_id: Text = answered("Its id; absent while only its name is known.")
    name: Text = answered("Its name.")
    status: Text = answered("Its state.")
    lease_ends: Text = answered("When its lease ends, ISO 8601, UTC; absent if it has none.")
    hours: Number = answered("How long that was said to be.")
    set_by: Text = answered("Who set it.")
    set_at: Text = answered("When, ISO 8601, UTC.")
    how: Text = answered("By which tool, or default.")
    overdue: Flag = answered("Whether it has ended.")
    there: Flag = answered("Whether the machine is still there; absent if that is not known.")


class LeaseList(Beside):
    """Until when machines may run."""

    leases: list[LeasedMachine] | None = answered("The leases, the one that ends first first.")
    total: Whole = answered("How many there are.")
    overdue: Whole = answered("How many have ended.")
    currency: Text = answered("Currency of the rates.")


class Lease(Response):
    """The lease as it is now."""

    instance_id: Text = answered("Whose it is.")
    lease_ends: Text = answered("When it ends, ISO 8601, UTC; absent if there is none.")


INSIGHTS: Final = (
    Insight(
        tool="list_leases",
        title="List leases",
        risk=Risk.READ,
        description="Until when machines may run, who set that, rates, and what is overdue.",
        arguments=LeasesRequest,
        response=LeaseList,
        result="leases",
    ),
    Insight(
        tool="set_lease",
        title="Set lease",
        risk=Risk.CHANGE,
        description="Set until when a machine may run; barrack-mcp reap then hibernates it.",
        arguments=SetLeaseRequest,
        response=Lease,
        sets_state=True,
    ),
)
