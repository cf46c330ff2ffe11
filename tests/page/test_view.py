"""What is shown of a request: escaped visibly, cut, in words and with the right button."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.api.text import Escaped, escape
from barrack_mcp.catalogue import Risk
from barrack_mcp.catalogue.outcome import Cost, Plan
from barrack_mcp.guard.asking.telling import Part, tell
from barrack_mcp.guard.page.view import RISKS, WORDS, Card, card, duration
from barrack_mcp.state.store import Approval, Status

from .conftest import PLAN

ASKED = Approval(
    id="ap-aaaaaaaaaa",
    binding="b",
    caller="local:1",
    tool="delete_instance",
    arguments={},
    plan=PLAN.model_dump(mode="json"),
    must_type="train-1",
    fingerprint="f",
    status=Status.PENDING,
    created_at=0.0,
    expires_at=600.0,
)


def shown(plan: Plan = PLAN, **changed: Any) -> Card:
    return card(replace(ASKED, **{"plan": plan.model_dump(mode="json")} | changed), now=100)


def button(**changed: Any) -> str:
    details = shown(**changed).details
    assert details is not None
    return details.approve


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain name-1_ü 日本 🙂", "plain name-1_ü 日本 🙂"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("\x1b[31m", "\\u001b[31m"),
        ("\x00\x07\x7f\x9b", "\\u0000\\u0007\\u007f\\u009b"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("zero\u200b\u200d\ufeffwidth", "zero\\u200b\\u200d\\ufeffwidth"),
        ("\U000e0041\U000e007f", "\\U000e0041\\U000e007f"),
        ("line\u2028par\u2029", "line\\u2028par\\u2029"),
        ("no\u00a0break\u3000wide", "no\\u00a0break\\u3000wide"),
        ("\u3164\u2800\u115f", "\\u3164\\u2800\\u115f"),
        ("\ufe0f\U000e0100\u180b", "\\ufe0f\\U000e0100\\u180b"),
        ("\ud800\ue000\U000f0000", "\\ud800\\ue000\\U000f0000"),
        ("e\u0301\u0302\u0303\u0304x\u0301", "e\u0301\u0302\\u0303\\u0304x\u0301"),
    ],
    ids=ascii,
)
def test_what_can_not_be_seen_is_made_visible(text: str, seen: str) -> None:
    assert escape(text) == Escaped(seen, len(text), cut=False)


def test_what_shall_stay_stays() -> None:
    assert str(escape("a\nb\tc", keep="\n")) == "a\nb\\tc"


@pytest.mark.parametrize(
    ("text", "seen"),
    [("abcde", "abcde"), ("abcdef", "abcde…"), ("abcd\n", "abcd…"), ("\u202e", "…"), ("", "")],
    ids=ascii,
)
def test_what_is_too_long_is_cut_between_characters_as_shown(text: str, seen: str) -> None:
    made = escape(text, limit=5)
    assert str(made) == seen
    assert made.length == len(text)


@settings(max_examples=300)
@given(st.text(st.characters(), max_size=300))
def test_no_text_stays_invisible_or_grows_past_the_limit(text: str) -> None:
    made = escape(text, limit=100)
    assert len(made.text) <= 100
    assert made.text.isprintable()
    assert not {char for char in made.text if unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 min 00 s"), (581, "9 min 41 s"), (6000, "100 min 00 s")]
)
def test_a_span_is_written_in_minutes_and_seconds(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("cost", "rows"),
    [
        (None, []),
        (Cost(currency="USD"), []),
        (Cost(currency="USD", hourly_now=1), [("Now", "1.00 USD an hour", "730.00 USD a month")]),
        (Cost(currency="G\u202eP", spent_so_far=1), [("Spent so far", "1.00 «G\\u202eP»", "")]),
        (
            Cost(currency="USD", hourly_now=0.1, hourly_after=0.1),
            [
                ("Now", "0.10 USD an hour", "73.00 USD a month"),
                ("Afterwards", "0.10 USD an hour", "73.00 USD a month"),
            ],
        ),
        (
            Cost(currency="USD", hourly_now=0, hourly_after=2.5, spent_so_far=0),
            [
                ("Now", "0.00 USD an hour", ""),
                ("Afterwards", "2.50 USD an hour", "1,825.00 USD a month"),
                ("Difference", "+2.50 USD an hour", "+1,825.00 USD a month"),
                ("Spent so far", "0.00 USD", ""),
            ],
        ),
    ],
)
def test_the_bill_is_shown_as_far_as_it_is_known(cost: Cost | None, rows: list[tuple[str, str, str]]) -> None:
    lines = [line for line in tell(PLAN.model_copy(update={"cost": cost})) if line.part is Part.COST]
    assert [(line.heading, line.text, line.aside) for line in lines] == rows


def target(risk: Risk = Risk.DESTROY, **facts: Any) -> Plan:
    return PLAN.model_copy(update={"risk": risk, "target": facts})


@pytest.mark.parametrize(
    ("plan", "changed", "label"),
    [
        (PLAN, {}, "Delete train-1 for good"),
        (target(type="ssh_key", id="key-1"), {"must_type": "key-1"}, "Delete key-1 for good"),
        (target(type="startup_scripts", ids=["a", "b"]), {"must_type": "delete 2"}, "Delete 2 for good"),
        (target(name="\u202eevil", id="i-1"), {"must_type": "i-1"}, "Delete i-1 for good"),
        (target(name="n" * 41, id="i-1"), {"must_type": "i-1"}, "Delete i-1 for good"),
        (
            target(Risk.SPEND, type="instance", name="llm"),
            {"tool": "deploy_instance", "must_type": None},
            "Approve: deploy llm",
        ),
        (
            target(Risk.INTERRUPT, type="instance", name="\n", id="i-1"),
            {"tool": "stop_instance", "must_type": None},
            "Approve: stop i-1",
        ),
        (
            target(Risk.EXPOSE, type="firewall", name="web"),
            {"tool": "add_firewall_rule", "must_type": None},
            "Approve: add firewall rule (web)",
        ),
        (target(Risk.SPEND), {"tool": "create_volume", "must_type": None}, "Approve: create volume"),
        (
            target(Risk.SPEND, type="volume"),
            {"tool": "create_volume", "must_type": None},
            "Approve: create",
        ),
    ],
)
def test_the_button_names_what_it_does_to_what(plan: Plan, changed: dict[str, Any], label: str) -> None:
    assert button(plan=plan, **changed) == label


def test_facts_of_the_target_are_written_for_people_in_their_order() -> None:
    details = shown(
        target(
            name="t",
            public_ip="203.0.113.4",
            vcpus=8,
            spot=True,
            locked=False,
            note=None,
            firewalls=["a", "b"],
            security_rules=[],
            disks=[{"size": 1}],
            os={"name": "ü"},
        )
    ).details
    assert details is not None
    assert details.facts == [
        ("Public IP", "203.0.113.4"),
        ("vCPUs", "8"),
        ("Spot", "yes"),
        ("Locked", "no"),
        ("Firewalls", "a, b"),
        ("Security rules", "none"),
        ("Disks", '[{"size":1}]'),
        ("OS", '{"name":"ü"}'),
    ]


@pytest.mark.parametrize(
    ("changed", "settled", "by"),
    [
        ({"status": Status.EXPIRED, "decided_at": 50.0, "decided_by": "ada"}, "1 Jan 1970 00:10:00 UTC", "ada"),
        ({"status": Status.EXPIRED}, "1 Jan 1970 00:10:00 UTC", None),
        ({"status": Status.DENIED, "decided_at": 50.0, "decided_by": "ada"}, "1 Jan 1970 00:00:50 UTC", "ada"),
        (
            {"status": Status.USED, "decided_at": 50.0, "used_at": 70.0, "decided_by": "a"},
            "1 Jan 1970 00:01:10 UTC",
            "a",
        ),
    ],
)
def test_an_answered_request_says_when_and_by_whom(changed: dict[str, Any], settled: str, by: str | None) -> None:
    made = shown(**changed)
    assert (made.settled.text, None if made.settled_by is None else str(made.settled_by)) == (settled, by)
    assert not made.pending


def test_every_risk_and_status_has_its_word() -> None:
    assert set(RISKS) == set(Risk)
    assert set(WORDS) == set(Status)
    assert len(set(RISKS.values())) == len(Risk)


def test_a_plan_of_another_shape_has_no_details_and_is_titled_by_its_tool() -> None:
    made = card(replace(ASKED, plan={"summary": 1}), now=0)
    assert made.details is None
    assert str(made.title) == "delete_instance"
