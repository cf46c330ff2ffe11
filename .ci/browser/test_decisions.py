"""A person before the page: says yes, says no, mistypes, comes late, has many tabs, has no scripts."""

from __future__ import annotations

import random

import anyio
import pytest
from playwright.async_api import Locator, Page, Route, expect

from barrack_mcp.guard.approvals import Approval, Status
from barrack_mcp.guard.plans import Planned
from stage import TTL_S, Desk

CHANGES = 200
WATCH = """() => {
  window.hits = [];
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".card button");
    if (button && !event.defaultPrevented) window.hits.push([window.aimed, button.closest(".card").dataset.key]);
    event.preventDefault();
  });
}"""
"""Notes each click that a button takes, and sends nothing."""

pytestmark = pytest.mark.anyio

TABS = 9
"""More than the six connections that a browser opens to one address."""


async def type_name(tab: Page, name: str) -> None:
    """Type into the field and approve."""
    await tab.get_by_label("To approve, type").fill(name)
    await tab.get_by_role("button", name="Delete train-1 for good").click()


async def says(tab: Page, asked: Approval, word: str) -> None:
    """Wait until the page's heading says this of the request."""
    await expect(tab.get_by_role("heading", level=1)).to_have_text(f"{word} {asked.id}")


def recent(tab: Page) -> Locator:
    """The rows of what was answered, in the list."""
    return tab.get_by_role("region", name="Recent").get_by_role("listitem")


