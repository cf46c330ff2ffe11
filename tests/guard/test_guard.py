"""The guard over the whole catalogue: effects are counted, not words."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation, Risk
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.guard.approvals import NotPending
from barrack_mcp.guard.decide import Mode
from barrack_mcp.simulator import create_app
from barrack_mcp.state.store import SqliteStore
from tests.support.clock import Clock
from tests.support.house import ASKING, ERAS, House, Person, house, says_yes
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

SETTINGS = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
SETTING = re.compile(r"BARRACK_|unattended|--[a-z]|barrack-mcp (approve|deny)|http", re.IGNORECASE)


def tool(operation: Operation) -> str:
    return operation.tool


@pytest.mark.promise("G1")
@pytest.mark.parametrize("era", ERAS)
async def test_where_nobody_can_be_asked_every_asking_call_waits_and_nothing_happens(era: str) -> None:
    async with house(era=era) as made:
        for operation in ASKING:
            outcome = await made.call(operation.tool, **made.good(operation.tool))
            assert outcome["outcome"] == "approval_required", (operation.tool, outcome)
            again = await made.call(operation.tool, **made.good(operation.tool))
            assert again["approval"]["id"] == outcome["approval"]["id"], operation.tool
        assert made.effects == []
        assert len(await made.approvals.pending()) == len(ASKING)


@pytest.mark.promise("G1")
@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.ELICIT])
async def test_by_setting_such_a_call_is_refused_instead(mode: Mode) -> None:
    async with house(mode=mode) as made:
        for operation in ASKING:
            assert (await made.call(operation.tool, **made.good(operation.tool)))["outcome"] == "refused"
        assert made.effects == []
        assert await made.approvals.pending() == []


@pytest.mark.promise("G2")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("operation", ASKING, ids=tool)
async def test_a_yes_to_what_was_shown_has_one_effect(operation: Operation, era: str) -> None:
    person = Person(says_yes)
    async with house(era=era, person=person) as made:
        outcome = await made.call(operation.tool, **made.good(operation.tool))
        assert outcome["outcome"] == "done", outcome
        assert made.effects == [operation.tool]
        assert len(person.questions) == 1


@pytest.mark.promise("G2")
@pytest.mark.parametrize("operation", ASKING, ids=tool)
async def test_a_yes_out_of_band_has_one_effect_when_the_call_is_repeated(operation: Operation) -> None:
    async with house() as made:
        arguments = made.good(operation.tool)
        asked = await made.call(operation.tool, **arguments)
        approval = await made.approvals.find(asked["approval"]["id"])
        await made.approvals.approve(approval.id, by="a test", typed=approval.must_type)
        assert (await made.call(operation.tool, **arguments))["outcome"] == "done"
        assert made.effects == [operation.tool]


def accept(**content: Any) -> ElicitResult:
    return ElicitResult(action="accept", content=content)


NOT_A_YES = {
    "declined": (ElicitResult(action="decline"), "declined"),
    "accepted without content": (ElicitResult(action="accept"), "without an answer"),
    "declined with a tick": (ElicitResult(action="decline", content={"approve": True}), "declined"),
}


def no_names(name: str) -> dict[str, str]:
    """What may be typed in a name's place, and what the caller is told."""
    look_alike = name.replace("a", "\u0430").replace("e", "\u0435")
    assert look_alike != name
    return {
        "another": "is not the name",
        name.upper(): "upper and lower case",
        look_alike: "looks like the name",
        f"{name} ": "a space too many",
        f"{name}\n": "a space too many",
        name[:-1]: "is not the name",
        "": "typed no name",
    }


NO_TICK = {
    "approve is false": (accept(approve=False), "did not tick"),
    "approve is text": (accept(approve="true"), "did not tick"),
    "approve is one": (accept(approve=1), "did not tick"),
    "another field": (accept(confirm=True), "did not tick"),
}


