"""Exposure: how much of the internet rules let in, and whether what is added to them opens more than goes unasked."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from barrack_mcp.account.things import TIMES
from barrack_mcp.catalogue.rules import ALL_PROTOCOLS, PROTOCOL_NUMBERS, WITHOUT_PORTS, name_protocol, number_protocol

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Span: TypeAlias = tuple[int, int]
"""Addresses from one to another, both included."""

MOST_RULES: Final = 250
"""More than these are not weighed one against another: they count as open to everyone."""

_PORTS: Final = (0, 65_535)
_ICMP: Final = PROTOCOL_NUMBERS["icmp"]
"""Stands for ICMPv6, too: of each address one of them is meant, whichever a rule says, and neither has ports."""
_SENSITIVE: Final = (22, 3389, 5900, 6443, 8888)
"""Where a machine is taken over: SSH, RDP, VNC, Kubernetes, Jupyter."""
_IN_FORCE: Final = frozenset({"", "SUCCESS", "ACTIVE", "CREATING"})
"""States of a rule that lets in what it says, or is about to."""


class Space(NamedTuple):
    """Public addresses, apart by the version of IP."""

    v4: tuple[Span, ...] = ()
    v6: tuple[Span, ...] = ()

    @property
    def sizes(self) -> tuple[int, int]:
        """How many addresses there are of each version."""
        return _count(self.v4), _count(self.v6)


_MOST: Final = (1 << 16, 1 << 96)
"""Addresses that go unasked: a /16 of IPv4, a /32 of IPv6."""
_MOST_SENSITIVE: Final = (1 << 8, 1 << 72)
"""The same where a machine is taken over: a /24, a /56."""


@dataclass(frozen=True, slots=True)
class Ingress:
    """What one rule lets in.

    Attributes:
        protocol: Its number; None for all.
        ports: The first and the last one.
        space: The public addresses that it lets in.
        certain: Whether all of it was read and is in force. What is not certain counts against a thing, never for it.
    """

    protocol: int | None
    ports: Span
    space: Space
    certain: bool = True

    def covers(self, protocol: int | None, ports: Span) -> bool:
        """Whether it lets these ports of a protocol in; None stands for protocols that no rule names."""
        if self.protocol not in (None, protocol):
            return False
        return protocol == _ICMP or (self.ports[0] <= ports[0] and ports[1] <= self.ports[1])


@dataclass(frozen=True, slots=True)
class Opening:
    """Ports of a protocol that are open to more addresses than go unasked.

    Attributes:
        protocol: Its number; None for all.
        ports: The first and the last one.
        space: All public addresses that are let in there, with those from before.
        certain: Whether all rules there were read and are in force.
    """

    protocol: int | None
    ports: Span
    space: Space
    certain: bool = True

    @property
    def whom(self) -> str:
        """To whom, for people: `everyone`, `131,072 public IPv4 addresses`."""
        return f"{'' if self.certain else 'perhaps '}{count_in_words(self.space)}"

    @property
    def where(self) -> str:
        """On what, for people: `tcp 8000-8010`, `all protocols, all ports`."""
        name = name_protocol(ALL_PROTOCOLS if self.protocol is None else self.protocol)
        low, high = self.ports
        if self.protocol == _ICMP:
            return name
        if low <= 1 and high == _PORTS[1]:
            return f"{name}, all ports"
        separator = ", ports " if self.protocol is None else " "
        return f"{name}{separator}{low}" + (f"-{high}" if high > low else "")

    def __str__(self) -> str:
        return f"{self.whom} on {self.where}"


def read_rules(rows: object) -> list[Ingress]:
    """Read what a list of rules lets in; what can't be read counts as open to everyone."""
    if not isinstance(rows, list):
        return [ANYTHING]
    return [rule for row in rows if (rule := read_rule(row)) is not None]


def read_rule(row: object) -> Ingress | None:
    """Read what a rule lets in: one of the API's or of a caller's; None for a rule that lets nothing in."""
    if not isinstance(row, Mapping):
        return ANYTHING
    if str(row.get("direction")).strip().lower() == "egress":
        return None
    protocol, protocol_certain = _read_protocol(row.get("protocol"))
    ports, ports_certain = _read_ports(row.get("port_range_min"), row.get("port_range_max"))
    space, space_certain = _read_space(row.get("remote_ip_prefix"))
    certain = protocol_certain and ports_certain and space_certain
    in_force = str(row.get("status") or "").upper() in _IN_FORCE
    return Ingress(protocol, ports, space, certain and in_force)


