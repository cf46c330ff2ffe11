"""The tools that the conformance suite calls: plain answers, notifications, and questions in the older era."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import anyio
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, PromptsListChanged, ToolsListChanged
from mcp.shared.message import ServerMessageMetadata
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    CallToolResult,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    MissingRequiredClientCapabilityErrorData,
    SamplingCapability,
    SamplingMessage,
    Tool,
)

from tests.conformance.content import NOTHING, audio, embedded, image, said, strings, text

Context: TypeAlias = ServerRequestContext[Any, Any]
Run: TypeAlias = Callable[[Context, CallToolRequestParams], Awaitable[CallToolResult | InputRequiredResult]]

PAUSE_S: Final = 0.05
"""Between two notifications, as the suite asks."""


@dataclass(frozen=True)
class Fixture:
    """A tool that only the suite calls."""

    name: str
    run: Run
    schema: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    def tool(self) -> Tool:
        return Tool(name=self.name, description=f"A fixture of the suite: {self.name}.", input_schema=dict(self.schema))


def answering(*content: Any, is_error: bool = False) -> Run:
    async def run(_: Context, __: CallToolRequestParams) -> CallToolResult:
        return CallToolResult(content=list(content), is_error=is_error)

    return run


async def logging_thrice(context: Context, _: CallToolRequestParams) -> CallToolResult:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await context.session.send_log_message("info", words, related_request_id=context.request_id)
        await anyio.sleep(PAUSE_S)
    return said("Three messages were logged.")


async def logging_once(context: Context, _: CallToolRequestParams) -> CallToolResult:
    await context.session.send_log_message(
        "info", "A message that was asked for", related_request_id=context.request_id
    )
    return said("A message was logged for whoever asked for it.")


async def with_progress(context: Context, _: CallToolRequestParams) -> CallToolResult:
    for done in (0, 50, 100):
        await context.session.report_progress(done, 100)
        await anyio.sleep(PAUSE_S)
    return said("Done, with progress.")


async def sampling(context: Context, params: CallToolRequestParams) -> CallToolResult:
    prompt = text(str((params.arguments or {})["prompt"]))
    request = CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[SamplingMessage(role="user", content=prompt)], max_tokens=100)
    )
    answer = await context.session.send_request(request, CreateMessageResult, metadata=_related(context))
    return said(f"LLM response: {answer.content}")


async def elicited(context: Context, message: str, schema: Mapping[str, Any]) -> CallToolResult:
    request = ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=dict(schema)))
    answer = await context.session.send_request(request, ElicitResult, metadata=_related(context))
    return said(f"Elicitation completed: action={answer.action}, content={answer.content}")


async def elicitation(context: Context, params: CallToolRequestParams) -> CallToolResult:
    return await elicited(context, str((params.arguments or {})["message"]), strings("username", "email"))


def asking(message: str, schema: Mapping[str, Any]) -> Run:
    async def run(context: Context, _: CallToolRequestParams) -> CallToolResult:
        return await elicited(context, message, schema)

    return run


def _related(context: Context) -> ServerMessageMetadata:
    return ServerMessageMetadata(related_request_id=context.request_id)


async def needing_sampling(context: Context, _: CallToolRequestParams) -> CallToolResult:
    needed = ClientCapabilities(sampling=SamplingCapability())
    if not context.session.check_client_capability(needed):
        data = MissingRequiredClientCapabilityErrorData(required_capabilities=needed)
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="This tool needs sampling.",
            data=data.model_dump(by_alias=True, mode="json", exclude_none=True),
        )
    return said("The client has sampling.")


async def echoing(_: Context, params: CallToolRequestParams) -> CallToolResult:
    return said(str((params.arguments or {}).get("region")))


def changes(bus: InMemorySubscriptionBus) -> tuple[Fixture, ...]:
    """The tools that pretend that a list has changed."""

    async def tools(_: Context, __: CallToolRequestParams) -> CallToolResult:
        await bus.publish(ToolsListChanged())
        return said("Whoever listens for tools was told.")

    async def prompts(_: Context, __: CallToolRequestParams) -> CallToolResult:
        await bus.publish(PromptsListChanged())
        return said("Whoever listens for prompts was told.")

    return Fixture("test_trigger_tool_change", tools), Fixture("test_trigger_prompt_change", prompts)


DEFAULTS: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
    "required": [],
}

_TITLED: Final = [{"const": f"value{n}", "title": f"{word} Option"} for n, word in enumerate(("First", "Second"), 1)]
ENUMS: Final = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": _TITLED},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
    },
    "required": [],
}

WIDE: Final = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
"""A schema with all that the newest revision allows; no schema of the product has any of it."""

HEADED: Final = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    "required": ["region"],
}
"""A schema whose argument is repeated in a header."""

TOOLS: Final = (
    Fixture("test_simple_text", answering(text("This is a simple text response for testing."))),
    Fixture("test_image_content", answering(image())),
    Fixture("test_audio_content", answering(audio())),
    Fixture(
        "test_embedded_resource",
        answering(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")),
    ),
    Fixture(
        "test_multiple_content_types",
        answering(
            text("Multiple content types test:"),
            image(),
            embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ),
    ),
    Fixture(
        "test_error_handling",
        answering(text("This tool intentionally returns an error for testing"), is_error=True),
    ),
    Fixture("test_tool_with_logging", logging_thrice),
    Fixture("test_logging_tool", logging_once),
    Fixture("test_tool_with_progress", with_progress),
    Fixture("test_sampling", sampling, strings("prompt")),
    Fixture("test_elicitation", elicitation, strings("message")),
    Fixture("test_elicitation_sep1034_defaults", asking("Please check these.", DEFAULTS)),
    Fixture("test_elicitation_sep1330_enums", asking("Please choose.", ENUMS)),
    Fixture("test_missing_capability", needing_sampling),
    Fixture("json_schema_2020_12_tool", answering(text("A wide schema.")), WIDE),
    Fixture("test_header", echoing, HEADED),
)
