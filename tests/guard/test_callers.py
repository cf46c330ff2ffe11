"""Two callers with two keys on one server object: whatever one does, the other has no part in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from mcp import Client
from mcp.server.context import ServerRequestContext
from mcp.types import Implementation
from pydantic import SecretStr

from barrack_mcp.account.account import Account, digest_of_key
from barrack_mcp.api.client import open_client
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.dispatch.dispatcher import Dispatcher
from barrack_mcp.dispatch.writes.ledger import Ledger
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.server.tools import create_server
from barrack_mcp.simulator import create_app
from barrack_mcp.state.store import SqliteStore
from tests.support.booking import begun
from tests.support.guarding import guard, writer
from tests.support.house import ERAS, Person, says_yes

pytestmark = [pytest.mark.anyio, pytest.mark.promise("R5"), pytest.mark.promise("G5")]

KEYS = {"ada": "sim-key", "eve": "sim-key-eur"}
"""Two accounts of the simulator, one in dollars and one in euros."""

each_era = pytest.mark.parametrize("era", ERAS)
NEW = {"name": "fresh", "tier": "legacy", "region": "NORWAY-1", "volume_type": "SSD", "size_gb": 100}


@dataclass
class Office:
    """One server with two callers."""

    clients: dict[str, Client]
    accounts: dict[str, Account]
    approvals: Approvals
    ledger: Ledger
    barrack: Any

    async def call(self, who: str, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.clients[who].call_tool(tool, arguments)
        return dict(result.structured_content or {})

    def volumes(self, who: str) -> list[str]:
        return [volume.name for volume in self.barrack.world(KEYS[who]).volumes.values()]


@asynccontextmanager
async def office(era: str, *, person: Person | None = None, subject: str = "") -> AsyncIterator[Office]:
    """Open a server that finds each caller's account by the name of the client, under a subject of its own or one."""
    app = create_app(now=lambda: 0.0)
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(SqliteStore(":memory:"))
        accounts = {}
        for who, key in KEYS.items():
            api = await opened.enter_async_context(
                open_client(
                    url="http://127.0.0.1/api",
                    key=SecretStr(key),
                    auth_header="Authorization",
                    auth_template="Bearer {key}",
                    seconds=30,
                    app=app,
                )
            )
            accounts[who] = Account(api, "http://127.0.0.1/api", key_digest=digest_of_key(SecretStr(key)))

        def caller_of(context: ServerRequestContext[Any]) -> Caller:
            params = context.session.client_params
            assert params is not None
            who = params.client_info.name
            return Caller(subject or who, accounts[who])

        ledger = Ledger(store)
        dispatcher = Dispatcher(surface=BY_TOOL, guard=guard(store=store), writer=writer(ledger=ledger))
        server = create_server(dispatcher, caller_of)
        clients = {
            who: await opened.enter_async_context(
                Client(
                    server,
                    mode=era,
                    elicitation_callback=person,
                    client_info=Implementation(name=who, version="1"),
                )
            )
            for who in KEYS
        }
        yield Office(clients, accounts, Approvals(store, ttl=600), ledger, app.state.barrack)


@each_era
async def test_each_sees_and_changes_its_own_account_alone(era: str) -> None:
    async with office(era, person=Person(says_yes)) as made:
        before = {who: made.volumes(who) for who in KEYS}
        assert before["ada"] != before["eve"]
        for who in KEYS:
            listed = await made.call(who, "list_volumes")
            assert [row["volume_name"] for row in listed["volumes"]] == before[who]
        assert (await made.call("eve", "create_volume", **NEW))["outcome"] == "done"
        assert made.volumes("ada") == before["ada"]
        assert made.volumes("eve") == [*before["eve"], "fresh"]


@each_era
@pytest.mark.parametrize("subject", ["", "the same person"])
async def test_a_yes_for_one_is_none_for_the_other_even_under_one_name(era: str, subject: str) -> None:
    async with office(era, subject=subject) as made:
        asked = {who: await made.call(who, "create_volume", **NEW) for who in KEYS}
        assert {each["outcome"] for each in asked.values()} == {"approval_required"}
        ids = {who: each["approval"]["id"] for who, each in asked.items()}
        assert ids["ada"] != ids["eve"]
        await made.approvals.approve(ids["ada"], by="a test")
        again = await made.call("eve", "create_volume", **NEW)
        assert (again["outcome"], again["approval"]["id"]) == ("approval_required", ids["eve"])
        assert "fresh" not in made.volumes("ada") + made.volumes("eve")
        assert (await made.call("ada", "create_volume", **NEW))["outcome"] == "done"
        assert "fresh" in made.volumes("ada")
        assert "fresh" not in made.volumes("eve")


@each_era
async def test_what_is_open_for_one_holds_the_other_back_from_nothing(era: str) -> None:
    async with office(era, person=Person(says_yes)) as made:
        open_for = made.accounts["ada"].id
        entry = await begun(made.ledger, "digest", "create_volume", {}, ("list_volumes", {}), open_for)
        await made.ledger.close(entry, "unknown")
        await made.call("eve", "list_volumes")
        assert [each.standing for each in await made.ledger.open_entries()] == ["unknown"]
        await made.call("ada", "list_volumes")
        assert await made.ledger.open_entries() == []


@each_era
async def test_what_is_kept_of_one_account_is_not_told_of_the_other(era: str) -> None:
    async with office(era, person=Person(says_yes)) as made:
        for who in KEYS:
            made.barrack.requests.clear()
            await made.call(who, "list_instances")
            await made.call(who, "list_instances")
            asked = [each["path"] for each in made.barrack.requests]
            assert asked == ["/instances/", "/pricing/", "/instances/"]
