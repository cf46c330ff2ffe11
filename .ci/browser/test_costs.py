"""What runs and what it costs, on the approval page, in both schemes."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from barrack_mcp.account.account import Account
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.page import PageServer
from barrack_mcp.guard.page.about import Books
from barrack_mcp.guard.page.costs import DAYS, Costs, read_costs
from barrack_mcp.state.store import SqliteStore
from stage import SECRET, THEN, TTL_S
from tests.support.house import house

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_readable_from_the_list_on_and_asks_for_nothing(
    browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    complaints: list[str] = []
    async with house() as made, SqliteStore(":memory:") as store:
        account = Account(made.api, "http://127.0.0.1/api")

        async def read(_: str) -> Costs:
            return await read_costs(account, "USD", now=THEN)

        async with PageServer(Approvals(store, ttl=TTL_S), secret=SECRET, costs=Books(read)) as page:
            await page.start()
            context = await browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 800})
            context.on("console", lambda message: complaints.append(message.text))
            tab = await context.new_page()
            await tab.goto(page.login_url())
            await tab.get_by_role("link", name="What runs and what it costs").click()
            await expect(tab.locator(".chart rect")).to_have_count(DAYS)
            assert await tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut on a phone"
            found = (await Axe().run(tab)).response
            assert [(each["id"], [node["html"][:80] for node in each["nodes"]]) for each in found["violations"]] == []
            assert await tab.locator("form, button").count() == 0
            await context.close()
    assert complaints == []
