"""A port of this machine answers who addresses it by its own name and port, and no other."""

from __future__ import annotations

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from barrack_mcp.transports.doorway import Doorway

pytestmark = pytest.mark.anyio

PORT = 8765


async def answer(headers: list[tuple[str, str]], *, method: str = "POST", port: int = PORT) -> tuple[int, int]:
    """The status, and how many requests came through."""
    came: list[Request] = []

    async def take(request: Request) -> PlainTextResponse:
        came.append(request)
        return PlainTextResponse("in")

    app = Starlette(routes=[Route("/{path:path}", take, methods=["GET", "POST"])])
    transport = httpx2.ASGITransport(app=Doorway(app, port=port))
    async with httpx2.AsyncClient(transport=transport) as http:
        request = http.build_request(method, f"http://127.0.0.1:{port}/health", headers=headers)
        if [name for name, _ in headers] == ["X-No-Host"]:
            del request.headers["host"]
        return (await http.send(request)).status_code, len(came)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_its_own_names_with_its_own_port_come_in(host: str, method: str) -> None:
    assert await answer([("Host", host)], method=method) == (200, 1)
    assert await answer([("Host", host), ("Origin", f"http://{host}")], method=method) == (200, 1)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:9999", "localhost", "127.0.0.1:",
        "127.0.0.1:8765@evil.com", "127.0.0.1:80@evil.com", "127.0.0.1:8765.evil.com", "localhost.evil.com:8765",
        "127.0.0.1:08765", "0.0.0.0:8765", "[::]:8765", "",
    ],
)  # fmt: skip
async def test_no_other_name_or_port_comes_in(host: str) -> None:
    assert await answer([("Host", host)], method="GET") == (421, 0)


@pytest.mark.parametrize(
    "origin",
    [
        "null", "http://evil.example", "https://127.0.0.1:8765", "http://127.0.0.1", "http://localhost:9999",
        "http://127.0.0.1:1.evil.com", "http://127.0.0.1:8765.evil.com", "http://127.0.0.1:8765@evil.com", "",
        "http://127.0.0.1:8765/",
    ],
)  # fmt: skip
async def test_no_page_of_another_place_comes_in(origin: str) -> None:
    assert await answer([("Host", "127.0.0.1:8765"), ("Origin", origin)]) == (403, 0)


async def test_without_a_name_or_with_two_nothing_comes_in() -> None:
    assert await answer([("X-No-Host", "")]) == (421, 0)
    own = "http://127.0.0.1:8765"
    assert await answer([("Host", "127.0.0.1:8765"), ("Origin", own), ("Origin", "http://evil.example")]) == (403, 0)


async def test_where_the_port_goes_without_saying_it_may() -> None:
    assert await answer([("Host", "127.0.0.1")], port=80) == (200, 1)
