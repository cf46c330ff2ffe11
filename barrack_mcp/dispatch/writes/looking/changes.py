"""Judges signs that a thing has changed: its state, its address, what it shows."""

from __future__ import annotations

from typing import Final

from barrack_mcp.account.things import status, text
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.signs import Reaches, Shows
from barrack_mcp.dispatch.writes.looking.sign import NOT_READ_BEFORE, Case, Seen, alike, same_text

_IP: Final[tuple[str, ...]] = ("public_ip", "ip_status")
_NO_IP: Final = frozenset({"", "DETACHED", "DETACHING", "NONE"})


def judge_state(sign: Reaches, case: Case) -> Seen:
    """Look at the thing's state."""
    if not (was := status(case.was or {})):
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if was in sign.states:
        return Seen(f"it was {mention(was)} before the call, too", hopeless=True)
    now = status(case.after.thing or {})
    if now in sign.states:
        return Seen(f"it was {mention(was)} before, and is {mention(now)} now", {**case.target, "status": now})
    if not now:
        return Seen("its state is not told now")
    after = ", as it would be either way" if sign.passes and now == was else ""
    return Seen(f"it is {mention(now)}{after}")


def judge_address(case: Case) -> Seen:
    """Look whether the instance had a public address and has none now, or the other way round."""
    before, after = case.was, case.after.thing
    had, has = _has_ip(before), _has_ip(after)
    if before is None or had is None:
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if after is None or has is None:
        return Seen("whether it has a public IP is not told now")
    if had is has:
        return Seen(f"it {'has a' if has else 'has no'} public IP, as before the call")
    if status(before) != status(after):
        return Seen("its public IP changed, but so did its state, which may be why")
    receipt: JsonObject = {name: after[name] for name in _IP if name in after}
    words = f"it {'had a' if had else 'had no'} public IP before, and {'has one' if has else 'has none'} now"
    return Seen(words, {**case.target, **receipt})


def _has_ip(row: JsonObject | None) -> bool | None:
    if row is None or not any(name in row for name in _IP):
        return None
    return bool(text(row, "public_ip")) or (text(row, "ip_status") or "").upper() not in _NO_IP


def judge_values(sign: Shows, case: Case) -> Seen:
    """Look whether the thing shows what was asked for now, and showed something else before."""
    asked = {field: case.values[argument] for argument, field in sign.values.items() if argument in case.values}
    before, after = case.was or {}, case.after.thing or {}
    if any(before.get(field) is None for field in asked):
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if _showing(asked, before):
        return Seen("it looked like that before the call", hopeless=True)
    if _showing(asked, after):
        return Seen("it looks as asked for now, and did not before", {str(case.operation.result): after})
    return Seen("it does not look as asked for yet")


def _showing(asked: JsonObject, row: JsonObject) -> bool:
    return all(_same(value, row.get(field)) for field, value in asked.items())


def _same(asked: object, found: object) -> bool:
    return same_text(asked, found) if isinstance(asked, str) else found is not None and alike(asked, found)
