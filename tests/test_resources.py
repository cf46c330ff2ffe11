"""What a client reads by URI, and what it is offered while a person types."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.server.lowlevel import Server
from mcp.types import Completion, PromptReference, ResourceTemplateReference, TextResourceContents
from pydantic import SecretStr

from barrack_mcp.api.client import open_client
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation
from barrack_mcp.catalogue.kinds import KINDS
from barrack_mcp.config import Settings
from barrack_mcp.dispatch.dispatcher import UnknownToolError
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.server.cards import CARDS
from barrack_mcp.server.guides import GUIDES
from barrack_mcp.server.prompts import PROMPTS
from barrack_mcp.server.resources import handlers
from barrack_mcp.server.resources.addresses import template
from barrack_mcp.server.resources.completion import SOURCES
from barrack_mcp.server.resources.reading import Reads
from barrack_mcp.simulator import create_app
from tests.support.answers import CANARY, Answers, dispatcher, in_turn
from tests.support.answers import json as answer
from tests.support.booking import begun
from tests.support.clock import Clock
from tests.support.guarding import Corridor, account_of, guard, writer
from tests.support.patience import PATIENT_S
from tests.support.running import KEY, listening, product

pytestmark = pytest.mark.anyio

each_era = pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
MODES = {"2025-11-25": "legacy", "2026-07-28": "auto"}
MISSING = {"2025-11-25": -32002, "2026-07-28": -32602}
"""The code for what doesn't exist: retired in the later revision."""

BYTES_PER_TOKEN = 4.26
FIXED = [
    "barrack://account",
    "barrack://pricing",
    "barrack://guides/billing",
    "barrack://guides/hibernation",
    "barrack://guides/images",
    "barrack://guides/networking",
]
TEMPLATES = [
    "barrack://instances/{instance_id}",
    "barrack://ssh-keys/{key_id}",
    "barrack://volumes/{volume_id}",
    "barrack://startup-scripts/{script_id}",
    "barrack://snapshots/{snapshot_id}",
    "barrack://images/{image_id}",
    "barrack://firewalls/{firewall_id}",
]
HOSTILE_IDS = [
    "",
    ".",
    "..",
    "../balance",
    "%2e%2e",
    "%2E%2E%2Fbalance",
    "BRK-1/delete",
    "BRK-1/",
    "billing",
    "for-snapshot",
    "BRK-1?x=1",
    "BRK-1#x",
    "BRK 1",
    "BRK-1\u202e",
    "-BRK",
    "x" * 65,
    "x" * 5_000,
]
UNKNOWN_URIS = [
    "",
    "barrack://",
    "barrack://nope",
    "barrack://nope/BRK-1D",
    "barrack://ACCOUNT",
    "barrack://account/",
    "barrack://account?x=1",
    "barrack://guides/",
    "barrack://guides/nope",
    "barrack://guides/../billing",
    "barrack://guides/billing.md",
    "barrack://instances",
    "BARRACK://instances/BRK-1D",
    "https://barrack.ai/api/balance/",
    "file:///etc/passwd",
]


def surface(**settings: Any) -> dict[str, Operation]:
    chosen = Settings(**settings)
    return {operation.tool: operation for operation in OPERATIONS if chosen.offers(operation)}


@asynccontextmanager
async def simulated(
    era: str = "2026-07-28",
    *,
    scenario: str = "small",
    clock: Clock | None = None,
    offered: Mapping[str, Operation] | None = None,
    **more: Any,
) -> AsyncIterator[tuple[Client, Any, Corridor]]:
    """A client, the server and a simulator whose time stands still, in one process."""
    app = create_app(scenario=scenario, now=lambda: 0.0)
    async with open_client(
        url="http://127.0.0.1/api",
        key=SecretStr(KEY),
        auth_header="Authorization",
        auth_template="Bearer {key}",
        seconds=30,
        app=app,
    ) as api:
        walked = Corridor(
            account=account_of(api),
            surface=surface() if offered is None else offered,
            guard=guard(),
            writer=writer(),
            **more,
        )
        server = walked.server if clock is None else timed(walked, clock)
        async with Client(server, mode=MODES[era]) as client:
            yield client, app.state.barrack, walked
            assert not app.state.barrack.journal


