"""The catalogue as MCP tools: what is listed, and two thin handlers."""

from __future__ import annotations

import getpass
import hashlib
import logging
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskGroup
from mcp import MCPError
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import SecretStr

from barrack_mcp import __version__, resources
from barrack_mcp.api import webhook
from barrack_mcp.api.client import open_client
from barrack_mcp.audit import Audit, AuditError
from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation, Risk
from barrack_mcp.catalogue.schema import answer_schema, arguments_schema
from barrack_mcp.config import Settings
from barrack_mcp.dialect import open_contract, place
from barrack_mcp.dispatch import Answer, Dispatcher, UnknownToolError, reader
from barrack_mcp.drift import Drifts
from barrack_mcp.guard.ask import Asked, Asker
from barrack_mcp.guard.decide import Mode
from barrack_mcp.guard.guard import Caller, Guard, Policy
from barrack_mcp.guard.opening import open_page, open_state
from barrack_mcp.keyfile import KeyFolder
from barrack_mcp.ledger import Ledger
from barrack_mcp.outcome import Outcome
from barrack_mcp.store import Approval
from barrack_mcp.writing import Writer, witness

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
_SEAL_OUTLASTS_S: Final = 60.0
_LOCAL_USER: Final = f"local:{os.getuid() if hasattr(os, 'getuid') else getpass.getuser()}"
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


def create_server(dispatcher: Dispatcher, *, security: RequestStateSecurity | None = None) -> Server[Any]:
    """Put a dispatcher behind the protocol; both eras, one object.

    Args:
        dispatcher: What runs the calls.
        security: What seals questions that travel with a call; without it, keys of this process alone.
    """

    async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[tool_of(operation) for operation in dispatcher.surface.values()])

    async def call_tool(
        context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        caller = Caller(_LOCAL_USER, Asker(context, params))
        try:
            answer = await dispatcher.call(params.name, params.arguments or {}, caller)
            return answer.result if isinstance(answer, Asked) else _result(answer)
        except UnknownToolError:
            raise MCPError(code=INVALID_PARAMS, message="Unknown tool; tools/list names those on offer.") from None
        except Exception:  # noqa: BLE001 - logged, and answered without its text
            return _result(_crashed(dispatcher.surface[params.name]))

    def input_schema(name: str) -> Mapping[str, Any] | None:
        operation = dispatcher.surface.get(name)
        return tool_of(operation).input_schema if operation else None

    server: Server[Any] = Server(
        NAME,
        version=__version__,
        title="Barrack AI GPU cloud",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=input_schema,
        **resources.handlers(dispatcher, lambda _: Caller(_LOCAL_USER)),
        cache_hints=dict.fromkeys(("tools/list", *resources.LISTS), CacheHint(ttl_ms=_LIST_KEPT_MS, scope="private")),
    )
    server.middleware.append(RequestStateBoundary(security or RequestStateSecurity.ephemeral(), default_audience=NAME))
    return server


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


@dataclass(frozen=True)
class House:
    """A server, ready to be put behind a transport.

    Attributes:
        server: Speaks the protocol.
        drain: Lets no more writes begin, and returns when none is under way.
    """

    server: Server[Any]
    drain: Callable[[], Awaitable[None]]


@asynccontextmanager
async def open_server(settings: Settings, *, remote: bool = False) -> AsyncIterator[House]:
    """Wire the house from the settings: client, dispatcher, server; at the end, what was sent is waited for.

    Args:
        settings: What the operator set.
        remote: Whether callers sit elsewhere, so that a file written here is out of their reach.
    """
    app = None
    if settings.simulator:
        from barrack_mcp.simulator import create_app  # noqa: PLC0415 - not needed on a real account, and not small

        app = create_app()
    contract = await open_contract(settings)
    url, auth_header, auth_template = place(settings, contract)
    url = "http://127.0.0.1/api" if app else url
    account = f"{url} {_digest(settings.key)}"
    record = None if settings.audit_file is None or settings.read_only else Audit(settings.audit_file)
    if record is not None:
        await _checked(record)
    async with (
        open_client(
            url=url,
            key=settings.key,
            auth_header="Authorization" if app else auth_header,
            auth_template="Bearer {key}" if app else auth_template,
            seconds=settings.timeout,
            contract=contract,
            app=app,
        ) as client,
        open_state(
            settings.state_file,
            keys=settings.sealing_keys,
            ttl=settings.approval_ttl,
            witness=witness(record) if record is not None else None,
        ) as state,
        open_page(state, settings.state_folder, port=settings.page_port, browser=settings.browser) as show,
        _writes() as tasks,
    ):

        async def on_request(approval: Approval) -> None:
            await show(approval)
            if settings.webhook_url is not None:
                # a chat that is slow keeps nobody waiting
                tasks.start_soon(webhook.post, settings.webhook_url, request_told(approval))

        read = reader(client)
        guard = Guard(
            policy=Policy(
                mode=Mode(settings.approval),
                unattended=frozenset(Risk(risk) for risk in settings.unattended),
                protect=settings.protect,
                max_hourly_cost=settings.max_hourly_cost,
                min_runway_hours=settings.min_runway_hours,
                currency=settings.currency,
                question_seconds=settings.elicit_timeout,
            ),
            approvals=state.approvals,
            read=read,
            secret=state.keys[0].encode(),
            account=account,
            on_request=on_request,
        )
        writer = Writer(
            client=client,
            read=read,
            ledger=Ledger(state.store),
            audit=record,
            account=account,
            api="simulator" if app else str(urlsplit(url).netloc),
            tasks=tasks,
        )
        server = create_server(
            Dispatcher(
                client=client,
                surface={
                    operation.tool: contract.operation(operation)
                    for operation in OPERATIONS
                    if settings.offers(operation)
                },
                guard=guard,
                writer=writer,
                currency=settings.currency,
                key_folder=None if remote else KeyFolder(settings.state_folder / "keys"),
                reveal_private_keys=remote and settings.reveal_private_keys,
                drifts=Drifts(0) if app else Drifts(),
            ),
            # the guard keeps the time limit itself; the seal's own only has to outlast it
            security=RequestStateSecurity(keys=state.keys, ttl=settings.elicit_timeout + _SEAL_OUTLASTS_S),
        )
        yield House(server, writer.drain)


@asynccontextmanager
async def _writes() -> AsyncIterator[TaskGroup]:
    """Run tasks, and wait for them at the end, also where that is an error; the error comes through as it is."""
    raised: Exception | None = None
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except Exception as error:  # noqa: BLE001 - raised below
            raised = error
    if raised is not None:
        raise raised


async def _checked(record: Audit) -> None:
    """See that the record can be written; if not, reads go on and every write is refused until it can."""
    try:
        await record.check()
    except AuditError as error:
        _log.error("%s Nothing is changed until that is mended; reading goes on.", error)


def request_told(approval: Approval) -> str:
    """Say in a chat that somebody is asked for."""
    return (
        f"{approval.plan['summary']} Asked for by {approval.caller}, request {approval.id}. Approve or deny it on the "
        "machine that runs barrack-mcp: on its page, or with barrack-mcp approvals."
    )


def _digest(key: SecretStr | None) -> str:
    return hashlib.sha256(key.get_secret_value().encode()).hexdigest() if key is not None else ""
