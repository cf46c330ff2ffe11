"""One call from a shell, through the same server that an MCP client uses."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final

import anyio.to_thread
import typer
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent

from barrack_mcp.api.errors import Failure
from barrack_mcp.api.text import guess
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.cli.process import ExitCode, Simulator, configure, forget_typed_ahead, leave, passphrase_hash, run
from barrack_mcp.config import Settings
from barrack_mcp.server.house import open_server
from barrack_mcp.server.tools import FAILURE

EXIT_CODES: Final[Mapping[str, ExitCode]] = MappingProxyType(
    {
        "": ExitCode.OK,
        "arguments": ExitCode.USAGE,
        Failure.NO_KEY: ExitCode.KEY,
        Failure.UNAUTHORISED: ExitCode.KEY,
        Failure.UNREACHABLE: ExitCode.UNREACHABLE,
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
    tool: Annotated[str, typer.Argument(help="Name of the tool; `barrack-mcp tools` lists them.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[key=value …]", help="Its arguments.")] = None,
    args: Annotated[
        str | None, typer.Option("--args", metavar="JSON", help="Its arguments as one JSON object.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the structured answer.")] = False,
    simulator: Simulator = False,
) -> None:
    """Call one tool through the same server that a client uses."""
    try:
        given = arguments_of(tool, arguments or [], args)
    except ValueError as error:
        leave(str(error), ExitCode.USAGE)
    answer = run(call_once, configure(simulator=simulator or None), tool, given)
    typer.echo(json.dumps(answer.structured, ensure_ascii=False, indent=2) if as_json else answer.text)
    raise typer.Exit(answer.exit_code)


@dataclass(frozen=True, slots=True)
class Called:
    """What the shell gets."""

    structured: JsonObject
    text: str
    exit_code: ExitCode


def arguments_of(tool: str, pairs: Sequence[str], as_json: str | None) -> JsonObject:
    """Read a tool's arguments from `key=value` pairs over a JSON object.

    A value is text where the tool wants text; else it is JSON, and for arrays also words separated by commas.

    Raises:
        ValueError: One sentence on what is wrong.
    """
    operation = BY_TOOL.get(tool)
    if operation is None:
        raise ValueError(f"No such tool; {guess(tool, BY_TOOL, otherwise='`barrack-mcp tools` lists them.')}")
    given: Any = {}
    if as_json is not None:
        try:
            given = json.loads(as_json)
        except ValueError:
            raise ValueError("--args is not JSON.") from None
        if not isinstance(given, dict):
            raise ValueError('--args must be a JSON object, such as {"limit": 5}.')
    properties = arguments_schema(operation.arguments)["properties"]
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError("Each argument must have the form key=value.")
        given[name] = _value(properties.get(name, {}).get("type", "string"), text)
    return dict(given)


def _value(kind: str, text: str) -> Any:
    if kind == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return [word.strip() for word in text.split(",")] if kind == "array" else text


async def asking(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001 - the SDK passes it
    """Put the guard's question to the person at the terminal; an empty line is a no."""
    if not isinstance(params, ElicitRequestFormParams):
        return ElicitResult(action="cancel")
    typed_name = "name" in params.requested_schema["properties"]
    try:
        said = await anyio.to_thread.run_sync(answered_at_terminal, params.message, typed_name, abandon_on_cancel=True)
    except EOFError:
        return ElicitResult(action="cancel")
    if not said:
        return ElicitResult(action="decline")
    return ElicitResult(action="accept", content={"name": said} if typed_name else {"approve": said == "yes"})


def answered_at_terminal(question: str, typed_name: bool) -> str:  # noqa: FBT001 - passed by position to a thread
    """Show a question on stderr and read the answer; «yes» where no name has to be typed."""
    forget_typed_ahead()
    sys.stderr.write(f"{question}\n{'Name' if typed_name else 'yes or no'}: ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    said = line.rstrip("\r\n")
    if typed_name:
        return said
    return "yes" if said.strip().lower() in ("y", "yes") else ""


async def call_once(settings: Settings, tool: str, arguments: JsonObject) -> Called:
    """Call one tool and answer what came of it; at a terminal, the guard asks there."""
    # where a passphrase is wanted, the yes is given with `approve`, which asks for it
    asked = asking if passphrase_hash(settings) is None and sys.stdin.isatty() and sys.stderr.isatty() else None
    async with open_server(settings) as house, Client(house.server, elicitation_callback=asked) as client:
        try:
            result = await client.call_tool(tool, arguments)
        except MCPError as error:
            sentence = "The settings don't offer this tool (read-only, toolsets or tools)."
            return Called({"outcome": "refused", "message": sentence}, f"{sentence} {error.message}", ExitCode.USAGE)
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    failure = str((result.meta or {}).get(FAILURE, ""))
    return Called(dict(result.structured_content or {}), text, EXIT_CODES.get(failure, ExitCode.FAILED))
