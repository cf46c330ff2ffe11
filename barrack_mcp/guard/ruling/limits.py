"""What is said of a call that the operator's limits forbid, whatever anyone says: it teaches no way round them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.spending.shares import Share
from barrack_mcp.catalogue import Risk
from barrack_mcp.guard.decide import Decision, Policy, Sums, without_forbidden
from barrack_mcp.guard.plans.draft import Planned
from barrack_mcp.guard.ruling.ruling import SENT_NOTHING, Stopped

WHATEVER_ANYONE_SAYS: Final = {
    Decision.PROTECTED: "It is not done: the operator protects this, or something that would be lost or stopped with "
    "it, or the name of some of that could not be read; no approval passes that. Tell the user.",
    Decision.TOO_COSTLY: "It is not done: all that runs would cost more per hour than the operator allows{limit}, and "
    "no approval passes that. Tell the user.",
    Decision.TOO_SHORT: "It is not done: the credit would not last as long as the operator wants it to{limit}, and no "
    "approval passes that. Tell the user.",
    Decision.TOO_MUCH: "It is not done: this month would come to more than the operator allows{limit}, with what was "
    "spent in it and what runs to its end, and no approval passes that. Tell the user.",
    Decision.TOO_DEAR: "It is not done: over its lease this machine would cost more than the operator allows for "
    "one{limit}, and no approval passes that. A shorter lease (lease_hours) or a smaller machine costs less; ask the "
    "user which.",
    Decision.OVER_BUDGET: "It is not done: what you have bought here costs {now}, with this it would cost {after}, and "
    "the operator allows you less{limit}; no approval passes that. Tell the user. What of it is not needed any more "
    "can be hibernated or deleted.",
    Decision.OVER_MONTH: "It is not done: what you have bought here comes to {now} this month, with what runs to its "
    "end, with this it would come to {after}, and the operator allows you less{limit}; no approval passes that. Tell "
    "the user. What of it is not needed any more can be hibernated or deleted.",
}
_UNTOLD: Final = {
    Decision.TOO_COSTLY: "It is not done: what all that runs would cost can't be told, the operator limits it{limit}, "
    "and no approval passes that. Tell the user.",
    Decision.TOO_SHORT: "It is not done: how long the credit would last can't be told, the operator wants it to "
    "last{limit}, and no approval passes that. Tell the user.",
    Decision.TOO_MUCH: "It is not done: what this month would come to can't be told, the operator limits it{limit}, "
    "and no approval passes that. Tell the user.",
    Decision.TOO_DEAR: "It is not done: what this machine would cost over its lease can't be told, the operator limits "
    "it{limit}, and no approval passes that. Tell the user.",
    Decision.OVER_BUDGET: "It is not done: what all would cost that you have bought here can't be told, the operator "
    "limits it{limit}, and no approval passes that. Tell the user.",
    Decision.OVER_MONTH: "It is not done: what all that you have bought here comes to this month can't be told, the "
    "operator limits it{limit}, and no approval passes that. Tell the user.",
}
_ENDLESS: Final = (
    "It is not done: the operator limits what one machine may cost over its lease{limit}, and this call gives it none, "
    "so that it would cost without an end. Ask the user for how many hours they need it, and say so in lease_hours."
)


def refuse(decision: Decision, policy: Policy, planned: Planned) -> Stopped | None:
    """Say what the operator forbids, with those ways to go on that are not forbidden likewise; None if nothing is.

    Args:
        decision: What was decided.
        policy: What the operator set.
        planned: What the call would do.
    """
    if decision not in WHATEVER_ANYONE_SAYS:
        return None
    no_sum = "" if decision in (Decision.PROTECTED, Decision.TOO_DEAR) else planned.why_no_sum
    told = f"{planned.plan.summary} {no_sum or forbid(decision, policy, planned.sums)} {SENT_NOTHING}"
    return Stopped(told, without_forbidden(planned.plan, decision))


def forbid(decision: Decision, policy: Policy, sums: Sums) -> str:
    """Say what the operator forbids, with the limit that it passes: that is no secret.

    Args:
        decision: One of those that no approval passes.
        policy: What the operator set.
        sums: What is held against the limits.
    """
    if decision is Decision.PROTECTED:
        # no limit is passed, so there is none to name
        return WHATEVER_ANYONE_SAYS[decision]
    found = _sum(decision, sums)
    words = WHATEVER_ANYONE_SAYS[decision] if found is not None else _UNTOLD[decision]
    if decision is Decision.TOO_DEAR and found == money.FOREVER:
        words = _ENDLESS
    told = {} if found is None else _tell_share(decision, policy, sums.share)
    return words.format(limit=f" ({_limit(decision, policy)})", **told)


def _limit(decision: Decision, policy: Policy) -> str:
    """A limit in words."""
    return {
        Decision.TOO_COSTLY: f"{policy.max_hourly_cost} {policy.currency}",
        Decision.TOO_SHORT: f"{policy.min_runway_hours} hours",
        Decision.TOO_MUCH: f"{policy.max_monthly_cost} {policy.currency}",
        Decision.TOO_DEAR: f"{policy.max_machine_cost} {policy.currency}",
        Decision.OVER_BUDGET: f"{policy.hourly_budget} {policy.currency} an hour",
        Decision.OVER_MONTH: f"{policy.monthly_budget} {policy.currency} a month",
    }[decision]


def _sum(decision: Decision, sums: Sums) -> Decimal | None:
    """What a limit is held against; None if it can't be told."""
    return {
        Decision.TOO_COSTLY: sums.hourly_after,
        Decision.TOO_SHORT: sums.runway_hours_after,
        Decision.TOO_MUCH: sums.month_cost,
        Decision.TOO_DEAR: sums.machine_cost,
        Decision.OVER_BUDGET: sums.share.hourly_after,
        Decision.OVER_MONTH: sums.share.month_after,
    }[decision]