def timed(walked: Corridor, clock: Clock, subject: list[str] | None = None) -> Server[Any]:
    """A server of the handlers alone, whose clock the test moves and whose caller it names."""
    return Server("timed", **handlers(walked, lambda _: Caller((subject or ["local:1"])[0], walked.account), now=clock))


async def text(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri, cache_mode="refresh")).contents
    assert isinstance(content, TextResourceContents)
    assert content.uri == uri
    return content.text


async def page(client: Client, uri: str) -> Any:
    return json.loads(await text(client, uri))


async def refused(client: Client, uri: str) -> MCPError:
    """The error of a read, outside of any task group."""
    caught: list[MCPError] = []
    try:
        await client.read_resource(uri)
    except MCPError as error:
        caught.append(error)
    assert caught, uri
    return caught[0]


def less_ids(data: Any) -> Any:
    """An answer without what differs from request to request."""
    return {name: value for name, value in data.items() if name != "request_id"}


async def completed(client: Client, template: str, typed: str) -> Completion:
    variable = re.findall(r"\{(\w+)\}", template)[0]
    reference = ResourceTemplateReference(uri=template)
    return (await client.complete(reference, {"name": variable, "value": typed})).completion


async def suggested(client: Client, prompt: str, argument: str, typed: str) -> list[str]:
    reference = PromptReference(name=prompt)
    return (await client.complete(reference, {"name": argument, "value": typed})).completion.values


@each_era
async def test_the_lists_name_the_account_the_prices_the_guides_and_each_kind_of_thing(era: str) -> None:
    async with simulated(era) as (client, barrack, _):
        assert client.protocol_version == era
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        assert not barrack.requests
    assert [resource.uri for resource in resources] == FIXED
    assert [template.uri_template for template in templates] == TEMPLATES
    assert all(each.title and each.description for each in resources)
    assert all(each.title and each.description for each in templates)
    kinds = {resource.uri: resource.mime_type for resource in resources}
    assert {uri for uri, kind in kinds.items() if kind == "text/markdown"} == set(FIXED[2:])
    assert {kinds[uri] for uri in FIXED[:2]} == {template.mime_type for template in templates} == {"application/json"}


def test_each_kind_of_thing_is_read_by_its_own_tool_and_listed_by_its_own() -> None:
    gets = {
        operation.tool
        for operation in OPERATIONS
        if operation.reads and operation.path.endswith("_id}/") and operation.path.count("/") == 3
    }
    assert {kind.get_tool for kind in KINDS} == gets
    assert all(BY_TOOL[kind.list_tool].paged for kind in KINDS)
    assert all(kind.arguments[0] == BY_TOOL[kind.get_tool].placeholders[0] for kind in KINDS)
    assert [kind.get_tool for kind in KINDS] == [tool for tool in BY_TOOL if tool in gets]


@each_era
async def test_a_thing_reads_as_its_tool_answers(era: str) -> None:
    async with simulated(era) as (client, barrack, _):
        for kind in KINDS:
            listed = await client.call_tool(kind.list_tool, {})
            assert listed.structured_content is not None
            row = listed.structured_content[BY_TOOL[kind.list_tool].result or ""][0]
            thing_id = row.get(kind.arguments[0]) or row["id"]
            told = await client.call_tool(kind.get_tool, {kind.arguments[0]: thing_id})
            assert told.structured_content is not None
            read = await page(client, template(kind).replace(f"{{{kind.arguments[0]}}}", thing_id))
            assert less_ids(read) == less_ids(told.structured_content)
        assert {request["method"] for request in barrack.requests} == {"GET"}


async def test_an_instance_reads_with_what_it_costs_and_the_truth_about_stopping() -> None:
    async with simulated() as (client, barrack, _):
        stopped = next(row for row in barrack.state()["instances"] if row["status"] == "SHUTOFF")
        read = await page(client, f"barrack://instances/{stopped['instance_id']}")
    assert read["instance"]["billed_at"] == "full rate"
    assert read["instance"]["hourly_rate"] > 0.1
    assert "SHUTOFF" in read["billing"]


@each_era
async def test_the_price_list_reads_as_its_tool_answers(era: str) -> None:
    async with simulated(era) as (client, _, __):
        told = await client.call_tool("get_pricing", {})
        assert told.structured_content is not None
        assert (await page(client, "barrack://pricing"))["pricing_data"] == told.structured_content["pricing_data"]


