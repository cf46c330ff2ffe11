"""The page for everyone: by keys alone, by ear, in the dark, on a phone."""

from __future__ import annotations

from importlib import resources
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from barrack_mcp.guard.approvals import Approval, Status
from barrack_mcp.guard.plans import Planned
from stage import TTL_S, Desk

pytestmark = pytest.mark.anyio

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
"""Deque's axe-core, the usual judge of accessible pages."""
FOCUSED = """() => {
  const held = document.activeElement;
  const style = getComputedStyle(held);
  const place = held.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const seen = place.width > 0 && place.top >= 0 && place.bottom <= innerHeight && place.left >= 0;
  const name = held.labels?.[0]?.innerText ?? held.getAttribute("aria-label") ?? held.innerText;
  return [name.trim().replace(/\\s+/g, " "), ring && seen];
}"""
STRUCTURE = """
- link "Skip to the content"
- banner:
  - link "barrack-mcp approvals"
  - navigation "Pages":
    - link "All requests"
- main:
  - heading /Waits for you ap-\\w+/ [level=1]
  - status
  - article /Delete instance «train-1».*/:
    - paragraph: Destroys
    - timer: 10 min 00 s left
    - heading /Delete instance «train-1».*/ [level=2]
    - heading "Lost" [level=3]
    - list
    - heading "Not certain" [level=3]
    - list
    - heading "Kept" [level=3]
    - list
    - heading "Safer ways" [level=3]
    - list
    - group:
      - region "Arguments of the call"
    - textbox "To approve, type train-1"
    - button "Delete train-1 for good"
    - button "Deny"
- contentinfo
"""
AT_A_GLANCE = ("Destroys", "10 min 00 s", "ACTIVE", "local:1000", "0.69 USD an hour", "0.00 USD an hour", "112.30 USD")


async def stops(tab: Page, count: int) -> list[str]:
    """Go on by the tab key; answers the names of the stops, each of which must be visible and ringed."""
    names = []
    for _ in range(count):
        await tab.keyboard.press("Tab")
        name, visible = await tab.evaluate(FOCUSED)
        assert visible, f"the focus is not seen on: {name}"
        names.append(name)
    return names


async def faults(tab: Page) -> list[str]:
    """What axe-core finds, contrast included."""
    await tab.evaluate(AXE)
    found = await tab.evaluate("async () => (await axe.run({ resultTypes: ['violations'] })).violations")
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]


async def answered(desk: Desk, deletion: Planned) -> list[Approval]:
    """One request of every state."""
    expired = await desk.ask(deletion)
    await desk.later(TTL_S)
    denied, approved, used, waiting = [await desk.ask(deletion) for _ in range(4)]
    await desk.approvals.deny(denied.id, by="on the page")
    for one in (approved, used):
        await desk.approvals.approve(one.id, by="on the page", typed="train-1")
    await desk.approvals.redeem(used.binding)
    return [expired, denied, approved, used, waiting]


async def test_the_keyboard_alone_approves(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    assert await stops(tab, 8) == [
        "Skip to the content",
        "barrack-mcp approvals",
        "All requests",
        "The call's arguments",
        "Arguments of the call",
        "To approve, type train-1",
        "Delete train-1 for good",
        "Deny",
    ]
    for _ in range(2):
        await tab.keyboard.press("Shift+Tab")
    await tab.keyboard.type("train-1")
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("heading", level=1)).to_have_text(f"Approved {asked.id}")
    assert await desk.decided(asked) == (Status.APPROVED, 1)


async def test_the_keyboard_alone_denies_and_enter_in_an_empty_field_does_nothing(
    desk: Desk, deletion: Planned
) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    await tab.get_by_role("textbox").focus()
    await tab.keyboard.press("Enter")
    assert await desk.decided(asked) == (Status.PENDING, 0)
    await stops(tab, 2)
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("heading", level=1)).to_have_text(f"Denied {asked.id}")
    assert await desk.decided(asked) == (Status.DENIED, 1)


async def test_the_skip_link_and_the_fold_work_by_keys(desk: Desk, deletion: Planned) -> None:
    await desk.ask(deletion)
    tab = await desk.open()
    await stops(tab, 1)
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("main")).to_be_focused()
    assert (await stops(tab, 2))[1] == "The call's arguments"
    arguments = tab.get_by_role("region", name="Arguments of the call")
    await expect(arguments).to_be_hidden()
    await tab.keyboard.press("Enter")
    await expect(arguments).to_be_visible()


