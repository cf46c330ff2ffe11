"""An optional argument that comes empty is not given, since some clients make a model fill in every one."""

from __future__ import annotations

from typing import Any

import pytest

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.models import BLANK_COUNTS
from barrack_mcp.catalogue.schema import arguments_schema
from tests.support import examples
from tests.support.house import house

pytestmark = pytest.mark.anyio

MEANT = {
    ("create_ssh_key", "public_key"): "an absent key makes a pair",
    ("update_startup_script", "script"): "an absent text stays as it is",
    **{
        (tool, name): "absent ports are all ports"
        for tool in ("add_firewall_rule", "add_instance_security_rule")
        for name in ("port_range_min", "port_range_max")
    },
}
"""The arguments whose empty text is not the same as none, and why."""


def optional(operation: Operation) -> list[str]:
    schema = arguments_schema(operation.arguments)
    return [name for name in schema["properties"] if name not in schema.get("required", [])]


def test_only_where_leaving_out_would_do_something_else_an_empty_text_counts() -> None:
    marked = set()
    for operation in OPERATIONS:
        for name, info in operation.arguments.model_fields.items():
            extra: Any = info.json_schema_extra
            if BLANK_COUNTS in extra:
                marked.add((operation.tool, name))
    assert marked == {*MEANT}


@pytest.mark.promise("A2")
async def test_a_call_with_every_other_argument_empty_does_what_it_does_without_them() -> None:
    async with house(unattended=["spend", "interrupt", "expose", "destroy"]) as made:

        async def sent(operation: Operation, arguments: JsonObject) -> list[Any]:
            made.barrack.reset()
            result = await made.client.call_tool(operation.tool, arguments)
            assert not result.is_error, (operation.tool, result.content)
            last = made.barrack.requests[0] if operation.reads else made.barrack.journal[-1]
            return [last["method"], last["path"], last["body"]]

        for operation in OPERATIONS:
            made.barrack.reset()
            good = examples.good(operation, made.state)
            empty = {name: "" for name in optional(operation) if (operation.tool, name) not in MEANT}
            assert await sent(operation, empty | good) == await sent(operation, good), operation.tool


@pytest.mark.parametrize(("tool", "name"), MEANT)
async def test_what_an_empty_text_would_change_is_refused_or_asked_about(tool: str, name: str) -> None:
    async with house() as made:
        outcome = await made.call(tool, **{**examples.good(BY_TOOL[tool], made.state), name: ""})
        assert outcome["outcome"] in ("refused", "approval_required"), MEANT[tool, name]
        assert made.effects == []
