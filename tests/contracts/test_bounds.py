"""Spelling is data; what an operation does is not: no document and no override makes a read change anything."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.api.openapi.adopt import adopt, adopted
from barrack_mcp.api.openapi.comparison import compare
from barrack_mcp.api.openapi.document import read
from barrack_mcp.api.wire.bounds import contradiction, place, places
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import OverridesError, load
from barrack_mcp.api.wire.overrides import OperationOverride, Overrides, merged
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS
from tests.contracts.other import PATHS

WRITES = [operation for operation in OPERATIONS if not operation.reads]
READS = [operation for operation in OPERATIONS if operation.reads]
METHODS: Any = ("GET", "POST", "PUT", "PATCH", "DELETE")


def kept_within_bounds(contract: Contract) -> None:
    """No read changes anything, and no operation goes where another goes or is shipped to go."""
    sent = {operation.tool: contract.for_(operation) for operation in OPERATIONS}
    reached = {tool: place(wire.method, wire.path) for tool, wire in sent.items()}
    assert len(set(reached.values())) == len(OPERATIONS)
    writes = {place(operation.method, operation.path): operation.tool for operation in WRITES}
    for operation in OPERATIONS:
        wire, there = sent[operation.tool], reached[operation.tool]
        assert writes.get(there, operation.tool) == operation.tool
        if operation.reads:
            assert wire.method in ("GET", operation.method)
        else:
            assert wire.method != "GET"
            assert there not in {place(each.method, each.path) for each in READS}
        assert not contradiction(operation, wire.method, wire.path)


def described(*operations: tuple[str, str, dict[str, Any]]) -> bytes:
    paths: dict[str, Any] = {}
    for method, path, said in operations:
        names = re.findall(r"\{(.*?)\}", path)
        parameters = [{"name": name, "in": "path", "schema": {"type": "string"}} for name in names]
        paths.setdefault(path, {})[method.lower()] = {"parameters": parameters, **said}
    return json.dumps({"openapi": "3.1.0", "paths": paths}).encode()


def named(tool: str) -> dict[str, Any]:
    return {"operationId": tool, "summary": BY_TOOL[tool].title, "tags": [BY_TOOL[tool].group]}


def test_what_we_ship_and_where_else_it_may_be_keeps_the_bounds() -> None:
    kept_within_bounds(Contract())
    for operation in OPERATIONS:
        for there in places(operation):
            assert not contradiction(operation, *there), operation.tool


def test_the_other_barrack_keeps_them_too() -> None:
    theirs: dict[str, Any] = PATHS
    said = {tool: OperationOverride(method=method, path=path) for tool, (method, path) in theirs.items()}
    contract = Contract(Overrides(operations=said))
    assert not contract.refused
    kept_within_bounds(contract)


@pytest.mark.parametrize(
    ("tool", "method", "path", "words"),
    [
        ("get_instance", "POST", "/instances/{instance_id}/stop/", "would go where stop_instance goes"),
        ("list_instance_firewalls", "POST", "/instances/{instance_id}/reboot/", "would go where reboot_instance goes"),
        ("get_instance", "DELETE", "/instances/{instance_id}/", "would go where delete_instance goes"),
        ("get_instance", "GET", "/vms/{instance_id}/power-off/", "a word for doing something else"),
        ("get_instance", "GET", "/vms/{instance_id}/%73top", "a word for doing something else"),
        ("get_instance", "GET", "/vms/terminate/{instance_id}", "a word for doing something else"),
        ("get_instance", "POST", "/vms/{instance_id}/", "it reads, which takes GET"),
        ("list_snapshot_images", "POST", "/snapshots/{snapshot_id}/delete/", "a word for doing something else"),
        ("list_volumes", "GET", "/snapshots/", "would go where list_snapshots goes"),
        ("start_instance", "POST", "/instances/{instance_id}/hibernate", "would go where hibernate_instance goes"),
        ("start_instance", "POST", "/Instances/{x}/STOP/", "would go where stop_instance goes"),
        ("start_instance", "POST", "/vms/{instance_id}/destroy/", "a word for doing something else"),
        ("start_instance", "POST", "/vms/{instance_id}/{what}/", "choose what is done"),
        ("start_instance", "GET", "/vms/{instance_id}/start/", "it changes something, which takes POST"),
        ("create_volume", "DELETE", "/disks/", "it changes something, which takes POST"),
        ("create_firewall", "POST", "/deployments/", "would go where deploy_instance goes"),
    ],
)
def test_what_would_do_another_thing_is_not_followed_whoever_says_it(
    tool: str, method: Any, path: str, words: str
) -> None:
    contract = Contract(Overrides(operations={tool: OperationOverride(method=method, path=path)}))
    assert words in contract.refused[tool]
    kept_within_bounds(contract)
    said = compare(read(described((method, path, named(tool)), ("GET", "/vms/", named("list_instances"))), "theirs"))
    assert set(said.overrides.operations) <= {"list_instances"}
    assert adopted(said.document) == load(adopt(said.document).encode(), "adopted")
    assert "list_instances" in adopted(said.document).operations
    (told,) = [match for match in said.matches if match.operation.tool == tool]
    assert told.doubt
    assert "# It can't be taken over as it is: " in adopt(said.document)
    with pytest.raises(OverridesError, match=r"operations\.\w+\.(path|method) ") as raised:
        load(f'[operations.{tool}]\nmethod = "{method}"\npath = "{path}"\n'.encode(), "by hand")
    assert "STOP" not in str(raised.value)


@pytest.mark.parametrize(
    ("tool", "path", "constants", "owner"),
    [
        ("start_instance", "/instances/{instance_id}/{what}/", {"what": "stop"}, "stop_instance"),
        ("add_instance_security_rule", "/instances/{instance_id}/snapshots/", {"instance_id": "X"}, "create_snapshot"),
        ("create_firewall", "/{a}/deploy/", {"a": "instances"}, "deploy_instance"),
    ],
)
def test_a_constant_neither_completes_nor_hides_another_operations_path(
    tool: str, path: str, constants: Any, owner: str
) -> None:
    override = OperationOverride(path=path, constants=constants)
    assert Contract(Overrides(operations={tool: override})).refused == {tool: f"would go where {owner} goes"}


def test_a_read_may_move_in_where_another_read_has_moved_out_and_a_write_may_not() -> None:
    text = '[operations.list_os_images]\npath = "/images/"\n[operations.list_custom_images]\npath = "/images/own/"\n'
    contract = Contract(load(text.encode(), "f"))
    assert contract.for_(BY_TOOL["list_os_images"]).path == "/images/"
    swapped = {
        "start_instance": OperationOverride(path="/instances/{instance_id}/stop/"),
        "stop_instance": OperationOverride(path="/instances/{instance_id}/start/"),
    }
    assert set(Contract(Overrides(operations=swapped)).refused) == set(swapped)


def test_what_was_there_by_leave_of_one_that_falls_back_falls_back_too() -> None:
    said = {
        "list_os_images": OperationOverride(path="/images/"),
        "list_custom_images": OperationOverride(path="/snapshots/"),
        "get_volume": OperationOverride(path="/disks/{volume_id}/"),
    }
    contract = Contract(Overrides(operations=said))
    assert set(contract.refused) == {"list_os_images", "list_custom_images"}
    assert contract.for_(BY_TOOL["get_volume"]).path == "/disks/{volume_id}/"
    kept_within_bounds(contract)


def test_of_two_that_bear_its_signs_the_one_with_more_of_them_is_taken_and_of_two_alike_none() -> None:
    by_id = ("GET", "/v1/disks/", {"operationId": "list_volumes"})
    by_both = ("GET", "/v2/disks/", named("list_volumes"))
    followed = adopted(read(described(by_id, by_both), "theirs"))
    assert followed.operations["list_volumes"].path == "/v2/disks/"
    twice = compare(read(described(by_id, ("GET", "/v3/disks/", by_id[2])), "theirs"))
    assert not twice.overrides.operations
    assert "could be it as well" in twice.matches[0].doubt


SEGMENTS = st.sampled_from(
    [part for operation in OPERATIONS for part in operation.path.strip("/").split("/")]
    + ["{id}", "{x}", "vms", "stop", "Delete", "power-off", "terminate", "%73top", "v2", ""]
)
TOOLS = st.sampled_from(sorted(BY_TOOL))
SAID = st.builds(
    lambda tool, titled, path, method, ided: (
        method,
        "/" + "/".join(path),
        {"operationId": tool if ided else "x", "summary": BY_TOOL[titled].title, "tags": [BY_TOOL[titled].group]},
    ),
    TOOLS,
    TOOLS,
    st.lists(SEGMENTS, min_size=1, max_size=4),
    st.sampled_from(METHODS),
    st.booleans(),
)
KNOWN = st.builds(
    lambda tool, other, method: (method, BY_TOOL[other].path, named(tool)), TOOLS, TOOLS, st.sampled_from(METHODS)
)
OVERRIDE: Any = st.builds(
    OperationOverride,
    method=st.none() | st.sampled_from(METHODS),
    path=st.none() | st.sampled_from([operation.path for operation in OPERATIONS] + ["/a/", "/a/{volume_id}/stop"]),
)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.lists(SAID | KNOWN, min_size=1, max_size=12))
def test_no_document_makes_a_read_change_anything_or_gives_an_operation_anothers_place(said: Any) -> None:
    document = read(described(*said), "theirs")
    followed = adopted(document)
    contract = Contract(followed)
    assert not contract.refused
    kept_within_bounds(contract)
    assert load(adopt(document).encode(), "adopted") == followed


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.dictionaries(TOOLS, OVERRIDE, max_size=20), st.dictionaries(TOOLS, OVERRIDE, max_size=5))
def test_no_overrides_do_so_whoever_wrote_them(under: Any, over: Any) -> None:
    kept_within_bounds(Contract(merged(Overrides(operations=under), Overrides(operations=over))))


@pytest.mark.parametrize(
    ("tool", "method", "path"),
    [
        ("list_snapshot_images", "POST", "/instances/{who}/s{b}/"),
        ("list_snapshot_images", "POST", "/instances/{who}/{a}{b}/"),
        ("list_snapshot_images", "POST", "/instances/{who}/{verb}/"),
        ("quote_price", "POST", "/instances/{who}/s{gpu_model}/"),
        ("create_firewall", "POST", "/instances/{description}/s{name}/"),
        ("create_firewall", "POST", "/instances/{description}/{name}/"),
    ],
)
def test_no_value_of_a_caller_can_choose_what_a_path_does(tool: str, method: Any, path: str) -> None:
    by_hand = Contract(Overrides(operations={tool: OperationOverride(method=method, path=path)}))
    assert tool in by_hand.refused
    by_document = Contract(adopted(read(described((method, path, named(tool))), "a document")))
    for contract in (by_hand, by_document):
        assert contract.for_(BY_TOOL[tool]).path == BY_TOOL[tool].path