@each_era
async def test_the_account_shows_credit_the_cost_per_hour_and_how_long_it_lasts(era: str) -> None:
    async with simulated(era) as (client, barrack, _):
        account = await page(client, "barrack://account")
        rows = {
            kind: ((await client.call_tool(f"list_{kind}", {})).structured_content or {})[kind]
            for kind in ("instances", "volumes", "snapshots")
        }
        assert {request["method"] for request in barrack.requests} == {"GET"}
    per_tb = {"SSD": Decimal("0.1"), "HDD": Decimal("0.08"), "NVMe": Decimal("0.3")}
    rates = [Decimal(str(row["hourly_rate"])) for row in rows["instances"]]
    rates += [Decimal(row["size_gb"]) / 1000 * per_tb[row["volume_type"]] for row in rows["volumes"]]
    rates += [Decimal(row["size_gb"]) / 100 * Decimal("0.1") for row in rows["snapshots"]]
    hourly = sum(rates, Decimal(0))
    burn = account["burn"]
    assert burn["hourly"] == pytest.approx(float(hourly))
    assert burn["counted"] == {kind: len(found) for kind, found in rows.items()}
    assert (burn["currency"], burn["unpriced"], burn["complete"]) == ("USD", 0, True)
    assert burn["runway_hours"] == pytest.approx(account["balance"]["amount"] / float(hourly), rel=1e-3)
    assert any("SHUTOFF" in note for note in account["notes"])


async def test_an_account_of_thousands_of_machines_says_that_it_was_not_read_whole() -> None:
    async with simulated(scenario="large") as (client, _, __):
        account = await page(client, "barrack://account")
    assert account["burn"]["complete"] is False
    assert account["burn"]["counted"]["instances"] == 500
    assert "runway_hours" not in account["burn"]
    assert any("at least" in note for note in account["notes"])


async def test_credit_in_another_currency_lasts_by_the_prices_in_its_own() -> None:
    async with simulated(currency="EUR") as (client, _, __):
        burn = (await page(client, "barrack://account"))["burn"]
    assert burn["currency"] == "EUR"
    assert burn["runway_hours"] > 0


async def test_credit_in_several_currencies_lasts_by_its_own() -> None:
    pages = {"instances": [], "volumes": [{"volume_id": "V", "tier": "legacy", "volume_type": "SSD", "size_gb": 1000}]}
    api = Answers(
        answer({"snapshots": []}),
        balance=answer({"balance": {"USD": 50, "INR": 7}}),
        pricing=answer(
            {"pricing_data": {"volumes": {"pricing": {"legacy": {"SSD": {"prices": {"USD": 0.1}}}}}}},
        ),
        **{kind: answer({kind: rows, "total": len(rows)}) for kind, rows in pages.items()},
    )
    async with Client(dispatcher(api).server) as client:
        assert (await page(client, "barrack://account"))["burn"]["runway_hours"] == 500


async def test_an_account_whose_prices_or_lists_are_missing_says_so_instead_of_a_sum() -> None:
    down = Answers(answer({"detail": "out of order"}, 400), balance=answer({"balance": 5}))
    async with Client(dispatcher(down).server) as client:
        account = await page(client, "barrack://account")
    assert "burn" not in account
    assert "can't be told" in account["notes"][0]
    async with simulated(offered=surface(toolsets=("core",))) as (client, barrack, _):
        account = await page(client, "barrack://account")
        assert {request["method"] for request in barrack.requests} == {"GET"}
    assert account["burn"]["complete"] is True


@each_era
@pytest.mark.promise("N1")
async def test_ids_that_are_none_are_refused_before_anything_is_sent(era: str) -> None:
    async with simulated(era) as (client, barrack, _):
        for template in TEMPLATES:
            for thing_id in HOSTILE_IDS:
                error = await refused(client, re.sub(r"\{\w+\}", lambda _, each=thing_id: each, template))  # type: ignore[misc]  # bound in the loop
                assert error.code == MISSING[era]
                assert len(error.message) < 300
                assert len(thing_id) < 3 or thing_id not in error.message
        # what could be a name is looked up first, and nowhere but in the lists
        lists = {("GET", operation.path) for operation in OPERATIONS if operation.paged}
        assert {(sent["method"], sent["path"]) for sent in barrack.requests} <= lists


