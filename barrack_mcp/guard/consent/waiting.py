"""What is said to who called of a yes that a person is asked for elsewhere: where, until when, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from barrack_mcp.catalogue.outcome import Plan
from barrack_mcp.guard.approvals import Approval, Status
from barrack_mcp.guard.asking.telling import tell_claim
from barrack_mcp.guard.ruling.ruling import SENT_NOTHING, Stopped, Waiting

AT_A_TERMINAL: Final = "with barrack-mcp approvals in a terminal on the machine that runs this server"
ON_THE_OPEN_PAGE: Final = (
    "on the page that opens in a browser on the machine that runs this server, or with barrack-mcp approvals in a "
    "terminal there"
)


def settle(approval: Approval, *, place: str, now: float) -> Stopped | Waiting:
    """Say of a request without a yes how it stands."""
    shown = Plan.model_validate(approval.plan)
    match approval.status:
        case Status.PENDING:
            return Waiting(tell_waiting(approval, place=place, now=now), approval, shown)
        case Status.DENIED:
            return Stopped(f"A person said no to this call. {SENT_NOTHING}", shown)
        case Status.USED:
            return Stopped(
                "A person approved this call elsewhere meanwhile, and it was sent then. It is not done a second time.",
                shown,
            )
        case _:
            return Stopped(
                f"Nobody approved this call in time. {SENT_NOTHING} If the user still wants it, the same call asks "
                "again.",
                shown,
            )


def place_of(page: str, *, four_eyes: bool) -> str:
    """Say where a person answers whom the server knows by name; `{id}` stands for the request's.

    Args:
        page: The page's address.
        four_eyes: Whether it has to be somebody else than who asks.
    """
    who = "another person than the one who asks, who may approve and signs in there" if four_eyes else "an approver"
    return f"on the approval page, {page}/requests/{{id}}, by {who}"


def tell_waiting(approval: Approval, *, place: str, now: float) -> str:
    """Say that a request waits for a person, where they answer it, and until when.

    Args:
        approval: The request.
        place: Where a person answers; `{id}` stands for the request's.
        now: Seconds since 1970.
    """
    there = place.replace("{id}", approval.id)
    until = datetime.fromtimestamp(approval.expires_at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    claim = tell_claim(approval.caller, approval.on_behalf_of)
    return (
        f"Not done yet: it needs a person's yes, outside of this conversation, {there}. A yes in the chat doesn't "
        f"count. It waits for {write_duration(approval.expires_at - now)}, until {until} (request {approval.id}). "
        f"{f'{claim} ' if claim else ''}"
        "Nothing was sent to Barrack. Tell the user what is asked for, where to approve it and until when; once it is "
        "approved there, repeat exactly this call."
    )


def write_duration(seconds: float) -> str:
    """Write how long something waits, for people: `10 minutes`."""
    if seconds >= 2 * _HOUR_S:
        return f"{seconds / _HOUR_S:.0f} hours"
    if seconds >= 2 * _MINUTE_S:
        return f"{seconds / _MINUTE_S:.0f} minutes"
    return f"{max(seconds, 0):.0f} seconds"


_MINUTE_S: Final = 60
_HOUR_S: Final = 60 * _MINUTE_S
