"""A model that follows a script, behind the four APIs that agents on the command line speak, on this machine alone.

It calls one tool after the other, as the script says, then says that it is done; what it was sent is kept, so that what
a model really sees of the server is read and not guessed. A request that offers none of the script's tools, such as one
for a title, gets a word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Final, Protocol

from typing_extensions import override

Json = dict[str, Any]
Event = tuple[str, Json]
SAYS: Final = "Done."
USAGE: Final = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}


@dataclass(frozen=True)
class Call:
    """One call of a script: a tool as the server names it, and its arguments."""

    tool: str
    arguments: Json


@dataclass(frozen=True)
class Turn:
    """A call as it is told to a client: by which id, and by the client's own name of the tool."""

    id: str
    name: str
    arguments: Json


@dataclass
class Script:
    """What the model does, and what it was sent.

    Args:
        calls: What it calls, in order.
        offered: The longest list of tools that it was offered, by the client's names.
        results: What it was sent as the results of its calls.
    """

    calls: Sequence[Call]
    offered: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def next_turn(self, offered: list[str], results: list[str]) -> Turn | None:
        """Keep what was sent, and answer what is called next; None if there is nothing more to call."""
        with self.lock:
            self.offered = max(self.offered, offered, key=len)
            self.results = max(self.results, results, key=len)
        if len(results) >= len(self.calls):
            return None
        call = self.calls[len(results)]
        name = named(call.tool, offered)
        return Turn(f"call_{len(results)}", name, call.arguments) if name else None


def named(tool: str, names: Sequence[str]) -> str | None:
    """Find a tool among the client's names, which put the server's in front of it."""
    return next((name for name in names if name == tool or name.endswith(("_" + tool, "-" + tool, "/" + tool))), None)


class Api(Protocol):
    """How one API says what is offered and what came of the calls, and how it is answered."""

    def offered(self, body: Json) -> list[str]:
        """The names of the tools."""

    def results(self, body: Json) -> list[str]:
        """What came of the calls, in their order."""

    def events(self, turn: Turn | None) -> Iterator[Event]:
        """The answer, event by event."""


def _text(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content)


class Messages(Api):
    """Anthropic's Messages."""

    @override
    def offered(self, body: Json) -> list[str]:
        return [tool["name"] for tool in body.get("tools", [])]

    @override
    def results(self, body: Json) -> list[str]:
        said = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
        return [_text(part.get("content")) for parts in said for part in parts if part["type"] == "tool_result"]

    @override
    def events(self, turn: Turn | None) -> Iterator[Event]:
        start: Json = {"type": "text", "text": ""}
        delta: Json = {"type": "text_delta", "text": SAYS}
        if turn is not None:
            start = {"type": "tool_use", "id": turn.id, "name": turn.name, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(turn.arguments)}
        message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": USAGE}
        stop = {"stop_reason": "tool_use" if turn else "end_turn", "stop_sequence": None}
        for event in (
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": start},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stop, "usage": USAGE},
            {"type": "message_stop"},
        ):
            yield str(event["type"]), event


class Responses(Api):
    """OpenAI's Responses; the tools of a server may stand in a namespace of their own."""

    @override
    def offered(self, body: Json) -> list[str]:
        found = []
        for tool in body.get("tools", []):
            found += [f"{tool['name']}/{each['name']}" for each in tool.get("tools", [])] or [tool.get("name", "")]
        return found

    @override
    def results(self, body: Json) -> list[str]:
        items = body["input"] if isinstance(body["input"], list) else []
        return [_text(item["output"]) for item in items if item.get("type") == "function_call_output"]

    @override
    def events(self, turn: Turn | None) -> Iterator[Event]:
        part = {"type": "output_text", "text": SAYS, "annotations": []}
        item: Json = {"type": "message", "id": "i", "role": "assistant", "status": "completed", "content": [part]}
        if turn is not None:
            space, _, name = turn.name.rpartition("/")
            item = {"type": "function_call", "id": "i", "call_id": turn.id, "name": name, "status": "completed"}
            item |= {"arguments": json.dumps(turn.arguments), **({"namespace": space} if space else {})}
        response = {"id": "r", "object": "response", "output": [item], "usage": USAGE, "status": "completed"}
        yield "response.created", {"type": "response.created", "response": {**response, "output": []}}
        yield "response.output_item.done", {"type": "response.output_item.done", "output_index": 0, "item": item}
        yield "response.completed", {"type": "response.completed", "response": response}


class Completions(Api):
    """OpenAI's chat completions."""

    @override
    def offered(self, body: Json) -> list[str]:
        return [tool["function"]["name"] for tool in body.get("tools", [])]

    @override
    def results(self, body: Json) -> list[str]:
        return [_text(message["content"]) for message in body["messages"] if message["role"] == "tool"]

    @override
    def events(self, turn: Turn | None) -> Iterator[Event]:
        delta: Json = {"role": "assistant", "content": SAYS}
        if turn is not None:
            function = {"name": turn.name, "arguments": json.dumps(turn.arguments)}
            call = {"index": 0, "id": turn.id, "type": "function", "function": function}
            delta = {"role": "assistant", "content": None, "tool_calls": [call]}
        end = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if turn else "stop"}
        same = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
        yield "", {**same, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        yield "", {**same, "choices": [end], "usage": usage}


class Gemini(Api):
    """Google's Gemini."""

    @override
    def offered(self, body: Json) -> list[str]:
        return [each["name"] for tool in body.get("tools", []) for each in tool.get("functionDeclarations", [])]

    @override
    def results(self, body: Json) -> list[str]:
        parts = [part for content in body["contents"] for part in content.get("parts", [])]
        return [_text(part["functionResponse"]["response"]) for part in parts if "functionResponse" in part]

    @override
    def events(self, turn: Turn | None) -> Iterator[Event]:
        part: Json = {"text": SAYS}
        if turn is not None:
            part = {"functionCall": {"id": turn.id, "name": turn.name, "args": turn.arguments}}
        content = {"role": "model", "parts": [part]}
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        yield "", {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage}


APIS: Final[Mapping[str, Api]] = {
    "/messages": Messages(),
    "/responses": Responses(),
    "/chat/completions": Completions(),
    "GenerateContent": Gemini(),
}
"""Each API, by how the paths end at which it is asked."""


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """Serve a model that follows the script; answers its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send("application/json", b'{"object": "list", "data": [], "models": []}')

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
            path = self.path.partition("?")[0]
            api = next((each for end, each in APIS.items() if path.endswith(end)), None)
            if api is None:
                self._send("application/json", b'{"input_tokens": 1, "totalTokens": 1}')
                return
            events = api.events(script.next_turn(api.offered(body), api.results(body)))
            lines = [f"event: {name}\n" * bool(name) + f"data: {json.dumps(data)}\n\n" for name, data in events]
            end = "data: [DONE]\n\n" if isinstance(api, Completions) else ""
            self._send("text/event-stream", ("".join(lines) + end).encode())

        def _send(self, kind: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
