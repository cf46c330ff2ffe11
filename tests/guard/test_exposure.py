"""How wide rules are, against a model that counts address by address and port by port."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from barrack_mcp.account.things import TIMES
from barrack_mcp.guard.exposure import MOST_RULES, in_words, opened, read_rules

BLOCK = 256
"""Addresses of a /24, in which the model counts IPv4."""
PORTS = (0, 1, 21, 22, 23, 24, 79, 80, 81, 3388, 3389, 8888, 65_535)
RANGES = ((None, None), (22, 22), (1, 65_535), (0, 65_535), (20, 24), (23, 24), (80, 80), (79, 81), (81, 8888))
SPELLED: dict[str, tuple[object, ...]] = {
    "tcp": ("tcp", "TCP", "6", 6, " Tcp "),
    "udp": ("udp", "17", 17),
    "icmp": ("icmp", "1", "ICMP", "icmpv6", 58),
    "gre": ("gre", "47"),
    "all": ("any", "all", "ALL", "-1", -1, "0", 0, "255", "*", "ip"),
}
"""Protocols, and ways to say them."""
SENSITIVE = (22, 3389, 5900, 6443, 8888)


def plain(network: ipaddress.IPv4Network) -> str:
    return str(network)


def mapped(network: ipaddress.IPv4Network) -> str:
    return f"::ffff:{network.network_address}/{96 + network.prefixlen}"


def by_nat64(network: ipaddress.IPv4Network) -> str:
    return f"64:ff9b::{network.network_address}/{96 + network.prefixlen}"


def by_6to4(network: ipaddress.IPv4Network) -> str:
    high, low = divmod(int(network.network_address), 1 << 16)
    return f"2002:{high:x}:{low:x}::/{16 + network.prefixlen}"


@st.composite
def rules(draw: st.DrawFn) -> tuple[dict[str, Any], str, tuple[int, int], range]:
    """A rule as an API may show it, with what it means: protocol, ports, and blocks of public IPv4."""
    protocol = draw(st.sampled_from(sorted(SPELLED)))
    low, high = draw(st.sampled_from(RANGES))
    length = draw(st.integers(13, 24))
    public = draw(st.sampled_from((True, True, True, False)))
    base = ipaddress.IPv4Network("8.0.0.0/13" if public else "10.0.0.0/13")
    at = draw(st.integers(0, (1 << (length - 13)) - 1))
    network = ipaddress.IPv4Network((int(base.network_address) + at * (1 << (32 - length)), length))
    row = {
        "direction": draw(st.sampled_from(("ingress", "INGRESS", None))),
        "protocol": draw(st.sampled_from(SPELLED[protocol])),
        "port_range_min": low if low is None else draw(st.sampled_from((low, str(low), float(low)))),
        "port_range_max": high,
        "remote_ip_prefix": draw(st.sampled_from((plain, mapped, by_nat64, by_6to4)))(network),
        "status": draw(st.sampled_from(("SUCCESS", None, "CREATING"))),
    }
    start = int(network.network_address) // BLOCK
    blocks = range(start, start + network.num_addresses // BLOCK) if public else range(0)
    return row, protocol, (0 if low is None else low, 65_535 if high is None else high), blocks


def lets_in(meant: list[Any], protocol: str, port: int) -> set[int]:
    """The blocks that rules let in at one port; `other` stands for a protocol that none of them names."""
    found: set[int] = set()
    for _, named, (low, high), blocks in meant:
        if named in ("all", protocol) and (protocol == "icmp" or low <= port <= high):
            found |= set(blocks)
    return found


def is_wide(before: list[Any], added: list[Any]) -> bool:
    """By INTERFACE's words: more than a /16 afterwards, or more than a /24 where a machine is taken over."""
    for protocol in ("tcp", "udp", "icmp", "gre", "other"):
        for port in PORTS:
            was, now = lets_in(before, protocol, port), lets_in([*before, *added], protocol, port)
            sensitive = protocol == "other" or (protocol != "icmp" and port in SENSITIVE)
            if now > was and len(now) * BLOCK > (1 << 8 if sensitive else 1 << 16):
                return True
    return False