@each_era
async def test_a_uri_that_is_not_listed_does_not_exist(era: str) -> None:
    async with simulated(era) as (client, barrack, _):
        for uri in UNKNOWN_URIS:
            error = await refused(client, uri)
            assert error.code == MISSING[era], uri
            assert not uri or uri not in error.message
        assert (await refused(client, "barrack://nope")).data == {"uri": "barrack://nope"}
        assert (await refused(client, "barrack://\u202e")).data is None
        assert not barrack.requests


@each_era
async def test_an_id_that_nothing_bears_is_told_in_the_words_of_the_tool(era: str) -> None:
    async with simulated(era) as (client, _, __):
        error = await refused(client, "barrack://instances/BRK-000000D")
    assert error.code == MISSING[era]
    assert "not found" in error.message
    assert "list_instances shows what exists" in error.message
    assert error.data == {"uri": "barrack://instances/BRK-000000D"}


@each_era
async def test_an_api_that_does_not_answer_is_no_missing_resource(era: str) -> None:
    api = Answers(answer({"message": "No such key"}, 401))
    async with Client(dispatcher(api).server, mode=MODES[era]) as client:
        for uri in ("barrack://instances/BRK-1D", "barrack://account", "barrack://pricing"):
            error = await refused(client, uri)
            assert error.code == -32603
            assert "Check that the API key is right" in error.message
            assert CANARY not in error.message
    async with Client(dispatcher(Answers(answer({"detail": "Not now"}, 400))).server, mode=MODES[era]) as client:
        assert (await refused(client, "barrack://account")).code == -32603


@each_era
async def test_an_error_of_our_own_has_an_id_and_none_of_its_text(era: str, caplog: pytest.LogCaptureFixture) -> None:
    broken = Answers(ZeroDivisionError(f"secret {CANARY}"))
    async with Client(dispatcher(broken).server, mode=MODES[era]) as client:
        with caplog.at_level(logging.ERROR):
            for uri in ("barrack://instances/BRK-1D", "barrack://account"):
                error = await refused(client, uri)
                crash = re.match(r"Internal error ([0-9a-f]{16})", error.message)
                assert crash
                assert crash[1] in caplog.text
                assert CANARY not in error.message
            assert (await completed(client, TEMPLATES[0], "")).values == []


@each_era
async def test_what_the_surface_leaves_out_is_neither_listed_nor_read_nor_completed(era: str) -> None:
    async with simulated(era, offered=surface(toolsets=("volumes",))) as (client, barrack, _):
        assert [each.uri for each in (await client.list_resources()).resources] == FIXED[2:]
        templates = (await client.list_resource_templates()).resource_templates
        assert [each.uri_template for each in templates] == ["barrack://volumes/{volume_id}"]
        for uri in ("barrack://account", "barrack://pricing", "barrack://instances/BRK-103339D"):
            assert (await refused(client, uri)).code == MISSING[era]
        assert (await completed(client, TEMPLATES[0], "BRK")).values == []
        assert not barrack.requests


async def test_a_read_only_surface_reads_all_resources() -> None:
    async with simulated(offered=surface(read_only=True)) as (client, _, __):
        assert [each.uri for each in (await client.list_resources()).resources] == FIXED
        assert len((await client.list_resource_templates()).resource_templates) == len(TEMPLATES)


async def test_nothing_but_reads_goes_this_way() -> None:
    async with simulated() as (_, barrack, walked):
        reads = Reads(walked, Caller("local:1", walked.account))
        for operation in OPERATIONS:
            if not operation.reads:
                with pytest.raises(UnknownToolError):
                    await reads.answer(operation.tool, {})
                with pytest.raises(UnknownToolError):
                    await reads.quietly(operation.tool, {})
        assert not barrack.requests


