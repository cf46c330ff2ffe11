"""From the start of a process to its list of tools and to its first answer, and the memory that it has by then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure
from tests.bench.servers import EMPTY, Server
from tests.bench.wire import called, piped

CALLS: Final = 200
"""Calls after which memory is looked at again."""


def measured(servers: Sequence[Server], folder: Path, rounds: int, *, calls: int = CALLS) -> list[Figure]:
    """Start servers in turns.

    Args:
        servers: Which.
        folder: Where their states may lie.
        rounds: How often each, after a first time in which what can be compiled is.
        calls: After how many calls memory is looked at again.
    """
    first_list: dict[str, list[float]] = {server.name: [] for server in servers}
    callable_ = [server for server in servers if server.tool]
    first_answer: dict[str, list[float]] = {server.name: [] for server in callable_}
    started: dict[str, list[float]] = {server.name: [] for server in servers}
    called_often: dict[str, list[float]] = {server.name: [] for server in callable_}
    for number in range(rounds + 1):
        for server in servers:
            with piped(server, folder) as (process, pipe):
                pipe.ask("tools/list")
                listed = time.perf_counter() - process.begun
                if server.tool:
                    pipe.ask("tools/call", called(server))
                answered = time.perf_counter() - process.begun
                memory = process.resident_mb
                if not number:
                    continue
                first_list[server.name].append(listed)
                started[server.name].append(memory)
                if server.tool:
                    first_answer[server.name].append(answered)
                    for _ in range(calls):
                        pipe.ask("tools/call", called(server))
                    called_often[server.name].append(process.resident_mb)
    base = EMPTY.name
    return [
        Figure("first_list", "from the start of the process to the first list of tools", "s", first_list, base),
        Figure("first_answer", "from the start of the process to the first answer of a read", "s", first_answer, base),
        Figure("memory", "memory after the first list and answer", "MB", started, base),
        Figure("memory_after_calls", f"memory after {calls} calls more", "MB", called_often, base),
    ]
