"""The one account of the tests: a simulator in this process whose time stands still, and a client of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from starlette.types import ASGIApp

from barrack_mcp.api.client import Client, open_client
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.faults import parse
from tests.support import examples
from tests.support.clock import at_once
from tests.support.running import KEY


@dataclass(kw_only=True)
class Simulation:
    """The simulator, whose effects a test counts, and the client that reaches it."""

    api: Client
    app: Any

    @property
    def barrack(self) -> Any:
        """The simulator's own view of what happened."""
        return self.app.state.barrack

    @property
    def state(self) -> Any:
        """What the account has, as it is now."""
        return json.loads(json.dumps(self.barrack.state()))

    @property
    def effects(self) -> list[str]:
        """The operations that took effect, in their order."""
        return [effect["operation"] for effect in self.barrack.journal]

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Method and path of each request that arrived."""
        return [(request["method"], request["path"]) for request in self.barrack.requests]

    def play(self, *faults: JsonObject) -> None:
        """Put these faults in the place of those there are."""
        self.barrack.faults.replace(parse(list(faults)))

    def thing(self, kind: str, **wanted: Any) -> JsonObject:
        """The first thing of a kind with these fields."""
        return examples.first(self.state[kind], **wanted)

    def good(self, tool: str) -> JsonObject:
        """Arguments that work."""
        return examples.good(BY_TOOL[tool], self.barrack.state())


@asynccontextmanager
async def simulated(
    *, app: Any = None, scenario: str = "small", key: str = KEY, seconds: float = 30
) -> AsyncIterator[Simulation]:
    """A simulator, or the one that is given, and a client that doesn't wait between its tries."""
    app = app or create_app(scenario=scenario, now=lambda: 0.0)
    async with reaching("http://127.0.0.1", app=app, key=key, seconds=seconds) as api:
        yield Simulation(api=api, app=app)


@asynccontextmanager
async def reaching(
    address: str, *, app: ASGIApp | None = None, key: str = KEY, seconds: float = 30, **more: Any
) -> AsyncIterator[Client]:
    """Open a client of a simulator: in this process, or behind an address."""
    usual: dict[str, Any] = {"sleep": at_once}
    async with open_client(
        url=f"{address}/api",
        key=SecretStr(key),
        auth_header="Authorization",
        auth_template="Bearer {key}",
        seconds=seconds,
        app=app,
        **usual | more,
    ) as api:
        yield api
