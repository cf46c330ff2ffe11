"""From a request to what the page says about it. Its texts are as they came: the templates make each safe to show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.things import write_time
from barrack_mcp.api.text import escape, mention
from barrack_mcp.catalogue import Risk
from barrack_mcp.catalogue.outcome import Plan
from barrack_mcp.guard.approvals import ON_THE_PAGE, Approval, Status, find_signer
from barrack_mcp.guard.asking.telling import Line, read_plan, tell, write_value

RISKS: Final = {
    Risk.READ: "Reads",
    Risk.CHANGE: "Changes",
    Risk.SPEND: "Spends",
    Risk.INTERRUPT: "Interrupts",
    Risk.EXPOSE: "Exposes",
    Risk.DESTROY: "Destroys",
}
"""The word that says what is at stake."""
WORDS: Final = {
    Status.PENDING: "Waits for you",
    Status.APPROVED: "Approved",
    Status.DENIED: "Denied",
    Status.EXPIRED: "Expired",
    Status.USED: "Approved and used",
}
MEANINGS: Final = {
    Status.PENDING: "Nothing happens unless you approve.",
    Status.APPROVED: "The assistant can now repeat the call; it runs once.",
    Status.DENIED: "Nothing happens. The assistant is told so when it repeats the call.",
    Status.EXPIRED: "Nothing happens. The assistant may ask again.",
    Status.USED: "The assistant has repeated the call, and it was let through. This approval is good for nothing more.",
}

_BUTTON: Final = 40
_LINES: Final = 30
_LONE: Final = frozenset({"type", "id", "name", "status"})
"""What of a target is shown in its headline."""
_MINUTE: Final = 60
_BOTH_WAYS: Final = {"attach_firewall": "change who has"}
"""What may give and take at once, so that the tool's own verb says but half of it."""
_ACRONYMS: Final = {"gpu": "GPU", "gpus": "GPUs", "ip": "IP", "os": "OS", "ssh": "SSH", "vcpus": "vCPUs"}


@dataclass(frozen=True)
class Details:
    """A plan, ready to be laid out."""

    risk: str
    risk_word: str
    kind: str
    name: str
    id: str | None
    status: str | None
    lines: list[Line]
    facts: list[tuple[str, str]]
    """What else is known of the target, by name."""
    approve: str
    """What the button to approve says: what it does, to what."""


@dataclass(frozen=True)
class Moment:
    """A time, for people and for machines."""

    text: str
    iso: str


@dataclass(frozen=True)
class Card:
    """One request, ready to be laid out."""

    id: str
    status: str
    word: str
    meaning: str
    title: str
    """What it is about, in a sentence."""
    caller: str
    tool: str
    arguments: str
    must_type: str | None
    details: Details | None
    """None where the plan can't be read: then it can't be approved here either."""
    time_left: str
    seconds_left: int
    lifetime: int
    expires: float
    asked: Moment
    settled: Moment
    settled_by: str | None
    effect: str
    """What it would add to what all costs, as far as known."""
    hindrance: str | None = None
    """Why who looks at it may not approve it; None if they may."""
    own: bool = False
    """Whether who looks at it asked for it."""
    on_behalf_of: str | None = None
    """For whom the caller says that it asks."""

    @property
    def settled_here(self) -> bool:
        """Whether it was answered on the page, which knows no names."""
        return self.settled_by == ON_THE_PAGE

    @property
    def answer(self) -> str | None:
        """Who answered it, and how where they have a name."""
        name = None if self.settled_by is None else find_signer(self.settled_by)
        if name is None:
            return self.settled_by
        return f"{'denied' if self.status == Status.DENIED else 'approved'} by {name}"

    @property
    def pending(self) -> bool:
        """Whether it waits for an answer."""
        return self.status == Status.PENDING


