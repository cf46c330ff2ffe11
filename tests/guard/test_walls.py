"""The guard's inner walls: what a yes is held to after it was given, and what a person is shown before."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Risk
from barrack_mcp.guard.approvals import Approvals, NotPending, WrongName
from barrack_mcp.guard.asking.asker import Asked
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.guard.ruling.ruling import Passed, Ruling, Stopped, Waiting
from barrack_mcp.simulator import create_app
from barrack_mcp.state.store import SqliteStore
from tests.support import examples
from tests.support.clock import Clock
from tests.support.guarding import account_of, an_asker, guard, ruling_at
from tests.support.guarding import rule as rule_at
from tests.support.house import ASKING, ERAS, Person, house, says_yes
from tests.support.patience import PATIENT_S
from tests.support.simulation import simulated

pytestmark = pytest.mark.anyio

WAYS = [*ERAS, "out of band"]
DESTROYING = [operation for operation in OPERATIONS if operation.risk is Risk.DESTROY]
NO = ElicitResult(action="decline")
LOOK_ALIKES = str.maketrans({"a": "\u0430", "e": "\u0435", "c": "\u0441", "i": "\u0456", "o": "\u043e"})


def accept(**content: Any) -> ElicitResult:
    return ElicitResult(action="accept", content=content)


def world_of(app: Any) -> Any:
    """The simulator's account, to change what is in it behind our back."""
    return app.state.barrack.world("sim-key")


# What is typed


def wrong(name: str) -> dict[str, str]:
    """What may be typed in a name's place, and what the caller is told."""
    look_alike = name.translate(LOOK_ALIKES)
    assert len({name, look_alike, name.upper()}) == 3
    return {
        "another": "is not the name",
        "yes": "is not the name",
        f"\u00ab{name}\u00bb": "only looks like the name",
        name.upper(): "upper and lower case",
        look_alike: "only looks like the name",
        f"{name} ": "a space too many",
        f" {name}": "a space too many",
        f"{name}\r\n": "a space too many",
        name[:-1]: "is not the name",
        name + name[-1]: "is not the name",
        "": "typed no name",
    }


@pytest.mark.slow
@pytest.mark.promise("G3")
@pytest.mark.parametrize("era", ERAS)
async def test_no_destruction_takes_anything_but_its_name_letter_for_letter(era: str) -> None:
    replies: list[ElicitResult] = []
    person = Person(lambda _: replies[-1])
    async with house(era=era, person=person) as made:
        assert len(DESTROYING) == 8
        with anyio.fail_after(PATIENT_S):
            for operation in DESTROYING:
                arguments = made.good(operation.tool)
                replies.append(NO)
                await made.call(operation.tool, **arguments)
                name = person.questions[-1].splitlines()[-1].removeprefix("Type ").removesuffix(" to approve.")
                for typed, sentence in wrong(name).items():
                    replies.append(accept(name=typed))
                    outcome = await made.call(operation.tool, **arguments)
                    told = (outcome["outcome"], sentence in outcome["message"])
                    assert told == ("refused", True), (operation.tool, typed, outcome["message"])
                for content in ({"approve": True}, {"name": True}, {"name": None}, {"name": [name]}, {"Name": name}):
                    replies.append(accept(**content))
                    outcome = await made.call(operation.tool, **arguments)
                    assert (outcome["outcome"], "typed no name" in outcome["message"]) == ("refused", True), content
        assert made.effects == []
        assert await made.approvals.pending() == []


@pytest.mark.promise("G3")
async def test_nor_does_it_out_of_band_and_the_tenth_guess_denies() -> None:
    async with house() as made:
        with anyio.fail_after(PATIENT_S):
            for operation in DESTROYING:
                arguments = made.good(operation.tool)
                asked = (await made.call(operation.tool, **arguments))["approval"]["id"]
                name = (await made.approvals.find(asked)).must_type
                assert name
                for typed in [*wrong(name)][:9]:
                    with pytest.raises(WrongName):
                        await made.approvals.approve(asked, by="a test", typed=typed)
                    outcome = await made.call(operation.tool, **arguments)
                    assert (outcome["outcome"], outcome["approval"]["id"]) == ("approval_required", asked)
                with pytest.raises(WrongName, match="now denied"):
                    await made.approvals.approve(asked, by="a test", typed=None)
                with pytest.raises(NotPending):
                    await made.approvals.approve(asked, by="a test", typed=name)
                assert (await made.call(operation.tool, **arguments))["outcome"] == "refused"
        assert made.effects == []


# What is shown

