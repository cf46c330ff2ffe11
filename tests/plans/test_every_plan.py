"""What every plan promises, over all operations that may ask."""

from __future__ import annotations

import copy
from typing import Any

import anyio
import pytest

from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Risk
from barrack_mcp.dispatch.arguments.validation import validate
from barrack_mcp.guard.plans import PLANNERS, by_tool
from barrack_mcp.guard.plans.draft import Draft, Inquiry
from tests.plans.asking import room, words

pytestmark = pytest.mark.anyio

ASKING = [operation.tool for operation in OPERATIONS if operation.risk not in (Risk.READ, Risk.CHANGE)]
UNASKED = [operation.tool for operation in OPERATIONS if operation.plans and operation.tool not in ASKING]
PLANNED = [*ASKING, *UNASKED]
SPENDING = [operation.tool for operation in OPERATIONS if operation.risk is Risk.SPEND]
WITH_TARGET = [tool for tool in PLANNED if tool not in ("deploy_instance", "create_volume")]
TARGET_READS = {"instance_id": "get_instance", "volume_id": "get_volume", "snapshot_id": "get_snapshot"} | {
    "image_id": "get_custom_image",
    "firewall_id": "get_firewall",
    "key_id": "get_ssh_key",
    "script_id": "get_startup_script",
    "script_ids": "get_startup_script",
}
ALL_READS = frozenset(operation.tool for operation in OPERATIONS if operation.reads)
each_plan = pytest.mark.parametrize("tool", PLANNED)
each_target = pytest.mark.parametrize("tool", WITH_TARGET)


def target_read(tool: str) -> str:
    arguments = BY_TOOL[tool].placeholders or ("script_ids",)
    return TARGET_READS[arguments[0]]


def rooted(tool: str) -> str:
    root = BY_TOOL[tool].result
    assert root is not None
    return root


def test_every_operation_that_may_ask_has_a_plan_and_no_other_but_those_that_say_so() -> None:
    assert set(PLANNERS) == set(PLANNED)


def test_a_planner_that_was_forgotten_or_that_nobody_needs_is_named_when_the_house_is_built() -> None:
    with pytest.raises(TypeError, match="stop_instance may ask a person and has no planner of its name"):
        by_tool(*(planner for tool, planner in PLANNERS.items() if tool != "stop_instance"))

    async def create_firewall(_: Inquiry) -> Draft:
        raise AssertionError

    with pytest.raises(TypeError, match="create_firewall: a planner for an operation that has none to ask"):
        by_tool(*PLANNERS.values(), create_firewall)


@each_plan
async def test_a_plan_names_its_target_and_changes_nothing(tool: str) -> None:
    async with room() as asked:
        planned = await asked.plan(tool)
        assert planned.refusal is None
        assert planned.plan.risk is BY_TOOL[tool].risk
        assert planned.plan.summary.endswith(".")
        assert len(planned.plan.summary) < 500
        assert not asked.barrack.journal
        if tool in WITH_TARGET and tool != "bulk_delete_startup_scripts":
            assert f"«{planned.plan.target['name']}»" in planned.plan.summary
            assert planned.plan.target["id"] in planned.plan.summary
            assert {planned.plan.target["name"], planned.plan.target["id"]} <= set(planned.protected_by)


@each_plan
async def test_every_safer_way_is_a_real_tool_with_good_arguments(tool: str) -> None:
    async with room() as asked:
        for safer in (await asked.plan(tool)).plan.safer:
            assert validate(BY_TOOL[safer.tool], safer.arguments) == safer.arguments
            assert safer.why.endswith(".")


@each_plan
async def test_the_same_question_has_the_same_fingerprint_however_much_time_passes(tool: str) -> None:
    async with room() as asked:
        before = await asked.plan(tool)
        asked.barrack.clock.advance(3600)
        assert (await asked.plan(tool)).fingerprint == before.fingerprint


