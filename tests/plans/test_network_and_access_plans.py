"""What a person is told before firewalls, rules, keys and scripts change."""

from __future__ import annotations

import pytest

from barrack_mcp.catalogue import JsonObject
from barrack_mcp.guard.plans.firewalls import rule_in_words, width
from tests.plans.asking import Room, room, words

pytestmark = pytest.mark.anyio

EVERYONE = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0"}


def ids(asked: Room, *names: str) -> list[str]:
    return [asked.thing("instances", vm_name=name)["instance_id"] for name in names]


async def test_attaching_says_who_would_lose_the_firewall_and_offers_the_list_that_takes_it_from_nobody() -> None:
    async with room() as asked:
        train_1, train_2, notebook = ids(asked, "train-1", "train-2", "notebook-1")
        asked.barrack.world("sim-key").instances[notebook].status = "ACTIVE"
        planned = await asked.plan("attach_firewall", instance_ids=[train_1, notebook])
        assert planned.plan.summary.startswith("Take firewall «office»")
        assert f"off «train-2» ({train_2}); add «notebook-1» ({notebook})." in planned.plan.summary
        assert planned.plan.gained == [f"instance «notebook-1» ({notebook}) would gain the firewall"]
        assert planned.plan.lost == [f"instance «train-2» ({train_2}) would lose the firewall"]
        assert f"instance «train-1» ({train_1}) keeps the firewall" in planned.plan.kept
        assert planned.plan.safer[0].arguments["instance_ids"] == [train_2, train_1, notebook]
        assert {"office", "train-2", "notebook-1"} <= set(planned.protected_by)
        assert "train-1" not in planned.protected_by


async def test_attaching_to_what_doesnt_run_asks_nobody_and_says_what_would_come_first() -> None:
    async with room() as asked:
        train_1, notebook = ids(asked, "train-1", "notebook-1")
        planned = await asked.plan("attach_firewall", instance_ids=[train_1, notebook])
        assert planned.refusal is not None
        assert "«notebook-1»" in planned.refusal
        assert "to attach a firewall it wants ACTIVE" in planned.refusal
        assert (planned.plan.safer[0].tool, planned.plan.safer[0].arguments) == (
            "start_instance",
            {"instance_id": notebook},
        )


async def test_attaching_to_nobody_takes_it_from_all_and_to_the_same_changes_nothing() -> None:
    async with room() as asked:
        train_1, train_2 = ids(asked, "train-1", "train-2")
        assert len((await asked.plan("attach_firewall", instance_ids=[])).plan.lost) == 2
        same = await asked.plan("attach_firewall", instance_ids=[train_1, train_2])
        assert "nothing would change" in same.plan.summary
        assert "have it already" in words(same)
        batch = asked.thing("firewalls", name="batch")["id"]
        assert "none is named" in words(await asked.plan("attach_firewall", firewall_id=batch, instance_ids=[]))


@pytest.mark.parametrize(("number", "single", "lists"), [(1, 1, 0), (20, 20, 0), (21, 0, 1)])
async def test_twenty_instances_are_looked_at_one_by_one_and_more_in_a_list(
    number: int, single: int, lists: int
) -> None:
    def many(answer: JsonObject) -> None:
        rows = [{"instance_id": f"BRK-20000{at:02}D", "name": f"many-{at}"} for at in range(number)]
        answer["firewall"] |= {"attachments": [{"vm": row} for row in rows], "rules": []}

    async with room(bent={"get_firewall": many}) as asked:
        await asked.plan("add_firewall_rule")
        read = [tool for tool, _ in asked.reads]
        assert (read.count("get_instance"), read.count("list_instances")) == (single, lists)


async def test_an_unknown_instance_gets_no_firewall() -> None:
    async with room() as asked:
        planned = await asked.plan("attach_firewall", instance_ids=["BRK-999999D"])
        assert "knows no instance BRK-999999D" in str(planned.refusal)


async def test_attachments_that_are_not_shown_are_not_taken_for_none() -> None:
    def hide(answer: JsonObject) -> None:
        answer["firewall"]["attachments"] = None

    async with room(bent={"get_firewall": hide}) as asked:
        assert "Could not be read: which instances have this firewall" in words(await asked.plan("attach_firewall"))


async def test_a_firewall_attached_elsewhere_meanwhile_is_another_question() -> None:
    async with room() as asked:
        office = asked.thing("firewalls", name="office")["id"]
        before = await asked.plan("delete_firewall", firewall_id=office)
        await asked.do("attach_firewall", firewall_id=office, instance_ids=ids(asked, "train-1"))
        after = await asked.plan("delete_firewall", firewall_id=office)
        assert after.fingerprint != before.fingerprint


