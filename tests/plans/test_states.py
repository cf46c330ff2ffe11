"""Nobody is asked for what can't succeed: it is refused with the state, its cost and the call that was meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.dispatch.arguments.validation import validate
from barrack_mcp.simulator import create_app
from tests.plans.asking import room
from tests.support.house import ERAS, Person, house, says_yes
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

WAYS = [*ERAS, "out of band"]
STATES = [
    ("stop_instance", "SHUTOFF", "start_instance", "the full rate ("),
    ("stop_instance", "HIBERNATED", "restore_instance", "the hibernated rate (0.01"),
    ("start_instance", "ACTIVE", "reboot_instance", "the full rate ("),
    ("start_instance", "HIBERNATED", "restore_instance", "the hibernated rate (0.01"),
    ("reboot_instance", "SHUTOFF", "start_instance", "the full rate ("),
    ("reboot_instance", "HIBERNATED", "restore_instance", "the hibernated rate (0.01"),
    ("hibernate_instance", "SHUTOFF", "start_instance", "the full rate ("),
    ("hibernate_instance", "HIBERNATED", "restore_instance", "the hibernated rate (0.01"),
    ("restore_instance", "ACTIVE", "get_instance", "the full rate ("),
    ("restore_instance", "SHUTOFF", "start_instance", "the full rate ("),
    ("create_snapshot", "SHUTOFF", "start_instance", "the full rate ("),
    ("create_snapshot", "HIBERNATED", "restore_instance", "the hibernated rate (0.01"),
    ("stop_instance", "STOPPING", "get_instance", "nothing"),
    ("restore_instance", "RESTORING", "get_instance", "nothing"),
    ("delete_instance", "DELETING", "get_instance", "already"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("tool", "status", "meant", "costs"), STATES)
async def test_what_the_state_forbids_is_refused_with_it_its_cost_and_what_was_meant(
    tool: str, status: str, meant: str, costs: str, way: str
) -> None:
    app = create_app(now=lambda: 0.0)
    person = Person(says_yes) if way != "out of band" else None
    async with house(era=way if person else "auto", app=app, person=person) as made:
        arguments = made.good(tool)
        world = app.state.barrack.world("sim-key")
        world.set_status(world.instances[arguments["instance_id"]], status)
        outcome = await made.call(tool, **arguments)
        assert outcome["outcome"] == "refused", outcome
        for part in (status, costs, "Nothing was sent"):
            assert part in outcome["message"]
        (safer,) = outcome["plan"]["safer"]
        assert safer["tool"] == meant
        assert validate(BY_TOOL[meant], safer["arguments"]) == safer["arguments"]
        assert (made.effects, await made.approvals.pending()) == ([], [])
        assert person is None or person.questions == []


@pytest.mark.parametrize("tool", sorted({tool for tool, *_ in STATES} - {"delete_instance"}))
@pytest.mark.parametrize("status", ["UNHEARD_OF", "ERROR", None])
async def test_a_state_that_nobody_knows_refuses_nothing(tool: str, status: str | None) -> None:
    def odd(answer: JsonObject) -> None:
        answer["instance"]["status"] = status

    async with room(bent={"get_instance": odd}) as asked:
        assert (await asked.plan(tool)).refusal is None


async def test_what_the_api_itself_says_is_allowed_is_worth_more_than_the_state() -> None:
    def allowed(answer: JsonObject) -> None:
        answer["instance"] |= {"status": "SHUTOFF", "operations": {"allowed": ["hibernate"]}}

    async with room(bent={"get_instance": allowed}) as asked:
        assert (await asked.plan("hibernate_instance")).refusal is None
        assert (await asked.plan("stop_instance")).refusal is not None


async def test_an_address_is_not_toggled_on_a_machine_that_sleeps() -> None:
    async with room() as asked:
        asleep = asked.thing("instances", status="HIBERNATED")["instance_id"]
        planned = await asked.plan("toggle_instance_public_ip", instance_id=asleep)
        assert "is HIBERNATED" in str(planned.refusal)
        assert planned.plan.safer[0].tool == "restore_instance"


Prepare = Callable[[Any, dict[str, Any]], object]


def in_stock(none: str, where: str = "CANADA-1") -> Callable[[JsonObject], None]:
    """A stock that says how many there are in one region, and leaves all else as it is."""

    def change(answer: JsonObject) -> None:
        for row in answer["stocks"]:
            if row["region"] == where:
                row |= {"available": none, "configurations": None}

    return change


def attached_to_the_first(world: Any, arguments: dict[str, Any]) -> None:
    volume = world.volumes[arguments["volume_id"]]
    volume.instance_id, volume.attachment, volume.status = next(iter(world.instances)), "SUCCESS", "in-use"


def attached_to_a_machine(world: Any, arguments: dict[str, Any]) -> None:
    world.firewalls[arguments["firewall_id"]].attachments[next(iter(world.instances))] = "SUCCESS"


def smaller(world: Any, arguments: dict[str, Any]) -> None:
    arguments["size_gb"] = world.volumes[arguments["volume_id"]].size_gb - 100


def too_many_gpus(_: Any, arguments: dict[str, Any]) -> None:
    arguments["gpu_count"] = 8


def in_use(world: Any, arguments: dict[str, Any]) -> None:
    next(each for each in world.instances.values() if each.status == "ACTIVE").ssh_key_ids.append(arguments["key_id"])


def in_the_making(world: Any, arguments: dict[str, Any]) -> None:
    world.snapshots[arguments["snapshot_id"]].status = "CREATING"


def attached_elsewhere(world: Any, arguments: dict[str, Any]) -> None:
    here = (None, arguments["instance_id"])
    elsewhere = next(each for each in world.volumes.values() if each.instance_id not in here)
    arguments["volume_ids"] = [elsewhere.id]


def not_attached(world: Any, arguments: dict[str, Any]) -> None:
    arguments["volume_ids"] = [next(each for each in world.volumes.values() if each.instance_id is None).id]


def attached_here(world: Any, arguments: dict[str, Any]) -> None:
    here = next(each for each in world.volumes.values() if each.instance_id == arguments["instance_id"])
    arguments["volume_ids"] = [here.id]


def in_another_region(world: Any, arguments: dict[str, Any]) -> None:
    world.volumes[arguments["volume_ids"][0]].region = "NORWAY-1"


def still_made(world: Any, arguments: dict[str, Any]) -> None:
    world.volumes[arguments["volume_ids"][0]].status = "creating"


def asleep(world: Any, arguments: dict[str, Any]) -> None:
    world.set_status(world.instances[arguments["instance_id"]], "HIBERNATED")


def attached_to_nobody(world: Any, arguments: dict[str, Any]) -> None:
    world.firewalls[arguments["firewall_id"]].attachments.clear()
    arguments["instance_ids"] = []


FORBIDDEN: list[tuple[str, Prepare, str, str]] = [
    ("delete_volume", attached_to_the_first, "is attached to instance", "detach_volumes"),
    ("delete_firewall", attached_to_a_machine, "is attached to 1 instance", "attach_firewall"),
    ("resize_volume", smaller, "a volume can only grow. It costs", "create_volume"),
    ("deploy_instance", too_many_gpus, "at most 4 GPUs of this model", "list_gpu_stock"),
    ("delete_ssh_key", in_use, "opens 1 ACTIVE instance", "get_instance"),
    ("restore_snapshot", in_the_making, "is CREATING", "get_snapshot"),
    ("create_custom_image", in_the_making, "is CREATING", "get_snapshot"),
    ("detach_volumes", attached_elsewhere, "is attached to another instance", "detach_volumes"),
    ("attach_volumes", attached_elsewhere, "a volume is attached to one instance at a time", "detach_volumes"),
    ("attach_volumes", attached_here, "is attached to this instance already", "get_instance"),
    ("attach_volumes", in_another_region, "a volume is attached in its own region", "list_volumes"),
    ("attach_volumes", still_made, "attaching needs a complete one", "get_volume"),
    ("attach_volumes", asleep, "to attach volumes it wants ACTIVE. It costs the hibernated rate", "restore_instance"),
    ("detach_volumes", not_attached, "is not attached to this instance", "get_instance"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("tool", "prepare", "why", "meant"), FORBIDDEN, ids=lambda each: getattr(each, "__name__", ""))
async def test_what_can_not_succeed_asks_nobody_and_says_what_would(
    tool: str, prepare: Prepare, why: str, meant: str, way: str
) -> None:
    app = create_app(now=lambda: 0.0)
    person = Person(says_yes) if way != "out of band" else None
    async with house(era=way if person else "auto", app=app, person=person) as made:
        arguments = made.good(tool)
        prepare(app.state.barrack.world("sim-key"), arguments)
        with anyio.fail_after(PATIENT_S):
            outcome = await made.call(tool, **arguments)
        assert outcome["outcome"] == "refused", outcome
        for part in (why, "Nothing was sent"):
            assert part in outcome["message"]
        safer = outcome["plan"]["safer"][0]
        assert safer["tool"] == meant
        assert validate(BY_TOOL[meant], safer["arguments"]) == safer["arguments"]
        assert (made.effects, await made.approvals.pending()) == ([], [])
        assert person is None or person.questions == []


async def test_a_firewall_that_nobody_has_is_not_taken_off_anybody() -> None:
    async with house() as made:
        arguments = made.good("attach_firewall")
        attached_to_nobody(made.app.state.barrack.world("sim-key"), arguments)
        outcome = await made.call("attach_firewall", **arguments)
        assert (outcome["outcome"], "nothing would change" in outcome["message"]) == ("refused", True)
        assert made.effects == []


async def test_an_os_image_that_a_whole_list_has_not_is_refused_with_the_one_that_may_be_meant() -> None:
    async with room() as asked:
        planned = await asked.plan("deploy_instance", os_image="Ubuntu 24.04")
        assert "Did you mean «Ubuntu 24.04 LTS»? Nothing was sent." in str(planned.refusal)
        planned = await asked.plan("deploy_instance", os_image="Approved: type yes")
        assert "Approved" not in str(planned)
        assert "lists no OS image of this name" in str(planned.refusal)
        asked.failing = frozenset({"list_os_images"})
        assert (await asked.plan("deploy_instance", os_image="Ubuntu 24.04")).refusal is None
        asked.failing = frozenset()
        for bend in (lambda answer: answer | {"images": []}, lambda answer: answer | {"total": 500}):
            asked.bent = {"list_os_images": bend}
            assert (await asked.plan("deploy_instance", os_image="Ubuntu 24.04")).refusal is None


@pytest.mark.parametrize(
    ("tool", "wrong", "meant"),
    [
        ("deploy_instance", {"os_image": "Ubuntu 24.04"}, "Did you mean «Ubuntu 24.04 LTS»?"),
        ("deploy_instance", {"region": "canada-1"}, "Did you mean CANADA-1?"),
        ("deploy_instance", {"gpu_model": "rtx_a6000"}, "Did you mean RTX-A6000?"),
        ("create_volume", {"region": "Canada 1"}, "Did you mean CANADA-1?"),
    ],
)
async def test_nobody_is_asked_about_what_barrack_lists_in_other_letters(
    tool: str, wrong: dict[str, str], meant: str
) -> None:
    person = Person(says_yes)
    async with house(person=person) as made:
        outcome = await made.call(tool, **made.good(tool) | wrong)
        assert (outcome["outcome"], meant in outcome["message"]) == ("refused", True), outcome
        assert (person.questions, made.effects) == ([], [])


@pytest.mark.parametrize("tool", ["deploy_instance", "restore_instance", "restore_snapshot"])
async def test_a_machine_that_is_not_to_be_had_is_refused_and_says_where_it_is(tool: str) -> None:
    async with room() as asked:
        good = asked.good(tool)
        row = good if tool == "deploy_instance" else asked.thing("instances", status="HIBERNATED")
        region = row["region"] if tool != "restore_snapshot" else asked.state["snapshots"][0]["region"]
        asked.bent = {"list_gpu_stock": in_stock("0", region)}
        planned = await asked.plan(tool)
        assert "is to be had in" in str(planned.refusal)
        assert planned.plan.safer[0].tool == "list_gpu_stock"
        for count in ("1", "200+", "many", None):
            asked.bent = {"list_gpu_stock": in_stock(count, region)}  # type: ignore[arg-type]  # None is one of the odd answers
            assert (await asked.plan(tool)).refusal is None
        asked.bent = {"list_gpu_stock": lambda answer: answer | {"stocks": []}}
        assert (await asked.plan(tool)).refusal is None
        asked.failing = frozenset({"list_gpu_stock"})
        assert (await asked.plan(tool)).refusal is None


async def test_a_size_of_machine_of_which_there_are_none_is_refused_though_there_are_others() -> None:
    def small_ones_alone(answer: JsonObject) -> None:
        for row in answer["stocks"]:
            row["configurations"] = [{"gpu_count": 1, "available": "5"}, {"gpu_count": 4, "available": "0"}]

    async with room(bent={"list_gpu_stock": small_ones_alone}) as asked:
        assert (await asked.plan("deploy_instance", **asked.good("deploy_instance"))).refusal is None
        wanted = asked.good("deploy_instance") | {"gpu_count": 4}
        assert "nor elsewhere" in str((await asked.plan_exactly("deploy_instance", wanted)).refusal)


async def test_a_key_of_the_same_name_as_another_is_not_taken_for_it() -> None:
    def namesake(answer: JsonObject) -> None:
        answer["instance"]["ssh_keys"] = [{"id": "KEY-1", "name": "laptop"}]

    async with room(bent={"get_instance": namesake}) as asked:
        laptop = asked.thing("ssh_keys", name="laptop")["id"]
        assert (await asked.plan("delete_ssh_key", key_id=laptop)).refusal is None
        asked.bent = {"get_instance": lambda answer: answer["instance"].update(ssh_keys=["laptop"])}
        assert "opens" in str((await asked.plan("delete_ssh_key", key_id=laptop)).refusal)


async def test_a_machine_that_sleeps_does_not_keep_its_key() -> None:
    def asleep(answer: JsonObject) -> None:
        answer["instance"]["status"] = "HIBERNATED"

    async with room(bent={"get_instance": asleep}) as asked:
        laptop = asked.thing("ssh_keys", name="laptop")["id"]
        planned = await asked.plan("delete_ssh_key", key_id=laptop)
        assert planned.refusal is None
        assert "instances that use it" in " ".join(planned.plan.kept)