async def test_the_page_has_landmarks_headings_names_and_roles(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    await expect(tab.locator("body")).to_match_aria_snapshot(STRUCTURE)


async def test_a_decision_is_announced_in_a_region_that_was_there_before(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    await tab.evaluate("window.region = document.querySelector('[role=status]')")
    await expect(tab.get_by_role("status")).to_be_empty()
    await desk.approvals.deny(asked.id, by="elsewhere")
    await expect(tab.get_by_role("status")).to_contain_text("Denied. Nothing happens.")
    assert await tab.evaluate("window.region.isConnected")
    # what was said is not said again with each further piece of news
    await tab.evaluate("window.said = document.querySelector('[role=status]').firstElementChild")
    await desk.ask(deletion)
    async with tab.expect_response(f"**/requests/{asked.id}"):
        pass
    await tab.evaluate("new Promise((done) => setTimeout(done))")
    assert await tab.evaluate("window.said.isConnected")


async def test_new_requests_are_announced_in_the_lists_heading(desk: Desk, deletion: Planned) -> None:
    tab = await desk.open()
    first = tab.get_by_role("heading", level=1)
    await expect(first).to_have_attribute("aria-live", "polite")
    await tab.evaluate("window.region = document.querySelector('h1')")
    await desk.ask(deletion)
    await expect(first).to_have_text("One request waits for you")
    assert await tab.evaluate("window.region.isConnected")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_axe_finds_no_fault_in_any_state_of_the_page(
    desk: Desk, deletion: Planned, purchase: Planned, scheme: Literal["light", "dark"]
) -> None:
    requests = await answered(desk, deletion)
    await desk.ask(purchase, "deploy_instance")
    tab = await desk.open(color_scheme=scheme, reduced_motion="reduce")
    assert await faults(tab) == []
    for asked in requests:
        await tab.goto(f"{desk.page.url}/requests/{asked.id}")
        assert await faults(tab) == []
    await tab.get_by_role("textbox").fill("wrong")
    await tab.keyboard.press("Enter")
    await tab.get_by_role("alert").wait_for()
    assert await faults(tab) == []
    await tab.goto(f"{desk.page.url}/nothing")
    assert await faults(tab) == []
    await tab.context.clear_cookies()
    await tab.goto(f"{desk.page.url}/")
    await expect(tab.get_by_role("heading", level=1)).to_have_text("Sign in to approve")
    assert await faults(tab) == []


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_axe_finds_no_fault_in_a_card_that_was_answered_elsewhere(
    desk: Desk, deletion: Planned, scheme: Literal["light", "dark"]
) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(color_scheme=scheme, reduced_motion="reduce")
    await desk.approvals.deny(asked.id, by="elsewhere")
    await tab.locator(".card.over").wait_for()
    assert await faults(tab) == []


async def test_the_page_follows_the_colour_scheme(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    grounds = []
    for scheme in SCHEMES:
        tab = await desk.open(asked, color_scheme=scheme)
        ground = await tab.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
        grounds.append(sum(ground) / 3)
    assert grounds[0] > 200
    assert grounds[1] < 60


async def test_a_phone_shows_everything_without_scrolling_sideways(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    for width in (390, 320):
        tab = await desk.open(asked, viewport={"width": width, "height": 740}, is_mobile=True, has_touch=True)
        assert await tab.evaluate("document.scrollingElement.scrollWidth") == width
        for button in await tab.get_by_role("button").all():
            box = await button.bounding_box()
            assert box is not None
            assert box["height"] >= 44
            assert box["width"] > width * 0.7
    await tab.get_by_role("textbox").fill("train-1")
    await tab.get_by_role("button", name="Delete train-1 for good").tap()
    await expect(tab.get_by_role("heading", level=1)).to_have_text(f"Approved {asked.id}")
    assert await desk.decided(asked) == (Status.APPROVED, 1)


async def test_what_matters_is_seen_at_a_glance(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked, viewport={"width": 1280, "height": 800})
    await expect(tab.get_by_role("heading", level=2)).to_be_in_viewport(ratio=1)
    for fact in AT_A_GLANCE:
        await expect(tab.get_by_role("article").get_by_text(fact).first).to_be_in_viewport(ratio=1)
    for heading in ("Lost", "Not certain", "Kept", "Safer ways"):
        await expect(tab.get_by_role("heading", name=heading)).to_be_in_viewport(ratio=1)
