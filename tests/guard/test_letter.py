"""The guard to the letter: what a refusal still shows, what is told of a question, and how a call came to pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult

from barrack_mcp.catalogue import BY_TOOL, JsonObject, Risk
from barrack_mcp.guard.asking.asker import Asked, Asker
from barrack_mcp.guard.asking.meanings import NOTHING_MEANT, Meant
from barrack_mcp.guard.decide import Mode
from barrack_mcp.guard.ruling.limits import NOT_ALLOWED
from barrack_mcp.guard.ruling.ruling import CHANGED, TOO_MUCH, Passed, Ruling, Shown, Stopped
from barrack_mcp.simulator import create_app
from barrack_mcp.state import audit
from barrack_mcp.state.store import SqliteStore
from tests.support.clock import Clock
from tests.support.guarding import an_asker, rule
from tests.support.house import House, Person, house, says_yes

pytestmark = pytest.mark.anyio


def says_no(_: str) -> ElicitResult:
    return ElicitResult(action="decline")


async def test_whoever_is_refused_by_a_person_at_the_client_still_sees_the_plan() -> None:
    async with house(era="legacy", person=Person(says_no)) as made:
        for tool in ("delete_instance", "deploy_instance", "reboot_instance"):
            outcome = await made.call(tool, **made.good(tool))
            assert (outcome["outcome"], outcome["plan"]["risk"]) == ("refused", BY_TOOL[tool].risk), tool
        assert made.effects == []


@pytest.mark.parametrize("person", [Person(says_yes), None], ids=["asked", "out of band"])
async def test_what_a_person_is_asked_is_told_word_for_word_or_by_the_request_that_holds_it(
    person: Person | None,
) -> None:
    told: list[Shown] = []

    async def on_shown(shown: Shown) -> None:
        told.append(shown)

    async with house(person=person, on_shown=on_shown) as made:
        outcome = await made.call("reboot_instance", **made.good("reboot_instance"))
        assert [shown.question for shown in told] == ([None] if person is None else person.questions)
        assert [shown.approval for shown in told] == ([outcome["approval"]["id"]] if person is None else [None])


async def test_the_same_arguments_in_another_order_are_the_same_call() -> None:
    async with house() as made:
        arguments = made.good("deploy_instance")
        first = await made.call("deploy_instance", **arguments)
        again = await made.call("deploy_instance", **dict(reversed(arguments.items())))
        assert again["approval"]["id"] == first["approval"]["id"]


def open_to_all(**changed: Any) -> JsonObject:
    rule = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0"}
    return rule | {"port_range_min": 22, "port_range_max": 22} | changed


async def ruled(made: House, tool: str, asker: Asker | None = None, **changed: Any) -> Ruling:
    """What the guard says of a call; one that passes gives its turn back at once."""
    caller = replace(made.dispatcher.caller, asker=asker)
    ruling = await rule(made.dispatcher, BY_TOOL[tool], made.good(tool) | changed, caller)
    if isinstance(ruling, Passed):
        await ruling.turn.give_back()
    return ruling


async def passed(made: House, tool: str, asker: Asker | None = None, **changed: Any) -> Passed:
    ruling = await ruled(made, tool, asker, **changed)
    assert isinstance(ruling, Passed), ruling
    return ruling


async def stopped(made: House, tool: str, asker: Asker | None = None, **changed: Any) -> Stopped:
    ruling = await ruled(made, tool, asker, **changed)
    assert isinstance(ruling, Stopped), ruling
    return ruling


# What passes


async def test_a_call_that_passes_says_how_and_by_which_request() -> None:
    async with house(unattended=["change", "expose"]) as made:
        # the operator lets it through, so nobody looks, and the record says whose choice that was
        assert (await passed(made, "update_startup_script", script="#!/bin/sh\ntrue\n")).how == "unattended"
        assert (await passed(made, "add_firewall_rule", **open_to_all())).how == "unattended"
        assert (await passed(made, "update_startup_script", script=None, name="other")).how == "never asks"
    async with house(unattended=["spend", "change"], protect=["none-such"]) as made:
        assert (await passed(made, "deploy_instance")).how == "unattended"
        assert (await passed(made, "create_ssh_key")).how == "never asks"
        assert (await passed(made, "update_startup_script", script="#!/bin/sh\ntrue\n")).how == "unattended"
        assert (await passed(made, "attach_volumes")).how == "never asks"
        asked = await made.call("reboot_instance", **made.good("reboot_instance"))
        waiting = (await made.approvals.pending())[0]
        await made.approvals.approve(waiting.id, by="ada", typed=waiting.must_type)
        agreed = await passed(made, "reboot_instance")
        assert (agreed.how, agreed.approval) == ("approved by ada", waiting.id)
        assert agreed.plan == audit.digest(asked["plan"])


async def test_what_was_read_for_a_call_that_passes_and_the_plan_of_it_go_along() -> None:
    async with house(unattended=["spend"], max_hourly_cost=Decimal(1000)) as made:
        looked, bought = await passed(made, "attach_volumes"), await passed(made, "deploy_instance")
        asked = await ruled(made, "reboot_instance", an_asker())
        assert isinstance(asked, Asked)
        agreed = await passed(made, "reboot_instance", an_asker(asked, says_yes("Approve?")))
        await made.call("stop_instance", **made.good("stop_instance"))
        waiting = (await made.approvals.pending())[0]
        await made.approvals.approve(waiting.id, by="ada")
        approved = await passed(made, "stop_instance")
        assert all(each.read is not None for each in (looked, bought, agreed, approved))
        assert looked.plan is None
    async with house() as made:
        for tool, ruling in (("deploy_instance", bought), ("reboot_instance", agreed), ("stop_instance", approved)):
            asked_for = await made.call(tool, **made.good(tool))
            assert ruling.plan == audit.digest(asked_for["plan"]), tool


async def test_a_request_is_kept_as_it_was_shown_without_what_is_not_there() -> None:
    kept: list[Any] = []

    async def on_request(approval: Any) -> None:
        kept.append(approval.plan)

    async with house(on_request=on_request) as made:
        outcome = await made.call("stop_instance", **made.good("stop_instance"))
        assert kept == [outcome["plan"]]


# What is refused


async def test_what_makes_no_sense_is_refused_with_its_plan_whether_or_not_it_asks() -> None:
    async with house() as made:
        held = next(each for each in made.state["volumes"] if each["instance_id"])
        twice = {"instance_id": held["instance_id"], "volume_ids": [held["volume_id"]]}
        asleep = {"instance_id": made.thing("instances", status="HIBERNATED")["instance_id"]}
        for tool, arguments in (
            ("attach_volumes", twice),
            ("stop_instance", asleep),
            ("resize_volume", {"size_gb": 1}),
        ):
            no = await stopped(made, tool, **arguments)
            assert no.plan is not None, tool
            assert no.plan.risk == BY_TOOL[tool].risk
        assert made.effects == []


@pytest.mark.parametrize("asker", [an_asker(), None], ids=["asked", "out of band"])
async def test_what_is_too_much_for_one_question_is_refused_with_its_plan(asker: Asker | None) -> None:
    many = [open_to_all(remote_ip_prefix=f"203.0.{n // 250}.{n % 250}/32", port_range_min=n) for n in range(1, 300)]
    many = [rule | {"port_range_max": rule["port_range_min"]} for rule in many]
    async with house() as made:
        no = await stopped(made, "deploy_instance", asker, security_rules=many)
        assert (no.sentence, no.plan is not None) == (TOO_MUCH, True)


async def test_where_nobody_may_be_asked_it_is_told_what_needs_the_yes() -> None:
    async with house(mode=Mode.REFUSE, unattended=["spend"]) as made:
        no = await stopped(made, "deploy_instance", security_rules=[open_to_all()], public_ip=True)
        assert (no.sentence, no.plan is not None) == (NOT_ALLOWED[Risk.EXPOSE], True)
    async with house(mode=Mode.REFUSE, unattended=["expose"]) as made:
        no = await stopped(made, "update_startup_script", script="#!/bin/sh\ntrue\n")
        assert (no.sentence, no.plan is not None) == (NOT_ALLOWED[Risk.CHANGE], True)


async def test_an_answer_that_is_none_names_the_plan_that_it_was_about() -> None:
    async with house(question_seconds=100) as made:
        asked = await ruled(made, "reboot_instance", an_asker())
        assert isinstance(asked, Asked)
        shown = (await made.call("reboot_instance", **made.good("reboot_instance")))["plan"]
        made.clock.at += 1
        no = await stopped(made, "reboot_instance", an_asker(asked, says_no("")))
        assert (no.sentence[:19], no.shown) == ("The person declined", audit.digest(shown))
        made.clock.at += 100
        late = await stopped(made, "reboot_instance", an_asker(asked, says_yes("Approve?")))
        assert (late.sentence[:24], late.shown) == ("The answer came too late", audit.digest(shown))


async def test_a_limit_says_what_stands_against_the_call() -> None:
    async with house(min_runway_hours=Decimal(10**6)) as made:
        assert "credit would not last" in (await stopped(made, "deploy_instance")).sentence
    limits: list[dict[str, Any]] = [{"max_hourly_cost": Decimal(1000)}, {"min_runway_hours": Decimal(1)}]
    for limit in limits:
        async with house(**limit) as made:
            made.play({"action": "status", "status": 500, "path": BY_TOOL["list_volumes"].path, "times": 50})
            assert "not all could be read" in (await stopped(made, "deploy_instance")).sentence


# What changes in between


async def approved(made: House, tool: str, **arguments: Any) -> dict[str, Any]:
    """Ask for a call out of band, and say yes."""
    outcome = await made.call(tool, **arguments)
    asked = await made.approvals.find(outcome["approval"]["id"])
    await made.approvals.approve(asked.id, by="ada", typed=asked.must_type)
    return outcome


async def test_what_became_of_the_target_in_between_is_told_with_the_plan_as_it_stands() -> None:
    async with house() as made:
        arguments = made.good("stop_instance")
        machine = made.barrack.world("sim-key").instances[arguments["instance_id"]]
        await approved(made, "stop_instance", **arguments)
        machine.name = "another"
        renamed = await made.call("stop_instance", **arguments)
        assert (renamed["message"], "another" in renamed["plan"]["summary"]) == (CHANGED, True)
        await approved(made, "stop_instance", **arguments)
        made.barrack.world("sim-key").set_status(machine, "HIBERNATED")
        asleep = await made.call("stop_instance", **arguments)
        assert asleep["message"].startswith(f"{CHANGED} Not done: ")
        assert asleep["plan"]["target"]["status"] == "HIBERNATED"
        assert made.effects == []


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_gone_in_between_is_no_longer_what_was_agreed_to(status: int) -> None:
    async with house() as made:
        arguments = made.good("stop_instance")
        await approved(made, "stop_instance", **arguments)
        made.play({"action": "status", "status": status, "method": "GET", "times": 50, "body": {"message": "Gone"}})
        assert (await made.call("stop_instance", **arguments))["message"] == CHANGED
        assert made.effects == []


async def test_before_it_is_sent_only_what_binds_is_read_again() -> None:
    async with house() as made:
        arguments = {"key_id": made.good("delete_ssh_key")["key_id"]}
        outcome = await made.call("delete_ssh_key", **arguments)
        asked = len(made.sent)
        waiting = await made.approvals.find(outcome["approval"]["id"])
        await made.approvals.approve(waiting.id, by="ada", typed=waiting.must_type)
        assert isinstance(await ruled(made, "delete_ssh_key", **arguments), Passed)
        again = made.sent[asked:]
        listing = ("GET", BY_TOOL["list_instances"].path)
        assert (listing in made.sent[:asked], listing in again, len(again)) == (True, False, 1)


async def test_of_two_calls_with_one_yes_one_is_done_and_the_other_asks_anew_or_waits_for_it() -> None:
    async with house() as made:
        arguments = made.good("create_volume")
        await approved(made, "create_volume", **arguments)
        outcomes: list[str] = []

        async def redeem() -> None:
            outcomes.append((await made.call("create_volume", **arguments))["outcome"])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(redeem)
            tasks.start_soon(redeem)
        # which of the two depends on whether the first is still under way when the second looks
        assert sorted(outcomes) in (["approval_required", "done"], ["done", "refused"])
        assert made.effects == ["create_volume"]


class Meanwhile:
    """A simulator in front of which something happens once, as the next request arrives."""

    def __init__(self) -> None:
        self.app = create_app(now=lambda: 0.0)
        self.state = self.app.state
        self.happens: Callable[[], Awaitable[object]] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        happens, self.happens = self.happens, None
        if happens is not None:
            await happens()
        await self.app(scope, receive, send)


async def test_a_yes_that_comes_while_its_call_is_repeated_has_one_effect() -> None:
    app = Meanwhile()
    async with house(app=app) as made:
        arguments = made.good("stop_instance")
        asked = await made.call("stop_instance", **arguments)
        app.happens = lambda: made.approvals.approve(asked["approval"]["id"], by="ada")
        assert (await made.call("stop_instance", **arguments))["outcome"] == "done"
        assert made.effects == ["stop_instance"]


async def test_where_people_are_asked_elsewhere_their_yes_is_found_though_the_client_can_ask() -> None:
    person = Person(says_no)
    async with house(person=person, mode=Mode.OUT_OF_BAND) as made:
        await approved(made, "stop_instance", **made.good("stop_instance"))
        assert (await made.call("stop_instance", **made.good("stop_instance")))["outcome"] == "done"
        assert person.questions == []


async def test_what_was_made_a_moment_ago_counts_though_no_list_shows_it() -> None:
    async with house() as made:
        good = made.good("create_volume")
        before = (await made.call("create_volume", **good))["plan"]["cost"]["account_hourly_after"]
        create = BY_TOOL["create_volume"]
        made.dispatcher.account.deeds.note(create, good, {create.result or "": {"volume_id": "V-1", "name": "new"}})
        after = (await made.call("create_volume", **good | {"name": "b"}))["plan"]["cost"]["account_hourly_after"]
        assert after > before


# What names stood for


async def test_what_names_stand_for_is_kept_as_long_as_the_request_and_for_its_call_alone() -> None:
    async with house(clock=Clock()) as made:
        machine = made.thing("instances", status="ACTIVE")
        given = {"instance_id": machine["vm_name"], "note": "any"}
        names = Meant({machine["vm_name"]: [machine["instance_id"]]})
        stop, caller = BY_TOOL["stop_instance"], made.dispatcher.caller
        rules = made.dispatcher.guard
        await rule(made.dispatcher, stop, {"instance_id": machine["instance_id"]}, caller, given=given, meant=names)
        assert rules.meant_by(stop, given, caller) == names
        assert rules.meant_by(stop, dict(reversed(given.items())), caller) == names
        assert rules.meant_by(BY_TOOL["reboot_instance"], given, caller) == NOTHING_MEANT
        made.clock.at = (await made.approvals.pending())[0].expires_at
        assert rules.meant_by(stop, given, caller) == NOTHING_MEANT
        made.clock.at += 1
        assert rules.meant_by(stop, given, caller) == NOTHING_MEANT
        made.clock.at -= 1.001
        assert rules.meant_by(stop, given, caller) == names


async def test_what_names_stand_for_comes_back_with_the_answer_for_its_tool_alone() -> None:
    async with house() as made:
        values = made.good("stop_instance")
        names = Meant({"web": [values["instance_id"]]}, {"any": 1})
        stop, rules = BY_TOOL["stop_instance"], made.dispatcher.guard
        caller = replace(made.dispatcher.caller, asker=an_asker())
        asked = await rule(made.dispatcher, stop, values, caller, given={"instance_id": "web"}, meant=names)
        assert isinstance(asked, Asked)
        answers = replace(made.dispatcher.caller, asker=an_asker(asked, says_yes("Approve?")))
        assert rules.meant_by(stop, {"instance_id": "web"}, answers) == names
        assert rules.meant_by(stop, {"instance_id": "other"}, answers) == NOTHING_MEANT
        assert rules.meant_by(BY_TOOL["reboot_instance"], {"instance_id": "web"}, answers) == NOTHING_MEANT


async def test_a_name_whose_thing_changed_while_a_person_was_asked_is_refused_once_and_then_asked_anew() -> None:
    async with house() as made:
        one, other = [each for each in made.barrack.world("sim-key").instances.values() if each.status == "ACTIVE"][:2]
        name = one.name
        await made.call("stop_instance", instance_id=name)
        one.name, other.name = "precious", name
        assert (await made.call("stop_instance", instance_id=name))["message"] == CHANGED
        again = await made.call("stop_instance", instance_id=name)
        assert (again["outcome"], again["plan"]["target"]["id"]) == ("approval_required", other.id)


class Crossed(SqliteStore):
    """A state in which something happens once between a call's look at its request and what it does about it."""

    happens: Callable[[], Awaitable[object]] | None = None

    async def live_approval(self, binding: str) -> Any:
        found = await super().live_approval(binding)
        happens, self.happens = self.happens, None
        if happens is not None:
            await happens()
        return found


