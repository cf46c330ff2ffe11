"""A transport that answers what a test tells it, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import httpx2
from pydantic import SecretStr

from barrack_mcp.api.client import Client, KeyAuth
from barrack_mcp.catalogue import OPERATIONS
from tests.support.clock import Clock
from tests.support.guarding import Corridor, account_of, guard, writer
from tests.support.running import EVERY_RISK

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
        return await played(answer)


async def played(answer: Behaviour) -> httpx2.Response:
    """Do what is scripted; a response in memory is copied, since it can be read but once."""
    if isinstance(answer, Exception):
        raise answer
    response = answer if isinstance(answer, httpx2.Response) else await answer()
    if not isinstance(response.stream, httpx2.ByteStream):
        return response
    stream = httpx2.ByteStream(b"".join([chunk async for chunk in response.stream]))
    return httpx2.Response(response.status_code, headers=response.headers, stream=stream)


def in_turn(*answers: Behaviour) -> Callable[[], Awaitable[httpx2.Response]]:
    """Answer with each in its turn; the last one stays."""
    left = list(answers)

    async def following() -> httpx2.Response:
        return await played(left.pop(0) if len(left) > 1 else left[0])

    return following


def client(
    transport: httpx2.AsyncBaseTransport,
    *,
    seconds: float = 5,
    clock: Clock | None = None,
    timing: Mapping[str, Any] | None = None,
    **auth: str,
) -> Client:
    form = {"header": "Authorization", "template": "Bearer {key}"} | auth
    clock = clock or Clock()
    usual: dict[str, Any] = {"now": clock, "sleep": clock.sleep, "random": lambda: 0.5}
    return Client(
        transport,
        url="https://barrack.example/api",
        auth=KeyAuth(SecretStr(CANARY), **form),
        seconds=seconds,
        **usual | dict(timing or {}),
    )


def dispatcher(transport: httpx2.AsyncBaseTransport, **more: Any) -> Corridor:
    unattended = more.pop("unattended", EVERY_RISK.split(","))
    usual: dict[str, Any] = {
        "surface": {operation.tool: operation for operation in OPERATIONS},
        "guard": guard(unattended=unattended),
        "writer": writer(),
    }
    return Corridor(account=account_of(client(transport)), **usual | more)


def json(body: Any, status: int = 200, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=named)
