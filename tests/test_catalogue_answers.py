"""What the API answers: documented bodies are shown as they are, other forms are brought to ours without loss."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from barrack_mcp.api.body import without_nulls
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation, answer_schema
from barrack_mcp.catalogue.models import spellings

ANSWERS = {operation.tool: answer_schema(operation.response) for operation in OPERATIONS}
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.tool))


def answer(tool: str, body: JsonObject) -> JsonObject:
    """Read a body as the product does, and see that it fits the schema that is promised."""
    shown = BY_TOOL[tool].response.read(body)
    Draft202012Validator(ANSWERS[tool]).validate(without_nulls(shown))
    return shown


def _anything_named(operation: Operation) -> st.SearchStrategy[JsonObject]:
    """Bodies of any shape whose names are those of an operation's answer, some of them; and one that nobody knows."""
    names = [
        name
        for model in (operation.response, operation.row)
        for field in model.model_fields
        for name in spellings(model, field)
    ]
    leaf = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(["", "a", "2.49", "7", "é\ud800"])
    )
    named = st.sampled_from([*dict.fromkeys(names), "colour"])
    value = st.recursive(
        leaf, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(named, inner, max_size=4))
    )
    return st.dictionaries(named, value, max_size=5)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(OPERATIONS).flatmap(lambda operation: st.tuples(st.just(operation), _anything_named(operation))))
def test_an_answer_is_read_into_plain_objects_as_its_model_reads_and_writes_it(
    case: tuple[Operation, JsonObject],
) -> None:
    operation, body = case
    by_model = _outcome(lambda: operation.response.model_validate(body).model_dump(mode="json", exclude_unset=True))
    assert _outcome(lambda: operation.response.read(body)) == by_model


def _outcome(read: Callable[[], JsonObject]) -> str:
    """What was read, in its order; or where it could not be."""
    try:
        return json.dumps(read())
    except ValidationError as fault:
        return repr([each["loc"] for each in fault.errors()])


PRICES = {"USD": 0.1, "EUR": 0.1, "INR": 10}
VERIFIED: dict[str, JsonObject] = {
    "get_pricing": {
        "message": "…",
        "pricing_data": {
            "volumes": {
                "pricing": {"legacy": {"SSD": {"prices": PRICES, "unit": "per TB per hour"}}},
                "minimum_size_gb": 100,
                "description": "…",
            },
            "snapshots": {"pricing": {"legacy": {"prices": PRICES, "fixed_size_gb": 100}}, "description": "…"},
            "gpus": {"pricing": {"legacy": {"RTX-A6000": {"prices": PRICES, "max_count": 4}}}, "description": "…"},
            "metadata": {
                "supported_currencies": ["USD", "EUR", "INR"],
                "supported_tiers": ["legacy", "advanced"],
                "volume_minimum_size_gb": 100,
                "authenticated_user": "…",
                "authentication_type": "api_key",
                "timestamp": 1_700_000_000,
            },
        },
        "request_id": "0a1b2c3d",
    },
    "get_instance_billing": {
        "records": [
            {
                "billing_id": "BRK-000001DB",
                "instance_id": "BRK-000001D",
                "vm_name": "train-1",
                "gpu_type": "H100-SXM5-80GB",
                "gpu_count": 4,
                "tier": "advanced",
                "start_time": "2026-01-15T10:30:00Z",
                "end_time": None,
                "total_duration_minutes": 600,
                "per_minute_rate": 0.166,
                "total_cost": 99.6,
                "currency": "USD",
                "status": "active",
                "description": "…",
            }
        ],
        "summary": {
            "totalMinutes": 600,
            "activeCount": 1,
            "completedCount": 0,
            "hibernatedCount": 0,
            "averageUsage": 600,
            "totalCost": 99.6,
        },
        "total": 1,
        "page": 1,
        "limit": 20,
        "total_pages": 1,
        "currency": "USD",
    },
    "remove_instance_security_rule": {
        "message": "…",
        "instance_id": "BRK-000001D",
        "rule_id": "17",
        "tier": "legacy",
        "request_id": "0a1b2c3d",
    },
}


@pytest.mark.parametrize("tool", VERIFIED)
def test_a_body_that_the_vendor_documents_is_shown_as_it_is_and_every_field_of_it_is_known(tool: str) -> None:
    assert answer(tool, VERIFIED[tool]) == VERIFIED[tool]
    assert unknown_fields(VERIFIED[tool], ANSWERS[tool]) == []


def unknown_fields(value: Any, schema: JsonObject) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in unknown_fields(item, schema["items"])]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    return [name for name in value if name not in known] + [
        deeper for name, item in value.items() if name in known for deeper in unknown_fields(item, known[name])
    ]


@each_operation
def test_an_answer_without_any_field_and_one_of_nulls_and_one_of_news_are_read(operation: Operation) -> None:
    assert answer(operation.tool, {}) == {}
    nulls = dict.fromkeys(ANSWERS[operation.tool]["properties"])
    assert answer(operation.tool, nulls) == nulls
    assert answer(operation.tool, {"brand_new": [1]}) == {"brand_new": [1]}