@each_era
@pytest.mark.promise("P4")
async def test_the_lists_stay_the_same_for_the_life_of_a_process(era: str) -> None:
    async with simulated(era) as (client, _, __):

        async def lists() -> list[str]:
            return [
                (await client.list_resources(cache_mode="refresh")).model_dump_json(),
                (await client.list_resource_templates(cache_mode="refresh")).model_dump_json(),
                (await client.list_prompts(cache_mode="refresh")).model_dump_json(),
            ]

        before = await lists()
        for _ in range(20):
            await page(client, "barrack://account")
            await completed(client, TEMPLATES[0], "BRK")
        assert await lists() == before
        if era == "2026-07-28":
            assert all('"ttl_ms":3600000' in each and '"cache_scope":"private"' in each for each in before)


async def test_a_client_may_keep_a_guide_but_not_what_the_api_said() -> None:
    async with simulated() as (client, _, __):
        assert (await client.read_resource("barrack://guides/billing")).ttl_ms == 3_600_000
        for uri in FIXED[:2]:
            assert (await client.read_resource(uri)).ttl_ms == 0


@each_era
async def test_each_guide_is_read_as_it_was_written_and_is_short(era: str) -> None:
    async with simulated(era) as (client, barrack, _):
        sizes = {each.uri: each.size for each in (await client.list_resources()).resources}
        for guide in GUIDES:
            uri = f"barrack://guides/{guide.name}"
            read = await text(client, uri)
            assert read == guide.text
            assert sizes[uri] == len(read.encode())
            assert len(read.encode()) / BYTES_PER_TOKEN < 1_500
        assert not barrack.requests


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_a_guide_names_real_tools_its_sources_and_the_truth_about_stopping(guide: Any) -> None:
    fields = {name for operation in OPERATIONS for name in operation.arguments.model_fields}
    fields |= {"security_rules", "hourly_rate", "billed_at", "custom_image"}
    named = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", guide.text))
    assert named - fields <= set(BY_TOOL)
    assert all(f"**[{mark}]**" in guide.text for mark in ("documented", "2025", "inferred"))
    assert "BARRACK_" not in guide.text
    flat = " ".join(guide.text.split())
    assert guide.name == "images" or re.search(r"SHUTOFF\) machine costs the full rate|rate, stopped \(SHUTOFF\)", flat)


async def test_an_id_is_completed_by_its_beginning_or_by_a_part_of_the_name() -> None:
    async with simulated() as (client, barrack, _):
        rows = {row["vm_name"]: row["instance_id"] for row in barrack.state()["instances"]}
        everything = await completed(client, TEMPLATES[0], "")
        assert everything.values == sorted(rows.values())
        assert (everything.total, everything.has_more) == (len(rows), False)
        trains = [rows["train-1"], rows["train-2"]]
        assert (await completed(client, TEMPLATES[0], "TRAIN")).values == trains
        assert (await completed(client, TEMPLATES[0], rows["train-1"].lower())).values == trains[:1]
        assert (await completed(client, TEMPLATES[0], rows["train-1"][4:])).values == []
        assert (await completed(client, TEMPLATES[0], "no such thing")).total == 0


@each_era
async def test_a_completed_id_of_each_kind_can_be_read(era: str) -> None:
    async with simulated(era) as (client, _, __):
        for template in TEMPLATES:
            found = (await completed(client, template, "")).values
            assert found
            assert await page(client, re.sub(r"\{\w+\}", found[0], template))


async def test_of_many_ids_a_hundred_are_shown_and_the_rest_is_not_hidden() -> None:
    async with simulated(scenario="large") as (client, _, __):
        many = await completed(client, TEMPLATES[0], "")
        volumes = await completed(client, "barrack://volumes/{volume_id}", "")
    assert len(many.values) == len(set(many.values)) == 100
    assert many.has_more is True
    assert many.total is None
    assert len(volumes.values) == 100
    assert (volumes.total, volumes.has_more) == (500, True)


async def test_typing_sends_one_request_for_some_seconds_then_another() -> None:
    clock = Clock()
    async with simulated(clock=clock) as (client, barrack, _):
        for typed in ("", "B", "BR", "BRK"):
            assert (await completed(client, TEMPLATES[0], typed)).values
        assert len(barrack.requests) == 1
        clock.at += 9.9
        await completed(client, TEMPLATES[0], "BRK-")
        assert len(barrack.requests) == 1
        await completed(client, "barrack://volumes/{volume_id}", "")
        assert len(barrack.requests) == 2
        clock.at += 0.2
        await completed(client, TEMPLATES[0], "BRK-1")
        assert len(barrack.requests) == 3


