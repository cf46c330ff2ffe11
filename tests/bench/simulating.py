"""The simulator in a process of its own, so that the API's time is not the server's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.servers import PORT, Server
from tests.bench.wire import listening


@contextmanager
def simulating(folder: Path, scenario: str = "small") -> Iterator[str]:
    """Run it; answers the address of its API."""
    command = (sys.executable, "-m", "barrack_mcp", "simulate", "--scenario", scenario, "--port", PORT)
    with listening(Server("simulator", (), command), folder / "simulator") as (_, port):
        yield f"http://127.0.0.1:{port}/api"
