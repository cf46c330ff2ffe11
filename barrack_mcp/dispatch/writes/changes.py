"""Signs that a thing has changed: its state, its address, its size, its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from barrack_mcp.catalogue import JsonObject
from barrack_mcp.dispatch.writes.sign import NOT_READ_BEFORE, Case, Seen, alike, same_text, shown, status, text

_IP: Final[tuple[str, ...]] = ("public_ip", "ip_status")
_NO_IP: Final = frozenset({"", "DETACHED", "DETACHING", "NONE"})


@dataclass(frozen=True)
class Reaches:
    """The instance is in a state to which the call leads, and was in none of them before.

    Attributes:
        states: Those states, the ones on the way included.
        passes: Whether the instance soon looks again as it did before.
    """

    states: tuple[str, ...]
    passes: bool = False

    async def __call__(self, case: Case) -> Seen:
        """Look at its state."""
        if not (was := status(case.was or {})):
            return Seen(NOT_READ_BEFORE, hopeless=True)
        if was in self.states:
            return Seen(f"it was {shown(was)} before the call, too", hopeless=True)
        now = status(case.after.thing or {})
        if now in self.states:
            receipt = {"instance_id": case.values["instance_id"], "status": now}
            return Seen(f"it was {shown(was)} before, and is {shown(now)} now", receipt)
        if not now:
            return Seen("its state is not told now")
        after = ", as it would be either way" if self.passes and now == was else ""
        return Seen(f"it is {shown(now)}{after}")


async def toggled(case: Case) -> Seen:
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
    return Seen(words, {"instance_id": case.values["instance_id"], **receipt})


def _has_ip(row: JsonObject | None) -> bool | None:
    if row is None or not any(name in row for name in _IP):
        return None
    return bool(text(row, "public_ip")) or text(row, "ip_status").upper() not in _NO_IP


async def resized(case: Case) -> Seen:
    """Look whether the volume has the size now that was asked for, and had another before."""
    wanted = case.values["size_gb"]
    before, after = case.was, case.after.thing or {}
    if not before or before.get("size_gb") is None:
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if alike(wanted, before["size_gb"]):
        return Seen("it had that size before the call", hopeless=True)
    if after.get("size_gb") is not None and alike(wanted, after["size_gb"]):
        return Seen("it has that size now, and had not before", {"volume": after})
    return Seen("it does not have that size yet")


async def rewritten(case: Case) -> Seen:
    """Look whether the script bears the new name and text now, and didn't before."""
    before, after = case.was, case.after.thing or {}
    if not before:
        return Seen(NOT_READ_BEFORE, hopeless=True)
    if _written(case, before):
        return Seen("it looked like that before the call", hopeless=True)
    if _written(case, after):
        return Seen("it looks as asked for now, and did not before", {"script": after})
    return Seen("it does not look as asked for yet")


def _written(case: Case, row: JsonObject) -> bool:
    return all(same_text(case.values[name], row.get(name)) for name in ("name", "script") if name in case.values)
