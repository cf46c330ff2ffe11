"""What a call would do as things stand, and what the operator says of that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from barrack_mcp.account.account import Account
from barrack_mcp.account.leases import find_term, gives_lease
from barrack_mcp.account.reading import Reader
from barrack_mcp.account.spending.shares import Budget
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import Risk
from barrack_mcp.guard.decide import Facts, Policy, decide, is_protected, passed_limit
from barrack_mcp.guard.plans import Binding, Known, Planned, plan
from barrack_mcp.guard.ruling.call import Call
from barrack_mcp.guard.ruling.limits import refuse
from barrack_mcp.guard.ruling.ruling import CHANGED, Stopped
from barrack_mcp.guard.turns import Turn
from barrack_mcp.state.store import Holdings

_log = logging.getLogger(__name__)


class Assessor:
    """Reads what a call would do, and holds it against what the operator set.

    Args:
        policy: What the operator set.
        now: Seconds since 1970.
    """

    def __init__(self, policy: Policy, now: Callable[[], float]) -> None:
        self._policy, self._now = policy, now

    def policy_for(self, call: Call) -> Policy:
        """What the operator set, as it is for who calls."""
        return self._policy.within(call.caller.allowance)

    def facts(self, call: Call, planned: Planned | None = None) -> Facts:
        """What is decided by; before anything is read, what is known of the call alone."""
        policy, asker = self.policy_for(call), call.caller.asker
        operation, can_ask = call.operation, asker is not None and asker.can_ask and not policy.four_eyes
        return Facts(
            risk=operation.risk,
            wide=planned is not None and planned.wide,
            replaces=operation.replaces is not None,
            overwrites=planned is not None and planned.overwrites,
            unattended=policy.unattended,
            protected=planned is not None
            and is_protected(planned.protected_by, policy.protect, unread=planned.hides_names),
            limit=None if planned is None else passed_limit(planned.sums, policy),
            mode=policy.mode,
            can_ask=can_ask,
        )

    async def plan(
        self, call: Call, read: Reader, binding: Binding = Binding.NOT_YET, *, turn: Turn | None = None
    ) -> Planned:
        """Read what a call would do.

        Args:
            call: The call.
            read: Reads it.
            binding: How much of it is read.
            turn: The account's, if this is the last look.

        Raises:
            ApiError: What it is about could not be read.
        """
        return await plan(
            call.operation,
            call.values,
            read=read,
            currency=self._policy.currency,
            now=self._now(),
            binding=binding,
            known=await self._recollect(call, None if turn is None else turn.holdings),
            beside=None if turn is None else call.beside,
        )

    async def _recollect(self, call: Call, held: Holdings | None) -> Known:
        """Answer what we know of an account that a call may be held against.

        Args:
            call: The call.
            held: What is known here alone, as it was read just now; None to read what is needed of it.

        Raises:
            StoreError: Who bought what can't be read, so no budget can be kept.
        """
        operation, account, policy = call.operation, call.caller.account, self.policy_for(call)
        spends = operation.risk is Risk.SPEND
        if held is None and spends and policy.has_budget and gives_lease(operation) and account.leases is not None:
            # both are needed, and read at once
            held = await account.leases.hold(account.id)
        return Known(
            deeds=account.deeds,
            last_changes=account.last_changes,
            find_term=partial(find_term, account, operation, call.values, known=held),
            budget=await find_budget(account, call.caller.subject, policy, held=held) if spends else None,
            by_month=policy.by_month,
            brought=account.brought,
        )

    async def step_back(self, call: Call, read: Reader, turn: Turn | None) -> Planned | None:
        """Read again what binds, and that alone; None if the target is gone."""
        try:
            return await self.plan(call, read, Binding.ALONE, turn=turn)
        except ApiError as error:
            if error.status in (404, 410):
                return None
            raise

    def against(self, call: Call, planned: Planned) -> Stopped | None:
        """Say what no yes can pass: what the operator forbids, and what can't succeed."""
        return self.forbidden(call, planned) or (planned.refusal and Stopped(planned.refusal, planned.plan)) or None

    def forbidden(self, call: Call, planned: Planned) -> Stopped | None:
        """Say what the operator forbids."""
        return refuse(decide(self.facts(call, planned)), self.policy_for(call), planned)

    async def changed(self, call: Call) -> Stopped:
        """Refuse what is no longer as it was shown, or may not be any more, with a plan of how it stands now."""
        try:
            now = await self.plan(call, call.caller.account.read)
        except ApiError as error:
            _log.info("no plan for %s: %s", call.operation.tool, error.failure)
            return Stopped(CHANGED)
        told = f"{CHANGED} {now.refusal}" if now.refusal is not None else CHANGED
        return self.forbidden(call, now) or Stopped(told, now.plan)


async def find_budget(account: Account, caller: str, policy: Policy, *, held: Holdings | None = None) -> Budget | None:
    """Answer what a caller's own purchases are held against; None where nothing limits them.

    Raises:
        StoreError: Who bought what can't be read, so no budget can be kept.
    """
    if not policy.has_budget:
        return None
    bought = await account.find_purchases() if held is None else held.purchases
    return Budget(caller, policy.hourly_budget, policy.monthly_budget, bought)