async def test_a_request_that_others_made_since_a_no_is_not_ended_by_who_still_knows_of_the_no_alone() -> None:
    clock = Clock()
    async with Crossed(":memory:", now=clock) as store, house(store=store, clock=clock) as made:
        arguments = made.good("stop_instance")
        asked = await made.call("stop_instance", **arguments)
        await made.approvals.deny(asked["approval"]["id"], by="ada")

        async def others() -> None:
            assert (await made.call("stop_instance", **arguments))["outcome"] == "refused"
            assert (await made.call("stop_instance", **arguments))["outcome"] == "approval_required"

        store.happens = others
        outcome = await made.call("stop_instance", **arguments)
        assert [waiting.id for waiting in await made.approvals.pending()] == [outcome["approval"]["id"]]
        assert [ended.id for ended in await made.approvals.recent()] == [asked["approval"]["id"]]


async def test_a_yes_out_of_band_counts_where_the_client_can_ask_and_nobody_is_asked_again() -> None:
    async with house() as made:
        arguments = made.good("reboot_instance")
        waiting = (await made.call("reboot_instance", **arguments))["approval"]["id"]
        await made.approvals.approve(waiting, by="ada")
        person = Person(says_no)
        async with house(app=made.app, store=made.store, clock=made.clock, person=person) as asking:
            assert (await asking.call("reboot_instance", **arguments))["outcome"] == "done"
        assert (person.questions, made.effects) == ([], ["reboot_instance"])
