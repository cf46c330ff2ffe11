"""Protection fails closed: what a call touches and whose name could not be read counts as protected."""

from __future__ import annotations

import copy
import unicodedata
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult

from barrack_mcp.catalogue import OPERATIONS, Risk
from barrack_mcp.guard.asking.question import judge
from barrack_mcp.guard.decide import is_protected
from barrack_mcp.simulator import create_app
from tests.plans.asking import room
from tests.support.house import ERAS, Person, house, says_yes
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

HURTING = [operation.tool for operation in OPERATIONS if operation.risk in (Risk.INTERRUPT, Risk.DESTROY)]
COMPOSED, DECOMPOSED = "prod-café", unicodedata.normalize("NFD", "prod-café")


@pytest.mark.promise("G20")
@pytest.mark.parametrize("action", ["status", "slow"])
async def test_a_firewall_goes_to_no_instance_whose_name_could_not_be_read(action: str) -> None:
    async with house(protect=("prod-*",), unattended=("interrupt",)) as made:
        arguments = made.good("attach_firewall")
        made.app.state.barrack.world("sim-key").firewalls[arguments["firewall_id"]].attachments.clear()
        path = f"/instances/{arguments['instance_ids'][0]}/"
        fault: dict[str, Any] = {"method": "GET", "path": path, "times": 50, "action": "status", "status": 500}
        if action == "slow":
            fault |= {"action": "stall"}
            del fault["status"]
        made.play(fault)
        with anyio.fail_after(PATIENT_S):
            outcome = await made.call("attach_firewall", **arguments)
        assert (outcome["outcome"], "could not be read" in outcome["message"]) == ("refused", True), outcome
        assert made.effects == []


@pytest.mark.promise("G20")
async def test_of_thirty_instances_the_last_is_looked_at_too() -> None:
    async with house(protect=("prod-*",), unattended=("interrupt",)) as made:
        world = made.app.state.barrack.world("sim-key")
        arguments = made.good("attach_firewall")
        machine = world.instances[arguments["instance_ids"][0]]
        ids = []
        for number in range(30):
            another = copy.copy(machine)
            another.id, another.name = f"BRK-20000{number:02}D", f"many-{number}"
            world.instances[another.id] = another
            ids.append(another.id)
        world.instances[ids[-1]].name = "prod-1"
        outcome = await made.call("attach_firewall", firewall_id=arguments["firewall_id"], instance_ids=ids)
        assert (outcome["outcome"], "operator protects" in outcome["message"]) == ("refused", True), outcome
        assert made.effects == []
        world.instances[ids[-1]].name = "many-29"
        outcome = await made.call("attach_firewall", firewall_id=arguments["firewall_id"], instance_ids=ids)
        assert outcome["outcome"] == "done"


@pytest.mark.promise("G20")
@pytest.mark.parametrize(
    ("tool", "read", "field", "rows", "name"),
    [
        ("delete_instance", "get_instance", ("instance", "volume_attachments"), "volumes", "volume_name"),
        ("remove_firewall_rule", "get_firewall", ("firewall", "attachments"), "instances", "vm_name"),
        ("attach_firewall", "get_firewall", ("firewall", "attachments"), "instances", "vm_name"),
    ],
)
async def test_what_is_told_by_its_id_alone_is_looked_up_or_counts_as_protected(
    tool: str, read: str, field: tuple[str, str], rows: str, name: str
) -> None:
    root, within = field
    id_field = {"volumes": "volume_id", "instances": "instance_id"}[rows]

    def bare(answer: Any) -> None:
        for row in answer[root][within]:
            at = row.get(id_field) or row["vm"][id_field]
            row.clear()
            row[id_field] = at

    def none(answer: Any) -> None:
        answer[root][within] = None

    def odd(answer: Any) -> None:
        answer[root][within].append(7)

    looked_up = {"volumes": "get_volume", "instances": "get_instance"}[rows]
    async with room() as asked:
        told = await asked.plan(tool)
        asked.bent = {read: bare}
        bared = await asked.plan(tool)
        assert not bared.touches_unread
        assert set(told.protected_by) <= set(bared.protected_by) | {row["id"] for row in asked.state["firewalls"]}
        if read != looked_up and tool != "attach_firewall":
            asked.failing = frozenset({looked_up})
            assert (await asked.plan(tool)).touches_unread
            asked.failing = frozenset()
        for bend in (none, odd):
            asked.bent = {read: bend}
            assert (await asked.plan(tool)).touches_unread
    assert name


