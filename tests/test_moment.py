"""Reads that are the same and come in the same moment are one read at the API; no answer outlives a change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from barrack_mcp.account.account import MOMENT_S
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.guard.decide import Allowance
from barrack_mcp.simulator import create_app
from tests.support.house import House, house
from tests.support.running import EVERY_RISK

pytestmark = pytest.mark.anyio


class Held:
    """The simulator, whose answers to reads, or to the first few, wait until they are let go."""

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._app: Any = create_app(now=lambda: 0.0)
        self.state = self._app.state
        self.open = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = scope["method"] == "GET" and self._most > 0
        self._most -= held

        async def later(message: Any) -> None:
            if held:
                await self.open.wait()
            await send(message)

        await self._app(scope, receive, later)


async def at_once(app: Held, *calls: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Make calls one after another, each while those before it wait for the API; then let the API answer."""
    answers: list[Any] = [None] * len(calls)

    async def one(at: int, call: Callable[[], Awaitable[Any]]) -> None:
        answers[at] = await call()

    async with anyio.create_task_group() as tasks:
        for at, call in enumerate(calls):
            tasks.start_soon(one, at, call)
            await anyio.wait_all_tasks_blocked()
        app.open.set()
    return answers


def read(made: House, tool: str = "list_regions", **arguments: Any) -> Callable[[], Awaitable[JsonObject]]:
    async def call() -> JsonObject:
        return (await made.answer(tool, **arguments)).structured

    return call


def asked(made: House, path: str) -> int:
    return [each["path"] for each in made.barrack.requests].count(path)


@pytest.mark.promise("V4")
async def test_the_same_read_at_the_same_time_is_one_request_and_every_caller_has_its_answer() -> None:
    app = Held()
    async with house(app=app) as made:
        answers = await at_once(app, *[read(made)] * 5)
        assert asked(made, "/regions/") == 1
        assert answers == [answers[0]] * 5
        assert answers[0]["regions"]
        await read(made)()
        assert asked(made, "/regions/") == 2


async def test_the_embedded_simulator_lets_others_go_on_while_it_is_asked_as_a_network_does() -> None:
    async with house() as made:
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(made.answer, "list_regions")
        assert asked(made, "/regions/") == 1


@pytest.mark.promise("V4")
async def test_other_arguments_another_allowance_and_another_caller_read_for_themselves() -> None:
    app = Held()
    async with house(app=app) as made:
        narrower = replace(made.dispatcher.caller, allowance=Allowance(tools=frozenset({"list_volumes"})))
        other = replace(made.dispatcher.caller, subject="ben")
        await at_once(
            app,
            read(made, "list_volumes"),
            read(made, "list_volumes", limit=1),
            lambda: made.dispatcher.call("list_volumes", {}, narrower),
            lambda: made.dispatcher.call("list_volumes", {}, other),
        )
        assert asked(made, "/volumes/") == 4


async def test_accounts_share_nothing() -> None:
    app = Held()
    async with house(app=app, key="key-1") as one, house(app=app, key="key-2") as other:
        await at_once(app, read(one), read(other))
        assert asked(one, "/regions/") == 2


@pytest.mark.promise("V4")
async def test_a_read_shares_no_answer_that_was_asked_for_before_a_change_whether_that_goes_on_or_has_ended() -> None:
    app = Held(1)
    async with house(app=app, unattended=EVERY_RISK.split(",")) as made:
        names = read(made, "list_ssh_keys")
        before, made_key, after = await at_once(
            app, names, lambda: made.call("create_ssh_key", **made.good("create_ssh_key")), names
        )
        assert made.effects == ["create_ssh_key"], made_key
        assert len(after["ssh_keys"]) == len(before["ssh_keys"]) + 1


async def test_who_comes_later_than_a_moment_reads_for_itself() -> None:
    app = Held()
    async with house(app=app) as made:

        async def later() -> JsonObject:
            made.clock.at += MOMENT_S * 1.01
            return await read(made)()

        await at_once(app, read(made), later)
        assert asked(made, "/regions/") == 2


async def test_where_the_first_gives_up_those_that_waited_read_for_themselves() -> None:
    app = Held()
    async with house(app=app) as made:
        given_up = anyio.CancelScope()

        async def first() -> None:
            with given_up:
                await read(made)()

        async def second() -> JsonObject:
            answer = await read(made)()
            assert given_up.cancelled_caught
            return answer

        async def cancel() -> None:
            given_up.cancel()

        answers = await at_once(app, first, second, cancel)
        assert answers[1]["regions"]
        assert asked(made, "/regions/") == 2
