"""Decide, enumerated: every combination of facts against a table written by hand."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from barrack_mcp.catalogue import Risk
from barrack_mcp.catalogue.outcome import Plan, Safer
from barrack_mcp.guard.decide import (
    Decision,
    Facts,
    Mode,
    asks,
    decide,
    exceeds,
    falls_below,
    is_protected,
    may_hurt,
    without_forbidden,
)

BY_MODE = {
    ("auto", True): "ask",
    ("auto", False): "request",
    ("elicit", True): "ask",
    ("elicit", False): "not_allowed",
    ("out-of-band", True): "request",
    ("out-of-band", False): "request",
    ("refuse", True): "not_allowed",
    ("refuse", False): "not_allowed",
}
"""What becomes of a call that needs a yes."""

TABLE = {
    # risk: (protected counts, limits count, needs a yes of its own)
    "read": (False, False, False),
    "change": (False, False, False),
    "spend": (False, True, True),
    "interrupt": (True, False, True),
    "expose": (False, False, False),
    "destroy": (True, False, True),
}


LIMITS = (
    Decision.TOO_COSTLY,
    Decision.TOO_SHORT,
    Decision.TOO_MUCH,
    Decision.TOO_DEAR,
    Decision.OVER_BUDGET,
    Decision.OVER_MONTH,
)


def by_hand(facts: Facts) -> str:
    protects, limits, asks = TABLE[facts.risk.value]
    asks = asks or (facts.overwrites and facts.risk is not Risk.EXPOSE)
    if (protects or facts.replaces) and facts.protected:
        return "protected"
    if limits and facts.limit is not None:
        return facts.limit.value
    if (not asks or facts.risk in facts.unattended) and (not facts.wide or Risk.EXPOSE in facts.unattended):
        return "allow"
    return BY_MODE[facts.mode.value, facts.can_ask]


def test_every_combination_of_facts_is_decided_as_the_table_says() -> None:
    switches = ("wide", "replaces", "overwrites", "protected", "can_ask")
    seen = set()
    for risk, mode in itertools.product(Risk, Mode):
        unattended = [frozenset(each) for each in ([], [risk], [Risk.EXPOSE], [risk, Risk.EXPOSE])]
        choices = itertools.product((False, True), repeat=len(switches))
        for alone, limit, values in itertools.product(unattended, (None, *LIMITS), choices):
            switched = dict(zip(switches, values, strict=True))
            facts = Facts(risk=risk, mode=mode, unattended=alone, limit=limit, **switched)
            assert decide(facts) == by_hand(facts), facts
            seen.add(decide(facts))
    assert seen == set(Decision)


@pytest.mark.parametrize(
    ("marks", "globs", "protected"),
    [
        (("prod-1", "BRK-1D"), ("prod-*",), True),
        (("PROD-1",), ("prod-*",), True),
        (("prod-1",), ("PROD-1",), True),
        (("brk-1d",), ("BRK-1D",), True),
        (("staging",), ("prod-*", "stag*"), True),
        (("my-prod-1",), ("prod-*",), False),
        ((), ("*",), False),
        (("prod-1",), (), False),
    ],
)
def test_a_glob_protects_names_and_ids(marks: tuple[str, ...], globs: tuple[str, ...], protected: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_protected(marks, globs) is protected


def test_a_change_asks_nobody_unless_it_is_said_to_overwrite() -> None:
    assert asks(Risk.CHANGE, wide=False) == frozenset()


def test_a_name_that_could_not_be_read_counts_as_protected_where_anything_is() -> None:
    assert is_protected(["staging"], ["prod-*"], unread=True)
    assert is_protected([], ["prod-*"], unread=True)
    assert not is_protected(["staging"], [], unread=True)


def test_what_interrupts_or_destroys_may_hurt_and_nothing_else_does() -> None:
    assert {risk for risk in Risk if may_hurt(risk)} == {Risk.INTERRUPT, Risk.DESTROY}


@pytest.mark.parametrize(
    ("decision", "left"),
    [
        (Decision.PROTECTED, ["deploy_instance", "get_instance"]),
        (Decision.TOO_COSTLY, ["delete_volume", "reboot_instance", "get_instance"]),
        (Decision.TOO_SHORT, ["delete_volume", "reboot_instance", "get_instance"]),
    ],
)
def test_a_refusal_offers_no_way_that_the_same_settings_refuse(decision: Decision, left: list[str]) -> None:
    ways = ["deploy_instance", "delete_volume", "reboot_instance", "get_instance"]
    safer = [Safer(tool=tool, arguments={}, why="It is gentler.") for tool in ways]
    plan = Plan(summary="This does it.", risk=Risk.DESTROY, target={}, safer=safer)
    assert [way.tool for way in without_forbidden(plan, decision).safer] == left


def test_what_is_not_known_keeps_no_limit() -> None:
    one, two = Decimal(1), Decimal(2)
    assert [exceeds(cost, limit) for cost, limit in ((one, None), (one, two), (two, two), (two, one), (None, one))] == [
        False, False, False, True, True,
    ]  # fmt: skip
    assert [
        falls_below(hours, limit) for hours, limit in ((one, None), (one, two), (two, two), (two, one), (None, one))
    ] == [False, True, False, False, True]
