"""The tools and the prompt of the suite that answer with a question, as revision 2026-07-28 has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
)

from tests.conformance.content import said, strings, text
from tests.conformance.tools import Context, Fixture, Run

_CONFIRM: Final = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}


def form(message: str, schema: Mapping[str, Any]) -> ElicitRequest:
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=dict(schema)))


def prompt(words: str, most: int) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=text(words))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=most))


NAME: Final = form("What is your name?", strings("name"))


def question(requests: dict[str, InputRequest], state: str | None = None) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests, request_state=state)


def answered(given: Mapping[str, Any] | None, requests: Mapping[str, InputRequest]) -> bool:
    """Whether every question has an answer of its kind; anything else that came along is ignored."""
    return all(_fits(request, (given or {}).get(key)) for key, request in requests.items())


def _fits(request: InputRequest, answer: object) -> bool:
    match request:
        case ElicitRequest():
            return isinstance(answer, ElicitResult) and answer.action == "accept" and isinstance(answer.content, dict)
        case CreateMessageRequest():
            return isinstance(answer, CreateMessageResult)
        case _:
            return isinstance(answer, ListRootsResult)


def asking(requests: dict[str, InputRequest], *, state: str | None = None, done: str = "Thank you.") -> Run:
    """Ask until all is answered; with a state, only whoever brings it back has been asked by this."""

    async def run(_: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        if answered(params.input_responses, requests) and params.request_state == state:
            return said(done)
        return question(requests, state)

    return run


async def greeting(_: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
    given = (params.input_responses or {}).get("user_name")
    if not isinstance(given, ElicitResult) or "name" not in (given.content or {}):
        return question({"user_name": NAME})
    return said(f"Hello, {(given.content or {})['name']}!")


async def in_rounds(_: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
    first: dict[str, InputRequest] = {"step1": form("Step 1: What is your name?", strings("name"))}
    second: dict[str, InputRequest] = {"step2": form("Step 2: What is your favorite color?", strings("color"))}
    if params.request_state == "round 2" and answered(params.input_responses, second):
        return said("Two questions, two answers.")
    if params.request_state == "round 1" and answered(params.input_responses, first):
        return question(second, "round 2")
    return question(first, "round 1")


async def for_the_capable(context: Context, _: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
    able = context.session.client_capabilities
    requests: dict[str, InputRequest] = {}
    if able is not None and able.elicitation is not None:
        requests["user_name"] = NAME
    if able is not None and able.sampling is not None:
        requests["greeting"] = prompt("Generate a greeting", 50)
    return question(requests) if requests else said("The client can't be asked anything.")


async def without_a_request(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
    """Ask in the result, where the stream must not carry a request of the server."""
    await context.session.report_progress(0, 1)
    return await greeting(context, params)


QUESTIONS: Final = (
    Fixture("test_input_required_result_elicitation", greeting),
    Fixture(
        "test_input_required_result_sampling",
        asking({"capital_question": prompt("What is the capital of France?", 100)}, done="The model answered."),
    ),
    Fixture(
        "test_input_required_result_list_roots",
        asking({"client_roots": ListRootsRequest()}, done="The roots are known."),
    ),
    Fixture(
        "test_input_required_result_request_state",
        asking({"confirm": form("Please confirm", _CONFIRM)}, state="the first question", done="state-ok"),
    ),
    Fixture(
        "test_input_required_result_tampered_state",
        asking({"confirm": form("Please confirm", _CONFIRM)}, state="what must not be changed"),
    ),
    Fixture(
        "test_input_required_result_multiple_inputs",
        asking(
            {"user_name": NAME, "greeting": prompt("Generate a greeting", 50), "client_roots": ListRootsRequest()},
            state="three questions",
        ),
    ),
    Fixture("test_input_required_result_multi_round", in_rounds),
    Fixture("test_input_required_result_capabilities", for_the_capable),
    Fixture("test_streaming_elicitation", without_a_request),
)
