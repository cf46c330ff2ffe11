"""What a call would do as things stand, and what the operator says of that."""

from __future__ import annotations

import logging
from collections.abc import Callable

from barrack_mcp.account.reading import Reader
from barrack_mcp.api.errors import ApiError
from barrack_mcp.guard.decide import Facts, Policy, decide
from barrack_mcp.guard.plans import Binding, Planned, gather_facts, plan, recollect
from barrack_mcp.guard.ruling.call import Call
from barrack_mcp.guard.ruling.limits import refuse
from barrack_mcp.guard.ruling.ruling import CHANGED, Stopped
from barrack_mcp.guard.turns import Turn

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
        can_ask = asker is not None and asker.can_ask and not policy.four_eyes
        return gather_facts(call.operation, policy, planned, can_ask=can_ask)

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
        caller = call.caller
        held = None if turn is None else turn.holdings
        return await plan(
            call.operation,
            call.values,
            read=read,
            currency=self._policy.currency,
            now=self._now(),
            binding=binding,
            known=await recollect(
                caller.account,
                call.operation,
                call.values,
                caller=caller.subject,
                policy=self.policy_for(call),
                held=held,
            ),
            beside=None if turn is None else call.beside,
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
