"""Over HTTP, too, reads that are the same and come at once are one read at the API, and nobody's is another's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from starlette.types import Receive, Scope, Send

from barrack_mcp.account import account
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.simulator import create_app
from tests.support.callers import served
from tests.support.listening import listening
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

LASTS_S = 600.0
"""The moment: however long this machine takes to let all calls in."""


class Patient:
    """The simulator as an API that answers only once it is let go; counts who asked for what, by the key."""

    def __init__(self) -> None:
        self._app = create_app(now=lambda: 0.0)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.first, self.second = anyio.Event(), anyio.Event()
        self.go = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            key = dict(scope["headers"])[b"authorization"].decode().removeprefix("Bearer ")
            self.asked[key, scope["path"].removeprefix("/api")] += 1
            (self.first if self.asked.total() == 1 else self.second).set()
            await self.go.wait()
        await self._app(scope, receive, send)


class Arrivals:
    """Counts the calls that have come in, of however many clients."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self.complete = anyio.Event()

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method == "tools/call":
            self._expected -= 1
            if not self._expected:
                self.complete.set()
        return await call_next(ctx)


@pytest.mark.promise("V4")
async def test_callers_share_a_read_with_themselves_alone_and_never_beyond_what_they_may_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "MOMENT_S", LASTS_S)
    keys = tmp_path / "keys.toml"
    keys.write_text('cat = "sim-key-eur"\n', encoding="utf-8")
    keys.chmod(0o600)
    api = Patient()
    callers = {"ada": (), "ben": (), "cat": (), "dan": ('toolsets = ["catalog"]',)}
    clients: list[tuple[str, dict[str, Any]]] = [
        ("ada", {"mode": "legacy"}),
        ("ada", {"mode": "2026-07-28"}),
        ("ada", {"mode": "2026-07-28", "headers": {"X-Barrack-On-Behalf-Of": "eve"}}),
        ("ada", {"mode": "legacy", "path": "/mcp/x/catalog"}),
        ("ada", {"mode": "legacy", "headers": {"X-Barrack-Read-Only": "1"}}),
        ("ben", {"mode": "2026-07-28"}),
        ("cat", {"mode": "legacy"}),
        ("dan", {"mode": "2026-07-28"}),
    ]
    heard: dict[int, JsonObject] = {}

    async def note(progress: float, total: float | None, message: str | None) -> None:
        """Want to be told how it goes on; nothing is told of a read."""

    async with listening(api) as url:
        settings = {
            "BARRACK_SIMULATOR": "",
            "BARRACK_API_URL": f"{url}/api",
            "BARRACK_API_KEY": "sim-key",
            "BARRACK_KEYS_FILE": str(keys),
        }
        async with served(tmp_path, callers, **settings) as made, anyio.create_task_group() as tasks:
            arrivals = Arrivals(len(clients))
            made.house.server.middleware.append(arrivals)

            async def read(number: int, name: str, options: dict[str, Any]) -> None:
                async with made.client(name, **options) as client:
                    result = await client.call_tool("list_regions", {}, progress_callback=note if number else None)
                    heard[number] = dict(result.structured_content or {})

            for number, (name, options) in enumerate(clients):
                tasks.start_soon(read, number, name, options)
            with anyio.fail_after(PATIENT_S):
                await arrivals.complete.wait()
                # the last of them has got as far as it can
                await anyio.wait_all_tasks_blocked()
                api.go.set()
    # ada's three are one; what narrows a client, another caller, a row of less, and another key read for themselves
    assert api.asked == {("sim-key", "/regions/"): 5, ("sim-key-eur", "/regions/"): 1}
    assert all(answer["regions"] for answer in heard.values())
    assert [heard[number] for number in range(3)] == [heard[0]] * 3


@pytest.mark.promise("V4")
@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
async def test_where_the_first_caller_hangs_up_the_others_are_answered_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, era: str
) -> None:
    monkeypatch.setattr(account, "MOMENT_S", LASTS_S)
    api, arrivals, given_up = Patient(), Arrivals(2), anyio.CancelScope()
    heard: list[Any] = []
    async with listening(api) as url:
        settings = {"BARRACK_SIMULATOR": "", "BARRACK_API_URL": f"{url}/api", "BARRACK_API_KEY": "sim-key"}
        async with served(tmp_path, {"ada": ()}, **settings) as made, anyio.create_task_group() as tasks:
            made.house.server.middleware.append(arrivals)

            async def read(scope: anyio.CancelScope) -> None:
                async with made.client("ada", mode=era) as client:
                    with scope:
                        heard.append((await client.call_tool("list_regions", {})).structured_content)

            with anyio.fail_after(PATIENT_S):
                tasks.start_soon(read, given_up)
                await api.first.wait()
                tasks.start_soon(read, anyio.CancelScope())
                await arrivals.complete.wait()
                await anyio.wait_all_tasks_blocked()
                given_up.cancel()
                await api.second.wait()
                api.go.set()
    assert given_up.cancelled_caught
    assert [answer["regions"] != [] for answer in heard] == [True]
