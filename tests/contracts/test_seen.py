"""What was seen to work is no guess any more, for the same address and the same path alone."""

from __future__ import annotations

import json

import pytest

from barrack_mcp.api.wire.form import Contract, Mark
from barrack_mcp.api.wire.loading import load
from barrack_mcp.api.wire.seen import noted, remembered
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS

URL = "https://barrack.example/api"
INSTANCE = BY_TOOL["get_instance"]


def seen(*tools: str) -> Contract:
    contract = Contract()
    contract.trust(tools)
    return contract


def test_an_answer_with_its_root_vouches_for_the_path() -> None:
    contract = Contract()
    before = contract.for_(INSTANCE)
    assert (before.guessed, before.marks) == (True, (Mark.INFERRED,))
    contract.saw(INSTANCE, {"instance": {}})
    after = contract.for_(INSTANCE)
    assert (after.guessed, after.marks) == (False, (Mark.INFERRED, Mark.SEEN_WORKING))
    assert contract.for_(BY_TOOL["get_volume"]).guessed


@pytest.mark.parametrize("answer", [{}, {"success": True}, [], None, {"detail": "welcome"}])
def test_an_answer_without_its_root_vouches_for_nothing(answer: object) -> None:
    contract = Contract()
    contract.saw(INSTANCE, answer)
    assert contract.for_(INSTANCE).guessed


def test_documented_and_overridden_paths_are_no_guesses() -> None:
    assert not Contract().for_(BY_TOOL["get_pricing"]).guessed
    assert not Contract(load(b"[operations.get_instance]\n", "f")).for_(INSTANCE).guessed
    everywhere = Contract(load(b'[api]\npage = "p"\n', "f")).for_(BY_TOOL["list_volumes"])
    assert Mark.OVERRIDDEN in everywhere.marks
    assert everywhere.guessed


def test_the_record_is_read_as_it_was_written_and_grows() -> None:
    raw = noted(b"", URL, seen("get_instance"))
    raw = noted(raw, URL, seen("get_volume"))
    assert remembered(raw, URL, Contract()) == {"get_instance", "get_volume"}
    assert noted(raw, URL, Contract()) == raw


def test_it_counts_for_its_address_and_its_path_alone() -> None:
    raw = noted(b"", URL, seen("get_instance", "get_volume"))
    moved = Contract(load(b'[operations.get_instance]\npath = "/vms/{instance_id}/"\n', "f"))
    assert remembered(raw, URL, moved) == {"get_volume"}
    assert remembered(raw, "https://other.example/api", Contract()) == frozenset()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b'{"' + URL.encode() + b'": 7}', b"[" * 100_000])
def test_a_broken_record_counts_as_empty(raw: bytes) -> None:
    assert remembered(raw, URL, Contract()) == frozenset()
    assert json.loads(noted(raw, URL, seen("get_volume")))[URL] == {"get_volume": "GET /volumes/{volume_id}/"}


def test_tools_that_this_version_does_not_know_are_passed_over() -> None:
    raw = json.dumps({URL: {"get_spaceship": "GET /x/", "get_volume": 7}}).encode()
    assert remembered(raw, URL, Contract()) == frozenset()


def test_every_operation_can_be_seen() -> None:
    contract = Contract()
    for operation in OPERATIONS:
        contract.saw(operation, {operation.result or "message": {}})
    assert contract.seen == set(BY_TOOL)
    assert not any(contract.for_(operation).guessed for operation in OPERATIONS)
