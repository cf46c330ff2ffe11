"""Who may reach the page, by which name, from where, and with what."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any

import httpx2
import pytest
from starlette.types import Message, Scope

from barrack_mcp.guard.approvals import Status
from barrack_mcp.guard.page import new_secret
from barrack_mcp.guard.page.link.page import create_page
from barrack_mcp.guard.page.shield import MAX_BODY
from barrack_mcp.guard.passphrase import hash_passphrase

from .conftest import HOST, ORIGIN, PAGE, ROOM, SECRET, Desk, led, marks_of, text_of

pytestmark = pytest.mark.anyio

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
COOKIE = "barrack_page_4000"


async def mark(browser: httpx2.AsyncClient, approval_id: str) -> str:
    return marks_of(await browser.get(f"/requests/{approval_id}"))[0]


async def test_without_signing_in_nothing_is_shown_or_done_and_the_page_says_how_to_get_in(desk: Desk) -> None:
    asked = await desk.ask()
    async with desk.browser() as stranger:
        answers = [
            await stranger.get("/"),
            await stranger.get(f"/requests/{asked.id}"),
            await stranger.get("/events"),
            await stranger.post(f"/requests/{asked.id}/approve", data={"mark": "0" * 64, "typed": "train-1"}),
            await stranger.post(f"/requests/{asked.id}/deny", data={"mark": "0" * 64}),
        ]
    for answer in answers:
        assert answer.status_code == 401
        assert "run barrack-mcp approvals" in text_of(answer)
        assert "train-1" not in answer.text
    assert f'href="{ROOM}/requests/{asked.id}">Open the page again' in answers[1].text
    assert (await desk.approvals.find(asked.id)).status is Status.PENDING


async def test_a_link_signs_in_once_and_its_cookie_stays_in_this_browser_and_site(desk: Desk) -> None:
    link = desk.link()
    async with desk.browser() as first, desk.browser() as thief:
        entered = await first.get(link)
        assert (entered.status_code, led(entered)) == (303, "/")
        cookie = entered.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert {"HttpOnly", f"Path={ROOM}/", "SameSite=strict"} <= set(cookie.split("; "))
        assert (await first.get("/")).status_code == 200
        again = await first.get(link)
        assert again.status_code == 401
        assert "used before, or is too old" in text_of(again)
        assert (await thief.get(link)).status_code == 401
        assert (await thief.get("/")).status_code == 401


async def test_a_link_can_open_one_request_and_nothing_else(desk: Desk) -> None:
    asked = await desk.ask()
    async with desk.browser() as browser:
        entered = await browser.get(desk.link(approval_id=asked.id))
        assert led(entered) == f"/requests/{asked.id}"
        for elsewhere in ("//evil.example", "https://evil.example", "../static/page.js", "A", "x" * 41):
            assert led(await browser.get(desk.link(approval_id=elsewhere))) == "/"


@pytest.mark.parametrize(("after", "code"), [(119, 303), (120, 401), (121, 401)])
async def test_a_link_works_for_two_minutes(desk: Desk, after: float, code: int) -> None:
    link = desk.link()
    desk.now.at += after
    async with desk.browser() as browser:
        assert (await browser.get(link)).status_code == code


async def test_a_link_that_is_not_ours_opens_nothing(desk: Desk) -> None:
    token = re.sub(".*token=", "", desk.link())
    until, nonce, proof = token.split(".")
    forged = [
        "",
        "x",
        "..",
        f"{int(until) + 1}.{nonce}.{proof}",
        f"{until}.{nonce}x.{proof}",
        f"{until}.{nonce}.{proof[:-1]}",
        f"{until}.{nonce}.",
        f"-1.{nonce}.{proof}",
        f"².{nonce}.{proof}",
        f"{until}.{nonce}.{proof}.",
        f"{until}.{nonce}.{'é' * 64}",
        re.sub(".*token=", "", desk.link(secret=new_secret())),
        *(
            re.sub(".*token=", "", desk.link(origin=elsewhere))
            for elsewhere in (f"http://127.0.0.1:4001{ROOM}", ORIGIN, f"{PAGE}x")
        ),
    ]
    async with desk.browser() as browser:
        for one in forged:
            assert (await browser.get("/enter", params={"token": one})).status_code == 401
        assert (await browser.get("/enter", params={"token": token})).status_code == 303


async def test_the_secret_itself_is_no_way_in(desk: Desk) -> None:
    async with desk.browser() as browser:
        for field in ("secret", "passphrase", "token"):
            assert (await browser.post("/enter", data={field: SECRET})).status_code == 401
        assert (await browser.get("/")).status_code == 401


async def test_where_a_passphrase_is_set_a_link_alone_opens_nothing(desk: Desk) -> None:
    asked, link = await desk.ask(), desk.link()
    desk.passphrase = hash_passphrase("correct horse")
    token = re.sub(".*token=", "", link)
    async with desk.browser() as browser:
        answer = await browser.get(f"{link}&to={asked.id}")
        assert answer.status_code == 401
        assert "Passphrase for approvals" in text_of(answer)
        assert (await browser.get("/")).status_code == 401
        form = {"token": token, "to": asked.id}
        for wrong in ("", "Correct horse", "correct horse ", SECRET, desk.passphrase):
            refused = await browser.post("/enter", data={**form, "passphrase": wrong})
            assert refused.status_code == 401
            assert "That is not the passphrase." in text_of(refused)
        assert (await browser.post("/enter", data={"passphrase": "correct horse"})).status_code == 401
        forged = await browser.post("/enter", data={"token": f"{token}x", "passphrase": "correct horse"})
        assert forged.status_code == 401
        entered = await browser.post("/enter", data={**form, "passphrase": "correct horse"})
        assert (entered.status_code, led(entered)) == (303, f"/requests/{asked.id}")
        assert (await browser.get("/")).status_code == 200
        again = await browser.post("/enter", data={**form, "passphrase": "correct horse"})
        assert (again.status_code, "used before" in text_of(again)) == (401, True)
        assert all("correct horse" not in seen for seen in desk.seen)


async def test_the_page_is_below_its_own_path_alone_and_nothing_outside_tells_it(
    desk: Desk, browser: httpx2.AsyncClient
) -> None:
    asked = await desk.ask()
    for path in ("/", "/events", "/enter", "/nothing", f"/requests/{asked.id}", f"{ROOM}x/", "/static/page.css"):
        answer = await browser.get(f"{ORIGIN}{path}")
        assert answer.status_code == {"/": 401, "/static/page.css": 200}.get(path, 404)
        assert ROOM not in f"{answer.headers} {answer.text}".replace(f"{ROOM}x", "")
        assert "train-1" not in answer.text
    misdirected = await browser.get(f"{ORIGIN}/", headers={"host": "evil.example"})
    assert ROOM not in misdirected.text
    foreign = await browser.post("/enter", headers={"origin": "https://evil.example"})
    assert (foreign.status_code, ROOM in foreign.text) == (403, False)


async def test_the_cookie_goes_to_no_other_port_unless_its_path_is_known_there(desk: Desk) -> None:
    """A cookie jar knows no ports: what keeps the session in is the path."""
    async with desk.browser() as browser:
        await browser.get(desk.link())
        sent = [
            browser.build_request("GET", url).headers.get("cookie")
            for url in ("http://127.0.0.1:4999/", "http://127.0.0.1:4999/requests/x", f"{ORIGIN}/", f"{PAGE}/")
        ]
    assert [cookie is not None for cookie in sent] == [False, False, False, True]


async def test_who_has_the_cookie_alone_can_make_no_mark(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked = await desk.ask()
    session = browser.cookies[COOKIE]
    made = hmac.new(session.encode(), asked.id.encode(), hashlib.sha256).hexdigest()
    answer = await browser.post(f"/requests/{asked.id}/approve", data={"mark": made, "typed": "train-1"})
    assert (answer.status_code, await mark(browser, asked.id) == made) == (403, False)
    assert (await desk.approvals.find(asked.id)).status is Status.PENDING


async def test_a_link_is_good_for_no_other_start_of_the_page(desk: Desk) -> None:
    link = desk.link(origin=f"{ORIGIN}/the-path-of-the-start-before")
    async with desk.browser() as browser:
        for place in (link, link.replace("/the-path-of-the-start-before", ROOM)):
            assert (await browser.get(place)).status_code in (401, 404)
        assert (await browser.get("/")).status_code == 401


async def test_the_secret_in_an_address_is_no_way_in(desk: Desk) -> None:
    async with desk.browser() as browser:
        for name in ("token", "secret"):
            assert (await browser.get("/enter", params={name: SECRET})).status_code == 401


async def test_a_session_ends_after_twelve_hours_and_is_this_servers_own(desk: Desk) -> None:
    async with desk.browser() as browser, desk.browser() as restarted:
        await browser.get(desk.link())
        restarted.cookies.set(COOKIE, browser.cookies[COOKIE])
        assert (await restarted.get("/")).status_code == 401
        desk.now.at += 12 * 3600 - 1
        assert (await browser.get("/")).status_code == 200
        desk.now.at += 1
        assert (await browser.get("/")).status_code == 401


async def test_the_oldest_session_ends_when_there_are_too_many(desk: Desk, browser: httpx2.AsyncClient) -> None:
    first = browser.cookies[COOKIE]
    for _ in range(32):
        browser.cookies.clear()
        assert (await browser.get(desk.link())).status_code == 303
    assert (await browser.get("/")).status_code == 200
    browser.cookies.set(COOKIE, first, domain="127.0.0.1", path=f"{ROOM}/")
    assert (await browser.get("/", headers={"cookie": f"{COOKIE}={first}"})).status_code == 401


async def test_a_form_is_good_for_its_own_session_and_request_only(desk: Desk, browser: httpx2.AsyncClient) -> None:
    asked, other = await desk.ask(), await desk.ask()
    genuine = await mark(browser, asked.id)
    for forged in ("", "0" * 64, genuine[:-1], genuine.upper(), await mark(browser, other.id), "é"):
        for what in ("approve", "deny"):
            answer = await browser.post(f"/requests/{asked.id}/{what}", data={"mark": forged, "typed": "train-1"})
            assert answer.status_code == 403
            assert "Nothing changed" in text_of(answer)
    browser.cookies.clear()
    await browser.get(desk.link())
    answer = await browser.post(f"/requests/{asked.id}/deny", data={"mark": genuine})
    assert answer.status_code == 403
    assert (await desk.approvals.find(asked.id)).status is Status.PENDING


async def test_a_second_link_in_the_same_browser_leaves_the_forms_of_its_other_tabs_good(
    desk: Desk, browser: httpx2.AsyncClient
) -> None:
    asked = await desk.ask()
    genuine = await mark(browser, asked.id)
    desk.now.at += 60
    assert (await browser.get(desk.link())).status_code == 303
    answer = await browser.post(f"/requests/{asked.id}/deny", data={"mark": genuine})
    assert (answer.status_code, (await desk.approvals.find(asked.id)).status) == (303, Status.DENIED)
    desk.now.at += 12 * 3600 - 1
    assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize("planted", ["", "chosen-by-somebody-else", "over"])
async def test_a_link_takes_over_no_session_that_is_not_open(desk: Desk, planted: str) -> None:
    async with desk.browser() as browser:
        if planted == "over":
            await browser.get(desk.link())
            planted = browser.cookies[COOKIE]
            desk.now.at += 12 * 3600
            browser.cookies.clear()
        answer = await browser.get(desk.link(), headers={"cookie": f"{COOKIE}={planted}"})
        assert answer.status_code == 303
        assert browser.cookies[COOKIE] != planted
        assert len(browser.cookies[COOKIE]) == 43
        browser.cookies.clear()
        assert (await browser.get("/", headers={"cookie": f"{COOKIE}={planted}"})).status_code == 401


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 303),
        ({"origin": ORIGIN}, 303),
        ({"origin": ORIGIN, "sec-fetch-site": "same-origin"}, 303),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"origin": "null"}, 403),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:4001"}, 403),
        ({"origin": "http://localhost:4000"}, 403),
        ({"origin": "https://127.0.0.1:4000"}, 403),
        ({"origin": f"{ORIGIN}/"}, 403),
        ({"origin": ""}, 403),
        ({"origin": ORIGIN, "sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
    ],
)
async def test_a_form_sent_from_elsewhere_is_refused(
    desk: Desk, browser: httpx2.AsyncClient, headers: dict[str, str], code: int
) -> None:
    asked = await desk.ask()
    fields = {"mark": await mark(browser, asked.id), "typed": "train-1"}
    answer = await browser.post(f"/requests/{asked.id}/approve", data=fields, headers=headers)
    assert answer.status_code == code
    assert (await desk.approvals.find(asked.id)).status is (Status.APPROVED if code == 303 else Status.PENDING)
    entering = await browser.post("/enter", data={"token": "x"}, headers=headers)
    assert entering.status_code == (401 if code == 303 else code)


@pytest.mark.parametrize(
    ("host", "code"),
    [
        (HOST, 200),
        ("LOCALHOST:4000", 200),
        ("127.0.0.1", 421),
        ("127.0.0.1:4001", 421),
        ("127.0.0.1:4000.evil.example", 421),
        ("evil.example:4000", 421),
        ("evil.example", 421),
        ("127.0.0.1:4000@evil.example", 421),
        ("0.0.0.0:4000", 421),
        ("", 421),
    ],
)
async def test_the_page_answers_under_its_own_address_only(browser: httpx2.AsyncClient, host: str, code: int) -> None:
    answer = await browser.get("/", headers={"host": host})
    assert answer.status_code == code


async def send(desk: Desk, scope: dict[str, Any], *chunks: bytes) -> Message:
    """Send what no client library would, and answer the start of the response."""
    page = create_page(desk.approvals, secret=SECRET, room=ROOM, allowed_hosts=[HOST], now=desk.now)
    incoming = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    incoming.append({"type": "http.request"})
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0)

    async def collect(message: Message) -> None:
        sent.append(message)

    whole: Scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []} | scope
    await page(whole, receive, collect)
    return sent[0]


@pytest.mark.parametrize("names", [[], [HOST, HOST], [HOST, "evil.example"]])
async def test_a_request_with_no_host_or_with_two_is_refused(desk: Desk, names: list[str]) -> None:
    start = await send(desk, {"headers": [(b"host", name.encode()) for name in names]})
    assert start["status"] == 421


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "²"])
async def test_a_length_that_is_no_number_is_refused(desk: Desk, length: str) -> None:
    headers = [(b"host", HOST.encode()), (b"content-length", length.encode("latin-1"))]
    assert (await send(desk, {"method": "POST", "path": f"{ROOM}/enter", "headers": headers}))["status"] == 400


@pytest.mark.parametrize(("size", "code"), [(MAX_BODY, 401), (MAX_BODY + 1, 413)])
async def test_a_body_is_taken_up_to_its_limit_whether_announced_or_not(desk: Desk, size: int, code: int) -> None:
    form = b"secret=".ljust(size, b"x")
    kind = (b"content-type", b"application/x-www-form-urlencoded")
    bare = {"method": "POST", "path": f"{ROOM}/enter", "headers": [(b"host", HOST.encode()), kind]}
    assert (await send(desk, bare, form[:1000], form[1000:]))["status"] == code
    async with desk.browser() as browser:
        announced = await browser.post("/enter", content=form, headers={"content-type": kind[1].decode()})
        assert announced.status_code == code


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        ("application/json", b'{"secret": "x"}', 415),
        ("multipart/form-data; boundary=x", b"", 415),
        ("text/plain", b"secret=x", 415),
        ("application/x-www-form-urlencoded", b"\xff", 400),
        ("application/x-www-form-urlencoded", b"secret=%ff", 400),
        ("application/x-www-form-urlencoded", b"a=1&" * 9, 400),
        ("Application/X-WWW-form-urlencoded ; charset=utf-8", b"secret=x", 401),
    ],
)
async def test_only_plain_small_forms_are_read(desk: Desk, kind: str, content: bytes, code: int) -> None:
    async with desk.browser() as browser:
        answer = await browser.post("/enter", content=content, headers={"content-type": kind})
        assert answer.status_code == code


async def test_every_answer_forbids_framing_sniffing_keeping_and_foreign_code(
    desk: Desk, browser: httpx2.AsyncClient
) -> None:
    asked = await desk.ask()
    answers = [
        await browser.get("/"),
        await browser.get(f"/requests/{asked.id}"),
        await browser.get(f"{ORIGIN}/static/page.css"),
        await browser.get("/nothing"),
        await browser.get("/", headers={"host": "evil.example"}),
        await browser.post("/", headers={"origin": "https://evil.example"}),
        await browser.post("/enter", content=b"x" * 70_000),
        await browser.get(desk.link()),
        await browser.get("/enter"),
        await browser.post(f"/requests/{asked.id}/deny", data={"mark": await mark(browser, asked.id)}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 421, 403, 413, 303, 401, 303]
    for answer in answers:
        headers = answer.headers
        assert headers.get_list("content-security-policy") == [POLICY]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_secret_that_could_be_guessed_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="at least 16 characters"):
        create_page(desk.approvals, secret="short", room=ROOM, allowed_hosts=[HOST])
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(new_secret()) >= 40


async def test_a_web_socket_finds_nothing(desk: Desk) -> None:
    start = await send(desk, {"type": "websocket", "headers": [(b"host", HOST.encode())]})
    assert start["type"] == "websocket.close"
