"""Tools of our own walk the corridor as the vendor's do: the same list, the same sentences, the same record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError

from barrack_mcp.catalogue import INSIGHTS, OFFERS, Insight, Risk
from barrack_mcp.catalogue.envelope import Beside
from barrack_mcp.catalogue.models import Request, answered, required
from barrack_mcp.catalogue.values import Id, PositiveInt, Text
from barrack_mcp.dispatch import insights
from barrack_mcp.dispatch.insights import Errand, Finding, StoppedError
from barrack_mcp.state.audit import Audit
from barrack_mcp.state.store import StoreError
from tests.support.house import House, house

pytestmark = pytest.mark.anyio


class RenameRequest(Request):
    """Which machine, and how often."""

    instance_id: Id = required("Which.")
    times: PositiveInt = required("How often.")


class Renamed(Beside):
    """What came of it."""

    words: Text = answered("What was said.")


RENAME = Insight(
    tool="set_nickname",
    title="Set nickname",
    risk=Risk.CHANGE,
    description="Call a machine otherwise, for ourselves.",
    arguments=RenameRequest,
    response=Renamed,
)
LOOK = Insight(
    tool="get_nickname",
    title="Get nickname",
    risk=Risk.READ,
    description="Say how a machine is called, by ourselves.",
    arguments=RenameRequest,
    response=Renamed,
)


@pytest.fixture
def answered_by(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let two tools of a test stand beside ours, answered by a function of the test."""

    def put(made: House, answering: insights.Answering) -> None:
        both = {RENAME.tool: answering, LOOK.tool: answering}
        monkeypatch.setattr(insights, "ANSWERING", {**insights.ANSWERING, **both})
        made.dispatcher.surface = {**OFFERS, RENAME.tool: RENAME, LOOK.tool: LOOK}

    return put


async def called(made: House, tool: str, **arguments: Any) -> tuple[Mapping[str, Any], str, bool]:
    answer = await made.answer(tool, **arguments)
    return answer.structured, answer.text, answer.is_error


async def test_its_arguments_are_checked_in_the_same_sentences_and_nothing_is_read() -> None:
    async with house() as made:
        data, text, is_error = await called(made, "get_spending_overview", currency="GBP", since="monday")
        assert is_error
        assert data["outcome"] == "refused"
        assert "since: is not an argument of get_spending_overview" in text
        assert "GBP" not in text
        assert made.sent == []


async def test_a_name_is_as_good_as_an_id(answered_by: Any) -> None:
    async with house() as made:
        seen: list[Errand] = []

        async def note(errand: Errand) -> Finding:
            seen.append(errand)
            return Finding({"words": "noted"}, ["Noted."])

        answered_by(made, note)
        machine = made.thing("instances", vm_name="train-1")
        await called(made, "set_nickname", instance_id="train-1", times=2)
        await called(made, "get_nickname", instance_id="train-1", times="3")
        assert [each.values for each in seen] == [
            {"instance_id": machine["instance_id"], "times": 2},
            {"instance_id": machine["instance_id"], "times": 3},
        ]
        data, text, is_error = await called(made, "get_nickname", instance_id="no-such-machine", times=1)
        assert is_error
        assert data["outcome"] == "refused"
        assert "no instance has this id or name" in text


async def test_what_it_answers_is_made_safe_and_has_an_end(answered_by: Any) -> None:
    async with house() as made:

        async def much(_: Errand) -> Finding:
            words = "evil\u202e\x1b[31m"
            return Finding({"words": words, "rows": [{"name": "x" * 3_000}] * 1_000}, ["A sentence."] * 100_000)

        answered_by(made, much)
        data, text, is_error = await called(made, "get_nickname", instance_id="BRK-1D", times=1)
        assert not is_error
        assert data["words"] == "evil\\u202e\\x1b[31m" or "\u202e" not in data["words"]
        assert len(json.dumps(data).encode()) <= 82_000
        assert len(text.encode()) <= 82_000
        assert any("rows of" in note for note in data["notes"])


@pytest.mark.parametrize(
    ("error", "outcomes"),
    [(StoppedError("There is nothing to say."), ("failed", "refused")), (StoreError(), ("failed", "refused"))],
)
async def test_what_can_not_be_answered_is_a_failed_read_and_a_refused_change(
    answered_by: Any, error: Exception, outcomes: tuple[str, str]
) -> None:
    async with house() as made:

        async def fail(_: Errand) -> Finding:
            raise error

        answered_by(made, fail)
        ends = [await called(made, tool, instance_id="BRK-1D", times=1) for tool in ("get_nickname", "set_nickname")]
        assert tuple(data["outcome"] for data, _, _ in ends) == outcomes
        assert all(is_error for _, _, is_error in ends)


async def test_what_the_api_refuses_is_told_in_its_words_with_what_to_do_now() -> None:
    async with house() as made:
        made.play({"method": "*", "path": "*", "times": 99, "action": "status", "status": 401})
        data, text, is_error = await called(made, "get_spending_overview")
        assert is_error
        assert data["outcome"] == "failed"
        assert "key" in text


@pytest.mark.promise("P3")
async def test_a_change_of_what_we_keep_stands_in_the_record_with_what_came_of_it(
    answered_by: Any, tmp_path: Path
) -> None:
    record = tmp_path / "audit.jsonl"
    async with house(writing={"audit": Audit(record)}) as made:

        async def rename(errand: Errand) -> Finding:
            if errand.values["times"] > 1:
                raise StoppedError("Once is enough.")
            return Finding({"words": "done"}, ["It is called otherwise."])

        answered_by(made, rename)
        done, text, _ = await called(made, "set_nickname", instance_id="BRK-1D", times=1)
        assert (done["outcome"], done["result"], done["confirmed"]) == (
            "done",
            {"words": "done"},
            {"how": "not_needed"},
        )
        assert text.startswith("It is called otherwise. Nobody was asked")
        await called(made, "set_nickname", instance_id="BRK-1D", times=2)
        await called(made, "get_nickname", instance_id="BRK-1D", times=1)
        lines = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
        told = [(line["kind"], line.get("tool"), line.get("outcome"), line.get("message")) for line in lines]
        assert told == [
            ("intent", "set_nickname", None, None),
            ("outcome", None, "done", "It is called otherwise."),
            ("intent", "set_nickname", None, None),
            ("outcome", None, "refused", "Once is enough."),
        ]
        assert {line.get("confirmed") for line in lines} == {"never asks", None}
        assert made.effects == []


async def test_without_a_record_that_can_be_written_nothing_of_ours_is_changed_either(
    answered_by: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    async with house(writing={"audit": Audit(tmp_path / "file" / "audit.jsonl")}) as made:
        changed: list[Errand] = []

        async def rename(errand: Errand) -> Finding:
            changed.append(errand)
            return Finding({}, ["Done."])

        answered_by(made, rename)
        data, _, _ = await called(made, "set_nickname", instance_id="BRK-1D", times=1)
        assert data["outcome"] == "refused"
        assert changed == []


async def test_a_tool_that_is_not_on_offer_is_unknown() -> None:
    async with house() as made:
        made.dispatcher.surface = {}
        with pytest.raises(MCPError, match="Unknown tool"):
            await made.client.call_tool("get_spending_overview", {})


def test_a_tool_that_nothing_answers_is_named_when_the_house_is_built() -> None:
    insights.check(INSIGHTS, insights.ANSWERING)
    with pytest.raises(TypeError, match="set_nickname"):
        insights.check([*INSIGHTS, RENAME], insights.ANSWERING)
    with pytest.raises(TypeError, match="get_spending_overview"):
        insights.check([], insights.ANSWERING)
