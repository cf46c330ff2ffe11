"""The record says what was shown: the plan itself, before anybody is asked, and who said yes or no to it, and how."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ElicitResult

from barrack_mcp.catalogue import Operation
from barrack_mcp.cli.operator.audit import as_text, last_rows
from barrack_mcp.dispatch.witness import note_shown, witness
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.decide import Mode
from barrack_mcp.state.audit import Audit, AuditError, digest, verify
from tests.audit.record import lines
from tests.support.house import ASKING, ERAS, House, Person, house, says_yes
from tests.support.pairs import in_turn

pytestmark = pytest.mark.anyio

each_asking = pytest.mark.parametrize("operation", ASKING, ids=lambda operation: operation.tool)
SECRETS = {"cloud_init": "#cloud-config\n# hunter2 of the house\n", "jupyter_password": "hunter2-password"}


@asynccontextmanager
async def recording(path: Path, person: Person | None, **more: Any) -> AsyncIterator[House]:
    record = Audit(path)
    async with house(person=person, on_shown=note_shown(record), writing={"audit": record}, **more) as opened:
        opened.approvals = Approvals(opened.store, ttl=600, now=opened.clock, witness=witness(record))
        yield opened


def of(path: Path, kind: str) -> dict[str, Any]:
    (line,) = (each for each in lines(path) if each["kind"] == kind)
    return line


def given(opened: House, operation: Operation) -> dict[str, Any]:
    secrets = SECRETS if operation.tool == "deploy_instance" else {}
    return opened.good(operation.tool) | secrets


@pytest.mark.slow
@pytest.mark.promise("G22")
@pytest.mark.parametrize("era", ERAS)
@each_asking
async def test_a_yes_through_the_client_is_recorded_with_the_plan_and_the_words_that_were_shown(
    operation: Operation, era: str, tmp_path: Path
) -> None:
    path, person = tmp_path / "audit.jsonl", Person(says_yes)
    async with recording(path, person, era=era) as opened:
        assert (await opened.call(operation.tool, **given(opened, operation)))["outcome"] == "done"
        assert opened.effects == [operation.tool]
    shown, intent = of(path, "shown"), of(path, "intent")
    assert [line["kind"] for line in lines(path)] == ["shown", "intent", "outcome"]
    assert [shown["question"]] == person.questions
    assert digest(shown["shown"]) == shown["plan"] == intent["plan"]
    assert (shown["approval"], intent["approval"], intent["confirmed"]) == (None, None, "elicited")
    assert (shown["tool"], shown["caller"]) == (operation.tool, "local:0")
    assert "hunter2" not in path.read_text(encoding="ascii")
    assert verify(path).ok


@pytest.mark.slow
@pytest.mark.promise("G22")
@pytest.mark.parametrize(("operation", "era"), in_turn(ASKING, ERAS))
async def test_a_no_through_the_client_is_recorded_under_the_digest_of_what_was_shown(
    operation: Operation, era: str, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    async with recording(path, Person(lambda _: ElicitResult(action="decline")), era=era) as opened:
        assert (await opened.call(operation.tool, **given(opened, operation)))["outcome"] == "refused"
        assert opened.effects == []
    shown, decision = of(path, "shown"), of(path, "decision")
    assert digest(shown["shown"]) == shown["plan"] == decision["plan"]
    assert decision["decision"] == "refused"


@pytest.mark.slow
@pytest.mark.promise("G22")
@pytest.mark.parametrize(("operation", "says"), in_turn(ASKING, ["approved", "denied"]))
async def test_an_answer_out_of_band_is_recorded_with_its_request_and_the_plan_it_showed(
    operation: Operation, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    async with recording(path, None, mode=Mode.OUT_OF_BAND) as opened:
        arguments = given(opened, operation)
        asked = await opened.call(operation.tool, **arguments)
        name = asked["approval"]["id"]
        if says == "approved":
            request = await opened.approvals.find(name)
            await opened.approvals.approve(name, by="ann, at the page", typed=request.must_type)
        else:
            await opened.approvals.deny(name, by="ann, at the page")
        told = await opened.call(operation.tool, **arguments)
        assert told["outcome"] == ("done" if says == "approved" else "refused")
        assert opened.effects == ([operation.tool] if says == "approved" else [])
    shown, answer = of(path, "shown"), of(path, "approval")
    assert digest(shown["shown"]) == shown["plan"] == answer["plan"]
    assert (shown["approval"], answer["approval"], answer["answer"], answer["by"]) == (
        name,
        name,
        says,
        "ann, at the page",
    )
    first, *rest = [line for line in lines(path) if line["kind"] in ("decision", "intent")]
    assert (first["decision"], first["approval"], first["plan"]) == ("approval_required", name, shown["plan"])
    if says == "approved":
        (intent,) = rest
        assert (intent["approval"], intent["plan"], intent["confirmed"]) == (
            name, shown["plan"], "approved by ann, at the page",
        )  # fmt: skip
    assert "hunter2" not in path.read_text(encoding="ascii")


async def test_nobody_is_asked_about_what_cannot_be_written_down(tmp_path: Path) -> None:
    path, person = tmp_path / "audit.jsonl", Person(says_yes)

    async def broken(_: Any) -> None:
        raise AuditError("The audit record can't be written: the disk is full.")

    async with house(person=person, on_shown=broken, writing={"audit": Audit(path)}) as opened:
        told = await opened.call("delete_volume", **opened.good("delete_volume"))
        assert told["outcome"] == "refused"
        assert "the record of what is done can't be written" in told["message"]
        assert (person.questions, opened.effects) == ([], [])


@pytest.mark.promise("G22")
async def test_a_request_that_cannot_be_written_down_does_not_stay_open(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    full = True
    kept = note_shown(Audit(path))

    async def note(shown: Any) -> None:
        if full:
            raise AuditError("The audit record can't be written: the disk is full.")
        await kept(shown)

    async with house(on_shown=note, writing={"audit": Audit(path)}) as opened:
        arguments = opened.good("delete_volume")
        assert (await opened.call("delete_volume", **arguments))["outcome"] == "refused"
        assert await opened.approvals.pending() == []
        full = False
        asked = await opened.call("delete_volume", **arguments)
        assert [each.id for each in await opened.approvals.pending()] == [asked["approval"]["id"]]
        assert of(path, "shown")["approval"] == asked["approval"]["id"]
        assert opened.effects == []


async def test_a_plan_that_is_too_large_for_a_line_gives_way_to_its_digest_and_the_chain_holds(tmp_path: Path) -> None:
    record = Audit(tmp_path / "audit.jsonl")
    plan = {"summary": "s", "lost": ["x" * 2_000] * 900}
    await record.shown(
        caller="local:0", tool="t", risk="destroy", arguments={"a": ["y" * 2_000] * 900}, plan="d", shown=plan,
        question=None, approval="ap-1",
    )  # fmt: skip
    (line,) = lines(tmp_path / "audit.jsonl")
    assert line["shown"]["sha256"] == digest(plan)
    assert "left_out_bytes" in line["arguments"]
    assert verify(tmp_path / "audit.jsonl").ok


async def test_the_end_of_a_record_says_what_was_asked_and_where(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with recording(path, Person(says_yes)) as opened:
        await opened.call("delete_volume", **opened.good("delete_volume"))
    asked, sent = last_rows(path, 20)
    assert (asked.confirmed, asked.came) == ("asked", "by the client")
    assert asked.what.startswith("delete_volume: ")
    assert json.loads(path.read_text(encoding="ascii").splitlines()[0])["shown"]["summary"] in asked.what
    assert sent.came.startswith("done")
    assert "asked" in as_text([asked, sent])
