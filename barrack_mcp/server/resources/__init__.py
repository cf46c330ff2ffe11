"""Resources, prompts and their completion: what a person attaches or picks, beside the tools that a model calls."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias, TypedDict

from mcp.server.context import ServerRequestContext
from mcp.types import (
    CompleteRequestParams,
    CompleteResult,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)

from barrack_mcp.catalogue import Offer
from barrack_mcp.dispatch.dispatcher import Dispatcher
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.server import prompts
from barrack_mcp.server.resources import pages
from barrack_mcp.server.resources.completion import Completer
from barrack_mcp.server.resources.reading import Reads

Context: TypeAlias = ServerRequestContext[Any, Any]
Cursor: TypeAlias = PaginatedRequestParams | None

LISTS: Final = ("resources/list", "resources/templates/list", "prompts/list")
"""The methods whose answer stays the same for a process's life."""


class Handlers(TypedDict):
    """What the protocol's server is built with."""

    on_list_resources: Callable[[Context, Cursor], Awaitable[ListResourcesResult]]
    on_list_resource_templates: Callable[[Context, Cursor], Awaitable[ListResourceTemplatesResult]]
    on_read_resource: Callable[[Context, ReadResourceRequestParams], Awaitable[ReadResourceResult]]
    on_list_prompts: Callable[[Context, Cursor], Awaitable[ListPromptsResult]]
    on_get_prompt: Callable[[Context, GetPromptRequestParams], Awaitable[GetPromptResult]]
    on_completion: Callable[[Context, CompleteRequestParams], Awaitable[CompleteResult]]


def handlers(
    dispatcher: Dispatcher, caller_of: Callable[[Context], Caller], *, now: Callable[[], float] = time.monotonic
) -> Handlers:
    """Make the handlers of resources, prompts and completion.

    Args:
        dispatcher: What runs the reads; its surface decides what is listed.
        caller_of: Finds who makes a request, and for which account.
        now: A clock that only goes forward, in seconds.
    """
    completer = Completer(now)

    def offered(context: Context) -> Mapping[str, Offer]:
        return dispatcher.surface_of(caller_of(context))

    async def list_resources(context: Context, _: Cursor) -> ListResourcesResult:
        return ListResourcesResult(resources=pages.listed(offered(context)))

    async def list_resource_templates(context: Context, _: Cursor) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=pages.templates(offered(context)))

    async def read_resource(context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        return await pages.read(Reads(dispatcher, caller_of(context)), params.uri, context.protocol_version)

    async def list_prompts(context: Context, _: Cursor) -> ListPromptsResult:
        return ListPromptsResult(prompts=prompts.list_prompts(offered(context)))

    async def get_prompt(context: Context, params: GetPromptRequestParams) -> GetPromptResult:
        return prompts.get_prompt(params.name, params.arguments or {}, offered(context))

    async def complete(context: Context, params: CompleteRequestParams) -> CompleteResult:
        return CompleteResult(completion=await completer.complete(Reads(dispatcher, caller_of(context)), params))

    return Handlers(
        on_list_resources=list_resources,
        on_list_resource_templates=list_resource_templates,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
    )
