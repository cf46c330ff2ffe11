"""Real things to test against: the product as a real process, a simulator on a real socket."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from barrack_mcp.simulator.server import listening

__all__ = ["EVERY_RISK", "KEY", "environment", "listening", "product"]

KEY = "sim-key.canary-90b7e2"
"""The simulator's key, with an end by which it is known wherever it turns up."""
STATES = tempfile.TemporaryDirectory(prefix="barrack-mcp-tests-")
"""Where the product processes of a run keep their states; gone when the run ends."""
EVERY_RISK = "change,spend,interrupt,expose,destroy"


def environment(**settings: str) -> dict[str, str]:
    """The environment of a product process: nothing of ours but what is given, and a state of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BARRACK_")}
    return kept | {"BARRACK_STATE": f"{tempfile.mkdtemp(dir=STATES.name)}/state.db"} | settings


@asynccontextmanager
async def product(*flags: str, settings: Mapping[str, str], mode: str = "auto", **client: Any) -> AsyncIterator[Client]:
    """Start `barrack-mcp serve` as a process and connect a real client to it over stdio."""
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "barrack_mcp", "serve", *flags], env=environment(**settings)
    )
    with open(os.devnull, "w", encoding="utf-8") as log:  # noqa: ASYNC230, PTH123 - the null device doesn't block
        async with Client(stdio_client(parameters, errlog=log), mode=mode, **client) as connected:
            yield connected
