"""What the record hears of people: what they were shown, and what they answered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from barrack_mcp.api.redact import Echo
from barrack_mcp.catalogue.marks import masked, open_texts, secrets_in
from barrack_mcp.catalogue.outcome import Plan
from barrack_mcp.guard.approvals import Approval, Status, Witness
from barrack_mcp.guard.ruling.ruling import Shown, digest
from barrack_mcp.state.audit import Audit, AuditError

_log = logging.getLogger(__name__)


def witness(record: Audit) -> Witness:
    """Make what writes a person's answers down; if it can't, the log says so, and the call itself will not be sent."""

    async def note(approval: Approval) -> None:
        try:
            await record.approval(
                approval.id,
                caller=approval.caller,
                on_behalf_of=approval.on_behalf_of,
                tool=approval.tool,
                answer="approved" if approval.status is Status.APPROVED else "denied",
                by=str(approval.decided_by),
                plan=digest(Plan.model_validate(approval.plan)),
            )
        except AuditError as error:
            _log.error("%s", error)

    return note


def note_shown(record: Audit) -> Callable[[Shown], Awaitable[None]]:
    """Make what writes down what a person is asked; an `AuditError` stops the call before anybody is."""

    async def note(shown: Shown) -> None:
        operation, values = shown.operation, shown.values
        # a plan is made of what was read; should that repeat what the call holds in secret, it goes
        echo = Echo(secrets_in(operation, values), known=open_texts(operation, values))
        await record.shown(
            caller=shown.caller,
            on_behalf_of=shown.on_behalf_of,
            tool=operation.tool,
            risk=operation.risk,
            arguments=masked(operation, values),
            plan=digest(shown.plan),
            shown=echo.hidden_in(shown.plan.model_dump(mode="json", exclude_none=True)),
            question=None if shown.question is None else echo.hidden(shown.question),
            approval=shown.approval,
        )

    return note
