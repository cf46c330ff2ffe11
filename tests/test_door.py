"""Who may knock on a port of this machine: its own addresses, and no page of another place."""

from __future__ import annotations

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from barrack_mcp.transports.door import Door

pytestmark = pytest.mark.anyio

PORT = 8765


async def asked(**headers: str | None) -> int:
    """Ask a server that listens on the port; gives its status."""

    async def let_in(_: Request) -> PlainTextResponse:
        return PlainTextResponse("in")

    app = Starlette(routes=[Route("/mcp", let_in)], middleware=[Middleware(Door)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as http:
        request = http.build_request("GET", f"http://127.0.0.1:{PORT}/mcp")
        for name, value in headers.items():
            if value is None:
                del request.headers[name]
            else:
                request.headers[name] = value
        return (await http.send(request)).status_code


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    "host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "127.0.0.2:8765", "[::1]:8765", "localhost.:8765"]
)
async def test_each_address_of_this_machine_is_let_in(host: str) -> None:
    assert await asked(host=host) == 200
    assert await asked(host=host, origin=f"http://{host}") == 200


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    "host",
    [
        None, "", "evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:9", "[::1]", "::1:8765",
        "127.0.0.1:80@evil.com", "127.0.0.1:8765@evil.com", "127.0.0.1:8765.evil.com", "127.0.0.1.evil.com:8765",
        "0.0.0.0:8765",
        "10.0.0.1:8765", "localhost:8765:8765", "localhost:99999",
    ],
)  # fmt: skip
async def test_any_other_host_is_turned_away(host: str | None) -> None:
    assert await asked(host=host) == 421


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    "origin",
    [
        "null", "", "https://evil.example", "http://evil.example:8765", "http://127.0.0.1:1.evil.com", "http://localhost:9999",
        "http://127.0.0.1", "https://127.0.0.1:8765", "http://127.0.0.1:8765/", "http://127.0.0.1:8765@evil.com",
    ],
)  # fmt: skip
async def test_a_page_of_another_place_is_turned_away(origin: str) -> None:
    assert await asked(origin=origin) == 403


@pytest.mark.promise("R2")
@pytest.mark.parametrize("name", ["Host", "Origin"])
async def test_a_request_that_names_two_places_is_turned_away(name: str) -> None:
    own = "http://127.0.0.1:8765" if name == "Origin" else "127.0.0.1:8765"
    app = Starlette(middleware=[Middleware(Door)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as http:
        twice = [("Host", "127.0.0.1:8765"), (name, own), (name, "evil.example")]
        assert (await http.get(f"http://127.0.0.1:{PORT}/mcp", headers=twice)).status_code in (403, 421)
