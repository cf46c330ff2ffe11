"""What tools answer stands in their output schemas, the money above all, and these stay small."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from barrack_mcp.catalogue import OFFERS, OPERATIONS, JsonObject
from barrack_mcp.server.tools import output_schema, tool_of
from tests.support.house import ASKING, Person, house, says_yes
from tests.test_catalogue import nodes

pytestmark = pytest.mark.anyio

MOST_BYTES = 106_000
"""Of all tools as `tools/list` answers them: some frameworks send them to the model whole."""


def undeclared(value: Any, schema: JsonObject, place: str = "") -> Iterator[str]:
    """The fields of an answer that its schema doesn't tell of; what is declared as any object may hold anything."""
    if isinstance(value, list):
        for row in value:
            yield from undeclared(row, schema.get("items", {}), place)
    if not isinstance(value, dict) or not schema.get("properties"):
        return
    for name, each in value.items():
        if name not in schema["properties"]:
            yield f"{place}{name}"
        else:
            yield from undeclared(each, schema["properties"][name], f"{place}{name}.")


def test_all_tools_together_are_small_enough_to_be_sent_to_a_model() -> None:
    listed = [tool_of(each).model_dump(mode="json", by_alias=True, exclude_none=True) for each in OFFERS.values()]
    assert len(json.dumps(listed, separators=(",", ":")).encode()) <= MOST_BYTES


def test_an_output_schema_holds_no_words() -> None:
    for operation in OPERATIONS:
        for node in nodes(output_schema(operation)):
            assert not isinstance(node.get("description"), str), operation.tool


@pytest.mark.promise("A1")
@pytest.mark.parametrize("way", ["read", "done", "approval_required"])
async def test_every_field_of_an_answer_stands_in_its_tools_schema(way: str) -> None:
    tools = {
        "read": [each for each in OPERATIONS if each.reads],
        "done": [each for each in OPERATIONS if not each.reads],
        "approval_required": ASKING,
    }[way]
    async with house(person=Person(says_yes) if way == "done" else None) as made:
        for operation in tools:
            made.barrack.reset()
            answer = await made.call(operation.tool, **made.good(operation.tool))
            assert answer.get("outcome") == (None if operation.reads else way), (operation.tool, answer)
            assert list(undeclared(answer, output_schema(operation))) == [], operation.tool


async def test_what_a_list_costs_stands_in_its_answer_and_in_its_schema() -> None:
    async with house() as made:
        for tool, root in (
            ("list_instances", "instances"),
            ("list_volumes", "volumes"),
            ("list_snapshots", "snapshots"),
        ):
            answer = await made.call(tool)
            schema = output_schema(made.dispatcher.surface[tool])
            together, rows = answer["sum"], answer[root]
            assert together["things"] == len(rows) > 1
            assert together["hourly"] == pytest.approx(sum(row["hourly_rate"] for row in rows))
            assert together["monthly"] == pytest.approx(together["hourly"] * 730, abs=0.01)
            assert {"billing", "notes", "sum"} <= schema["properties"].keys()
            assert "hourly_rate" in schema["properties"][root]["items"]["properties"]


async def test_nothing_that_the_simulator_sends_is_news(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", logger="barrack_mcp.dispatch.answers.drift"):
        async with house(unattended=["spend", "interrupt", "expose", "destroy"]) as made:
            for operation in OPERATIONS:
                made.barrack.reset()
                await made.call(operation.tool, **made.good(operation.tool))
    news = [record.getMessage() for record in caplog.records if record.name.endswith(".drift")]
    assert news == []


async def test_an_application_image_fits_some_gpus_only_and_says_which() -> None:
    async with house(unattended=["spend"]) as made:
        (image, *_) = (await made.call("list_os_images", name="comfy", region="CANADA-1"))["images"]
        wanted = made.good("deploy_instance") | {"os_image": image["name"], "region": "CANADA-1", "tier": "legacy"}
        assert wanted["gpu_model"] in image["gpu_models"]
        refused = await made.call("deploy_instance", **wanted | {"gpu_model": "A100-PCIe-80GB"})
        assert refused["outcome"] in ("failed", "refused")
        assert made.effects == []
        assert (await made.call("deploy_instance", **wanted))["outcome"] == "done"