HOSTILE = {
    "newlines": "a\nApprove?\r\nType yes\u2028to\u2029approve\x85",
    "escapes": "\x1b[2J\x1b]0;Type yes\x07\x9b31m\x08\x7f",
    "bidi marks": "train\u202e\u2066sey epyT\u2069\u200f\u200b\ufeff\U000e0041",
    "an instruction": "Type yes to approve.",
    "our own quotes": "x\u00bb (BRK-1). Nothing is lost. Type yes \u00ab\\n",
    "10 kB": "Type yes " * 1200,
    "10 kB of escapes": "\u202e\n" * 5000,
    "painted over": "Z" + "\u0335\u0338" * 500,
}
FREE = "type yes; this is what the user wants \u202e\n"
"""What a caller may write into names, descriptions and scripts."""


def unseen(question: str) -> set[str]:
    """Characters that show as something else than what they are."""
    return {char for char in question if unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")} - {"\n"}


def with_free_text(tool: str, arguments: JsonObject) -> JsonObject:
    """The same arguments, with the caller's own words wherever there is room for them."""
    fields = BY_TOOL[tool].arguments.model_fields
    words = {"name": "type-yes-now", "description": "type yes now", "script": FREE, "cloud_init": FREE}
    return arguments | {name: text for name, text in words.items() if name in fields}


@pytest.mark.slow
@pytest.mark.promise("G10")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_name_stands_in_the_question_escaped_and_short_beside_its_id(name: str, era: str) -> None:
    person = Person(lambda _: NO)
    async with house(era=era, person=person) as made:
        wanted = {operation.tool: with_free_text(operation.tool, made.good(operation.tool)) for operation in ASKING}
        world = world_of(made.app)
        shelves = (world.instances, world.volumes, world.snapshots, world.images, world.firewalls, world.keys)
        for thing in (thing for shelf in (*shelves, world.scripts) for thing in shelf.values()):
            thing.name = name
        with anyio.fail_after(PATIENT_S):
            for tool, arguments in wanted.items():
                before = len(person.questions)
                outcome = await made.call(tool, **arguments)
                assert outcome["outcome"] == "refused", (tool, outcome)
                (question,) = person.questions[before:]
                assert len(question) <= 800, tool
                assert unseen(question) == set(), (tool, question)
                assert not re.search("[\u0300-\u036f]{3}", question)
                assert "type yes" not in question
                assert "type-yes" not in question
                assert question.count("\n") <= 12
                *_, last = question.splitlines()
                assert last == "Approve?" or last.startswith("Type "), (tool, last)
                if BY_TOOL[tool].risk is not Risk.DESTROY:
                    assert last == "Approve?"
                for path, value in arguments.items():
                    if path.endswith("_id") and path not in ("rule_id", "startup_script_id"):
                        assert value in question, (tool, path)
        assert made.effects == []


@pytest.mark.promise("G10")
@pytest.mark.parametrize("era", ERAS)
async def test_a_name_that_can_not_be_typed_as_it_stands_is_not_asked_for_but_its_id(era: str) -> None:
    person = Person(lambda _: accept(name="yes"))
    async with house(era=era, person=person) as made:
        arguments = made.good("delete_volume")
        volume = world_of(made.app).volumes[arguments["volume_id"]]
        for name in HOSTILE.values():
            volume.name = name
            assert (await made.call("delete_volume", **arguments))["outcome"] == "refused"
            typed = name if name == "Type yes to approve." else volume.id
            assert person.questions[-1].endswith(f"\nType {typed} to approve.")
        assert made.effects == []


# What changed in between


def renamed(_: Any, thing: Any) -> None:
    thing.name = "renamed-1"


def set_to(**fields: Any) -> Callable[[Any, Any], None]:
    def change(_: Any, thing: Any) -> None:
        for name, value in fields.items():
            assert getattr(thing, name) != value
            setattr(thing, name, value)

    return change


def attached_to_the_first(world: Any, thing: Any) -> None:
    thing.instance_id, thing.attachment, thing.status = next(iter(world.instances)), "ATTACHED", "in-use"


def joined_by_a_machine(world: Any, thing: Any) -> None:
    thing.attachments[next(iter(world.instances))] = "SUCCESS"


def other_rules(_: Any, thing: Any) -> None:
    thing.rules[0]["remote_ip_prefix"] = "0.0.0.0/0"


def off(world: Any, thing: Any) -> None:
    world.set_status(thing, "SHUTOFF")


MACHINE: dict[str, Callable[[Any, Any], Any]] = {
    "renamed": renamed,
    "replaced": set_to(gpu_count=8),
    "stopped": off,
    "deleted": lambda world, thing: world.end_instance(thing),
}
CHANGES: dict[str, dict[str, Callable[[Any, Any], Any]]] = {
    "delete_instance": MACHINE,
    "stop_instance": MACHINE,
    "delete_volume": {
        "renamed": renamed,
        "replaced": set_to(size_gb=9000),
        "attached": attached_to_the_first,
        "deleted": lambda world, thing: world.end_volume(thing),
    },
    "delete_snapshot": {
        "renamed": renamed,
        "replaced": set_to(size_gb=9000),
        "of another": set_to(instance_id="BRK-000001D"),
        "deleted": lambda world, thing: world.end_snapshot(thing),
    },
    "delete_firewall": {
        "renamed": renamed,
        "replaced": other_rules,
        "attached": joined_by_a_machine,
        "deleted": lambda world, thing: world.firewalls.pop(thing.id),
    },
}
NOT_POSSIBLE_THEN = dict.fromkeys(CHANGES, ("attached",)) | {"stop_instance": ("stopped",), "delete_instance": ()}
"""The changes after which the call can't succeed, so that nobody is asked anew."""
CASES = [(tool, change) for tool, changes in CHANGES.items() for change in changes]


@pytest.mark.promise("G7")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("tool", "change"), CASES)
async def test_what_is_another_thing_than_was_shown_is_not_touched(tool: str, change: str, way: str) -> None:
    app = create_app(now=lambda: 0.0)
    changes: list[Callable[[], None]] = []

    def changes_first(question: str) -> ElicitResult:
        for each in changes:
            each()
        return says_yes(question)

    person = Person(changes_first) if way != "out of band" else None
    async with house(era=way if person else "auto", app=app, person=person) as made:
        arguments = made.good(tool)
        world = world_of(app)
        shelf = getattr(world, f"{tool.partition('_')[2]}s")
        thing = shelf[next(iter(arguments.values()))]
        changes.append(lambda: CHANGES[tool][change](world, thing))
        with anyio.fail_after(PATIENT_S):
            outcome = await made.call(tool, **arguments)
            if person is None:
                approval = await made.approvals.find(outcome["approval"]["id"])
                await made.approvals.approve(approval.id, by="a test", typed=approval.must_type)
                changes[0]()
                outcome = await made.call(tool, **arguments)
        assert made.effects == []
        assert (outcome["outcome"], "It changed since you were asked" in outcome["message"]) == ("refused", True), (
            outcome
        )
        if person is None and change not in ("deleted", *NOT_POSSIBLE_THEN[tool]):
            again = await made.call(tool, **arguments)
            assert again["outcome"] == "approval_required"
            assert again["approval"]["id"] != approval.id


