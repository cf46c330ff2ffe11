"""The rules of firewalls and instances: what traffic may pass. One set of arguments serves all three places."""

from __future__ import annotations

import ipaddress
from typing import Final, Self

from pydantic import model_validator

from barrack_mcp.catalogue.models import Request, Response, answered, optional, required
from barrack_mcp.catalogue.values import Cidr, DirectionEnum, EthertypeEnum, Port, ProtocolEnum, Text, Whole

PORTLESS_PROTOCOLS: Final = frozenset({"icmp", "icmpv6", "ipv6-icmp"})
IP_VERSIONS: Final = {"IPv4": 4, "IPv6": 6}


class SecurityRule(Request):
    """What traffic is let through; nothing else is."""

    direction: DirectionEnum = required("ingress: into the instance.")
    ethertype: EthertypeEnum = required("That of remote_ip_prefix.")
    protocol: ProtocolEnum = required("tcp, udp, icmp or others.")
    remote_ip_prefix: Cidr = required("CIDR; 0.0.0.0/0 is everyone.")
    port_range_min: Port | None = optional("First port; none for icmp.")
    port_range_max: Port | None = optional("Last port.")

    @model_validator(mode="after")
    def _range_is_of_the_ethertype(self) -> Self:
        if ipaddress.ip_network(self.remote_ip_prefix, strict=False).version != IP_VERSIONS[self.ethertype]:
            raise ValueError(f"remote_ip_prefix: must be an {self.ethertype} range, as ethertype says")
        return self

    @model_validator(mode="after")
    def _ports_make_a_range(self) -> Self:
        low, high = self.port_range_min, self.port_range_max
        if self.protocol.casefold() in PORTLESS_PROTOCOLS and (low or high):
            raise ValueError(f"port_range_{'min' if low else 'max'}: must be left out, since ICMP has no ports")
        if low is None and high is not None:
            raise ValueError("port_range_min: must come with port_range_max")
        if low is not None and high is None:
            raise ValueError("port_range_max: must come with port_range_min")
        if low is not None and high is not None and high < low:
            raise ValueError("port_range_max: must not be below port_range_min")
        return self


class Rule(Response):
    """A rule as the API shows it."""

    id: Text = answered("Rule id.", "rule_id")
    direction: Text = answered("ingress or egress.")
    ethertype: Text = answered("IPv4 or IPv6.", "ether_type")
    protocol: Text = answered("Protocol.")
    remote_ip_prefix: Text = answered("The other side, in CIDR form.", "cidr")
    port_range_min: Whole = answered("First port; none means all.")
    port_range_max: Whole = answered("Last port; none means all.")
    status: Text = answered("CREATING, SUCCESS or ERROR.")
    created_at: Text = answered("When it was added, ISO 8601.")


class VMSecurityRule(Rule):
    """A rule of one instance."""


class FirewallRule(Rule):
    """A rule of a firewall, in force on every instance it is attached to."""
