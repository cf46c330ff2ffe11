"""Many clients at once over HTTP: calls a second, and the processor's time and the memory that a call takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure
from tests.bench.servers import EMPTY, Server
from tests.bench.wire import Posts, called, checked, connected, is_whole, listening

CLIENTS: Final = (1, 8, 64)


async def pressed(port: int, request: bytes, clients: int, seconds: float) -> int:
    """Let so many clients call for so long, each at a connection of its own; answers how many calls that were."""
    done = 0
    until = time.monotonic() + seconds

    async def call() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < until:
            writer.write(request)
            data = b""
            while not is_whole(data):
                if not (chunk := await reader.read(1 << 18)):
                    break
                data += chunk
            checked(data)
            done += 1
        writer.close()
        await writer.wait_closed()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(call())
    return done


def measured(
    servers: Sequence[Server], folder: Path, rounds: int, *, seconds: float = 1.0, clients: Sequence[int] = CLIENTS
) -> list[Figure]:
    """Press servers in turns.

    Args:
        servers: Which; those that don't listen are passed over.
        folder: Where their states may lie.
        rounds: How often each, with each number of clients.
        seconds: For how long each time.
        clients: How many at once.
    """
    rate: dict[int, dict[str, list[float]]] = {many: {} for many in clients}
    cpu: dict[int, dict[str, list[float]]] = {many: {} for many in clients}
    memory: dict[str, list[float]] = {}
    with ExitStack() as open_ones:
        started = []
        for server in servers:
            if server.http:
                process, port = open_ones.enter_context(listening(server, folder / f"pressed-{server.name}"))
                posts = Posts(port, "modern")
                with connected(port) as connection:
                    posts.greet(connection)
                started.append((server.name, process, port, posts.request("tools/call", called(server))))
        for number in range(rounds + 1):
            for many in clients:
                for name, process, port, request in started:
                    cpu_s, begun = process.cpu_s, time.monotonic()
                    calls = asyncio.run(pressed(port, request, many, seconds if number else seconds / 4))
                    if number:
                        rate[many].setdefault(name, []).append(calls / (time.monotonic() - begun))
                        cpu[many].setdefault(name, []).append((process.cpu_s - cpu_s) / calls * 1e6)
        for name, process, *_ in started:
            memory[name] = [process.resident_mb]
    found = []
    for many in clients:
        who = "1 client" if many == 1 else f"{many} clients at once"
        found += [
            Figure(f"http_{many}", f"calls a second over http, {who}", "calls/s", rate[many], EMPTY.name),
            Figure(
                f"http_{many}_cpu", f"the processor's time for one of these calls, {who}", "µs", cpu[many], EMPTY.name
            ),
        ]
    if len(clients) > 1:
        few, most = clients[0], clients[-1]
        growth = {
            name: [many / one for one, many in zip(cpu[few][name], cpu[most][name], strict=True)] for name in cpu[few]
        }
        words = f"the processor's time for a call of one of {most} clients, by that for a call of one alone"
        found.append(Figure("http_growth", words, "", growth))
    return [*found, Figure("memory_pressed", "memory after that", "MB", memory, EMPTY.name)]
