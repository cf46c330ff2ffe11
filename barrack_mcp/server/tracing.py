"""Each message of a client under its request's id, and in an OpenTelemetry span of its own.

The SDK brings a middleware for spans that names what the client named, the id of its message, and the text of errors.
A tracer often belongs to somebody else, so here a span says what kind of message it was, which of our tools it called
and what came of it, and nothing else. Where nobody hears of spans none is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import ValidationError

from barrack_mcp.api.client import is_heard
from barrack_mcp.catalogue import OFFERS
from barrack_mcp.state.audit.origin import CARRIED, Origin, coming_from, current, new_id

_tracer: Final = trace.get_tracer("barrack-mcp")

_OTHER: Final = "other"
"""What stands for the name of a method or a tool that there is not: such a name is the client's text."""
_PARENT: Final = ("traceparent", "tracestate")
_LONGEST: Final = 512


class Tracing(ServerMiddleware[Any]):
    """Lets each message run under its request's id and in its span.

    Args:
        is_known: Whether this server answers a method.
    """

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self._is_known = is_known

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Pass a message on."""
        with coming_from(_origin(ctx)):
            # a notification asks for nothing
            seen = ctx.request_id is not None and is_heard()
            return await (self._traced(ctx, call_next) if seen else call_next(ctx))

    async def _traced(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        method = ctx.method if self._is_known(ctx.method) else _OTHER
        name, attributes = method, {"mcp.method.name": method, "mcp.protocol.version": ctx.protocol_version}
        if method == "tools/call":
            called = (ctx.params or {}).get("name")
            tool = called if isinstance(called, str) and called in OFFERS else _OTHER
            name = f"{method} {tool}"
            attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
        with _tracer.start_as_current_span(
            name,
            kind=SpanKind.SERVER,
            attributes=attributes,
            context=_parent(ctx),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                result = await call_next(ctx)
            except Exception as error:
                code = str(error.error.code) if isinstance(error, MCPError) else type(error).__name__
                span.set_attribute("error.type", "invalid_params" if isinstance(error, ValidationError) else code)
                span.set_status(StatusCode.ERROR)
                raise
            match result:
                case CallToolResult(is_error=True) | {"isError": True}:
                    span.set_attribute("error.type", "tool_error")
                    span.set_status(StatusCode.ERROR)
            return result


def _origin(ctx: ServerRequestContext[Any, Any]) -> Origin:
    """Where a message comes from: as its request over HTTP says, else a request of its own."""
    carried = ctx.request.scope.get(CARRIED) if ctx.request is not None else None
    if isinstance(carried, Origin):
        return carried
    return Origin(new_id(), current().transport)


def _parent(ctx: ServerRequestContext[Any, Any]) -> Context | None:
    """The client's own span, as its message or its request says; None if neither does."""
    headers = ctx.request.headers if ctx.request is not None else {}
    said: list[Mapping[str, Any]] = [ctx.meta or {}, headers]
    for each in said:
        carrier = {name: str(value) for name in _PARENT if (value := each.get(name)) and len(str(value)) <= _LONGEST}
        parent = propagate.extract(carrier) if "traceparent" in carrier else None
        if parent is not None and trace.get_current_span(parent).get_span_context().is_valid:
            return parent
    return None
