"""Judges signs that a thing got something, or lost it: rules, volumes, the instances behind a firewall."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Final

from barrack_mcp.account.things import objects, status, text
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.signs import RuleAdded, RuleRemoved, VolumesMoved
from barrack_mcp.dispatch.writes.looking.sign import NOT_READ_BEFORE, Case, Seen
from barrack_mcp.dispatch.writes.looking.view import View

_WORDS: Final = ("direction", "ethertype", "protocol")
_ALL_PORTS: Final = frozenset({(None, None), (-1, -1), (0, 0), (0, 65_535), (1, 65_535)})
"""The ways to say that a rule is for every port."""


def judge_rule_added(sign: RuleAdded, case: Case) -> Seen:
    """Look for a rule like the one asked for that was not there before."""
    before, after = _part(case.before, sign.rules), _part(case.after, sign.rules)
    if before is None:
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if after is None:
        return Seen("its rules are not told now")
    wanted = _meaning(dict(case.values))
    known = {text(rule, "id") for rule in before}
    fresh = [rule for rule in after if text(rule, "id") not in known and _meaning(rule) == wanted]
    if len(fresh) == 1 and text(fresh[0], "id"):
        return Seen("such a rule is there now that was not before", {**case.target, "rule": fresh[0]})
    return Seen("no such rule has come yet" if not fresh else "which of the rules is the new one can't be told")


def judge_rule_removed(sign: RuleRemoved, case: Case) -> Seen:
    """Look whether the rule, which has to have been there before, is still there."""
    rule_id = case.values["rule_id"]
    before, after = _part(case.before, sign.rules), _part(case.after, sign.rules)
    if before is None or rule_id not in {text(rule, "id") for rule in before}:
        return Seen(f"{NOT_READ_BEFORE}, or the rule was not there", hopeless=True)
    if after is None:
        return Seen("its rules are not told now")
    if rule_id in {text(rule, "id") for rule in after}:
        return Seen("the rule is still there")
    return Seen("the rule was there before, and is gone now", {**case.target, "rule_id": rule_id})


def judge_volumes(sign: VolumesMoved, case: Case) -> Seen:
    """Look whether all of the volumes are where they were to be, and some were not before."""
    wanted = set(case.values["volume_ids"])
    before, after = _part(case.before, "volume_attachments"), _part(case.after, "volume_attachments")
    if before is None:
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if after is None:
        return Seen("its volumes are not told now")
    had, has = _moved(wanted, before, attached=sign.attached), _moved(wanted, after, attached=sign.attached)
    state = "attached" if sign.attached else "detached"
    if had == wanted:
        return Seen(f"all of them were {state} before the call", hopeless=True)
    if has != wanted:
        return Seen(f"{len(has)} of {len(wanted)} are {state}")
    receipt = {**case.target, "volume_ids": case.values["volume_ids"]}
    return Seen(f"all of them are {state} now, and were not before", receipt)


def _moved(wanted: set[str], rows: list[JsonObject], *, attached: bool) -> set[str]:
    """Those of the volumes that are where they were to be."""
    there = {text(row, "volume_id") for row in rows}
    failed = {text(row, "volume_id") for row in rows if status(row) == "ERROR"}
    return (wanted & there) - failed if attached else wanted - there


def judge_firewall(case: Case) -> Seen:
    """Look whether the instances that were to have the firewall have it, and it was otherwise before.

    The list may replace the present one or add to it; an instance that got the firewall shows both, one that was to
    lose it shows the first only.
    """
    wanted = set(case.values["instance_ids"])
    had, has = _behind(case.before), _behind(case.after)
    if had is None:
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if has is None:
        return Seen("its instances are not told now")
    if had == wanted:
        return Seen("the same instances had it before the call", hopeless=True)
    receipt = {**case.target, "instance_ids": sorted(has)}
    if has == wanted:
        return Seen("exactly these instances have it now, and it was otherwise before", receipt)
    if wanted.issubset(has) and not wanted.issubset(had):
        return Seen("these instances have it now, and not all of them had before; others have it, too", receipt)
    return Seen("other instances have it")


def _behind(view: View) -> set[str] | None:
    rows = _part(view, "attachments")
    if rows is None:
        return None
    found = [
        text(vm if isinstance(vm := row.get("vm"), dict) else row, "instance_id") or text(row, "instance_id")
        for row in rows
        if status(row) != "ERROR"
    ]
    named = {instance_id for instance_id in found if instance_id}
    # an instance that isn't named could be any
    return named if all(found) else None


def _part(view: View, name: str) -> list[JsonObject] | None:
    """The rows of a part of the thing; None if it is not told."""
    if view.thing is None or not isinstance(view.thing.get(name), list):
        return None
    return objects(view.thing[name])


def _meaning(rule: JsonObject) -> tuple[object, ...]:
    """What a rule lets through, however it is written."""
    ports = (rule.get("port_range_min"), rule.get("port_range_max"))
    prefix: object = rule.get("remote_ip_prefix")
    with suppress(ValueError):
        prefix = ipaddress.ip_network(str(prefix), strict=False)
    words = (str(text(rule, name)).casefold() for name in _WORDS)
    return (*words, prefix, None if ports in _ALL_PORTS else ports)
