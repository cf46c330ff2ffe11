"""What a call that asks a person costs: requests to the API, and how often it waits for the network.

A network is played in this process: each request arrives half its round trip late, and its answer as much. So what a
call takes longer than without a network, by that round trip, is how many waits stand one after another. A call ends
when the server has its answer: that the client holds it against the tool's schema is no time of ours.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import anyio
from mcp.types import ElicitResult
from starlette.types import ASGIApp, Receive, Scope, Send

from barrack_mcp.simulator import create_app
from tests.bench.figures import Figure
from tests.support.house import Person, house, says_yes

TOOLS: Final = ("stop_instance", "delete_instance", "create_volume", "deploy_instance", "attach_firewall")
NETWORKS_MS: Final = (50, 200)


class Far:
    """The simulator behind a network.

    Args:
        app: The simulator.
        seconds: Of a round trip.
    """

    def __init__(self, app: Any, seconds: float) -> None:
        self._app: ASGIApp = app
        self._seconds = seconds
        self.state = app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(self._seconds)
        await self._app(scope, receive, send)


async def _once(tool: str, seconds: float) -> tuple[float, float, int, int]:
    """Have one call made and agreed to; answers its seconds before the question and after the yes, and its requests."""
    app = Far(create_app(now=lambda: 0.0), seconds)
    asked = answered = ended = 0.0
    before = 0

    def agree(question: str) -> ElicitResult:
        nonlocal asked, answered, before
        asked, before = time.perf_counter(), len(app.state.barrack.requests)
        said = says_yes(question)
        answered = time.perf_counter()
        return said

    def over(*_: object) -> None:
        nonlocal ended
        ended = time.perf_counter()

    async with house(app=app, person=Person(agree)) as made:
        arguments = made.good(tool)
        made.dispatcher.on_end = over
        app.state.barrack.requests.clear()
        begun = time.perf_counter()
        outcome = await made.call(tool, **arguments)
        if outcome.get("outcome") != "done":
            raise RuntimeError(f"{tool}: {outcome}")
        return asked - begun, ended - answered, before, len(app.state.barrack.requests)


def measured(rounds: int, tools: Sequence[str] = TOOLS, networks: Sequence[int] = NETWORKS_MS) -> list[Figure]:
    """Measure guarded calls without a network and with several.

    Args:
        rounds: How often each.
        tools: What is called.
        networks: Milliseconds of a round trip.
    """
    found = []
    for tool in tools:
        here = [anyio.run(_once, tool, 0.0) for _ in range(rounds)]
        question: dict[str, list[float]] = {}
        sending: dict[str, list[float]] = {}
        for milliseconds in networks:
            far = [anyio.run(_once, tool, milliseconds / 1000) for _ in range(rounds)]
            name = f"{milliseconds} ms"
            pairs = list(zip(here, far, strict=True))
            question[name] = [(there[0] - near[0]) / milliseconds * 1000 for near, there in pairs]
            sending[name] = [(there[1] - near[1]) / milliseconds * 1000 for near, there in pairs]
        requests = {"before the question": [float(here[0][2])], "in all": [float(here[0][3])]}
        own = {
            "before the question": [each[0] * 1000 for each in here],
            "after the yes": [each[1] * 1000 for each in here],
        }
        found += [
            Figure(f"requests_{tool}", f"{tool}: requests to the API", "requests", requests),
            Figure(f"own_{tool}", f"{tool}: without a network", "ms", own),
            Figure(f"question_{tool}", f"{tool}: waits for the network before the question", "round trips", question),
            Figure(f"send_{tool}", f"{tool}: waits for the network after the yes", "round trips", sending),
        ]
    return found
