"""A request is heard out before it is refused, as far as that is worth it."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from barrack_mcp.transports import hearing
from barrack_mcp.transports.hearing import ENOUGH, Hearing

pytestmark = pytest.mark.anyio


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse by the headers alone."""
    await PlainTextResponse("no", 401)(scope, receive, send)


async def take(scope: Scope, receive: Receive, send: Send) -> None:
    """Read all of it, then answer."""
    while (await receive()).get("more_body"):
        pass
    await PlainTextResponse("yes")(scope, receive, send)


async def came(app: object, messages: Iterable[Message]) -> list[str]:
    """What comes in and goes out, in its order; what is not there yet never comes."""
    order: list[str] = []
    waiting = iter(messages)

    async def receive() -> Message:
        for message in waiting:
            order.append("in")
            return message
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        order.append(message["type"].rpartition(".")[2])

    await Hearing(app)({"type": "http", "method": "POST", "path": "/mcp", "headers": []}, receive, send)  # type: ignore[arg-type]  # plain functions serve for its protocols
    return order


def part(size: int, *, more: bool) -> Message:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


@pytest.mark.promise("R12")
@pytest.mark.parametrize(
    ("app", "messages"),
    [
        (refuse, [part(0, more=False)]),
        (refuse, [part(0, more=True), part(1, more=True), part(1, more=False)]),
        (refuse, [part(1, more=True), {"type": "http.disconnect"}]),
        (take, [part(1, more=True), part(1, more=False)]),
    ],
)
async def test_an_answer_comes_when_the_whole_request_has(app: object, messages: list[Message]) -> None:
    assert await came(app, messages) == [*["in"] * len(messages), "start", "body"]


@pytest.mark.promise("R12")
async def test_nobody_is_heard_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = (part(65_536, more=True) for _ in range(1_000))
    assert (await came(refuse, parts)).count("in") == ENOUGH // 65_536
    # what doesn't come isn't waited for
    monkeypatch.setattr(hearing, "PATIENCE_S", 0.0)
    assert await came(refuse, [part(1, more=True)]) in (["in", "start", "body"], ["start", "body"])
