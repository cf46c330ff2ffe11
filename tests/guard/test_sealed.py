"""Questions that travel with the call: what comes back is held to what was shown, once."""

from __future__ import annotations

import random
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from mcp import MCPError
from mcp.types import CallToolResult, ElicitResult, InputRequiredResult

from barrack_mcp.simulator import create_app
from barrack_mcp.state.store import SqliteStore
from tests.support.clock import Clock
from tests.support.house import House, Person, house, says_yes

pytestmark = pytest.mark.anyio

ASKED = Person(says_yes)
"""Declares that it can be asked; these tests answer by hand."""


async def asked(made: House, tool: str, arguments: dict[str, Any]) -> tuple[str, ElicitResult]:
    """Make a call, and answer what its question wants."""
    first = await made.client.session.call_tool(tool, arguments, allow_input_required=True)
    assert isinstance(first, InputRequiredResult)
    assert first.request_state is not None
    assert first.input_requests is not None
    question: Any = first.input_requests["approval"]
    return first.request_state, says_yes(question.params.message)


async def answered(made: House, tool: str, arguments: dict[str, Any], state: str, reply: ElicitResult) -> str:
    try:
        result = await made.client.session.call_tool(
            tool, arguments, input_responses={"approval": reply}, request_state=state, allow_input_required=True
        )
    except MCPError as error:
        return str(error.code)
    assert isinstance(result, CallToolResult)
    return str((result.structured_content or {})["outcome"])


@pytest.mark.promise("G4")
async def test_a_sealed_answer_redeemed_20_times_in_sequence_and_20_at_once_has_one_effect() -> None:
    async with house(person=ASKED) as made:
        arguments = made.good("create_volume")
        state, reply = await asked(made, "create_volume", arguments)
        outcomes: list[str] = []

        async def redeem() -> None:
            outcomes.append(await answered(made, "create_volume", arguments, state, reply))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(redeem)
        for _ in range(20):
            await redeem()
        assert (outcomes.count("done"), outcomes.count("refused")) == (1, 39)
        assert made.effects == ["create_volume"]


@pytest.mark.promise("G5")
async def test_a_sealed_answer_is_good_for_no_other_call() -> None:
    async with house(person=ASKED) as made:
        arguments = made.good("create_volume")
        state, reply = await asked(made, "create_volume", arguments)
        for tool, other in (
            ("create_volume", arguments | {"size_gb": 200}),
            ("create_volume", arguments | {"name": "other"}),
            ("delete_volume", made.good("delete_volume")),
            ("stop_instance", made.good("stop_instance")),
        ):
            assert await answered(made, tool, other, state, reply) == "-32602"
        assert made.effects == []


@pytest.mark.promise("G6")
async def test_a_sealed_answer_is_good_until_its_time_limit_and_where_its_key_is_known() -> None:
    clock = Clock()
    async with house(person=ASKED, clock=clock) as made:
        arguments = made.good("create_volume")
        state, reply = await asked(made, "create_volume", arguments)
        clock.at += 120
        assert await answered(made, "create_volume", arguments, state, reply) == "refused"
        async with house(person=ASKED, clock=clock) as elsewhere:
            assert await answered(elsewhere, "create_volume", arguments, state, reply) == "-32602"
            assert elsewhere.effects == []
        state, reply = await asked(made, "create_volume", arguments)
        clock.at += 119
        assert await answered(made, "create_volume", arguments, state, reply) == "done"
        assert made.effects == ["create_volume"]


@pytest.mark.slow
@pytest.mark.promise("G8")
async def test_10_000_mutated_seals_are_none_of_them_accepted() -> None:
    chance = random.Random(8)  # noqa: S311 - the same mutations each time
    async with house(person=ASKED) as made:
        arguments = made.good("stop_instance")
        state, reply = await asked(made, "stop_instance", arguments)
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=\n é\x00"
        outcomes = set()
        for _ in range(10_000):
            mutated = list(state)
            for _ in range(chance.randint(1, 3)):
                at = chance.randrange(len(mutated))
                match chance.randrange(3):
                    case 0:
                        mutated[at] = chance.choice(letters)
                    case 1:
                        del mutated[at:]
                    case _:
                        mutated.insert(at, chance.choice(letters))
                mutated = mutated or ["v"]
            if (text := "".join(mutated)) != state:
                outcomes.add(await answered(made, "stop_instance", arguments, text, reply))
        assert outcomes == {"-32602"}
        assert made.effects == []
        assert await answered(made, "stop_instance", arguments, state, reply) == "done"


@given(state=st.text(max_size=200))
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_invented_seal_is_accepted(state: str) -> None:
    async def main() -> None:
        async with house(person=ASKED) as made:
            outcome = await answered(
                made, "stop_instance", made.good("stop_instance"), state, ElicitResult(action="accept")
            )
            assert outcome == "-32602"
            assert made.effects == []

    anyio.run(main)


class OneEffectForOneYes(RuleBasedStateMachine):
    """Ask, answer, replay, wait, change the target, start again: effects never outnumber accepted confirmations."""

    @initialize()
    def begin(self) -> None:
        self.app = create_app(now=lambda: 0.0)
        self.clock = Clock()
        self.store = SqliteStore(":memory:", now=self.clock)
        self.confirmed = 0
        self.held: tuple[dict[str, Any], str, ElicitResult] | None = None
        self.counter = 0

    def run(self, step: Any, person: Person | None = None) -> None:
        """Do one step in a house opened anew on the same state: every step is a restart."""

        async def main() -> None:
            async with house(app=self.app, clock=self.clock, store=self.store, person=person) as made:
                await step(made)

        anyio.run(main)

    @property
    def volume(self) -> dict[str, Any]:
        return {
            "name": f"v{self.counter}",
            "tier": "legacy",
            "region": "NORWAY-1",
            "size_gb": 100,
            "volume_type": "SSD",
        }

    @rule(answer=st.sampled_from(["yes", "no", "cancel"]))
    def is_asked_by_the_client(self, answer: str) -> None:
        def replies(question: str) -> ElicitResult:
            return says_yes(question) if answer == "yes" else ElicitResult(action="decline")

        async def step(made: House) -> None:
            outcome = await made.call("create_volume", **self.volume)
            self.confirmed += answer == "yes" and outcome["outcome"] == "done"

        self.run(step, Person(replies))

    @rule()
    def calls_where_nobody_can_be_asked(self) -> None:
        async def step(made: House) -> None:
            await made.call("create_volume", **self.volume)

        self.run(step)

    @rule(yes=st.booleans())
    def decides_out_of_band(self, yes: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        async def step(made: House) -> None:
            for approval in (await made.approvals.pending())[:1]:
                if yes:
                    await made.approvals.approve(approval.id, by="a person", typed=approval.must_type)
                    self.confirmed += 1
                else:
                    await made.approvals.deny(approval.id, by="a person")

        self.run(step)

    @rule(seconds=st.sampled_from([1, 119, 120, 599, 600]))
    def waits(self, seconds: int) -> None:
        self.clock.at += seconds

    @rule()
    def wants_another(self) -> None:
        self.counter += 1

    @precondition(lambda self: self.counter)
    @rule()
    def wants_the_former_one(self) -> None:
        self.counter -= 1

    @invariant()
    def effects_do_not_outnumber_the_confirmations(self) -> None:
        if hasattr(self, "app"):
            effects = [effect for effect in self.app.state.barrack.journal if effect["operation"] == "create_volume"]
            assert len(effects) <= self.confirmed


OneEffectForOneYes.TestCase.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
test_effects_never_outnumber_accepted_confirmations = OneEffectForOneYes.TestCase
