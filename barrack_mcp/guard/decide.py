"""Decide: a pure function of the risk, the arguments and what the operator allows."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, Final

from barrack_mcp.catalogue import Risk

_NEVER_ASK: Final = frozenset({Risk.READ, Risk.CHANGE})
_WIDE: Final = {4: 8, 6: 16}
"""A network is wide when it holds more addresses than one with this prefix."""


class Decision(StrEnum):
    """Whether a call may go on."""

    ALLOW = "allow"
    ASK = "ask"


def decide(risk: Risk, arguments: Mapping[str, Any], *, unattended: Collection[str]) -> Decision:
    """Decide whether a call may go on by itself or needs a person's yes.

    Args:
        risk: The operation's risk.
        arguments: Its validated arguments.
        unattended: Risks that the operator lets run without asking.
    """
    if risk in _NEVER_ASK or risk in unattended:
        return Decision.ALLOW
    if risk is Risk.EXPOSE and not exposes_widely(arguments):
        return Decision.ALLOW
    return Decision.ASK


def exposes_widely(arguments: Mapping[str, Any]) -> bool:
    """Whether a rule lets in more than a /8 (IPv6: a /16) of addresses, whatever the ports."""
    if arguments.get("direction") != "ingress":
        return False
    network = ipaddress.ip_network(arguments["remote_ip_prefix"], strict=False)
    return network.prefixlen < _WIDE[network.version]
