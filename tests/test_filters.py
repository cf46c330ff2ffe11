"""An empty list says which filter fits no row, and what would; and a refusal names what it is about."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from barrack_mcp.api.body import typed
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.dispatch.answers.advice import next_step
from barrack_mcp.dispatch.reads.filters import explain_empty
from tests.test_naming import desk

pytestmark = pytest.mark.anyio


async def looked(tool: str, arguments: JsonObject) -> tuple[str, int]:
    """What is said of a read on the simulator, and how many requests that took beside the read."""
    async with desk() as made:
        operation, client = BY_TOOL[tool], made.dispatcher.account.client

        async def read(values: JsonObject) -> JsonObject:
            return typed(operation, await client.send(operation, operation.on_the_wire(values)))

        data = await read(arguments)
        said = await explain_empty(operation, arguments, data, read=read)
        return said, len(made.sent) - 1


async def of(tool: str, values: JsonObject, answer: JsonObject | Exception, data: JsonObject | None = None) -> str:
    operation = BY_TOOL[tool]

    async def read(values: JsonObject) -> JsonObject:  # noqa: ARG001 - a reader's own name
        await anyio.lowlevel.checkpoint()
        if isinstance(answer, Exception):
            raise answer
        return answer

    return await explain_empty(operation, values, data or {operation.result or "": []}, read=read)


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("list_gpu_stock", {"gpu_model": "H100"}, "No row has this gpu_model; there are: H100-"),
        ("list_gpu_specs", {"gpu_model": "h100"}, "No row has this gpu_model; there are: H100-"),
        ("list_gpu_specs", {"region": "canada"}, "No row has this region; there are: CANADA-1 and 6 more."),
        ("list_instances", {"status": "RUNNING", "detail": "full"}, "No row has this status; there are: "),
        ("list_instances", {"region": "canada", "limit": 1}, "No row has this region; there are: CANADA-1 and "),
        ("list_volumes", {"region": "fin"}, "No row has this region; there are: FIN-01 and "),
        ("list_os_images", {"region": "canada"}, "No row has this region; there are: CANADA-1 and "),
        ("list_ssh_keys", {"region": "mars"}, "No row has this region; there are: "),
    ],
)
async def test_a_filter_that_fits_no_row_names_what_there_is(tool: str, arguments: JsonObject, words: str) -> None:
    said, more = await looked(tool, arguments)
    assert said.startswith(words)
    assert more == 1


@pytest.mark.parametrize(
    ("tool", "arguments", "more"),
    [
        ("list_gpu_stock", {}, 0),
        ("list_gpu_stock", {"region": "CANADA-1"}, 0),
        ("list_instances", {"region": "CANADA-1", "page": 9}, 0),
        ("list_instances", {"region": "CANADA-1", "tier": "advanced"}, 1),
    ],
)
async def test_where_no_filter_is_to_blame_nothing_is_said(tool: str, arguments: JsonObject, more: int) -> None:
    assert await looked(tool, arguments) == ("", more)


async def test_a_state_in_another_case_is_named_first() -> None:
    said = await of(
        "list_instances", {"status": "active"}, {"instances": [{"status": "SHUTOFF"}, {"status": "ACTIVE"}], "total": 2}
    )
    assert said == "No row has this status; there are: ACTIVE and 1 more."


async def test_values_are_escaped_and_few_and_the_callers_own_is_never_shown() -> None:
    rows = [{"region": f"R{at}\u202e\n"} for at in range(20)]
    said = await of("list_firewalls", {"region": "zz\u202e secret"}, {"firewalls": rows, "total": 20})
    assert said.endswith("and 12 more.")
    assert said.isprintable()
    assert "secret" not in said


async def test_a_list_that_is_not_whole_is_not_spoken_of_as_a_whole() -> None:
    said = await of("list_firewalls", {"region": "x"}, {"firewalls": [{"region": "A"}], "total": 700})
    assert said == "None of the first 1 rows has this region; there are: A."


@pytest.mark.parametrize(
    "answer",
    [ApiError(Failure.BROKEN, "Boom"), {}, {"firewalls": []}, {"firewalls": [{"name": "x", "region": None}, None]}],
)
async def test_what_cannot_be_read_again_adds_nothing(answer: Any) -> None:
    assert await of("list_firewalls", {"region": "x"}, answer) == ""


async def test_nobody_waits_long_for_the_second_look() -> None:
    async def read(values: JsonObject) -> JsonObject:  # noqa: ARG001 - a reader's own name
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.fail_after(20):
        said = await explain_empty(BY_TOOL["list_firewalls"], {"region": "x"}, {"firewalls": []}, read=read, seconds=0)
    assert said == ""


@pytest.mark.parametrize(
    ("tool", "status", "words", "said"),
    [
        ("deploy_instance", 404, "OS image not found in this region", "Check os_image; list_os_images shows"),
        ("deploy_instance", 404, "Image not found", "Check image_id; list_custom_images shows"),
        ("deploy_instance", 404, "SSH key not found", "Check ssh_key_ids; list_ssh_keys shows"),
        ("deploy_instance", 400, "Unknown region", "Check region; list_regions shows"),
        ("deploy_instance", 400, "GPU model does not exist", "Check gpu_model; list_gpu_stock shows"),
        ("deploy_instance", 404, "Gone", "Check volume_id (list_volumes shows what exists), image_id (list_custom"),
        ("attach_firewall", 404, "Instance not found", "Check instance_ids; list_instances shows"),
        ("remove_firewall_rule", 404, "Rule not found", "Check rule_id; get_firewall shows"),
        ("restore_snapshot", 404, "Snapshot not found", "Check snapshot_id; list_snapshots shows"),
        ("create_snapshot", 409, "The instance is HIBERNATED", "get_instance shows the present state."),
        ("create_custom_image", 409, "The snapshot is CREATING", "get_snapshot shows the present state."),
        ("attach_volumes", 409, "The volume is attached already", "get_volume shows the present state."),
        ("clone_volume", 409, "Volume name already exists", "list_volumes shows the present state."),
        ("create_firewall", 409, "Busy", "list_firewalls shows the present state."),
    ],
)
def test_a_refusal_names_what_it_is_about(tool: str, status: int, words: str, said: str) -> None:
    assert next_step(BY_TOOL[tool], ApiError(Failure.REJECTED, words, status=status)).startswith(said)


@pytest.mark.parametrize("words", ["Unknown field", "Wrong state"])
def test_a_refusal_that_names_no_argument_gets_no_list_of_ids(words: str) -> None:
    assert next_step(BY_TOOL["deploy_instance"], ApiError(Failure.REJECTED, words, status=400)) == ""
