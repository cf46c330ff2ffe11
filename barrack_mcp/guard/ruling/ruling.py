"""What the guard says of a call: it may be sent, it is refused, a person has yet to approve, or is being asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from barrack_mcp.account.reading import Reader
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.outcome import Plan
from barrack_mcp.guard.approvals import Approval
from barrack_mcp.guard.asking.asker import Asked
from barrack_mcp.guard.ruling.call import Call
from barrack_mcp.guard.turns import Turn
from barrack_mcp.state import audit

SENT_NOTHING: Final = "Nothing was sent to Barrack."
USED: Final = f"This answer was used already. {SENT_NOTHING}"
ANSWERED_ELSEWHERE: Final = (
    "The answer came through the client, and here a person is asked outside of it. Calling again without the answer "
    "asks them."
)
CHANGED: Final = (
    f"It changed since you were asked, so the yes is not good for it any more. {SENT_NOTHING} Read the present state; "
    "if the user still wants it, the same call asks anew."
)
TOO_MUCH: Final = (
    "Not done: all that this would open, run, destroy and cost is more than one question can show whole, and nobody "
    f"can agree to what isn't shown. {SENT_NOTHING} Do it in smaller parts, each asked for by itself."
)


@dataclass(frozen=True)
class Shown:
    """What a person is asked about a call, for the record.

    Attributes:
        operation: What would be done.
        values: Its arguments.
        caller: Who asks for it.
        plan: What is shown of it.
        question: The words that were put through the client; None out of band, where the plan is laid out.
        approval: The id of the request out of band; None through the client.
        on_behalf_of: For whom the caller says that it acts; None if it says nobody.
    """

    operation: Operation
    values: JsonObject
    caller: str
    plan: Plan
    question: str | None = None
    approval: str | None = None
    on_behalf_of: str | None = None

    @classmethod
    def of(cls, call: Call, plan: Plan, *, question: str | None = None, approval: str | None = None) -> Shown:
        """What is shown of a call, and for whom."""
        who, by = call.caller.subject, call.caller.on_behalf_of
        return cls(call.operation, call.values, who, plan, question, approval, by)


def digest(shown: Plan) -> str:
    """Name a plan by its content, for the record."""
    return audit.digest(shown.model_dump(mode="json", exclude_none=True))


async def unheard(_: Shown) -> None:
    """Take no note of what is shown, where no record is kept."""


@dataclass(frozen=True)
class Passed:
    """The call may be sent, once: it is written down that it is.

    Attributes:
        how: `never asks`, `unattended`, `elicited` or `approved by …`; for the record.
        turn: The account's turn, held since before the last read; to be given back when the call has ended.
        plan: The digest of the plan that was shown, or would have been; None if none was made.
        approval: The id of the request that a person approved out of band; None where none was.
        read: Reads, and knows what was read just now to hold the call to it; None if nothing was.
    """

    how: str
    turn: Turn
    plan: str | None = None
    approval: str | None = None
    read: Reader | None = None


@dataclass(frozen=True)
class Stopped:
    """The call is refused; nothing of it was sent.

    Attributes:
        sentence: Why.
        plan: What it would do, as it stands now.
        shown: The digest of the plan that a person said no to, where it isn't this one.
    """

    sentence: str
    plan: Plan | None = None
    shown: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A person has yet to approve, out of band."""

    sentence: str
    approval: Approval
    plan: Plan


Ruling: TypeAlias = Passed | Stopped | Waiting | Asked
