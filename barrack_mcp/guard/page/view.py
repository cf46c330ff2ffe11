"""From a request to what the page says about it: words and numbers, ready to be shown as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from barrack_mcp.api.text import Escaped, escape
from barrack_mcp.catalogue import Risk
from barrack_mcp.catalogue.outcome import Cost, Plan, Safer
from barrack_mcp.guard.approvals import Approval, Status

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

_NAME: Final = 80
_SENTENCE: Final = 400
_BUTTON: Final = 40
_ARGUMENTS: Final = 20_000
_LINES: Final = 30
_LONE: Final = frozenset({"type", "id", "name", "status"})
"""What of a target is shown in its headline."""
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "INR": "₹"}
_MINUS: Final = "\N{MINUS SIGN}"
_HOURS_A_MONTH: Final = 730
_MINUTE: Final = 60
_ROUND: Final = 100
"""From here on a monthly amount is shown without cents."""
_ACRONYMS: Final = {"gpu": "GPU", "gpus": "GPUs", "ip": "IP", "os": "OS", "ssh": "SSH", "vcpus": "vCPUs"}
_CENT: Final = 0.01


@dataclass(frozen=True)
class Fact:
    """A name and its value."""

    name: Escaped
    value: Escaped


@dataclass(frozen=True)
class Amount:
    """A figure of the bill, with what it means over a month where that helps."""

    label: str
    value: str
    aside: str = ""


@dataclass(frozen=True)
class Lines:
    """A list of sentences, as far as it is shown."""

    shown: list[Escaped]
    left_out: int


@dataclass(frozen=True)
class Gentler:
    """A gentler way."""

    call: Escaped
    why: Escaped


@dataclass(frozen=True)
class Details:
    """A plan, ready to be shown."""

    risk: str
    risk_word: str
    summary: Escaped
    kind: Escaped
    name: Escaped
    id: Escaped | None
    status: Escaped | None
    facts: list[Fact]
    amounts: list[Amount]
    lost: Lines
    kept: Lines
    warnings: Lines
    safer: list[Gentler]
    approve: str
    """What the button to approve says: what it does, to what."""


@dataclass(frozen=True)
class Moment:
    """A time, for people and for machines."""

    text: str
    iso: str


@dataclass(frozen=True)
class Card:
    """One request, ready to be shown."""

    id: str
    status: str
    word: str
    meaning: str
    caller: Escaped
    tool: Escaped
    arguments: Escaped
    must_type: Escaped | None
    details: Details | None
    """None where the plan can't be read: then it can't be approved here either."""
    time_left: str
    seconds_left: int
    lifetime: int
    expires: float
    asked: Moment
    settled: Moment
    settled_by: Escaped | None

    @property
    def pending(self) -> bool:
        """Whether it waits for an answer."""
        return self.status == Status.PENDING

    @property
    def title(self) -> Escaped:
        """What it is about, in a sentence."""
        return self.details.summary if self.details else self.tool


def card(approval: Approval, *, now: float) -> Card:
    """Make a request ready to be shown.

    Args:
        approval: The request.
        now: The time in seconds since 1970.
    """
    left = max(0, int(approval.expires_at - now))
    settled = approval.used_at or approval.decided_at or approval.expires_at
    if approval.status is Status.EXPIRED:
        settled = approval.expires_at
    return Card(
        id=approval.id,
        status=approval.status.value,
        word=WORDS[approval.status],
        meaning=MEANINGS[approval.status],
        caller=escape(approval.caller, limit=_NAME),
        tool=escape(approval.tool, limit=_NAME),
        arguments=escape(json.dumps(approval.arguments, indent=2, ensure_ascii=False), limit=_ARGUMENTS, keep="\n"),
        must_type=None if approval.must_type is None else escape(approval.must_type),
        details=_details(approval),
        time_left=duration(left),
        seconds_left=left,
        lifetime=max(1, int(approval.expires_at - approval.created_at)),
        expires=approval.expires_at,
        asked=_moment(approval.created_at),
        settled=_moment(settled),
        settled_by=None if approval.decided_by is None else escape(approval.decided_by, limit=_NAME),
    )


def duration(seconds: int) -> str:
    """Write a span of time, such as `9 min 41 s`."""
    minutes, rest = divmod(seconds, _MINUTE)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def money(amount: float, currency: str, *, cents: bool = True) -> str:
    """Write an amount with its currency, such as `$2.49`; finer below a cent, such as `$0.0042`."""
    sign = _MINUS if amount < 0 else ""
    places = 0 if not cents else 4 if 0 < abs(amount) < _CENT else 2
    figure = f"{abs(amount):,.{places}f}"
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{figure}" if symbol else f"{sign}{figure} {escape(currency, limit=_BUTTON)}"


def _details(approval: Approval) -> Details | None:
    try:
        plan = Plan.model_validate(approval.plan)
    except ValidationError:
        return None
    target = plan.target
    name = _plain(target.get("name") or target.get("id") or approval.must_type or "")
    return Details(
        risk=plan.risk.value,
        risk_word=RISKS[plan.risk],
        summary=escape(plan.summary, limit=_SENTENCE),
        kind=escape(_plain(target.get("type") or "target").replace("_", " "), limit=_NAME),
        name=escape(name, limit=_NAME),
        id=_optional(target.get("id") if target.get("name") else None),
        status=_optional(target.get("status")),
        facts=[
            Fact(escape(_label(key), limit=_BUTTON), escape(_plain(value)))
            for key, value in target.items()
            if key not in _LONE and value is not None
        ][:_LINES],
        amounts=_amounts(plan.cost),
        lost=_lines(plan.lost),
        kept=_lines(plan.kept),
        warnings=_lines(plan.warnings),
        safer=[_gentler(safer) for safer in plan.safer[:_LINES]],
        approve=_action(approval, plan, name),
    )


def _action(approval: Approval, plan: Plan, name: str) -> str:
    """Name what the approving button does, to what."""
    shown = escape(name, limit=_BUTTON)
    if str(shown) != name:
        # a name that can't be read at a glance stands above; what is typed names the target as well
        shown = escape(approval.must_type or _plain(plan.target.get("id") or ""), limit=_BUTTON)
    if plan.risk is Risk.DESTROY:
        return f"Delete {str(shown).removeprefix('delete ')} for good"
    verb, _, rest = approval.tool.partition("_")
    call = str(escape(approval.tool.replace("_", " "), limit=_BUTTON))
    if rest == plan.target.get("type"):
        call = str(escape(verb, limit=_BUTTON))
        return f"Approve: {call} {shown}".rstrip()
    return f"Approve: {call} ({shown})" if shown.text else f"Approve: {call}"


def _label(key: str) -> str:
    first, *others = key.split("_")
    return " ".join([_ACRONYMS.get(first, first.capitalize()), *(_ACRONYMS.get(word, word) for word in others)])


def _amounts(cost: Cost | None) -> list[Amount]:
    if cost is None:
        return []
    now, after, spent = cost.hourly_now, cost.hourly_after, cost.spent_so_far
    amounts = []
    if now is not None:
        amounts.append(Amount("Now", f"{money(now, cost.currency)}/h", _monthly(now, cost.currency)))
    if after is not None:
        amounts.append(Amount("Afterwards", f"{money(after, cost.currency)}/h", _monthly(after, cost.currency)))
    if now is not None and after is not None and now != after:
        sign = "+" if after > now else ""
        amounts.append(Amount("Difference", f"{sign}{money(after - now, cost.currency)}/h"))
    if spent is not None:
        amounts.append(Amount("Spent so far", money(spent, cost.currency)))
    return amounts


def _monthly(hourly: float, currency: str) -> str:
    month = hourly * _HOURS_A_MONTH
    return f"≈ {money(month, currency, cents=abs(month) < _ROUND)} a month" if hourly else ""


def _gentler(safer: Safer) -> Gentler:
    arguments = ", ".join(f"{name}={_plain(value)}" for name, value in safer.arguments.items())
    return Gentler(escape(f"{safer.tool}({arguments})"), escape(safer.why, limit=_SENTENCE))


def _lines(sentences: list[str]) -> Lines:
    return Lines([escape(sentence, limit=_SENTENCE) for sentence in sentences[:_LINES]], len(sentences[_LINES:]))


def _optional(value: Any) -> Escaped | None:
    return None if value is None else escape(_plain(value), limit=_NAME)


def _plain(value: Any) -> str:
    """Write a JSON value for people."""
    match value:
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case []:
            return "none"
        case list() if all(isinstance(item, str | int | float) for item in value):
            return ", ".join(_plain(item) for item in value)
        case list() | Mapping():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _moment(at: float) -> Moment:
    when = datetime.fromtimestamp(at, UTC)
    return Moment(when.strftime("%d %b %H:%M:%S UTC").lstrip("0"), when.isoformat(timespec="seconds"))
