"""What is said of a request without a yes, and of what the operator forbids: which words, which limit, which time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from barrack_mcp.account.money import FOREVER
from barrack_mcp.catalogue import Risk
from barrack_mcp.catalogue.outcome import Plan
from barrack_mcp.guard.approvals import Approval, Status
from barrack_mcp.guard.consent.waiting import settle
from barrack_mcp.guard.decide import Decision, Policy, Sums
from barrack_mcp.guard.ruling.limits import forbid, foretell
from barrack_mcp.guard.ruling.ruling import SENT_NOTHING, Stopped, Waiting

PLAN = Plan(summary="Stop train-1.", risk=Risk.INTERRUPT, target={"type": "instance", "id": "BRK-1D"})
NOW = datetime(2026, 1, 15, 9, 30, 5, tzinfo=UTC).timestamp()
ASKED = Approval(
    id="ap-1",
    binding="b",
    caller="local:0",
    tool="stop_instance",
    arguments={},
    plan=PLAN.model_dump(mode="json", exclude_none=True),
    must_type=None,
    fingerprint="f",
    status=Status.PENDING,
    created_at=NOW,
    expires_at=NOW + 600,
)


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock on the wall is five hours off."""
    monkeypatch.setenv("TZ", "EST+5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.DENIED, f"A person said no to this call. {SENT_NOTHING}"),
        (Status.USED, "A person approved this call elsewhere meanwhile, and it was sent then."),
        (Status.EXPIRED, f"Nobody approved this call in time. {SENT_NOTHING}"),
    ],
)
def test_a_request_that_ended_without_a_yes_for_this_call_says_how_with_its_plan(status: Status, said: str) -> None:
    told = settle(replace(ASKED, status=status), place="here", now=NOW)
    assert isinstance(told, Stopped)
    assert (told.plan, told.sentence.startswith(said), told.sentence[-1]) == (PLAN, True, ".")


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="a process changes its zone on POSIX alone")
@pytest.mark.usefixtures("far_away")
@pytest.mark.parametrize(
    ("later", "left"),
    [(0, "10 minutes"), (480, "2 minutes"), (481, "119 seconds"), (599, "1 seconds"), (600, "0 seconds"), (601, "0 s")],
)
def test_what_waits_says_where_for_how_long_and_until_when_in_the_one_zone(later: int, left: str) -> None:
    told = settle(ASKED, place="on the wall", now=NOW + later)
    assert isinstance(told, Waiting)
    assert (told.approval, told.plan) == (ASKED, PLAN)
    assert f"outside of this conversation, on the wall. A yes in the chat doesn't count. It waits for {left}" in (
        told.sentence
    )
    assert ", until 2026-01-15 09:40:05 UTC (request ap-1). Nothing was sent" in told.sentence


POLICY = Policy(max_hourly_cost=Decimal(5), min_runway_hours=Decimal(48), max_machine_cost=Decimal(20), currency="EUR")
KNOWN = Sums(hourly_after=Decimal(6), runway_hours_after=Decimal(2), machine_cost=Decimal(30))
UNKNOWN = Sums(hourly_after=None, runway_hours_after=None, machine_cost=None)
ENDLESS = Sums(hourly_after=FOREVER, runway_hours_after=FOREVER, machine_cost=FOREVER)


@pytest.mark.parametrize(
    ("decision", "sums", "said"),
    [
        (Decision.PROTECTED, KNOWN, "the operator protects this"),
        (Decision.PROTECTED, UNKNOWN, "the operator protects this"),
        (Decision.TOO_COSTLY, KNOWN, "would cost more per hour than the operator allows (5 EUR), and"),
        (Decision.TOO_COSTLY, ENDLESS, "would cost more per hour than the operator allows (5 EUR), and"),
        (Decision.TOO_COSTLY, UNKNOWN, "can't be told, the operator limits it (5 EUR), and"),
        (Decision.TOO_SHORT, KNOWN, "would not last as long as the operator wants it to (48 hours), and"),
        (Decision.TOO_SHORT, UNKNOWN, "can't be told, the operator wants it to last (48 hours), and"),
        (Decision.TOO_DEAR, KNOWN, "would cost more than the operator allows for one (20 EUR), and"),
        (Decision.TOO_DEAR, UNKNOWN, "can't be told, the operator limits it (20 EUR), and"),
        (Decision.TOO_DEAR, ENDLESS, "over its lease (20 EUR), and this call gives it none"),
    ],
)
def test_what_the_operator_forbids_names_the_limit_and_whether_it_is_passed_or_nobody_can_tell(
    decision: Decision, sums: Sums, said: str
) -> None:
    told = forbid(decision, POLICY, sums)
    assert said in told
    assert ("(" in told.removesuffix("(lease_hours)").split("A shorter lease")[0]) is (
        decision is not Decision.PROTECTED
    )


@pytest.mark.parametrize(
    ("decision", "sums", "said"),
    [
        (Decision.TOO_COSTLY, KNOWN, "it passes the operator's limit, 5 EUR an hour for all."),
        (Decision.TOO_COSTLY, ENDLESS, "it passes the operator's limit, 5 EUR an hour for all."),
        (
            Decision.TOO_COSTLY,
            UNKNOWN,
            "it may pass, since not all could be read or priced, the operator's limit, 5 EUR",
        ),
        (Decision.TOO_SHORT, KNOWN, "it passes the operator's limit, credit for 48 hours."),
        (Decision.TOO_DEAR, KNOWN, "it passes the operator's limit, 20 EUR for a machine's lease."),
        (
            Decision.TOO_DEAR,
            ENDLESS,
            "without a lease (lease_hours) it would be refused: the operator's limit is 20 EUR",
        ),
    ],
)
def test_a_quote_names_the_limit_that_would_refuse_the_purchase(decision: Decision, sums: Sums, said: str) -> None:
    assert said in foretell(decision, POLICY, sums)