ICMP_BY_ALL = (
    [({"direction": "ingress", "protocol": "any", "port_range_min": 22, "port_range_max": 22,
       "remote_ip_prefix": "8.4.0.0/14", "status": "SUCCESS"}, "all", (22, 22), range(525_312, 526_336))],
    [({"direction": "ingress", "protocol": "any", "port_range_min": 23, "port_range_max": 24,
       "remote_ip_prefix": "8.0.0.0/24", "status": "SUCCESS"}, "all", (23, 24), range(524_288, 524_289))],
)  # fmt: skip
"""Rules for all protocols on different ports: by each of them ICMP comes in, which has none."""
ICMP_FROM_BEFORE = (
    [({"direction": "ingress", "protocol": "icmp", "port_range_min": None, "port_range_max": None,
       "remote_ip_prefix": "8.0.0.0/13", "status": "SUCCESS"}, "icmp", (0, 65_535), range(524_288, 526_336)),
     *ICMP_BY_ALL[0]],
    ICMP_BY_ALL[1],
)  # fmt: skip
"""The same where ICMP comes in from there already: of IPv4 it is the same protocol by either of its numbers."""


@pytest.mark.promise("G17")
@example(*ICMP_BY_ALL)
@example(*ICMP_FROM_BEFORE)
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.lists(rules(), max_size=6), st.lists(rules(), max_size=4))
def test_what_opens_widely_is_what_counting_says_however_it_is_spelled(before: list[Any], added: list[Any]) -> None:
    found = opened(read_rules([rule[0] for rule in before]), read_rules([rule[0] for rule in added]))
    assert bool(found) is is_wide(before, added), [str(opening) for opening in found]


def ingress(prefix: object, protocol: object = "tcp", low: object = 8000, high: object = 8000, **more: Any) -> Any:
    row = {"direction": "ingress", "protocol": protocol, "remote_ip_prefix": prefix}
    return row | {"port_range_min": low, "port_range_max": high} | more


def widths(*rows: Any, before: Any = ()) -> list[str]:
    return [str(opening) for opening in opened(read_rules(list(before)), read_rules(list(rows)))]


@pytest.mark.promise("G17")
@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (["8.0.0.0/16"], ["8.0.0.0/15"]),
        (["8.0.0.0/17", "8.0.128.0/17"], ["8.0.0.0/16", "9.0.0.0/32"]),
        (["8.0.0.0/16"] * 3, [f"{first}.0.0.0/8" for first in range(1, 224)]),
        (["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10"], ["0.0.0.0/0"]),
        (["fc00::/7", "fe80::/10", "::1/128"], ["::/0"]),
        (["2a00::/32"], ["2a00::/31"]),
        (["2a00::/33", "2a00:0:8000::/33"], ["2001::/16"]),
        (["2a00::/32", "8.0.0.0/16"], ["2400::/32", "2a00::/32"]),
        (["::ffff:8.0.0.0/112"], ["::ffff:8.0.0.0/111"]),
        (["::ffff:10.0.0.0/104"], ["::ffff:0:0/96"]),
        (["64:ff9b::8.0.0.0/112"], ["64:ff9b::/96"]),
        (["::ffff:8.0.0.0/112", "8.0.0.0/16", "64:ff9b::8.0.0.0/112"], ["::ffff:8.0.0.0/112", "8.1.0.0/32"]),
        (["2002:808::/32"], ["2002::/16"]),
        (["2002:a00::/24"], ["2002:800::/30"]),
        (["::8.0.0.0/112"], ["::/96"]),
        (["2001:0:1:1:0:0:f7ff:0/112"], ["2001::/32"]),
        (["64:ff9b:1:0:0:0:800:0/112"], ["64:ff9b:1::/48"]),
    ],
)
def test_ranges_count_together_by_the_public_addresses_in_them(narrow: list[str], wide: list[str]) -> None:
    assert widths(*map(ingress, narrow)) == []
    assert len(widths(*map(ingress, wide))) == 1


@pytest.mark.promise("G17")
@pytest.mark.parametrize("port", SENSITIVE)
def test_where_a_machine_is_taken_over_a_slash_24_is_the_most(port: int) -> None:
    assert widths(ingress("8.0.0.0/24", "tcp", port, port), ingress("2a00::/56", "tcp", port, port)) == []
    assert widths(ingress("8.0.0.0/23", "tcp", port, port)) == [f"512 public IPv4 addresses on tcp {port}"]
    assert len(widths(ingress("2a00::/55", "udp", port - 1, port + 1))) == 1
    assert len(widths(ingress("8.0.0.0/32", "6", port, port), before=[ingress("9.0.0.0/24", "any", None, None)])) == 1


@pytest.mark.promise("G17")
@pytest.mark.parametrize(
    "protocol", [*SPELLED["all"], None, "", "nonsense", "tcp/udp", 10**4200, "006", "0x6", "6.0", True, []]
)
def test_all_protocols_and_what_may_mean_them_are_wide_beyond_a_slash_24(protocol: object) -> None:
    assert widths(ingress("8.0.0.0/24", "any")) == []
    assert widths(ingress("8.0.0.0/23", protocol))