@pytest.mark.parametrize(
    ("tool", "sent", "shown"),
    [
        ("get_credit_balance", {"balance": 250}, {"balance": {"amount": 250}}),
        ("get_credit_balance", {"balance": "250.50"}, {"balance": {"amount": 250.5}}),
        ("get_credit_balance", {"balance": {"credits": 1}}, {"balance": {"amount": 1}}),
        (
            "get_credit_balance",
            {"balance": {"USD": 1, "EUR": "2.5", "note": "x"}},
            {"balance": {"by_currency": {"USD": 1, "EUR": 2.5}, "note": "x"}},
        ),
        (
            "list_gpu_stock",
            {"stocks": [{"model": "L40", "available": "200+", "configurations": {"1": 3, "8": {"available": "0"}}}]},
            {
                "stocks": [
                    {
                        "gpu_model": "L40",
                        "available": "200+",
                        "configurations": [{"gpu_count": 1, "available": "3"}, {"gpu_count": 8, "available": "0"}],
                    }
                ]
            },
        ),
        ("list_gpu_stock", {"stocks": [{"available": True}]}, {"stocks": [{"available": "true"}]}),
        ("list_regions", {"regions": ["US-1", {"code": "X"}]}, {"regions": [{"name": "US-1"}, {"name": "X"}]}),
        ("list_gpu_specs", {"specs": [{"regions": "US-1"}]}, {"specs": [{"regions": ["US-1"]}]}),
        ("list_firewall_protocols", {"protocols": ["tcp"]}, {"protocols": [{"value": "tcp"}]}),
        (
            "list_snapshot_images",
            {"relationships": {"s1": {"has_image": False}, "s2": None, "s3": "img-1"}},
            {
                "relationships": [
                    {"snapshot_id": "s1", "has_image": False},
                    {"snapshot_id": "s2", "image": None},
                    {"snapshot_id": "s3", "image": {"image_id": "img-1"}},
                ]
            },
        ),
        (
            "list_volume_types",
            {"types": [{"name": "SSD", "tier": "Legacy"}, {"name": "NVMe", "tier": "advanced"}, "HDD"]},
            {
                "volume_types": {
                    "legacy": [{"volume_type": "SSD", "tier": "Legacy"}],
                    "advanced": [{"volume_type": "NVMe", "tier": "advanced"}],
                    "any": ["HDD"],
                }
            },
        ),
        (
            "list_volume_types",
            {"volume_types": {"legacy": "SSD"}},
            {"volume_types": {"legacy": [{"volume_type": "SSD"}]}},
        ),
        (
            "get_instance",
            {"vm": {"id": 7, "name": "a", "image": "Ubuntu", "flavor": "n3", "operations": ["stop"]}},
            {
                "instance": {
                    "instance_id": "7",
                    "vm_name": "a",
                    "image": {"name": "Ubuntu"},
                    "flavor": {"name": "n3"},
                    "operations": {"allowed": ["stop"]},
                }
            },
        ),
        ("list_instances", {"vms": [{"region": {"id": 1}}]}, {"instances": [{"region": '{"id": 1}'}]}),
        ("clone_volume", {"volume_id": "v1"}, {"volume": {"volume_id": "v1"}}),
        ("bulk_delete_startup_scripts", {"failed": 0}, {"failed": []}),
        ("bulk_delete_startup_scripts", {"failed": 2}, {"failed": [{"count": 2}]}),
        ("bulk_delete_startup_scripts", {"failed": ["s1"]}, {"failed": [{"script_id": "s1"}]}),
        (
            "bulk_delete_startup_scripts",
            {"failed": {"s1": "in use"}, "deleted_count": "1"},
            {"failed": [{"script_id": "s1", "reason": "in use"}], "deleted_count": 1},
        ),
        ("get_startup_script", {"script": {"content": "a\ud800é"}}, {"script": {"script": "a\\ud800é"}}),
    ],
)
def test_another_form_of_an_answer_is_brought_to_ours_without_loss(
    tool: str, sent: JsonObject, shown: JsonObject
) -> None:
    assert answer(tool, sent) == shown


def test_a_fields_own_name_wins_and_the_other_stays_beside_it() -> None:
    shown = answer("get_volume", {"volume": {"id": 17, "volume_id": "BRK-123456V", "name": "data"}})
    assert shown == {"volume": {"volume_id": "BRK-123456V", "id": 17, "volume_name": "data"}}


@pytest.mark.parametrize("value", ["soon", True, float("inf"), [], {}])
def test_what_is_no_number_is_not_taken_for_one(value: Any) -> None:
    with pytest.raises(ValidationError, match="is not a whole number"):
        answer("list_volumes", {"total": value})


@pytest.mark.parametrize("value", [1.5, "1.5"])
def test_a_count_is_whole(value: Any) -> None:
    with pytest.raises(ValidationError, match="is not a whole number"):
        answer("list_volumes", {"total": value})


def test_an_integer_amount_stays_an_integer() -> None:
    assert repr(answer("get_volume", {"volume": {"size_gb": 100}})["volume"]["size_gb"]) == "100"


def test_a_generated_private_key_is_not_shown_by_accident() -> None:
    shown = BY_TOOL["create_ssh_key"].response.model_validate({"private_key": "hunter2"})
    assert "hunter2" not in repr(shown)
