"""Whatever the API answers becomes an answer that fits its tool, with nothing silently lost."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.account.pages import presented
from barrack_mcp.api.body import MAX_BYTES, is_list, without_nulls
from barrack_mcp.api.text import compact
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject
from barrack_mcp.catalogue.schema import answer_schema


def show(tool: str, body: Any, **arguments: Any) -> JsonObject:
    return presented(BY_TOOL[tool], body, arguments)


ROW = {"volume_id": "BRK-1V", "volume_name": "data"}


@pytest.mark.parametrize(
    "body",
    [
        {"success": True, "volumes": [ROW]},
        {"success": True, "data": [ROW]},
        {"success": True, "results": [ROW]},
        {"items": [ROW]},
        {"data": {"volumes": [ROW]}},
        {"data": {"volumes": [{"id": "BRK-1V", "name": "data"}]}},
        [ROW],
    ],
)
def test_a_list_is_found_under_whichever_name_it_comes(body: Any) -> None:
    assert show("list_volumes", body) == {"volumes": [ROW]}


@pytest.mark.parametrize("name", ["instance", "vm", "data", "result"])
def test_one_thing_is_found_under_whichever_name_it_comes(name: str) -> None:
    shown = show("get_instance", {"success": True, name: {"instance_id": "BRK-1D"}, "request_id": "0a1b2c3d"})
    assert shown == {"instance": {"instance_id": "BRK-1D"}, "request_id": "0a1b2c3d"}


def test_a_flat_answer_may_come_wrapped() -> None:
    body = {"success": True, "message": "Stopping", "data": {"instance_id": "BRK-1D", "status": "STOPPING"}}
    assert show("stop_instance", body) == {"message": "Stopping", "instance_id": "BRK-1D", "status": "STOPPING"}


def test_the_position_of_a_page_may_come_nested() -> None:
    shown = show("list_instances", {"instances": [], "pagination": {"total": 0, "page": 1}})
    assert (shown["total"], shown["page"]) == (0, 1)


def test_unknown_fields_are_kept_and_numbers_stay_as_they_came() -> None:
    body = {"volume": {"volume_id": 17, "size_gb": 100, "colour": "blue", "price": 0.10}, "mood": None}
    assert show("get_volume", body) == {
        "volume": {"volume_id": "17", "size_gb": 100, "colour": "blue", "price": 0.1},
        "mood": None,
    }


def test_a_value_of_another_type_is_null_and_told_as_it_came() -> None:
    shown = show("list_volumes", {"volumes": [{"volume_id": "BRK-1V", "size_gb": "a lot"}], "total": "many"})
    assert shown["volumes"] == [{"volume_id": "BRK-1V", "size_gb": None}]
    assert shown["total"] is None
    assert shown["unexpected"] == {"volumes.0.size_gb": "a lot", "total": "many"}


def test_a_row_that_is_no_object_is_set_aside_and_the_others_stay() -> None:
    shown = show("list_volumes", {"volumes": [ROW, 7, None, ROW]})
    assert shown["volumes"] == [ROW, ROW]
    assert shown["unexpected"]["volumes.1"] == "7"


def test_a_root_of_another_type_is_told_as_it_came() -> None:
    assert show("list_volumes", {"volumes": "none"}) == {"volumes": None, "unexpected": {"volumes": "none"}}


def test_twenty_rows_are_shown_unless_more_are_asked_for() -> None:
    rows = [{"volume_id": f"BRK-{number}V"} for number in range(70)]
    shown = show("list_volumes", {"volumes": rows})
    assert len(shown["volumes"]) == 20
    assert shown["notes"] == ["Rows 1-20 of 70. page=2 gives the next ones."]
    shown = show("list_volumes", {"volumes": rows}, page=2, limit=50)
    assert [row["volume_id"] for row in shown["volumes"]] == [f"BRK-{number}V" for number in range(50, 70)]
    assert shown["notes"] == ["Rows 51-70 of 70."]
    assert "No rows on page 9" in show("list_volumes", {"volumes": rows}, page=9)["notes"][0]


def test_the_apis_own_pages_are_trusted() -> None:
    body = {"volumes": [ROW] * 20, "total": 500, "page": 3, "limit": 20, "total_pages": 25}
    assert show("list_volumes", body, page=3)["notes"] == ["Rows 41-60 of 500. page=4 gives the next ones."]


def test_a_list_without_pages_says_how_to_narrow_it() -> None:
    shown = show("list_gpu_specs", {"specs": [{"gpu_model": "L40"}] * 30})
    assert len(shown["specs"]) == 20
    assert shown["notes"] == ["Rows 1-20 of 30. Narrow the list with gpu_model, gpu_count, tier, region."]


def test_a_list_that_the_api_gives_whole_is_paged_here() -> None:
    rows = [{"gpu_model": f"M{number}"} for number in range(30)]
    second = show("list_gpu_stock", {"stocks": rows}, page=2, limit=12)
    assert [row["gpu_model"] for row in second["stocks"]] == [f"M{number}" for number in range(12, 24)]
    assert second["notes"] == ["Rows 13-24 of 30. page=3 gives the next ones."]
    assert "notes" not in show("list_gpu_stock", {"stocks": rows[:20]})


def test_a_list_that_nothing_narrows_is_shown_whole() -> None:
    shown = show("list_firewall_protocols", {"protocols": [{"value": str(number)} for number in range(30)]})
    assert len(shown["protocols"]) == 30
    assert "notes" not in shown


def test_an_answer_stays_small_and_says_how_to_get_the_rest() -> None:
    rows = [{"volume_id": f"BRK-{number}V", "volume_name": "x" * 5_000} for number in range(100)]
    shown = show("list_volumes", {"volumes": rows, "total": 100}, limit=100)
    assert len(compact(shown).encode()) < MAX_BYTES + 1_000
    count = len(shown["volumes"])
    assert 0 < count < 100
    assert f"limit={count}" in shown["notes"][0]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_any_answer_at_all_fits_its_schema(data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(OPERATIONS))
    names = [*operation.response.model_fields, "data", "results", "items", "result", "pagination", "success"]
    body = data.draw(st.dictionaries(st.sampled_from(names), json_values, max_size=4) | json_values)
    rooted = operation.result
    if rooted and is_list(operation) and data.draw(st.booleans()):
        fields = ["id", "name", "status", "total"]
        rows = st.lists(st.dictionaries(st.sampled_from(fields), json_values, max_size=3) | json_values, max_size=3)
        body = {rooted: data.draw(rows)}
    jsonschema.validate(without_nulls(presented(operation, body, {})), answer_schema(operation.response))
