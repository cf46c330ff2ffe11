"""Answers that a model can use: rows trimmed to what matters, what they cost, how to get the rest, what to do next."""

from __future__ import annotations

import csv
import io
from typing import Any

import jsonschema
import pytest

from barrack_mcp.api.text import size
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation, answer_schema
from barrack_mcp.catalogue.models import FEW, MANY
from barrack_mcp.cli.tools import BYTES_PER_TOKEN
from barrack_mcp.dispatch.answers.brief import table
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.answers import Answers, dispatcher, in_turn, json
from tests.support.house import house
from tests.test_naming import desk

pytestmark = pytest.mark.anyio

LISTS = [BY_TOOL[tool] for tool in ("list_instances", "list_volumes", "list_snapshots", "list_firewalls")]
LITTLE: dict[str, set[str]] = {
    "list_instances": {"instance_id", "vm_name", "status", "gpu_type", "gpu_count", "region", "hourly_rate"},
    "list_volumes": {"volume_id", "volume_name", "status", "size_gb", "volume_type", "region", "hourly_rate"},
    "list_snapshots": {"snapshot_id", "snapshot_name", "status", "size_gb", "region", "instance_id", "hourly_rate"},
    "list_firewalls": {"id", "name", "status", "region"},
}
"""What a row says at any length of the page."""

each_list = pytest.mark.parametrize("operation", LISTS, ids=lambda operation: operation.tool)


def tokens(value: Any) -> int:
    return round((len(value.encode()) if isinstance(value, str) else size(value)) / BYTES_PER_TOKEN)


async def called(answers: Answers, tool: str, arguments: JsonObject | None = None) -> Answer:
    answer = await dispatcher(answers).call(tool, arguments or {})
    assert isinstance(answer, Answer)
    return answer


def test_four_lists_have_a_detail_of_ours_and_nothing_else_has() -> None:
    assert [operation for operation in OPERATIONS if "detail" in operation.arguments.model_fields] == LISTS
    for operation in LISTS:
        assert operation.on_the_wire({"page": 1, "detail": "full"}) == {"page": 1}
        assert set(operation.concise.values()) <= {FEW, MANY}
    assert BY_TOOL["get_volume"].on_the_wire({"detail": 1}) == {"detail": 1}


@each_list
async def test_a_concise_row_says_what_matters_and_how_to_get_the_rest(operation: Operation) -> None:
    async with desk() as made:
        brief = await made.call(operation.tool, {})
        full = await made.call(operation.tool, {"detail": "full"})
        root = operation.result or ""
        rows, whole = brief.structured[root], full.structured[root]
        assert len(rows) == len(whole) > 1
        for row, one in zip(rows, whole, strict=True):
            assert LITTLE[operation.tool] <= set(row) < set(one)
            assert all(one[name] == value for name, value in row.items())
        (note,) = brief.structured["notes"]
        assert "detail=full" in note
        assert BY_TOOL[note.rsplit(",", 1)[1].split()[0]].reads
        assert not any("detail=full" in note for note in full.structured.get("notes", []))
        assert brief.structured["total"] == full.structured["total"] == len(rows)
        assert all("detail" not in sent["query"] for sent in made.barrack.requests)
        assert tokens(brief.text) < tokens(full.text) * 0.7
        for answer in (brief, full):
            jsonschema.validate(answer.structured, answer_schema(operation.response))


@each_list
async def test_the_text_of_a_concise_list_is_a_table_of_the_same_facts(operation: Operation) -> None:
    async with desk() as made:
        answer = await made.call(operation.tool, {"detail": "concise"})
        rows = answer.structured[operation.result or ""]
        lines = answer.text.splitlines()
        start = next(at for at, line in enumerate(lines) if line.startswith(next(iter(rows[0]))))
        assert len(lines[start + 1 : start + 1 + len(rows)]) == len(rows)
        for line, row in zip(lines[start + 1 :], rows, strict=False):
            assert line.startswith(str(next(iter(row.values()))))
        names = lines[start].split(",")
        assert set(names) == {name for row in rows for name in row}