@pytest.mark.promise("G20")
@pytest.mark.parametrize("tool", HURTING)
async def test_a_target_without_a_name_is_protected_where_anything_is(tool: str) -> None:
    reads = [operation.tool for operation in OPERATIONS if operation.tool.startswith("get_") and operation.result]

    def nameless(answer: Any) -> None:
        for row in answer.values():
            if isinstance(row, dict):
                for field in ("vm_name", "volume_name", "snapshot_name", "name"):
                    row.pop(field, None)

    async with room(bent=dict.fromkeys(reads, nameless)) as asked:
        planned = await asked.plan(tool)
        assert planned.touches_unread
        assert is_protected(planned.protected_by, ("prod-*",), unread=True)
        assert not is_protected(planned.protected_by, (), unread=True)


@pytest.mark.promise("G20")
@pytest.mark.parametrize(
    ("tool", "rows", "name", "thing"),
    [
        ("delete_volume", "volumes", "volume", "checkpoints"),
        ("delete_instance", "volumes", "volume", "datasets"),
        ("remove_firewall_rule", "instances", "vm", "train-2"),
        ("attach_firewall", "instances", "vm", "train-2"),
    ],
    ids=lambda value: value,
)
async def test_an_id_protects_as_a_name_does_also_what_goes_or_stops_with_the_target(
    tool: str, rows: str, name: str, thing: str
) -> None:
    app, person = create_app(now=lambda: 0.0), Person(says_yes)
    found = next(row for row in app.state.barrack.state()[rows] if row[f"{name}_name"] == thing)
    protected = found["volume_id" if name == "volume" else "instance_id"]
    async with house(app=app, person=person, protect=(protected,)) as made:
        outcome = await made.call(tool, **made.good(tool))
        assert (outcome["outcome"], "operator protects" in outcome["message"]) == ("refused", True), outcome
        assert (made.effects, person.questions) == ([], [])


@pytest.mark.parametrize("tool", HURTING)
async def test_what_was_read_whole_is_not_held_back(tool: str) -> None:
    async with room() as asked:
        assert not (await asked.plan(tool)).touches_unread


@pytest.mark.promise("G20")
@pytest.mark.parametrize(("glob", "name"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), ("PROD-CAF*", DECOMPOSED)])
async def test_a_glob_protects_a_name_in_either_unicode_form(glob: str, name: str) -> None:
    app = create_app(now=lambda: 0.0)
    person = Person(says_yes)
    async with house(app=app, person=person, protect=(glob,)) as made:
        arguments = made.good("delete_volume")
        app.state.barrack.world("sim-key").volumes[arguments["volume_id"]].name = name
        outcome = await made.call("delete_volume", **arguments)
        assert (outcome["outcome"], "operator protects" in outcome["message"]) == ("refused", True), outcome
        assert (made.effects, person.questions) == ([], [])


LOOKS = {
    "full width": "\uff50\uff52\uff4f\uff44-1",
    "mathematical": "\U0001d429\U0001d42b\U0001d428\U0001d41d-1",
    "capitals, circled": "\u24c5ROD-1",
    "Cyrillic": "\u0440r\u043ed-1",
    "Greek capital": "\u03a1ROD-1",
    "an unseen space within": "pr\u200bod-1",
    "an unseen mark before": "\ufeffprod-1",
    "a blank before": " prod-1",
    "a joined accent's leftover": "p\u034frod-1",
    "a soft hyphen": "pro\u00add-1",
    "another dash": "prod\u20111",
    "a minus": "prod\u22121",
    "a selector after": "prod-1\ufe0f",
    "a tag after": "prod-1\U000e0041",
}