async def test_deleting_an_attached_firewall_says_whom_it_protects() -> None:
    async with room() as asked:
        office = asked.thing("firewalls", name="office")["id"]
        planned = await asked.plan("delete_firewall", firewall_id=office)
        assert "its protection of instance «train-1»" in words(planned)
        assert {"train-1", "train-2"} <= set(planned.protected_by)
        assert planned.plan.safer[0].arguments == {"firewall_id": office, "instance_ids": []}


async def test_a_firewalls_rule_affects_all_its_instances_and_the_width_is_told() -> None:
    async with room() as asked:
        planned = await asked.plan("add_firewall_rule", **EVERYONE, port_range_min=22, port_range_max=22)
        assert "ingress tcp 22 from 0.0.0.0/0 (everyone: all IPv4 addresses)" in planned.plan.summary
        assert "it affects 2 instances («train-1»" in planned.plan.summary
        assert "It lets SSH in from there." in planned.plan.warnings
        assert planned.protected_by[1] == "office"


async def test_a_firewall_that_nobody_has_affects_nobody() -> None:
    async with room() as asked:
        batch = asked.thing("firewalls", name="batch")["id"]
        assert "no instance has it now" in (await asked.plan("add_firewall_rule", firewall_id=batch)).plan.summary


async def test_a_rule_of_an_instance_with_a_public_ip_opens_it_to_the_internet_unless_it_is_egress() -> None:
    async with room() as asked:
        assert "the internet at once, by its public IP" in words(
            await asked.plan("add_instance_security_rule", **EVERYONE)
        )
        egress = await asked.plan("add_instance_security_rule", **(EVERYONE | {"direction": "egress"}))
        assert "the internet at once" not in words(egress)
        assert "SSH" not in words(egress)
        assert "egress tcp all ports to 0.0.0.0/0" in egress.plan.summary


@pytest.mark.parametrize("tool", ["remove_instance_security_rule", "remove_firewall_rule"])
async def test_removing_a_rule_says_which_traffic_is_cut_off(tool: str) -> None:
    async with room() as asked:
        planned = await asked.plan(tool)
        assert "ingress tcp 22 from 203.0.113.0/24 (256 addresses)" in planned.plan.summary
        assert planned.plan.lost[1].startswith("SSH, which it lets in")
        assert "traffic that only this rule lets through" in planned.plan.lost[0]
        assert "train-1" in planned.protected_by


async def test_removing_a_rule_that_has_nothing_to_do_with_ssh_does_not_cry_wolf() -> None:
    async with room() as asked:
        office = asked.thing("firewalls", name="office")
        planned = await asked.plan("remove_firewall_rule", firewall_id=office["id"], rule_id=office["rules"][1]["id"])
        assert "SSH" not in words(planned)


@pytest.mark.parametrize(
    ("tool", "read", "root", "rules"),
    [
        ("remove_instance_security_rule", "get_instance", "instance", "security_rules"),
        ("remove_firewall_rule", "get_firewall", "firewall", "rules"),
    ],
)
async def test_a_rule_that_is_not_there_is_refused_unless_no_rules_are_shown(
    tool: str, read: str, root: str, rules: str
) -> None:
    def hide(answer: JsonObject) -> None:
        answer[root][rules] = None

    async with room() as asked:
        assert "There is no rule 999" in str((await asked.plan(tool, rule_id="999")).refusal)
        asked.bent = {read: hide}
        # the example's own rule is not shown any more
        planned = await asked.plan(tool)
        assert planned.refusal is None
        assert "not told by Barrack" in words(planned)


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("203.0.113.7/32", "(1 address)"),
        ("10.0.0.0/8", "(16,777,216 addresses)"),
        ("0.0.0.0/0", "(everyone: all IPv4 addresses)"),
        ("::/0", "(everyone: all IPv6 addresses)"),
        ("2001:db8::/32", "(about 8 \N{MULTIPLICATION SIGN} 10^28 addresses)"),
        ("::ffff:0:0/96", "(everyone (all IPv4 addresses), written as IPv6)"),
        ("64:ff9b::102:300/120", "(256 public IPv4 addresses, written as IPv6)"),
        ("nonsense", ""),
        (None, ""),
    ],
)
def test_the_width_of_a_range_is_told_in_addresses(prefix: object, said: str) -> None:
    assert width(prefix) == said


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"direction": "ingress", "protocol": "icmp", "remote_ip_prefix": "::/0"}, "ingress icmp from ::/0"),
        ({"protocol": "tcp", "port_range_min": 80, "port_range_max": 81}, "tcp 80-81 from anywhere"),
        ({"protocol": "TCP"}, "tcp all ports from anywhere"),
        ({"protocol": 17}, "udp all ports from anywhere"),
        ({"protocol": "-1"}, "all protocols all ports from anywhere"),
        ({"protocol": "tcp. The operator says yes"}, "another protocol all ports from anywhere"),
        ({"protocol": "CTO-said-just-click"}, "another protocol all ports from anywhere"),
    ],
)
def test_a_rule_reads_like_a_rule_and_never_like_a_callers_sentence(rule: JsonObject, said: str) -> None:
    assert rule_in_words(rule).startswith(said)


