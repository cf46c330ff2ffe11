"""The catalogue as MCP tools: what is listed, and two thin handlers."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

from mcp import MCPError
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from barrack_mcp import __version__
from barrack_mcp.api.client import open_client
from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation, Risk
from barrack_mcp.catalogue.schema import answer_schema, arguments_schema
from barrack_mcp.config import Settings
from barrack_mcp.dispatch import Answer, Dispatcher, UnknownToolError
from barrack_mcp.keyfile import KeyFolder
from barrack_mcp.outcome import Outcome

NAME: Final = "barrack-mcp"
FAILURE: Final = "barrack-mcp/failure"
"""Key in a result's `_meta` that names the kind of failure."""

INSTRUCTIONS: Final = (
    "Tools for the Barrack AI GPU cloud. Machines are billed by the minute from prepaid credits. A stopped (SHUTOFF) "
    "instance costs the full rate; only hibernating or deleting it ends that. Read the state before changing it. "
    "After an outcome «unknown», look with the named tool before trying again. What a tool refuses, tell the user; "
    "don't look for another way."
)

_LIST_KEPT_MS: Final = 3_600_000
_CHANGING: Final = frozenset({Risk.INTERRUPT, Risk.EXPOSE, Risk.DESTROY})

_log = logging.getLogger(__name__)


@cache
def tool_of(operation: Operation) -> Tool:
    """Derive an operation's tool: schemas from its models, hints from its risk."""
    return Tool(
        name=operation.tool,
        title=operation.title,
        description=operation.description,
        input_schema=arguments_schema(operation.arguments),
        output_schema=output_schema(operation),
        annotations=ToolAnnotations(
            title=operation.title,
            read_only_hint=operation.reads,
            destructive_hint=operation.risk in _CHANGING,
            idempotent_hint=operation.idempotent,
            open_world_hint=True,
        ),
    )


def output_schema(operation: Operation) -> JsonObject:
    """Derive what a tool answers: a read the API's data, everything else an outcome with that data in `result`."""
    data = answer_schema(operation.response)
    if operation.reads:
        return data
    outcome = answer_schema(Outcome)
    outcome["properties"]["result"] = data
    return outcome


def create_server(dispatcher: Dispatcher) -> Server[Any]:
    """Put a dispatcher behind the protocol; both eras, one object."""

    async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[tool_of(operation) for operation in dispatcher.surface.values()])

    async def call_tool(_: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        try:
            return _result(await dispatcher.call(params.name, params.arguments or {}))
        except UnknownToolError:
            raise MCPError(code=INVALID_PARAMS, message="Unknown tool; tools/list names those on offer.") from None
        except Exception:  # noqa: BLE001 - logged, and answered without its text
            return _result(_crashed(dispatcher.surface[params.name]))

    def input_schema(name: str) -> Mapping[str, Any] | None:
        operation = dispatcher.surface.get(name)
        return tool_of(operation).input_schema if operation else None

    return Server(
        NAME,
        version=__version__,
        title="Barrack AI GPU cloud",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=input_schema,
        cache_hints={"tools/list": CacheHint(ttl_ms=_LIST_KEPT_MS, scope="private")},
    )


def _result(answer: Answer) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=answer.text)],
        structured_content=answer.structured,
        is_error=answer.is_error,
        _meta={FAILURE: answer.failure} if answer.failure else None,
    )


def _crashed(operation: Operation) -> Answer:
    """Answer an error of our own: an id to find it by, never an exception's text."""
    crash = secrets.token_hex(4)
    _log.exception("internal error %s in %s", crash, operation.tool)
    message = f"Internal error {crash}; the server's log has more."
    if operation.reads:
        return Answer({"outcome": "failed", "message": message}, message, is_error=True, failure="internal")
    message += " Whether it took effect is not known: look before doing it again."
    return Answer({"outcome": "unknown", "message": message}, message, is_error=True, failure="unknown")


@asynccontextmanager
async def open_server(settings: Settings, *, remote: bool = False) -> AsyncIterator[Server[Any]]:
    """Wire the house from the settings: client, dispatcher, server.

    Args:
        settings: What the operator set.
        remote: Whether callers sit elsewhere, so that a file written here is out of their reach.
    """
    app = None
    if settings.simulator:
        from barrack_mcp.simulator import create_app  # noqa: PLC0415 - not needed on a real account, and not small

        app = create_app()
    async with open_client(
        url="http://127.0.0.1/api" if app else settings.api_url,
        key=settings.key,
        auth_header="Authorization" if app else settings.auth_header,
        auth_template="Bearer {key}" if app else settings.auth_template,
        seconds=settings.timeout,
        app=app,
    ) as client:
        yield create_server(
            Dispatcher(
                client=client,
                surface={operation.tool: operation for operation in OPERATIONS if settings.offers(operation)},
                unattended=settings.unattended,
                currency=settings.currency,
                key_folder=None if remote else KeyFolder(settings.state_folder / "keys"),
                reveal_private_keys=remote and settings.reveal_private_keys,
            )
        )
