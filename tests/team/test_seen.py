"""Request ids from end to end: what a client sends is in the answer's header, in the log and in the record."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from barrack_mcp.config import read_settings
from barrack_mcp.server.house import open_server
from barrack_mcp.transports.web import sse_app
from tests.support.callers import Served, served
from tests.support.listening import listening
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

MADE = re.compile(r"[0-9a-f]{16}")
CALLS = {"ada": ()}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Zt1RkmvQ3a4vXbJ8mH5v3Jg5y6uQmE7lG0k2u1YtC"


def lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "audit.jsonl").read_text(encoding="ascii")
    return [json.loads(line) for line in text.splitlines()]


async def asked(server: Served, *ids: str, path: str = "/health", more: dict[str, str] | None = None) -> str:
    """Answer the id that an answer bears."""
    headers = [*(more or {}).items(), *(("X-Request-Id", each) for each in ids)]
    async with httpx2.AsyncClient(timeout=PATIENT_S) as http:
        answer = await http.get(f"{server.url}{path}", headers=headers)
    return str(answer.headers["x-request-id"])


async def test_an_answer_bears_the_clients_own_id_also_where_it_is_turned_away(tmp_path: Path) -> None:
    async with served(tmp_path, CALLS) as server:
        for good in ("a", "0b8f5c2e-6d1f-4a7b-9c1e-2f3a4b5c6d7e", "A.b_c-9", "x" * 64):
            assert await asked(server, good) == good
            assert await asked(server, good, path="/mcp") == good
        assert await asked(server, "seen", more={"Host": "elsewhere.example"}) == "seen"


async def test_an_id_that_could_be_more_than_one_is_not_taken_and_another_is_made(tmp_path: Path) -> None:
    async with served(tmp_path, CALLS) as server:
        token = server.desk.tokens["ada"]
        odd = ("x" * 65, "-a", "a b", "a\tb", 'a"b', "a;b", "{a}", "<a>", "a/b", "a%0ab")
        made = [await asked(server, each) for each in odd]
        made += [await asked(server), await asked(server, "a", "b"), await asked(server, "a", "a")]
        for header in ("Authorization", "X-Barrack-Api-Key", "Cookie"):
            made.append(await asked(server, token, more={header: f"Bearer {token}"}))
        assert all(MADE.fullmatch(each) for each in made), made
        assert len(set(made)) == len(made)


@pytest.mark.promise("P3")
async def test_every_line_of_a_call_says_for_which_request_it_is_and_for_whom(
    tmp_path: Path,
) -> None:
    settings = {"BARRACK_UNATTENDED": "change"}
    async with served(tmp_path, CALLS, **settings) as server:
        token = server.desk.tokens["ada"]
        for request in ("first", "second"):
            headers = {
                "Authorization": f"Bearer {token}",
                "X-Request-Id": request,
                "X-Barrack-On-Behalf-Of": f"for-{request}",
            }
            async with (
                httpx2.AsyncClient(headers=headers, timeout=PATIENT_S) as http,
                Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client,
            ):
                await client.call_tool("create_ssh_key", {"name": f"key-{request}", "public_key": KEY})
                await client.call_tool("delete_ssh_key", {"key_id": f"key-{request}"})
    written = lines(tmp_path)
    assert {(line["request"], line["on_behalf_of"], line.get("caller", "ada")) for line in written} == {
        ("first", "for-first", "ada"),
        ("second", "for-second", "ada"),
    }
    assert {line["kind"] for line in written} >= {"intent", "outcome", "decision"}
    for request in ("first", "second"):
        assert {
            line["arguments"]["name"] for line in written if line["kind"] == "intent" and line["request"] == request
        } == {f"key-{request}"}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_calls_of_one_session_are_each_under_the_id_of_their_own_request(mode: Any, tmp_path: Path) -> None:
    numbers = iter(range(100))
    sent: list[str] = []

    async def number(request: httpx2.Request) -> None:
        request.headers["X-Request-Id"] = f"n-{next(numbers)}"
        if b"tools/call" in request.content:
            sent.append(request.headers["X-Request-Id"])

    async with served(tmp_path, CALLS) as server:
        headers = {"Authorization": f"Bearer {server.desk.tokens['ada']}"}
        hooks: Any = {"request": [number]}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=PATIENT_S, event_hooks=hooks) as http,
            Client(streamable_http_client(f"{server.url}/mcp", http_client=http), mode=mode) as client,
        ):
            for name in ("a", "b", "c"):
                await client.call_tool("create_ssh_key", {"name": name, "public_key": KEY})
    assert len(sent) == 3
    assert list(dict.fromkeys(line["request"] for line in lines(tmp_path))) == sent


async def test_a_crash_is_told_under_the_id_of_its_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, CALLS) as server:

        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        # an error of our own can't be had from outside
        monkeypatch.setattr("barrack_mcp.dispatch.dispatcher.validate", broken)
        headers = {"Authorization": f"Bearer {server.desk.tokens['ada']}", "X-Request-Id": "mine"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=PATIENT_S) as http,
            Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client,
        ):
            result = await client.call_tool("list_instances", {})
    (block,) = result.content
    assert isinstance(block, TextContent)
    assert block.text.startswith("Internal error mine;")
    assert "internal error mine in list_instances" in caplog.text


async def test_over_the_older_transport_calls_have_ids_too(tmp_path: Path) -> None:
    settings = read_settings({"BARRACK_SIMULATOR": "1", "BARRACK_STATE": str(tmp_path / "state.db")})
    async with (
        open_server(settings, remote=True) as house,
        listening(sse_app(house.server)) as url,
    ):
        with anyio.fail_after(PATIENT_S):
            async with Client(sse_client(f"{url}/sse", headers={"X-Request-Id": "over-sse"})) as client:
                await client.call_tool("create_ssh_key", {"name": "v", "public_key": KEY})
    assert {line["request"] for line in lines(tmp_path)} == {"over-sse"}