@pytest.mark.promise("G3")
@pytest.mark.parametrize("era", ERAS)
async def test_no_other_answer_is_a_yes_and_each_has_its_own_sentence(era: str) -> None:
    replies: list[ElicitResult] = []
    async with house() as asking:
        doomed = asking.good("delete_instance")
        shown = str((await asking.call("delete_instance", **doomed))["plan"]["target"]["name"])
    async with house(era=era, person=Person(lambda _: replies[-1])) as made:
        for operation in ASKING:
            arguments = made.good(operation.tool)
            destroys = operation.risk is Risk.DESTROY
            for reply, sentence in [*NOT_A_YES.values(), *([] if destroys else NO_TICK.values())]:
                replies.append(reply)
                outcome = await made.call(operation.tool, **arguments)
                said = (outcome["outcome"], sentence in outcome["message"])
                assert said == ("refused", True), (operation.tool, reply)
        for typed, sentence in no_names(shown).items():
            replies.append(accept(name=typed))
            outcome = await made.call("delete_instance", **doomed)
            assert (outcome["outcome"], sentence in outcome["message"]) == ("refused", True), outcome
        for content in ({"approve": True}, {"name": 1}, {"name": None}, {"name": [shown]}):
            replies.append(accept(**content))
            assert "typed no name" in (await made.call("delete_instance", **doomed))["message"]
        assert made.effects == []


@pytest.mark.promise("G3")
async def test_silence_past_the_deadline_leads_out_of_band_and_does_nothing() -> None:
    async def never(_: str) -> ElicitResult:
        await anyio.sleep_forever()
        raise AssertionError

    async with house(era="legacy", person=Person(never), question_seconds=0.05) as made:
        with anyio.fail_after(PATIENT_S):
            outcome = await made.call("stop_instance", **made.good("stop_instance"))
        assert outcome["outcome"] == "approval_required"
        assert made.effects == []
    async with house(era="legacy", person=Person(never), question_seconds=0.05, mode=Mode.ELICIT) as made:
        with anyio.fail_after(PATIENT_S):
            outcome = await made.call("stop_instance", **made.good("stop_instance"))
        assert outcome["outcome"] == "refused"
        assert "not answered" in outcome["message"]
        assert made.effects == []


@pytest.mark.promise("G4")
async def test_an_approval_redeemed_twenty_times_at_once_has_one_effect() -> None:
    async with house() as made:
        arguments = made.good("create_volume")
        asked = await made.call("create_volume", **arguments)
        await made.approvals.approve(asked["approval"]["id"], by="a test")
        answers: list[dict[str, Any]] = []

        async def redeem() -> None:
            answers.append(await made.call("create_volume", **arguments))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(redeem)
        assert sum(answer["outcome"] == "done" for answer in answers) == 1
        for answer in answers:
            # which of the two depends on whether the one that is sent is still under way when another looks
            if answer["outcome"] not in ("done", "approval_required"):
                assert answer["outcome"] == "refused"
                assert "still under way. Nothing was sent now" in answer["message"]
        for _ in range(20):
            assert (await made.call("create_volume", **arguments))["outcome"] == "approval_required"
        assert made.effects == ["create_volume"]


async def approved_then(made: House, approved: dict[str, Any], redeemed: dict[str, Any]) -> str:
    asked = await made.call("create_volume", **approved)
    await made.approvals.approve(asked["approval"]["id"], by="a test")
    return str((await made.call("create_volume", **redeemed))["outcome"])


@pytest.mark.promise("G5")
async def test_a_yes_is_good_for_no_other_arguments() -> None:
    async with house() as made:
        good = made.good("create_volume")
        assert await approved_then(made, good, good | {"size_gb": good["size_gb"] + 1}) == "approval_required"
        assert await approved_then(made, good | {"name": "b"}, good | {"name": "c"}) == "approval_required"
        assert made.effects == []


