"""The front door: parses the command line, wires, exits. No logic.

Exit codes: 0 ok, 1 the operation failed, 2 usage or settings, 3 key or permission, 4 unreachable, 5 refused,
6 outcome unknown.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import sys
import time
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

contract_app = typer.Typer(
    name="contract",
    help="How the API is spelled: what we know of it, compared with the vendor's own document, and mended by data.",
    no_args_is_help=True,
)
app.add_typer(contract_app)

_USAGE: Final = 2

Openapi = Annotated[str, typer.Argument(metavar="OPENAPI", help="The API's OpenAPI document: a file or an address.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Simulator = Annotated[bool, typer.Option("--simulator", help="Use the embedded simulator: no account, no network.")]


class Transport(StrEnum):
    """How calls come in."""

    STDIO = "stdio"
    HTTP = "http"
    SSE = "sse"


class Launch(StrEnum):
    """What a client's file names as the server's command."""

    AUTO = "auto"
    UVX = "uvx"
    HERE = "here"


class Scenario(StrEnum):
    """What the simulator starts with."""

    SMALL = "small"
    LARGE = "large"


def main() -> None:
    """Run the command line."""
    # what is loaded at the start stays: looking for garbage in it takes a sixth of the time to the first answer
    gc.disable()
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
    from barrack_mcp.cli import demo as story

    raise typer.Exit(_run(story.tell))


@app.command()
def tools(
    as_json: Annotated[bool, typer.Option("--json", help="The tools as an MCP client sees them.")] = False,
    stats: Annotated[bool, typer.Option("--stats", help="What each surface costs of a model's context.")] = False,
) -> None:
    """List the tools that the settings offer."""
    from barrack_mcp.cli import tools as listing

    if stats:
        typer.echo(listing.as_stats())
        return
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
    from barrack_mcp.cli import call as calling

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
    from barrack_mcp.cli import approvals as approving

    raise typer.Exit(_run(approving.show, _settings()))


@app.command()
def approve(approval_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the request.")]) -> None:
    """Approve one call, once; wants a terminal."""
    from barrack_mcp.cli import approvals as approving

    raise typer.Exit(_run(approving.answer, _settings(), approval_id, yes=True))


@app.command()
def deny(approval_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the request.")]) -> None:
    """Deny one call; wants a terminal."""
    from barrack_mcp.cli import approvals as approving

    raise typer.Exit(_run(approving.answer, _settings(), approval_id, yes=False))


audit_app = typer.Typer(help="The record of what was done: check it, or read its end.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")


@audit_app.command("verify")
def audit_verify() -> None:
    """Check that no line of the record was changed, moved or taken out; exit 1 and say where if one was."""
    from barrack_mcp.cli import audit as recorded

    raise typer.Exit(recorded.verify(_settings()))


@audit_app.command("tail")
def audit_tail(
    count: Annotated[int, typer.Option("-n", "--lines", min=1, max=10_000, help="How many.")] = 20,
) -> None:
    """Show the last calls that were sent, refused or approved, and what came of them."""
    from barrack_mcp.cli import audit as recorded

    raise typer.Exit(recorded.tail(_settings(), count))


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
    _loaded()
    try:
        server.serve(host=host, port=port, speed=speed, seed=seed, scenario=scenario.value)
    except OSError as error:
        _exit(f"Port {port} on {host} can't be opened ({error.strerror}); try another --port.", _USAGE)


@app.command()
def install(
    client: Annotated[
        str, typer.Argument(metavar="claude-desktop|claude-code|vscode|cursor|codex|gemini", help="Whose file.")
    ],
    print_only: Annotated[
        bool, typer.Option("--print", help="Show what belongs into its file; write nothing.")
    ] = False,
    simulator: Annotated[bool, typer.Option("--simulator", help="Let the server run on the simulator.")] = False,
    key_file: Annotated[Path | None, typer.Option(help="The file that holds the key, readable by you only.")] = None,
    launcher: Annotated[
        Launch, typer.Option(help="here: this installation. uvx: the published package. auto: uvx where there is one.")
    ] = Launch.HERE,
) -> None:
    """Put the server into a client's own file; what is in it stays, and the old file is kept beside it."""
    from barrack_mcp.cli import install as installing

    try:
        command = installing.command(
            installing.Launcher(launcher.value),
            uvx=shutil.which("uvx"),
            python=Path(sys.executable),
            platform=sys.platform,
        )
        done = installing.install(
            client,
            print_only=print_only,
            home=Path.home(),
            platform=sys.platform,
            environ=os.environ,
            command=command,
            now=time.time,
            simulator=simulator,
            key_file=key_file,
        )
    except (installing.NoLauncherError, installing.UnknownClientError) as error:
        _exit(str(error), _USAGE)
    except installing.InstallError as error:
        typer.echo(f"barrack-mcp: {error}", err=True)
        typer.echo(error.snippet, nl=False)
        raise typer.Exit(1) from None
    if print_only:
        typer.echo(done.snippet, nl=False)
    for sentence in done.say:
        typer.echo(sentence, err=print_only)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the report there, too: .json, else Markdown.")] = None,
    simulator: Simulator = False,
) -> None:
    """Say what is wrong between here and the API, and how to mend it; sends nothing but GET, never writes."""
    from barrack_mcp.cli.doctor import command

    raise typer.Exit(_run(command.doctor, _settings(simulator=simulator or None), as_json=as_json, out=out))


