"""What can be looked at without a network: settings, the state's folder, the audit record, the ledger, the key."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio.to_thread

from barrack_mcp.account.things import counted, joined, listed
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.cli.doctor.report import Check, Verdict
from barrack_mcp.cli.process import ExitCode
from barrack_mcp.config import PREFIX, Settings
from barrack_mcp.dispatch.writes.ledger import Ledger
from barrack_mcp.server.contract import learnable
from barrack_mcp.state.audit import AuditError, verify
from barrack_mcp.state.audit.place import records_at
from barrack_mcp.state.files import is_open_to_others
from barrack_mcp.state.store import StoreError, store_at

_OTHERS_WRITE: Final = 0o022
_SHOWN: Final = 5
_WORST_FIRST: Final = (Verdict.FAILS, Verdict.WARNING, Verdict.UNTRIED, Verdict.OK)
_LONGEST: Final = 60
_MOST_BYTES: Final = 50_000_000
"""More would not be verified in the time there is."""


async def look(settings: Settings, contract: Contract, *, now: Callable[[], float]) -> list[Check]:
    """Look at everything of this machine.

    Args:
        settings: What the operator set.
        contract: The contract in force.
        now: The time in seconds since 1970.
    """
    return [
        _settings(settings, contract),
        *_contract(settings, contract, now=now),
        await anyio.to_thread.run_sync(_folder, settings.state_file),
        await anyio.to_thread.run_sync(_audit, settings.audit_place),
        await _ledger(settings, now),
        _key(settings),
    ]


def _settings(settings: Settings, contract: Contract) -> Check:
    names = sorted(f"{PREFIX}{name.upper()}" for name in settings.model_fields_set - {"browser"})
    told = f"Set: {', '.join(names)}." if names else "All as shipped."
    if contract.overrides:
        told += f" Operations that the contract overrides: {len(contract.overrides.operations)}."
    return Check("settings", Verdict.OK, told)


def _contract(settings: Settings, contract: Contract, *, now: Callable[[], float]) -> Iterator[Check]:
    """What may be known better than we know it; nothing fails for it."""
    if words := learnable(settings, contract, datetime.fromtimestamp(now(), UTC).date()):
        yield Check("contract", Verdict.OK, words)


def _folder(state: Path) -> Check:
    """Look whether the state can be kept and whether others can read it; makes nothing."""
    name, folder = "state folder", state.parent
    shown = _at_home(folder)
    there = folder if folder.exists() else next((each for each in folder.parents if each.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        told = f"{shown} can't be written." if there == folder else f"{shown} is not there and can't be made."
        mend = "Set BARRACK_STATE to a file in a folder that you can write; until then nothing is changed, only read."
        return Check(name, Verdict.FAILS, told, mend, ExitCode.USAGE)
    if there != folder:
        return Check(name, Verdict.OK, f"{shown} is not there yet; it is made when it is needed.")
    ours = (each for each in (state, *folder.glob("*.key"), *folder.glob("*.secret")) if each.is_file())
    if loose := [each.name for each in ours if is_open_to_others(each)]:
        told = f"Others on this machine can read {', '.join(loose)} in {shown}."
        return Check(name, Verdict.WARNING, told, "Run: chmod 600.")
    if os.name == "posix" and folder.stat().st_mode & _OTHERS_WRITE:
        return Check(name, Verdict.WARNING, f"Others on this machine can write {shown}.", f"Run: chmod 700 {shown}.")
    return Check(name, Verdict.OK, f"{shown} can be written; its files are not open to others.")


def _at_home(path: Path) -> str:
    """A path without the user's name in it."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def _audit(place: Path | None) -> Check:
    """Look at each record there is; what is worst counts, and all is told."""
    name = "audit record"
    try:
        records = [] if place is None else [path for path in records_at(place) if place.is_dir() or path.exists()]
    except AuditError as error:
        return Check(name, Verdict.FAILS, str(error))
    if not records:
        why = "It is off: this is read-only." if place is None else "There is none yet; the first write makes it."
        return Check(name, Verdict.OK, why)
    checks = {path: _record(name, path) for path in records}
    if records == [place]:
        return checks[records[0]]
    worst = next(check for verdict in _WORST_FIRST for check in checks.values() if check.verdict is verdict)
    odd = [f"{path.name}: {each.sentence}" for path, each in checks.items() if each.verdict is not Verdict.OK]
    if not odd:
        told = f"All lines of {counted(len(records), 'record')} are as they were written; every intent has its outcome."
        return replace(worst, sentence=told)
    return replace(worst, sentence=" ".join(listed(odd, most=_SHOWN)))


def _record(name: str, path: Path) -> Check:
    look = "Look with: barrack-mcp audit verify."
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        return Check(name, Verdict.UNTRIED, f"It is larger than {_MOST_BYTES // 10**6} MB, which takes its time.", look)
    try:
        report = verify(path)
    except AuditError as error:
        return Check(name, Verdict.FAILS, str(error), look)
    meant = [f"{_plain(one.tool)} at {_plain(one.at)} (process {one.process})" for one in report.unfinished]
    told = f"Meant, and without an outcome: {joined(meant, most=_SHOWN)}." if meant else ""
    if report.first_break is not None:
        broken = f"The audit record is broken at line {report.first_break.line}. {told}".rstrip()
        return Check(name, Verdict.FAILS, broken, look)
    if told:
        return Check(name, Verdict.WARNING, told, "Unless that process still runs, look what took place.")
    return Check(name, Verdict.OK, f"All {report.lines} lines are as they were written; every intent has its outcome.")


def _plain(text: str) -> str:
    return ascii(text[:_LONGEST])[1:-1]


async def _ledger(settings: Settings, now: Callable[[], float]) -> Check:
    name, place = "ledger", settings.state_place
    if isinstance(place, Path) and not await anyio.to_thread.run_sync(place.exists):
        return Check(name, Verdict.OK, "No call is open; there is no state yet.")
    async with store_at(place, now=now, ca_file=settings.ca_file) as store:
        ledger = Ledger(store, now=now)
        try:
            entries = [each for each in await ledger.open_entries() if not ledger.under_way(each)]
        except StoreError as error:
            if not isinstance(place, Path):
                return Check(name, Verdict.UNTRIED, "The shared state can't be read.")
            return Check(name, Verdict.FAILS, f"The state can't be read: {error}", code=ExitCode.USAGE)
    if not entries:
        return Check(name, Verdict.OK, "No call is open.")
    sent = [
        f"{_plain(each.tool)} at {datetime.fromtimestamp(each.sent_at, UTC):%Y-%m-%d %H:%M:%S} UTC "
        f"(look with {_plain(each.look_tool)})"
        for each in entries
    ]
    told = f"Nobody knows what became of: {joined(sent, most=_SHOWN)}."
    return Check(name, Verdict.WARNING, told, "Look with the read named; the same call is held back until then.")


def _key(settings: Settings) -> Check:
    name = "key"
    if settings.key is None:
        mend = "Set BARRACK_API_KEY, or BARRACK_API_KEY_FILE, to a key from your account at Barrack."
        return Check(name, Verdict.FAILS, "No API key is set.", mend, ExitCode.KEY)
    if settings.simulator:
        return Check(name, Verdict.OK, "The simulator has its own.")
    where = "a file" if settings.api_key_file is not None else "the environment"
    key = settings.key.get_secret_value()
    if key.lower().startswith("bearer "):
        told = f"It comes from {where}, and has Bearer before it."
        return Check(name, Verdict.WARNING, told, "Copy it again, the key alone.")
    return Check(name, Verdict.OK, f"It comes from {where}.")
