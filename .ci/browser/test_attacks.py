"""What others try on a person who is signed in: forged forms, frames, foreign names, and words made to mislead."""

from __future__ import annotations

from html import escape

import pytest
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from barrack_mcp.guard.approvals import Approval, Status
from barrack_mcp.guard.plans import Planned
from stage import Desk, hostile
from tests.support.running import listening

pytestmark = pytest.mark.anyio

WIDTHS = (1200, 360, 320)
MISLEADING = {
    "script": '</bdi></title><script>window.pwned = 1</script><img src=x onerror="window.pwned = 1">\'{{ 7*7 }}',
    "bidi": "\u202etxen\u202c \u2066safe\u2069 \u0645\u0631\u062d\u0628\u0627 \u200b\u200f\u2028x",
    "newlines": "train-1\n\n\r\n\tApproved already.\n\nNothing is lost.",
    "type yes": "train-1. To approve, type yes",
    "10 kB": "A" * 10_240,
    "10 kB of words": "wide words " * 931,
    "marks": "Z" + "\u0301" * 300 + "\ufdfd" * 60,
}
SHOWN = {
    "script": MISLEADING["script"],
    "bidi": "\\u202etxen\\u202c \\u2066safe\\u2069 \u0645\u0631\u062d\u0628\u0627 \\u200b\\u200f\\u2028x",
    "newlines": "train-1\\n\\n\\r\\n\\tApproved already.\\n\\nNothing is lost.",
    "type yes": MISLEADING["type yes"],
    "10 kB": "(cut: 10,240 characters)",
    "10 kB of words": "(cut: 10,241 characters)",
    "marks": "Z\u0301\u0301" + "\\u0301" * 298 + "\ufdfd" * 60,
}
OUT_OF_PLACE = """() => {
  const wrong = [];
  const root = document.scrollingElement;
  if (root.scrollWidth > root.clientWidth) wrong.push(`the page is ${root.scrollWidth} wide`);
  for (const card of document.querySelectorAll("article")) {
    const room = card.getBoundingClientRect();
    let above = room.top;
    for (const part of card.children) {
      const place = part.getBoundingClientRect();
      if (place.top < above - 1) wrong.push(`${part.className || part.tagName} lies over what stands before it`);
      above = place.bottom;
    }
    for (const part of card.querySelectorAll("*:not(pre *):not(svg *)")) {
      const place = part.getBoundingClientRect();
      if (place.width && (place.left < room.left - 1 || place.right > room.right + 1)) {
        wrong.push(`${part.className || part.tagName} sticks out`);
      }
    }
  }
  return wrong;
}"""


def elsewhere(body: str) -> Starlette:
    """A site that is not ours, with one page."""

    async def answer(_: Request) -> HTMLResponse:
        return HTMLResponse(f"<!doctype html><title>Free GPUs</title>{body}")

    return Starlette(routes=[Route("/", answer)])


async def mark_of(tab: Page) -> str:
    """The mark of the request's form: what a forger can't have, given to it here all the same."""
    return await tab.locator(".approve input[name=mark]").input_value()


def forged_form(desk: Desk, asked: Approval, mark: str) -> str:
    """The page's own form, copied to another site."""
    return (
        f'<form method="post" action="{desk.page.url}/requests/{asked.id}/approve">'
        f'<input name="mark" value="{escape(mark)}"><input name="typed" value="train-1">'
        "<button>Win a GPU</button></form>"
    )


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_a_form_on_another_origin_approves_nothing_even_with_a_genuine_mark(
    desk: Desk, deletion: Planned, name: str
) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    async with listening(elsewhere(forged_form(desk, asked, await mark_of(tab)))) as url:
        other = await tab.context.new_page()
        await other.goto(url.replace("127.0.0.1", name))
        async with other.expect_navigation() as gone:
            await other.get_by_role("button", name="Win a GPU").click()
        answer = await gone.value
    assert answer is not None
    assert (answer.url, answer.status) == (f"{desk.page.url}/requests/{asked.id}/approve", 403)
    await expect(other.get_by_role("heading", level=1)).to_have_text("Forbidden")
    await expect(other.get_by_role("main")).to_contain_text("This form was not sent from this page")
    assert await desk.decided(asked) == (Status.PENDING, 0)
    # the very same form works from the page itself: nothing but its origin was wrong
    await tab.get_by_label("To approve, type").fill("train-1")
    await tab.get_by_role("button", name="Delete train-1 for good").click()
    await tab.get_by_text("it runs once").wait_for()
    assert await desk.decided(asked) == (Status.APPROVED, 1)


