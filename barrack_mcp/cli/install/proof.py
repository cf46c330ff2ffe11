"""Starts what a client's file names, as that client would, and counts its tools."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import anyio
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client

from barrack_mcp.api.text import cite
from barrack_mcp.cli.install.installation import literal
from barrack_mcp.server.resources.addresses import SCHEME

_GUIDE: Final = f"{SCHEME}guides/billing"
_SECONDS: Final = 30.0
_SHOWN: Final = 300


@dataclass(frozen=True)
class Proof:
    """Whether the server starts, and what there is to say of it."""

    works: bool
    sentence: str


async def started(entry: Mapping[str, Any], environ: Mapping[str, str]) -> Proof:
    """Start an entry once and ask for its tools; what a client would fill in is taken from this shell.

    Args:
        entry: What a client's file says of the server, in our words.
        environ: The environment of this shell.
    """
    way = StdioServerParameters(
        command=str(entry["command"]), args=[*map(str, entry["args"])], env={**environ, **literal(entry)}
    )
    count = 0
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        try:
            with anyio.fail_after(_SECONDS):
                async with Client(stdio_client(way, errlog=said)) as client:
                    listed = (await client.list_tools()).tools
                    # a list can be known before the settings are; this is read from the server that stands
                    await client.read_resource(_GUIDE)
                count = len(listed)
        except* (MCPError, OSError, TimeoutError, anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass
        said.seek(0)
        last = said.read().strip().rpartition("\n")[2].removeprefix("barrack-mcp: ")
    if not count:
        why = cite(last, limit=_SHOWN) if last else "it said nothing"
        return Proof(works=False, sentence=f"Started once to see, it lists no tools: {why}.")
    return Proof(works=True, sentence=f"Started once to see: it lists {count} tools.")