def _tell_share(decision: Decision, policy: Policy, share: Share) -> dict[str, str]:
    """What a caller's own purchases cost without the call and with it; nothing of anybody else's."""
    write, sums = (
        (money.write, (share.month_now, share.month_after))
        if decision is Decision.OVER_MONTH
        else (money.write_rate, (share.hourly_now, share.hourly_after))
    )
    return {name: write(sum_ or Decimal(0), policy.currency) for name, sum_ in zip(("now", "after"), sums, strict=True)}


def foretell(decision: Decision, policy: Policy, sums: Sums) -> str:
    """Say of what is only quoted that a purchase would be refused, and by which limit.

    Args:
        decision: The limit that it would pass.
        policy: What the operator set.
        sums: What is held against the limits.
    """
    limit, found = _FORETOLD[decision].format(_limit(decision, policy)), _sum(decision, sums)
    if decision is Decision.TOO_DEAR and found == money.FOREVER:
        return f"Bought without a lease (lease_hours) it would be refused: the operator's limit is {limit}."
    why = "passes" if found is not None else "may pass, since not all could be read or priced,"
    return f"A purchase would be refused, whatever anyone says: it {why} the operator's limit, {limit}."


_FORETOLD: Final = {
    Decision.TOO_COSTLY: "{} an hour for all",
    Decision.TOO_SHORT: "credit for {}",
    Decision.TOO_MUCH: "{} for this month",
    Decision.TOO_DEAR: "{} for a machine's lease",
    Decision.OVER_BUDGET: "{} for what you buy",
    Decision.OVER_MONTH: "{} for what you buy",
}
"""A limit as it is told of a quote, beside which nothing says what it limits."""
_OPERATOR: Final = (
    "and the operator has not allowed this without one that can be asked for here. Nothing was sent to Barrack; tell "
    "the user."
)
NOT_ALLOWED: Final = {
    Risk.CHANGE: f"Not done. It overwrites a text that is there and needs a person's yes, {_OPERATOR}",
    Risk.SPEND: f"Not done. It costs money and needs a person's yes, {_OPERATOR}",
    Risk.INTERRUPT: f"Not done. It interrupts what runs and needs a person's yes, {_OPERATOR}",
    Risk.EXPOSE: f"Not done. It opens a machine to much of the internet and needs a person's yes, {_OPERATOR}",
    Risk.DESTROY: f"Not done. It destroys something for good and needs a person's yes, {_OPERATOR}",
}