@pytest.mark.promise("G20")
@pytest.mark.parametrize("name", LOOKS.values(), ids=LOOKS)
def test_what_looks_like_a_protected_name_is_protected_whichever_of_the_two_is_written_oddly(name: str) -> None:
    for glob in ("prod-*", "PROD-1", "p?od-?", "[o-q]rod-[0-9]"):
        assert is_protected([name], [glob])
    assert is_protected(["prod-1"], [name.strip()])
    assert is_protected(["prod-1"], [name.strip().replace("1", "\uff0a")])
    assert not is_protected([name], ["staging-*", "my-prod-*", "prod-12"])


@pytest.mark.promise("G20")
def test_a_name_is_also_held_against_a_glob_as_it_is_written() -> None:
    assert is_protected(["\u00df-1"], ["?-1"])
    assert is_protected(["\u0440rod"], ["[!p]rod"])
    assert not is_protected(["PROD"], ["[!p]rod"])


@pytest.mark.promise("G20")
@pytest.mark.parametrize("tool", ["delete_instance", "stop_instance", "hibernate_instance"])
async def test_a_machine_that_looks_like_a_protected_one_stays_as_it_is(tool: str) -> None:
    names = [LOOKS["Cyrillic"], LOOKS["full width"], LOOKS["an unseen space within"]]
    for name in names:
        app, person = create_app(now=lambda: 0.0), Person(says_yes)
        async with house(app=app, person=person, protect=("prod-*",), unattended=("interrupt",)) as made:
            arguments = made.good(tool)
            app.state.barrack.world("sim-key").instances[arguments["instance_id"]].name = name
            outcome = await made.call(tool, **arguments)
            assert (outcome["outcome"], "operator protects" in outcome["message"]) == ("refused", True), outcome
            assert (made.effects, person.questions) == ([], [])


@pytest.mark.parametrize("way", [*ERAS, "out of band"])
@pytest.mark.parametrize(("name", "typed"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
async def test_a_name_may_be_typed_in_either_unicode_form(name: str, typed: str, way: str) -> None:
    app = create_app(now=lambda: 0.0)
    person = Person(lambda _: ElicitResult(action="accept", content={"name": typed})) if way != "out of band" else None
    async with house(era=way if person else "auto", app=app, person=person) as made:
        arguments = made.good("delete_volume")
        app.state.barrack.world("sim-key").volumes[arguments["volume_id"]].name = name
        outcome = await made.call("delete_volume", **arguments)
        if person is None:
            await made.approvals.approve(outcome["approval"]["id"], by="a test", typed=typed)
            outcome = await made.call("delete_volume", **arguments)
        assert outcome["outcome"] == "done", outcome
        assert made.effects == ["delete_volume"]


@pytest.mark.parametrize(
    ("typed", "name"),
    [("prod-cafe", COMPOSED), ("prod-cafè", COMPOSED), ("\u212aeep", "Keep"), ("prod-\uff43afé", COMPOSED)],
)
def test_what_only_looks_like_the_name_is_still_no_yes(typed: str, name: str) -> None:
    reply = judge(ElicitResult(action="accept", content={"name": typed}), name, after=1)
    assert reply.consent == "no"


@pytest.mark.parametrize("tool", ["stop_instance", "delete_instance", "reboot_instance", "hibernate_instance"])
async def test_a_protected_target_is_offered_no_way_that_is_refused_as_well(tool: str) -> None:
    async with house(protect=("train-*",)) as made:
        outcome = await made.call(tool, **made.good(tool))
        assert (outcome["outcome"], "operator protects" in outcome["message"]) == ("refused", True)
        assert {way["tool"] for way in outcome["plan"]["safer"]} <= {"create_snapshot", "start_instance"}
