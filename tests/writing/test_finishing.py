"""A write that was sent is finished and written down, whatever becomes of the call that wanted it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation, Risk
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.writes.keyfile import KeyFolder
from barrack_mcp.simulator import create_app
from barrack_mcp.state import audit
from barrack_mcp.state.audit import Audit, AuditError
from tests.support import examples
from tests.support.answers import Answers, client, dispatcher
from tests.support.answers import json as answered
from tests.support.guarding import Corridor, account_of, guard, writer
from tests.support.house import Person, house, says_yes
from tests.support.pairs import pairs
from tests.support.patience import PATIENT_S
from tests.support.running import EVERY_RISK

pytestmark = pytest.mark.anyio

WRITES = [operation for operation in OPERATIONS if not operation.reads]
ASKING = [operation for operation in WRITES if operation.risk is not Risk.CHANGE]
STATE: Any = json.loads(json.dumps(create_app(now=lambda: 0.0).state.barrack.state()))


class Gate(httpx2.AsyncBaseTransport):
    """Answers reads at once, and anything when it is opened."""

    def __init__(self, *, reads: bool = True) -> None:
        self.reads = reads
        self.reached = anyio.Event()
        self.opened = anyio.Event()
        self.left = anyio.Event()
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if not (self.reads and request.method == "GET"):
            self.reached.set()
            try:
                await self.opened.wait()
            finally:
                self.left.set()
        return httpx2.Response(200, json={"success": True, "message": "Started.", "request_id": "r-1"})


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


@asynccontextmanager
async def running(gate: Gate, path: Path) -> AsyncIterator[Corridor]:
    """A dispatcher whose writes run in a task of their own."""
    api = client(gate, seconds=600)
    async with anyio.create_task_group() as tasks:
        yield Corridor(
            account=account_of(api, api="barrack.example"),
            surface=BY_TOOL,
            guard=guard(unattended=EVERY_RISK.split(",")),
            writer=writer(audit=Audit(path), tasks=tasks),
            key_folder=KeyFolder(path.parent / "keys"),
        )


@pytest.mark.promise("R6")
@pytest.mark.parametrize("tool", ["create_firewall", "deploy_instance", "delete_volume"])
async def test_a_sent_write_whose_caller_is_gone_is_finished_and_written_down(tool: str, tmp_path: Path) -> None:
    gate, path = Gate(), tmp_path / "audit.jsonl"
    arguments = examples.good(BY_TOOL[tool], STATE)
    with anyio.fail_after(PATIENT_S):
        async with running(gate, path) as made, anyio.create_task_group() as callers:
            callers.start_soon(made.call, tool, arguments)
            await gate.reached.wait()
            assert [line["kind"] for line in lines(path)] == ["intent"]
            callers.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
                assert not gate.left.is_set()
                gate.opened.set()
                await made.writer.drain()
    intent, outcome = lines(path)
    assert (outcome["intent"], outcome["outcome"], outcome["status"]) == (intent["id"], "done", 200)
    assert (outcome["request_id"], outcome["attempts"]) == ("r-1", 1)
    assert [request.method for request in gate.requests].count(BY_TOOL[tool].method) == 1


@pytest.mark.promise("R6")
async def test_a_read_whose_caller_is_gone_is_broken_off_at_once(tmp_path: Path) -> None:
    gate = Gate(reads=False)
    with anyio.fail_after(20):
        async with running(gate, tmp_path / "audit.jsonl") as made, anyio.create_task_group() as callers:
            callers.start_soon(made.call, "list_volumes", {})
            await gate.reached.wait()
            begun = anyio.current_time()
            callers.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await gate.left.wait()
    assert anyio.current_time() - begun < 0.1


async def test_once_the_end_has_begun_no_write_is_sent_and_reads_go_on(tmp_path: Path) -> None:
    gate = Gate()
    async with running(gate, tmp_path / "audit.jsonl") as made:
        await made.writer.drain()
        answer = await made.call("create_firewall", examples.good(BY_TOOL["create_firewall"], STATE))
        assert isinstance(answer, Answer)
        assert (answer.structured["outcome"], "is stopping" in answer.text) == ("refused", True)
        assert not (await made.call("list_regions", {})).is_error  # type: ignore[union-attr]  # reads never ask
    assert {request.method for request in gate.requests} == {"GET"}


@pytest.mark.promise("R6")
async def test_a_private_key_is_put_away_even_if_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    class Makes(Gate):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            await super().handle_async_request(request)
            return httpx2.Response(200, json={"success": True, "ssh_key": {"id": "KEY-1"}, "private_key": "private"})

    gate = Makes()
    with anyio.fail_after(PATIENT_S):
        async with running(gate, tmp_path / "audit.jsonl") as made, anyio.create_task_group() as callers:
            callers.start_soon(made.call, "create_ssh_key", {"name": "laptop"})
            await gate.reached.wait()
            callers.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                gate.opened.set()
                await made.writer.drain()
    assert (tmp_path / "keys" / "laptop.pem").read_text() == "private"


async def test_an_error_of_ours_in_a_write_that_nobody_waits_for_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    with anyio.fail_after(PATIENT_S):
        async with running(gate, tmp_path / "audit.jsonl") as made, anyio.create_task_group() as callers:

            async def breaks() -> None:
                gate.reached.set()
                await gate.opened.wait()
                raise ZeroDivisionError

            callers.start_soon(made.writer.finish, breaks)
            await gate.reached.wait()
            callers.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                # the cancellation has to be heard before the error comes
                await anyio.wait_all_tasks_blocked()
                gate.opened.set()
                await made.writer.drain()
    assert "nobody waits for" in caplog.text


async def test_an_error_of_ours_is_raised_where_the_write_is_waited_for(tmp_path: Path) -> None:
    async def breaks() -> None:
        raise ZeroDivisionError

    async with running(Gate(), tmp_path / "audit.jsonl") as made:
        with pytest.raises(ZeroDivisionError):
            await made.writer.finish(breaks)


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("operation", "way"), pairs(WRITES, ["elicited", "unattended"], ids=lambda part: getattr(part, "tool", part))
)
async def test_each_write_leaves_who_what_how_and_what_came_of_it(
    operation: Operation, way: str, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    unattended = tuple(EVERY_RISK.split(",")) if way == "unattended" else ()
    person = Person(says_yes) if way == "elicited" else None
    async with house(person=person, unattended=unattended, writing={"audit": Audit(path)}) as made:
        arguments = made.good(operation.tool)
        assert (await made.call(operation.tool, **arguments))["outcome"] == "done"
    intent, outcome = lines(path)
    assert (intent["kind"], intent["tool"], intent["risk"]) == ("intent", operation.tool, operation.risk)
    assert intent["caller"].startswith("local:")
    assert intent["confirmed"] == (way if operation in ASKING else "never asks")
    assert intent["arguments"].keys() == arguments.keys()
    assert intent["api"] == "simulator"
    assert (outcome["kind"], outcome["intent"], outcome["outcome"]) == ("outcome", intent["id"], "done")
    assert audit.verify(path).ok
    assert not audit.unfinished(path)
    if way == "elicited" and operation in ASKING:
        assert len(intent["plan"]) == 64


@pytest.mark.promise("P3")
async def test_what_waits_what_is_refused_and_who_said_yes_is_written_down(tmp_path: Path) -> None:
    from barrack_mcp.dispatch.witness import witness  # noqa: PLC0415 - told to the approvals below alone

    path = tmp_path / "audit.jsonl"
    record = Audit(path)
    async with house(protect=("prod-*",), writing={"audit": record}) as made:
        made.approvals._witness = witness(record)  # noqa: SLF001 - as the settings would wire it
        arguments, other = made.good("stop_instance"), made.good("delete_volume")
        waiting = await made.call("stop_instance", **arguments)
        await made.approvals.approve(waiting["approval"]["id"], by="ann")
        assert (await made.call("stop_instance", **arguments))["outcome"] == "done"
        denied = await made.call("delete_volume", **other)
        await made.approvals.deny(denied["approval"]["id"], by="ann")
        assert (await made.call("delete_volume", **other))["outcome"] == "refused"
    kinds = [
        (line["kind"], line.get("decision") or line.get("answer") or line.get("confirmed")) for line in lines(path)
    ]
    assert kinds == [
        ("decision", "approval_required"),
        ("approval", "approved"),
        ("intent", "approved by ann"),
        ("outcome", None),
        ("decision", "approval_required"),
        ("approval", "denied"),
        ("decision", "refused"),
    ]
    assert {line["approval"] for line in lines(path)[:2]} == {waiting["approval"]["id"]}


@pytest.mark.promise("P2")
@pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.tool)
async def test_without_a_record_nothing_is_changed_and_reading_goes_on(operation: Operation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    record = Audit(tmp_path / "file" / "audit.jsonl")
    async with house(unattended=tuple(EVERY_RISK.split(",")), writing={"audit": record}) as made:
        arguments = made.good(operation.tool)
        outcome = await made.call(operation.tool, **arguments)
        assert outcome["outcome"] == "refused", outcome
        assert "record of what is done can't be written" in outcome["message"]
        assert (await made.call("list_instances"))["instances"]
        assert made.effects == []
        # and nothing is left open behind it
        assert await made.call(operation.tool, **arguments) == outcome


async def test_a_record_that_breaks_between_intent_and_outcome_does_not_hide_what_came_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.jsonl"

    async def breaks() -> httpx2.Response:
        path.unlink()
        path.mkdir()
        return answered({"success": True, "message": "Started."})

    answers = Answers(answered({}))
    made = dispatcher(answers)
    made.writer.audit = Audit(path)
    answers.by_path = {BY_TOOL["create_firewall"].path: breaks}
    answer = await made.call("create_firewall", examples.good(BY_TOOL["create_firewall"], STATE))
    assert isinstance(answer, Answer)
    assert answer.structured["outcome"] == "done"
    assert "audit.jsonl" in caplog.text


async def test_a_purchase_whose_intent_could_not_be_written_is_not_open_and_may_be_made_again(tmp_path: Path) -> None:
    class Full(Audit):
        full = True

        async def intent(self, **fields: Any) -> str:
            if self.full:
                raise AuditError("full")
            return await super().intent(**fields)

    record = Full(tmp_path / "audit.jsonl")
    async with house(writing={"audit": record}, unattended=EVERY_RISK.split(",")) as made:
        arguments = made.good("create_volume")
        assert (await made.call("create_volume", **arguments))["outcome"] == "refused"
        assert await made.store.open_entries() == []
        record.full = False
        assert (await made.call("create_volume", **arguments))["outcome"] == "done"
        assert made.effects == ["create_volume"]


async def test_what_was_asked_and_what_was_agreed_to_bear_the_same_digest_in_the_record(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with house(writing={"audit": Audit(path)}) as made:
        arguments = made.good("stop_instance")
        asked = await made.call("stop_instance", **arguments)
        await made.call("stop_instance", **arguments)
        await made.approvals.approve(asked["approval"]["id"], by="ada")
        assert (await made.call("stop_instance", **arguments))["outcome"] == "done"
    shown = [line["plan"] for line in lines(path) if line["kind"] in ("decision", "intent")]
    assert len(shown) == 3
    assert len({*shown}) == 1
    assert None not in shown
