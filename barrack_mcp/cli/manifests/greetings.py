"""What the house answers at a client's start, recorded byte for byte for `transports/stdio/greeting.py`.

The record holds the release of the `sdk`, `tools` (each with the toolsets it is in, and whether it reads), the names
of `settings` and of `toolsets`, `initialize` by revision, `modern_versions`, and for each era its lists: what stands
before and after the items, and each item with the tools that it needs. `simulated` says whether the simulator's house
answers the same.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCRequest, JSONRPCResponse
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from barrack_mcp.catalogue import OFFERS, JsonObject, Toolset
from barrack_mcp.catalogue.kinds import KINDS
from barrack_mcp.config import NAMES, Settings
from barrack_mcp.server import prompts
from barrack_mcp.server.cards import CARDS
from barrack_mcp.server.house import open_server
from barrack_mcp.server.resources import pages
from barrack_mcp.transports.stdio import frames
from barrack_mcp.transports.stdio.greeting import LEGACY, MODERN

_META: Final = "io.modelcontextprotocol/"
_CLIENT: Final = {"name": "record", "version": "1"}
_LISTS: Final = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""The lists, each with the key under which its items stand."""


def record() -> str:
    """Ask a house everything that clients ask at their start."""
    texts = anyio.run(partial(_answers, simulator=False))
    lists = {
        era: {method: _list(texts[era][method], key) for method, key in _LISTS.items()} for era in (LEGACY, MODERN)
    }
    discovered = texts[MODERN]["server/discover"]
    made = {
        "sdk": ".".join(version("mcp").split(".")[:2]),
        "tools": {
            offer.tool: {
                "reads": offer.reads,
                "toolsets": ["all", offer.toolset, *(["core"] if offer.core else [])],
            }
            for offer in OFFERS.values()
        },
        "toolsets": ["all", "core", *Toolset],
        "settings": sorted(NAMES),
        "simulated": texts == anyio.run(partial(_answers, simulator=True)),
        "initialize": texts["initialize"],
        "modern_versions": list(MODERN_PROTOCOL_VERSIONS),
        LEGACY: lists[LEGACY],
        MODERN: {**lists[MODERN], "server/discover": {"before": discovered, "items": [], "after": ""}},
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


async def _answers(*, simulator: bool) -> dict[str, dict[str, str]]:
    """The text of each answer's result: of `initialize` by revision, and of the rest by era and method."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(simulator=simulator, state=Path(folder) / "state.db", audit=Path(folder) / "audit.jsonl")
        async with open_server(settings) as house:
            initialized = {
                revision: await _said(house.server, [_initialize(revision)]) for revision in HANDSHAKE_PROTOCOL_VERSIONS
            }
            start = _initialize(HANDSHAKE_PROTOCOL_VERSIONS[-1])
            return {
                "initialize": {revision: texts[0] for revision, texts in initialized.items()},
                LEGACY: {method: (await _said(house.server, [start, (method, {})]))[1] for method in _LISTS},
                MODERN: {
                    method: (await _said(house.server, [(method, _MODERN)]))[0]
                    for method in (*_LISTS, "server/discover")
                },
            }


_Request: TypeAlias = tuple[str, JsonObject]
_MODERN: Final = {"_meta": {f"{_META}protocolVersion": MODERN_PROTOCOL_VERSIONS[-1], f"{_META}clientCapabilities": {}}}


def _initialize(revision: str) -> _Request:
    return "initialize", {"protocolVersion": revision, "capabilities": {}, "clientInfo": _CLIENT}


async def _said(server: Server[Any], requests: Sequence[_Request]) -> list[str]:
    """What a server answers to requests, one after the other, as the text of each result."""
    to_server, for_server = anyio.create_memory_object_stream[SessionMessage | Exception]()
    from_server, to_client = anyio.create_memory_object_stream[SessionMessage]()
    texts = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.run, for_server, from_server, server.create_initialization_options())
        for number, (method, params) in enumerate(requests):
            await to_server.send(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=number, method=method, params=params)))
            answer = (await to_client.receive()).message
            if not isinstance(answer, JSONRPCResponse):
                raise TypeError(f"{method} is not answered: {answer}")
            written = (frames.written(answer) or b"").decode()
            texts.append(written.removeprefix(f'{{"jsonrpc":"2.0","id":{number},"result":').removesuffix("}\n"))
        to_server.close()
        to_client.close()
    return texts


def _list(text: str, key: str) -> JsonObject:
    """Take a list's text apart: what stands before and after its items, and each with the tools that it needs."""
    begins = text.index(f'"{key}":[') + len(key) + 4
    items, at = [], begins
    while text[at] != "]":
        item, ends = json.JSONDecoder().raw_decode(text, at)
        items.append({"needs": _NEEDS[key](item), "text": text[at:ends]})
        at = ends + (text[ends] == ",")
    return {"before": text[:begins], "items": items, "after": text[at:]}


_NEEDS: Final[dict[str, Callable[[Any], list[str]]]] = {
    "tools": lambda item: [item["name"]],
    "prompts": lambda item: list(prompts.BY_NAME[item["name"]].needs),
    "resources": lambda item: [
        *(page.needs.tool for page in pages.PAGES if page.resource.uri == item["uri"]),
        *(card.tool for card in CARDS if card.uri == item["uri"]),
    ],
    "resourceTemplates": lambda item: [kind.get_tool for kind in KINDS if kind.page == item["name"]],
}
"""What must be on offer for an item of a list to stand in it."""
