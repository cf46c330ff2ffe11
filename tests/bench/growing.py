"""What grows with the account: a page of its machines and a list of all, beyond the API's own time."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from typing import Any, Final

import anyio
import httpx2
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from barrack_mcp.account.reading import read_list, reader
from barrack_mcp.api.http.in_process import InProcess
from barrack_mcp.simulator import create_app
from tests.bench.figures import Figure
from tests.support.house import house
from tests.support.running import KEY

ROWS: Final = (20, 200, 2_000, 5_000)
PAGE: Final = 100
_REPEATS: Final = 5


class Many:
    """An account of so many machines, whose API takes hardly any time: the simulator, but for this one list."""

    def __init__(self, rows: int) -> None:
        self._app: Any = create_app(scenario="large", now=lambda: 0.0)
        self.state = self._app.state
        call = InProcess(self._app)
        shown = anyio.run(self._first, call)
        self._rows = [{**shown[at % len(shown)], "instance_id": f"BRK-{at:06d}"} for at in range(rows)]
        self._written: dict[tuple[int, int], bytes] = {}

    @staticmethod
    async def _first(call: InProcess) -> list[dict[str, Any]]:
        async with httpx2.AsyncClient(transport=call, headers={"Authorization": f"Bearer {KEY}"}) as http:
            answer = await http.get("http://127.0.0.1/api/instances/", params={"limit": PAGE})
            rows: list[dict[str, Any]] = answer.json()["instances"]
            return rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if request.method != "GET" or not request.url.path.rstrip("/").endswith("/instances"):
            await self._app(scope, receive, send)
            return
        page, limit = (int(request.query_params.get(name) or usual) for name, usual in (("page", 1), ("limit", 20)))
        if (page, limit) not in self._written:
            told = {"success": True, "instances": self._rows[(page - 1) * limit : page * limit]}
            place = {"total": len(self._rows), "page": page, "limit": limit}
            self._written[page, limit] = json.dumps({**told, **place}).encode()
        await Response(self._written[page, limit], media_type="application/json")(scope, receive, send)


async def _timed(many: Many, rows: int) -> tuple[float, float, float]:
    """Answer the milliseconds beyond the API's own: a page of 20, a page of 100, and the whole list by its pages."""
    async with (
        house(app=many) as made,
        httpx2.AsyncClient(transport=InProcess(many), headers={"Authorization": f"Bearer {KEY}"}) as http,
    ):

        async def own(limit: int, pages: int) -> None:
            for page in range(1, pages + 1):
                answer = await http.get("http://127.0.0.1/api/instances/", params={"limit": limit, "page": page})
                answer.json()

        async def page(limit: int) -> None:
            assert (await made.answer("list_instances", limit=limit)).structured["instances"]

        async def whole() -> None:
            listing = await read_list(reader(made.api), "list_instances")
            assert len(listing.rows) == min(rows, len(listing.rows))

        async def beyond(ours: Any, api: Any) -> float:
            pairs = []
            for _ in range(_REPEATS + 1):
                begun = time.perf_counter()
                await ours()
                middle = time.perf_counter()
                await api()
                pairs.append((middle - begun) - (time.perf_counter() - middle))
            return statistics.median(pairs[1:]) * 1000

        return (
            await beyond(lambda: page(20), lambda: own(20, 1)),
            await beyond(lambda: page(PAGE), lambda: own(PAGE, 1)),
            await beyond(whole, lambda: own(PAGE, -(-rows // PAGE))),
        )


def measured(rounds: int, rows: Sequence[int] = ROWS) -> list[Figure]:
    """Measure accounts of different sizes in turns."""
    accounts = {many: Many(many) for many in rows}
    short: dict[str, list[float]] = {}
    long: dict[str, list[float]] = {}
    whole: dict[str, list[float]] = {}
    for _ in range(rounds):
        for many, account in accounts.items():
            name = f"of {many:,} machines"
            for told, value in zip((short, long, whole), anyio.run(_timed, account, many), strict=True):
                told.setdefault(name, []).append(value)
    return [
        Figure("rows_page", "a page of 20 machines, beyond the API's own time", "ms", short),
        Figure("rows_page_100", f"a page of {PAGE} machines, beyond the API's own time", "ms", long),
        Figure("rows_list", f"the whole list, by pages of {PAGE}, beyond the API's own time", "ms", whole),
    ]