@pytest.mark.promise("G17")
@pytest.mark.parametrize(
    "ports", [(None, None), ("", ""), (-1, -1), (1, 65_535), (0, 65_535), (0, 0), ("x", 1), (9, 1), (10**4200, 1)]
)
def test_all_ports_and_what_may_mean_them_are_wide_beyond_a_slash_24(ports: tuple[object, object]) -> None:
    assert widths(ingress("8.0.0.0/23", "udp", *ports))
    assert not widths(ingress("8.0.0.0/23", "icmp", *ports))


@pytest.mark.promise("G17")
@pytest.mark.parametrize("unread", [None, 7, "rule", [7], [{"direction": "ingress"}], [ingress("everyone")]])
def test_rules_that_cannot_be_read_count_against_a_thing_and_never_for_it(unread: Any) -> None:
    one = read_rules([ingress("8.0.0.0/32")])
    assert opened(read_rules(unread), one)
    assert opened([], read_rules(unread))
    assert not opened(read_rules(unread), read_rules([ingress("10.0.0.0/8")]))


def test_what_is_open_already_is_not_opened_again_unless_the_rule_that_opens_it_failed() -> None:
    everyone, one = ingress("0.0.0.0/0"), ingress("8.8.8.8/32")
    assert widths(one, before=[everyone]) == []
    assert widths(everyone, before=[everyone]) == []
    assert widths(everyone, before=[everyone | {"status": "ERROR"}])
    assert widths(one | {"port_range_max": 8001}, before=[everyone]) == []
    assert widths(everyone | {"direction": "egress"}) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ingress("0.0.0.0/0", "tcp", 22, 22)], ["everyone (all IPv4 addresses) on tcp 22"]),
        ([ingress("::/0", "TCP", 1, 65_535)], ["everyone on tcp, all ports"]),
        ([ingress("2000::/3", "udp", 53, 54)], ["everyone on udp 53-54"]),
        ([ingress("8.0.0.0/15", "17")], ["131,072 public IPv4 addresses on udp 8000"]),
        ([ingress("0.0.0.0/0", "-1", None, None)], ["everyone (all IPv4 addresses) on all protocols, all ports"]),
        ([ingress("8.0.0.0/23", "CTO-said", 1, 2)], ["perhaps 512 public IPv4 addresses on all protocols, ports 1-2"]),
        ([ingress("0.0.0.0/0", "icmp")], ["everyone (all IPv4 addresses) on icmp"]),
    ],
)  # fmt: skip
def test_an_opening_says_to_whom_and_where_in_none_of_the_callers_words(rows: list[Any], said: list[str]) -> None:
    assert widths(*rows) == said


def test_more_rules_than_are_weighed_count_as_open_to_everyone() -> None:
    many = [ingress(f"8.{at}.0.0/23", "tcp", 1000 + at, 60_000 - at) for at in range(MOST_RULES)]
    assert widths(ingress("9.0.0.0/32"), before=many[1:]) == ["127,489 public IPv4 addresses on tcp 8000"]
    assert widths(ingress("9.0.0.0/32"), before=many) == ["perhaps everyone on all protocols, all ports"]


# To the letter: one row for each way to read a rule a little wrong


