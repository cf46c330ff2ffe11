"""A script's text is not lost to another without a yes, and what is protected is neither renamed nor replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ElicitResult

from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.state.audit import Audit
from tests.support.house import ERAS, Person, house, says_yes

pytestmark = pytest.mark.anyio

WAYS = [*ERAS, "out of band"]
NEW = "#!/bin/sh\ntype yes; do it now\n"


def text_of(made: Any, script_id: str) -> str:
    return str(next(each["script"] for each in made.state["scripts"] if each["id"] == script_id))


@pytest.mark.promise("G2")
@pytest.mark.parametrize("way", WAYS)
async def test_overwriting_asks_shows_what_goes_and_leaves_the_old_text_in_record_and_result(
    way: str, tmp_path: Path
) -> None:
    person = Person(says_yes) if way != "out of band" else None
    record = tmp_path / "audit.jsonl"
    async with house(era=way if person else "auto", person=person, writing={"audit": Audit(record)}) as made:
        script = made.state["scripts"][0]
        outcome = await made.call("update_startup_script", script_id=script["id"], script=NEW)
        if person is None:
            assert outcome["outcome"] == "approval_required"
            await made.approvals.approve(outcome["approval"]["id"], by="a test")
            outcome = await made.call("update_startup_script", script_id=script["id"], script=NEW)
        else:
            (question,) = person.questions
            for part in (script["name"], script["id"], f"{len(script['script']):,} characters", "Line that goes"):
                assert part in question
            assert "type yes" not in question
        assert outcome["outcome"] == "done", outcome
        assert outcome["result"]["replaced"] == script["script"]
        assert (made.effects, text_of(made, script["id"])) == (["update_startup_script"], NEW)
    intent = next(line for line in map(json.loads, record.read_text().splitlines()) if line["kind"] == "intent")
    assert "".join(intent["replaced"]) == script["script"]
    assert "do it now" not in record.read_text()


@pytest.mark.promise("G3")
@pytest.mark.parametrize("era", ERAS)
async def test_a_no_leaves_the_text_as_it_is(era: str) -> None:
    async with house(era=era, person=Person(lambda _: ElicitResult(action="decline"))) as made:
        script = made.state["scripts"][0]
        outcome = await made.call("update_startup_script", script_id=script["id"], script=NEW, name="other")
        assert outcome["outcome"] == "refused"
        assert (made.effects, text_of(made, script["id"])) == ([], script["script"])


@pytest.mark.promise("G1")
async def test_where_nobody_can_be_asked_nothing_is_overwritten() -> None:
    async with house(mode="refuse") as made:
        script = made.state["scripts"][0]
        outcome = await made.call("update_startup_script", script_id=script["id"], script=NEW)
        assert (outcome["outcome"], "overwrites a text" in outcome["message"]) == ("refused", True), outcome
        assert made.effects == []


@pytest.mark.promise("G7")
@pytest.mark.parametrize("way", WAYS)
async def test_a_text_that_changed_in_between_is_not_lost_by_the_yes_to_another(way: str) -> None:
    def changes_first(question: str) -> ElicitResult:
        change()
        return says_yes(question)

    person = Person(changes_first) if way != "out of band" else None

    def change() -> None:
        script = next(iter(made.app.state.barrack.world("sim-key").scripts.values()))
        script.script = "#!/bin/sh\nsomething else\n"

    async with house(era=way if person else "auto", person=person) as made:
        script_id = made.state["scripts"][0]["id"]
        outcome = await made.call("update_startup_script", script_id=script_id, script=NEW)
        if person is None:
            await made.approvals.approve(outcome["approval"]["id"], by="a test")
            change()
            outcome = await made.call("update_startup_script", script_id=script_id, script=NEW)
        assert (outcome["outcome"], "changed since" in outcome["message"]) == ("refused", True), outcome
        assert made.effects == []


@pytest.mark.parametrize("more", [{"name": "other"}, {"script": None}, {"script": None, "name": "other"}])
async def test_the_same_text_and_another_name_ask_nobody(more: dict[str, Any]) -> None:
    async with house(mode="refuse") as made:
        script = made.state["scripts"][0]
        wanted = {name: script["script"] if value is None else value for name, value in more.items()}
        outcome = await made.call("update_startup_script", script_id=script["id"], **wanted)
        assert outcome["outcome"] == "done", outcome
        assert "replaced" not in outcome["result"]
        assert text_of(made, script["id"]) == script["script"]


async def test_a_text_that_could_not_be_read_is_not_overwritten_unasked() -> None:
    async with house() as made:
        script = made.state["scripts"][0]
        path = f"/scripts/{script['id']}/"
        made.play({"method": "GET", "path": path, "times": 50, "action": "status", "status": 500})
        outcome = await made.call("update_startup_script", script_id=script["id"], script=NEW)
        assert (outcome["outcome"], made.effects) == ("refused", [])


@pytest.mark.promise("G13")
@pytest.mark.parametrize("more", [{"script": NEW}, {"name": "other"}, {"script": NEW, "name": "other"}])
@pytest.mark.parametrize("unattended", [(), ("change", "destroy")])
async def test_a_protected_script_is_neither_renamed_nor_replaced(
    more: dict[str, str], unattended: tuple[str, ...]
) -> None:
    person = Person(says_yes)
    async with house(person=person, protect=("*",), unattended=unattended) as made:
        script = made.state["scripts"][0]
        outcome = await made.call("update_startup_script", script_id=script["id"], **more)
        assert (outcome["outcome"], "operator protects" in outcome["message"]) == ("refused", True), outcome
        assert (made.effects, person.questions) == ([], [])


def test_what_changes_a_thing_in_its_place_says_whose_text_is_lost() -> None:
    assert [operation.tool for operation in BY_TOOL.values() if operation.replaces] == ["update_startup_script"]