def _read_protocol(value: object) -> tuple[int | None, bool]:
    number = number_protocol(value)
    if number in (None, ALL_PROTOCOLS):
        return None, number is not None
    return _ICMP if number in WITHOUT_PORTS else number, True


def _read_ports(low: object, high: object) -> tuple[Span, bool]:
    first, last = _read_port(low), _read_port(high)
    if first is None or last is None or first > last:
        return _PORTS, low in (None, "") and high in (None, "")
    # some write none as 0 to 0
    return (_PORTS, False) if last == 0 else ((first, last), True)


def _read_port(value: object) -> int | None:
    if isinstance(value, str):
        word = value.strip()
        plain = word.isascii() and word.isdigit() and len(word) <= len(str(_PORTS[1]))
        value = int(word) if plain and str(int(word)) == word else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value) if _PORTS[0] <= value <= _PORTS[1] else None


def _read_space(prefix: object) -> tuple[Space, bool]:
    try:
        if isinstance(prefix, str):
            return public_space(ipaddress.ip_network(prefix.strip(), strict=False)), True
    except ValueError:
        pass
    return EVERYONE, False


def opened(before: Iterable[Ingress], added: Iterable[Ingress]) -> list[Opening]:
    """Find where a thing lets in more addresses than go unasked, by what is added to its rules.

    Judged is what it lets in afterwards, port by port of each protocol. What is open to the same addresses already is
    not opened again.

    Args:
        before: What it lets in already.
        added: What comes on top.

    Returns:
        Where, and to whom; nothing if nobody need be asked.
    """
    old, new = list(dict.fromkeys(before)), list(dict.fromkeys(added))
    if not any(any(rule.space) for rule in new):
        return []
    if len(old) + len(new) > MOST_RULES:
        return [Opening(None, _PORTS, EVERYONE, certain=False)]
    found: list[Opening] = []
    # a rule for all protocols lets ICMP in whatever its ports, though no rule names it
    named = {_ICMP if rule.protocol is None else rule.protocol for rule in (*old, *new)}
    for protocol in (None, *sorted(named)):
        found += _joined(_openings_of(protocol, old, new))
    general = {(one.ports, one.space) for one in found if one.protocol is None}
    return [one for one in found if one.protocol is None or (one.ports, one.space) not in general]


def _openings_of(protocol: int | None, old: Sequence[Ingress], new: Sequence[Ingress]) -> Iterator[Opening]:
    """What is opened of one protocol, in stretches of ports that the same rules cover."""
    for ports in _stretches(protocol, (*old, *new)):
        fresh = [rule for rule in new if rule.covers(protocol, ports)]
        if not fresh:
            continue
        there = [rule for rule in old if rule.covers(protocol, ports)]
        was = _union([rule.space for rule in there if rule.certain])
        grown = _union([was, *(rule.space for rule in fresh)])
        whole = _union([grown, *(rule.space for rule in there)])
        most = _MOST_SENSITIVE if _is_sensitive(protocol, ports) else _MOST
        if any(grown[at] != was[at] and whole.sizes[at] > most[at] for at in range(len(most))):
            yield Opening(protocol, ports, whole, all(rule.certain for rule in (*there, *fresh)))


def _stretches(protocol: int | None, rules: Iterable[Ingress]) -> Iterator[Span]:
    if protocol == _ICMP:
        yield _PORTS
        return
    mine = [rule.ports for rule in rules if rule.protocol in (None, protocol)]
    edges = {edge for low, high in mine for edge in (low, high + 1)}
    for first, above in itertools.pairwise(sorted(edges)):
        yield first, above - 1


def _is_sensitive(protocol: int | None, ports: Span) -> bool:
    """Whether a machine is taken over there; all ports hold one of those, and all protocols are one of them."""
    if protocol == _ICMP:
        return False
    return protocol is None or any(ports[0] <= port <= ports[1] for port in _SENSITIVE)


def _joined(openings: Iterable[Opening]) -> Iterator[Opening]:
    """Say of stretches side by side that are open to the same addresses in one what they let in."""
    last: Opening | None = None
    for each in openings:
        if last is not None and last.space == each.space and last.ports[1] + 1 == each.ports[0]:
            certain = last.certain and each.certain
            last = Opening(last.protocol, (last.ports[0], each.ports[1]), last.space, certain)
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last


