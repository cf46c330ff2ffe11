"""A Barrack that speaks otherwise in everything: as shipped it fails, with data every operation works."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from barrack_mcp.account.pages import presented
from barrack_mcp.api.openapi.adopt import adopt, adopted, written
from barrack_mcp.api.openapi.document import read
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import load
from barrack_mcp.api.wire.overrides import Overrides
from barrack_mcp.api.wire.shape import model_of
from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.models import Response
from barrack_mcp.simulator import create_app
from tests.contracts import dialect
from tests.contracts.other import ALIKE, ALIKE_VALUES, ENTRIES, UNLIKE, UNLIKE_VALUES, Other
from tests.support import examples
from tests.support.running import KEY

pytestmark = pytest.mark.anyio

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)


async def sent(contract: Contract, operation: Operation, values: JsonObject, app: Any) -> httpx2.Response:
    """One plain call, as the contract says."""
    wire = contract.for_(operation).request(values)
    api = contract.overrides.api
    header = {api.auth_header or "Authorization": (api.auth_template or "Bearer {key}").replace("{key}", KEY)}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as http:
        url = f"http://127.0.0.1/api{wire.path}"
        return await http.request(wire.method, url, params=wire.query, json=wire.body, headers=header)


def declared(value: Any, model: type[Response]) -> Any:
    """What of an answer the catalogue knows; the rest bears the API's own names."""
    if isinstance(value, list):
        return [declared(item, model) for item in value]
    if not isinstance(value, dict):
        return value
    known = {}
    for name, info in model.model_fields.items():
        inner: Any = model_of(info.annotation)
        if name in value and name not in ("attachment", "attachments", "pricing"):
            known[name] = declared(value[name], inner) if inner else value[name]
    return known


async def works(contract: Contract, operation: Operation, names: Any, values: Any) -> None:
    """The call takes the same effect and gives the same answer as it does where nothing differs."""
    behind = create_app(now=lambda: 0.0)
    await works_at(contract, operation, Other(behind, ENTRIES, names, values), behind)


async def works_at(contract: Contract, operation: Operation, there: Any, behind: Any) -> None:
    """The same of whatever speaks as the contract says before a simulator."""
    plain = create_app(now=lambda: 0.0)
    state = json.loads(json.dumps(plain.state.barrack.state()))
    arguments = examples.good(operation, state) | _more(operation)
    usual = await sent(Contract(), operation, arguments, plain)
    other = await sent(contract, operation, arguments, there)
    assert (other.status_code, other.is_success) == (usual.status_code, True), other.text
    assert list(behind.state.barrack.journal) == list(plain.state.barrack.journal)
    mine = presented(operation, contract.for_(operation).answer(other.json()), arguments)
    assert "unexpected" not in mine
    expected = presented(operation, usual.json(), arguments)
    assert declared(mine, operation.response) == declared(expected, operation.response)
    if operation.result is not None:
        assert mine[operation.result]


def _more(operation: Operation) -> JsonObject:
    """Optional arguments whose names, values or places differ."""
    more: dict[str, JsonObject] = {
        "list_instances": {"status": "ACTIVE", "region": "CANADA-1", "tier": "legacy", "page": 1, "limit": 1},
        "list_volumes": {"page": 2, "limit": 2},
        "deploy_instance": {
            "os_volume": {"name": "root-1", "size_gb": 200},
            "security_rules": [
                {"direction": "egress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "10.0.0.0/8"}
            ],
        },
    }
    return more.get(operation.tool, {})


@each_operation
async def test_as_shipped_the_other_barrack_refuses_every_call_and_nothing_takes_effect(operation: Operation) -> None:
    behind = create_app(now=lambda: 0.0)
    arguments = examples.good(operation, json.loads(json.dumps(behind.state.barrack.state())))
    answer = await sent(Contract(), operation, arguments, Other(behind, ENTRIES))
    assert answer.status_code in (401, 404)
    assert not behind.state.barrack.requests


ADOPTED = load(adopt(read(dialect.as_bytes(dialect.written()), "other.json")).encode(), "adopted.toml")
BY_HAND = load(dialect.handbook().encode(), "handbook.toml")
EXTRA = load(
    b"""
    [operations.list_volumes]
    requires = ["region"]
    constants = { "meta.v" = 2, on = true, tags = ["a", { b = 1.5 }], none = {} }
    [operations.list_volumes.arguments.zone]
    name = "a-z"
    required = false
    type = "array"
    items = { type = "string" }
    """,
    "extra.toml",
)


@each_operation
async def test_after_its_document_is_adopted_every_operation_works(operation: Operation) -> None:
    await works(Contract(ADOPTED), operation, ALIKE, ALIKE_VALUES)


@each_operation
async def test_after_overrides_by_hand_every_operation_works(operation: Operation) -> None:
    await works(Contract(BY_HAND), operation, UNLIKE, UNLIKE_VALUES)


def test_the_document_in_use_is_the_same_as_the_file_that_it_writes() -> None:
    assert adopted(read(dialect.as_bytes(dialect.written()), "other.json")) == ADOPTED


@pytest.mark.parametrize(
    "overrides", [ADOPTED, BY_HAND, EXTRA, Overrides()], ids=["adopted", "by hand", "extra", "none"]
)
def test_overrides_that_are_written_load_as_the_same(overrides: Overrides) -> None:
    assert load(written(overrides).encode(), "again") == overrides
