"""The rules of firewalls and instances: what traffic may pass. One set of arguments serves all three places."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, model_validator

from barrack_mcp.catalogue.models import Request, Response, answered, optional, required
from barrack_mcp.catalogue.values import Cidr, DirectionEnum, EthertypeEnum, Port, ProtocolEnum, Text, Whole

ALL_PROTOCOLS: Final = -1
PROTOCOL_NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    dict.fromkeys(("any", "all", "*", "ip", "-1", "0", "255"), ALL_PROTOCOLS)
    | {"icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "udp": 17, "dccp": 33, "ipv6-encap": 41}
    | {"ipv6-route": 43, "ipv6-frag": 44, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58}
    | {"ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ospf": 89, "vrrp": 112, "pgm": 113}
    | {"sctp": 132, "udplite": 136}
)
"""Protocols that rules name, with the numbers that IANA gave them, and the ways to say all of them."""
WITHOUT_PORTS: Final = frozenset({PROTOCOL_NUMBERS["icmp"], PROTOCOL_NUMBERS["icmpv6"]})
IP_VERSIONS: Final = {"IPv4": 4, "IPv6": 6}
_LAST: Final = 255
"""The highest number that a protocol can have."""


def number_protocol(value: object) -> int | None:
    """Read a protocol by its name in any case or by its number, which may be text; None if it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, int) and abs(value) > _LAST):
        return None
    word = str(value).strip().casefold()
    if word in PROTOCOL_NUMBERS:
        return PROTOCOL_NUMBERS[word]
    plain = word.isascii() and word.isdigit() and word[0] != "0" and len(word) <= len(str(_LAST))
    return int(word) if plain and int(word) <= _LAST else None


def name_protocol(number: int) -> str:
    """The name of a protocol for people, in words that are none of a caller's: `tcp`, `all protocols`."""
    if number == ALL_PROTOCOLS:
        return "all protocols"
    return next((name for name, each in PROTOCOL_NUMBERS.items() if each == number), f"protocol {number}")


def _as_listed(value: object) -> object:
    """A protocol's name is sent as the API lists it, in small letters."""
    word = value.strip().casefold() if isinstance(value, str) else None
    return word if word in PROTOCOL_NUMBERS else value


class SecurityRule(Request):
    """What traffic is let through; nothing else is."""

    direction: DirectionEnum = required("ingress: inbound.")
    ethertype: EthertypeEnum = required("That of the range.")
    protocol: Annotated[ProtocolEnum, BeforeValidator(_as_listed)] = required("Name or number, e.g. tcp.")
    remote_ip_prefix: Cidr = required("CIDR; 0.0.0.0/0 is everyone.")
    port_range_min: Port | None = optional("First port; none: all.", blank_counts=True)
    port_range_max: Port | None = optional("Last port.", blank_counts=True)

    @model_validator(mode="after")
    def _range_is_of_the_ethertype(self) -> Self:
        if ipaddress.ip_network(self.remote_ip_prefix, strict=False).version != IP_VERSIONS[self.ethertype]:
            raise ValueError(f"remote_ip_prefix: must be an {self.ethertype} range, as ethertype says")
        return self

    @model_validator(mode="after")
    def _ports_make_a_range(self) -> Self:
        low, high = self.port_range_min, self.port_range_max
        if number_protocol(self.protocol) in WITHOUT_PORTS and (low or high):
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
