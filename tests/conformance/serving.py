"""The product's own HTTP application with the conformance suite's fixtures mounted on the same server object.

What is the product's: `open_server` makes the server (name, version, instructions, all tools and their calls, the
guard, the seal of request states, cache hints) and `transports.web.http_app` makes the application (path, Host and
Origin check, sessions, limits, both protocol eras, header checks, `/health`); uvicorn runs with the product's settings.

What is not: the tools, resources, prompts, completions and subscriptions that the suite asks for by name, and which a
server for a GPU cloud has no use for. They are added to the product's server object: each list has the product's own
first, and whatever isn't the suite's is answered by the product as ever. So the suite says that the protocol is served
rightly through our server and our application, not that the product has, say, subscriptions.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    SubscriptionsListenRequestParams,
)

from barrack_mcp.config import read_settings
from barrack_mcp.server.house import open_server
from barrack_mcp.transports.web import http_app
from tests.conformance import pages
from tests.conformance.questions import QUESTIONS
from tests.conformance.tools import TOOLS, Context, changes
from tests.support.listening import listening


def mount(server: Server[Any]) -> None:
    """Put the suite's fixtures beside the product's tools, on the product's server."""
    bus = InMemorySubscriptionBus()
    fixtures = {fixture.name: fixture for fixture in (*TOOLS, *QUESTIONS, *changes(bus))}
    listing, calling = server.get_request_handler("tools/list"), server.get_request_handler("tools/call")
    schema_of = server.get_tool_input_schema
    assert listing is not None
    assert calling is not None
    assert schema_of is not None

    async def list_tools(context: Context, params: PaginatedRequestParams) -> ListToolsResult:
        ours = await listing.handler(context, params)
        assert isinstance(ours, ListToolsResult)
        return ListToolsResult(tools=[*ours.tools, *(fixture.tool() for fixture in fixtures.values())])

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        if params.name in fixtures:
            return await fixtures[params.name].run(context, params)
        answer = await calling.handler(context, params)
        assert isinstance(answer, CallToolResult | InputRequiredResult)
        return answer

    def input_schema(name: str) -> Mapping[str, Any] | None:
        return fixtures[name].schema if name in fixtures else schema_of(name)

    server.add_request_handler("tools/list", PaginatedRequestParams, list_tools)
    server.add_request_handler("tools/call", CallToolRequestParams, call_tool)
    server.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, ListenHandler(bus))
    server.get_tool_input_schema = input_schema
    pages.mount(server)


@asynccontextmanager
async def opened(*, fixtures: bool) -> AsyncIterator[Server[Any]]:
    """Open the product on its embedded simulator, with a state of its own."""
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings({"BARRACK_SIMULATOR": "1", "BARRACK_STATE": f"{folder}/state.db"})
        async with open_server(settings, remote=True) as house:
            if fixtures:
                mount(house.server)
            yield house.server


@asynccontextmanager
async def served(*, fixtures: bool) -> AsyncIterator[str]:
    """Serve the application while the block runs; gives its address, such as `http://127.0.0.1:40123/mcp`."""
    async with opened(fixtures=fixtures) as server, listening(http_app(server)) as url:
        yield f"{url}/mcp"
