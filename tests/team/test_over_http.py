"""The guard and the sending once more, over HTTP and SSE, in both eras, with tokens and with an identity provider.

Every operation comes in by one way a promise, and by another for the next promise, so that each promise meets all ways.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.types import ElicitResult

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Risk
from barrack_mcp.config.callers import Callers
from barrack_mcp.dispatch.writes.ledger import belongs
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.faults import parse
from barrack_mcp.simulator.server import listening as simulating
from barrack_mcp.state.store import SqliteStore
from barrack_mcp.transports.login import Gate
from barrack_mcp.transports.login.credentials import Credentials
from barrack_mcp.transports.web import sse_app
from tests.support.callers import Served, served
from tests.support.house import ASKING, Person, asking, says_yes
from tests.support.issuer import AUDIENCE, Issuer
from tests.support.listening import listening
from tests.support.running import EVERY_RISK

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WAYS = ("older /mcp", "newer /mcp", "/sse", "signed token")
"""The two eras over HTTP, the older transport, and the newer era with a token of an identity provider."""
ALL = " ".join(f"barrack:{risk}" for risk in Risk)
WRITES = [operation for operation in OPERATIONS if not operation.reads]
REPEATED = [operation for operation in WRITES if belongs(operation)]
LOST: Sequence[dict[str, Any]] = (
    {"action": "reset"},
    {"action": "truncate"},
    {"action": "status", "status": 502},
    {"action": "garbage"},
    {"action": "status", "status": 504},
)
"""Ways to lose an answer, none of which takes long."""
WRONG: Sequence[ElicitResult] = (
    ElicitResult(action="accept"),
    ElicitResult(action="accept", content={"approve": "true"}),
    ElicitResult(action="accept", content={"name": "another", "approve": False}),
    ElicitResult(action="accept", content={"confirm": True, "yes": True}),
    ElicitResult(action="cancel"),
)

each_way = pytest.mark.parametrize("way", WAYS)
_T = TypeVar("_T")


def share(rows: Sequence[_T], way: str, shift: int) -> list[_T]:
    """The rows that come in by this way: each way has others, and each promise another share of them."""
    first = (WAYS.index(way) + shift) % len(WAYS)
    return list(rows[first :: len(WAYS)])


@dataclass
class Team:
    """Two callers of one server, the account behind it, and the state that a person's page shares with it."""

    served: Served
    barrack: Any
    clients: dict[str, Client]
    approvals: Approvals

    async def call(self, who: str, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.clients[who].call_tool(tool, arguments)
        return dict(result.structured_content or {})

    def begin(self) -> None:
        """Let the account be as it was at first."""
        self.barrack.reset()

    def good(self, tool: str) -> dict[str, Any]:
        """Arguments that work, and that ask."""
        return asking(tool, self.barrack.state())

    @property
    def effects(self) -> list[str]:
        return [effect["operation"] for effect in self.barrack.journal]

    async def approve(self, outcome: dict[str, Any]) -> None:
        """Say yes as another person does, elsewhere."""
        asked = await self.approvals.find(outcome["approval"]["id"])
        await self.approvals.approve(asked.id, by="eve on the page", typed=asked.must_type)


@asynccontextmanager
async def team(folder: Path, way: str, *, person: Person | None = None, **settings: str) -> AsyncIterator[Team]:
    """Serve ada and bob, who come in by one way; a person answers what ada's client is asked."""
    app, provider = create_app(now=lambda: 0.0), Issuer()
    async with AsyncExitStack() as opened:
        api = await opened.enter_async_context(simulating(app))
        given = {
            "BARRACK_SIMULATOR": "",
            "BARRACK_API_URL": f"{api}/api",
            "BARRACK_API_KEY": "sim-key",
            "BARRACK_TIMEOUT": "10",
            **settings,
        }
        names = ("ada", "bob")
        if way == "signed token":
            provider.url = await opened.enter_async_context(listening(provider.app))
            given |= {"BARRACK_OIDC_ISSUER": provider.url, "BARRACK_OIDC_AUDIENCE": AUDIENCE}
        made = await opened.enter_async_context(served(folder, dict.fromkeys(names, ()), **given))
        url = ""
        if way == "/sse":
            gate = Gate(Credentials(Callers(made.desk.path)))
            url = await opened.enter_async_context(listening(sse_app(made.house.server, gate=gate)))
        clients = {}
        for name in names:
            callback = person if name == "ada" else None
            if way == "/sse":
                stream = sse_client(f"{url}/sse", headers={"Authorization": f"Bearer {made.desk.tokens[name]}"})
                client: Any = Client(stream, mode="legacy", elicitation_callback=callback)
            else:
                token = provider.token(sub=f"{name}@example.com", scope=ALL) if way == "signed token" else None
                mode = "legacy" if way == "older /mcp" else "2026-07-28"
                client = made.client(name, token=token, mode=mode, elicitation_callback=callback)
            clients[name] = await opened.enter_async_context(client)
        store = await opened.enter_async_context(SqliteStore(folder / "state.db"))
        yield Team(made, app.state.barrack, clients, Approvals(store, ttl=600))


@each_way
@pytest.mark.promise("G1")
@pytest.mark.promise("R5")
async def test_every_asking_call_waits_for_somebody_else_and_nothing_happens(tmp_path: Path, way: str) -> None:
    async with team(tmp_path, way, person=Person(says_yes)) as made:
        for operation in share(ASKING, way, 0):
            arguments = made.good(operation.tool)
            asked = await made.call("ada", operation.tool, **arguments)
            assert asked["outcome"] == "approval_required", (operation.tool, asked)
            again = await made.call("ada", operation.tool, **arguments)
            other = await made.call("bob", operation.tool, **arguments)
            assert again["approval"]["id"] == asked["approval"]["id"], operation.tool
            assert other["approval"]["id"] != asked["approval"]["id"], operation.tool
        assert made.effects == []


@each_way
@pytest.mark.promise("G2")
@pytest.mark.promise("G4")
@pytest.mark.promise("G5")
async def test_a_yes_is_good_for_its_caller_and_its_call_alone_and_once(tmp_path: Path, way: str) -> None:
    async with team(tmp_path, way) as made:
        for operation in share(ASKING, way, 1):
            made.begin()
            arguments = made.good(operation.tool)
            await made.approve(await made.call("ada", operation.tool, **arguments))
            # the other's request is another, however alike the call
            assert (await made.call("bob", operation.tool, **arguments))["outcome"] == "approval_required"
            assert made.effects == [], operation.tool
            done = await made.call("ada", operation.tool, **arguments)
            assert done["outcome"] == "done", (operation.tool, done)
            assert done["confirmed"] | {"at": ""} == {"how": "page", "by": "eve", "at": ""}
            # what is open already is opened to nobody by the same rule again, so that needs no yes
            for _ in range(2 if operation.risk is not Risk.EXPOSE else 0):
                assert (await made.call("ada", operation.tool, **arguments))["outcome"] != "done", operation.tool
            assert made.effects == [operation.tool]


@each_way
@pytest.mark.promise("G4")
async def test_a_yes_that_is_used_twenty_times_at_once_has_one_effect(tmp_path: Path, way: str) -> None:
    async with team(tmp_path, way) as made:
        arguments = made.good("create_volume")
        await made.approve(await made.call("ada", "create_volume", **arguments))
        outcomes: list[str] = []

        async def redeem() -> None:
            outcomes.append((await made.call("ada", "create_volume", **arguments))["outcome"])

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(redeem)
        assert outcomes.count("done") == 1
        assert made.effects == ["create_volume"]


@each_way
@pytest.mark.promise("G3")
async def test_a_no_and_a_lapse_do_nothing_and_are_told(tmp_path: Path, way: str) -> None:
    async with team(tmp_path, way, BARRACK_APPROVAL_TTL="0.5") as made:
        for number, operation in enumerate(share(ASKING, way, 2)):
            arguments = made.good(operation.tool)
            asked = await made.call("ada", operation.tool, **arguments)
            if number:
                await made.approvals.deny(asked["approval"]["id"], by="eve on the page")
            else:
                await anyio.sleep(0.55)
            told = await made.call("ada", operation.tool, **arguments)
            said = "A person said no" if number else "Nobody approved this call in time"
            assert (told["outcome"], said in told["message"]) == ("refused", True), (operation.tool, told)
        assert made.effects == []


@each_way
@pytest.mark.promise("G2")
@pytest.mark.promise("G3")
async def test_where_the_client_may_be_asked_only_the_right_answer_is_a_yes(tmp_path: Path, way: str) -> None:
    replies: list[ElicitResult] = []
    person = Person(lambda question: replies.pop() if replies else says_yes(question))
    async with team(tmp_path, way, person=person, BARRACK_FOUR_EYES="off") as made:
        for number, operation in enumerate(share(ASKING, way, 3)):
            made.begin()
            arguments = made.good(operation.tool)
            replies[:] = [WRONG[(number + WAYS.index(way)) % len(WRONG)]]
            wrong = await made.call("ada", operation.tool, **arguments)
            assert made.effects == [], operation.tool
            assert wrong["outcome"] in ("refused", "approval_required"), (operation.tool, wrong)
            if wrong["outcome"] == "approval_required":
                # nobody saw the question; that request ends before the next is put
                await made.approvals.deny(wrong["approval"]["id"], by="eve on the page")
                await made.call("ada", operation.tool, **arguments)
            right = await made.call("ada", operation.tool, **arguments)
            assert right["outcome"] == "done", (operation.tool, right)
            assert made.effects == [operation.tool]


@each_way
@pytest.mark.promise("N3")
async def test_a_write_whose_answer_is_lost_is_done_once_and_said_to_be(tmp_path: Path, way: str) -> None:
    async with team(tmp_path, way, BARRACK_UNATTENDED=EVERY_RISK) as made:
        for number, operation in enumerate(share(WRITES, way, 0)):
            made.begin()
            arguments = made.good(operation.tool)
            lost = LOST[(number + WAYS.index(way)) % len(LOST)]
            made.barrack.faults.replace(parse([{"method": operation.method, "after_effect": True, **lost}]))
            outcome = await made.call("ada", operation.tool, **arguments)
            assert (outcome["outcome"], made.effects) == ("done", [operation.tool]), (operation.tool, lost, outcome)
            path = operation.path.format_map(arguments)
            sent = [(each["method"], each["path"]) for each in made.barrack.requests]
            assert sent.count((operation.method, path)) == 1


@each_way
@pytest.mark.promise("N9")
async def test_what_nobody_knows_of_is_not_done_again_by_whoever_asks_until_somebody_looked(
    tmp_path: Path, way: str
) -> None:
    (operation, *_) = share(REPEATED, way, 0)
    async with team(tmp_path, way, BARRACK_UNATTENDED=EVERY_RISK) as made:
        arguments = made.good(operation.tool)
        blind = {"method": "GET", "action": "status", "status": 404, "times": 1_000}
        made.barrack.faults.replace(
            parse([{"method": operation.method, "action": "reset", "after_effect": True}, blind])
        )
        first = await made.call("ada", operation.tool, **arguments)
        assert first["outcome"] == "unknown", first
        for who in ("ada", "bob"):
            held = await made.call(who, operation.tool, **arguments)
            assert (held["outcome"], held["look_with"]) == ("refused", first["look_with"])
        assert made.effects == [operation.tool]
        made.barrack.faults.replace([])
        look = first["look_with"]
        assert BY_TOOL[look["tool"]].reads
        assert "outcome" not in await made.call("bob", look["tool"], **look["arguments"])
        again = await made.call("ada", operation.tool, **arguments)
        assert "nobody knows" not in again["message"]
