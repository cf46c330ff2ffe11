"""Whom a call opens things to: which calls may, what a thing lets in already, and how that is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from barrack_mcp.account.reading import Listing
from barrack_mcp.account.things import Thing, objects, text
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.guard.exposure import ANYTHING, Ingress, Opening, opened, read_rule, read_rules

_ATTACHED: Final = frozenset({"", "SUCCESS", "ACTIVE", "ATTACHED", "ATTACHING"})
_MOST_TOLD: Final = 8
"""Openings of one thing that are told one by one."""


def _one_rule(arguments: JsonObject) -> bool:
    rule = read_rule(arguments)
    return rule is not None and any(rule.space)


MAY_OPEN: Final[Mapping[str, Callable[[JsonObject], bool]]] = MappingProxyType(
    {
        "add_instance_security_rule": _one_rule,
        "add_firewall_rule": _one_rule,
        "attach_firewall": lambda arguments: bool(arguments["instance_ids"]),
        "deploy_instance": lambda arguments: bool(opened([], read_rules(arguments.get("security_rules") or []))),
        "restore_instance": lambda _: True,
        "restore_snapshot": lambda _: True,
        "toggle_instance_public_ip": lambda _: True,
    }
)
"""By tool, whether a call with these arguments can open something widely; its plan says whether it does."""


def may_open(tool: str, arguments: JsonObject) -> bool:
    """Whether only what is read can tell that a call opens nothing widely."""
    return tool in MAY_OPEN and MAY_OPEN[tool](arguments)


def rules_of(instance: JsonObject, firewalls: Listing) -> list[Ingress]:
    """What an instance lets in by its own rules and its firewalls'; what wasn't read counts as anything."""
    found = read_rules(instance.get("security_rules"))
    for firewall in firewalls.rows:
        found += _in_force(read_rules(firewall.get("rules")), firewall)
    return found if firewalls.complete else [*found, ANYTHING]


def rules_of_others(instance: Thing, firewalls: Listing, *, but: Thing) -> list[Ingress]:
    """What an instance lets in by its firewalls but one, going by a list of all firewalls."""
    ids = {mark.casefold() for mark in (instance.id, text(instance.row, "instance_id")) if mark}
    found: list[Ingress] = []
    for firewall in firewalls.rows:
        if text(firewall, "id") == but.id:
            continue
        rules = read_rules(firewall.get("rules"))
        bonds = firewall.get("attachments")
        if not isinstance(bonds, list):
            found += _uncertain(rules)
            continue
        for bond in objects(bonds):
            vm = bond.get("vm")
            at = text({**bond, **vm} if isinstance(vm, dict) else bond, "instance_id")
            if at is None:
                found += _uncertain(rules)
            elif at.casefold() in ids:
                found += _in_force(rules, bond)
    return found if firewalls.complete else [*found, ANYTHING]


def _in_force(rules: list[Ingress], bond: JsonObject) -> list[Ingress]:
    return rules if (text(bond, "status") or "").upper() in _ATTACHED else _uncertain(rules)


def _uncertain(rules: list[Ingress]) -> list[Ingress]:
    return [replace(rule, certain=False) for rule in rules]


def tell_openings(openings: Iterable[Opening], whose: str) -> list[str]:
    """Say of each opening whom it lets in and where: `everyone on tcp 22 of instance «train-1»`.

    Nobody reads more than a few of them: the widest stand for all.
    """
    found = sorted(openings, key=lambda opening: opening.space.sizes, reverse=True)
    more = len(found) - _MOST_TOLD
    rest = [f"no more than these on {more:,} other ranges of ports of {whose}"] if more > 0 else []
    alike: dict[str, list[str]] = {}
    for opening in found[:_MOST_TOLD]:
        alike.setdefault(opening.whom, []).append(opening.where)
    return [*(f"{whom} on {' and '.join(where)} of {whose}" for whom, where in alike.items()), *rest]
