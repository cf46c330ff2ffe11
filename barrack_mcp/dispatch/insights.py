"""Tools of our own: what each answers is found by one function, and made fit for a model like any answer.

A read changes nothing anywhere. A change of what we keep ourselves sends nothing to the API, and stands in the record
like one that does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from barrack_mcp.account.account import Account
from barrack_mcp.account.leases import LeaseError, read_leases, set_lease
from barrack_mcp.account.spending.overview import read_overview
from barrack_mcp.account.waiting import End
from barrack_mcp.api.body import MAX_BYTES, add_notes, without_nulls
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, INSIGHTS, Insight, JsonObject
from barrack_mcp.catalogue.marks import marks_of
from barrack_mcp.catalogue.outcome import Confirmed
from barrack_mcp.dispatch.answers import advice
from barrack_mcp.dispatch.answers.bounds import SafeCopy
from barrack_mcp.dispatch.answers.outcomes import Answer, conclude
from barrack_mcp.dispatch.answers.safe import LOOKED_AT
from barrack_mcp.dispatch.waits import wait_for_any
from barrack_mcp.dispatch.writes.report import conclude_unsent
from barrack_mcp.dispatch.writes.sent import Unsent
from barrack_mcp.dispatch.writes.writer import STATE_UNUSABLE, Writer
from barrack_mcp.guard.decide import Policy
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.state.store import StoreError


@dataclass(frozen=True, kw_only=True)
class Errand:
    """One call of a tool of our own, on its way.

    Attributes:
        insight: Which tool.
        values: Its validated arguments, with ids for names.
        caller: Who asks, and for which account.
        offered: The tools on offer: no other is named as a way to go on.
        currency: Currency of prices where the call names none.
        now: Seconds since 1970.
        policy: What the operator set.
    """

    insight: Insight
    values: JsonObject
    caller: Caller
    offered: Collection[str]
    currency: str
    now: float
    policy: Policy

    @property
    def account(self) -> Account:
        """What it is about."""
        return self.caller.account


@dataclass(frozen=True)
class Finding:
    """What was found, or what was changed.

    Attributes:
        data: It, as the tool's answer is declared.
        sentences: The same for people; what came from elsewhere in them is made safe already.
        is_error: Whether it was not what was wanted.
    """

    data: JsonObject
    sentences: Sequence[str]
    is_error: bool = False


class StoppedError(Exception):
    """There is nothing to answer, and nothing was changed; its text is one sentence for the caller."""


Answering: TypeAlias = Callable[[Errand], Awaitable[Finding]]
"""Finds what a tool of our own answers, or changes what it changes.

Raises:
    ApiError: What it takes could not be read.
    StoreError: What we keep could not be read or written.
    StoppedError: There is nothing to answer.
"""


async def _get_spending_overview(errand: Errand) -> Finding:
    currency = str(errand.values.get("currency") or errand.currency)
    overview = await read_overview(errand.account, currency, now=errand.now, offered=errand.offered)
    return Finding(overview.fields(), overview.sentences())


async def _wait_for_status(errand: Errand) -> Finding:
    data, told, end = await wait_for_any(errand.values, errand.caller, offered=errand.offered)
    if end in (End.FAILED, End.GONE, End.UNREAD):
        raise StoppedError(told)
    return Finding(data | {"notes": [told]}, [])


async def _list_leases(errand: Errand) -> Finding:
    overdue_only = errand.values.get("overdue_only", False)
    found = await read_leases(errand.account, errand.currency, overdue_only=overdue_only)
    return Finding(*found)


async def _set_lease(errand: Errand) -> Finding:
    try:
        found = await set_lease(
            errand.account,
            errand.values,
            caller=errand.caller.subject,
            currency=errand.currency,
            most=errand.policy.max_machine_cost,
        )
    except LeaseError as error:
        raise StoppedError(str(error)) from None
    return Finding(*found)


ANSWERING: Final[Mapping[str, Answering]] = MappingProxyType(
    {
        "get_spending_overview": _get_spending_overview,
        "wait_for_status": _wait_for_status,
        "list_leases": _list_leases,
        "set_lease": _set_lease,
    }
)
"""What answers each tool of our own."""


def check(insights: Iterable[Insight], answering: Collection[str]) -> None:
    """See that each tool of our own is answered, and that nothing else is.

    Raises:
        TypeError: One is not; the sentence names it.
    """
    declared = {insight.tool for insight in insights}
    if wrong := declared ^ set(answering):
        raise TypeError(f"declared or answered, but not both: {', '.join(sorted(wrong))}")


check(INSIGHTS, ANSWERING)


async def answer(errand: Errand, writer: Writer) -> Answer:
    """Answer a call of a tool of our own.

    Args:
        errand: The call.
        writer: Writes down what is changed.
    """
    if errand.insight.reads:
        return await _read(errand)
    return await writer.finish(lambda: _change(errand, writer))


async def _read(errand: Errand) -> Answer:
    try:
        finding = await ANSWERING[errand.insight.tool](errand)
    except ApiError as error:
        return conclude("failed", _explain(error), failure=error.failure)
    except StoreError:
        return conclude("failed", _UNREADABLE)
    except StoppedError as stopped:
        return conclude("failed", str(stopped))
    data, sentences = _fit(errand.insight, finding)
    lines = [*data.get("notes", []), *sentences]
    return Answer(data, "\n".join(lines), is_error=finding.is_error, failure="failed" if finding.is_error else "")


async def _change(errand: Errand, writer: Writer) -> Answer:
    """Change what we keep, between two lines of the record."""
    async with writer.recording(errand.insight, errand.values, errand.caller) as came:
        if isinstance(came, Unsent):
            return conclude_unsent(came)
        try:
            finding = await ANSWERING[errand.insight.tool](errand)
        except ApiError as error:
            came.end("refused", f"{_explain(error)} {_NOTHING_CHANGED}")
            return conclude("refused", came.message, failure=error.failure)
        except StoreError:
            came.end("refused", STATE_UNUSABLE)
            return conclude("refused", came.message)
        except StoppedError as stopped:
            came.end("refused", str(stopped))
            return conclude("refused", came.message)
        data, sentences = _fit(errand.insight, finding)
        message = " ".join(sentences)
        came.end("failed" if finding.is_error else "done", message)
        confirmed = Confirmed(how="not_needed")
        return conclude(came.outcome, message, result=data, confirmed=confirmed)


def _fit(insight: Insight, finding: Finding) -> tuple[JsonObject, list[str]]:
    """Make what was found fit for a model: nothing invisible in it, nothing endless."""
    copy = SafeCopy()
    data = copy.within(without_nulls(finding.data), LOOKED_AT)
    data = copy.within(copy.fields(data, marks_of(insight.response)), MAX_BYTES)
    add_notes(data, *copy.notes())
    room, told = MAX_BYTES, []
    for sentence in finding.sentences:
        room -= len(sentence.encode()) + 1
        if room < 0:
            break
        told.append(sentence)
    return data, told


def _explain(error: ApiError) -> str:
    """The API's own words, and what to do now."""
    operation = BY_TOOL.get(error.tool)
    more = advice.next_step(operation, error) if operation is not None else ""
    return f"{error.sentence} {more}".rstrip()


_UNREADABLE: Final = "What we keep ourselves can't be read at the moment; the server's log says why."
_NOTHING_CHANGED: Final = "Nothing was changed."
