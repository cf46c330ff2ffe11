"""What one call costs, by the way it comes in: in this process, over stdio, over HTTP, in both eras."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from tests.bench.figures import Figure, quantile
from tests.bench.servers import EMPTY, Server
from tests.bench.wire import ERAS, Era, Posts, called, checked, connected, exchanged, listening, piped

BLOCK: Final = 40
"""Calls in one go, before it is the other server's turn."""
_WARM: Final = 30

Ask: TypeAlias = Callable[[], object]


@contextmanager
def over_stdio(server: Server, folder: Path, era: Era) -> Iterator[Ask]:
    """Answer what makes one call over stdio."""
    with piped(server, folder, era) as (_, pipe):
        pipe.greet()
        yield lambda: pipe.ask("tools/call", called(server))


@contextmanager
def over_http(server: Server, folder: Path, era: Era) -> Iterator[Ask]:
    """Answer what makes one call over HTTP, at a connection that stays open."""
    with listening(server, folder) as (_, port), connected(port) as connection:
        posts = Posts(port, era)
        posts.greet(connection)
        request = posts.request("tools/call", called(server))
        yield lambda: checked(exchanged(connection, request)[1])


WAYS: Final = {"stdio": over_stdio, "http": over_http}


def measured(
    servers: Sequence[Server], folder: Path, rounds: int, ways: Sequence[str] = tuple(WAYS), eras: Sequence[Era] = ERAS
) -> list[Figure]:
    """Call servers in turns: a block of calls each, so many rounds.

    Args:
        servers: Which; those that can't be called are passed over.
        folder: Where their states may lie.
        rounds: How many blocks each.
        ways: Over which transports.
        eras: In which eras of the protocol.
    """
    found = []
    asked = [server for server in servers if server.tool]
    for way in ways:
        for era in eras:
            middle: dict[str, list[float]] = {server.name: [] for server in asked}
            slow: dict[str, list[float]] = {server.name: [] for server in asked}
            with ExitStack() as open_ones:
                asks = {
                    server.name: open_ones.enter_context(WAYS[way](server, folder / server.name, era))
                    for server in asked
                    if way == "stdio" or server.http
                }
                for ask in asks.values():
                    timed(ask, _WARM)
                for _ in range(rounds):
                    for name, ask in asks.items():
                        block = timed(ask, BLOCK)
                        middle[name].append(quantile(block, 0.5))
                        slow[name].append(quantile(block, 0.99))
            kept = [{name: values for name, values in each.items() if values} for each in (middle, slow)]
            words = f"one call over {way}, {era} era"
            found += [
                Figure(f"call_{way}_{era}", words, "µs", kept[0], EMPTY.name),
                Figure(f"call_{way}_{era}_p99", f"{words}, the slowest in a hundred", "µs", kept[1], EMPTY.name),
            ]
    return found


def timed(ask: Ask, calls: int) -> list[float]:
    """Make so many calls; answers the microseconds of each."""
    found = []
    for _ in range(calls):
        begun = time.perf_counter_ns()
        ask()
        found.append((time.perf_counter_ns() - begun) / 1000)
    return found


def in_process(rounds: int, folder: Path) -> Figure:
    """Let pyperf measure calls that go by no pipe and no socket, each server in a process of its own, in turns."""
    values: dict[str, list[float]] = {}
    for number in range(rounds):
        for name in ("barrack-mcp", EMPTY.name):
            out = folder / f"in-process-{name.split()[0]}-{number}.json"
            script = [sys.executable, "-m", "tests.bench.in_process", f"--server={name}", f"--output={out}", "--quiet"]
            amount = ["--processes=1", "--values=3", "--warmups=1", "--loops=200"]
            subprocess.run([*script, *amount], check=True, stdout=subprocess.DEVNULL)
            (benchmark,) = json.loads(out.read_text(encoding="utf-8"))["benchmarks"]
            runs = [value for run in benchmark["runs"] for value in run.get("values", [])]
            values.setdefault(name, []).append(quantile(runs, 0.5) * 1e6)
    return Figure("call_in_process", "one call within the process", "µs", values, EMPTY.name)
