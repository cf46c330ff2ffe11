"""Serves MCP, for a client that starts this process or for one that connects to it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from barrack_mcp.cli.process import Simulator, configure, run
from barrack_mcp.transports import serve as coming_in

app = typer.Typer()


class Transport(StrEnum):
    """How calls come in."""

    STDIO = "stdio"
    HTTP = "http"
    SSE = "sse"


@app.command()
def serve(
    transport: Annotated[Transport, typer.Option(case_sensitive=False, help="How calls come in.")] = Transport.STDIO,
    host: Annotated[
        str, typer.Option(help="Address to listen on; another than this machine's wants callers and TLS before it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8765,
    toolsets: Annotated[str | None, typer.Option(help="all, core, or toolsets, separated by commas.")] = None,
    tools: Annotated[str | None, typer.Option(help="Single tools, separated by commas.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Offer and run nothing but reads.")] = False,
    reap_every: Annotated[
        int | None,
        typer.Option(min=1, max=10_080, metavar="MINUTES", help="Hibernate what is past its lease, as reap does."),
    ] = None,
    simulator: Simulator = False,
) -> None:
    """Serve MCP: over stdio for a client that starts it, or over HTTP or SSE on this machine."""
    settings = configure(toolsets=toolsets, tools=tools, read_only=read_only or None, simulator=simulator or None)
    run(coming_in.serve, settings, transport.value, host=host, port=port, reap_every=reap_every)
