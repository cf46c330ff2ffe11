"""What was made through us a moment ago: it counts, and is new, while the API's own lists don't show it yet."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from barrack_mcp.account.deeds import NEW_S, Deeds
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, signs
from barrack_mcp.catalogue.kinds import INSTANCE, KINDS, Kind
from tests.support.clock import Clock
from tests.support.house import House, house

pytestmark = pytest.mark.anyio

MAKING = {
    operation.sign.kind.type: operation.tool
    for operation in reversed(OPERATIONS)
    if isinstance(operation.sign, signs.Made) and not isinstance(operation.sign, signs.Copied)
}
"""What makes each kind of thing by itself."""
NOT_FOUND = {"action": "status", "status": 404, "times": 50, "body": {"success": False, "message": "Not found"}}


def path(kind: Kind) -> str:
    """The path of a kind's list."""
    return BY_TOOL[kind.list_tool].path


async def made_of(made: House, kind: Kind) -> tuple[str, str]:
    """Make one; its id and its name."""
    arguments: dict[str, Any] = dict(made.good(MAKING[kind.type])) | {"name": "bran-new"}
    told = await made.call(MAKING[kind.type], **arguments)
    assert told["outcome"] == "done"
    row = told["result"][BY_TOOL[MAKING[kind.type]].result]
    return str(next(row[name] for name in kind.ids if row.get(name))), "bran-new"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.type in MAKING], ids=lambda kind: kind.type)
async def test_what_the_api_does_not_know_yet_is_told_as_new_and_nothing_else_is_offered(kind: Kind) -> None:
    async with house(unattended=["spend"]) as made:
        made_id, name = await made_of(made, kind)
        rows = (await made.call(kind.list_tool))[BY_TOOL[kind.list_tool].result or ""]
        old = [row for row in rows if made_id not in (str(row.get(each)) for each in kind.ids)]
        assert len(old) == len(rows) - 1
        listed = {"success": True, BY_TOOL[kind.list_tool].result: old, "total": len(old), "page": 1, "limit": 100}
        only_old = {"action": "status", "status": 200, "times": 50, "body": listed, "method": "GET", "path": path(kind)}
        made.play(only_old, NOT_FOUND)
        effects = len(made.effects)
        argument = kind.arguments[0]
        deleting = next(tool for tool in BY_TOOL if tool == f"delete_{kind.get_tool.removeprefix('get_')}")
        for tool in (kind.get_tool, deleting):
            for word in (made_id, name):
                told = (await made.call(tool, **{argument: word}))["message"]
                assert "is new: it was made a moment ago" in told, (tool, word, told)
                assert "did you mean" not in told
                assert "shows what" not in told
        assert len(made.effects) == effects


@pytest.mark.promise("G18")
async def test_what_was_just_bought_counts_though_no_list_shows_it_yet() -> None:
    async with house() as made:
        cost = (await made.call("deploy_instance", **made.good("deploy_instance")))["plan"]["cost"]
        instances = await made.call("list_instances")
    limit = Decimal(str(cost["account_hourly_after"])) + Decimal(str(cost["hourly_after"])) / 2
    async with house(unattended=["spend"], max_hourly_cost=limit) as made:
        listed = {"success": True, "instances": made.state["instances"], "total": len(instances["instances"])}
        made.play({"action": "status", "status": 200, "times": 50, "body": listed, "path": path(INSTANCE)})
        outcomes = [
            (await made.call("deploy_instance", **dict(made.good("deploy_instance")) | {"name": f"n-{at}"}))["outcome"]
            for at in range(3)
        ]
        assert outcomes == ["done", "refused", "refused"]
        assert made.effects == ["deploy_instance"]


def test_what_was_seen_or_destroyed_or_is_old_is_new_no_more() -> None:
    clock = Clock()
    deeds = Deeds(clock)
    deploy, delete = BY_TOOL["deploy_instance"], BY_TOOL["delete_instance"]

    def buy(number: int) -> dict[str, Any]:
        row = {"instance_id": f"BRK-{number}D", "vm_name": f"n-{number}"}
        deeds.note(deploy, {"tier": "legacy", "gpu_model": "A", "gpu_count": 2}, {deploy.result or "": row})
        return row

    first, second, third = (buy(number) for number in range(3))
    assert [row["instance_id"] for row in deeds.missing(INSTANCE, [])] == ["BRK-0D", "BRK-1D", "BRK-2D"]
    assert deeds.missing(INSTANCE, [])[0].items() >= {"status": "CREATING", "gpu_count": 2, "tier": "legacy"}.items()
    assert [row["instance_id"] for row in deeds.missing(INSTANCE, [first])] == ["BRK-1D", "BRK-2D"]
    assert deeds.find(INSTANCE, "n-1") is not None
    deeds.note(delete, {"instance_id": second["instance_id"]}, {})
    assert deeds.find(INSTANCE, "n-1") is None
    assert [row["instance_id"] for row in deeds.missing(INSTANCE, [])] == [third["instance_id"]]
    clock.at += NEW_S
    assert deeds.missing(INSTANCE, []) == []
    deeds.note(deploy, {}, {})
    deeds.note(deploy, {}, {deploy.result or "": {"vm_name": "no id"}})
    assert deeds.missing(INSTANCE, []) == []