@pytest.mark.promise("G7")
@pytest.mark.parametrize("way", WAYS)
async def test_a_name_that_goes_to_another_thing_takes_no_yes_with_it(way: str) -> None:
    app = create_app(now=lambda: 0.0)

    def swaps_first(question: str) -> ElicitResult:
        swap()
        return says_yes(question)

    def swap() -> None:
        volumes = world_of(app).volumes
        old, new = [each for each in volumes.values() if each.instance_id is None][:2]
        old.name, new.name = new.name, old.name

    person = Person(swaps_first) if way != "out of band" else None
    async with house(era=way if person else "auto", app=app, person=person) as made:
        name = next(each for each in made.state["volumes"] if each["instance_id"] is None)["volume_name"]
        outcome = await made.call("delete_volume", volume_id=name)
        if person is None:
            asked = outcome["approval"]["id"]
            await made.approvals.approve(asked, by="a test", typed=name)
            swap()
            outcome = await made.call("delete_volume", volume_id=name)
        assert outcome["outcome"] == "refused", outcome
        assert "changed since you were asked" in outcome["message"]
        if person is None:
            anew = await made.call("delete_volume", volume_id=name)
            assert anew["outcome"] == "approval_required"
            assert anew["approval"]["id"] != asked
        assert made.effects == []


# What the limits say after the yes


def broke(world: Any) -> None:
    world.balance //= 20


def busy(world: Any) -> None:
    asleep = next(each for each in world.instances.values() if each.status == "HIBERNATED")
    world.set_status(asleep, "ACTIVE")


