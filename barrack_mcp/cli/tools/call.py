"""One call from a shell, through the same server that an MCP client uses."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer
from mcp import Client, MCPError
from mcp.types import RequestParamsMeta, TextContent
from rich.console import Console

from barrack_mcp.api.errors import Failure
from barrack_mcp.api.text import guess
from barrack_mcp.catalogue import OFFERS, JsonObject
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.cli.process import ExitCode, Simulator, complain, configure, leave, passphrase_hash, run
from barrack_mcp.cli.tools.asking import Asker
from barrack_mcp.cli.tools.bar import Bar
from barrack_mcp.cli.tools.completion import arguments_beginning, tools_beginning
from barrack_mcp.cli.tools.showing import shown
from barrack_mcp.config import Settings, default_key_file
from barrack_mcp.server.house import open_server
from barrack_mcp.server.tools import FAILURE

EXIT_CODES: Final[Mapping[str, ExitCode]] = MappingProxyType(
    {
        "": ExitCode.OK,
        "arguments": ExitCode.USAGE,
        Failure.NO_KEY: ExitCode.KEY,
        Failure.UNAUTHORISED: ExitCode.KEY,
        Failure.UNREACHABLE: ExitCode.UNREACHABLE,
        Failure.SILENT: ExitCode.UNREACHABLE,
        Failure.GATEWAY: ExitCode.UNREACHABLE,
        "refused": ExitCode.REFUSED,
        "approval_required": ExitCode.REFUSED,
        "unknown": ExitCode.UNKNOWN,
    }
)
"""Exit code by kind of failure; for every other kind the operation failed."""

app = typer.Typer()


@app.command()
def call(
    tool: Annotated[
        str,
        typer.Argument(help="Name of the tool; `barrack-mcp tools` lists them.", autocompletion=tools_beginning),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="key=value …", help="Its arguments.", autocompletion=arguments_beginning),
    ] = None,
    args: Annotated[
        str | None, typer.Option("--args", metavar="JSON", help="Its arguments as one JSON object.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the structured answer.")] = False,
    simulator: Simulator = False,
) -> None:
    """Call one tool through the same server that a client uses; at a terminal, the guard asks there.

    For example: barrack-mcp call list_instances status=ACTIVE --simulator
    """
    try:
        given = arguments_of(tool, arguments or [], args)
    except ValueError as error:
        leave(str(error), ExitCode.USAGE)
    answer = run(call_once, configure(simulator=simulator or None), tool, given)
    if as_json:
        typer.echo(json.dumps(answer.structured, ensure_ascii=False, indent=2))
    elif sys.stdout.isatty() and answer.structured:
        more = ["--simulator"] if simulator else []
        typer.echo(shown(tool, answer.structured, width=shutil.get_terminal_size().columns, more=more))
    else:
        typer.echo(answer.text)
    if answer.failure == Failure.NO_KEY:
        complain(_where_keys_are())
    if answer.exit_code is ExitCode.UNREACHABLE:
        complain("`barrack-mcp doctor` finds out what is wrong on the way to the API.")
    raise typer.Exit(answer.exit_code)


@dataclass(frozen=True, slots=True)
class Called:
    """What the shell gets."""

    structured: JsonObject
    text: str
    failure: str = ""
    """The kind of failure; empty if it is none."""

    @property
    def exit_code(self) -> ExitCode:
        """What the shell is told of it."""
        return EXIT_CODES.get(self.failure, ExitCode.FAILED)


def arguments_of(tool: str, pairs: Sequence[str], as_json: str | None) -> JsonObject:
    """Read a tool's arguments from `key=value` pairs over a JSON object.

    A value is text where the tool wants text; else it is JSON, and for arrays also words separated by commas.

    Raises:
        ValueError: One sentence on what is wrong.
    """
    offer = OFFERS.get(tool)
    if offer is None:
        raise ValueError(f"No such tool; {guess(tool, OFFERS, otherwise='`barrack-mcp tools` lists them.')}")
    given: Any = {}
    if as_json is not None:
        try:
            given = json.loads(as_json)
        except ValueError:
            raise ValueError("--args is not JSON.") from None
        if not isinstance(given, dict):
            raise ValueError('--args must be a JSON object, such as {"limit": 5}.')
    properties = arguments_schema(offer.arguments)["properties"]
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            known = ", ".join(properties) or "none"
            raise ValueError(f"Each argument must have the form key=value; {tool} takes: {known}.")
        given[name] = _value(properties.get(name, {}).get("type", "string"), text)
    return dict(given)


def _value(kind: str, text: str) -> Any:
    if kind == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return [word.strip() for word in text.split(",")] if kind == "array" else text


async def call_once(settings: Settings, tool: str, arguments: JsonObject) -> Called:
    """Call one tool and answer what came of it; at a terminal, the guard asks there."""
    # where a passphrase is wanted, the yes is given with `approve`, which asks for it
    at_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    asker = Asker()
    asked = asker.ask if passphrase_hash(settings) is None and at_terminal else None
    async with (
        open_server(settings, at_terminal=asked is not None) as house,
        Client(house.server, elicitation_callback=asked) as client,
    ):
        try:
            with Bar(Console(stderr=True)) as bar:
                async with asker.waiting(unless=lambda: bar.shows) if at_terminal else nullcontext():
                    # in this process nothing else says that somebody hears how it goes on
                    hears: RequestParamsMeta = {"progress_token": tool}
                    result = await client.call_tool(tool, arguments, progress_callback=bar, meta=hears)
        except MCPError as error:
            sentence = f"{_why_not_offered(settings, tool) or error.message} Nothing was sent."
            return Called({"outcome": "refused", "message": sentence}, sentence, "arguments")
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    failure = str((result.meta or {}).get(FAILURE, ""))
    return Called(dict(result.structured_content or {}), text, failure)


def _where_keys_are() -> str:
    """Say how this shell gets at the key that is kept, or how one is kept."""
    with suppress(RuntimeError):
        if (file := default_key_file(Path.home())).is_file():
            return f"Yours is kept; let this shell use it: export BARRACK_API_KEY_FILE={shlex.quote(str(file))}"
    return "`barrack-mcp key` takes one and keeps it."


def _why_not_offered(settings: Settings, tool: str) -> str:
    """Name the setting that leaves a tool out; empty if none does."""
    offer = OFFERS[tool]
    if settings.offers(offer):
        return ""
    if settings.read_only and not offer.reads:
        return "BARRACK_READ_ONLY is on, and this tool changes something."
    name = "BARRACK_TOOLS" if settings.tools and "toolsets" not in settings.model_fields_set else "BARRACK_TOOLSETS"
    return f"{name} leaves this tool out."
