"""The Redis that servers share, where BARRACK_STATE names one: whether it is there, and keeps what it holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from barrack_mcp.cli.doctor.report import Check, Verdict
from barrack_mcp.cli.process import ExitCode
from barrack_mcp.config import Settings
from barrack_mcp.state.store import StoreError

if TYPE_CHECKING:
    from barrack_mcp.state.store.redis.link import Link

NAME: Final = "shared state"

_NEARLY_FULL: Final = 0.9
_UNCHANGED: Final = "Until then nothing is changed, only read."
_ALWAYS: Final = "With appendfsync always and no replica nothing would be."


async def look_at_shared(settings: Settings) -> list[Check]:
    """Look at the Redis that is named; writes nothing there.

    Args:
        settings: What the operator set.
    """
    if not isinstance(settings.state, SecretStr):
        return []
    from barrack_mcp.state.store.redis.link import Link  # noqa: PLC0415 - only who shares a state needs its packages

    link = Link(settings.state.get_secret_value(), ca_file=settings.ca_file)
    try:
        told = await link.ask("INFO")
        return [_unusable(told) or _perhaps_lost(told) or await _kept(link, told)]
    except StoreError as error:
        return [Check(NAME, Verdict.FAILS, str(error), _UNCHANGED, ExitCode.UNREACHABLE)]
    finally:
        await link.aclose()


def _unusable(told: Mapping[str, Any]) -> Check | None:
    """Say why nothing could be kept in it."""
    from barrack_mcp.state.store.redis.keeping import OLDEST, throws_away  # noqa: PLC0415 - likewise

    version = _version(told)
    if version and int(version.partition(".")[0]) < OLDEST:
        return _fails(f"It is version {version}, and {OLDEST} or newer is needed.", "Let a newer one run there.")
    if told.get("role") not in (None, "master"):
        return _fails("It is a replica, which takes no writes.", "Let BARRACK_STATE name the one that it copies.")
    if throws_away(told):
        return _fails("It may throw away what it holds when it is full.", "Set its maxmemory-policy to noeviction.")
    return None


def _perhaps_lost(told: Mapping[str, Any]) -> Check | None:
    """Say what may soon go wrong with what is kept in it."""
    most, used = told.get("maxmemory") or 0, told.get("used_memory") or 0
    if most and used > _NEARLY_FULL * most:
        told_so = f"It is nearly full ({used / most:.0%} of its maxmemory), and then takes no writes."
        return Check(NAME, Verdict.WARNING, told_so, "Give it more memory.")
    if not told.get("aof_enabled"):
        told_so = "It writes nothing down as it comes: a new start of it loses leases, budgets and every yes."
        return Check(NAME, Verdict.WARNING, told_so, "Set appendonly yes; better still with appendfsync always.")
    if told.get("aof_last_write_status") not in (None, "ok"):
        return _fails("It can't write to its disk what it holds.", "See that its disk isn't full.")
    return None


async def _kept(link: Link, told: Mapping[str, Any]) -> Check:
    """Say what a new start of it would cost."""
    from barrack_mcp.state.store.redis.keeping import is_written_at_once, proves  # noqa: PLC0415 - likewise

    what = f"It answers, is version {_version(told) or 'unknown'}, and keeps what it holds"
    if await proves(link, told):
        return Check(NAME, Verdict.OK, f"{what} through a new start of it.")
    told_so = f"{what}, but for perhaps the last second: after a new start what waits for a yes is asked for anew."
    if await is_written_at_once(link) is None:
        return Check(NAME, Verdict.OK, f"{told_so} Its user may not ask for appendfsync, so more can't be told.")
    return Check(NAME, Verdict.OK, f"{told_so} {_ALWAYS}")


def _version(told: Mapping[str, Any]) -> str:
    """Its version; empty unless that is plainly one."""
    version = str(told.get("redis_version", ""))
    return version if re.fullmatch(r"\d{1,4}(\.\d{1,6}){0,3}", version) else ""


def _fails(told: str, mend: str) -> Check:
    return Check(NAME, Verdict.FAILS, told, f"{mend} {_UNCHANGED}", ExitCode.USAGE)
