"""What runs and what it costs, on the approval page: the tool's own figures, for who signed in alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from barrack_mcp.account import money
from barrack_mcp.account.account import Account
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.guard.page.about import Books
from barrack_mcp.guard.page.costs import DAYS, HEIGHT, Costs, read_costs
from tests.support.house import House, house

from .conftest import ROOM, Desk, text_of

pytestmark = pytest.mark.anyio

NOW = 1_768_471_200.0
"""15 January 2026, 10:00 UTC, as in the simulator's world."""


@asynccontextmanager
async def costing(desk: Desk, **settings: Any) -> AsyncIterator[tuple[House, httpx2.AsyncClient]]:
    """The page of a desk that shows what a simulated account costs, and a browser that signed in."""
    async with house(**settings) as made:
        account = Account(made.api, "http://127.0.0.1/api")

        async def read(_: str) -> Costs:
            return await read_costs(account, "USD", now=NOW)

        desk.costs = Books(read)
        async with desk.browser() as browser:
            await browser.get(desk.link())
            yield made, browser


async def test_every_figure_is_the_overviews(desk: Desk) -> None:
    async with costing(desk) as (made, browser):
        told = await made.call("get_spending_overview")
        shown = text_of(await browser.get("/costs"))
    assert f"An hour {money.write(Decimal(str(told['burn']['hourly'])), 'USD')}" in shown
    assert f"A month of 730 hours {money.write(Decimal(str(told['burn']['monthly'])), 'USD')}" in shown
    assert f"Lasts {told['runway']['hours']:,.1f} hours" in shown
    for cut in ("by_kind", "by_tier", "by_region", "by_gpu", "by_state"):
        for row in told["burn"][cut]:
            assert f"{row['name']} ({row['things']}) {money.write(Decimal(str(row['hourly'])), 'USD')} an hour" in shown
    for thing in told["idle"]:
        assert f"{thing['name']} ({thing['type']}) {thing['why']}" in shown


async def test_the_chart_has_a_bar_for_each_day_and_the_same_in_figures(desk: Desk) -> None:
    async with costing(desk) as (_, browser):
        page = (await browser.get("/costs")).text
    bars = re.findall(
        r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"><title>(\S+): ([^<]+)</title>', page
    )
    assert len(bars) == DAYS
    assert max(float(height) for _, height, _, _ in bars) == HEIGHT
    assert all(float(top) + float(height) == pytest.approx(HEIGHT) for top, height, _, _ in bars)
    for _, _, date, cost in bars:
        assert re.search(rf"<span>{date}</span><span>{re.escape(cost)}</span>", page)


async def test_nobody_sees_it_who_has_not_signed_in(desk: Desk) -> None:
    async with costing(desk) as (_, __), desk.browser() as stranger:
        answer = await stranger.get("/costs")
    assert answer.status_code == 401
    assert "USD" not in answer.text


async def test_the_list_leads_there_where_it_is_shown_and_nowhere_else(desk: Desk, browser: httpx2.AsyncClient) -> None:
    assert "/costs" not in (await browser.get("/")).text
    assert (await browser.get("/costs")).status_code == 404
    async with costing(desk) as (_, other):
        assert f'href="{ROOM}/costs"' in (await other.get("/")).text


async def test_where_callers_bring_keys_the_page_says_that_their_accounts_are_missing(desk: Desk) -> None:
    async with costing(desk) as (_, browser):
        assert "bring themselves" not in text_of(await browser.get("/costs"))
        assert desk.costs is not None
        desk.costs = Books(desk.costs.read, brought=True)
        async with desk.browser() as another:
            await another.get(desk.link())
            shown = text_of(await another.get("/costs"))
    assert "Accounts whose API keys callers bring themselves are not shown: this server keeps no such key." in shown


async def test_what_cant_be_read_is_said_in_the_apis_words(desk: Desk) -> None:
    async def read(_: str) -> Costs:
        raise ApiError(Failure.UNREACHABLE, "The API could not be reached (no route)")

    desk.costs = Books(read)
    async with desk.browser() as browser:
        await browser.get(desk.link())
        answer = await browser.get("/costs")
    assert answer.status_code == 502
    assert "could not be reached" in text_of(answer)


async def test_a_name_from_the_account_is_text_there(desk: Desk) -> None:
    async with costing(desk) as (made, browser):
        world = made.barrack.world("sim-key")
        next(volume for volume in world.volumes.values() if volume.name == "cold-store").name = "<img src=x>\u202e"
        page = (await browser.get("/costs")).text
    assert "<img" not in page
    assert "&lt;img src=x&gt;\\u202e" in page
