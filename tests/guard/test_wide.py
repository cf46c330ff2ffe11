"""Whatever opens a machine widely needs a yes that said so: effects are counted, and what machines let in then."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult

from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.guard.decide import Mode
from barrack_mcp.simulator import create_app
from tests.support.house import ERAS, House, Person, house, says_yes

pytestmark = pytest.mark.anyio

WAYS = (*ERAS, "out of band")
AGENT = ("spend", "interrupt")
"""What README lets an agent do by itself."""
EVERYONE = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0"}


def says_no_to_what_opens_widely(question: str) -> ElicitResult:
    wide = "public IPv4 addresses on" in question or "everyone (all IPv4 addresses) on" in question
    return ElicitResult(action="decline") if wide else says_yes(question)


def declines(_: str) -> ElicitResult:
    return ElicitResult(action="decline")


def opened_house(way: str, answer: Any = says_no_to_what_opens_widely, **policy: Any) -> Any:
    person = None if way == "out of band" else Person(answer)
    return house(era="auto" if person is None else way, person=person, **policy)


def rule(prefix: str, *, port: int = 8000, protocol: str = "tcp") -> JsonObject:
    return EVERYONE | {
        "remote_ip_prefix": prefix,
        "protocol": protocol,
        "port_range_min": port,
        "port_range_max": port,
    }


def widest(made: House) -> int:
    """The most public IPv4 addresses that any port of any machine lets in, counted by the test itself."""
    state = made.state
    most = 0
    for instance in state["instances"]:
        rules = list(instance["security_rules"])
        for firewall in state["firewalls"]:
            if any(each["vm"]["instance_id"] == instance["instance_id"] for each in firewall["attachments"]):
                rules += firewall["rules"]
        for port in {each["port_range_min"] for each in rules}:
            nets = [ipaddress.IPv4Network(each["remote_ip_prefix"]) for each in rules if each["port_range_min"] == port]
            most = max(most, sum(net.num_addresses for net in ipaddress.collapse_addresses(nets)))
    return most


def slices(count: int) -> Iterator[str]:
    """Many narrow ranges: a /18 each, side by side and apart."""
    for at in range(count):
        yield f"8.{at // 4}.{at % 4 * 64}.0/18" if at % 2 else f"{20 + at}.0.0.0/18"


Attack = Callable[[House], Awaitable[None]]


async def by_rules_of_an_instance(made: House) -> None:
    target = made.thing("instances", vm_name="train-1")["instance_id"]
    for prefix in slices(12):
        await made.call("add_instance_security_rule", instance_id=target, **rule(prefix))


async def by_rules_of_a_firewall(made: House) -> None:
    office = made.thing("firewalls", name="office")["id"]
    for prefix in slices(12):
        await made.call("add_firewall_rule", firewall_id=office, **rule(prefix))


async def by_both_in_turn(made: House) -> None:
    office, target = made.thing("firewalls", name="office")["id"], made.thing("instances", vm_name="train-2")
    for at, prefix in enumerate(slices(12)):
        if at % 2:
            await made.call("add_firewall_rule", firewall_id=office, **rule(prefix))
        else:
            await made.call("add_instance_security_rule", instance_id=target["instance_id"], **rule(prefix))


async def by_attaching_many_firewalls(made: House) -> None:
    target = made.thing("instances", vm_name="train-1")["instance_id"]
    for at, prefix in enumerate(slices(8)):
        answer = await made.call("create_firewall", name=f"fence-{at}", region="CANADA-1")
        firewall_id = answer["result"]["firewall"]["id"]
        made.barrack.clock.advance(60)
        await made.call("add_firewall_rule", firewall_id=firewall_id, **rule(prefix))
        await made.call("attach_firewall", firewall_id=firewall_id, instance_ids=[target])


async def by_filling_what_is_attached(made: House) -> None:
    target = made.thing("instances", vm_name="train-1")["instance_id"]
    fences = []
    for at in range(4):
        answer = await made.call("create_firewall", name=f"fence-{at}", region="CANADA-1")
        fences.append(answer["result"]["firewall"]["id"])
        made.barrack.clock.advance(60)
        await made.call("attach_firewall", firewall_id=fences[-1], instance_ids=[target])
    for at, prefix in enumerate(slices(12)):
        await made.call("add_firewall_rule", firewall_id=fences[at % 4], **rule(prefix))


async def by_many_at_once(made: House) -> None:
    office, target = made.thing("firewalls", name="office")["id"], made.thing("instances", vm_name="train-1")

    async def one(at: int, prefix: str) -> None:
        if at % 2:
            await made.call("add_firewall_rule", firewall_id=office, **rule(prefix))
        else:
            await made.call("add_instance_security_rule", instance_id=target["instance_id"], **rule(prefix))

    async with anyio.create_task_group() as tasks:
        for at, prefix in enumerate(slices(12)):
            tasks.start_soon(one, at, prefix)


async def by_deploying(made: House) -> None:
    good = made.good("deploy_instance")
    for count in (4, 5, 6):
        await made.call(
            "deploy_instance", **good | {"name": f"fresh-{count}", "security_rules": [*map(rule, slices(count))]}
        )
    await made.call("deploy_instance", **good | {"name": "fresh-8", "security_rules": [EVERYONE]})


ATTACKS = (
    by_rules_of_an_instance,
    by_rules_of_a_firewall,
    by_both_in_turn,
    by_attaching_many_firewalls,
    by_filling_what_is_attached,
    by_many_at_once,
    by_deploying,
)


@pytest.mark.promise("G17")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("attack", ATTACKS)
async def test_many_narrow_rules_never_add_up_to_a_wide_one_unasked(attack: Attack, way: str) -> None:
    async with opened_house(way, unattended=AGENT) as made:
        await attack(made)
        assert widest(made) == 1 << 16
        asked = await made.approvals.pending()
        assert way != "out of band" or asked


def wide_rules() -> Iterator[JsonObject]:
    yield from (
        EVERYONE | {"protocol": protocol} for protocol in ("tcp", "TCP", "6", "any", "all", "-1", "0", "made-up")
    )
    yield from (rule("8.0.0.0/23", port=port) for port in (22, 3389, 5900, 6443, 8888))
    yield EVERYONE | {"protocol": "icmp"}
    yield rule("8.0.0.0/15")
    yield EVERYONE | {"remote_ip_prefix": "8.0.0.0/23"}
    yield EVERYONE | {"remote_ip_prefix": "8.0.0.0/23", "port_range_min": 1, "port_range_max": 65_535}
    for prefix in ("::/0", "2001::/16", "2400::/16", "2a00::/16", "::ffff:0:0/96", "64:ff9b::/96", "2002::/16"):
        yield rule(prefix) | {"ethertype": "IPv6"}


@pytest.mark.promise("G17")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tool", ["add_instance_security_rule", "add_firewall_rule"])
async def test_a_wide_rule_asks_however_it_is_spelled(tool: str, way: str) -> None:
    async with opened_house(way, declines, unattended=AGENT) as made:
        for each in wide_rules():
            outcome = await made.call(tool, **made.good(tool) | {"port_range_min": None, "port_range_max": None} | each)
            assert outcome["outcome"] == ("approval_required" if way == "out of band" else "refused"), each
        assert made.effects == []


@pytest.mark.promise("G17")
async def test_a_narrow_rule_and_one_that_adds_nothing_need_no_yes() -> None:
    person = Person(declines)
    async with house(person=person) as made:
        narrow = made.good("add_instance_security_rule") | rule("8.0.0.0/16")
        assert (await made.call("add_instance_security_rule", **narrow))["outcome"] == "done"
        private = narrow | {"remote_ip_prefix": "10.0.0.0/8", "port_range_min": 22, "port_range_max": 22}
        assert (await made.call("add_instance_security_rule", **private))["outcome"] == "done"
        egress = narrow | {"remote_ip_prefix": "0.0.0.0/0", "direction": "egress"}
        assert (await made.call("add_instance_security_rule", **egress))["outcome"] == "done"
        await made.api.send(BY_TOOL["add_instance_security_rule"], narrow | {"remote_ip_prefix": "0.0.0.0/0"})
        inside = narrow | {"remote_ip_prefix": "9.0.0.0/8"}
        assert (await made.call("add_instance_security_rule", **inside))["outcome"] == "done"
        assert person.questions == []
        assert len(made.effects) == 5


async def a_wide_firewall(made: House) -> str:
    """Somebody opens a firewall that no machine has, elsewhere."""
    answer: Any = await made.api.send(BY_TOOL["create_firewall"], {"name": "door", "region": "CANADA-1"})
    firewall_id = str(answer["firewall"]["id"])
    made.barrack.clock.advance(60)
    await made.api.send(
        BY_TOOL["add_firewall_rule"],
        {"firewall_id": firewall_id, **EVERYONE, "port_range_min": 1, "port_range_max": 65_535},
    )
    return firewall_id


def open_elsewhere(made: House, instance_id: str) -> None:
    """Somebody opened a machine, in whatever state it is."""
    made.barrack.world("sim-key").instances[instance_id].rules.append({"id": "RULE-1", **EVERYONE, "status": "SUCCESS"})


async def attaching(made: House) -> tuple[str, JsonObject]:
    target = made.thing("instances", vm_name="train-1")["instance_id"]
    return "attach_firewall", {"firewall_id": await a_wide_firewall(made), "instance_ids": [target]}


async def deploying(made: House) -> tuple[str, JsonObject]:
    return "deploy_instance", made.good("deploy_instance") | {"security_rules": [EVERYONE]}


async def restoring(made: House) -> tuple[str, JsonObject]:
    target = made.thing("instances", status="HIBERNATED")["instance_id"]
    open_elsewhere(made, target)
    return "restore_instance", {"instance_id": target}


async def restoring_a_snapshot(made: House) -> tuple[str, JsonObject]:
    snapshot = made.state["snapshots"][0]
    open_elsewhere(made, snapshot["instance_id"])
    return "restore_snapshot", {"snapshot_id": snapshot["snapshot_id"], "name": "again"}


async def giving_an_address(made: House) -> tuple[str, JsonObject]:
    target = made.thing("instances", vm_name="train-1")["instance_id"]
    await made.api.send(BY_TOOL["toggle_instance_public_ip"], {"instance_id": target})
    open_elsewhere(made, target)
    return "toggle_instance_public_ip", {"instance_id": target}


OPENERS = (attaching, deploying, restoring, restoring_a_snapshot, giving_an_address)


@pytest.mark.promise("G17")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("opener", OPENERS)
async def test_what_also_opens_a_machine_widely_needs_both_risks_unattended(opener: Any, way: str) -> None:
    async with opened_house(way, declines, unattended=AGENT) as made:
        tool, arguments = await opener(made)
        before = made.effects
        outcome = await made.call(tool, **arguments)
        assert outcome["outcome"] == ("approval_required" if way == "out of band" else "refused"), outcome
        assert made.effects == before
    async with opened_house(way, declines, unattended=(*AGENT, "expose")) as made:
        tool, arguments = await opener(made)
        outcome = await made.call(tool, **arguments)
        assert outcome["outcome"] == "done", outcome
        assert made.effects[-1] == tool


@pytest.mark.promise("G17")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("opener", OPENERS)
async def test_the_question_says_first_whom_it_opens_to_and_its_yes_has_one_effect(opener: Any, way: str) -> None:
    questions: list[str] = []

    def agrees(question: str) -> ElicitResult:
        questions.append(question)
        return says_yes(question)

    async with opened_house(way, agrees, unattended=AGENT) as made:
        tool, arguments = await opener(made)
        count = len(made.effects)
        outcome = await made.call(tool, **arguments)
        if way == "out of band":
            await made.approvals.approve(outcome["approval"]["id"], by="a test", typed=None)
            outcome = await made.call(tool, **arguments)
        else:
            assert questions[0].splitlines()[1].startswith("Opens to: everyone (all IPv4 addresses) on tcp")
        assert outcome["outcome"] == "done", outcome
        assert made.effects[count:] == [tool]


@pytest.mark.promise("G17")
@pytest.mark.parametrize("tool", ["stop_instance", "hibernate_instance"])
async def test_what_opens_nothing_asks_nobody_where_its_risk_runs_unattended(tool: str) -> None:
    async with house(unattended=AGENT) as made:
        assert (await made.call(tool, **made.good(tool)))["outcome"] == "done"


@pytest.mark.promise("G17")
async def test_restores_attachments_and_addresses_that_open_little_run_unattended() -> None:
    async with house(unattended=AGENT) as made:
        for tool in ("restore_instance", "restore_snapshot", "attach_firewall", "toggle_instance_public_ip"):
            assert (await made.call(tool, **made.good(tool)))["outcome"] == "done", tool


@pytest.mark.promise("G17")
@pytest.mark.parametrize(
    ("tool", "unread"),
    [
        ("add_instance_security_rule", "/instances/{instance}/firewalls/"),
        ("add_firewall_rule", "/firewalls/"),
        ("add_firewall_rule", "/instances/{instance}/"),
        ("attach_firewall", "/firewalls/"),
        ("restore_instance", "/instances/{hibernated}/firewalls/"),
        ("toggle_instance_public_ip", "/instances/{instance}/firewalls/"),
    ],
)
async def test_rules_that_cannot_be_read_count_as_wide(tool: str, unread: str) -> None:
    async with house(unattended=AGENT) as made:
        arguments = made.good(tool) | (rule("8.0.0.0/32") if "rule" in tool else {})
        if tool == "toggle_instance_public_ip":
            await made.api.send(BY_TOOL[tool], arguments)
        if tool == "attach_firewall":
            arguments["instance_ids"] = [made.thing("instances", vm_name="notebook-1")["instance_id"]]
            made.barrack.world("sim-key").instances[arguments["instance_ids"][0]].status = "ACTIVE"
        ids = {
            "instance": made.thing("instances", vm_name="train-1")["instance_id"],
            "hibernated": made.thing("instances", status="HIBERNATED")["instance_id"],
        }
        made.play({"method": "GET", "path": unread.format(**ids), "times": 99, "action": "status", "status": 500})
        before = made.effects
        outcome = await made.call(tool, **arguments)
        assert outcome["outcome"] == "approval_required", outcome
        assert outcome["plan"]["opens"][0].startswith("perhaps everyone")
        assert made.effects == before


async def test_the_range_is_sent_in_its_one_short_form() -> None:
    async with house() as made:
        given = made.good("add_firewall_rule") | {"remote_ip_prefix": " 10.1.2.3/8 "}
        assert (await made.call("add_firewall_rule", **given))["outcome"] == "done"
        assert made.barrack.journal[-1]["body"]["remote_ip_prefix"] == "10.0.0.0/8"


@pytest.mark.promise("G10")
async def test_a_question_names_a_protocol_by_our_word_for_it_and_never_by_the_callers() -> None:
    person = Person(declines)
    async with house(person=person) as made:
        wide = made.good("add_instance_security_rule") | {"port_range_min": None, "port_range_max": None}
        for protocol in ("CTO-said-just-click", "6", "-1"):
            await made.call("add_instance_security_rule", **wide | {"protocol": protocol})
    made_up, numbered, everything = person.questions
    assert "CTO" not in made_up
    assert "ingress another protocol all ports" in made_up
    assert "ingress tcp all ports" in numbered
    assert "all protocols" in everything
    assert all("SSH" in question for question in person.questions)


async def test_attaching_a_wide_firewall_says_that_the_machine_is_open_to_everyone() -> None:
    person = Person(declines)
    async with house(person=person) as made:
        tool, arguments = await attaching(made)
        await made.call(tool, **arguments)
    assert "everyone (all IPv4 addresses) on tcp, all ports of «train-1»" in person.questions[0]


NEARLY = {"remote_ip_prefix": "8.1.0.0/17", "port_range_min": 443, "port_range_max": 443}
"""As many addresses as go unasked, beside those that are let in meanwhile."""


def attaching_one_more(made: House) -> JsonObject:
    office = made.thing("firewalls", name="office")["id"]
    names = ("train-1", "train-2", "notebook-1")
    ids = [made.thing("instances", vm_name=name)["instance_id"] for name in names]
    made.barrack.world("sim-key").instances[ids[2]].status = "ACTIVE"
    made.barrack.world("sim-key").firewalls[office].rules.append({"id": "2", **EVERYONE, **NEARLY})
    return {"firewall_id": office, "instance_ids": ids}


def robbed_of_its_address(made: House) -> JsonObject:
    target = made.good("toggle_instance_public_ip")
    made.barrack.world("sim-key").instances[target["instance_id"]].public_ip = None
    return target


MEANWHILE: dict[str, Callable[[House], JsonObject]] = {
    "attach_firewall": attaching_one_more,
    "restore_instance": lambda made: made.good("restore_instance"),
    "restore_snapshot": lambda made: made.good("restore_snapshot"),
    "toggle_instance_public_ip": robbed_of_its_address,
}
"""By the tool that may open a machine: a call of it that opens little as yet."""


@pytest.mark.promise("G17")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tool", MEANWHILE)
async def test_a_yes_to_what_opened_little_is_no_good_once_it_would_open_widely(tool: str, way: str) -> None:
    async def widen(made: House) -> None:
        """Meanwhile another firewall of all machines lets many in, which each of them needs no yes for."""
        world = made.barrack.world("sim-key")
        batch = world.firewalls[made.thing("firewalls", name="batch")["id"]]
        batch.attachments = dict.fromkeys(world.instances, "SUCCESS")
        batch.rules.append({"id": "1", **rule("8.0.0.0/16", port=443)})
        if tool != "attach_firewall":
            batch.rules.append({"id": "3", **EVERYONE, **NEARLY})
        if tool == "restore_snapshot":
            world.instances[made.state["snapshots"][0]["instance_id"]].rules.append({"id": "4", **EVERYONE})

    async def agrees(question: str) -> ElicitResult:
        assert "public IPv4 addresses on" not in question
        await widen(made)
        return says_yes(question)

    async with opened_house(way, agrees) as made:
        arguments = MEANWHILE[tool](made)
        outcome = await made.call(tool, **arguments)
        if way == "out of band":
            assert outcome["outcome"] == "approval_required", outcome
            await widen(made)
            waiting = await made.approvals.find(outcome["approval"]["id"])
            await made.approvals.approve(waiting.id, by="a test", typed=waiting.must_type)
            outcome = await made.call(tool, **arguments)
        assert outcome["outcome"] == "refused", outcome
        assert "It changed since you were asked" in outcome["message"]
        assert made.effects == []


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.ELICIT])
async def test_where_nobody_may_be_asked_a_narrow_rule_passes_and_a_wide_one_is_refused(mode: Mode) -> None:
    async with house(mode=mode) as made:
        good = made.good("add_firewall_rule")
        outcome = await made.call("add_firewall_rule", **good)
        assert outcome["outcome"] == "refused"
        assert "opens a machine to much of the internet" in outcome["message"]
        assert (await made.call("add_firewall_rule", **good | rule("8.0.0.0/16")))["outcome"] == "done"
        assert made.effects == ["add_firewall_rule"]


async def test_every_instance_that_gains_a_firewall_is_looked_at_however_many_there_are() -> None:
    async with house(app=create_app(now=lambda: 0.0, scenario="large")) as made:
        running = [each for each in made.state["instances"] if each["status"] == "ACTIVE"]
        region = running[0]["region"]
        answer: Any = await made.api.send(BY_TOOL["create_firewall"], {"name": "fence", "region": region})
        fence = answer["firewall"]
        ids = [each["instance_id"] for each in running if each["region"] == region][:30]
        made.barrack.requests.clear()
        await made.call("attach_firewall", firewall_id=fence["id"], instance_ids=ids)
        looked_at = {each["path"] for each in made.barrack.requests if each["path"].startswith("/instances/BRK-")}
        assert looked_at == {f"/instances/{each}/" for each in ids}
        assert len(ids) == 30
