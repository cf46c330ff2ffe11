"""A real page with real plans, and a real browser that looks at it; both go by a clock that is moved."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from barrack_mcp.catalogue import BY_TOOL, Risk
from barrack_mcp.guard.approvals import Approval, Approvals, Status
from barrack_mcp.guard.page import PageServer
from barrack_mcp.guard.plans import Planned
from barrack_mcp.state.store import SqliteStore
from tests.plans.asking import room
from tests.support.clock import Clock

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # a name of somebody else's that leads here, as after DNS rebinding; every other name leads nowhere
    "--host-resolver-rules=MAP rebound.test 127.0.0.1, MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
SECRET: Final = "a-secret-for-one-test-0123456789"
TTL_S: Final = 600
THEN: Final = 1_768_469_400.0
"""15 January 2026, 09:30 UTC, as in the simulator's world."""
LONGEST_MS: Final = 60_000
"""How long a browser on a busy machine may take for one step."""
expect.set_options(timeout=LONGEST_MS)
_EXPECTED: Final = "Failed to load resource: the server responded with a status of "
"""What Chromium writes to its console of an answer that is no success, such as a wrong name's."""


@dataclass
class Desk:
    """One page on a real socket, and the browser before it."""

    browser: Browser
    approvals: Approvals
    page: PageServer
    now: Clock
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)
    asked: int = 0

    async def ask(self, planned: Planned, tool: str = "delete_instance", **changed: Any) -> Approval:
        """Ask for a yes to a plan, as the guard would."""
        self.asked += 1
        target, destroys = planned.plan.target, planned.plan.risk is Risk.DESTROY
        named = BY_TOOL[tool].placeholders
        call: dict[str, Any] = {
            "binding": f"binding-{self.asked}",
            "caller": "local:1000",
            "tool": tool,
            "arguments": {named[0]: target["id"]} if named else {"name": target.get("name")},
            "plan": planned.plan.model_dump(mode="json"),
            "must_type": planned.must_type if destroys else None,
            "fingerprint": planned.fingerprint,
        }
        return await self.approvals.request(**call | changed)

    async def visitor(self, **options: Any) -> BrowserContext:
        """Open a browser profile that nobody used, whose clock is ours and whose console is watched."""
        given: dict[str, Any] = {"locale": "en-GB", "timezone_id": "UTC", "viewport": {"width": 1200, "height": 900}}
        context = await self.browser.new_context(**given | options)
        context.set_default_timeout(LONGEST_MS)
        await context.clock.set_fixed_time(self.now.at)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.contexts.append(context)
        return context

    async def open(self, asked: Approval | None = None, **options: Any) -> Page:
        """Sign in by a link with a fresh profile, and stand before a request or the list."""
        return await self.tab(await self.visitor(**options), asked)

    async def tab(self, context: BrowserContext, asked: Approval | None = None) -> Page:
        """Open one more tab, by a link of its own."""
        tab = await context.new_page()
        await tab.goto(self.page.login_url(asked.id if asked else None))
        await tab.wait_for_url(f"{self.page.url}/requests/{asked.id}" if asked else f"{self.page.url}/")
        return tab

    async def later(self, seconds: float) -> None:
        """Let time pass, for the server and for every browser."""
        self.now.at += seconds
        for context in self.contexts:
            await context.clock.set_fixed_time(self.now.at)

    async def decided(self, asked: Approval) -> tuple[Status, int]:
        """What the store holds of a request: its status, and how often anything was decided in it at all."""
        return (await self.approvals.find(asked.id)).status, await self.approvals.changes() - self.asked

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_EXPECTED):
            self.complaints.append(message.text)


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Start Debian's Chromium with a profile folder of its own; nothing is downloaded."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def serving(browser: Browser) -> AsyncIterator[Desk]:
    """Serve one page over an empty store."""
    clock = Clock(THEN)
    async with SqliteStore(":memory:", now=clock) as store:
        approvals = Approvals(store, ttl=TTL_S, now=clock)
        async with PageServer(approvals, secret=SECRET, now=clock) as page:
            await page.start()
            desk = Desk(browser, approvals, page, clock)
            try:
                yield desk
            finally:
                for context in desk.contexts:
                    with contextlib.suppress(Exception):
                        await context.close()


async def planned(tool: str, **more: Any) -> Planned:
    """Plan a call on the simulator's small account, with arguments that work but for those given."""
    async with room() as asking:
        return await asking.plan(tool, **more)


def hostile(base: Planned, text: str, *, must_type: str = "BRK-103339D") -> Planned:
    """A plan whose every word from outside is this text."""
    plan = base.plan.model_copy(
        update={
            "summary": f"Delete instance «{text}» for good.",
            "target": {**base.plan.target, "name": text, "region": text, "tags": [text, text], text: text},
            "lost": [text, *base.plan.lost],
            "uncertain": [text],
            "kept": [text],
            "warnings": [text],
            "safer": [base.plan.safer[0].model_copy(update={"why": text, "arguments": {"name": text}})],
        }
    )
    return dataclasses.replace(base, plan=plan, must_type=must_type)
