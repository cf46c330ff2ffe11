"""What servers for a team take: `python -m tests.bench.sizing`; calls with tokens, one server and two with a Redis.

The clients are locust's, in an environment of its own, on the same machine, so that calls a second say something of
that machine alone. Time and memory of a call are the servers'.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.bench import report
from tests.bench.servers import OURS, environment, python_of
from tests.bench.wire import free_port, listening

HERE: Final = Path(__file__).parents[2]
CLIENTS: Final = (1, 8, 64)
SECONDS: Final = 10
KEYS: Final = "a key of thirty-two bytes or more for a benchmark"


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a Redis that keeps nothing; answers its address."""
    port = free_port()
    command = ("redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        time.sleep(0.5)
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.terminate()


def token(file: Path) -> str:
    """Let a caller in who may read; answers the token."""
    env = environment(OURS, file.parent) | {"BARRACK_HTTP_TOKENS_FILE": str(file)}
    add = (sys.executable, "-m", "barrack_mcp", "callers", "add", "bench", "--risks", "read")
    return subprocess.run(add, env=env, check=True, capture_output=True, text=True).stdout.split()[0]


def pressed(python: Path, folder: Path, servers: list[str], clients: int, shown: str) -> Mapping[str, str]:
    """Let locust's clients call for some seconds; answers its row of sums."""
    out = folder / f"locust-{clients}-{len(servers)}"
    locust = (str(python), "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py")), "--headless")
    amount = ("-u", str(clients), "-r", str(clients), "-t", f"{SECONDS}s", "--csv", str(out), "--only-summary")
    env = os.environ | {"BENCH_SERVERS": " ".join(servers), "BENCH_TOKEN": shown}
    subprocess.run([*locust, *amount], env=env, check=True, capture_output=True)
    with Path(f"{out}_stats.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))[-1]


def rows(folder: Path, python: Path) -> Iterator[str]:
    """Measure one server with a file, then one and two with a Redis."""
    callers = folder / "callers.toml"
    shown = token(callers)
    with ExitStack() as kept:
        address = kept.enter_context(redis(folder)) if shutil.which("redis-server") else ""
        for replicas, state in ((1, ""), (1, address), (2, address)):
            if replicas > 1 and not state:
                continue
            kind = "Redis" if state else "file"
            env = {"BARRACK_HTTP_TOKENS_FILE": str(callers)}
            env |= {"BARRACK_STATE": state, "BARRACK_STATE_KEYS": KEYS} if state else {}
            with ExitStack() as open_ones:
                started = [
                    open_ones.enter_context(listening(replace(OURS, env=env), folder / f"{kind}-{replicas}-{at}"))
                    for at in range(replicas)
                ]
                servers = [f"http://127.0.0.1:{port}" for _, port in started]
                for clients in CLIENTS:
                    before = sum(process.cpu_s for process, _ in started)
                    sums = pressed(python, folder, servers, clients, shown)
                    calls = int(sums["Request Count"])
                    cpu = (sum(process.cpu_s for process, _ in started) - before) / calls * 1000
                    memory = max(process.resident_mb for process, _ in started)
                    told = (replicas, kind, clients, f"{float(sums['Requests/s']):,.0f}", f"{sums['50%']} ms")
                    cost = (f"{sums['99%']} ms", f"{cpu:.2f} ms", f"{memory:.0f} MB", sums["Failure Count"])
                    yield f"| {' | '.join(map(str, (*told, *cost)))} |"


def main() -> None:
    """Measure, print, and with `--write` put the table into docs/performance.md."""
    python = python_of(HERE / ".bench" / "locust", "locust==2.47.0", "locust")
    if python is None:
        raise SystemExit("locust could not be installed")
    head = "| servers | state | clients | calls/s | median | slowest in 100 | processor a call | memory | failed |"
    with tempfile.TemporaryDirectory(prefix="barrack-mcp-sizing-") as folder:
        table = "\n".join([head, "|---|---|---|---|---|---|---|---|---|", *rows(Path(folder), python)])
    sys.stdout.write(f"{report.machine()}\n\n{table}\n")
    if "--write" in sys.argv[1:]:
        report.put(HERE / "docs" / "performance.md", "sized", table)


if __name__ == "__main__":
    main()
