"""What a tool answers fits its output schema, whatever went wrong; what clients send as text is read as what it is."""

from __future__ import annotations

import json
from typing import Any, Final

import anyio
import httpx2
import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.types import CallToolResult
from pydantic import SecretStr

from barrack_mcp.api.client import open_client
from barrack_mcp.catalogue import OPERATIONS, Operation
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.server.tools import tool_of
from barrack_mcp.simulator import create_app
from tests.support import answers, examples
from tests.support.guarding import Corridor, account_of, guard, writer
from tests.support.patience import PATIENT_S
from tests.support.running import EVERY_RISK, KEY

pytestmark = pytest.mark.anyio

SURFACE: Final = {operation.tool: operation for operation in OPERATIONS}
STATE: Final[Any] = json.loads(json.dumps(create_app(now=lambda: 0.0).state.barrack.state()))
FAULTS: Final[dict[str, answers.Behaviour]] = {
    "not found": answers.json({"error": "no such thing"}, 404),
    "refused": answers.json({"detail": ["wrong", {"field": None}]}, 400),
    "broken": httpx2.Response(500, text="<html>oops</html>"),
    "not JSON": httpx2.Response(200, text="<html>hello</html>"),
    "no answer": httpx2.ReadTimeout("no answer"),
    "unreachable": httpx2.ConnectError("no route"),
    "a defect of ours": ZeroDivisionError("division by zero"),
}
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.tool))


def fits(operation: Operation, result: CallToolResult) -> None:
    schema = tool_of(operation).output_schema
    assert schema is not None
    assert result.structured_content
    Draft202012Validator(schema).validate(result.structured_content)


@pytest.mark.slow
@each_operation
async def test_every_failure_fits_the_schema(operation: Operation) -> None:
    arguments = examples.good(operation, STATE)
    for fault in FAULTS.values():
        server = answers.dispatcher(answers.Answers(fault)).server
        with anyio.fail_after(PATIENT_S):
            async with Client(server) as client:
                result = await client.call_tool(operation.tool, arguments)
        fits(operation, result)
        if fault is not FAULTS["not JSON"]:
            assert result.is_error


@pytest.mark.slow
@each_operation
async def test_what_comes_of_arguments_that_are_wrong_and_of_nobody_having_agreed_fits_the_schema(
    operation: Operation,
) -> None:
    app = create_app(now=lambda: 0.0)
    async with open_client(
        url="http://127.0.0.1/api",
        key=SecretStr(KEY),
        auth_header="Authorization",
        auth_template="Bearer {key}",
        seconds=30,
        app=app,
    ) as api:
        arguments = examples.good(operation, STATE)
        house = Corridor(account=account_of(api), surface=SURFACE, guard=guard(), writer=writer())
        with anyio.fail_after(PATIENT_S):
            async with Client(house.server) as client:
                fits(operation, await client.call_tool(operation.tool, arguments))
                wrong = await client.call_tool(operation.tool, arguments | {"unheard": 1})
        assert wrong.is_error
        fits(operation, wrong)


def compound(operation: Operation) -> set[str]:
    """The arguments that are arrays or objects."""
    properties = arguments_schema(operation.arguments)["properties"]
    return {name for name, schema in properties.items() if schema["type"] in {"array", "object"}}


COMPOUND: Final = [operation for operation in OPERATIONS if compound(operation) & {*examples.good(operation, STATE)}]


def test_some_tools_have_arguments_that_clients_send_as_text() -> None:
    assert len(COMPOUND) >= 5


@pytest.mark.parametrize("operation", COMPOUND, ids=lambda operation: str(operation.tool))
async def test_an_array_that_comes_as_text_has_the_same_effect(operation: Operation) -> None:
    app = create_app(now=lambda: 0.0)
    barrack = app.state.barrack
    async with open_client(
        url="http://127.0.0.1/api",
        key=SecretStr(KEY),
        auth_header="Authorization",
        auth_template="Bearer {key}",
        seconds=30,
        app=app,
    ) as api:
        allowing = guard(unattended=EVERY_RISK.split(","))
        effects = []
        good = examples.good(operation, STATE)
        for given in (good, {name: json.dumps(v) if name in compound(operation) else v for name, v in good.items()}):
            barrack.reset()
            house = Corridor(account=account_of(api), surface=SURFACE, guard=allowing, writer=writer())
            with anyio.fail_after(PATIENT_S):
                async with Client(house.server) as client:
                    result = await client.call_tool(operation.tool, given)
            assert not result.is_error
            effects.append([effect["body"] for effect in barrack.journal])
        assert effects[0] == effects[1]