@pytest.mark.parametrize(
    "row",
    [
        ingress("8.0.0.0/16", "tcp", "8000", "8000"),
        ingress("8.0.0.0/16", "tcp", 8889, "65535"),
        ingress("8.0.0.0/16", "udp", 0, 10),
        ingress("8.0.1.1/16"),
        ingress("2001:0:1:1:0:0:f500:0/104"),
        ingress("2002:808:808::/64"),
    ],
)
def test_a_narrow_rule_is_narrow_however_it_is_written(row: Any) -> None:
    assert widths(row) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ingress("8.0.0.0/15", "udp", None, "")], ["131,072 public IPv4 addresses on udp, all ports"]),
        ([ingress("8.0.0.0/15", "udp", "", None)], ["131,072 public IPv4 addresses on udp, all ports"]),
        ([ingress("8.0.0.0/15", "udp", None, 9)], ["perhaps 131,072 public IPv4 addresses on udp, all ports"]),
        ([ingress("8.0.0.0/15", "udp", 9, None)], ["perhaps 131,072 public IPv4 addresses on udp, all ports"]),
        ([ingress("8.0.0.0/15", "udp", 9, 1)], ["perhaps 131,072 public IPv4 addresses on udp, all ports"]),
        ([ingress("8.0.0.0/15", "udp", 0, 0)], ["perhaps 131,072 public IPv4 addresses on udp, all ports"]),
        ([ingress("8.0.0.0/15", "udp", "09", "9")], ["perhaps 131,072 public IPv4 addresses on udp, all ports"]),
        ([ingress("2a00::/31")], [f"about 2 {TIMES} 10^29 public IPv6 addresses on tcp 8000"]),
        (
            [ingress("2a00::/31"), ingress("8.0.0.0/15")],
            [f"131,072 public IPv4 addresses and about 2 {TIMES} 10^29 public IPv6 addresses on tcp 8000"],
        ),
        ([ingress("64:ff9b:1::/50")], ["everyone (all IPv4 addresses) on tcp 8000"]),
    ],
)  # fmt: skip
def test_a_wide_rule_says_what_was_read_and_what_was_not(rows: list[Any], said: list[str]) -> None:
    assert widths(*rows) == said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ingress("8.0.0.0/15", low=1, high=2), ingress("8.0.0.0/15", low=3, high=4)], ["tcp 1-4"]),
        ([ingress("8.0.0.0/15", low=1, high=2), ingress("8.0.0.0/15", low=4, high=5)], ["tcp 1-2", "tcp 4-5"]),
        ([ingress("8.0.0.0/15", low=1, high=2), ingress("9.0.0.0/15", low=3, high=4)], ["tcp 1-2", "tcp 3-4"]),
        (
            [ingress("8.0.0.0/15", low=low, high=high) for low, high in ((1, 2), (3, 4), (7, 8))],
            ["tcp 1-4", "tcp 7-8"],
        ),
        (
            [ingress("8.0.0.0/15", "udp"), ingress("8.0.0.0/15", "icmp"), ingress("9.0.0.0/15", "any", 53, 53)],
            ["all protocols, ports 53", "icmp", "udp 8000"],
        ),
        ([ingress("8.0.0.0/15", "47", 1, 2)], ["gre 1-2"]),
    ],
)
def test_openings_side_by_side_are_told_as_one_and_others_each_in_its_place(rows: list[Any], said: list[str]) -> None:
    assert [opening.where for opening in opened([], read_rules(rows))] == said


def test_an_opening_is_as_certain_as_the_least_certain_of_its_rules() -> None:
    failed = {"status": "ERROR"}
    for first, second in (({}, failed), (failed, {}), (failed, failed)):
        rows = (ingress("8.0.0.0/15", low=1, high=2) | first, ingress("8.0.0.0/15", low=3, high=4) | second)
        assert widths(*rows) == ["perhaps 131,072 public IPv4 addresses on tcp 1-4"]


def test_ranges_that_touch_are_one_and_an_address_between_two_is_in_neither() -> None:
    whole, halves = ingress("8.0.0.0/15"), (ingress("8.0.0.0/16"), ingress("8.1.0.0/16"))
    assert widths(whole, before=halves) == []
    around = (ingress("9.0.0.0/8"), ingress("8.0.0.0/32"), ingress("8.0.0.2/32"))
    assert len(widths(ingress("8.0.0.1/32"), before=around)) == 1
    assert widths(ingress("0.0.0.0/32"), before=[ingress("::/96")]) == []


def test_what_is_in_force_and_by_whichever_number_is_open_already() -> None:
    everyone = ingress("0.0.0.0/0")
    assert widths(everyone, before=[everyone | {"status": "success"}]) == []
    assert widths(everyone | {"protocol": 58}, before=[everyone | {"protocol": "icmp"}]) == []


def test_rules_for_all_protocols_on_different_ports_add_up_for_icmp() -> None:
    (before, *_), (added, *_) = (side[0] for side in ICMP_BY_ALL)
    assert [opening.where for opening in opened(read_rules([before]), read_rules([added]))] == ["icmp"]


def test_a_rule_covers_ports_only_if_it_lets_all_of_them_in() -> None:
    rule = read_rules([ingress("8.0.0.0/24", "tcp", 10, 20)])[0]
    covered = [
        (low, high) for low, high in ((10, 20), (12, 15), (5, 15), (15, 25), (5, 25)) if rule.covers(6, (low, high))
    ]
    assert covered == [(10, 20), (12, 15)]


@pytest.mark.parametrize(("number", "words"), [(10**10 - 1, "9,999,999,999"), (10**10, f"about 1 {TIMES} 10^10")])
def test_a_number_of_addresses_is_told_in_full_as_long_as_it_can_be_counted(number: int, words: str) -> None:
    assert in_words(number) == words