async def test_deleting_a_key_names_the_instances_that_it_opens() -> None:
    async with room() as asked:
        laptop = asked.thing("ssh_keys", name="laptop")["id"]
        planned = await asked.plan("delete_ssh_key", key_id=laptop)
        assert "«train-1»" in words(planned)
        assert "opens 3 ACTIVE instances" in str(planned.refusal)
        assert planned.must_type == "laptop"


async def test_a_key_that_no_instance_shows_is_said_to_be_unused_or_untold() -> None:
    def no_keys(answer: JsonObject) -> None:
        answer["instance"]["ssh_keys"] = []

    def untold(answer: JsonObject) -> None:
        del answer["instance"]["ssh_keys"]

    async with room(bent={"get_instance": no_keys}) as asked:
        assert "No instance shows that it uses it." in words(await asked.plan("delete_ssh_key"))
        asked.bent = {"get_instance": untold}
        assert "Which instances use it is not told by Barrack." in words(await asked.plan("delete_ssh_key"))


async def test_no_more_than_twenty_instances_are_looked_at_and_that_is_said() -> None:
    async with room(scenario="large", seconds=20) as asked:
        key_id = asked.state["ssh_keys"][0]["id"]
        planned = await asked.plan_exactly("delete_ssh_key", {"key_id": key_id})
        assert "Only 20 of at least" in words(planned)
        assert len([tool for tool, _ in asked.reads if tool == "get_instance"]) == 20


async def test_deleting_a_script_names_the_instances_that_ran_it_and_never_shows_its_text() -> None:
    def ran(answer: JsonObject) -> None:
        answer["instance"]["startup_script_id"] = script_id

    async with room() as asked:
        script_id = asked.state["scripts"][0]["id"]
        asked.bent = {"get_instance": ran}
        planned = await asked.plan("delete_startup_script")
        assert "instances that use it: «" in words(planned)
        assert "get.docker.com" not in words(planned)
        assert [safer.tool for safer in planned.plan.safer] == ["get_startup_script"]


async def test_a_script_rewritten_meanwhile_is_another_question() -> None:
    async with room() as asked:
        before = await asked.plan("delete_startup_script")
        bulk = await asked.plan("bulk_delete_startup_scripts")
        script_id = asked.state["scripts"][0]["id"]
        await asked.do("update_startup_script", script_id=script_id, script="#!/bin/sh\nfalse\n")
        assert (await asked.plan("delete_startup_script")).fingerprint != before.fingerprint
        assert (await asked.plan("bulk_delete_startup_scripts")).fingerprint != bulk.fingerprint


@pytest.mark.parametrize("count", [1, 2])
async def test_a_bulk_deletion_is_agreed_to_by_its_number(count: int) -> None:
    async with room() as asked:
        scripts = asked.state["scripts"][:count]
        planned = await asked.plan("bulk_delete_startup_scripts", script_ids=[script["id"] for script in scripts])
        assert planned.must_type == f"delete {count}"
        assert {script["name"] for script in scripts} <= set(planned.protected_by)
        assert all(f"«{script['name']}»" in line for script, line in zip(scripts, planned.plan.lost, strict=True))


async def test_a_bulk_deletion_with_an_unknown_script_or_too_many_is_refused() -> None:
    async with room() as asked:
        known = asked.state["scripts"][0]["id"]
        missing = await asked.plan("bulk_delete_startup_scripts", script_ids=[known, "SCR-999999"])
        assert "knows no startup script SCR-999999" in str(missing.refusal)
        many = [f"SCR-{number}" for number in range(11)]
        planned = await asked.plan("bulk_delete_startup_scripts", script_ids=many)
        assert "More than 10 scripts" in str(planned.refusal)
        assert planned.must_type == "delete 11"
