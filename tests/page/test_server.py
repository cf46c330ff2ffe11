"""The page on a real socket: found by a person, live, quiet, and gone when its block ends."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import anyio
import anyio.abc
import httpx2
import pytest

from barrack_mcp.api.http import listener
from barrack_mcp.guard.approvals import Approvals, Status
from barrack_mcp.guard.page import PageError, PageServer, is_served
from barrack_mcp.guard.page.live import MAX_LISTENERS, Live
from tests.support.patience import PATIENT_S

from .conftest import SECRET, Desk, marks_of

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def visiting(page: PageServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=page.url, trust_env=False) as browser:
        assert (await browser.get(page.login_url())).status_code == 303
        yield browser


async def next_event(lines: AsyncIterator[str]) -> str:
    async for line in lines:
        if line.startswith("data: "):
            return line
    return "the end"


async def test_a_person_signs_in_by_the_link_and_approves_over_a_real_socket(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(PATIENT_S):
        async with PageServer(desk.approvals, secret=SECRET, now=desk.now) as page:
            await page.start()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{22}", page.url)
            asked = await desk.ask()
            link = page.login_url(asked.id)
            assert link.startswith(f"{page.url}/enter?token=")
            assert SECRET not in link
            async with httpx2.AsyncClient(base_url=page.url, trust_env=False) as browser:
                entered = await browser.get(link)
                assert entered.headers["location"] == f"{urlsplit(page.url).path}/requests/{asked.id}"
                assert "server" not in entered.headers
                shown = await browser.get(f"/requests/{asked.id}")
                fields = {"mark": marks_of(shown)[0], "typed": "train-1"}
                decided = await browser.post(f"/requests/{asked.id}/approve", data=fields)
                assert decided.status_code == 303
        assert (await desk.approvals.find(asked.id)).status is Status.APPROVED
    told = " ".join(r.getMessage() for r in caplog.records if r.name.startswith(("uvicorn", "barrack_mcp")))
    assert "/enter" not in told
    assert asked.id not in told


async def test_nothing_listens_before_the_start_nor_after_the_end(desk: Desk) -> None:
    with anyio.fail_after(PATIENT_S):
        async with PageServer(desk.approvals, secret=SECRET) as page:
            with pytest.raises(PageError, match="not being served"):
                page.login_url()
            await page.start()
            url = page.url
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(page.start)
            assert page.url == url
        with pytest.raises(PageError):
            _ = page.url
        with pytest.raises(PageError):
            await page.start()
        with pytest.raises(httpx2.ConnectError):
            async with httpx2.AsyncClient(trust_env=False) as browser:
                await browser.get(url)


async def test_the_page_ends_when_its_block_fails_and_lets_the_failure_out(desk: Desk) -> None:
    addresses: list[str] = []

    async def fail() -> None:
        async with PageServer(desk.approvals, secret=SECRET) as page:
            await page.start()
            addresses.append(page.url)
            raise LookupError("of ours")

    with anyio.fail_after(PATIENT_S), pytest.raises(LookupError, match="of ours"):
        await fail()
    async with httpx2.AsyncClient(trust_env=False) as browser:
        with pytest.raises(httpx2.ConnectError):
            await browser.get(addresses[0])


async def test_a_port_of_choice_is_used_and_a_taken_one_is_told(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with PageServer(desk.approvals, secret=SECRET, port=port) as page:
            with pytest.raises(PageError, match=rf"can't have port {port}; is it taken\? Set BARRACK_PAGE_PORT"):
                await page.start()
    async with PageServer(desk.approvals, secret=SECRET, port=port) as page:
        await page.start()
        assert page.url.startswith(f"http://127.0.0.1:{port}/")


@pytest.mark.slow
async def test_an_open_page_hears_of_each_change_and_the_stream_ends_with_the_server(desk: Desk) -> None:
    with anyio.fail_after(PATIENT_S):
        async with PageServer(desk.approvals, secret=SECRET, now=desk.now) as page:
            await page.start()
            async with visiting(page) as browser, browser.stream("GET", "/events") as stream:
                assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
                assert stream.headers["cache-control"] == "no-store"
                lines = stream.aiter_lines()
                assert await next_event(lines) == "data: 0"
                await desk.ask()
                assert await next_event(lines) == "data: 1"
                desk.now.at += 600
                assert await next_event(lines) == "data: 2"
                page._tasks.cancel_scope.cancel() if page._tasks else None  # noqa: SLF001  # as the end of the block does
                assert await next_event(lines) == "the end"


async def test_only_so_many_pages_can_listen(desk: Desk) -> None:
    with anyio.fail_after(PATIENT_S):
        async with PageServer(desk.approvals, secret=SECRET, now=desk.now) as page:
            await page.start()
            async with visiting(page) as browser, anyio.create_task_group() as tasks:
                for _ in range(MAX_LISTENERS):
                    await tasks.start(listen, browser)
                assert (await browser.get("/events")).status_code == 503
                assert (await browser.get("/")).status_code == 200
                tasks.cancel_scope.cancel()


async def listen(browser: httpx2.AsyncClient, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    async with browser.stream("GET", "/events") as stream:
        lines = stream.aiter_lines()
        assert await next_event(lines) == "data: 0"
        task_status.started()
        await anyio.sleep_forever()


async def test_a_listener_that_goes_makes_room(desk: Desk) -> None:
    live = Live(desk.approvals, every=0)
    gone = anyio.Event()

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        if live.full:
            gone.set()
        await anyio.lowlevel.checkpoint()

    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            for _ in range(MAX_LISTENERS):
                tasks.start_soon(live.stream(), {"type": "http"}, receive, send)
    assert not live.full


async def test_a_quiet_stream_shows_a_sign_of_life(desk: Desk) -> None:
    live = Live(desk.approvals, every=0)
    chunks = [chunk async for chunk in first(live, 3)]
    assert chunks == ["event: change\ndata: 0\n\n", ": still here\n\n", ": still here\n\n"]


async def first(live: Live, count: int) -> AsyncIterator[str]:
    left = count
    async for chunk in live.stream().body_iterator:
        assert isinstance(chunk, str)
        yield chunk
        left -= 1
        if not left:
            live.close()


async def test_a_page_of_approvals_kept_elsewhere_still_follows_them(desk: Desk) -> None:
    other = Approvals(desk.approvals._store, ttl=600, now=desk.now)  # noqa: SLF001  # as another process would
    live = Live(desk.approvals, every=0)
    asked = await desk.ask()
    events: list[str] = []
    async for chunk in live.stream().body_iterator:
        events.append(str(chunk))
        if len(events) == 1:
            await other.deny(asked.id, by="elsewhere")
        else:
            live.close()
    assert events == ["event: change\ndata: 1\n\n", "event: change\ndata: 2\n\n"]


async def test_only_the_page_itself_passes_for_the_page(desk: Desk) -> None:
    """Whoever took its port, in its place or before it starts, is sent nobody."""
    with anyio.fail_after(PATIENT_S):
        async with PageServer(desk.approvals, secret=SECRET, now=desk.now) as page:
            await page.start()
            address = page.url
            assert await is_served(address, secret=SECRET)
            assert not await is_served(address, secret="another-secret-of-another-page")
            assert not await is_served(f"{address}x", secret=SECRET)
            assert not await is_served(address.replace("127.0.0.1", "localhost"), secret=SECRET[::-1])
        assert not await is_served(address, secret=SECRET)
        async with PageServer(desk.approvals, secret=SECRET, port=urlsplit(address).port or 0) as anew:
            await anew.start()
            assert not await is_served(address, secret=SECRET)
            assert await is_served(anew.url, secret=SECRET)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"0" * 64,
        b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
        b"x" * 10_000,
        b"",
    ],
    ids=["nothing", "a guess", "elsewhere", "a flood", "hangs up"],
)
async def test_who_took_the_pages_port_is_not_even_told_its_path(said: bytes) -> None:
    heard: list[bytes] = []

    async def squat(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            heard.append(await stream.receive())
            await stream.send(said or b" ")

    with anyio.fail_after(PATIENT_S):
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as taken,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(taken.serve, squat)
            port = taken.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # a socket's
            assert not await is_served(f"http://127.0.0.1:{port}/the-path", secret=SECRET)
            tasks.cancel_scope.cancel()
    assert [b"the-path" in one for one in heard] == [False]


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: ", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"])
async def test_a_person_gets_in_whoever_holds_connections_open(desk: Desk, begun: bytes) -> None:
    with anyio.fail_after(PATIENT_S):
        async with PageServer(desk.approvals, secret=SECRET, now=desk.now) as page, AsyncExitStack() as held:
            await page.start()
            for _ in range(130):
                idle = await held.enter_async_context(
                    await anyio.connect_tcp("127.0.0.1", urlsplit(page.url).port or 0)
                )
                with contextlib.suppress(anyio.BrokenResourceError):
                    await idle.send(begun)
            async with visiting(page) as browser:
                assert (await browser.get("/")).status_code == 200


async def test_a_connection_that_asks_for_nothing_is_closed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "IDLE_S", 0.05)
    with anyio.fail_after(10):
        async with PageServer(desk.approvals, secret=SECRET, now=desk.now) as page:
            await page.start()
            for begun in (b"GET", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"):
                idle = await anyio.connect_tcp("127.0.0.1", urlsplit(page.url).port or 0)
                async with idle:
                    await idle.send(begun)
                    with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                        while True:
                            await idle.receive()
