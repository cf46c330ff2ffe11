"""How much a client is sent with its list of tools, and how much of that a model is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure
from tests.bench.servers import Server
from tests.bench.wire import piped

_LETTERS_A_TOKEN: Final = 4.26
"""Of such JSON, as the tokenizer o200k_base counts it."""


def measured(servers: Sequence[Server], folder: Path) -> list[Figure]:
    """Ask each for its tools: these figures have no spread."""
    sent: dict[str, list[float]] = {}
    shown: dict[str, list[float]] = {}
    counted: dict[str, list[float]] = {}
    for server in servers:
        with piped(server, folder, "legacy") as (_, pipe):
            pipe.greet()
            answer = pipe.ask("tools/list")
        tools = json.loads(answer)["result"]["tools"]
        prompt = [{name: tool.get(name) for name in ("name", "description", "inputSchema")} for tool in tools]
        size = sum(len(json.dumps(each, ensure_ascii=False, separators=(",", ":"))) for each in prompt)
        sent[server.name] = [len(answer) / 1000]
        shown[server.name] = [size / _LETTERS_A_TOKEN]
        counted[server.name] = [float(len(tools))]
    return [
        Figure("tools", "tools on offer", "tools", counted),
        Figure("list_bytes", "the answer to tools/list", "kB", sent),
        Figure("list_tokens", "what of it a model is shown, about", "tokens", shown),
    ]