@contract_app.command("show")
def contract_show(as_json: AsJson = False) -> None:
    """Show every operation's method and path, and what is known of them."""
    from barrack_mcp.cli import contract as contracting

    raise typer.Exit(_run(contracting.show, _settings(), json_wanted=as_json))


@contract_app.command("diff")
def contract_diff(
    openapi: Openapi,
    everything: Annotated[
        bool, typer.Option("--all", help="Each difference by itself, those for information included.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare an OpenAPI document with our catalogue; changes nothing."""
    from barrack_mcp.cli import contract as contracting

    raise typer.Exit(_run(contracting.diff, openapi, everything=everything, json_wanted=as_json))


@contract_app.command("adopt")
def contract_adopt(
    openapi: Openapi,
    out: Annotated[Path | None, typer.Option("--out", help="A new file for the overrides; else stdout.")] = None,
) -> None:
    """Write the overrides that bring our catalogue to an OpenAPI document."""
    from barrack_mcp.cli import contract as contracting

    raise typer.Exit(_run(contracting.adopt, openapi, out=out))


@contract_app.command("export")
def contract_export() -> None:
    """Print our catalogue as an OpenAPI 3.1 document."""
    from barrack_mcp.cli import contract as contracting

    typer.echo(contracting.export(), nl=False)


@app.command()
def manifests(
    write: Annotated[bool, typer.Option("--write", help="Write them anew.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say which are stale; exit 1 if any is.")] = False,
) -> None:
    """Keep the generated files of a checkout in step with the catalogue."""
    from barrack_mcp.cli import manifests as generated

    if write == check:
        _exit("Say either --write or --check.", _USAGE)
    if not Path("pyproject.toml").is_file():
        _exit("There is no pyproject.toml here: run it in a checkout.", _USAGE)
    stale = generated.stale(Path.cwd(), write=write)
    for path in stale:
        typer.echo(f"{'written' if write else 'stale'}: {path}")
    raise typer.Exit(1 if check and stale else 0)


def _settings(**flags: Any) -> Any:
    from barrack_mcp.api.redact import Redaction, protect
    from barrack_mcp.config import SettingsError, read_settings

    try:
        settings = read_settings(os.environ, flags)
    except SettingsError as error:
        _exit(str(error), _USAGE)
    protect(Redaction(settings.key, settings.webhook_url, *settings.state_keys))
    return settings


def _run(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    from barrack_mcp.config import SettingsError

    async def main() -> Any:
        return await function(*args, **kwargs)

    _loaded()

    try:
        return anyio.run(main)
    except SettingsError as error:
        _exit(str(error), _USAGE)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _loaded() -> None:
    """Look for garbage from now on, but never in what has been loaded."""
    gc.freeze()
    gc.enable()


def _exit(sentence: str, code: int) -> NoReturn:
    for line in sentence.splitlines():
        typer.echo(f"barrack-mcp: {line}", err=True)
    raise typer.Exit(code)
