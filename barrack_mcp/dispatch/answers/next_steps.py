"""What to do once a change is done: what to wait for and how long that takes, and what is still missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.rules import ALL_PROTOCOLS, PROTOCOL_NUMBERS, number_protocol
from barrack_mcp.catalogue.signs import Settles

_SSH: Final = 22


WAIT: Final = "wait_for_status"


def tell_next(
    operation: Operation, values: Mapping[str, Any], *, offered: Collection[str] = (), waits: bool = False
) -> str:
    """Say what to do next; empty if there is nothing.

    Args:
        operation: What was done.
        values: Its arguments.
        offered: The tools on offer.
        waits: Whether it is waited for here, so that nobody else need wait.
    """
    missing = _to_log_in(values) if operation.tool == "deploy_instance" else ""
    settles = operation.settles
    waiting = _to_wait(settles, offered) if settles is not None and not waits else ""
    return " ".join(part for part in (waiting, operation.after, missing) if part)


def _to_wait(settles: Settles, offered: Collection[str]) -> str:
    """Say what to wait for, with which tool, and how long that usually takes."""
    tool = WAIT if WAIT in offered else settles.kind.get_tool
    return f"Next: {tool} until {settles.subject} {settles.state}, usually {settles.usually.in_words}."


def _to_log_in(values: Mapping[str, Any]) -> str:
    """Say what a new machine lacks so that somebody can log in; empty if it was given all."""
    told = []
    if values.get("public_ip") is False:
        told.append("It has no public IP: toggle_instance_public_ip with want=on gives it one.")
    elif values.get("public_ip") is None:
        told.append("No public_ip was asked for: get_instance shows whether it has one.")
    if not _lets_ssh_in(values.get("security_rules") or ()):
        told.append(
            "No rule of its own lets port 22 in, and what no rule lets in is closed: nobody can log in until "
            "add_instance_security_rule or attach_firewall opens it, which takes up to 10 minutes."
        )
    return " ".join(told)


def _lets_ssh_in(rules: Iterable[JsonObject]) -> bool:
    return any(
        rule.get("direction") == "ingress"
        and number_protocol(rule.get("protocol")) in (ALL_PROTOCOLS, PROTOCOL_NUMBERS["tcp"])
        and (rule.get("port_range_min") or 1) <= _SSH <= (rule.get("port_range_max") or 65_535)
        for rule in rules
    )
