"""Spans: a call and the requests that it makes, with how they ended; nothing of whom and what they are about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from barrack_mcp.api import client as sending
from barrack_mcp.server import tracing
from tests.support import answers
from tests.support.answers import Answers, dispatcher, in_turn
from tests.support.callers import served
from tests.support.house import ERAS
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Zt1RkmvQ3a4vXbJ8mH5v3Jg5y6uQmE7lG0k2u1YtC"
KNOWN = {
    "mcp.method.name",
    "mcp.protocol.version",
    "gen_ai.operation.name",
    "gen_ai.tool.name",
    "barrack_mcp.outcome",
    "error.type",
    "http.request.method",
    "http.request.resend_count",
    "http.response.status_code",
    "url.template",
}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What an operator's exporter would get."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # a process can be given a provider but once
    for module in (tracing, sending):
        monkeypatch.setattr(module, "_tracer", provider.get_tracer("barrack-mcp"))
    yield exporter
    provider.shutdown()


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def trace_of(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}"


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.mark.parametrize("mode", ERAS)
async def test_a_call_is_a_span_with_its_outcome_and_each_request_a_child(
    mode: Any, spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    async with served(tmp_path, {"ada": ()}) as server, server.client("ada", mode=mode) as client:
        await client.call_tool("create_ssh_key", {"name": "k", "public_key": PUBLIC})
        await client.call_tool("create_ssh_key", {"name": "k"})
    done, refused = named(spans, "tools/call create_ssh_key")
    assert told(done)["barrack_mcp.outcome"] == "done"
    assert done.status.status_code is StatusCode.UNSET
    assert told(refused)["barrack_mcp.outcome"] == "refused"
    assert (told(refused)["error.type"], refused.status.status_code) == ("tool_error", StatusCode.ERROR)
    (sent,) = [span for span in spans.get_finished_spans() if span.name.startswith("POST ")]
    context = done.get_span_context()
    assert context is not None
    assert sent.parent is not None
    assert sent.parent.span_id == context.span_id
    assert told(sent)["http.response.status_code"] in (200, 201)
    assert "error.type" not in told(sent)


async def test_each_try_of_a_request_is_a_span_that_says_how_it_failed(spans: InMemorySpanExporter) -> None:
    broken = Answers(in_turn(*(answers.json({"error": "canary"}, status) for status in (503, 503, 400))))
    async with Client(dispatcher(broken).server) as client:
        await client.call_tool("list_regions", {})
    tries = [told(span) for span in spans.get_finished_spans() if span.name.startswith("GET ")]
    assert [each["http.request.resend_count"] for each in tries] == [0, 1, 2]
    assert [each["http.response.status_code"] for each in tries] == [503, 503, 400]
    assert [each["error.type"] for each in tries] == ["broken", "broken", "rejected"]
    (call,) = named(spans, "tools/call list_regions")
    assert told(call)["barrack_mcp.outcome"] == "failed"


@pytest.mark.promise("S1")
async def test_no_span_holds_an_id_a_name_an_argument_a_secret_or_anything_that_the_client_chose(
    spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    async with served(tmp_path, {"ada": ()}) as server:
        token = server.desk.tokens["ada"]
        headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "canary-request"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=PATIENT_S) as http,
            Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client,
        ):
            made: Any = await client.call_tool("create_ssh_key", {"name": "canary-name", "public_key": PUBLIC})
            key_id = str(made.structured_content["result"]["ssh_key"]["id"])
            await client.call_tool("delete_ssh_key", {"key_id": "canary-name"})
            await client.call_tool("get_instance", {"instance_id": "canary-unknown"})
            for name in ("canary-tool", "x" * 300):
                with pytest.raises(MCPError):
                    await client.call_tool(name, {"canary": "argument"})
            with pytest.raises(MCPError):
                await client.read_resource("barrack://canary/uri")
            with pytest.raises(MCPError):
                await client.get_prompt("canary-prompt", {"canary": "argument"})
    finished = spans.get_finished_spans()
    assert {name for span in finished for name in told(span)} <= KNOWN
    assert finished
    for span in finished:
        text = json.dumps([span.name, told(span), span.status.description])
        assert not any(secret in text for secret in ("canary", token, PUBLIC[12:40], key_id, '"ada"', "x" * 65)), text
    assert [event for span in finished for event in span.events] == []
    assert {span.status.description for span in finished} == {None}
    assert named(spans, "tools/call other")


async def test_a_call_belongs_to_the_trace_of_its_client(spans: InMemorySpanExporter, tmp_path: Path) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    async with served(tmp_path, {"ada": ()}) as server:
        token = server.desk.tokens["ada"]
        for parent in (f"00-{trace_id}-b7ad6b7169203331-01", "no parent", "x" * 5000):
            headers = {"Authorization": f"Bearer {token}", "traceparent": parent}
            async with (
                httpx2.AsyncClient(headers=headers, timeout=PATIENT_S) as http,
                Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client,
            ):
                await client.call_tool("list_regions", {})
    first, *others = named(spans, "tools/call list_regions")
    assert trace_of(first) == trace_id
    assert len(others) == 2
    assert all(trace_of(each) != trace_id for each in others)