async def test_no_two_operations_share_a_fingerprint() -> None:
    async with room() as asked:
        assert len({(await asked.plan(tool)).fingerprint for tool in PLANNED}) == len(PLANNED)


@each_target
async def test_a_renamed_target_has_another_fingerprint(tool: str) -> None:
    read = target_read(tool)

    def rename(answer: JsonObject) -> None:
        row = answer[rooted(read)]
        name = next(name for name in ("snapshot_name", "volume_name", "vm_name", "name") if name in row)
        row[name] = "renamed"

    async with room() as asked:
        before = await asked.plan(tool)
        asked.bent = {read: rename}
        after = await asked.plan(tool)
        assert after.fingerprint != before.fingerprint
        assert "renamed" in after.protected_by


@each_target
async def test_a_target_that_is_gone_raises_or_refuses(tool: str) -> None:
    async with room(gone=frozenset({target_read(tool)})) as asked:
        if tool == "bulk_delete_startup_scripts":
            assert "Nothing was sent" in str((await asked.plan(tool)).refusal)
            return
        with pytest.raises(ApiError) as error:
            await asked.plan(tool)
        assert error.value.status == 404


@each_target
async def test_an_answer_without_the_target_refuses_the_call(tool: str) -> None:
    async with room(bent={target_read(tool): lambda answer: answer.clear()}) as asked:
        refusal = (await asked.plan(tool)).refusal
        # nobody is asked about a start, so the API may judge what it didn't show
        assert ("Nothing was sent" in str(refusal)) is (tool != "start_instance")


@each_target
async def test_what_cannot_be_read_is_a_warning_and_never_a_guess(tool: str) -> None:
    async with room(failing=ALL_READS - {target_read(tool)}) as asked:
        planned = await asked.plan(tool)
        unread = [warning for warning in planned.plan.warnings if warning.startswith("Could not be read")]
        others = {read for read, _ in asked.reads} - {target_read(tool)}
        assert bool(unread) == bool(others)
        assert planned.balance is None
        assert planned.hourly_after is None
        assert (planned.refusal is not None) == (tool in SPENDING)


@each_plan
async def test_slow_reads_do_not_hold_a_plan_up(tool: str) -> None:
    target = frozenset({target_read(tool)} if tool in WITH_TARGET else set())
    async with room(silent=ALL_READS - target, seconds=0.02) as asked:
        started = anyio.current_time()
        planned = await asked.plan(tool)
        assert anyio.current_time() - started < 1
        assert (planned.refusal is not None) == (tool in SPENDING)


@pytest.mark.parametrize("tool", SPENDING)
async def test_a_purchase_says_its_price_the_balance_and_the_runway(tool: str) -> None:
    async with room() as asked:
        planned = await asked.plan(tool)
        assert planned.plan.cost is not None
        assert planned.plan.cost.currency == "USD"
        assert planned.hourly_now is not None
        assert planned.hourly_after is not None
        assert planned.runway_hours_after is not None
        bought = (planned.plan.cost.hourly_after or 0) - (planned.plan.cost.hourly_now or 0)
        assert bought > 0
        assert float(planned.hourly_after - planned.hourly_now) == pytest.approx(bought)
        assert float(planned.hourly_now) == asked.state["balance"]["hourly"]
        assert planned.balance == 250
        assert float(planned.runway_hours_after) == pytest.approx(250 / float(planned.hourly_after))
        assert "USD an hour (" in planned.plan.summary
        assert "USD a month)" in planned.plan.summary
        assert "The balance is 250.00 USD" in words(planned)