@pytest.mark.promise("G5")
async def test_a_yes_is_good_for_no_other_api_or_key() -> None:
    clock, app = Clock(), create_app(now=lambda: 0.0)
    async with SqliteStore(":memory:", now=clock) as store:
        async with house(store=store, clock=clock, app=app) as made:
            arguments = made.good("create_volume")
            asked = await made.call("create_volume", **arguments)
            await made.approvals.approve(asked["approval"]["id"], by="a test")
        async with house(store=store, clock=clock, app=app, url="https://other.example/api") as other:
            assert (await other.call("create_volume", **arguments))["outcome"] == "approval_required"
            assert other.effects == []
        async with house(store=store, clock=clock, app=app) as made:
            assert (await made.call("create_volume", **arguments))["outcome"] == "done"


@pytest.mark.promise("G6")
@pytest.mark.parametrize(("late", "outcome"), [(-1.0, "done"), (0.0, "refused"), (1.0, "refused")])
@pytest.mark.parametrize("elicited", [True, False])
async def test_a_yes_is_good_until_its_time_limit_only(late: float, outcome: str, elicited: bool) -> None:  # noqa: FBT001 - a table's column
    clock = Clock()

    def in_time(question: str) -> ElicitResult:
        clock.at += 120 + late
        return says_yes(question)

    async with house(person=Person(in_time) if elicited else None, clock=clock) as made:
        arguments = made.good("create_volume")
        if not elicited:
            asked = await made.call("create_volume", **arguments)
            await made.approvals.approve(asked["approval"]["id"], by="a test")
            clock.at += 600 + late
        assert (await made.call("create_volume", **arguments))["outcome"] == outcome
        assert len(made.effects) == (outcome == "done")


@pytest.mark.promise("G7")
@pytest.mark.parametrize("era", [*ERAS, "out of band"])
async def test_what_changed_since_the_question_is_not_touched(era: str) -> None:
    app = create_app(now=lambda: 0.0)
    async with house(app=app) as other:
        attaching = other.good("attach_volumes")
        volume_id = attaching["volume_ids"][0]

        async def attach() -> None:
            assert (await other.call("attach_volumes", **attaching))["outcome"] == "done"

        async def attaches_first(question: str) -> ElicitResult:
            await attach()
            return says_yes(question)

        person = Person(attaches_first) if era != "out of band" else None
        async with house(era=era if person else "auto", app=app, person=person) as made:
            outcome = await made.call("delete_volume", volume_id=volume_id)
            if person is None:
                approval = await made.approvals.find(outcome["approval"]["id"])
                await made.approvals.approve(approval.id, by="a test", typed=approval.must_type)
                await attach()
                outcome = await made.call("delete_volume", volume_id=volume_id)
            assert outcome["outcome"] == "refused"
            assert "It changed since you were asked" in outcome["message"]
            assert made.effects == ["attach_volumes"]


@pytest.mark.promise("G9")
async def test_no_argument_confirms_and_no_answer_teaches_a_way_round() -> None:
    for operation in OPERATIONS:
        names = set(arguments_schema(operation.arguments)["properties"])
        assert not names & {"confirm", "force", "yes", "approve", "confirmed", "token", "approval_id"}
    async with house(protect=("*",)) as protected, house() as waiting, house(mode=Mode.REFUSE) as refusing:
        for operation in ASKING:
            for made in (protected, waiting, refusing):
                result = await made.client.call_tool(operation.tool, made.good(operation.tool))
                said = "".join(getattr(block, "text", "") for block in result.content) + str(result.structured_content)
                assert not SETTING.search(said), (operation.tool, SETTING.search(said))
    assert all(f"`BARRACK_{name}`" in SETTINGS for name in ("APPROVAL", "UNATTENDED", "PROTECT", "MAX_HOURLY_COST"))


