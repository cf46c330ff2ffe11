"""What a change says when it is done: what to wait for and how long, what it costs now, what is still missing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from barrack_mcp.account.rates import CHANGING_COST
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.dispatch.answers.next_steps import tell_next
from tests.support.house import house

pytestmark = pytest.mark.anyio

LASTING = [
    "deploy_instance", "start_instance", "stop_instance", "reboot_instance", "hibernate_instance", "restore_instance",
    "toggle_instance_public_ip", "create_volume", "attach_volumes", "detach_volumes", "clone_volume", "resize_volume",
    "create_snapshot", "restore_snapshot", "create_custom_image", "create_firewall", "attach_firewall",
]  # fmt: skip
"""What the API goes on with after its answer."""
SSH: JsonObject = {
    "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "203.0.113.7/32",
    "port_range_min": 22, "port_range_max": 22,
}  # fmt: skip


@pytest.mark.promise("A6")
@pytest.mark.parametrize("tool", LASTING)
def test_what_takes_time_says_what_to_wait_for_and_how_long_that_usually_is(tool: str) -> None:
    told = tell_next(BY_TOOL[tool], {})
    named = re.findall(r"\b(?:get|list)_[a-z_]+", told)
    assert "Next: " in told
    assert named
    assert set(named) <= BY_TOOL.keys()
    assert re.search(r"minute", told)


@pytest.mark.promise("A6")
@pytest.mark.parametrize("tool", [tool for tool in LASTING if BY_TOOL[tool].settles])
def test_the_tool_that_waits_is_named_where_it_is_on_offer_and_nothing_where_it_is_waited_for(tool: str) -> None:
    settles = BY_TOOL[tool].settles
    assert settles is not None
    told = tell_next(BY_TOOL[tool], {}, offered={"wait_for_status"})
    assert told.startswith(f"Next: wait_for_status until {settles.subject} {settles.state}, usually ")
    assert "Next: " not in tell_next(BY_TOOL[tool], {}, waits=True)


@pytest.mark.promise("A6")
@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"public_ip": True, "security_rules": [SSH]}, []),
        ({"public_ip": True, "security_rules": [{**SSH, "protocol": "ANY", "port_range_min": None}]}, []),
        ({"public_ip": True}, ["nobody can log in"]),
        ({"public_ip": True, "security_rules": [{**SSH, "protocol": "udp"}]}, ["nobody can log in"]),
        ({"public_ip": True, "security_rules": [{**SSH, "direction": "egress"}]}, ["nobody can log in"]),
        ({"public_ip": True, "security_rules": [{**SSH, "port_range_min": 80, "port_range_max": 90}]}, ["nobody can"]),
        ({"public_ip": False, "security_rules": [SSH]}, ["no public IP"]),
        ({"security_rules": [SSH]}, ["No public_ip was asked for"]),
    ],
)
def test_that_nobody_can_log_in_yet_is_said_only_when_it_is_so(given: JsonObject, missing: list[str]) -> None:
    told = tell_next(BY_TOOL["deploy_instance"], given)
    hints = ("nobody can", "no public IP", "No public_ip was asked for")
    assert [hint for hint in hints if hint in told] == [hint for hint in hints if any(hint in each for each in missing)]


@pytest.mark.promise("A6")
async def test_whatever_changes_the_bill_says_the_new_rate_in_figures() -> None:
    async with house(unattended=["spend", "interrupt", "expose", "destroy"]) as made:
        for tool in sorted(CHANGING_COST):
            made.barrack.reset()
            outcome: dict[str, Any] = await made.call(tool, **made.good(tool))
            assert outcome["outcome"] == "done", (tool, outcome)
            if tool == "create_snapshot" and "hourly_rate" not in outcome["billing"]:
                continue  # its size, and so its price, is known when it is there
            assert outcome["billing"]["currency"] == "USD", tool
            assert re.search(r"\d USD an hour", outcome["message"]), (tool, outcome["message"])
            ended = tool.startswith("delete_")
            assert (outcome["billing"]["hourly_rate"] == 0) == ended, tool