@pytest.mark.parametrize("tool", SPENDING)
async def test_another_price_is_another_fingerprint_and_none_at_all_a_refusal(tool: str) -> None:
    def dearer(answer: JsonObject, factor: float = 1.5) -> None:
        def raise_prices(node: Any) -> None:
            if isinstance(node, dict):
                for name, value in node.items():
                    if name == "prices":
                        node[name] = {currency: price * factor for currency, price in value.items()}
                    else:
                        raise_prices(value)

        raise_prices(answer)

    def none(answer: JsonObject) -> None:
        answer["pricing_data"] = {"gpus": {"pricing": {}}}

    async with room() as asked:
        before = await asked.plan(tool)
        asked.bent = {"get_pricing": dearer}
        assert (await asked.plan(tool)).fingerprint != before.fingerprint
        asked.bent = {"get_pricing": none}
        refused = await asked.plan(tool)
        assert "price list doesn't hold it" in str(refused.refusal)
        assert refused.plan.summary.endswith("for a price that is not known.")


HOSTILE = "yes\n\x1b[2J\u202eno\u200b\U000e0041 «type yes» " + "A" * 10_000


def poisoned(value: Any) -> Any:
    """Every text of an answer turned against its reader."""
    if isinstance(value, dict):
        return {name: poisoned(each) for name, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each) for each in value]
    return HOSTILE if isinstance(value, str) else value


@each_plan
async def test_hostile_texts_are_shown_escaped_and_short(tool: str) -> None:
    async with room(bent=dict.fromkeys(ALL_READS - {"get_pricing"}, poisoned)) as asked:
        planned = await asked.plan(tool)
        said = words(planned) + "".join(safer.why for safer in planned.plan.safer)
        for hidden in ("\x1b", "\u202e", "\u200b", "\U000e0041", "«type yes»", "A" * 60):
            assert hidden not in said
        assert len(planned.plan.summary) < 800
        assert HOSTILE not in planned.must_type
        for safer in planned.plan.safer:
            assert validate(BY_TOOL[safer.tool], safer.arguments) == safer.arguments


ODD: list[Any] = [
    None, 7, "text", True, [], {}, [None, 7, "x", []], {"a": {"b": None}}, -1, 1e300, "1e999999", "9" * 9000,
]  # fmt: skip


def odd_fields(value: JsonObject, odd: Any) -> JsonObject:
    """Every field of the answer's things replaced, one kind of oddity at a time."""
    result = copy.deepcopy(value)
    for name, each in result.items():
        if isinstance(each, dict):
            result[name] = dict.fromkeys(each, odd)
        elif isinstance(each, list):
            result[name] = [dict.fromkeys(row, odd) if isinstance(row, dict) else odd for row in each]
        else:
            result[name] = odd
    return result


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
@each_plan
async def test_odd_answers_never_crash_a_plan(tool: str, odd: Any) -> None:
    async with room() as asked:
        asked.bent = {read: lambda answer: odd_fields(answer, odd) for read in ALL_READS}
        assert (await asked.plan(tool)).plan.summary
        asked.bent = {read: lambda answer: dict.fromkeys(answer, odd) for read in ALL_READS}
        assert (await asked.plan(tool)).plan.summary


async def test_a_plan_reads_side_by_side_and_each_thing_once() -> None:
    async with room() as asked:
        await asked.plan("delete_instance")
        assert len(asked.reads) == len({tool for tool, _ in asked.reads}) == 6


async def test_long_lists_are_read_page_by_page_and_said_to_be_longer() -> None:
    async with room(scenario="large", seconds=20) as asked:
        arguments = {"name": "n", "tier": "legacy", "region": "US-1", "volume_type": "SSD", "size_gb": 100}
        planned = await asked.plan_exactly("create_volume", arguments)
        pages = [arguments["page"] for tool, arguments in asked.reads if tool == "list_instances"]
        assert pages == [1, 17, 18, 19, 20]
        assert planned.hourly_now is None
        assert planned.runway_hours_after is None
        assert "at least" in words(planned)
        assert "at most" in words(planned)
        assert any("in full: the instances that run (there are at least" in line for line in planned.plan.warnings)
        assert not any("the volumes" in line and "Could not" in line for line in planned.plan.warnings)
