"""The front door: parses the command line, wires, exits. No logic.

Exit codes: 0 ok, 1 the operation failed, 2 usage or settings, 3 key or permission, 4 unreachable, 5 refused,
6 outcome unknown.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import anyio
import typer

from barrack_mcp import __version__

app = typer.Typer(
    name="barrack-mcp",
    help="MCP server for the Barrack AI GPU cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_USAGE: Final = 2

Simulator = Annotated[bool, typer.Option("--simulator", help="Use the embedded simulator: no account, no network.")]


class Transport(StrEnum):
    """How calls come in."""

    STDIO = "stdio"
    HTTP = "http"
    SSE = "sse"


class Scenario(StrEnum):
    """What the simulator starts with."""

    SMALL = "small"
    LARGE = "large"


def main() -> None:
    """Run the command line."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="barrack-mcp: %(message)s")
    app()


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(f"barrack-mcp {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...


@app.command()
def serve(
    transport: Annotated[Transport, typer.Option(help="How calls come in.")] = Transport.STDIO,
    host: Annotated[str, typer.Option(help="Address to listen on; this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8765,
    toolsets: Annotated[str | None, typer.Option(help="all, core, or toolsets, separated by commas.")] = None,
    tools: Annotated[str | None, typer.Option(help="Single tools, separated by commas.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Offer and run nothing but reads.")] = False,
    simulator: Simulator = False,
) -> None:
    """Serve MCP: over stdio for a client that starts it, or over HTTP or SSE on this machine."""
    from barrack_mcp import transports

    settings = _settings(toolsets=toolsets, tools=tools, read_only=read_only or None, simulator=simulator or None)
    _run(transports.serve, settings, transport.value, host=host, port=port)


@app.command()
def demo() -> None:
    """Show the whole story on the simulator, through a real MCP client; needs no account."""
    from barrack_mcp import demo as story

    raise typer.Exit(_run(story.tell))


@app.command()
def tools(
    as_json: Annotated[bool, typer.Option("--json", help="The tools as an MCP client sees them.")] = False,
) -> None:
    """List the tools that the settings offer."""
    from barrack_mcp import listing

    typer.echo(listing.as_json(_settings()) if as_json else listing.as_table(_settings()))


@app.command()
def call(
    tool: Annotated[str, typer.Argument(help="Name of the tool; `barrack-mcp tools` lists them.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[key=value …]", help="Its arguments.")] = None,
    args: Annotated[
        str | None, typer.Option("--args", metavar="JSON", help="Its arguments as one JSON object.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the structured answer.")] = False,
    simulator: Simulator = False,
) -> None:
    """Call one tool through the same server that a client uses."""
    from barrack_mcp import call as calling

    try:
        given = calling.arguments_of(tool, arguments or [], args)
    except ValueError as error:
        _exit(str(error), _USAGE)
    settings = _settings(simulator=simulator or None)
    answer = _run(calling.call, settings, tool, given)
    typer.echo(json.dumps(answer.structured, ensure_ascii=False, indent=2) if as_json else answer.text)
    raise typer.Exit(answer.exit_code)


@app.command()
def approvals() -> None:
    """List the calls that wait for a person's yes, and the latest answers."""
    from barrack_mcp import approving

    raise typer.Exit(_run(approving.show, _settings()))


@app.command()
def approve(approval_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the request.")]) -> None:
    """Approve one call, once; wants a terminal."""
    from barrack_mcp import approving

    raise typer.Exit(_run(approving.answer, _settings(), approval_id, yes=True))


@app.command()
def deny(approval_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the request.")]) -> None:
    """Deny one call; wants a terminal."""
    from barrack_mcp import approving

    raise typer.Exit(_run(approving.answer, _settings(), approval_id, yes=False))


@app.command()
def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8900,
    speed: Annotated[float, typer.Option(min=0, help="Simulated seconds per real second.")] = 60,
    seed: Annotated[int, typer.Option(help="Same seed, same world.")] = 1,
    scenario: Annotated[Scenario, typer.Option(help="What is there at the start.")] = Scenario.SMALL,
) -> None:
    """Run a fake Barrack as an HTTP server: the API under /api (key: sim-key), its controls under /_sim."""
    from barrack_mcp.simulator import server

    logging.getLogger(__name__).warning(
        "A fake Barrack listens on http://%s:%d; use BARRACK_API_URL=http://%s:%d/api BARRACK_API_KEY=sim-key",
        host,
        port,
        host,
        port,
    )
    try:
        server.serve(host=host, port=port, speed=speed, seed=seed, scenario=scenario.value)
    except OSError as error:
        _exit(f"Port {port} on {host} can't be opened ({error.strerror}); try another --port.", _USAGE)


@app.command()
def manifests(
    write: Annotated[bool, typer.Option("--write", help="Write them anew.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say which are stale; exit 1 if any is.")] = False,
) -> None:
    """Keep the generated files of a checkout in step with the catalogue."""
    from barrack_mcp import manifests as generated

    if write == check:
        _exit("Say either --write or --check.", _USAGE)
    stale = generated.stale(Path.cwd(), write=write)
    for path in stale:
        typer.echo(f"{'written' if write else 'stale'}: {path}")
    raise typer.Exit(1 if check and stale else 0)


def _settings(**flags: Any) -> Any:
    from barrack_mcp.config import SettingsError, read_settings

    try:
        return read_settings(os.environ, flags)
    except SettingsError as error:
        _exit(str(error), _USAGE)


def _run(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    from barrack_mcp.config import SettingsError

    async def main() -> Any:
        return await function(*args, **kwargs)

    try:
        return anyio.run(main)
    except SettingsError as error:
        _exit(str(error), _USAGE)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _exit(sentence: str, code: int) -> NoReturn:
    for line in sentence.splitlines():
        typer.echo(f"barrack-mcp: {line}", err=True)
    raise typer.Exit(code)