async def test_a_link_signs_in_once_and_opens_the_request(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    link = desk.page.login_url(asked.id)
    first = await (await desk.visitor()).new_page()
    await first.goto(link)
    assert first.url == f"{desk.page.url}/requests/{asked.id}"
    await expect(first.get_by_role("heading", level=2)).to_have_text(deletion.plan.summary)
    (cookie,) = await first.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert await first.evaluate("document.cookie") == ""
    second = await (await desk.visitor()).new_page()
    await second.goto(link)
    await expect(second.get_by_role("alert")).to_have_text("This link was used before, or is too old. Get a new one.")
    await expect(second.get_by_text(asked.id)).to_have_count(0)


AIM = """chance => {
  const cards = document.querySelectorAll(".card:not(.over)")
  const card = cards[Math.floor(chance * cards.length)]
  const button = card.querySelector("button")
  button.scrollIntoView({ block: "nearest" })
  const place = button.getBoundingClientRect()
  return { key: card.dataset.key, x: place.x + place.width / 2, y: place.y + place.height / 2 }
}"""
"""Choose a card that waits and aim at its button, all at one moment: the page looks for news by itself meanwhile."""


async def test_a_click_aimed_at_one_card_never_lands_on_another(
    desk: Desk, purchase: Planned, deletion: Planned
) -> None:
    """A hand that has aimed clicks a little later, wherever the list went meanwhile; 200 changes of it."""
    chance = random.Random(11)  # noqa: S311 - the same at each run
    waiting = [await desk.ask(purchase, "deploy_instance") for _ in range(4)]
    tab = await desk.open()
    await tab.evaluate(WATCH)
    aims: list[str] = []
    changes = 0
    while changes < CHANGES:
        await expect(tab.locator(".card:not(.over)").first).to_be_visible()
        aim = await tab.evaluate(AIM, chance.random())
        for _ in range(chance.randint(1, 3)):
            changes += 1
            if len(waiting) < 3 or (chance.random() < 0.4 and len(waiting) < 9):
                waiting.append(await desk.ask(*chance.choice([(purchase, "deploy_instance"), (deletion,)])))
            else:
                gone = waiting.pop(chance.randrange(len(waiting)))
                await desk.approvals.deny(gone.id, by="the model")
        await tab.evaluate("news()")
        await tab.evaluate("aimed => { window.aimed = aimed }", aim["key"])
        await tab.mouse.click(aim["x"], aim["y"])
        aims.append(aim["key"])
    hits = await tab.evaluate("window.hits")
    assert [hit for hit in hits if hit[0] != hit[1]] == []
    assert 0 < len(hits) <= len(aims)


async def test_an_answered_card_stays_in_its_place_and_a_new_one_takes_no_click_for_a_second(
    desk: Desk, purchase: Planned
) -> None:
    first, second = [await desk.ask(purchase, "deploy_instance") for _ in range(2)]
    tab = await desk.open()
    card = tab.locator(f".card[data-key={second.id}]")
    before = await card.bounding_box()
    await desk.approvals.deny(first.id, by="ada")
    await expect(tab.locator(".card.over")).to_contain_text("Denied")
    assert await card.bounding_box() == before
    third = await desk.ask(purchase, "deploy_instance")
    new = tab.locator(f".card[data-key={third.id}] .yes")
    await expect(new).to_have_attribute("aria-disabled", "true")
    await new.click(force=True, no_wait_after=True)
    assert (await desk.decided(third))[0] is Status.PENDING
    await expect(new).not_to_have_attribute("aria-disabled", "true")


async def test_one_click_approves_what_needs_no_name(desk: Desk, purchase: Planned) -> None:
    asked = await desk.ask(purchase, "deploy_instance")
    tab = await desk.open(asked)
    await expect(tab.get_by_role("textbox")).to_have_count(0)
    await tab.get_by_role("button", name="Approve: deploy fresh-1").click()
    await says(tab, asked, "Approved")
    await expect(tab.get_by_role("button")).to_have_text(["Take the yes back"])
    assert await desk.decided(asked) == (Status.APPROVED, 1)
    once, again = [await desk.approvals.redeem("binding-1") for _ in range(2)]
    assert once is not None
    assert (once.status, again) == (Status.USED, None)
    # what became of it is shown without a reload
    await says(tab, asked, "Approved and used")


async def test_the_name_typed_approves(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    await type_name(tab, "train-1")
    await says(tab, asked, "Approved")
    assert await desk.decided(asked) == (Status.APPROVED, 1)


async def test_without_the_name_nothing_is_even_sent(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    sent: list[str] = []
    tab.on("request", lambda request: sent.append(request.method))
    await tab.get_by_role("button", name="Delete train-1 for good").click()
    await expect(tab.get_by_label("To approve, type")).to_be_focused()
    assert "POST" not in sent
    assert await desk.decided(asked) == (Status.PENDING, 0)


async def test_deny_denies_without_a_name(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    await tab.get_by_role("button", name="Deny").click()
    await says(tab, asked, "Denied")
    assert await desk.decided(asked) == (Status.DENIED, 1)


async def test_a_request_is_answered_from_the_list_as_well(desk: Desk, deletion: Planned) -> None:
    asked = [await desk.ask(deletion) for _ in range(2)]
    tab = await desk.open()
    await tab.get_by_role("article").last.get_by_role("button", name="Deny").click()
    await says(tab, asked[1], "Denied")
    await tab.get_by_role("link", name="All requests").click()
    await expect(tab.get_by_role("heading", level=1)).to_have_text("One request waits for you")
    await type_name(tab, "train-1")
    await says(tab, asked[0], "Approved")
    assert [(await desk.decided(one))[0] for one in asked] == [Status.APPROVED, Status.DENIED]
    assert (await desk.decided(asked[0]))[1] == 2


async def test_a_wrong_name_approves_nothing_and_leaves_tries(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    for wrong, left in (("Train-1", "9 tries are left"), ("yes", "8 tries are left"), ("train-1 ", "7 tries are left")):
        await type_name(tab, wrong)
        sentence = f"That is not the name asked for, letter for letter, so nothing was approved. {left}."
        await expect(tab.get_by_role("alert")).to_have_text(sentence)
        field = tab.get_by_label("To approve, type")
        await expect(field).to_be_focused()
        await expect(field).to_have_value("")
        await expect(field).to_have_accessible_description(sentence)
        assert await desk.decided(asked) == (Status.PENDING, 0)
    await type_name(tab, "train-1")
    await says(tab, asked, "Approved")
    assert await desk.decided(asked) == (Status.APPROVED, 1)


@pytest.mark.parametrize("alone", [True, False])
async def test_a_request_past_its_time_is_said_to_be_so_without_a_reload(
    desk: Desk, deletion: Planned, *, alone: bool
) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked if alone else None)
    await tab.evaluate("window.sameDocument = true")
    await expect(tab.get_by_role("timer")).to_have_text("10 min 00 s left")
    await desk.later(TTL_S - 41)
    await expect(tab.get_by_role("timer")).to_have_text("41 s left")
    await tab.get_by_label("To approve, type").fill("train-")
    await desk.later(41)
    if alone:
        await says(tab, asked, "Expired")
        await expect(tab.get_by_text("Nothing happens. The assistant may ask again.")).to_be_visible()
    else:
        await expect(tab.get_by_role("heading", level=1)).to_have_text("Nothing waits for you")
        await expect(recent(tab)).to_contain_text("Expired")
    await expect(tab.get_by_role("button")).to_have_count(0)
    assert await tab.evaluate("window.sameDocument")
    assert await tab.evaluate("document.activeElement !== document.body")
    assert (await desk.decided(asked))[0] is Status.EXPIRED
    lapsed = await desk.approvals.redeem("binding-1")
    assert lapsed is not None
    assert lapsed.status is Status.EXPIRED


async def test_a_second_tab_shows_the_first_ones_decision_without_a_reload(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    first = await desk.open(asked)
    second = await desk.tab(first.context, asked)
    stranger = await desk.open()
    for tab in (second, stranger):
        await tab.evaluate("window.sameDocument = true")
    await second.get_by_label("To approve, type").fill("train-")
    await type_name(first, "train-1")
    await says(second, asked, "Approved")
    await expect(second.get_by_role("article")).to_be_focused()
    await expect(second.get_by_role("button")).to_have_text(["Take the yes back"])
    await expect(recent(stranger)).to_contain_text("Approved")
    for tab in (second, stranger):
        assert await tab.evaluate("window.sameDocument")
    assert await desk.decided(asked) == (Status.APPROVED, 1)


@pytest.mark.parametrize("late", ["Delete train-1 for good"])
async def test_two_tabs_without_news_still_decide_once(desk: Desk, deletion: Planned, late: str) -> None:
    asked = await desk.ask(deletion)
    context = await desk.visitor(java_script_enabled=False)
    tabs = [await desk.tab(context, asked) for _ in range(2)]
    await type_name(tabs[0], "train-1")
    await says(tabs[0], asked, "Approved")
    await tabs[1].get_by_label("To approve, type").fill("train-1")
    await tabs[1].get_by_role("button", name=late).click()
    await expect(tabs[1].get_by_role("alert")).to_have_text("Nothing changed: this request has been approved already.")
    assert await desk.decided(asked) == (Status.APPROVED, 1)


async def test_a_double_click_decides_once(desk: Desk, purchase: Planned) -> None:
    asked = await desk.ask(purchase, "deploy_instance")
    tab = await desk.open(asked)
    await tab.get_by_role("button", name="Approve: deploy fresh-1").dblclick()
    await says(tab, asked, "Approved")
    assert await desk.decided(asked) == (Status.APPROVED, 1)


async def test_many_tabs_stay_alive_and_all_hear_the_news(desk: Desk, deletion: Planned) -> None:
    context = await desk.visitor()
    tabs = [await desk.tab(context) for _ in range(TABS)]
    asked = await desk.ask(deletion)
    for tab in tabs:
        await expect(tab.get_by_role("heading", level=1)).to_have_text("One request waits for you")
        await expect(tab).to_have_title("(1) Approvals · barrack-mcp")
    # the tab that listens for all goes; another one takes over
    await tabs[0].close()
    await desk.approvals.deny(asked.id, by="elsewhere")
    for tab in tabs[1:]:
        await expect(tab.get_by_role("heading", level=1)).to_have_text("Nothing waits for you")


async def test_news_leave_a_half_typed_name_alone(desk: Desk, deletion: Planned) -> None:
    first = await desk.ask(deletion)
    tab = await desk.open()
    field = tab.locator(f"#typed-{first.id}")
    await field.fill("train-")
    await field.focus()
    await desk.ask(deletion)
    await expect(tab.get_by_role("heading", level=1)).to_have_text("2 requests wait for you")
    await expect(tab.get_by_role("article")).to_have_count(2)
    await expect(field).to_have_value("train-")
    await expect(field).to_be_focused()


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("answer", [204, 404, 500, 503, "garbage", "reset", "silence"])
async def test_what_may_be_old_says_so_and_takes_no_answer_until_the_server_is_back(
    desk: Desk, deletion: Planned, purchase: Planned, answer: int | str, *, alone: bool
) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked if alone else None)
    away, approve = tab.get_by_role("alert"), tab.get_by_role("button", name="Delete train-1 for good")
    await expect(away).to_have_count(0)
    await tab.get_by_label("To approve, type").fill("train-1")

    async def go_wrong(route: Route) -> None:
        match answer:
            case int():
                await route.fulfill(status=answer)
            case "garbage":
                await route.fulfill(body="<h1>Nothing</h1>", content_type="text/html")
            case "reset":
                await route.abort("connectionreset")
            case _:
                await anyio.sleep_forever()

    live = await tab.locator("#main").get_attribute("data-live")
    # by its address alone: the stream of news stays as it is, and the answer's form would still get through
    await tab.route(f"**{live}", go_wrong)
    other = await desk.ask(purchase, "deploy_instance")
    await expect(away).to_contain_text("The server behind this page is out of reach or can't say how things stand")
    for button in await tab.locator("main button").all():
        await expect(button).to_be_disabled()
    sent: list[str] = []
    tab.on("request", lambda request: sent.append(request.method))
    await approve.click(force=True, no_wait_after=True)
    await tab.get_by_label("To approve, type").press("Enter")
    assert "POST" not in sent
    assert (await desk.decided(asked))[0] is Status.PENDING
    await tab.unroute_all(behavior="ignoreErrors")
    # nobody reloads it: it looks again by itself
    await expect(away).to_have_count(0)
    await expect(approve).to_be_enabled()
    await expect(tab.get_by_label("To approve, type")).to_have_value("train-1")
    await expect(approve).not_to_have_attribute("aria-disabled", "true")
    await approve.click()
    await says(tab, asked, "Approved")
    assert (await desk.decided(other))[0] is Status.PENDING
    desk.complaints = [said for said in desk.complaints if "net::ERR_" not in said]


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/St_Johns"])
async def test_times_are_told_in_one_zone_wherever_the_browser_is(desk: Desk, deletion: Planned, zone: str) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked, timezone_id=zone, locale="en-US")
    await expect(tab.locator("time").first).to_have_text("15 Jan 2026 09:30:00 UTC")
    await tab.evaluate("news()")
    await expect(tab.locator("time").first).to_have_text("15 Jan 2026 09:30:00 UTC")


async def test_everything_works_without_scripts(desk: Desk, deletion: Planned, purchase: Planned) -> None:
    destroy = await desk.ask(deletion)
    buy = await desk.ask(purchase, "deploy_instance")
    tab = await desk.open(java_script_enabled=False)
    await expect(tab.get_by_role("heading", level=1)).to_have_text("2 requests wait for you")
    await tab.get_by_role("link", name=deletion.plan.summary).click()
    await expect(tab.get_by_role("region", name="Arguments of the call")).to_be_visible()
    await type_name(tab, "wrong")
    await expect(tab.get_by_role("alert")).to_contain_text("9 tries are left.")
    assert (await desk.decided(destroy))[1] == 0
    await type_name(tab, "train-1")
    await says(tab, destroy, "Approved")
    await tab.get_by_role("link", name="All requests").click()
    await desk.approvals.deny(buy.id, by="elsewhere")
    await tab.get_by_role("link", name="Refresh").click()
    await expect(tab.get_by_role("heading", level=1)).to_have_text("Nothing waits for you")
    assert (await desk.decided(destroy))[0] is Status.APPROVED
    assert await desk.decided(buy) == (Status.DENIED, 2)
