"""A server over HTTP with what it shows of itself, before a simulator that answers as a test wants it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from starlette.types import ASGIApp

from barrack_mcp.config import read_settings
from barrack_mcp.server.house import House, open_server
from barrack_mcp.server.watch import NOBODY
from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.faults import parse
from barrack_mcp.transports.login import open_gate
from barrack_mcp.transports.monitoring.routes import open_metrics, routes
from barrack_mcp.transports.web import http_app
from tests.support.clock import Clock
from tests.support.listening import listening
from tests.support.patience import PATIENT_S
from tests.support.running import KEY


@dataclass
class Monitored:
    """A server that is looked at.

    Attributes:
        url: Its address.
        house: What is served.
        clock: Moves the time until it looks again.
        app: The simulator.
        metrics: What counts.
    """

    url: str
    house: House
    clock: Clock
    app: Any
    metrics: Any

    def play(self, *faults: dict[str, Any]) -> None:
        """Let the API answer otherwise."""
        self.app.state.barrack.faults.replace(parse([{"times": 999, **fault} for fault in faults]))

    @property
    def asked(self) -> int:
        """How many requests the API has had."""
        return len(self.app.state.barrack.requests)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """Ask without a client."""
        async with httpx2.AsyncClient(timeout=PATIENT_S) as http:
            return await http.get(f"{self.url}{path}", headers={k.replace("_", "-"): v for k, v in headers.items()})


@asynccontextmanager
async def monitored(folder: Path, *over: Callable[..., ASGIApp], **settings: str) -> AsyncIterator[Monitored]:
    """Serve for whoever can reach it, unless the settings name callers; over HTTP unless said otherwise."""
    make = over[0] if over else http_app
    clock, app = Clock(), create_app()
    async with listening(app) as api:
        given = {
            "BARRACK_API_URL": f"{api}/api",
            "BARRACK_API_KEY": KEY,
            "BARRACK_STATE": str(folder / "state.db"),
            **settings,
        }
        known = read_settings({name: value for name, value in given.items() if value})
        metrics = open_metrics(known, clock)
        async with open_server(known, remote=True, watch=metrics or NOBODY) as house:
            gate = None if house.callers is None else open_gate(known, house.callers, "/mcp")
            shown = routes(house, known, metrics, clock)
            async with listening(make(house.server, gate=gate, beside=shown)) as url:
                yield Monitored(url, house, clock, app, metrics)
