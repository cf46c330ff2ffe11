"""A write over the simulator whose answer is lost, and what is seen of it afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr
from starlette.types import ASGIApp

from barrack_mcp.api.client import Client, open_client
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject
from barrack_mcp.dispatch.writes.look import Looked, View, look, note
from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.faults import parse
from tests.plans.asking import Room
from tests.support.running import listening

WRITES: Final = [operation for operation in OPERATIONS if not operation.reads]

FAULTS: Final[dict[str, JsonObject]] = {
    "reset": {"action": "reset"},
    "stall": {"action": "stall"},
    "truncate": {"action": "truncate"},
    "garbage": {"action": "garbage"},
    "500": {"action": "status", "status": 500},
    "502": {"action": "garbage", "status": 502},
    "503": {"action": "status", "status": 503},
    "504": {"action": "status", "status": 504},
}
PATIENCE_S: Final = 0.2
"""What a test waits for an answer that never comes; on a socket three times that."""


@dataclass
class Lost:
    """Sends writes whose answers never come whole."""

    room: Room
    hasty: Client

    async def send(self, tool: str, values: JsonObject, **fault: Any) -> None:
        """Send a write, once, into this fault."""
        self.barrack.faults.replace(parse([{"method": BY_TOOL[tool].method, **fault}]))
        silent = fault["action"] == "stall"
        try:
            await (self.hasty if silent else self.room.client).send(BY_TOOL[tool], values)
        except ApiError as error:
            assert error.uncertain  # noqa: PT017 - what comes next is about such errors alone
        else:
            raise AssertionError(fault)
        self.barrack.faults.replace([])

    @property
    def barrack(self) -> Any:
        """The simulator itself."""
        return self.room.barrack

    @property
    def effects(self) -> list[str]:
        return [entry["operation"] for entry in self.barrack.journal]

    async def note(self, tool: str, values: JsonObject) -> View | None:
        """Read how things stand."""
        return await note(BY_TOOL[tool], values, read=self.room)

    async def looked(self, tool: str, values: JsonObject, before: View | None, **more: Any) -> Looked:
        """Look, without waiting between the looks."""
        clock = self.barrack.clock
        usual: dict[str, Any] = {"sent_at": clock.now(), "now": clock.now, "sleep": no_sleep, "seconds": 60}
        return await look(BY_TOOL[tool], values, before=before, read=self.room, **usual | more)

    async def through(self, tool: str, fault: JsonObject, *, wait: float = 0, **more: Any) -> Looked:
        """Note, send once into this fault, let simulated time go by, and look."""
        values = {**self.room.good(tool), **more}
        before = await self.note(tool, values)
        sent_at = self.barrack.clock.now()
        await self.send(tool, values, **fault)
        self.barrack.clock.advance(wait)
        return await self.looked(tool, values, before, sent_at=sent_at)


async def no_sleep(_: float) -> None:
    """Don't wait."""


@asynccontextmanager
async def lost() -> AsyncIterator[Lost]:
    """A simulator in this process whose time stands still, and writes that get lost on the way back from it."""
    app = create_app(now=lambda: 0.0)
    async with _clients("http://127.0.0.1", app) as (patient, hasty):
        yield Lost(Room(patient, app.state.barrack), hasty)


@asynccontextmanager
async def on_a_socket() -> AsyncIterator[Lost]:
    """The same behind a real socket, where the faults are real."""
    app = create_app(now=lambda: 0.0)
    async with listening(app) as address, _clients(address, None, patience=3 * PATIENCE_S) as (patient, hasty):
        yield Lost(Room(patient, app.state.barrack), hasty)


@asynccontextmanager
async def _clients(address: str, app: ASGIApp | None, *, patience: float = PATIENCE_S) -> AsyncIterator[list[Client]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                open_client(
                    url=f"{address}/api",
                    key=SecretStr("sim-key"),
                    auth_header="Authorization",
                    auth_template="Bearer {key}",
                    seconds=seconds,
                    app=app,
                )
            )
            for seconds in (30, patience)
        ]