async def test_keys_typed_at_once_wait_for_one_read() -> None:
    gate = anyio.Event()

    async def slow() -> httpx2.Response:
        await gate.wait()
        return answer({"instances": [{"instance_id": "BRK-1D", "vm_name": "train-1"}], "total": 1})

    api = Answers(slow)
    async with Client(dispatcher(api).server) as client:
        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as typing:
                for typed in ("", "B", "BR", "BRK", "train"):
                    typing.start_soon(completed, client, TEMPLATES[0], typed)
                await anyio.wait_all_tasks_blocked()
                gate.set()
    assert len(api.requests) == 1


async def test_what_one_caller_may_choose_from_another_does_not_see() -> None:
    api = Answers(
        in_turn(*(answer({"instances": [{"instance_id": f"BRK-{n}D", "vm_name": "a"}], "total": 1}) for n in (1, 2)))
    )
    clock, subject = Clock(), ["alice"]
    async with Client(timed(dispatcher(api), clock, subject)) as client:
        assert (await completed(client, TEMPLATES[0], "")).values == ["BRK-1D"]
        subject[0] = "bob"
        assert (await completed(client, TEMPLATES[0], "")).values == ["BRK-2D"]
        subject[0] = "alice"
        assert (await completed(client, TEMPLATES[0], "")).values == ["BRK-1D"]
    assert len(api.requests) == 2


@each_era
async def test_an_api_that_does_not_answer_leaves_nothing_to_choose_from_and_is_left_alone(era: str) -> None:
    api = Answers(answer({"message": "No such key"}, 401))
    async with Client(dispatcher(api).server, mode=MODES[era]) as client:
        for typed in ("", "B", "BR"):
            found = await completed(client, TEMPLATES[0], typed)
            assert (found.values, found.total, found.has_more) == ([], 0, False)
    assert len(api.requests) == 1


async def test_a_list_that_is_cut_short_says_that_there_is_more() -> None:
    rows = [{"instance_id": f"BRK-{n}D", "vm_name": "x" * 2_500} for n in range(50)]
    api = Answers(answer({"instances": rows, "total": 90}))
    async with Client(dispatcher(api).server) as client:
        found = await completed(client, TEMPLATES[0], "")
    assert len(found.values) == 50
    assert (found.total, found.has_more) == (None, True)


async def test_rows_whose_id_no_tool_would_take_are_not_offered() -> None:
    hostile = ["../balance", "billing", "BRK-1D\u202e", "BRK 1", None, "x" * 65, {"a": 1}]
    rows = [{"instance_id": each, "vm_name": "train"} for each in [*hostile, "BRK-7D"]]
    api = Answers(answer({"instances": rows, "total": len(rows)}), regions=answer({"regions": ["US-1", "A\nB", ""]}))
    async with Client(dispatcher(api).server) as client:
        assert (await completed(client, TEMPLATES[0], "train")).values == ["BRK-7D"]
        assert await suggested(client, "clean-up", "region", "") == ["US-1"]


async def test_gpu_models_come_from_the_stock_where_there_is_no_price_list() -> None:
    async with simulated(offered=surface(toolsets=("core",))) as (client, barrack, _):
        reference = PromptReference(name="deploy-gpu")
        found = (await client.complete(reference, {"name": "gpu_model", "value": "h100"})).completion
        assert "H100-PCIe-80GB" in found.values
        assert len(found.values) == len(set(found.values))
        assert (found.total, found.has_more) == (len(found.values), False)
        assert [request["path"] for request in barrack.requests] == ["/gpu-stocks/"]


async def test_a_price_list_of_another_shape_leaves_nothing_to_choose_from() -> None:
    bodies: tuple[Any, ...] = ({"pricing_data": None}, {"pricing_data": {"gpus": {"pricing": {"legacy": 3}}}}, {}, [])
    for body in bodies:
        async with Client(dispatcher(Answers(answer(body))).server) as client:
            assert await suggested(client, "deploy-gpu", "gpu_model", "") == []


