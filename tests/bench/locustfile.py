"""What locust's clients do: each calls a read over and over, at one of the servers, with a token."""

from __future__ import annotations

import itertools
import json
import os

from locust import FastHttpUser, constant, task

_SERVERS = itertools.cycle(os.environ["BENCH_SERVERS"].split())
_HEAD = {
    "authorization": f"Bearer {os.environ['BENCH_TOKEN']}",
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "list_regions",
}
_META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
_BODY = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "list_regions", "arguments": {}, "_meta": _META},
}


class Caller(FastHttpUser):  # type: ignore[misc]  # locust is in an environment of its own
    """A client that never waits."""

    wait_time = constant(0)
    host = "http://127.0.0.1"

    def on_start(self) -> None:
        """Choose a server."""
        self._address = f"{next(_SERVERS)}/mcp"

    @task  # type: ignore[untyped-decorator]  # likewise
    def read(self) -> None:
        """Call once."""
        with self.client.post(
            self._address, data=json.dumps(_BODY), headers=_HEAD, name="read", catch_response=True
        ) as answer:
            if '"isError":false' not in (answer.text or ""):
                answer.failure("no answer")
