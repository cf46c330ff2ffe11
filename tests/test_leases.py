"""set_lease and list_leases: until when a machine may run, who said so, what it costs; never past what one may cost."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from barrack_mcp.account.account import Account
from barrack_mcp.server.tools import output_schema
from barrack_mcp.state.audit import Audit
from barrack_mcp.state.leases import HOUR_S, Leases
from barrack_mcp.state.store import Lease
from tests.support.house import House, house
from tests.test_answer_schemas import undeclared

pytestmark = pytest.mark.anyio


def leases_of(account: Account) -> Leases:
    assert account.leases is not None
    return account.leases


async def kept(made: House) -> dict[str, Lease]:
    return dict(await leases_of(made.dispatcher.account).all(made.dispatcher.account.id))


def machine(made: House, status: str = "ACTIVE") -> Any:
    return made.thing("instances", status=status)


async def test_a_lease_is_set_by_hours_or_by_a_time_by_id_or_by_name_and_is_recorded(tmp_path: Path) -> None:
    record = tmp_path / "audit.jsonl"
    async with house(writing={"audit": Audit(record)}) as made:
        row = machine(made)
        told = await made.call("set_lease", instance_id=row["vm_name"], hours=6)
        assert (told["outcome"], told["result"]["lease_ends"]) == ("done", "1970-01-12T19:46:40Z")
        assert "Nobody was asked" in told["message"]
        assert (await kept(made))[row["instance_id"]].until == made.clock.at + 6 * HOUR_S
        told = await made.call("set_lease", instance_id=row["instance_id"], until="1970-01-20T12:00+02:00")
        assert told["result"]["lease_ends"] == "1970-01-20T10:00:00Z"
        assert (await kept(made))[row["instance_id"]].set_by == "local:0"
        assert made.effects == []
    lines = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    assert [(line["kind"], line.get("tool"), line.get("outcome")) for line in lines] == [
        ("intent", "set_lease", None), ("outcome", None, "done")
    ] * 2  # fmt: skip


async def test_a_lease_of_no_hours_is_none() -> None:
    async with house() as made:
        at = machine(made)["instance_id"]
        await made.call("set_lease", instance_id=at, hours=6)
        told = await made.call("set_lease", instance_id=at, hours=0)
        assert (told["outcome"], "has no lease" in told["message"], await kept(made)) == ("done", True, {})
        assert (await made.call("set_lease", instance_id=at, hours=0))["outcome"] == "done"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "hours: say either hours or until"),
        ({"hours": 1, "until": "1970-01-20"}, "hours: say either hours or until"),
        ({"hours": -1}, "hours: must be"),
        ({"hours": 9_000}, "hours: must be"),
        ({"until": "tomorrow"}, "until: must be a time such as"),
        ({"until": "1970-01-01"}, "until: is over already"),
    ],
)
async def test_what_is_no_lease_is_refused_in_a_sentence(arguments: dict[str, Any], words: str) -> None:
    async with house() as made:
        told = await made.call("set_lease", instance_id=machine(made)["instance_id"], **arguments)
        assert (told["outcome"], words in told["message"]) == ("refused", True), told
        assert await kept(made) == {}


async def test_a_machine_that_is_not_there_has_no_lease() -> None:
    async with house() as made:
        told = await made.call("set_lease", instance_id="BRK-999999D", hours=1)
        assert (told["outcome"], await kept(made)) == ("refused", {})


@pytest.mark.promise("M2")
async def test_no_row_of_short_leases_passes_what_a_machine_may_cost() -> None:
    async with house() as made:
        at = machine(made)["instance_id"]
        rate = Decimal(str((await made.call("get_instance", instance_id=at))["instance"]["hourly_rate"]))
    limit: dict[str, Any] = {"max_machine_cost": rate * 10}
    async with house(**limit) as made:
        set_for: Any = lambda **arguments: made.call("set_lease", instance_id=at, **arguments)  # noqa: E731 - a word
        assert (await set_for(hours=11))["outcome"] == "refused"
        assert (await set_for(hours=10))["outcome"] == "done"
        made.clock.at += 5 * HOUR_S
        told = await set_for(hours=6)
        assert (told["outcome"], "since its lease began" in told["message"]) == ("refused", True)
        assert "BARRACK_" not in told["message"]
        # shorter is always possible, and as long as before afterwards
        assert (await set_for(hours=2))["outcome"] == "done"
        assert (await set_for(hours=5))["outcome"] == "done"
        endless = await set_for(hours=0)
        assert (endless["outcome"], "without one it has no end" in endless["message"]) == ("refused", True)
        made.clock.at += 6 * HOUR_S
        assert (await set_for(hours=1))["outcome"] == "refused"


async def test_a_lease_whose_price_can_not_be_read_is_not_lengthened_where_that_is_limited() -> None:
    async with house(max_machine_cost=Decimal(1000)) as made:
        made.play({"method": "GET", "path": "/pricing/", "times": 99, "action": "status", "status": 500})
        told = await made.call("set_lease", instance_id=machine(made)["instance_id"], hours=1)
        assert (told["outcome"], await kept(made)) == ("refused", {})


async def test_a_machine_that_is_being_ended_at_this_moment_gets_no_longer_lease() -> None:
    async with house() as made:
        at, account = machine(made)["instance_id"], made.dispatcher.account
        lease = await leases_of(account).keep(account.id, at, until=made.clock.at, caller="ann", how="deploy_instance")
        await Leases(made.store, now=made.clock).claim(lease, seconds=60)
        for hours in (8, 0):
            told = await made.call("set_lease", instance_id=at, hours=hours)
            assert (told["outcome"], "being ended at this moment" in told["message"]) == ("refused", True)


async def test_the_list_says_what_each_costs_when_it_ends_who_set_it_and_whether_it_is_there() -> None:
    async with house() as made:
        assert (await made.call("list_leases"))["total"] == 0
        running, stopped = machine(made), machine(made, "SHUTOFF")
        account = made.dispatcher.account
        await made.call("set_lease", instance_id=running["instance_id"], hours=6)
        for key in (stopped["instance_id"], "BRK-999999D"):
            await leases_of(account).keep(account.id, key, until=made.clock.at - 60, caller="ann", how="default")
        told = await made.call("list_leases")
        assert list(undeclared(told, output_schema(made.dispatcher.surface["list_leases"]))) == []
        assert (told["total"], told["overdue"]) == (3, 2)
        by_id = {row["instance_id"]: row for row in told["leases"]}
        assert [row["instance_id"] for row in told["leases"]][-1] == running["instance_id"]
        assert by_id["BRK-999999D"] | {"there": False, "overdue": True} == by_id["BRK-999999D"]
        first = by_id[stopped["instance_id"]]
        assert (first["there"], first["set_by"], first["how"], first["status"]) == (True, "ann", "default", "SHUTOFF")
        assert first["hourly_rate"] > 0.1
        assert (by_id[running["instance_id"]]["hours"], by_id[running["instance_id"]]["overdue"]) == (6, False)
        late = await made.call("list_leases", overdue_only=True)
        assert {row["instance_id"] for row in late["leases"]} == {stopped["instance_id"], "BRK-999999D"}
        answer = await made.answer("list_leases")
        assert f"costs {first['hourly_rate']:.2f} USD an hour until it is ended" in answer.text
        assert len(await kept(made)) == 3


async def test_whether_a_machine_is_there_is_not_said_where_not_all_could_be_read() -> None:
    async with house() as made:
        account = made.dispatcher.account
        await leases_of(account).keep(account.id, "BRK-999999D", until=1.0, caller="ann", how="default")

        class Half(Account):
            async def read(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
                data = await super().read(tool, arguments)
                return data | {"total": 999, "total_pages": 1} if tool == "list_instances" else data

        made.dispatcher.account = Half(
            account.client, account.url, key_digest=account.key_digest, leases=account.leases
        )
        answer = await made.answer("list_leases")
        (row,) = answer.structured["leases"]
        assert "there" not in row
