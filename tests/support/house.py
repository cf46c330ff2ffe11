"""The whole house in one process: a real client, the server with its guard, a simulator whose journal is counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp import Client
from mcp.types import ElicitResult

from barrack_mcp.catalogue import BY_TOOL, OFFERS, OPERATIONS, JsonObject, Risk
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.writes.ledger import Ledger
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.asking.question import READING_S
from barrack_mcp.state.leases import Leases
from barrack_mcp.state.purchases import Purchases
from barrack_mcp.state.store import SqliteStore
from barrack_mcp.state.traces import Traces
from tests.support import examples
from tests.support.clock import Clock
from tests.support.guarding import Corridor, account_of, guard, writer
from tests.support.simulation import Simulation, simulated

ERAS = ("legacy", "auto")
ASKING = [operation for operation in OPERATIONS if operation.risk not in (Risk.READ, Risk.CHANGE)]


@dataclass
class Person:
    """Answers what the client is asked, as soon as anybody can have read it, and keeps the questions."""

    answer: Callable[[str], ElicitResult | Awaitable[ElicitResult]]
    questions: list[str] = field(default_factory=list)
    reads_s: float = READING_S
    clock: Clock | None = None
    """Moved by the time that reading takes; the house's."""

    async def __call__(self, context: Any, params: Any) -> Any:  # noqa: ARG002 - the SDK passes it
        self.questions.append(params.message)
        if self.clock is not None:
            self.clock.at += self.reads_s
        answer = self.answer(params.message)
        return answer if isinstance(answer, ElicitResult) else await answer


def says_yes(question: str) -> ElicitResult:
    """Do what the question's last line says."""
    last = question.splitlines()[-1]
    if last == "Approve?":
        return ElicitResult(action="accept", content={"approve": True})
    return ElicitResult(action="accept", content={"name": last.removeprefix("Type ").removesuffix(" to approve.")})


@dataclass(kw_only=True)
class House(Simulation):
    """The whole house over a simulation: what a test looks at."""

    client: Client
    dispatcher: Corridor
    approvals: Approvals
    clock: Clock
    store: SqliteStore

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        return dict(result.structured_content or {})

    async def answer(self, tool: str, **arguments: Any) -> Answer:
        """What a call that asks nobody answers, before it is put into the protocol's words."""
        answer = await self.dispatcher.call(tool, arguments)
        assert isinstance(answer, Answer)
        return answer

    def good(self, tool: str) -> dict[str, Any]:
        """Arguments that work, and that ask."""
        return asking(tool, self.barrack.state())


def asking(tool: str, state: JsonObject) -> JsonObject:
    """Arguments that work in this state, and that ask."""
    arguments = examples.good(BY_TOOL[tool], state)
    if BY_TOOL[tool].risk is Risk.EXPOSE:
        arguments["remote_ip_prefix"] = "0.0.0.0/0"
    return arguments


@asynccontextmanager
async def house(
    *,
    era: str = "auto",
    person: Person | None = None,
    app: Any = None,
    store: SqliteStore | None = None,
    clock: Clock | None = None,
    url: str = "https://barrack.example/api",
    key: str = "key-1",
    seconds: float = 30,
    writing: Mapping[str, Any] | None = None,
    lease_hours: int | None = None,
    **policy: Any,
) -> AsyncIterator[House]:
    """Open it on an app, a store and a clock of its own or of the test's."""
    clock = clock or Clock()
    if person is not None:
        person.clock = clock
    own = store or SqliteStore(":memory:", now=clock)
    async with simulated(app=app, seconds=seconds) as barrack:
        dispatcher = Corridor(
            account=account_of(
                barrack.api,
                url=url,
                key=key,
                api="simulator",
                now=clock,
                sleep=clock.sleep,
                traces=Traces(own, now=clock),
                leases=Leases(own, now=clock),
                purchases=Purchases(own, now=clock),
                lease_hours=lease_hours,
            ),
            surface=OFFERS,
            guard=guard(store=own, now=clock, **policy),
            writer=writer(ledger=Ledger(own, now=clock), **dict(writing or {})),
        )
        async with Client(dispatcher.server, mode=era, elicitation_callback=person) as client:
            await _knowing_the_tools(client, era)
            yield House(
                api=barrack.api,
                app=barrack.app,
                client=client,
                dispatcher=dispatcher,
                approvals=Approvals(own, ttl=600, now=clock),
                clock=clock,
                store=own,
            )
    if store is None:
        await own.aclose()


_schemas: dict[str, dict[str, Any]] = {}
"""What each tool's answer is held against, as a client of each era was told once."""


async def _knowing_the_tools(client: Client, era: str) -> None:
    """Hand a client the list of tools, which it would ask for before its first answer; it is the same in each house."""
    if era not in _schemas:
        _schemas[era] = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
    client.session._tool_output_schemas |= _schemas[era]  # noqa: SLF001 - the SDK has no other way to be told
