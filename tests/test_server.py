"""What a client sees of the server itself: hints, schemas, and errors of our own."""

from __future__ import annotations

import json
import logging
import re

import jsonschema
import pytest
from mcp import Client, MCPError
from mcp.types import TextContent

from barrack_mcp.catalogue import OFFERS, OPERATIONS, Operation, Risk
from barrack_mcp.config import read_settings
from barrack_mcp.server.cards import CARDS
from barrack_mcp.server.house import open_server
from barrack_mcp.server.tools import tool_of
from tests.support.answers import CANARY, Answers, dispatcher

pytestmark = pytest.mark.anyio

HINTS = {
    Risk.READ: (True, False, True),
    Risk.CHANGE: (False, False, None),
    Risk.SPEND: (False, False, False),
    Risk.INTERRUPT: (False, True, None),
    Risk.EXPOSE: (False, True, False),
    Risk.DESTROY: (False, True, True),
}
"""Read-only, destructive and idempotent by risk; None where each operation has its own."""


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)
def test_every_tool_has_title_description_hints_and_schemas_of_its_own(operation: Operation) -> None:
    tool = tool_of(operation)
    assert tool.title
    assert tool.description
    hints = tool.annotations
    assert hints is not None
    read_only, destructive, idempotent = HINTS[operation.risk]
    assert hints.read_only_hint is read_only
    assert hints.destructive_hint is destructive
    assert isinstance(hints.idempotent_hint, bool)
    assert idempotent is None or hints.idempotent_hint is idempotent
    assert hints.open_world_hint is True
    for schema in (tool.input_schema, tool.output_schema):
        assert schema is not None
        assert schema["type"] == "object"
        jsonschema.Draft202012Validator.check_schema(schema)
        assert not re.search(
            r'"(\$ref|anyOf|oneOf|allOf|pattern|title)":', json.dumps(schema).replace('"title": {', "")
        )


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_tool_in_other_letters_is_guessed_and_none_that_is_left_out_is_named(mode: str) -> None:
    async with (
        open_server(read_settings({"BARRACK_SIMULATOR": "1", "BARRACK_READ_ONLY": "1"})) as house,
        Client(house.server, mode=mode) as client,
    ):
        for name, hint in (
            ("LIST-INSTANCES", "did you mean list_instances?"),
            ("listInstances", "did you mean list_instances?"),
            ("mcp__barrack__list_instances", "did you mean list_instances?"),
            ("barrack.listInstances", "did you mean list_instances?"),
            ("get_runway", "tools/list names those on offer."),
            ("rank_instances", "tools/list names those on offer."),
            ("delete_instance", "tools/list names those on offer."),
            ("DELETE-INSTANCE", "tools/list names those on offer."),
            ("no_such", "tools/list names those on offer."),
        ):
            with pytest.raises(MCPError) as error:
                await client.call_tool(name, {})
            assert error.value.message == f"Unknown tool; {hint}"


@pytest.mark.promise("P4")
@pytest.mark.parametrize(("mode", "calls"), [("legacy", 50), ("auto", 300)])
async def test_the_list_is_the_same_for_the_life_of_a_process(mode: str, calls: int) -> None:
    async with (
        open_server(read_settings({"BARRACK_SIMULATOR": "1"})) as house,
        Client(house.server, mode=mode) as client,
    ):
        before = (await client.list_tools(cache_mode="refresh")).model_dump_json()
        for _ in range(calls):
            await client.call_tool("get_credit_balance", {})
        assert (await client.list_tools(cache_mode="refresh")).model_dump_json() == before


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize(("tool", "outcome"), [("list_volumes", "failed"), ("start_instance", "refused")])
async def test_an_error_of_our_own_has_an_id_and_none_of_its_text(
    mode: str, tool: str, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Answers(ZeroDivisionError(f"secret {CANARY}"))
    async with Client(dispatcher(broken).server, mode=mode) as client:
        arguments = {} if tool == "list_volumes" else {"instance_id": "BRK-1D"}
        with caplog.at_level(logging.ERROR):
            result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content is not None
    assert result.structured_content["outcome"] == outcome
    (block,) = result.content
    assert isinstance(block, TextContent)
    crash = re.match(r"Internal error ([0-9a-f]{16})", block.text)
    assert crash
    assert crash[1] in caplog.text
    assert CANARY not in block.text


async def test_the_embedded_simulator_needs_no_network_and_no_key() -> None:
    async with open_server(read_settings({"BARRACK_SIMULATOR": "1"})) as house, Client(house.server) as client:
        result = await client.call_tool("get_credit_balance", {})
    assert result.structured_content is not None
    assert result.structured_content["balance"]["amount"] > 0


def test_a_card_loads_nothing_and_its_tool_names_it() -> None:
    for card in CARDS:
        assert "default-src 'none'" in card.html
        assert not re.findall(r"(?:src|href|url)\s*[=(]|\bfetch\(|XMLHttpRequest|\bimport\b", card.html)
        assert (tool_of(OFFERS[card.tool]).meta or {})["ui"] == {"resourceUri": card.uri}
