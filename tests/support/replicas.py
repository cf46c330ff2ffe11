"""Servers as processes that share one Redis and one account, and what a client asks of each of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
from anyio.abc import Process
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ElicitResult, InputRequiredResult

from barrack_mcp.simulator import create_app
from tests.support.house import Person, says_yes
from tests.support.listening import listening
from tests.support.redis import RedisServer, free_port
from tests.support.running import environment

TOOL: Final = "reboot_instance"
KEYS: Final = "a key of the operator's of 32 characters or more"


@dataclass
class Sealed:
    """A question as its client keeps it, and what it is about."""

    name: str
    state: str


@dataclass
class Replica:
    """A server in a process of its own.

    Attributes:
        url: Its address.
        process: It.
        client: A client of it, whose person says yes; of the new era.
    """

    url: str
    process: Process
    client: Client

    async def asked(self, name: str) -> Sealed:
        """Ask whether a machine may be rebooted, and keep the sealed question."""
        first = await self.client.session.call_tool(TOOL, {"instance_id": name}, allow_input_required=True)
        assert isinstance(first, InputRequiredResult), first
        assert first.request_state is not None
        return Sealed(name, first.request_state)

    async def redeemed(self, sealed: Sealed) -> str:
        """Send a question back with a yes; what came of it, in a word."""
        yes = ElicitResult(action="accept", content={"approve": True})
        try:
            result = await self.client.session.call_tool(
                TOOL,
                {"instance_id": sealed.name},
                input_responses={"approval": yes},
                request_state=sealed.state,
                allow_input_required=True,
            )
        except MCPError as error:
            return str(error.code)
        assert isinstance(result, CallToolResult), result
        return str((result.structured_content or {})["outcome"])

    async def told(self, name: str) -> tuple[str, str]:
        """Call, with a person who says yes; what came of it, in a word and in a sentence."""
        told = (await self.client.call_tool(TOOL, {"instance_id": name})).structured_content or {}
        return told["outcome"], told["message"]

    async def reads(self) -> bool:
        """Whether a read is answered."""
        return not (await self.client.call_tool("list_instances", {})).is_error

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()


class Fleet:
    """One account and one Redis, and as many servers as a test wants.

    Args:
        app: The simulator.
        address: Where it listens.
        redis: Keeps the state of all.
        folder: For what each server keeps for itself.
    """

    def __init__(self, app: Any, address: str, redis: RedisServer, folder: Path) -> None:
        self.app = app
        self.redis = redis
        self.url = redis.url
        self._address = address
        self._folder = folder
        self._started = 0

    @property
    def effects(self) -> list[str]:
        """What took effect."""
        return [each["operation"] for each in self.app.state.barrack.journal]

    @asynccontextmanager
    async def replica(self, **settings: str) -> AsyncIterator[Replica]:
        """Start a server, and a client of it."""
        self._started += 1
        home = self._folder / f"server-{self._started}"
        home.mkdir()
        env = environment(
            BARRACK_STATE=self.url,
            BARRACK_STATE_KEYS=settings.pop("keys", KEYS),
            BARRACK_API_URL=f"{self._address}/api",
            BARRACK_API_KEY="sim-key",
            BARRACK_AUDIT=str(home / "audit.jsonl"),
            XDG_STATE_HOME=str(home),
            **settings,
        )
        port = free_port()
        command = [sys.executable, "-m", "barrack_mcp", "serve", "--transport", "http", "--port", str(port)]
        url = f"http://127.0.0.1:{port}"
        with (home / "stderr").open("wb") as log:
            async with (
                await anyio.open_process(command, env=env, stdout=subprocess.DEVNULL, stderr=log) as process,
                AsyncExitStack() as opened,
            ):
                try:
                    with anyio.move_on_after(30):
                        await _until_healthy(url, process)
                    assert process.returncode is None, (home / "stderr").read_text()
                    connected = Client(
                        streamable_http_client(f"{url}/mcp"), mode="auto", elicitation_callback=Person(says_yes)
                    )
                    yield Replica(url, process, await opened.enter_async_context(connected))
                finally:
                    if process.returncode is None:
                        process.terminate()

    def said(self) -> str:
        """What all servers wrote to their logs."""
        return "".join(log.read_text() for log in sorted(self._folder.glob("*/stderr")))


@asynccontextmanager
async def fleet(folder: Path, *settings: str) -> AsyncIterator[Fleet]:
    """An account and a Redis, started for one test.

    Args:
        folder: A test's own.
        settings: Words for the command line of Redis.
    """
    app = create_app(now=lambda: 0.0)
    (kept := folder / "redis").mkdir()
    async with listening(app) as address:
        with RedisServer(kept, *settings) as redis:
            yield Fleet(app, address, redis, folder)


async def _until_healthy(url: str, process: Process) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        while process.returncode is None:
            try:
                assert (await http.get(f"{url}/health")).status_code == 200
            except httpx2.ConnectError:
                await anyio.sleep(0.1)  # the event is in another process
            else:
                return
