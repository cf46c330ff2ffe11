"""Every operation through a real client: what is sent, what takes effect, and what never leaves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import MCPError
from mcp.types import CallToolResult, TextContent

from barrack_mcp.catalogue import OFFERS, OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.house import ASKING, House, Person, house, says_yes
from tests.support.running import EVERY_RISK, KEY, listening, product

pytestmark = pytest.mark.anyio

CONTRACT = {
    entry["tool"]: entry
    for entry in json.loads((Path(__file__).parent / "contract" / "operations.json").read_text(encoding="utf-8"))
}
ERAS = {"2025-11-25": "legacy", "2026-07-28": "auto"}


def text(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


UNATTENDED = EVERY_RISK.split(",")


def state_of(barrack: Any) -> Any:
    return json.loads(json.dumps(barrack.state()))


async def each_operation() -> AsyncIterator[tuple[House, Operation, JsonObject]]:
    """Every operation in turn, in one house that asks nobody, on a fresh account, with arguments that work."""
    async with house(unattended=UNATTENDED) as made:
        for operation in OPERATIONS:
            made.barrack.reset()
            yield made, operation, examples.good(operation, made.state)


@pytest.mark.parametrize("era", ERAS)
async def test_every_operation_runs_through_the_whole_house_and_each_write_has_the_one_effect_of_the_contract(
    era: str,
) -> None:
    person = Person(says_yes)
    async with house(era=ERAS[era], person=person) as made:
        assert made.client.protocol_version == era
        for operation in OPERATIONS:
            made.barrack.reset()
            person.questions.clear()
            arguments = made.good(operation.tool)
            # the client itself raises when structured content doesn't fit the output schema, here and everywhere below
            result = await made.client.call_tool(operation.tool, arguments)
            assert not result.is_error, f"{operation.tool}: {text(result)}"
            assert result.structured_content, operation.tool
            assert len(person.questions) == (operation in ASKING), operation.tool
            _sent_as_the_contract_says(operation, arguments, made.barrack)


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_every_operation_runs_over_stdio_and_each_write_has_the_one_effect_of_the_contract(era: str) -> None:
    app = create_app(now=lambda: 0.0)
    barrack = app.state.barrack
    async with (
        listening(app) as url,
        product(
            settings={"BARRACK_API_URL": f"{url}/api", "BARRACK_API_KEY": KEY, "BARRACK_UNATTENDED": EVERY_RISK},
            mode=ERAS[era],
        ) as client,
    ):
        assert client.protocol_version == era
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == [*OFFERS]
        for operation in OPERATIONS:
            barrack.reset()
            arguments = examples.good(operation, state_of(barrack))
            result = await client.call_tool(operation.tool, arguments)
            assert not result.is_error, f"{operation.tool}: {text(result)}"
            _sent_as_the_contract_says(operation, arguments, barrack)


def _sent_as_the_contract_says(operation: Operation, arguments: JsonObject, barrack: Any) -> None:
    entry = CONTRACT[operation.tool]
    path = entry["path"].format_map(arguments)
    rest = {name: value for name, value in arguments.items() if f"{{{name}}}" not in entry["path"]}
    if entry["risk"] == "read":
        assert not barrack.journal
        sent = barrack.requests[0]
        assert (sent["method"], sent["path"]) == (entry["method"], path)
        if entry["method"] == "GET":
            assert sent["query"] == {name: str(value) for name, value in rest.items()}
            assert sent["body"] is None
        else:
            assert sent["body"] == (rest or None)
        return
    (effect,) = barrack.journal
    assert effect["operation"] == operation.tool
    assert (effect["method"], effect["path"], effect["body"]) == (entry["method"], path, rest or None)


async def test_a_missing_argument_is_named_and_nothing_is_sent() -> None:
    async for made, operation, good in each_operation():
        for name in examples.required(operation):
            arguments = {other: value for other, value in good.items() if other != name}
            await _refused(made, operation, arguments, naming=name)


async def test_an_unknown_argument_is_named_and_nothing_is_sent() -> None:
    async for made, operation, good in each_operation():
        await _refused(made, operation, good | {"dry_run": True}, naming="dry_run")


async def test_a_value_out_of_range_is_named_never_echoed_and_nothing_is_sent() -> None:
    async for made, operation, good in each_operation():
        for name, value in examples.out_of_range(operation):
            # what could be a name is looked up first
            message = await _refused(made, operation, good | {name: value}, naming=name, looks=value == "a b")
            if isinstance(value, str) and value not in ("", ".", "1", "billing"):
                assert value not in message, operation.tool


async def _refused(
    made: House, operation: Operation, arguments: JsonObject, *, naming: str, looks: bool = False
) -> str:
    result = await made.client.call_tool(operation.tool, arguments)
    assert result.is_error, (operation.tool, arguments)
    assert result.structured_content is not None
    assert result.structured_content["outcome"] == "refused", operation.tool
    assert naming in text(result), operation.tool
    lists = {(other.method, other.path) for other in OPERATIONS if other.paged} if looks else set()
    assert {*made.sent} <= lists, operation.tool
    made.barrack.requests.clear()
    return text(result)


async def test_an_unknown_id_changes_nothing_and_is_named() -> None:
    async for made, operation, good in each_operation():
        for name, value in good.items():
            if not name.endswith(("_id", "_ids")):
                continue
            wrong: Any = [examples.UNKNOWN_ID] if isinstance(value, list) else examples.UNKNOWN_ID
            result = await made.client.call_tool(operation.tool, good | {name: wrong})
            assert not made.effects, operation.tool
            if not operation.reads or name in operation.placeholders:
                assert result.is_error, operation.tool
                assert name in text(result), operation.tool


async def test_an_argument_that_is_null_is_as_good_as_left_out() -> None:
    async for made, operation, good in each_operation():
        nulls = {name: None for name in arguments_schema(operation.arguments)["properties"] if name not in good}
        assert not (await made.client.call_tool(operation.tool, good | nulls)).is_error, operation.tool
        if operation.reads:
            assert made.barrack.requests[0]["body"] is None or operation.method == "POST", operation.tool
        else:
            body = made.barrack.journal[0]["body"] or {}
            assert set(body) == set(good) - set(operation.placeholders), operation.tool


@pytest.mark.slow
@pytest.mark.promise("G11")
@pytest.mark.parametrize("era", ERAS)
async def test_read_only_lists_and_runs_reads_alone(era: str) -> None:
    app = create_app(now=lambda: 0.0)
    barrack = app.state.barrack
    async with (
        listening(app) as url,
        product(
            "--read-only",
            settings={"BARRACK_API_URL": f"{url}/api", "BARRACK_API_KEY": KEY, "BARRACK_UNATTENDED": EVERY_RISK},
            mode=ERAS[era],
        ) as client,
    ):
        reads = [offer.tool for offer in OFFERS.values() if offer.reads]
        assert [tool.name for tool in (await client.list_tools()).tools] == reads
        for operation in OPERATIONS:
            arguments = examples.good(operation, state_of(barrack))
            if operation.reads:
                assert not (await client.call_tool(operation.tool, arguments)).is_error
                continue
            with pytest.raises(MCPError) as error:
                await client.call_tool(operation.tool, arguments)
            assert error.value.code == -32602
    assert not barrack.journal
    safe = {(entry["method"], entry["path"]) for entry in CONTRACT.values() if entry["risk"] == "read"}
    methods = {(sent["method"], sent["path"]) for sent in barrack.requests if sent["method"] != "GET"}
    assert methods <= safe


async def test_an_unknown_tool_is_a_protocol_error() -> None:
    async with house() as made:
        with pytest.raises(MCPError) as error:
            await made.client.call_tool("delete_everything", {})
        assert error.value.code == -32602


async def test_the_sweep_itself_would_notice_a_wrong_body() -> None:
    app = create_app(now=lambda: 0.0)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as http:
        answer = await http.post(
            "/api/firewalls/create/",
            json={"name": "web", "region": "CANADA-1", "description": "more"},
            headers={"Authorization": f"Bearer {KEY}"},
        )
        assert answer.status_code < 300
    operation = next(operation for operation in OPERATIONS if operation.tool == "create_firewall")
    with pytest.raises(AssertionError):
        _sent_as_the_contract_says(operation, {"name": "web", "region": "CANADA-1"}, app.state.barrack)