@each_era
async def test_arguments_of_prompts_are_completed_too(era: str) -> None:
    async with simulated(era) as (client, barrack, _):
        state = barrack.state()
        ids = {row["name"]: row["id"] for row in state["firewalls"]}
        ids |= {row["vm_name"]: row["instance_id"] for row in state["instances"]}
        ids |= {row["snapshot_name"]: row["snapshot_id"] for row in state["snapshots"]}
        assert await suggested(client, "investigate-instance", "instance", "train-2") == [ids["train-2"]]
        assert await suggested(client, "lock-down-network", "firewall", "off") == [ids["office"]]
        assert await suggested(client, "image-from-instance", "snapshot", "base") == [ids["train-base"]]
        assert await suggested(client, "deploy-gpu", "region", "can") == ["CANADA-1"]
        assert await suggested(client, "deploy-gpu", "gpu_model", "a6000") == ["RTX-A6000"]
        assert await suggested(client, "deploy-gpu", "gpu_model", "b300") == ["B300-262GB"]
        assert await suggested(client, "deploy-gpu", "tier", "") == ["legacy", "advanced"]
        assert await suggested(client, "deploy-gpu", "gpu_count", "4") == ["4"]


@each_era
async def test_what_nothing_is_known_of_completes_to_nothing(era: str) -> None:
    async with simulated(era) as (client, barrack, _):
        assert await suggested(client, "nope", "instance", "") == []
        assert await suggested(client, "deploy-gpu", "purpose", "") == []
        assert await suggested(client, "deploy-gpu", "nope", "") == []
        assert (await completed(client, "barrack://nope/{instance_id}", "")).values == []
        wrong = ResourceTemplateReference(uri=TEMPLATES[0])
        assert (await client.complete(wrong, {"name": "volume_id", "value": ""})).completion.values == []
        assert not barrack.requests


async def test_typing_does_not_count_as_having_looked_after_a_purchase_without_an_answer() -> None:
    async with simulated() as (client, _, walked):
        ledger, account = walked.writer.ledger, walked.account.id
        entry = await begun(ledger, "digest", "deploy_instance", {}, ("list_instances", {}), account)
        await ledger.close(entry, "unknown")
        await completed(client, TEMPLATES[0], "BRK")
        await page(client, "barrack://account")
        assert (await ledger.open_entries())[0].standing == "unknown"
        await client.call_tool("list_instances", {})
        assert not [each for each in await ledger.open_entries() if each.standing == "unknown"]


def test_every_source_of_choices_is_a_read_that_takes_no_argument_but_a_page() -> None:
    for source in (source for sources in SOURCES.values() for source in sources):
        assert source.operation.reads
        required = [name for name, each in source.operation.arguments.model_fields.items() if each.is_required()]
        assert not required


async def _reads_all(client: Client) -> None:
    offered = {tool.name for tool in (await client.list_tools()).tools}
    cards = [card.uri for card in CARDS if card.tool in offered]
    assert [each.uri for each in (await client.list_resources()).resources] == FIXED + cards
    for uri in cards:
        assert (await text(client, uri)).startswith("<!doctype html>")
    assert [each.uri_template for each in (await client.list_resource_templates()).resource_templates] == TEMPLATES
    assert (await page(client, "barrack://account"))["burn"]["hourly"] > 0
    assert (await text(client, "barrack://guides/billing")).startswith("# Billing")
    found = (await completed(client, TEMPLATES[0], "train-1")).values
    assert (await page(client, f"barrack://instances/{found[0]}"))["instance"]["vm_name"] == "train-1"
    assert [each.name for each in (await client.list_prompts()).prompts] == [
        prompt.name for prompt in PROMPTS if offered.issuperset(prompt.needs)
    ]
    assert (await client.get_prompt("cut-costs")).messages
    assert (await refused(client, "barrack://nope")).code == MISSING[str(client.protocol_version)]


@pytest.mark.slow
@each_era
async def test_stdio_serves_resources_prompts_and_completion(era: str) -> None:
    with anyio.fail_after(PATIENT_S):
        async with product("--simulator", settings={}, mode=MODES[era]) as client:
            await _reads_all(client)


async def test_streamable_http_serves_resources_prompts_and_completion() -> None:
    async with simulated() as (_, __, walked):
        server = walked.server
        app = server.streamable_http_app()
        with anyio.fail_after(PATIENT_S):
            async with server.session_manager.run(), listening(app) as url:
                for mode in MODES.values():
                    async with Client(f"{url}/mcp", mode=mode) as client:
                        await _reads_all(client)