def test_a_cell_that_is_not_plain_can_not_pass_for_two() -> None:
    rows: list[JsonObject] = [
        {"volume_id": "BRK-1V", "volume_name": 'a,"b', "size_gb": 5, "extra": [1]},
        {"volume_id": "BRK-2V", "volume_name": " x", "status": None},
        {"volume_id": "", "volume_name": "a\nb"},
    ]
    assert table(BY_TOOL["list_volumes"], rows) == [
        "volume_id,volume_name,size_gb,status,extra",
        'BRK-1V,"a,""b",5,,1',
        'BRK-2V," x",,,',
        '"",a\\nb,,,',
    ]


@pytest.mark.parametrize("limit", [None, 20, FEW, FEW + 1, MANY])
async def test_a_list_of_2000_instances_costs_a_model_less_than_6000_tokens(limit: int | None) -> None:
    async with desk("large") as made:
        answer = await made.call("list_instances", {} if limit is None else {"limit": limit})
        rows = answer.structured["instances"]
        assert len(rows) == (limit or 20)
        # o200k counts half as much again on such rows as bytes do: 5,400 for the longest
        assert tokens(answer.text) < 2_000
        assert tokens(answer.structured) < 4_000
        assert "of 2000. page=2 gives the next ones." in answer.text
        assert answer.structured["total"] == 2000
        assert LITTLE["list_instances"] <= set(rows[0])
        assert ("public_ip" in rows[0]) == (len(rows) <= FEW)
        assert ("billed_at" in rows[0]) == (len(rows) <= FEW)
        (shown,) = csv.reader(io.StringIO(answer.text.splitlines()[4]))
        assert shown[:3] == [rows[0][name] for name in ("instance_id", "vm_name", "status")]


async def test_what_has_no_value_is_left_out_but_an_unknown_rate_is_said() -> None:
    rows = [{"instance_id": "1", "status": "ACTIVE", "gpu_type": None, "public_ip": "", "gpu_count": 0}]
    answers = Answers(instances=json({"instances": rows}), pricing=json({"detail": "Boom"}, 500))
    answer = await called(answers, "list_instances")
    assert answer.structured["instances"] == [
        {"instance_id": "1", "status": "ACTIVE", "gpu_count": 0, "billed_at": "full rate"}
    ]
    assert answer.structured["sum"]["unpriced"] == 1


@pytest.mark.parametrize("body", [{"instances": []}, {"instances": None}, {}, {"instances": "x"}, {"instances": [{}]}])
async def test_a_list_without_rows_is_answered_as_it_is(body: JsonObject) -> None:
    answers = Answers(instances=json(body), pricing=json({"pricing_data": {}}))
    answer = await called(answers, "list_instances")
    assert not answer.is_error
    assert "detail=full" not in answer.text


async def test_the_servers_own_reads_see_all_of_a_row() -> None:
    async with desk() as made:
        read = made.dispatcher.account.read
        (row, *_) = (await read("list_instances", {}))["instances"]
        assert "security_rules" in row
        assert "notes" not in await read("list_volumes", {})


async def test_what_storage_costs_stands_beside_it_where_the_price_list_tells() -> None:
    prices = {
        "volumes": {"pricing": {"legacy": {"SSD": {"prices": {"USD": 0.1}, "unit": "per TB per hour"}}}},
        "snapshots": {"pricing": {"legacy": {"prices": {"USD": 0.2}, "fixed_size_gb": 100}}},
    }
    volume = {"volume_id": "1", "tier": "Legacy", "volume_type": "SSD", "size_gb": 500}
    answers = Answers(
        volumes=json({"volumes": [volume, volume | {"volume_type": "Tape"}]}),
        snapshots=json({"snapshots": [{"snapshot_id": "1", "size_gb": 50}]}),
        volumes__1=json({"volume": volume}),
        pricing=json({"pricing_data": prices}),
    )
    told, untold = (await called(answers, "list_volumes")).structured["volumes"]
    assert told["hourly_rate"] == 0.05
    assert "hourly_rate" not in untold
    assert (await called(answers, "list_snapshots")).structured["snapshots"][0]["hourly_rate"] == 0.1
    one = (await called(answers, "get_volume", {"volume_id": "1"})).structured
    assert one["volume"]["hourly_rate"] == 0.05
    assert one["billing"] == "Rates are in USD per hour."


