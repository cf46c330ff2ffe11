"""The resources, prompts, completions and subscriptions of the conformance suite."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mcp import MCPError
from mcp.server.lowlevel import Server
from mcp.types import (
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    ContentBlock,
    ElicitResult,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    PromptReference,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SetLevelRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel

from tests.conformance.content import document, embedded, image, picture, strings, text
from tests.conformance.questions import form, question
from tests.conformance.tools import Context

RESOURCES: Final = {
    "test://static-text": "text/plain",
    "test://static-binary": "image/png",
    "test://watched-resource": "text/plain",
}
TEMPLATE: Final = "test://template/{id}/data"
PROMPTS: Final[dict[str, tuple[str, ...]]] = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}
"""Name and required arguments."""


def mount(server: Server[Any]) -> None:
    """Add the suite's to what the product has; its own stands first and answers all that isn't the suite's."""
    for method, field, fixtures in (
        ("resources/list", "resources", resources()),
        ("resources/templates/list", "resource_templates", templates()),
        ("prompts/list", "prompts", prompts()),
    ):
        server.add_request_handler(method, PaginatedRequestParams, _listing(server, method, field, fixtures))
    server.add_request_handler("resources/read", ReadResourceRequestParams, _reading(server))
    server.add_request_handler("prompts/get", GetPromptRequestParams, _prompting(server))
    server.add_request_handler("completion/complete", CompleteRequestParams, _completing(server))
    server.add_request_handler("resources/subscribe", SubscribeRequestParams, heed)
    server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, heed)
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, heed)


async def heed(_: Context, __: object) -> EmptyResult:
    return EmptyResult()


_EMPTY: Final[dict[str, Callable[[], BaseModel]]] = {
    "resources/list": lambda: ListResourcesResult(resources=[]),
    "resources/templates/list": lambda: ListResourceTemplatesResult(resource_templates=[]),
    "prompts/list": lambda: ListPromptsResult(prompts=[]),
}


def _listing(server: Server[Any], method: str, field: str, fixtures: list[Any]) -> Any:
    ours = server.get_request_handler(method)

    async def listed(context: Context, params: PaginatedRequestParams) -> Any:
        result = await ours.handler(context, params) if ours else _EMPTY[method]()
        assert isinstance(result, BaseModel)
        return result.model_copy(update={field: [*getattr(result, field), *fixtures]})

    return listed


def resources() -> list[Resource]:
    return [
        Resource(uri=uri, name=uri.removeprefix("test://"), description="A fixture of the suite.", mime_type=kind)
        for uri, kind in RESOURCES.items()
    ]


def templates() -> list[ResourceTemplate]:
    return [
        ResourceTemplate(
            uri_template=TEMPLATE, name="template", description="A fixture of the suite.", mime_type="application/json"
        )
    ]


def prompts() -> list[Prompt]:
    return [
        Prompt(
            name=name,
            description="A fixture of the suite.",
            arguments=[PromptArgument(name=argument, description="Anything.", required=True) for argument in arguments],
        )
        for name, arguments in PROMPTS.items()
    ]


def _reading(server: Server[Any]) -> Any:
    ours = server.get_request_handler("resources/read")

    async def read(context: Context, params: ReadResourceRequestParams) -> Any:
        uri = str(params.uri)
        if whole := re.fullmatch(r"test://template/([^/]+)/data", uri):
            body = {"id": whole[1], "templateTest": True, "data": f"Data for ID: {whole[1]}"}
            return ReadResourceResult(contents=[document(uri, "application/json", json.dumps(body))])
        match RESOURCES.get(uri):
            case "image/png":
                return ReadResourceResult(contents=[picture(uri)])
            case "text/plain":
                words = "This is the content of the static text resource."
                return ReadResourceResult(contents=[document(uri, "text/plain", words)])
        if ours is None:
            raise MCPError(code=INVALID_PARAMS, message="Resource not found", data={"uri": uri})
        return await ours.handler(context, params)

    return read


def _prompting(server: Server[Any]) -> Any:
    ours = server.get_request_handler("prompts/get")

    async def get(context: Context, params: GetPromptRequestParams) -> Any:
        if params.name not in PROMPTS and ours is not None:
            return await ours.handler(context, params)
        arguments = params.arguments or {}
        if params.name not in PROMPTS or missing(params.name, arguments):
            raise MCPError(code=INVALID_PARAMS, message="Unknown prompt, or an argument is missing.")
        if params.name == "test_input_required_result_prompt":
            given = (params.input_responses or {}).get("user_context")
            if not isinstance(given, ElicitResult) or given.content is None:
                return question({"user_context": form("What context should the prompt use?", strings("context"))})
            return spoken(text(f"The context is {given.content.get('context')}."))
        return spoken(*prompted(params.name, arguments))

    return get


def _completing(server: Server[Any]) -> Any:
    ours = server.get_request_handler("completion/complete")

    async def complete(context: Context, params: CompleteRequestParams) -> Any:
        named = params.ref.name if isinstance(params.ref, PromptReference) else None
        if named not in PROMPTS and ours is not None:
            return await ours.handler(context, params)
        values = [word for word in ("paris", "park", "party", "testing") if word.startswith(params.argument.value)]
        return CompleteResult(completion=Completion(values=values, total=len(values), has_more=False))

    return complete


def missing(name: str, arguments: Mapping[str, str]) -> set[str]:
    return {*PROMPTS[name]} - {*arguments}


def prompted(name: str, arguments: Mapping[str, str]) -> list[ContentBlock]:
    match name:
        case "test_prompt_with_arguments":
            return [text(f"Prompt with arguments: arg1='{arguments['arg1']}', arg2='{arguments['arg2']}'")]
        case "test_prompt_with_embedded_resource":
            words = "Embedded resource content for testing."
            return [
                embedded(arguments["resourceUri"], "text/plain", words),
                text("Please process the embedded resource above."),
            ]
        case "test_prompt_with_image":
            return [image(), text("Please analyze the image above.")]
        case _:
            return [text("This is a simple prompt for testing.")]


def spoken(*content: ContentBlock) -> GetPromptResult:
    return GetPromptResult(messages=[PromptMessage(role="user", content=block) for block in content])
