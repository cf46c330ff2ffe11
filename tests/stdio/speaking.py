"""The client's side of two pipes: a connection in this process, and the product as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import anyio.abc
import anyio.to_thread
from mcp.server.lowlevel import Server

from barrack_mcp.transports.stdio.connection import Connection, Drain
from tests.support.patience import PATIENT_S

ENVELOPE: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
INITIALIZE: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "t", "version": "1"},
}


def request(ident: Any, method: str, **params: Any) -> dict[str, Any]:
    """A request of the older era."""
    return {"jsonrpc": "2.0", "id": ident, "method": method, "params": params}


def modern(ident: Any, method: str, **params: Any) -> dict[str, Any]:
    """A request of the newer era."""
    return request(ident, method, **params, _meta=ENVELOPE)


def line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


@dataclass
class Talk:
    """What goes to a server and comes from it."""

    send: Callable[[bytes], Awaitable[None]]
    _answers: dict[Any, list[dict[str, Any]]] = field(default_factory=dict)
    _asked: list[dict[str, Any]] = field(default_factory=list)
    _came: anyio.Event = field(default_factory=anyio.Event)
    frames: int = 0
    log: bytes = b""

    async def say(self, *messages: dict[str, Any]) -> None:
        await self.send(b"".join(line(message) for message in messages))

    async def answer(self, ident: Any) -> dict[str, Any]:
        """Wait for the next answer under an id."""
        with anyio.fail_after(PATIENT_S):
            while not self._answers.get(ident):
                await self._came.wait()
        return self._answers[ident].pop(0)

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        await self.say(message)
        return await self.answer(message["id"])

    async def next(self, method: str) -> dict[str, Any]:
        """Wait for the server's own next request of a kind."""
        with anyio.fail_after(PATIENT_S):
            while not (found := [message for message in self._asked if message["method"] == method]):
                await self._came.wait()
        self._asked.remove(found[0])
        return found[0]

    def answered(self) -> set[Any]:
        """The ids under which answers have come."""
        return set(self._answers)

    def take(self, frame: bytes) -> None:
        answer = json.loads(frame)
        assert answer["jsonrpc"] == "2.0"
        self.frames += 1
        if "method" in answer:
            self._asked.append(answer)
        else:
            self._answers.setdefault(answer["id"], []).append(answer)
        self._came.set()
        self._came = anyio.Event()


async def _heard(talk: Talk, chunks: AsyncIterator[bytes]) -> None:
    kept = b""
    async for chunk in chunks:
        *ended, kept = (kept + chunk).split(b"\n")
        for frame in ended:
            talk.take(frame)
    assert kept == b"", "the last frame is torn"


@dataclass
class Here:
    """A connection served in this process."""

    talk: Talk
    connection: Connection
    incoming: int
    ended: anyio.Event

    def hang_up(self) -> None:
        """End what it reads."""
        os.close(self.incoming)


@asynccontextmanager
async def here(
    server: Server[Any], *, drain: Drain | None = None, drain_seconds: float = PATIENT_S, blocking: bool = True
) -> AsyncIterator[Here]:
    """Serve in this process, over two pipes. Whoever uses it ends it."""
    incoming, to_server = os.pipe()
    from_server, outgoing = os.pipe()
    os.set_blocking(incoming, blocking)
    os.set_blocking(outgoing, blocking)

    async def send(data: bytes) -> None:
        await anyio.to_thread.run_sync(os.write, to_server, data, abandon_on_cancel=True)

    async def chunks() -> AsyncIterator[bytes]:
        while chunk := await anyio.to_thread.run_sync(os.read, from_server, 65_536, abandon_on_cancel=True):
            yield chunk

    talk = Talk(send)
    served = Here(
        talk, Connection(server, incoming, outgoing, drain=drain, drain_seconds=drain_seconds), to_server, anyio.Event()
    )

    async def serve() -> None:
        try:
            await served.connection.serve()
        finally:
            # whatever went wrong, no thread may wait at the other ends for ever
            os.close(outgoing)
            os.close(incoming)
        served.ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        tasks.start_soon(_heard, talk, chunks())
        with anyio.fail_after(PATIENT_S):
            yield served
            await served.ended.wait()
    os.close(from_server)


@asynccontextmanager
async def process(command: Sequence[str], env: Mapping[str, str]) -> AsyncIterator[tuple[Talk, anyio.abc.Process]]:
    """Start a server as a process and talk to it; its stdout must hold nothing but frames."""
    async with (
        await anyio.open_process(command, env=env, stderr=subprocess.PIPE) as started,
        anyio.create_task_group() as tasks,
    ):
        assert started.stdin is not None
        assert started.stdout is not None
        assert started.stderr is not None
        talk = Talk(started.stdin.send)
        tasks.start_soon(_heard, talk, aiter(started.stdout))
        tasks.start_soon(_logged, talk, aiter(started.stderr))
        try:
            yield talk, started
        finally:
            if started.returncode is None:
                started.kill()


async def _logged(talk: Talk, chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        talk.log += chunk
