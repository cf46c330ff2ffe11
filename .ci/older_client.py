"""A client of the older SDK: connects with a token, which it reads from its input, and says what it met as JSON."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

import anyio
import httpx
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import ElicitResult

CALL = ("stop_instance", {"instance_id": "train-1"})


async def main(transport: str, url: str, token: str) -> dict[str, Any]:
    """Look, be asked, say no, then yes."""
    replies = [ElicitResult(action="accept", content={"approve": False})]
    replies += [ElicitResult(action="accept", content={"approve": True})]
    questions: list[str] = []

    async def answer(_: Any, params: Any) -> ElicitResult:
        questions.append(params.message)
        return replies.pop(0)

    connect = streamablehttp_client if transport == "http" else sse_client
    async with AsyncExitStack() as opened:
        http = await opened.enter_async_context(httpx.AsyncClient())
        stranger = await http.request("POST" if transport == "http" else "GET", url, json={})
        read, write, *_ = await opened.enter_async_context(connect(url, headers={"Authorization": f"Bearer {token}"}))
        client = await opened.enter_async_context(ClientSession(read, write, elicitation_callback=answer))
        await client.initialize()
        tools = [tool.name for tool in (await client.list_tools()).tools]
        balance = await client.call_tool("get_credit_balance", {})
        no, yes = await client.call_tool(*CALL), await client.call_tool(*CALL)
    return {
        "sdk": int(version("mcp").split(".")[0]),
        "stranger": stranger.status_code,
        "tools": tools,
        "balance": balance.structuredContent["balance"]["amount"],
        "no": no.structuredContent["outcome"],
        "yes": yes.structuredContent["outcome"],
        "questions": len(questions),
    }


sys.stdout.write(json.dumps(anyio.run(main, *sys.argv[1:], sys.stdin.read().strip())))
