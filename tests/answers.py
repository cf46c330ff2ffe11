"""A transport that answers what a test tells it, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpx2
from pydantic import SecretStr

from barrack_mcp.api.auth import KeyAuth
from barrack_mcp.api.client import Client
from barrack_mcp.catalogue import OPERATIONS
from barrack_mcp.dispatch import Dispatcher
from tests.guarding import guard
from tests.running import EVERY_RISK

CANARY = "canary-key-5c1d"

Behaviour: TypeAlias = httpx2.Response | Exception | Callable[[], Awaitable[httpx2.Response]]


class Answers(httpx2.AsyncBaseTransport):
    """Answers requests with what is scripted for their path, else with what is scripted for all."""

    def __init__(self, default: Behaviour | None = None, **by_path: Behaviour) -> None:
        self.default = default
        self.by_path = {f"/{path.replace('__', '/').replace('_', '-')}/": answer for path, answer in by_path.items()}
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.requests.append(request)
        answer = self.by_path.get(request.url.path.removeprefix("/api"), self.default)
        assert answer is not None, request.url.path
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else await answer()


def client(transport: httpx2.AsyncBaseTransport, *, seconds: float = 5, **auth: str) -> Client:
    form = {"header": "Authorization", "template": "Bearer {key}"} | auth
    return Client(
        httpx2.AsyncClient(transport=transport),
        url="https://barrack.example/api",
        auth=KeyAuth(SecretStr(CANARY), **form),
        seconds=seconds,
    )


def dispatcher(transport: httpx2.AsyncBaseTransport, **more: Any) -> Dispatcher:
    usual = {"surface": {operation.tool: operation for operation in OPERATIONS}}
    unattended = more.pop("unattended", EVERY_RISK.split(","))
    api = client(transport)
    return Dispatcher(client=api, **{"guard": guard(api, unattended=unattended)} | usual | more)


def json(body: Any, status: int = 200, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=named)