def public_space(network: Network) -> Space:
    """The public addresses of a range: private ones left out, IPv4 addresses written as IPv6 counted as IPv4."""
    span = _span(network)
    if isinstance(network, ipaddress.IPv4Network):
        return Space(_without([span], _PRIVATE_V4))
    own = _without([span], (*_PRIVATE_V6, *(_span(form.network) for form in _IPV4_IN_IPV6)))
    if any(network.subnet_of(space) for space in _PRIVATE_V6_NETWORKS):
        return Space()
    mapped = [ipv4 for form in _IPV4_IN_IPV6 if (ipv4 := form.ipv4_of(network)) is not None]
    return Space(_without(_merged(mapped), _PRIVATE_V4), own)


class _Form(NamedTuple):
    """A way to write IPv4 addresses as IPv6: below which prefix, from which bit on, and whether turned round."""

    network: ipaddress.IPv6Network
    at: int
    inverted: bool = False

    def ipv4_of(self, network: ipaddress.IPv6Network) -> Span | None:
        """The IPv4 addresses that stand in a range; None if there are none."""
        if self.network.subnet_of(network):
            return 0, _LAST_V4
        if not network.subnet_of(self.network):
            return None
        length = min(max(network.prefixlen - self.at, 0), 32)
        host = (1 << (32 - length)) - 1
        bits = int(network.network_address) >> (96 - self.at) & _LAST_V4
        low = (bits ^ _LAST_V4 if self.inverted else bits) & ~host
        return low, low | host


def _span(network: Network) -> Span:
    return int(network.network_address), int(network.broadcast_address)


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def _without(spans: Iterable[Span], taken: Iterable[Span]) -> tuple[Span, ...]:
    left = list(spans)
    for low, high in taken:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, low - 1)), (max(start, high + 1), end))
            if part[0] <= part[1]
        ]
    return _merged(left)


def _union(spaces: Sequence[Space]) -> Space:
    v4, v6 = zip(*spaces, strict=True) if spaces else ((), ())
    return Space(_merged(itertools.chain(*v4)), _merged(itertools.chain(*v6)))


def _count(spans: Iterable[Span]) -> int:
    return sum(high - low + 1 for low, high in spans)


def count_in_words(space: Space) -> str:
    """How many addresses these are, for people: `everyone`, `256 public IPv4 addresses`."""
    if _union([space, _ALL_V6]) == space:
        # all of IPv4 is written within it
        return "everyone"
    if _union([space, _ALL_V4]) == space:
        return "everyone (all IPv4 addresses)"
    counted = zip(space.sizes, (4, 6), strict=True)
    return " and ".join(f"{in_words(size)} public IPv{version} addresses" for size, version in counted if size)


def in_words(number: int) -> str:
    """A number of addresses for people: `65,536`, `about 8 x 10^28` with a true times sign."""
    if number < _COUNTABLE:
        return f"{number:,}"
    mantissa, exponent = f"{number:.0e}".split("e+")
    return f"about {mantissa} {TIMES} 10^{int(exponent)}"


_COUNTABLE: Final = 10**10
_LAST_V4: Final = (1 << 32) - 1
_PRIVATE_V4: Final = tuple(
    _span(ipaddress.IPv4Network(each))
    for each in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
)
"""What no machine has on the internet, and people name in rules. What else isn't routed counts as if it were."""
_PRIVATE_V6_NETWORKS: Final = tuple(map(ipaddress.IPv6Network, ("::1/128", "fc00::/7", "fe80::/10")))
_PRIVATE_V6: Final = tuple(map(_span, _PRIVATE_V6_NETWORKS))
_IPV4_IN_IPV6: Final = (
    _Form(ipaddress.IPv6Network("::/96"), 96),
    _Form(ipaddress.IPv6Network("::ffff:0:0/96"), 96),
    _Form(ipaddress.IPv6Network("::ffff:0:0:0/96"), 96),
    _Form(ipaddress.IPv6Network("64:ff9b::/96"), 96),
    _Form(ipaddress.IPv6Network("64:ff9b:1::/48"), 96),
    _Form(ipaddress.IPv6Network("2002::/16"), 16),
    _Form(ipaddress.IPv6Network("2001::/32"), 96, inverted=True),
)
"""IPv4-compatible, mapped and translated (RFC 4291, 7915), NAT64 (6052, 8215), 6to4 (3056), Teredo (4380)."""
EVERYONE: Final = Space(
    public_space(ipaddress.IPv4Network("0.0.0.0/0")).v4, public_space(ipaddress.IPv6Network("::/0")).v6
)
_ALL_V4: Final = Space(_without([(1 << 24, (224 << 24) - 1)], _PRIVATE_V4))
_ALL_V6: Final = Space((), public_space(ipaddress.IPv6Network("2000::/3")).v6)
ANYTHING: Final = Ingress(None, _PORTS, EVERYONE, certain=False)
"""What a rule that can't be read may let in."""
