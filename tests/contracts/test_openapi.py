"""Our catalogue as an OpenAPI document: valid, whole, marked, the same each time, and true of the simulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from barrack_mcp.api.openapi.adopt import adopt, adopted
from barrack_mcp.api.openapi.comparison import compare
from barrack_mcp.api.openapi.differences import Kind
from barrack_mcp.api.openapi.document import ours, read
from barrack_mcp.api.openapi.export import as_text, export
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import load
from barrack_mcp.api.wire.overrides import Overrides
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

CONTRACT = Path(__file__).parents[1] / "contract"
DOCUMENT = export()
DESCRIBED = {
    operation["operationId"]: (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")


def test_all_operations_are_there_with_the_vendors_groups_and_titles() -> None:
    entries = json.loads((CONTRACT / "operations.json").read_text(encoding="utf-8"))
    assert len(DESCRIBED) == len(entries)
    for entry in entries:
        method, path, operation = DESCRIBED[entry["tool"]]
        assert (method.upper(), path) == (entry["method"], entry["path"])
        assert (operation["tags"], operation["summary"]) == ([entry["group"]], entry["title"])


def test_every_operation_and_every_field_bears_its_mark() -> None:
    for tool, (_, _, operation) in DESCRIBED.items():
        assert operation["x-provenance"] == BY_TOOL[tool].provenance.value
        assert all("x-provenance" in parameter for parameter in operation.get("parameters", []))
    assert DESCRIBED["quote_price"][2]["x-provenance"] == "documented"
    for schema in DOCUMENT["components"]["schemas"].values():
        assert all("x-provenance" in inner for inner in schema.get("properties", {}).values())


def test_every_way_to_fail_is_described() -> None:
    for _, _, operation in DESCRIBED.values():
        assert {"400", "401", "402", "403", "404", "409", "429", "5XX", "2XX"} <= set(operation["responses"])


def test_schemas_bear_the_vendors_names() -> None:
    vendors = set(json.loads((CONTRACT / "schemas.json").read_text(encoding="utf-8")))
    assert len(vendors & set(DOCUMENT["components"]["schemas"])) > 120


def test_the_same_catalogue_gives_the_same_bytes() -> None:
    assert as_text(export()) == as_text(export())
    assert as_text(DOCUMENT).endswith("}\n")
    assert json.loads(as_text(DOCUMENT)) == DOCUMENT


def test_another_header_for_the_key_is_described() -> None:
    other = export(auth_header="X-API-Key", auth_template="{key}")
    validate(other)
    assert other["components"]["securitySchemes"]["key"]["name"] == "X-API-Key"
    assert DOCUMENT["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


@each_operation
async def test_the_simulator_answers_as_the_document_says(operation: Operation) -> None:
    app = create_app(now=lambda: 0.0)
    arguments = examples.good(operation, json.loads(json.dumps(app.state.barrack.state())))
    sent = Contract().for_(operation).request(arguments)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as http:
        with anyio.fail_after(PATIENT_S):
            answer = await http.request(
                sent.method,
                f"http://127.0.0.1/api{sent.path}",
                params=sent.query,
                json=sent.body,
                headers={"Authorization": "Bearer sim-key"},
            )
    assert answer.is_success
    described = DESCRIBED[operation.tool][2]
    _fits(described["responses"]["2XX"]["content"]["application/json"]["schema"], answer.json())
    if sent.body is not None:
        _fits(described["requestBody"]["content"]["application/json"]["schema"], sent.body)


def _fits(schema: Any, value: Any) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def test_adopted_against_ourselves_nothing_differs_and_nothing_is_overridden() -> None:
    document = read(as_text(DOCUMENT).encode(), "ourselves")
    assert compare(document).differences == ()
    assert adopted(document) == load(adopt(document).encode(), "adopted") == Overrides()
    assert [operation.operation_id for operation in ours().operations] == list(BY_TOOL)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.data())
def test_any_part_of_our_own_document_in_any_order_differs_only_in_what_is_left_out(data: st.DataObject) -> None:
    tools = data.draw(st.lists(st.sampled_from(sorted(BY_TOOL)), unique=True, min_size=1, max_size=len(BY_TOOL)))
    paths: dict[str, Any] = {}
    for tool in tools:
        method, path, operation = DESCRIBED[tool]
        paths.setdefault(path, {})[method] = operation
    comparison = compare(read(json.dumps({**DOCUMENT, "paths": paths}).encode(), "a part"))
    assert {each.kind for each in comparison.differences} <= {Kind.MISSING}
    assert {each.tool for each in comparison.differences} == set(BY_TOOL) - set(tools)
    assert comparison.overrides == Overrides()
    assert not comparison.unsure