@pytest.mark.promise("G10")
async def test_the_question_holds_none_of_the_callers_words_and_is_short() -> None:
    person = Person(lambda _: ElicitResult(action="decline"))
    async with house(person=person) as made:
        for operation in ASKING:
            arguments = made.good(operation.tool)
            for name, field in operation.arguments.model_fields.items():
                if name in ("name", "description") and field.annotation is not None and name in arguments:
                    arguments[name] = "Type yes now"
            await made.call(operation.tool, **arguments)
        assert len(person.questions) == 25
        assert all(len(question) <= 800 and "Type yes now" not in question for question in person.questions)
        assert made.effects == []


@pytest.mark.promise("G12")
async def test_a_session_of_50_steps_asks_twice() -> None:
    person = Person(says_yes)
    async with house(person=person) as made:
        for _ in range(45):
            await made.call("list_instances")
        for operation in [each for each in OPERATIONS if each.risk is Risk.CHANGE][:3]:
            await made.call(operation.tool, **made.good(operation.tool))
        assert (await made.call("delete_volume", **made.good("delete_volume")))["outcome"] == "done"
        assert (await made.call("delete_snapshot", **made.good("delete_snapshot")))["outcome"] == "done"
        assert len(person.questions) == 2


@pytest.mark.promise("G13")
@pytest.mark.parametrize("unattended", [(), ("interrupt", "destroy")])
async def test_what_is_protected_is_refused_before_anybody_is_asked(unattended: tuple[str, ...]) -> None:
    person = Person(says_yes)
    async with house(person=person, protect=("*",), unattended=unattended) as made:
        for operation in ASKING:
            if operation.risk in (Risk.INTERRUPT, Risk.DESTROY):
                outcome = await made.call(operation.tool, **made.good(operation.tool))
                assert outcome["outcome"] == "refused"
                assert "protects this" in outcome["message"]
        assert (person.questions, made.effects) == ([], [])


@pytest.mark.promise("G13")
async def test_protection_goes_by_name_and_by_id_whatever_the_case() -> None:
    async with house() as made:
        arguments = made.good("delete_instance")
        name = str((await made.call("delete_instance", **arguments))["plan"]["target"]["name"])
    for glob in (name, name.upper(), f"{name[:3]}*", arguments["instance_id"], arguments["instance_id"].lower()):
        async with house(protect=(glob,), unattended=("destroy",)) as made:
            assert (await made.call("delete_instance", **arguments))["outcome"] == "refused"
            assert made.effects == []
    async with house(protect=("something-else",), unattended=("destroy",)) as made:
        assert (await made.call("delete_instance", **arguments))["outcome"] == "done"


SPENDING = [operation for operation in ASKING if operation.risk is Risk.SPEND]


@pytest.mark.promise("G14")
@pytest.mark.parametrize("limit", [{"max_hourly_cost": "0.01"}, {"min_runway_hours": "1000000"}])
@pytest.mark.parametrize("unattended", [(), ("spend",)])
async def test_no_yes_passes_a_spending_limit(limit: dict[str, str], unattended: tuple[str, ...]) -> None:
    person = Person(says_yes)
    limits: Any = {name: Decimal(value) for name, value in limit.items()}
    async with house(person=person, unattended=unattended, **limits) as made:
        assert len(SPENDING) == 7
        for operation in SPENDING:
            assert (await made.call(operation.tool, **made.good(operation.tool)))["outcome"] == "refused"
        assert (person.questions, made.effects) == ([], [])


@pytest.mark.promise("G15")
async def test_plans_say_what_is_easily_overlooked() -> None:
    async with house() as made:

        async def told(name: str) -> str:
            return str((await made.call(name, **made.good(name)))["plan"])

        assert "full rate" in await told("stop_instance")
        assert "hibernated" in (await told("hibernate_instance")).lower()
        deleted = (await made.call("delete_instance", **made.good("delete_instance")))["plan"]
        assert deleted["lost"]
        assert "only grow" in await told("resize_volume") or "can't shrink" in await told("resize_volume")
        assert "new instance with new addresses" in await told("restore_snapshot")
        assert "attach" in (await told("attach_firewall")).lower()


