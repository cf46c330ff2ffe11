"""The page: a person sees what a call would do, and says yes or no."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx2
import pytest

from barrack_mcp.guard.approvals import Approvals, Status
from barrack_mcp.guard.page.about import About
from barrack_mcp.state.store import SqliteStore, StoreError
from tests.support.guarding import told

from .conftest import HOST, ORIGIN, PAGE, PLAN, ROOM, Desk, led, marks_of, text_of

pytestmark = pytest.mark.anyio

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def mark(browser: httpx2.AsyncClient, approval_id: str) -> str:
    return marks_of(await browser.get(f"/requests/{approval_id}"))[0]


async def approve(browser: httpx2.AsyncClient, approval_id: str, **fields: str) -> httpx2.Response:
    given = {"mark": await mark(browser, approval_id), "typed": "train-1"} | fields
    return await browser.post(f"/requests/{approval_id}/approve", data=given)


async def status(desk: Desk, approval_id: str) -> Status:
    return (await desk.approvals.find(approval_id)).status


@pytest.mark.parametrize("alone", [True, False])
async def test_a_request_shows_all_that_is_needed_to_judge_it(
    desk: Desk, browser: httpx2.AsyncClient, *, alone: bool
) -> None:
    asked = await desk.ask()
    desk.now.at += 19
    answer = await browser.get(f"/requests/{asked.id}" if alone else "/")
    assert answer.status_code == 200
    shown = text_of(answer)
    for fact in (
        PLAN.summary,
        "Destroys",
        "9 min 41 s left",
        "instance train-1 i-8f42 ACTIVE",
        "GPU count 2",
        "Now 4.98 USD an hour 3,635.40 USD a month",
        "Afterwards 0.00 USD an hour",
        "Difference -4.98 USD an hour",
        "Spent so far 737.04 USD",
        "Lost Boot disk, 100 GB.",
        "Kept Volume datasets.",
        "Easily overlooked No snapshot of it was ever made.",
        "Safer ways The bill falls to 0.12 USD an hour. hibernate_instance instance_id=i-8f42",
        "Asked by local:1000 with delete_instance at",
        "The call's arguments",
        '{ "instance_id": "i-8f42" }',
        "To approve, type train-1",
        "Delete train-1 for good",
        "Deny",
    ):
        assert fact in shown
    assert shown.isprintable()


async def test_all_that_a_yes_would_destroy_or_open_is_shown_whole(desk: Desk, browser: httpx2.AsyncClient) -> None:
    long = {
        part: [f"{part} {number} {'x' * number * 20}." for number in range(45)]
        for part in ("opens", "gained", "runs", "lost", "uncertain", "bill")
    }
    asked = await desk.ask(PLAN.model_copy(update=long).model_dump(mode="json"))
    shown = text_of(await browser.get(f"/requests/{asked.id}"))
    assert [each for lines in long.values() for each in lines if each not in shown] == []


async def test_a_yes_on_the_page_lets_the_call_run_once(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask()
    answer = await approve(browser, asked.id)
    assert (answer.status_code, led(answer)) == (303, f"/requests/{asked.id}")
    shown = await browser.get(led(answer))
    assert "Approved. The assistant can now repeat the call; it runs once." in text_of(shown)
    assert "/approve" not in shown.text
    assert "Take the yes back" in text_of(shown)
    redeemed = [await desk.approvals.redeem("binding-1") for _ in range(2)]
    assert redeemed[1] is None
    assert redeemed[0] is not None
    assert redeemed[0].status is Status.USED
    assert redeemed[0].decided_by == "on the page"
    assert "Approved and used." in text_of(await browser.get(led(answer)))


async def test_a_no_on_the_page_ends_the_request(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask()
    answer = await browser.post(f"/requests/{asked.id}/deny", data={"mark": await mark(browser, asked.id)})
    assert (answer.status_code, led(answer)) == (303, f"/requests/{asked.id}")
    assert "Denied. Nothing happens." in text_of(await browser.get(f"/requests/{asked.id}"))
    assert await told(desk.approvals, "binding-1") is Status.DENIED


@pytest.mark.parametrize("typed", ["", "Train-1", "train-1 ", "train-1\n", "yes", "тrain-1"])
async def test_a_wrong_name_changes_nothing_and_leaves_the_form_to_try_again(
    desk: Desk, browser: httpx2.AsyncClient, typed: str
) -> None:
    asked = await desk.ask()
    answer = await approve(browser, asked.id, typed=typed)
    assert answer.status_code == 422
    assert "That is not the name asked for, letter for letter, so nothing was approved. 9 tries are left." in text_of(
        answer
    )
    assert "autofocus aria-invalid" in answer.text
    assert await status(desk, asked.id) is Status.PENDING
    again = await browser.post(f"/requests/{asked.id}/approve", data={"mark": marks_of(answer)[0], "typed": "train-1"})
    assert again.status_code == 303


async def test_the_tenth_wrong_name_shows_the_request_as_denied(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask()
    for _ in range(9):
        await approve(browser, asked.id, typed="guess")
    answer = await approve(browser, asked.id, typed="guess")
    assert "The request is now denied." in text_of(answer)
    assert not marks_of(answer)


async def test_a_form_without_the_name_is_a_wrong_name(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask()
    answer = await browser.post(f"/requests/{asked.id}/approve", data={"mark": await mark(browser, asked.id)})
    assert (answer.status_code, await status(desk, asked.id)) == (422, Status.PENDING)


async def test_a_double_submit_decides_once_and_says_so(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask()
    fields = {"mark": await mark(browser, asked.id), "typed": "train-1"}
    answers = [await browser.post(f"/requests/{asked.id}/approve", data=fields) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 409]
    assert "Nothing changed: this request has been approved already." in text_of(answers[1])


async def test_of_two_tabs_the_first_decides_and_the_second_is_told(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask()
    first, second = [await mark(browser, asked.id) for _ in range(2)]
    assert (await browser.post(f"/requests/{asked.id}/deny", data={"mark": first})).status_code == 303
    late = await browser.post(f"/requests/{asked.id}/approve", data={"mark": second, "typed": "train-1"})
    assert late.status_code == 409
    assert "this request has been denied already" in text_of(late)
    assert await told(desk.approvals, "binding-1") is Status.DENIED


@pytest.mark.parametrize("what", ["approve", "deny"])
async def test_an_answer_past_the_time_limit_is_told_to_be_late(
    desk: Desk, browser: httpx2.AsyncClient, what: str
) -> None:
    asked = await desk.ask()
    genuine = await mark(browser, asked.id)
    desk.now.at += 600
    answer = await browser.post(f"/requests/{asked.id}/{what}", data={"mark": genuine, "typed": "train-1"})
    assert answer.status_code == 409
    assert "this request has expired" in text_of(answer)
    assert "Expired. Nothing happens." in text_of(answer)
    assert await told(desk.approvals, "binding-1") is Status.EXPIRED


async def test_the_list_shows_what_waits_and_what_was_answered(desk: Desk, browser: httpx2.AsyncClient) -> None:
    empty = text_of(await browser.get("/"))
    assert "Nothing waits for you" in empty
    assert "No answers yet." in empty
    ids = [(await desk.ask()).id for _ in range(5)]
    await desk.approvals.approve(ids[0], by="ada", typed="train-1")
    await desk.approvals.redeem("binding-1")
    await desk.approvals.approve(ids[1], by="ada", typed="train-1")
    await desk.approvals.deny(ids[2], by="ada")
    answer = await browser.get("/")
    assert "2 requests wait for you" in text_of(answer)
    assert "<title>(2) Approvals" in answer.text
    assert "Asked by local:1000 ; answered by ada" in text_of(answer)
    assert re.findall(r'data-key="(ap-\w+)" data-state="(\w+)"', answer.text) == [
        (ids[3], "pending"),
        (ids[4], "pending"),
        (ids[2], "denied"),
        (ids[1], "approved"),
        (ids[0], "used"),
    ]
    assert len(set(marks_of(answer))) == 3, "one for each request, one for all of their caller"
    await desk.approvals.deny(ids[3], by="ada")
    assert "One request waits for you" in text_of(await browser.get("/"))
    desk.now.at += 600
    assert "Expired" in text_of(await browser.get("/"))


async def test_a_flood_of_requests_is_counted_and_the_later_ones_are_links(
    desk: Desk, browser: httpx2.AsyncClient
) -> None:
    ids = [(await desk.ask()).id for _ in range(40)]
    answer = await browser.get("/")
    assert "40 requests wait for you" in text_of(answer)
    assert answer.text.count("<article") == 5
    assert all(f'href="{ROOM}/requests/{one}"' in answer.text for one in ids)


async def test_many_requests_are_summed_up_by_caller_and_denied_at_once(
    desk: Desk, browser: httpx2.AsyncClient
) -> None:
    asked = [await desk.ask() for _ in range(12)]
    other = await desk.ask(caller="ada")
    answer = await browser.get("/")
    assert "8 more, in short" in text_of(answer)
    assert "12 requests of local:1000 , together -59.76 USD an hour Deny all 12" in text_of(answer)
    assert "requests of ada" not in text_of(answer)
    forged = await browser.post("/callers/deny", data={"caller": "ada", "mark": marks_of(answer)[-1]})
    assert forged.status_code == 403
    denied = await browser.post("/callers/deny", data={"caller": "local:1000", "mark": marks_of(answer)[-1]})
    assert (denied.status_code, led(denied)) == (303, "/")
    assert {await status(desk, each.id) for each in asked} == {Status.DENIED}
    assert await status(desk, other.id) is Status.PENDING


async def test_a_yes_that_was_not_used_can_be_taken_back_and_a_used_one_can_not(
    desk: Desk, browser: httpx2.AsyncClient
) -> None:
    back, used = await desk.ask(), await desk.ask()
    for each in (back, used):
        await approve(browser, each.id)
    genuine = {each.id: await mark(browser, each.id) for each in (back, used)}
    await desk.approvals.redeem("binding-2")
    answers = [await browser.post(f"/requests/{key}/deny", data={"mark": value}) for key, value in genuine.items()]
    assert [answer.status_code for answer in answers] == [303, 409]
    assert await told(desk.approvals, "binding-1") is Status.DENIED
    assert await status(desk, used.id) is Status.USED


async def test_the_header_says_for_what_the_page_speaks(desk: Desk) -> None:
    desk.about = About(api="api.example.test", account="3f2a91c0", simulator=True, remote=True)
    await desk.ask()
    async with desk.browser() as browser:
        outside = text_of(await browser.get(f"{ORIGIN}/"))
        await browser.get(desk.link())
        shown = text_of(await browser.get("/"))
    assert "SIMULATOR api.example.test key 3f2a91c0" in shown
    assert "Asked by anyone who reaches this server over HTTP with delete_instance" in shown
    assert "3f2a91c0" not in outside


async def test_a_request_that_needs_no_name_is_approved_by_its_button(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask(must_type=None)
    page = await browser.get(f"/requests/{asked.id}")
    assert 'name="typed"' not in page.text
    answer = await browser.post(f"/requests/{asked.id}/approve", data={"mark": marks_of(page)[0]})
    assert answer.status_code == 303


async def test_a_plan_that_can_not_be_shown_can_be_denied_but_not_approved(
    desk: Desk, browser: httpx2.AsyncClient
) -> None:
    asked = await desk.ask({"summary": "of another version"}, must_type=None)
    page = await browser.get(f"/requests/{asked.id}")
    assert "its plan can't be shown" in text_of(page)
    assert "/approve" not in page.text
    (genuine,) = marks_of(page)
    forced = await browser.post(f"/requests/{asked.id}/approve", data={"mark": genuine})
    assert (forced.status_code, await status(desk, asked.id)) == (409, Status.PENDING)
    assert (await browser.post(f"/requests/{asked.id}/deny", data={"mark": genuine})).status_code == 303


HOSTILE = "\u202egpj.1-niart\u202c\x1b[31m\u200b\U000e0041\n<script>alert(1)</script>\"'><img src=x>"
SEEN = "\\u202egpj.1-niart\\u202c\\u001b[31m\\u200b\\U000e0041\\n<script>alert(1)</script>\"'><img src=x>"


def everywhere(text: str) -> dict[str, Any]:
    """A plan with the text wherever text can stand."""
    return {
        "summary": text,
        "risk": "destroy",
        "target": {"type": text, "id": text, "name": text, "status": text, text: text, "more": {text: [text]}},
        "cost": {"currency": text, "hourly_now": 1.0, "hourly_after": 2.0, "spent_so_far": 3.0},
        "lost": [text],
        "kept": [text],
        "warnings": [text],
        "safer": [{"tool": text, "arguments": {text: text}, "why": text}],
    }


async def test_hostile_text_is_seen_and_does_nothing(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask(
        everywhere(HOSTILE), arguments={HOSTILE: HOSTILE}, must_type=HOSTILE, caller=HOSTILE, tool=HOSTILE
    )
    await desk.approvals.deny((await desk.ask(everywhere(HOSTILE))).id, by=HOSTILE)
    for place in ("/", f"/requests/{asked.id}"):
        answer = await browser.get(place)
        assert answer.status_code == 200
        assert html.escape(SEEN).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in answer.text
        assert not {char for char in answer.text if not char.isprintable()} - {"\n"}
        assert "<script>" not in answer.text
        assert "<img" not in answer.text


async def test_a_name_of_10_kb_is_cut_and_its_length_told(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask(everywhere("A" * 10_240), must_type="i-8f42")
    answer = await browser.get(f"/requests/{asked.id}")
    assert "…" in answer.text
    assert "(cut: 10,240 characters)" in text_of(answer)
    assert "A" * 8_001 not in answer.text
    assert "Delete i-8f42 for good" in text_of(answer)


async def test_long_arguments_are_shown_up_to_a_point_and_their_length_told(
    desk: Desk, browser: httpx2.AsyncClient
) -> None:
    asked = await desk.ask(arguments={"script": "x" * 30_000})
    answer = await browser.get(f"/requests/{asked.id}")
    assert "Cut; the whole has 30,018 characters." in text_of(answer)
    assert len(answer.text) < 40_000


@pytest.mark.parametrize("path", ["/requests/ap-aaaaaaaaaa", "/requests/%F0%9F%92%A5", "/requests/..%2f..%2fetc"])
async def test_an_unknown_request_is_a_small_page(browser: httpx2.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 404
    assert "All requests" in text_of(answer)


async def test_an_answer_to_an_unknown_request_is_a_small_page(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask()
    genuine = await mark(browser, asked.id)
    gone = Approvals(SqliteStore(":memory:", now=desk.now), ttl=1)
    desk.approvals._store = gone._store  # noqa: SLF001  # as if the state had been emptied meanwhile
    for what in ("approve", "deny"):
        answer = await browser.post(f"/requests/{asked.id}/{what}", data={"mark": genuine})
        assert answer.status_code == 404
        assert "no request with this id" in text_of(answer)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/static/page.js", 404),
        ("GET", f"{ORIGIN}/static/app.py", 404),
        ("GET", f"{ORIGIN}/static/..%2fapp.py", 404),
        ("GET", f"{PAGE}/a/b", 404),
        ("GET", "/requests/", 404),
        ("POST", "/", 405),
        ("DELETE", "/requests/ap-aaaaaaaaaa", 405),
        ("GET", "/requests/ap-aaaaaaaaaa/approve", 405),
        ("OPTIONS", "/", 405),
        ("TRACE", "/", 405),
    ],
)
async def test_what_is_not_there_is_a_small_page(
    browser: httpx2.AsyncClient, method: str, path: str, code: int
) -> None:
    answer = await browser.request(method, path)
    assert answer.status_code == code
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert ("All requests" if str(answer.url).startswith(PAGE) else "barrack-mcp approvals") in text_of(answer)


async def test_the_page_works_without_scripts_and_without_inline_code(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask()
    for place in (f"{PAGE}/", f"{PAGE}/requests/{asked.id}", f"{ORIGIN}/static/page.js"):
        answer = await browser.get(place)
        if place.startswith(PAGE):
            assert '<p class="error away" id="away" role="alert" hidden>' in answer.text
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=|javascript:", answer.text)
    page = await browser.get(f"/requests/{asked.id}")
    assert f'<noscript> <a class="refresh" href="{ROOM}/requests/{asked.id}">Refresh</a></noscript>' in page.text
    assert '<label for="typed-' in page.text
    for landmark in ("<main", "<header", "<nav", "<footer", '<html lang="en">', "<h1", 'role="status"'):
        assert landmark in page.text


@pytest.mark.parametrize(("name", "kind"), [("page.css", "text/css"), ("page.js", "text/javascript")])
async def test_style_and_script_come_with_their_types(browser: httpx2.AsyncClient, name: str, kind: str) -> None:
    answer = await browser.get(f"{ORIGIN}/static/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{kind}; charset=utf-8")


async def test_a_state_that_can_not_be_read_is_told(desk: Desk, browser: httpx2.AsyncClient) -> None:
    class Unreadable(SqliteStore):
        async def approvals(self, *_: object, **__: object) -> list[Any]:
            raise StoreError("The state file is damaged.")

    desk.approvals._store = Unreadable(":memory:")  # noqa: SLF001  # a disk that fails while the page is open
    answer = await browser.get("/")
    assert answer.status_code == 503
    assert "The state file is damaged." in text_of(answer)


async def test_a_mistake_of_ours_is_told_without_its_inside(desk: Desk) -> None:
    class Broken(SqliteStore):
        async def approvals(self, *_: object, **__: object) -> list[Any]:
            raise RuntimeError("inside")

    desk.approvals = Approvals(Broken(":memory:", now=desk.now), ttl=1)
    async with desk.browser() as other:
        await other.get(desk.link())
        answer = await other.get("/")
    assert answer.status_code == 500
    assert "what went wrong is in the server's log" in text_of(answer)
    assert "inside" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"
    assert HOST in str(answer.url)