def card(approval: Approval, *, now: float, hindrance: str | None = None, own: bool = False) -> Card:
    """Make a request ready to be laid out.

    Args:
        approval: The request.
        now: The time in seconds since 1970.
        hindrance: Why who looks at it may not approve it; None if they may.
        own: Whether who looks at it asked for it.
    """
    plan = read_plan(approval.plan)
    left = max(0, int(approval.expires_at - now))
    settled = approval.used_at or approval.decided_at or approval.expires_at
    if approval.status is Status.EXPIRED:
        settled = approval.expires_at
    return Card(
        id=approval.id,
        status=approval.status.value,
        word=WORDS[approval.status],
        meaning=MEANINGS[approval.status],
        title=approval.tool if plan is None else plan.summary,
        caller=approval.caller,
        tool=approval.tool,
        arguments=json.dumps(approval.arguments, indent=2, ensure_ascii=False),
        must_type=approval.must_type,
        details=None if plan is None else _details(approval, plan),
        time_left=duration(left),
        seconds_left=left,
        lifetime=max(1, int(approval.expires_at - approval.created_at)),
        expires=approval.expires_at,
        asked=_moment(approval.created_at),
        settled=_moment(settled),
        settled_by=approval.decided_by,
        effect=_effect([approval]),
        hindrance=hindrance,
        own=own,
        on_behalf_of=approval.on_behalf_of,
    )


@dataclass(frozen=True)
class Together:
    """All that one caller asks for."""

    caller: str
    count: int
    effect: str


def by_caller(approvals: Sequence[Approval]) -> list[Together]:
    """Sum up what each caller who asks for more than one thing asks for."""
    callers = dict.fromkeys(approval.caller for approval in approvals)
    groups = {caller: [each for each in approvals if each.caller == caller] for caller in callers}
    return [Together(caller, len(group), _effect(group)) for caller, group in groups.items() if len(group) > 1]


def _effect(approvals: Sequence[Approval]) -> str:
    """Add up what requests would change of the bill, as far as that is known."""
    sums: dict[str, Decimal] = {}
    for approval in approvals:
        plan = read_plan(approval.plan)
        cost = None if plan is None else plan.cost
        if cost is not None and cost.hourly_after is not None:
            change = Decimal(str(cost.hourly_after)) - Decimal(str(cost.hourly_now or 0))
            sums[cost.currency] = sums.get(cost.currency, Decimal(0)) + change
    return ", ".join(
        f"{'+' if change > 0 else ''}{money.write_rate(change, mention(currency))}"
        for currency, change in sums.items()
        if change
    )


def duration(seconds: int) -> str:
    """Write a span of time, such as `9 min 41 s`."""
    minutes, rest = divmod(seconds, _MINUTE)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _details(approval: Approval, plan: Plan) -> Details:
    known = {name: write_value(value) for name, value in plan.target.items() if value is not None}
    name = known.get("name") or known.get("id") or approval.must_type or ""
    return Details(
        risk=plan.risk.value,
        risk_word=RISKS[plan.risk],
        kind=known.get("type", "target").replace("_", " "),
        name=name,
        id=known.get("id") if known.get("name") else None,
        status=known.get("status"),
        lines=tell(plan),
        facts=[(_label(key), value) for key, value in known.items() if key not in _LONE][:_LINES],
        approve=_action(approval, plan, name),
    )


def _action(approval: Approval, plan: Plan, name: str) -> str:
    """Name what the approving button does, to what."""
    shown = escape(name, limit=_BUTTON)
    if str(shown) != name:
        # a name that can't be read at a glance stands above; what is typed names the target as well
        shown = escape(approval.must_type or write_value(plan.target.get("id") or ""), limit=_BUTTON)
    if plan.risk is Risk.DESTROY:
        return f"Delete {str(shown).removeprefix('delete ')} for good"
    if approval.tool in _BOTH_WAYS:
        return f"Approve: {_BOTH_WAYS[approval.tool]} {shown}"
    verb, _, rest = approval.tool.partition("_")
    call = str(escape(approval.tool.replace("_", " "), limit=_BUTTON))
    if rest == plan.target.get("type"):
        call = str(escape(verb, limit=_BUTTON))
        return f"Approve: {call} {shown}".rstrip()
    return f"Approve: {call} ({shown})" if shown.text else f"Approve: {call}"


def _label(key: str) -> str:
    first, *others = key.split("_")
    return " ".join([_ACRONYMS.get(first, first.capitalize()), *(_ACRONYMS.get(word, word) for word in others)])


def _moment(at: float) -> Moment:
    iso = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    return Moment(write_time(at, seconds=True), iso)
