"""Bills by dates: of each row what it cost in a time, to the cent where that can be told, else between two sums."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from barrack_mcp.account.reading import Listing
from barrack_mcp.account.spending.bills import Part, Window, cut, midnight, sum_up
from barrack_mcp.account.things import moment
from barrack_mcp.catalogue import JsonObject
from tests.support.house import house

pytestmark = pytest.mark.anyio

HOUR, DAY = 3_600, 86_400


def at(words: str) -> float:
    found = moment(words)
    assert found is not None
    return found


def a_row(start: str, end: str | None, minutes: int, rate: float, **otherwise: Any) -> JsonObject:
    cost = round(rate * minutes, 4)
    told = {"start_time": start, "end_time": end, "total_duration_minutes": minutes, "per_minute_rate": rate}
    return {**told, "total_cost": cost, "currency": "USD", **otherwise}


JANUARY_15 = Window.of_days("2026-01-15", "2026-01-15")


@pytest.mark.parametrize(
    ("row", "minutes", "cost"),
    [
        (a_row("2026-01-15T10:00:00Z", "2026-01-15T12:00:00Z", 120, 0.1), 120, 12),
        (a_row("2026-01-14T23:00:00Z", "2026-01-15T01:00:00Z", 120, 0.1), 60, 6),
        (a_row("2026-01-14T23:00:00", "2026-01-16T01:00:00", 26 * 60, 0.1), 24 * 60, 144),
        (a_row("2026-01-15T23:30:00Z", None, 60, 0.1), 30, 3),
        (a_row("2026-01-15T23:30:59Z", "2026-01-16T00:30:01Z", 60, 0.1), 30, 3),
        (a_row("2026-01-13T10:00:00Z", "2026-01-14T12:00:00Z", 26 * 60, 0.1), 0, 0),
        (a_row("2026-01-16T00:00:00Z", None, 60, 0.1), 0, 0),
        # the minute that ends at midnight belongs to the day that ends
        (a_row("2026-01-14T23:59:00Z", "2026-01-15T00:00:00Z", 1, 0.1), 0, 0),
        # what is over within a minute is nothing, whichever day it lies on
        (a_row("2026-01-15T10:00:01Z", "2026-01-15T10:00:02Z", 0, 0.1), 0, 0),
    ],
)
def test_a_row_of_one_rate_is_cut_at_the_minute(row: JsonObject, minutes: int, cost: float) -> None:
    part = cut(row, JANUARY_15, now=at("2026-03-01T00:00:00Z"))
    assert part is not None
    assert (part.minutes, part.is_exact) == (minutes, True)
    assert float(part.cost) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("row", "least", "most"),
    [
        # two days at 0.1 a minute at most, of which 144 were spent: all of them, or none, on the second
        (a_row("2026-01-14T00:00:00Z", "2026-01-16T00:00:00Z", 2_880, 0.1, total_cost=144.0), 0, 144),
        (a_row("2026-01-14T00:00:00Z", "2026-01-16T00:00:00Z", 2_880, 0.1, total_cost=200.0), 56, 144),
        # it was dearer once, and nothing says when
        (a_row("2026-01-14T00:00:00Z", None, 2_880, 0.0001, total_cost=99.6), 0, 99.6),
        (a_row("2026-01-14T00:00:00Z", None, 2_880, 0.1, per_minute_rate=None), 0, 288),
    ],
)
def test_of_a_row_of_several_rates_the_least_and_the_most_is_told(row: JsonObject, least: float, most: float) -> None:
    part = cut(row, JANUARY_15, now=at("2026-03-01T00:00:00Z"))
    assert part is not None
    assert [float(part.cost), float(part.at_most)] == pytest.approx([least, most])
    whole = cut(row, Window(), now=at("2026-03-01T00:00:00Z"))
    assert whole == Part(Decimal(str(row["total_cost"])), Decimal(str(row["total_cost"])), 2_880)


@pytest.mark.parametrize("absent", ["start_time", "total_cost"])
def test_a_row_that_does_not_tell_is_in_no_sum_and_the_sum_says_so(absent: str) -> None:
    row = a_row("2026-01-15T10:00:00Z", None, 60, 0.1, **{absent: None})
    assert cut(row, JANUARY_15, now=0.0) is None
    spent = sum_up([Listing([row], readable=True, what="bills")], JANUARY_15, currency="USD", now=0.0)
    assert (spent.untold, spent.is_exact) == (1, False)
    assert spent.in_words("USD") == "at least 0.00 USD"
    assert len(spent.doubts()) == 2


def test_sums_of_several_currencies_are_told_apart() -> None:
    rows = [a_row("2026-01-15T10:00:00Z", None, 60, 0.1, currency=each) for each in ("USD", "EUR", "eur")]
    spent = sum_up([Listing(rows, readable=True)], Window(), currency="USD", now=0.0)
    assert spent.fields("USD")["by_currency"] == {"USD": 6.0, "EUR": 12.0}
    assert "6.00 USD and 12.00 EUR" in spent.in_words("USD")


def test_a_day_is_one_of_utc_whatever_the_clocks_do() -> None:
    spring = Window.of_days("2026-03-29", "2026-03-29")
    assert spring.until - spring.since == DAY
    assert Window.of_days(None, None) == Window(-math.inf, math.inf)
    assert Window.of_days("2026-02-28", "2026-03-01").until == midnight(date(2026, 3, 2))


@pytest.mark.promise("M1")
@pytest.mark.parametrize("kind", ["instance", "volume", "snapshot"])
async def test_a_bill_between_two_days_is_each_rows_part_and_their_sum(kind: str) -> None:
    async with house() as made:
        tool = f"get_{kind}_billing"
        answer = await made.call(tool, since="2026-01-14", until="2026-01-14", limit=100)
        between = answer["between"]
        assert (between["since"], between["until"]) == ("2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z")
        assert between["complete"] is True
        assert between["rows"] == answer["total"] == len(answer["records"]) > 0
        assert between["cost"] == pytest.approx(sum(row["cost_between"] for row in answer["records"]), abs=0.001)
        assert all(row["minutes_between"] <= 24 * 60 for row in answer["records"])
        assert "summary" not in answer
        assert "of each row the part that falls into that time" in answer["notes"][0]


@pytest.mark.promise("M1")
async def test_the_days_of_all_bills_together_are_what_the_books_drew() -> None:
    async with house() as made:
        world = made.barrack.world("sim-key")
        made.barrack.clock.advance(3 * DAY + 7 * HOUR)
        world = made.barrack.world("sim-key")
        for since, until in (("2026-01-14", "2026-01-16"), ("2025-12-20", "2026-01-14"), ("2026-01-17", None)):
            days = {name: day for name, day in (("since", since), ("until", until)) if day}
            told = [
                (await made.call(f"get_{kind}_billing", **days))["between"]["cost"]
                for kind in ("instance", "volume", "snapshot")
            ]
            window = Window.of_days(since, until)
            drawn = world.books.sum(window.since, min(window.until, world.now)) / 10**9
            assert sum(told) == pytest.approx(drawn, abs=0.01), (since, until)


async def test_pages_of_a_bill_between_two_days_are_of_its_rows_alone() -> None:
    async with house() as made:
        first = await made.call("get_instance_billing", since="2026-01-01", limit=2)
        second = await made.call("get_instance_billing", since="2026-01-01", limit=2, page=2)
        assert first["between"] == second["between"]
        assert (len(first["records"]), first["total_pages"]) == (2, -(-first["total"] // 2))
        assert first["records"] != second["records"]


async def test_a_bill_of_one_thing_is_of_that_thing_alone_though_the_api_answer_all() -> None:
    async with house() as made:
        machine = made.thing("instances", vm_name="train-1")
        answer = await made.call("get_instance_billing", instance_id="train-1", since="2026-01-01")
        assert {row["instance_id"] for row in answer["records"]} == {machine["instance_id"]}


async def test_what_of_a_bill_could_not_be_read_is_told() -> None:
    async with house() as made:
        made.play({"method": "GET", "path": "/instances/billing/", "times": 99, "action": "status", "status": 500})
        answer = await made.call("get_instance_billing", since="2026-01-01")
        assert answer["outcome"] == "failed"


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ({"since": "yesterday"}, "since: must be a date such as 2026-01-31."),
        ({"until": "2026-02-30"}, "until: must be a date such as 2026-01-31."),
        ({"since": "2026-02-02", "until": "2026-02-01"}, "since: must not be after until."),
    ],
)
async def test_days_that_are_none_are_refused_before_anything_is_read(days: JsonObject, words: str) -> None:
    async with house() as made:
        answer = await made.call("get_volume_billing", **days)
        assert answer["outcome"] == "refused"
        assert words in answer["message"]
        assert made.sent == []


async def test_a_bill_without_days_says_what_its_sums_are_of() -> None:
    async with house() as made:
        answer = await made.call("get_instance_billing")
        assert any("summary is of all rows" in note for note in answer["notes"])
        assert "between" not in answer
