"""Waiting for a thing that is on its way, in one call."""

from typing import Final

from barrack_mcp.catalogue.envelope import Beside
from barrack_mcp.catalogue.insights.insight import Insight
from barrack_mcp.catalogue.models import Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Risk
from barrack_mcp.catalogue.values import Flag, Id, SettlingEnum, Text, VMStatus, WaitSeconds, Whole


class WaitRequest(Request):
    """What to wait for, and how long."""

    resource: SettlingEnum = required("Its kind.")
    id: Id = required("Id or name.")
    status: VMStatus | None = optional("E.g. ACTIVE; default: settled.")
    timeout_seconds: WaitSeconds | None = optional("Up to 600 (240).")


class NextCall(Response):
    """A call that goes on where this one ended."""

    tool: Text = answered("Tool to call.")
    arguments: dict[str, Text] | None = answered("Its arguments.")


class WaitedFor(Beside):
    """A thing as it stands after somebody waited for it."""

    resource: Text = answered("What it is.")
    id: Text = answered("Its id.")
    name: Text = answered("Its name.")
    status: Text = answered("Its state now.")
    there: Flag = answered("Whether it is in a state that was waited for.")
    public_ip: Text = answered("Its public IP, if it is an instance and has one.")
    waited_seconds: Whole = answered("How long was waited.")
    look_with: NextCall | None = answered("How to go on, where it is not there.")


INSIGHTS: Final = (
    Insight(
        tool="wait_for_status",
        title="Wait for a status",
        risk=Risk.READ,
        description="Wait until a thing has a state, or any that lasts; ends at once if it failed. Call again to go "
        "on waiting.",
        arguments=WaitRequest,
        response=WaitedFor,
        core=True,
    ),
)