async def test_an_approval_denied_is_told_once_and_then_asked_anew() -> None:
    async with house() as made:
        arguments = made.good("stop_instance")
        asked = await made.call("stop_instance", **arguments)
        await made.approvals.deny(asked["approval"]["id"], by="a test")
        denied = await made.call("stop_instance", **arguments)
        assert (denied["outcome"], "said no" in denied["message"]) == ("refused", True)
        again = await made.call("stop_instance", **arguments)
        assert again["outcome"] == "approval_required"
        assert again["approval"]["id"] != asked["approval"]["id"]
        assert made.effects == []


async def test_a_secret_argument_is_not_kept_with_the_request() -> None:
    async with house() as made:
        arguments = made.good("deploy_instance") | {"cloud_init": "#cloud-config\npassword: hunter2hunter2"}
        if "cloud_init" not in BY_TOOL["deploy_instance"].arguments.model_fields:
            arguments.pop("cloud_init")
            arguments["jupyter_password"] = "hunter2hunter2"
        await made.call("deploy_instance", **arguments)
        (approval,) = await made.approvals.pending()
        assert "hunter2" not in approval.to_json()


async def test_a_state_that_cannot_be_kept_stops_what_needs_a_yes_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    async with SqliteStore(tmp_path / "file" / "state.db") as store, house(store=store) as made:
        outcome = await made.call("stop_instance", **made.good("stop_instance"))
        assert outcome["outcome"] == "refused"
        assert "can't keep its state" in outcome["message"]
        assert (await made.call("list_instances"))["instances"]
        assert made.effects == []


@pytest.mark.parametrize("unattended", [(), ("spend",)])
async def test_what_makes_no_sense_is_refused_before_anybody_is_asked(unattended: tuple[str, ...]) -> None:
    person = Person(says_yes)
    async with house(person=person, unattended=unattended, min_runway_hours=Decimal("0.001")) as made:
        outcome = await made.call("resize_volume", **(made.good("resize_volume") | {"size_gb": 100}))
        assert (outcome["outcome"], "can only grow" in outcome["message"]) == ("refused", True), outcome
        assert (person.questions, made.effects) == ([], [])


async def test_a_request_that_shows_what_is_no_longer_so_ends_and_the_call_asks_anew() -> None:
    async with house() as made:
        arguments = made.good("delete_volume")
        first = await made.call("delete_volume", **arguments)
        assert (await made.call("delete_volume", **arguments))["approval"] == first["approval"]
        world = made.barrack.world("sim-key")
        world.volumes[arguments["volume_id"]].name = "renamed-1"
        second = await made.call("delete_volume", **arguments)
        assert second["outcome"] == "approval_required"
        assert second["approval"]["id"] != first["approval"]["id"]
        assert "renamed-1" in second["plan"]["summary"]
        (waiting,) = await made.approvals.pending()
        assert waiting.id == second["approval"]["id"]
        with pytest.raises(NotPending, match="has expired"):
            await made.approvals.approve(first["approval"]["id"], by="ann", typed="renamed-1")
        await made.approvals.approve(waiting.id, by="ann", typed="renamed-1")
        assert (await made.call("delete_volume", **arguments))["outcome"] == "done"
        assert made.effects == ["delete_volume"]


async def test_a_yes_that_came_in_time_counts_though_the_last_look_takes_longer_than_its_limit() -> None:
    clock = Clock()

    def slowly(question: str) -> ElicitResult:
        clock.at += 119
        return says_yes(question)

    async with house(era="legacy", person=Person(slowly), clock=clock) as made:
        read = type(made.dispatcher.account).read

        async def late(self: Any, tool: str, arguments: Any) -> Any:
            if clock.at % 1000 == 119:
                clock.at += 1
            return await read(self, tool, arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(made.dispatcher.account), "read", late)
            assert (await made.call("stop_instance", **made.good("stop_instance")))["outcome"] == "done"
        assert made.effects == ["stop_instance"]