async def test_a_deployment_says_what_it_costs_and_what_to_do_next() -> None:
    async with desk() as made:
        arguments = made.good(BY_TOOL["deploy_instance"], "ssh_key_ids")
        answer = await made.call("deploy_instance", arguments)
        assert answer.structured["outcome"] == "done"
        assert "It costs 0.69 USD an hour once ACTIVE." in answer.text
        assert "Next: get_instance until it is ACTIVE" in answer.structured["message"]
        assert answer.structured["billing"]["hourly_rate"] == 0.69
        assert answer.structured["billing"]["currency"] == "USD"


async def test_a_deployment_whose_price_is_unknown_is_done_all_the_same() -> None:
    state: Any = create_app(now=lambda: 0.0).state.barrack.state()
    answers = Answers(json({"success": True, "data": {"instance_id": "1"}}), pricing=json({"detail": "Boom"}, 500))
    answer = await called(answers, "deploy_instance", examples.good(BY_TOOL["deploy_instance"], state))
    assert answer.structured["outcome"] == "done"
    assert "once ACTIVE." not in answer.text
    assert "hourly_rate" not in answer.structured["billing"]


async def test_hibernating_a_stopped_instance_says_how_it_is_done() -> None:
    async with desk() as made:
        answer = await made.call("hibernate_instance", {"instance_id": "notebook-1"})
        assert answer.structured["outcome"] == "failed"
        assert "start_instance, get_instance until it is ACTIVE, then hibernate_instance" in answer.text
    async with house() as asked:
        waiting = await asked.call("hibernate_instance", instance_id="train-1")
        assert waiting["outcome"] == "approval_required"


GPUS = {"gpus": {"pricing": {"legacy": {"L40": {}, "A\u202e40": {}}, "advanced": {"H100-SXM5-80GB": {}}, "odd": []}}}


@pytest.mark.parametrize(
    ("wanted", "pricing", "words"),
    [
        ("H100-SXM5", GPUS, "It has: L40, «A\\u202e40», H100-SXM5-80GB. Did you mean H100-SXM5-80GB?"),
        ("zzz", GPUS, "It has: L40, «A\\u202e40», H100-SXM5-80GB."),
        ("L40", GPUS, None),
        (None, GPUS, None),
        ("H100-SXM5", {}, None),
        ("H100-SXM5", GPUS | {"price": {"prices": {"USD": 1}}}, None),
    ],
)
async def test_a_quote_for_a_model_that_is_not_there_names_those_that_are(
    wanted: str | None, pricing: JsonObject, words: str | None
) -> None:
    answers = Answers(pricing=in_turn(json({"pricing_data": pricing})))
    answer = await called(answers, "quote_price", {} if wanted is None else {"gpu_model": wanted})
    assert answer.is_error == (words is not None)
    if words is not None:
        assert answer.structured["outcome"] == "failed"
        assert answer.text.endswith(words)
        assert "zzz" not in answer.text


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (
            {"gpu_model": "RTX-A6000", "tier": "legacy", "gpu_count": 4},
            "4 \N{MULTIPLICATION SIGN} RTX-A6000, legacy: 2.76 USD an hour,",
        ),
        ({"gpu_model": "H100-PCIe-80GB"}, "1 \N{MULTIPLICATION SIGN} H100-PCIe-80GB, legacy: 2.25 USD an hour,"),
        ({"volume_type": "SSD", "volume_size_gb": 500, "tier": "legacy"}, "SSD of 500 GB, legacy: 0.05 USD an hour,"),
        ({"volume_type": "SSD"}, None),
        ({}, None),
    ],
)
async def test_a_quote_says_first_what_the_configuration_costs(arguments: JsonObject, quoted: str | None) -> None:
    async with desk() as made:
        answer = await made.call("quote_price", arguments)
    told = answer.structured.get("billing")
    assert told is None if quoted is None else str(told).startswith(quoted)
    assert told is None or answer.text.startswith(f"{told}\n")


async def test_a_quote_that_can_not_be_told_is_not_made_up() -> None:
    answers = Answers(json({"success": True, "pricing_data": {"price": "3 a day"}}))
    answer = await called(answers, "quote_price", {"gpu_model": "RTX-A6000"})
    assert "billing" not in answer.structured
