"""What there is to tell of a request, in words that no name can turn into a link, a mention or a sentence of ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from barrack_mcp.account.things import write_time
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue.outcome import Ending, Plan
from barrack_mcp.guard.approvals import ON_THE_PAGE, Approval
from barrack_mcp.guard.asking.telling import Part, read_plan, tell
from barrack_mcp.guard.consent.waiting import write_duration

_ESSENTIAL: Final = 3_000
"""Characters of what a plan loses, opens and costs; the rest is read where it is approved."""
_MORE: Final = "There is more to it than fits here: read it where it is approved."
_WHERE: Final = re.compile(rf"(.+)( at a terminal| {ON_THE_PAGE})")
"""Who answered, and where: the first is somebody's name, the rest is ours."""


class Event(StrEnum):
    """What happened to a request."""

    ASKED = "asked"
    REMINDER = "reminder"
    APPROVED = "approved"
    DENIED = "denied"
    LAPSED = "lapsed"
    ENDED = "ended"


HEADLINES: Final = {
    Event.ASKED: "A call waits for a person's yes",
    Event.REMINDER: "Half of its time is over, and a call still waits",
    Event.APPROVED: "Approved",
    Event.DENIED: "Denied",
    Event.LAPSED: "Lapsed",
    Event.ENDED: "Approved and used",
}
"""The words above a message, ours alone."""


@dataclass(frozen=True)
class Came:
    """What came of a call after its yes.

    Attributes:
        outcome: The verdict.
        message: It in a sentence, without secrets.
    """

    outcome: Ending
    message: str


@dataclass(frozen=True)
class Note:
    """One thing to tell of a request.

    Attributes:
        event: What happened.
        approval: The request as it stands.
        at: Seconds since 1970.
        link: Where it is read and answered in a browser; None where only this machine can.
        waiting: How many requests wait in all.
        came: What came of the call; None where that isn't known here.
    """

    event: Event
    approval: Approval
    at: float
    link: str | None = None
    waiting: int = 1
    came: Came | None = None

    @property
    def plan(self) -> Plan | None:
        """What the call would do; None if another version wrote it."""
        return read_plan(self.approval.plan)

    @property
    def summary(self) -> str:
        """What it is about, in a sentence."""
        return str(self.approval.plan.get("summary", self.approval.tool))

    @property
    def waits(self) -> bool:
        """Whether a person can still answer."""
        return self.event in (Event.ASKED, Event.REMINDER)

    @property
    def who(self) -> str:
        """Who asks, and for whom that one says it is."""
        claimed = self.approval.on_behalf_of
        acts = "" if claimed is None else f", which says it acts for {mention(claimed)}"
        return f"{mention(self.approval.caller)}{acts}"

    def details(self) -> list[str]:
        """Say what it loses, opens and costs, as far as that fits; nothing that a text of the account could hold."""
        plan = self.plan
        if plan is None:
            return []
        lines = [
            str(line)
            for line in tell(plan)
            if (line.part.essential or line.part is Part.COST) and line.part is not Part.SUMMARY
        ]
        kept: list[str] = []
        for line in lines:
            if sum(map(len, kept)) + len(line) > _ESSENTIAL:
                return [*kept, _MORE]
            kept.append(line)
        return kept

    def standing(self) -> str:
        """Say how it stands, or how it ended, in a few sentences."""
        approval = self.approval
        until = write_time(approval.expires_at, seconds=True)
        match self.event:
            case Event.ASKED | Event.REMINDER:
                told = f"It waits for {write_duration(approval.expires_at - self.at)}, until {until}."
            case Event.APPROVED:
                told = f"Approved {_by(approval)}. It is done when its call is repeated, until {until}."
            case Event.DENIED:
                told = f"Denied {_by(approval)}. Nothing was done."
            case Event.LAPSED if approval.decided_by is not None:
                told = f"Approved {_by(approval)}, but its call was not repeated in time. Nothing was done."
            case Event.LAPSED if approval.told_at is not None and approval.told_at <= approval.expires_at:
                told = "Ended without an answer: what it is about has changed. Nothing was done."
            case Event.LAPSED:
                told = "Lapsed: nobody answered in time. Nothing was done."
            case Event.ENDED if self.came is None:
                told = f"Approved {_by(approval)} and used. What came of it stands in the server's record."
            case Event.ENDED:
                told = f"Approved {_by(approval)}. What came of it: {self.came.outcome}. {self.came.message}"
        return told

    def where(self) -> str:
        """Say where it is answered, but for the link."""
        if self.link is not None:
            return "Approve or deny it there, not here:"
        return (
            "Approve or deny it on the machine that runs barrack-mcp: on its page, or with barrack-mcp approvals. "
            "An answer in this chat doesn't count."
        )

    def sentences(self) -> list[str]:
        """Say all of it, what matters most first; what is cut from the end is missed least."""
        again = "Half of its time is over: " if self.event is Event.REMINDER else ""
        many = f"{self.waiting} requests wait, this among them: " if self.waits and self.waiting > 1 else ""
        asked = f"Asked for by {self.who}, request {self.approval.id}."
        if not self.waits:
            return [self.standing(), self.summary, asked]
        return [f"{again}{many}{self.summary}", asked, self.standing(), *map(_closed, self.details()), self.where()]


def in_short(notes: Sequence[Note], *, most: int) -> list[str]:
    """Say many things in a line each.

    Args:
        notes: What there is to tell.
        most: Lines at most, the last of which says how many are left out.
    """
    lines = [f"{HEADLINES[note.event]}: {note.summary} (request {note.approval.id}, by {note.who})" for note in notes]
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"And {len(lines) - most + 1} more."]


def _closed(line: str) -> str:
    return line if line.endswith((".", "?", "!")) else f"{line}."


def _by(approval: Approval) -> str:
    """Who answered and where, after a verb."""
    said = str(approval.decided_by)
    if said == ON_THE_PAGE:
        return said
    found = _WHERE.fullmatch(said)
    return f"by {mention(said)}" if found is None else f"by {mention(found[1])}{found[2]}"