async def test_a_script_on_another_origin_neither_reads_nor_posts(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    mark = await mark_of(tab)
    async with listening(elsewhere("")) as url:
        other = await tab.context.new_page()
        await other.goto(url)
        read = """async ([address, mode]) => {
          try { return await (await fetch(address, { mode, credentials: "include" })).text(); }
          catch (error) { return error.name; }
        }"""
        for mode in ("cors", "no-cors"):
            assert await other.evaluate(read, [f"{desk.page.url}/requests/{asked.id}", mode]) == "TypeError"
        await other.evaluate(
            """async ([address, mark]) => {
              const body = new URLSearchParams({ mark, typed: "train-1" });
              await fetch(address, { method: "POST", mode: "no-cors", credentials: "include", body }).catch(() => 0);
            }""",
            [f"{desk.page.url}/requests/{asked.id}/approve", mark],
        )
    assert await desk.decided(asked) == (Status.PENDING, 0)
    assert all("CORS policy" in said or "net::ERR_" in said for said in desk.complaints)
    desk.complaints.clear()


async def test_another_site_can_not_frame_the_page(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    tab = await desk.open(asked)
    async with listening(elsewhere(f'<iframe src="{desk.page.url}/requests/{asked.id}"></iframe>')) as url:
        other = await tab.context.new_page()
        await other.goto(url)
        framed = other.frame_locator("iframe")
        await expect(framed.get_by_text(deletion.plan.summary)).to_have_count(0)
        await expect(framed.get_by_role("button", name="Deny")).to_have_count(0)
        (frame,) = other.main_frame.child_frames
        assert not frame.url.startswith(desk.page.url)
    assert [said for said in desk.complaints if "frame-ancestors 'none'" in said]
    desk.complaints.clear()


async def test_a_foreign_name_that_leads_here_is_turned_away(desk: Desk, deletion: Planned) -> None:
    asked = await desk.ask(deletion)
    port = desk.page.url.rpartition(":")[2]
    tab = await desk.open(asked)
    other = await tab.context.new_page()
    answer = await other.goto(f"http://rebound.test:{port}/requests/{asked.id}")
    assert answer is not None
    assert answer.status == 421
    await expect(other.get_by_text(deletion.plan.summary)).to_have_count(0)
    # under a foreign name not even the style is given out
    desk.complaints.clear()


@pytest.mark.parametrize("kind", MISLEADING)
async def test_misleading_names_are_seen_and_change_neither_layout_nor_meaning(
    desk: Desk, deletion: Planned, kind: str
) -> None:
    text = MISLEADING[kind]
    # as the guard has it: a name that can't be typed as it is shown gives way to the id
    must_type = text if kind == "type yes" else "BRK-103339D"
    plan = hostile(deletion, text, must_type=must_type)
    asked = await desk.ask(plan, caller=text, arguments={"name": text, text[:50]: [text]})
    tab = await desk.open(asked)
    await expect(tab.get_by_role("heading", level=2)).to_contain_text(
        SHOWN[kind] if not SHOWN[kind].startswith("(cut") else "characters)"
    )
    assert SHOWN[kind] in await tab.locator(".lost li").first.inner_text()
    listed = await desk.tab(tab.context)
    for page in (tab, listed):
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate(OUT_OF_PLACE) == []
        assert await page.evaluate("window.pwned") is None
        assert await page.locator("script, img, iframe").count() == 1
        assert await page.locator("form").count() == 2
        await expect(page.get_by_role("textbox")).to_have_accessible_name(f"To approve, type {must_type}")
        await expect(page.get_by_role("button")).to_have_text([f"Delete {must_type} for good", "Deny"])
        for name in ("Lost", "Not certain", "Kept", "Easily overlooked", "Safer ways"):
            await expect(page.get_by_role("heading", level=3, name=name, exact=True)).to_have_count(1)
    await tab.get_by_role("textbox").fill("yes")
    await tab.get_by_role("button", name="Delete").click()
    await expect(tab.get_by_role("alert")).to_contain_text("nothing was approved")
    assert await desk.decided(asked) == (Status.PENDING, 0)


async def test_a_misleading_name_in_an_answered_request_keeps_the_list_whole(desk: Desk, deletion: Planned) -> None:
    for text in MISLEADING.values():
        asked = await desk.ask(hostile(deletion, text), caller=text)
        await desk.approvals.deny(asked.id, by=text)
    tab = await desk.open()
    for width in WIDTHS:
        await tab.set_viewport_size({"width": width, "height": 800})
        assert await tab.evaluate(OUT_OF_PLACE) == []
    assert await tab.evaluate("window.pwned") is None
    await expect(tab.get_by_role("region", name="Recent").get_by_role("listitem")).to_have_count(len(MISLEADING))
