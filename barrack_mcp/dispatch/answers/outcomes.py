"""What a call came to, as the outcome that it answers and in plain sentences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel

from barrack_mcp.account.rates import tell_sum
from barrack_mcp.account.reading import Extent, listing_of
from barrack_mcp.api.body import is_list
from barrack_mcp.api.text import write_json
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.outcome import ERRORS, Confirmed, Ending, Outcome, Pending
from barrack_mcp.dispatch.answers.brief import table
from barrack_mcp.dispatch.answers.consent import tell_confirmed
from barrack_mcp.guard.asking.telling import sentences
from barrack_mcp.guard.ruling.ruling import Stopped, Waiting


@dataclass(frozen=True)
class Answer:
    """What a call came to, before it is put into a protocol's words."""

    structured: JsonObject
    text: str
    is_error: bool = False
    failure: str = ""
    """For exit codes: `arguments`, `refused`, `approval_required`, `unknown` or a kind of `ApiError`; or nothing."""


def conclude_held(ruling: Stopped | Waiting) -> Answer:
    """Say that the guard refused a call, or that it waits for a person."""
    if isinstance(ruling, Stopped):
        return conclude("refused", ruling.sentence, plan=ruling.plan)
    expires = datetime.fromtimestamp(ruling.approval.expires_at, tz=UTC).isoformat(timespec="seconds")
    approval = Pending(id=ruling.approval.id, expires_at=expires)
    waiting = conclude("approval_required", ruling.sentence, plan=ruling.plan, approval=approval)
    return replace(waiting, failure="approval_required")


def conclude(
    ending: Ending, message: str, *, failure: str = "", confirmed: Confirmed | None = None, **more: Any
) -> Answer:
    """Say what a call came to: its outcome, who agreed, and the same facts in plain sentences."""
    if confirmed is not None:
        message, more["confirmed"] = f"{message} {tell_confirmed(confirmed)}", confirmed
    structured = Outcome(outcome=ending, message=message, **more).model_dump(mode="json", exclude_none=True)
    planned = [] if (plan := more.get("plan")) is None else sentences(plan)
    text = "\n".join([message, *(each for each in planned if each not in message)])
    if "result" in structured:
        text += f"\n{write_json(structured['result'])}"
    is_error = ending in ERRORS
    return Answer(structured, text, is_error=is_error, failure=failure or (ending if is_error else ""))


def add_to(answer: Answer, sentence: str, **more: BaseModel | None) -> Answer:
    """Add to an outcome what was found out after it: a sentence to its message, and fields."""
    message = answer.structured["message"]
    longer = f"{message} {sentence}"
    fields = {name: each.model_dump(mode="json", exclude_none=True) for name, each in more.items() if each is not None}
    text = answer.text.replace(message, longer, 1)
    return replace(answer, structured={**answer.structured, "message": longer, **fields}, text=text)


def tell(operation: Operation, data: JsonObject, *, brief: bool) -> str:
    """Say a read's answer in text: first what matters about it, then the data, a row a line."""
    lines = [*data.get("notes", []), *([data["billing"]] if isinstance(data.get("billing"), str) else [])]
    rows = data.get(operation.result or "") if is_list(operation) else None
    if not isinstance(rows, list):
        return "\n".join([*lines, write_json({name: value for name, value in data.items() if name not in _SAID})])
    rest = {name: value for name, value in data.items() if name not in (operation.result, *_SAID)}
    in_brief = brief and rows and all(isinstance(row, dict) for row in rows)
    told = table(operation, rows) if in_brief else [write_json(row) for row in rows] or _nothing(operation, data)
    summed = [tell_sum(operation, data["sum"], total=data.get("total"))] if "sum" in data else []
    return "\n".join([*lines, *told, *([write_json(rest)] if rest else []), *summed])


def _nothing(operation: Operation, data: JsonObject) -> list[str]:
    """Say that there are no rows, where nothing says that there are some."""
    found = listing_of(operation.tool, data)
    return ["None."] if found.extent is not Extent.PARTLY else []


_SAID: Final = ("notes", "billing", "sum", "quotes")
