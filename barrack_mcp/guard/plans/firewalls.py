"""What happens to instances when a firewall is attached anew or deleted, and when rules come and go."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

import anyio.lowlevel

from barrack_mcp.account.desk import Single
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.things import (
    Thing,
    age,
    all_told,
    counted,
    joined,
    labels,
    listed,
    objects,
    said,
    sentence,
    text,
    usable_id,
)
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import FIREWALL, INSTANCE
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.catalogue.rules import PROTOCOL_NUMBERS, WITHOUT_PORTS, name_protocol, number_protocol
from barrack_mcp.guard.exposure import ANYTHING, Ingress, count_in_words, in_words, opened, public_space, read_rules
from barrack_mcp.guard.plans.draft import Draft, Inquiry, name_all, require
from barrack_mcp.guard.plans.openings import rules_of, rules_of_others, tell_openings
from barrack_mcp.guard.plans.states import refuse_by_state

DELAY: Final = "Rules may take up to 10 minutes to work."

_TCP: Final = PROTOCOL_NUMBERS["tcp"]
_SSH: Final = (22, 22)
_MOST_LOOKED_AT: Final = 20
_MOST_TOLD: Final = 8
"""Rules, or instances, that are told one by one where nothing may be left out."""


def attached(firewall: Thing) -> list[Thing]:
    """The instances that have a firewall."""
    rows = [
        {**row, **vm} if isinstance(vm := row.get("vm"), dict) else row
        for row in objects(firewall.row.get("attachments"))
    ]
    return [Thing(INSTANCE, row) for row in rows]


def _ids(found: list[Thing]) -> list[str]:
    return [thing.id for thing in found if thing.id]


def _knows_who(firewall: Thing) -> bool:
    return isinstance(firewall.row.get("attachments"), list)


def _who(firewall: Thing, now: list[Thing]) -> list[str]:
    """Warn if nobody can tell who has the firewall."""
    return [] if _knows_who(firewall) or now else ["Could not be read: which instances have this firewall now."]


async def _read(inquiry: Inquiry) -> Thing:
    firewall_id = inquiry.arguments["firewall_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_firewall", {"firewall_id": firewall_id})
    return require(found, FIREWALL, firewall_id)


def _draft(firewall: Thing, summary: str, inquiry: Inquiry) -> Draft:
    now = attached(firewall)
    return Draft(
        summary=summary,
        target=firewall.target(
            rules=listed([rule_in_words(row) for row in objects(firewall.row.get("rules"))]),
            instances=labels(now),
            age=age(firewall.row, inquiry.now),
        ),
        things=[firewall],
        touches_unread=not all_told(firewall.row.get("attachments")),
        warnings=_who(firewall, now),
        facts={"attached": sorted(_ids(now))},
    )


async def delete_firewall(inquiry: Inquiry) -> Draft:
    """The firewall and its rules are gone for good."""
    firewall = await _read(inquiry)
    now = attached(firewall)
    facts = (said(firewall.row, "status"), said(firewall.row, "region"))
    draft = _draft(firewall, f"Delete firewall {firewall.with_facts(*facts)} and its rules for good.", inquiry)
    draft.touched = await name_all(inquiry, now)
    draft.lost = [_its_rules(firewall), *_each("its protection of", now)]
    draft.kept = ["the instances and their own security rules"]
    if now:
        draft.refusal = (
            f"Not done: {firewall.in_words} is attached to {counted(len(now), 'instance')} ({joined(labels(now))}), "
            "and Barrack deletes detached firewalls only. A firewall costs nothing. Nothing was sent; take it off all "
            "instances first (tool: attach_firewall, with none)."
        )
        draft.safer = [
            Safer(
                tool="attach_firewall",
                arguments={"firewall_id": firewall.asked, "instance_ids": []},
                why="Detaching it from all instances first shows what fails without it, and can be taken back.",
            )
        ]
    return draft


def _its_rules(firewall: Thing) -> str:
    told = firewall.row.get("rules")
    rules = objects(told)
    if not isinstance(told, list):
        return "its rules, which Barrack does not show"
    if len(rules) > _MOST_TOLD:
        return f"its {len(rules):,} rules, which get_firewall shows"
    return f"its rules: {', '.join(map(rule_in_words, rules)) or 'none shown'}"


def _each(what: str, having: list[Thing]) -> list[str]:
    """Say something of each instance that has a firewall: of a few by their names, of more by their number."""
    if len(having) > _MOST_TOLD:
        return [f"{what} each of the {len(having):,} instances that have it"]
    return [f"{what} {thing.in_words}" for thing in having]


async def attach_firewall(inquiry: Inquiry) -> Draft:
    """The instances named have the firewall afterwards; those left out may lose it."""
    firewall_id, wanted = inquiry.arguments["firewall_id"], inquiry.arguments["instance_ids"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_firewall", {"firewall_id": firewall_id})
        details = {
            at: sheet.one("get_instance", {"instance_id": at}, f"instance {mention(at)}", binds=True) for at in wanted
        }
        others = sheet.rows("list_firewalls", {}, "what the instances' other firewalls let in", binds=True)
    firewall = require(found, FIREWALL, firewall_id)
    now = {thing.id: thing for thing in await name_all(inquiry, attached(firewall))}
    named = {at: Thing(INSTANCE, details[at].known, asked=at) for at in wanted}
    gain = [named[at] for at in wanted if at not in now]
    lose = [thing for at, thing in now.items() if at not in named]
    stay = [thing for at, thing in now.items() if at in named]
    draft = _draft(firewall, _attaching(firewall, gain, lose), inquiry)
    draft.touched = [*lose, *gain]
    # each by the name under which it was shown
    draft.facts["named"] = sorted((str(thing.id), str(thing.name)) for thing in (*lose, *named.values()))
    draft.gained = [f"{thing.in_words} would gain the firewall" for thing in gain]
    draft.lost = [f"{thing.in_words} would lose the firewall" for thing in lose]
    draft.kept = listed([f"{thing.in_words} keeps the firewall" for thing in stay])
    draft.widely = await _gaining(firewall, gain, others)
    draft.opens = _lets_in(firewall) if gain else []
    draft.warnings += _attach_warnings(gain, lose, stay)
    ids = [usable_id(thing.id) for thing in (*lose, *named.values())]
    if lose and None not in ids:
        arguments = {"firewall_id": firewall_id, "instance_ids": ids}
        draft.safer = [Safer(tool="attach_firewall", arguments=arguments, why="With this list nobody loses it.")]
    draft.refusal = _unknown(details)
    for thing in gain:
        if draft.refusal is None:
            refuse_by_state(draft, thing, "attach_a_firewall", costs=None)
    if not (gain or lose) and all_told(firewall.row.get("attachments")):
        draft.refusal = draft.refusal or f"Not done: {draft.warnings[-1]} Nothing was sent; nothing would change."
    return draft


async def _gaining(firewall: Thing, gain: list[Thing], others: Listing) -> list[str]:
    """Whom instances are opened to by a firewall that they gain, with all that they let in already."""
    brought = read_rules(firewall.row.get("rules"))
    alike: dict[tuple[str, ...], list[str]] = {}
    for thing in gain:
        # many rules take their time, and others are waiting
        await anyio.lowlevel.checkpoint()
        there = read_rules(thing.row.get("security_rules"))
        there += rules_of_others(thing, others, but=firewall)
        alike.setdefault(tuple(tell_openings(opened(there, brought), "")), []).append(thing.label)
    return [f"{opening}{', '.join(those)}" for openings, those in alike.items() for opening in openings]


def _lets_in(firewall: Thing) -> list[str]:
    """Say what a firewall lets in, while its rules are few."""
    rows = firewall.row.get("rules")
    rules = [row for row in objects(rows) if str(row.get("direction")).lower() != "egress"]
    if not rules:
        return []
    told = " and ".join(in_few_words(rules))
    return [f"what its rules let in: {told}" if len(rules) <= _MOST_TOLD else f"what its {len(rules):,} rules let in"]


def _attaching(firewall: Thing, gain: list[Thing], lose: list[Thing]) -> str:
    """Say what the call does, as one would ask for it: whom the firewall is taken off, and who gets it."""
    which = f"firewall {firewall.with_facts(said(firewall.row, 'region'))}"
    off, on = joined(labels(lose)), joined(labels(gain))
    if lose:
        return f"Take {which} off {off}{f'; add {on}' if gain else ''}."
    return f"Add {on} to what has {which}." if gain else f"Set who has {which}: nothing would change."


def _attach_warnings(gain: list[Thing], lose: list[Thing], stay: list[Thing]) -> list[str]:
    warnings = []
    if lose:
        warnings.append(
            "The list given may replace the present one: who is left out would lose the firewall and what it lets "
            "through, or be reachable where it kept others out."
        )
    if not (gain or lose):
        warnings.append("The same instances have it already." if stay else "No instance has it, and none is named.")
    warnings += [
        f"{sentence(thing.in_words)} is {said(thing.row, 'status')}; attaching wants ACTIVE."
        for thing in gain
        if thing.status not in ("", "ACTIVE")
    ]
    return listed(warnings)


def _unknown(details: Mapping[str, Single]) -> str | None:
    missing = next((at for at, detail in details.items() if detail.missing), None)
    return None if missing is None else f"Barrack knows no instance {mention(missing)}. Nothing was sent."


def _reach(firewall: Thing) -> str:
    now = attached(firewall)
    return f"it affects {counted(len(now), 'instance')} ({joined(labels(now))})" if now else "no instance has it now"


async def add_firewall_rule(inquiry: Inquiry) -> Draft:
    """Traffic is let through on every instance that has the firewall."""
    firewall = await _read(inquiry)
    now = attached(firewall)
    rule = rule_in_words(inquiry.arguments)
    draft = _draft(firewall, f"Add a rule to firewall {firewall.label}: {rule}; {_reach(firewall)}.", inquiry)
    draft.widely = await _opened_by_rule(inquiry, firewall, now)
    draft.gained = _each("this rule for", now)
    draft.warnings += opening_warnings(inquiry.arguments)
    return draft


async def _opened_by_rule(inquiry: Inquiry, firewall: Thing, now: list[Thing]) -> list[str]:
    """Whom a new rule of a firewall opens it to, else the instances that have it with all that they let in already."""
    added, has = read_rules([inquiry.arguments]), read_rules(firewall.row.get("rules"))
    if found := opened(has, added):
        return tell_openings(found, f"whatever has firewall {firewall.label}")
    if not all_told(firewall.row.get("attachments")):
        return tell_openings(opened([ANYTHING], added), "the instances that have it, which could not be read")
    alike: dict[tuple[str, ...], list[str]] = {}
    for thing, rules in await _lets_in_by(inquiry, firewall, now):
        # many rules take their time, and others are waiting
        await anyio.lowlevel.checkpoint()
        alike.setdefault(tuple(tell_openings(opened([*has, *rules], added), "")), []).append(thing.label)
    return [f"{opening}{_those(labels)}" for openings, labels in alike.items() for opening in openings]


def _those(labels: list[str]) -> str:
    """Name a few instances that have a firewall, else say how many they are: a question holds no more."""
    few = len(labels) <= _MOST_TOLD
    return ", ".join(labels) if few else f"{len(labels):,} of the instances that have it"


async def remove_firewall_rule(inquiry: Inquiry) -> Draft:
    """Traffic is cut off on every instance that has the firewall."""
    firewall = await _read(inquiry)
    now = attached(firewall)
    draft = _draft(firewall, f"from firewall {firewall.label}; {_reach(firewall)}.", inquiry)
    draft.touched = await name_all(inquiry, now)
    _removal(draft, firewall.row.get("rules"), inquiry.arguments["rule_id"])
    draft.lost += _each("the same on", now)
    return draft


async def _instance(inquiry: Inquiry) -> Thing:
    instance_id = inquiry.arguments["instance_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_instance", {"instance_id": instance_id})
    return require(found, INSTANCE, instance_id)


async def _lets_in_by(inquiry: Inquiry, firewall: Thing, now: list[Thing]) -> list[tuple[Thing, list[Ingress]]]:
    """What each instance that has a firewall lets in beside it."""
    if not now:
        return []
    async with inquiry.desk.side_by_side() as sheet:
        others = sheet.rows("list_firewalls", {}, "what the instances' other firewalls let in", binds=True)
        details: dict[str, Single] = {}
        every = Listing()
        if len(now) <= _MOST_LOOKED_AT:
            details = {
                at: sheet.one("get_instance", {"instance_id": at}, f"the rules of instance {mention(at)}", binds=True)
                for thing in now
                if (at := usable_id(thing.id))
            }
        else:
            every = sheet.rows("list_instances", {}, "the rules of the instances that have it", binds=True)
    rows = {at: detail.known for at, detail in details.items()}
    rows |= {at: row for row in every.rows if (at := text(row, "instance_id"))}
    return [
        (
            thing,
            [
                *read_rules(rows.get(str(thing.id), {}).get("security_rules")),
                *rules_of_others(thing, others, but=firewall),
            ],
        )
        for thing in now
    ]


def _own_rules(instance: Thing, summary: str) -> Draft:
    return Draft(
        summary=summary,
        target=instance.target(
            public_ip=said(instance.row, "public_ip"),
            rules=listed([rule_in_words(row) for row in objects(instance.row.get("security_rules"))]),
        ),
        things=[instance],
    )


async def add_instance_security_rule(inquiry: Inquiry) -> Draft:
    """Traffic is let through on one instance."""
    instance = await _instance(inquiry)
    label = instance.with_facts(said(instance.row, "status"), said(instance.row, "region"))
    draft = _own_rules(instance, f"Add a rule to instance {label}: {rule_in_words(inquiry.arguments)}.")
    draft.widely = await _opened_on(inquiry, instance)
    draft.warnings = opening_warnings(inquiry.arguments)
    if (address := said(instance.row, "public_ip")) and inquiry.arguments["direction"] == "ingress":
        draft.opens.append(f"the internet at once, by its public IP {address}")
    return draft


async def _opened_on(inquiry: Inquiry, instance: Thing) -> list[str]:
    """Whom a new rule opens an instance to, with all that it lets in already, by its firewalls too."""
    added, whose = read_rules([inquiry.arguments]), instance.in_words
    if found := opened(read_rules(instance.row.get("security_rules")), added):
        return tell_openings(found, whose)
    async with inquiry.desk.side_by_side() as sheet:
        path = {"instance_id": instance.asked}
        firewalls = sheet.rows("list_instance_firewalls", path, "what its firewalls let in", binds=True)
    return tell_openings(opened(rules_of(instance.row, firewalls), added), whose)


async def remove_instance_security_rule(inquiry: Inquiry) -> Draft:
    """Traffic is cut off on one instance."""
    instance = await _instance(inquiry)
    label = instance.with_facts(said(instance.row, "status"), said(instance.row, "region"))
    draft = _own_rules(instance, f"from instance {label}.")
    _removal(draft, instance.row.get("security_rules"), inquiry.arguments["rule_id"])
    draft.kept = ["the rules of its firewalls"]
    return draft


def _removal(draft: Draft, rules: object, rule_id: str) -> None:
    """Say which traffic is cut off when a rule goes; refuse if there is no such rule. The summary lacks its start."""
    rule = next((row for row in objects(rules) if text(row, "id") == rule_id), None)
    if rule is None:
        if isinstance(rules, list):
            draft.refusal = f"There is no rule {mention(rule_id)} here. Nothing was sent; look at its rules first."
        draft.summary = f"Remove rule {mention(rule_id)} {draft.summary}"
        draft.warnings.append(f"What rule {mention(rule_id)} lets through is not told by Barrack.")
        return
    words = rule_in_words(rule)
    draft.summary = f"Remove rule {mention(rule_id)} ({words}) {draft.summary}"
    draft.lost.append(f"traffic that only this rule lets through: {words}")
    draft.warnings.append(DELAY)
    if _covers_ssh(rule):
        draft.lost.append("SSH, which it lets in: without another rule for port 22 nobody can log in any more")


def rule_in_words(rule: Mapping[str, Any]) -> str:
    """A rule for people: `ingress tcp 22 from 203.0.113.0/24 (256 addresses)`."""
    low, high = said(rule, "port_range_min"), said(rule, "port_range_max")
    number = number_protocol(rule.get("protocol"))
    ports = "all ports"
    if low and high:
        ports = low if low == high else f"{low}-{high}"
    elif number in WITHOUT_PORTS:
        ports = ""
    # an open set of words: what isn't known as a protocol could be a sentence
    name = "another protocol" if number is None else name_protocol(number)
    way = "to" if rule.get("direction") == "egress" else "from"
    there = said(rule, "remote_ip_prefix")
    parts = (said(rule, "direction"), name, ports, way)
    return " ".join(part for part in (*parts, there or "anywhere", width(rule.get("remote_ip_prefix"))) if part)


def in_few_words(rules: Iterable[JsonObject]) -> list[str]:
    """Say all of the rules, those alike but for their ports or their range in one, so that a question holds them."""
    ports: dict[tuple[str, str, str], list[str]] = {}
    for rule in rules:
        direction, rest = rule_in_words(rule).split(" ", 1)
        what, way, there = rest.partition(" to " if direction == "egress" else " from ")
        ports.setdefault((direction, way, there.removesuffix(" (1 address)")), []).append(what)
    ranges: dict[tuple[str, str, str], list[str]] = {}
    for (direction, way, there), whats in ports.items():
        ranges.setdefault((direction, _in_one(list(dict.fromkeys(whats))), way), []).append(there)
    return [f"{direction} {what}{way}{', '.join(theres)}" for (direction, what, way), theres in ranges.items()]


def _in_one(whats: list[str]) -> str:
    """Several ports after the one protocol that all of them are of: `tcp 80, 443`."""
    protocol, _, _ = whats[0].partition(" ")
    alike = all(what.startswith(f"{protocol} ") for what in whats)
    first, *others = whats
    return ", ".join([first, *(what.removeprefix(f"{protocol} ") if alike else what for what in others)])


def width(prefix: object) -> str:
    """How many addresses a range holds, in words and brackets; empty if it is no range."""
    try:
        network = ipaddress.ip_network(str(prefix), strict=False)
    except ValueError:
        return ""
    if network.prefixlen == 0:
        return f"(everyone: all IPv{network.version} addresses)"
    space = public_space(network)
    if network.version != 4 and space.v4 and not space.v6:  # noqa: PLR2004 - IPv4 written as IPv6
        return f"({count_in_words(space)}, written as IPv6)"
    count = network.num_addresses
    return f"({in_words(count)} address{'es' * (count > 1)})"


def opening_warnings(rule: Mapping[str, Any]) -> list[str]:
    """What to think of before letting traffic through."""
    many = width(rule.get("remote_ip_prefix")).strip("()")
    return [
        f"It is open to {many}. Where one address needs it, a /32 (IPv6: /128) is enough.",
        *(["It lets SSH in from there."] if _covers_ssh(rule) else []),
        DELAY,
    ]


def _covers_ssh(rule: Mapping[str, Any]) -> bool:
    """Whether it lets SSH in, as far as it can be read."""
    return any(ingress.covers(_TCP, _SSH) for ingress in read_rules([rule]))
