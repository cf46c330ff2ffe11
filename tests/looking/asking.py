"""A write over the simulator whose answer is lost, and what is seen of it afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from barrack_mcp.api.client import Client
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject
from barrack_mcp.dispatch.writes.looking.look import Looked, View, look, note
from barrack_mcp.simulator import create_app
from tests.plans.asking import Room
from tests.support.clock import at_once
from tests.support.running import listening
from tests.support.simulation import reaching, simulated

WRITES: Final = [operation for operation in OPERATIONS if not operation.reads]

FAULTS: Final[dict[str, JsonObject]] = {fault: {"action": fault} for fault in ("reset", "truncate", "stall")}
"""A connection that breaks, an answer that is cut, and silence; `tests/writing/test_honest.py` has them all."""
PATIENCE_S: Final = 0.2
"""What a test waits for an answer that never comes; on a socket three times that."""


@dataclass(kw_only=True)
class Lost(Room):
    """Sends writes whose answers never come whole."""

    hasty: Client

    async def send(self, tool: str, values: JsonObject, **fault: Any) -> None:
        """Send a write, once, into this fault."""
        self.play({"method": BY_TOOL[tool].method, **fault})
        silent = fault["action"] == "stall"
        try:
            await (self.hasty if silent else self.api).send(BY_TOOL[tool], values)
        except ApiError as error:
            assert error.uncertain  # noqa: PT017 - what comes next is about such errors alone
        else:
            raise AssertionError(fault)
        self.play()

    async def note(self, tool: str, values: JsonObject) -> View | None:
        """Read how things stand."""
        return await note(BY_TOOL[tool], values, read=self)

    async def looked(self, tool: str, values: JsonObject, before: View | None, **more: Any) -> Looked:
        """Look, without waiting between the looks."""
        clock = self.barrack.clock
        usual: dict[str, Any] = {"sent_at": clock.now(), "now": clock.now, "sleep": at_once, "seconds": 60}
        return await look(BY_TOOL[tool], values, before=before, read=self, **usual | more)

    async def through(self, tool: str, fault: JsonObject, *, wait: float = 0, **more: Any) -> Looked:
        """Note, send once into this fault, let simulated time go by, and look."""
        values = {**self.good(tool), **more}
        before = await self.note(tool, values)
        sent_at = self.barrack.clock.now()
        await self.send(tool, values, **fault)
        self.barrack.clock.advance(wait)
        return await self.looked(tool, values, before, sent_at=sent_at)


@asynccontextmanager
async def lost() -> AsyncIterator[Lost]:
    """A simulator in this process whose time stands still, and writes that get lost on the way back from it."""
    async with simulated() as barrack, reaching("http://127.0.0.1", app=barrack.app, seconds=PATIENCE_S) as hasty:
        yield Lost(api=barrack.api, app=barrack.app, hasty=hasty)


@asynccontextmanager
async def on_a_socket() -> AsyncIterator[Lost]:
    """The same behind a real socket, where the faults are real."""
    app = create_app(now=lambda: 0.0)
    async with (
        listening(app) as address,
        reaching(address) as patient,
        reaching(address, seconds=3 * PATIENCE_S) as hasty,
    ):
        yield Lost(api=patient, app=app, hasty=hasty)