@pytest.mark.promise("G14")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("limit", "turn", "sentence"),
    [
        ({"min_runway_hours": "20"}, broke, "credit would not last"),
        ({"min_runway_hours": "45"}, busy, "credit would not last"),
        ({"max_hourly_cost": "6"}, busy, "cost more per hour"),
    ],
)
async def test_a_limit_that_is_broken_between_question_and_answer_stands_against_the_yes(
    limit: dict[str, str], turn: Callable[[Any], None], sentence: str, way: str
) -> None:
    app = create_app(now=lambda: 0.0)

    def turns_first(question: str) -> ElicitResult:
        turn(world_of(app))
        return says_yes(question)

    limits: Any = {name: Decimal(value) for name, value in limit.items()}
    person = Person(turns_first) if way != "out of band" else None
    async with house(era=way if person else "auto", app=app, person=person, **limits) as made:
        arguments = made.good("create_volume")
        outcome = await made.call("create_volume", **arguments)
        if person is None:
            await made.approvals.approve(outcome["approval"]["id"], by="a test")
            turn(world_of(app))
            outcome = await made.call("create_volume", **arguments)
        else:
            assert len(person.questions) == 1
        assert (outcome["outcome"], sentence in outcome["message"]) == ("refused", True), outcome
        assert made.effects == []


# Calls that come with the answer to another


@pytest.mark.promise("G5")
async def test_an_answer_is_held_to_its_call_even_if_no_seal_did() -> None:
    async with simulated() as barrack, SqliteStore(":memory:") as store:
        api, app, state = barrack.api, barrack.app, barrack.state
        at, there = ruling_at(guard(store=store), store), account_of(api)
        create, good = BY_TOOL["create_volume"], examples.good(BY_TOOL["create_volume"], state)
        stop, stopped = BY_TOOL["stop_instance"], examples.good(BY_TOOL["stop_instance"], state)
        asked = await rule_at(at, create, good, Caller("ada", account_of(api), an_asker()))
        assert isinstance(asked, Asked)
        came = an_asker(asked, accept(approve=True))
        for operation, values, subject, account in (
            (create, good | {"size_gb": good["size_gb"] + 1}, "ada", there),
            (create, good | {"name": "another"}, "ada", there),
            (stop, stopped, "ada", there),
            (create, good, "eve", there),
            (create, good, "ada", account_of(api, url="https://other.example/api")),
            (create, good, "ada", account_of(api, key="key-2")),
        ):
            ruling = await rule_at(at, operation, values, Caller(subject, account, came))
            assert isinstance(ruling, Stopped)
            assert "belongs to another call" in ruling.sentence
        passed = await rule_at(at, create, good, Caller("ada", there, came))
        assert isinstance(passed, Passed)
        assert (passed.how, passed.plan is not None) == ("elicited", True)
        await passed.turn.give_back()
        again = await rule_at(at, create, good, Caller("ada", there, came))
        assert isinstance(again, Stopped)
        assert "used already" in again.sentence
        assert not app.state.barrack.journal


async def test_an_answer_that_lacks_its_reply_or_comes_late_is_no_yes() -> None:
    clock = Clock()
    async with simulated() as there, SqliteStore(":memory:", now=clock) as store:
        at = ruling_at(guard(store=store, now=clock, question_seconds=100), store)
        delete, good = BY_TOOL["delete_volume"], there.good("delete_volume")
        asked = await rule_at(at, delete, good, Caller("ada", account_of(there.api), an_asker()))
        assert isinstance(asked, Asked)
        name = world_of(there.app).volumes[good["volume_id"]].name

        async def told(reply: ElicitResult | None) -> Ruling:
            return await rule_at(at, delete, good, Caller("ada", account_of(there.api), an_asker(asked, reply)))

        clock.at += 1
        for reply in (None, NO, accept(approve=True), accept(name=name.upper())):
            assert isinstance(await told(reply), Stopped)
        clock.at += 99
        late = await told(accept(name=name))
        assert isinstance(late, Stopped)
        assert "came too late" in late.sentence
        clock.at -= 1
        passed = await told(accept(name=name))
        assert isinstance(passed, Passed)
        await passed.turn.give_back()
        # what was used is remembered for longer than it is good
        clock.at += 0.5
        again = await told(accept(name=name))
        assert isinstance(again, Stopped)
        assert "was used already" in again.sentence


# What became of a request out of band


async def test_a_yes_out_of_band_says_who_gave_it_and_one_elicited_says_so() -> None:
    async with simulated() as there, SqliteStore(":memory:") as store:
        at = ruling_at(guard(store=store), store)
        approvals = Approvals(store, ttl=600)
        good = there.good("stop_instance")

        async def rule() -> Ruling:
            return await rule_at(at, BY_TOOL["stop_instance"], good, Caller("ada", account_of(there.api)))

        asked = await rule()
        assert isinstance(asked, Waiting)
        assert asked.approval.caller == "ada"
        await approvals.approve(asked.approval.id, by="local:1000 at a terminal")
        passed = await rule()
        assert isinstance(passed, Passed)
        assert (passed.how, passed.plan is not None) == ("approved by local:1000 at a terminal", True)
