"""How answers are held against what we know: where the result is, which fields differ, and nothing private told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.overrides import OperationOverride, Overrides
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS
from barrack_mcp.cli.doctor.drift import fit, rows

READS = [operation for operation in OPERATIONS if operation.reads]
VOLUMES = BY_TOOL["list_volumes"]
ROW = {"volume_id": "v-1", "volume_name": "data", "status": "available", "size_gb": 10, "region": "CANADA-1"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["volumes", "data", "id", "status", "x-1", "volume_id"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "fits", "way"),
    [
        ({"volumes": [ROW]}, True, ""),
        ([ROW], True, ""),
        ({"results": [ROW]}, True, ""),
        ({"data": {"volumes": [ROW]}}, True, ""),
        ({"data": {"disks": [ROW]}}, False, "data.disks"),
        ({"a": {"b": {"disks": [ROW]}}}, False, "a.b.disks"),
        ({"a": {"b": {"c": {"disks": [ROW]}}}}, False, ""),
        ({"disks": []}, False, "disks"),
        ({"volumes": []}, True, ""),
        ({"volumes": None}, False, ""),
        ({"volumes": 7}, False, ""),
        ({"volumes": [{"colour": 1}]}, False, ""),
        ({"volumes": [{"colour": 1}], "disks": [ROW]}, False, "disks"),
        ({"render-1": [ROW]}, False, ""),
        ({}, False, ""),
        (None, False, ""),
        ("text", False, ""),
    ],
)
def test_the_result_is_found_where_it_is(body: Any, fits: bool, way: str) -> None:  # noqa: FBT001 - an expectation
    found = fit(VOLUMES, Contract(), body)
    assert (found.fits, found.way) == (fits, way)
    assert bool(rows(VOLUMES, found.data)) == ("v-1" in str(body) and (fits or bool(way)))


def test_an_override_that_finds_the_result_makes_it_fit() -> None:
    contract = Contract(Overrides(operations={"list_volumes": OperationOverride(result="data.disks")}))
    assert fit(VOLUMES, contract, {"data": {"disks": [ROW]}}).fits


def test_names_below_a_wrapped_result_are_told_with_the_way_to_it() -> None:
    row = {("disk_id" if name == "volume_id" else name): value for name, value in ROW.items()}
    found = fit(VOLUMES, Contract(), {"data": {"volumes": [row]}})
    assert (found.fits, found.way) == (True, "data.volumes")
    assert found.drift.renamed == {"volumes.volume_id": "disk_id"}
    assert rows(VOLUMES, found.data)[0]["volume_id"] == "v-1"


def test_a_name_that_is_alike_but_holds_another_kind_of_value_is_new_and_not_renamed() -> None:
    row = {name: value for name, value in ROW.items() if name != "size_gb"} | {"capacity_gb": {"min": 1}}
    found = fit(VOLUMES, Contract(), {"volumes": [row]})
    assert not found.drift.renamed
    assert "volumes.capacity_gb" in found.drift.new
    assert "volumes.size_gb" in found.drift.missing


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"a": 1}, "an object"),
        ([1], "a list"),
        ("many", "a text"),
        (True, "true or false"),
        (["x" * 300], "a list"),
        ({"x": "y" * 300}, "an object"),
    ],
)
def test_a_value_of_another_type_is_told_by_its_kind_alone(value: Any, kind: str) -> None:
    found = fit(VOLUMES, Contract(), {"volumes": [ROW, ROW | {"size_gb": value}]})
    assert found.drift.types == {"volumes.size_gb": kind}
    assert "many" not in repr(found.drift)


def test_a_number_where_a_list_is_due_is_told() -> None:
    found = fit(BY_TOOL["list_instances"], Contract(), {"instances": [{"instance_id": "i", "security_rules": 7.5}]})
    assert found.drift.types == {"instances.security_rules": "a number"}


def test_a_field_named_like_something_of_the_account_is_not_told() -> None:
    body = {"volumes": [ROW | {"render": 1, "tags": ["render"], "BRK-1D": 2, "x" * 41: 3, "note": 4}]}
    assert fit(VOLUMES, Contract(), body).drift.new == ("volumes.note", "volumes.tags")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(JSON, st.sampled_from(READS))
def test_no_answer_breaks_it(body: Any, operation: Any) -> None:
    found = fit(operation, Contract(), body)
    assert not [name for name in (*found.drift.new, *found.drift.types, found.way) if "x-1" in name]
