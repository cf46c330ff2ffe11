"""What leaves in the path: a segment a placeholder, whatever the caller says."""

from __future__ import annotations

import contextlib
import re
from typing import Any
from urllib.parse import quote

import anyio
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.dispatch.arguments.validation import BadArgumentsError, validate
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.answers import Answers, client, json
from tests.support.patience import PATIENT_S

STATE: Any = create_app(now=lambda: 0.0).state.barrack.state()
PLACED = [operation for operation in OPERATIONS if operation.placeholders]
NASTY = (
    "..", ".", "../x", "..%2fx", "%2e%2e", "%2E%2E/", "a/b", "a\\b", "//evil.example/", "https://evil.example/", "?a=b",
    "#a", "a;b", "a b", "a\nb", "a\x00b", "@evil.example", "é", "\u202e", "\u2024\u2024", "\uff0f", "{instance_id}",
    "", " ", "%", "%zz", "x" * 5_000, "billing", "Billing",
)  # fmt: skip

strings = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=80),
    st.text(alphabet="./%\\?#@:;aZ09-_{}", max_size=20),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,70}", fullmatch=True),
)


def string_arguments(operation: Operation) -> list[str]:
    properties = arguments_schema(operation.arguments)["properties"]
    return [name for name, schema in properties.items() if schema["type"] == "string"]


def matches_its_template(operation: Operation, request: httpx2.Request) -> bool:
    template = re.escape(f"/api{operation.path}".encode())
    pattern = re.sub(rb"\\\{[a-z_]+\\\}", rb"[A-Za-z0-9_~.%-]+", template)
    path = request.url.raw_path.split(b"?", 1)[0]
    safe = not {b".", b".."} & set(path.split(b"/"))
    return request.url.host == "barrack.example" and safe and re.fullmatch(pattern, path) is not None


async def sent(operation: Operation, calls: list[JsonObject]) -> list[httpx2.Request]:
    """Send many calls; one that is refused unsent leaves no request."""
    transport = Answers(json({"success": True}))
    api = client(transport)
    with anyio.fail_after(PATIENT_S):
        for arguments in calls:
            try:
                await api.send(operation, arguments)
            except ApiError as error:
                if (error.failure, error.attempts) != (Failure.REJECTED, 0):
                    raise
    return transport.requests


each_operation = pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if string_arguments(each)], ids=lambda operation: operation.tool
)


def many(names: list[str], texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, str]]]:
    changes = st.dictionaries(st.sampled_from(names), texts, min_size=1)
    return st.lists(changes, min_size=1, max_size=20)


@pytest.mark.promise("N1")
@each_operation
@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_text_in_any_argument_stays_in_its_place_or_is_refused_unsent(
    operation: Operation, data: st.DataObject
) -> None:
    good = examples.good(operation, STATE)
    calls: list[JsonObject] = []
    for changed in data.draw(many(string_arguments(operation), strings)):
        with contextlib.suppress(BadArgumentsError):
            calls.append(validate(operation, good | changed))
    requests = anyio.run(sent, operation, calls)
    templates = f"/api{operation.path}".split("/")
    for values, request in zip(calls, requests, strict=True):
        assert matches_its_template(operation, request)
        segments = request.url.raw_path.split(b"?")[0].decode().split("/")
        for template, segment in zip(templates, segments, strict=True):
            assert segment == (quote(str(values[template[1:-1]]), safe="") if template.startswith("{") else template)


@pytest.mark.promise("N1")
@pytest.mark.parametrize("operation", PLACED, ids=lambda operation: operation.tool)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_even_what_was_not_validated_cannot_leave_its_segment(operation: Operation, data: st.DataObject) -> None:
    good = examples.good(operation, STATE)
    changes = data.draw(many(list(operation.placeholders), strings.filter(encodable)))
    requests = anyio.run(sent, operation, [good | changed for changed in changes])
    fit = [changed for changed in changes if not {"", ".", ".."} & set(changed.values())]
    assert len(requests) == len(fit)
    assert all(matches_its_template(operation, request) for request in requests)


def encodable(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)
