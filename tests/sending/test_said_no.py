"""A no inside a success, in every shape: never told as done, never taken for data; and its reasons are all told."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from barrack_mcp.api.answer.success import Says, says
from barrack_mcp.api.errors import read_error
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.writes.keyfile import KeyFolder
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.answers import Answers, dispatcher
from tests.support.answers import json as answered

pytestmark = pytest.mark.anyio

STATE: Any = json.loads(json.dumps(create_app(now=lambda: 0.0).state.barrack.state()))
READS = [operation for operation in OPERATIONS if operation.reads]
WRITES = [operation for operation in OPERATIONS if not operation.reads]

WHY = "no capacity in that region"
NO: list[Any] = [
    {"success": False, "message": WHY},
    {"success": "false", "message": WHY},
    {"success": "False ", "message": WHY},
    {"success": "no", "message": WHY},
    {"success": 0, "message": WHY},
    {"Success": False, "Message": WHY},
    {"is_success": False, "message": WHY},
    {"ok": False, "message": WHY},
    {"ok": "false", "description": WHY},
    {"errors": [{"message": WHY}]},
    {"errors": [WHY]},
    {"errors": {"region": [WHY]}},
    {"errors": WHY},
    {"errors": [{"message": WHY}], "data": None},
    {"errors": [{"message": WHY}], "data": {"x": None}},
    {"error": WHY},
    {"error": {"code": 17, "message": WHY}},
    {"error": True, "message": WHY},
    {"error": 3, "message": WHY},
    {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": WHY}},
    {"error_message": WHY},
    {"errorMessage": WHY},
    {"error": "invalid", "error_description": WHY},
    {"non_field_errors": [WHY]},
    {"status": "error", "message": WHY},
    {"status": "ERROR", "message": WHY},
    {"status": "failed", "message": WHY},
    {"status": "fail", "data": {"quota": WHY}},
    {"status": "Error: not done", "message": WHY},
    {"status": 400, "message": WHY},
    {"status": "409", "message": WHY},
    {"statusCode": 422, "message": WHY},
    {"code": 404, "message": WHY},
    {"code": "404", "detail": WHY},
    {"code": 40001, "msg": WHY},
    {"result": "error", "message": WHY},
    {"result": "failure", "reason": WHY},
    {"data": {"success": False, "message": WHY}},
    {"data": {"error": WHY}},
    {"result": {"ok": False, "message": WHY}},
    {"response": {"status": "error", "message": WHY}},
    {"meta": {"status": "error"}, "message": WHY},
    {"has_error": True, "message": WHY},
    {"type": "about:blank", "title": "Conflict", "status": 409, "detail": WHY},
    {"detail": [{"loc": ["body", "region"], "msg": WHY, "type": "value_error"}]},
    [{"error": WHY}],
    [{"errorCode": "X", "error": True, "message": WHY}],
]
OPEN: list[Any] = [
    {}, {"message": "ok"}, {"request_id": "0a1b"}, {"unheard": 1}, {"data": None}, {"data": {}}, {"success": None}, [],
    {"errors": [], "error": None}, {"detail": "queued"}, {"status": "unheard"}, "done", 7, True,
]  # fmt: skip
TORN: list[Any] = [
    {"success": True, "errors": [{"message": WHY}]},
    {"success": True, "ok": False, "message": WHY},
    {"success": True, "status": "error", "message": WHY},
    {"success": True, "status": "fail", "data": {"region": WHY}},
]
"""They say both."""


async def came_of(operation: Operation, answer: httpx2.Response, folder: Any) -> tuple[Answer, int]:
    """Call an operation whose own request alone is answered like this, and count how often it was sent."""
    sent = 0

    async def respond() -> httpx2.Response:
        nonlocal sent
        sent += 1
        return answer

    class Api(Answers):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            self.default = respond if request.method == operation.method else answered({"detail": "No"}, 404)
            return await super().handle_async_request(request)

    told = await dispatcher(Api(), key_folder=KeyFolder(folder)).call(operation.tool, examples.good(operation, STATE))
    assert isinstance(told, Answer)
    return told, sent


@pytest.mark.slow
@pytest.mark.promise("R9")
@pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.tool)
async def test_a_write_whose_answer_says_no_is_never_done_and_says_why(operation: Operation, tmp_path: Any) -> None:
    """Half of all answers each, which take turns: every one of them is the answer of every other write."""
    for body in NO[WRITES.index(operation) % 2 :: 2]:
        told, sent = await came_of(operation, answered(body), tmp_path)
        if not sent:
            # what it would do could not be read, so it was refused before
            assert told.structured["outcome"] == "refused"
            continue
        assert (told.structured["outcome"], sent) == ("failed", 1), body
        assert WHY in told.text, body


@pytest.mark.slow
@pytest.mark.promise("R9")
@pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.tool)
async def test_a_write_whose_answer_leaves_it_open_is_unknown_until_a_look_has_shown_it(
    operation: Operation, tmp_path: Any
) -> None:
    """Half of all answers each, which take turns."""
    for body in [*OPEN, *TORN][WRITES.index(operation) % 2 :: 2]:
        told, sent = await came_of(operation, answered(body), tmp_path)
        assert told.structured["outcome"] == ("unknown" if sent else "refused"), body
        if sent and WHY in json.dumps(body):
            assert WHY in told.text


@pytest.mark.slow
@pytest.mark.promise("R9")
@pytest.mark.parametrize("operation", READS, ids=lambda operation: operation.tool)
async def test_a_read_whose_answer_says_no_is_no_data(operation: Operation) -> None:
    """Half of all answers each, which take turns."""
    for body in [*NO, *TORN][READS.index(operation) % 2 :: 2]:
        answers = Answers(answered(body))
        told = await dispatcher(answers).call(operation.tool, examples.good(operation, STATE))
        assert isinstance(told, Answer)
        assert told.structured["outcome"] == "failed", body
        assert WHY in told.text


GOOD_WRITES: list[tuple[str, int, Any]] = [
    ("deploy_instance", 200, {"success": True, "data": {"instance_id": "BRK-1D", "status": "ERROR", "error": "x"}}),
    ("deploy_instance", 200, {"data": {"instance_id": "BRK-1D", "status": "CREATING"}}),
    ("deploy_instance", 200, {"success": "true", "message": "ok"}),
    ("deploy_instance", 201, {"job": 7}),
    ("deploy_instance", 202, {}),
    ("create_firewall", 200, {"firewall": {"id": "FW-1", "status": "ERROR"}}),
    ("create_firewall", 200, {"id": "FW-1", "name": "web", "errors": [], "error": None}),
    ("create_volume", 200, {"status": "success", "data": {"volume": {"volume_id": "BRK-1V", "status": "failed"}}}),
    ("stop_instance", 200, {"success": True, "instance_id": "BRK-1D", "status": "ERROR"}),
    ("stop_instance", 200, {"success": 1, "code": 0}),
    ("stop_instance", 200, {"instance_id": "BRK-1D", "status": "STOPPING"}),
    ("stop_instance", 200, {"ok": True}),
    ("stop_instance", 200, {"status": "ok"}),
    ("stop_instance", 200, {"code": 200, "message": "accepted"}),
    ("delete_volume", 202, {"message": "deleting"}),
    ("bulk_delete_startup_scripts", 200, {"deleted_ids": ["SCR-1"], "errors": [{"id": "SCR-2", "message": "in use"}]}),
    ("bulk_delete_startup_scripts", 200, {"success": True, "deleted_count": 0, "failed": 2}),
    ("create_ssh_key", 200, {"private_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}),
]


@pytest.mark.parametrize(("tool", "status", "body"), GOOD_WRITES)
def test_what_is_in_a_thing_is_the_things_own(tool: str, status: int, body: JsonObject) -> None:
    assert says(BY_TOOL[tool], status, body) is Says.YES


GOOD_READS: list[tuple[str, Any]] = [
    ("get_instance", {"instance": {"instance_id": "BRK-1D", "status": "ERROR", "error": "no host"}}),
    ("get_instance", {"instance_id": "BRK-1D", "status": "ERROR", "error": "no host", "code": 17}),
    ("get_instance", {"data": {"instance_id": "BRK-1D", "status": "FAILED", "errors": ["no host"]}}),
    ("list_instances", {"success": True, "instances": [{"status": "ERROR"}], "errors": [], "error": ""}),
    ("list_instances", [{"instance_id": "BRK-1D", "status": "ERROR"}]),
    ("list_volumes", {"status": "success", "data": {"volumes": []}, "error": "none"}),
    ("get_credit_balance", {"balance": {"amount": 404, "currency": "USD"}, "code": 0}),
]


@pytest.mark.parametrize(("tool", "body"), GOOD_READS)
def test_a_thing_in_trouble_is_read_all_the_same(tool: str, body: Any) -> None:
    assert says(BY_TOOL[tool], 200, body) in (Says.YES, Says.NEITHER)


async def test_a_thing_that_may_speak_of_itself_or_of_the_call_is_looked_at_before_it_is_said() -> None:
    for body in ({"instance_id": "BRK-1D", "status": "error"}, {"instance_id": "BRK-1D", "error": "can't be stopped"}):
        assert says(BY_TOOL["stop_instance"], 200, body) is Says.BOTH
        assert says(BY_TOOL["get_instance"], 200, body) is Says.YES


@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.tool)
def test_a_status_that_says_that_it_was_taken_needs_no_body(operation: Operation, status: int) -> None:
    assert says(operation, status, {}, empty=True) is Says.YES


REASONS: list[tuple[Any, tuple[str, ...]]] = [
    ({"message": "Validation error", "errors": {"name": ["is taken"]}}, ("Validation error; name: is taken",)),
    ({"detail": "Invalid input.", "name": ["is taken"]}, ("Invalid input. name: is taken",)),
    ({"errors": [{"title": "Bad", "detail": "is taken", "source": {"pointer": "/data/attributes/name"}}]},
     ("name: Bad; is taken",)),
    ({"error": "invalid", "error_description": "is taken"}, ("invalid; is taken",)),
    ({"detail": [{"loc": ["body", "rules", 0, "protocol"], "msg": "unknown"}, {"loc": ["query", "x"], "msg": "low"}]},
     ("rules.0.protocol: unknown", "x: low")),
    ({"title": "Conflict", "detail": "in use", "invalid-params": [{"name": "size_gb", "reason": "must be more"}]},
     ("Conflict; in use; size_gb: must be more",)),
    ({"non_field_errors": ["not both", "not now"]}, ("not both; not now",)),
    ({"message": "No", "errors": [{"field": "name", "message": "short"}, {"field": "name", "message": "odd"}]},
     ("No; name: short odd",)),
    ({"message": "No", "name": "is taken"}, ("No; name: is taken",)),
    ({"error": {"message": "No", "errors": [{"reason": "quota", "message": "8 GPUs at most"}]}}, ("8 GPUs at most",)),
    ({"data": {"message": "out of stock"}}, ("out of stock",)),
    ({"status": "fail", "data": {"region": "has no stock"}}, ("region: has no stock",)),
    ({"message": ["one", "two"]}, ("one; two",)),
    ({"errors": {"region": {"code": ["is closed"]}}}, ("region: code: is closed",)),
    (["name is taken", "size is odd"], ("name is taken; size is odd",)),
    ("name is taken", ("name is taken",)),
    ({"message": "No", "timestamp": "2026-01-01", "path": "/api/x", "trace_id": "abc"}, ("No",)),
]  # fmt: skip


@pytest.mark.parametrize(("body", "told"), REASONS)
def test_every_reason_is_told(body: Any, told: tuple[str, ...]) -> None:
    sentence = read_error(400, body).sentence
    for each in told:
        assert each in sentence
    assert "2026" not in sentence


async def test_a_reason_in_plain_text_is_told_and_cited() -> None:
    plain = httpx2.Response(409, text="volume is in use\n", headers={"content-type": "text/plain; charset=utf-8"})
    told = await dispatcher(Answers(plain)).call("list_volumes", {})
    assert isinstance(told, Answer)
    assert told.text.startswith("Barrack says «volume is in use» (HTTP 409).")


async def test_a_problem_document_is_a_no_whatever_its_status() -> None:
    problem = httpx2.Response(200, json={"title": "Out of stock"}, headers={"content-type": "application/problem+json"})
    told = await dispatcher(Answers(problem)).call("list_volumes", {})
    assert isinstance(told, Answer)
    assert "«Out of stock»" in told.text
