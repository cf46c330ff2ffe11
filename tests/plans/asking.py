"""A room that plans over the real simulator, whose answers a test may bend on their way."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from barrack_mcp.account.deeds import Deeds
from barrack_mcp.account.pages import presented
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL, JsonObject, Operation
from barrack_mcp.catalogue.kinds import KINDS
from barrack_mcp.guard.plans import Binding, Known, Planned, plan
from barrack_mcp.guard.plans.draft import FindTerm, LastChanges, no_term, none_known
from tests.support import examples
from tests.support.patience import PATIENT_S
from tests.support.simulation import Simulation, simulated

SHOWING = frozenset(kind.get_tool for kind in KINDS)
Bend = Callable[[JsonObject], Any]


@dataclass(kw_only=True)
class Room(Simulation):
    """Plans calls, and counts what is read for them.

    `bent` changes the presented answer of a tool; `silent` tools never answer; `failing` ones answer 503, `gone` 404.
    What is `shown` by its id is there beside what the simulator has. Where nothing is done in between, answers are
    `kept`, so that each is asked for once.
    """

    currency: str = "USD"
    seconds: float = 2.0
    bent: Mapping[str, Bend] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    shown: Mapping[str, JsonObject] = field(default_factory=dict)
    last_changes: LastChanges = none_known
    deeds: Deeds | None = None
    find_term: FindTerm = no_term
    kept: dict[str, JsonObject] | None = None
    reads: list[tuple[str, JsonObject]] = field(default_factory=list)

    async def __call__(self, tool: str, arguments: JsonObject) -> JsonObject:
        self.reads.append((tool, arguments))
        if tool in self.silent:
            await anyio.sleep_forever()
        if tool in self.failing:
            raise ApiError(Failure.BROKEN, "Down", status=503)
        if tool in self.gone:
            raise ApiError(Failure.REJECTED, "Not found", status=404)
        operation = BY_TOOL[tool]
        assert operation.reads
        if tool in SHOWING and (at := next(iter(arguments.values()))) in self.shown:
            return {str(operation.result): dict(self.shown[at])}
        answer = await self._read(operation, arguments)
        if tool not in self.bent:
            return answer
        bent = copy.deepcopy(answer)
        replaced = self.bent[tool](bent)
        return bent if replaced is None else replaced

    async def _read(self, operation: Operation, arguments: JsonObject) -> JsonObject:
        if self.kept is None:
            return presented(operation, await self.api.send(operation, arguments), arguments)
        key = f"{operation.tool} {json.dumps(arguments, sort_keys=True)}"
        if key not in self.kept:
            self.kept[key] = presented(operation, await self.api.send(operation, arguments), arguments)
        return copy.deepcopy(self.kept[key])

    async def plan(self, tool: str, **more: Any) -> Planned:
        """Plan a call with arguments that work, but for those given."""
        good = {} if set(examples.required(BY_TOOL[tool])) <= set(more) else self.good(tool)
        return await self.plan_exactly(tool, {**good, **more})

    async def plan_exactly(self, tool: str, arguments: JsonObject, *, binding: Binding = Binding.NOT_YET) -> Planned:
        """Plan a call with these arguments."""
        now = self.barrack.clock.now()
        with anyio.fail_after(PATIENT_S):
            return await plan(
                BY_TOOL[tool],
                arguments,
                read=self,
                currency=self.currency,
                now=now,
                seconds=self.seconds,
                known=Known(deeds=self.deeds, last_changes=self.last_changes, find_term=self.find_term),
                binding=binding,
            )

    async def do(self, tool: str, **arguments: Any) -> JsonObject:
        """Do something at Barrack, in between."""
        body = await self.api.send(BY_TOOL[tool], arguments)
        assert isinstance(body, dict)
        return body


@asynccontextmanager
async def room(*, scenario: str = "small", key: str = "sim-key", **more: Any) -> AsyncIterator[Room]:
    """A simulator whose time stands still, and a room that plans over it."""
    async with simulated(scenario=scenario, key=key) as barrack:
        yield Room(api=barrack.api, app=barrack.app, **more)


def words(planned: Planned) -> str:
    """All that a plan says."""
    plan = planned.plan.model_dump(exclude={"safer", "cost"})
    lists = [each for value in plan.values() if isinstance(value, list) for each in value]
    return "\n".join([plan["summary"], *lists, json.dumps(plan["target"], ensure_ascii=False)])
