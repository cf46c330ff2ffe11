"""The record at a terminal: whether it is whole, and how it ends: when, who, what, how it was confirmed, what came."""

from __future__ import annotations

import heapq
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from barrack_mcp.account.things import counted
from barrack_mcp.api.text import escape
from barrack_mcp.cli.process import AsJson, ExitCode, Simulator, configure, leave
from barrack_mcp.cli.tools.layout import cut, in_words
from barrack_mcp.state import audit
from barrack_mcp.state.audit import AuditError
from barrack_mcp.state.audit.file import Snapshot, reading
from barrack_mcp.state.audit.place import records_at
from barrack_mcp.state.audit.record import MAX_LINE, JsonObject, parsed

_BLOCK: Final = 65_536
_MAX_SHOWN: Final = 300
_LONGEST_WHO: Final = 24
_FIXED: Final = {"seq", "at", "kind", "prev", "hash"}
_SEALS: Final = {"prev", "hash"}
"""What only `verify` needs."""

app = typer.Typer(name="audit", help="The record of what was done: check it, or read its end.", no_args_is_help=True)


@app.command()
def verify(simulator: Simulator = False) -> None:
    """Check that no line of the record was changed, moved or taken out; exit 1 and say where if one was."""
    place = _place(simulator=simulator)
    console = Console(highlight=False)
    broken = 0
    records = _records(place)
    for path in records:
        try:
            report = audit.verify(path)
            whole, told = report.ok, report.as_text()
        except AuditError as error:
            if records == [place]:
                leave(str(error), ExitCode.USAGE)
            whole, told = False, str(error)
        broken += not whole
        console.print(Text(f"{path}"), soft_wrap=True)
        console.print(Text(told, style="" if whole else "bold red"), soft_wrap=True)
    if records != [place]:
        ended = f"{broken} not as written" if broken else "all as written"
        console.print(Text(f"{counted(len(records), 'record')} in {place}: {ended}."), soft_wrap=True)
    raise typer.Exit(ExitCode.FAILED if broken else ExitCode.OK)


@app.command()
def tail(
    count: Annotated[int, typer.Option("-n", "--lines", min=1, max=10_000, help="How many calls.")] = 20,
    json_wanted: AsJson = False,
    simulator: Simulator = False,
) -> None:
    """Show the last calls that were sent, refused or approved, and what came of them."""
    try:
        place = _place(simulator=simulator)
        rows = last_rows(place, count)
    except AuditError as error:
        leave(str(error), ExitCode.USAGE)
    if json_wanted:
        typer.echo(as_json(rows))
    else:
        typer.echo(as_text(rows, width=shutil.get_terminal_size().columns), nl=False)


def _place(*, simulator: bool) -> Path:
    place = configure(simulator=simulator or None).audit_place
    if place is None:
        leave("BARRACK_AUDIT is off, so there is no record.", ExitCode.USAGE)
    return place


def _records(place: Path) -> list[Path]:
    try:
        records = records_at(place)
    except AuditError as error:
        leave(str(error), ExitCode.USAGE)
    if not records:
        leave(f"There is no audit record in {place}.", ExitCode.USAGE)
    return records


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was meant, decided or answered, with what came of it; any text in it is as it was written."""

    seq: int
    at: str
    kind: str
    who: str
    what: str
    confirmed: str
    came: str
    """Empty while nothing is known to have come of it."""
    record: JsonObject
    """The same as the record has it, with what came of it."""
    host: str = ""
    """Whose record has it, where several servers share a folder."""


def last_rows(place: Path | str, count: int) -> list[Row]:
    """Read the last rows of a record, or of all in a folder, oldest first; an intent and its outcome make one row.

    Verifies nothing. Rows of one record stay in its order, whatever its host's clock said.

    Raises:
        AuditError: There is no record, or it can't be read.
    """
    place = Path(place)
    if not place.is_dir():
        return _last_rows(place, count)
    records = records_at(place)
    if not records:
        raise AuditError(f"There is no audit record in {place}.")
    named = (
        [replace(row, host=path.stem, record={"host": path.stem, **row.record}) for row in _last_rows(path, count)]
        for path in records
    )
    return list(heapq.merge(*named, key=lambda row: row.at))[-count:] if count else []


def _last_rows(path: Path, count: int) -> list[Row]:
    rows: list[Row] = []
    outcomes: dict[str, JsonObject] = {}
    with reading(path) as snapshot:
        if snapshot is None:
            raise AuditError(f"There is no audit record at {path}.")
        for line in _backwards(snapshot):
            if len(rows) >= count:
                break
            fields = parsed(line)
            if fields is not None and fields.get("kind") == "outcome":
                outcomes[str(fields.get("intent"))] = fields
            else:
                rows.append(_row(fields, outcomes))
    return rows[::-1]


def as_text(rows: Sequence[Row], *, width: int = 120) -> str:
    """Lay rows out for a terminal, two lines each: when and what; who, how it was confirmed, and what came of it.

    Characters that a terminal would obey or not show are shown as escapes; what doesn't fit is cut at its end.

    Args:
        rows: The rows.
        width: Columns of the terminal.
    """
    if not rows:
        return "The audit record is empty.\n"
    lines: list[str] = []
    for row in rows:
        where = f" at {cut(_safe(row.host), _LONGEST_WHO)}" if row.host else ""
        how = [
            f"{cut(_safe(row.who), _LONGEST_WHO)}{where}",
            _safe(row.confirmed),
            _safe(row.came) or "no outcome is known",
        ]
        lines += [f"{_moment(row.at)}  {_safe(row.what)}".strip(), f"  {'; '.join(filter(None, how))}"]
    return "\n".join(cut(line, width) for line in lines) + "\n"


def as_json(rows: Sequence[Row]) -> str:
    """Write rows for a program, with all that the record has but its seals."""
    return json.dumps([row.record for row in rows], indent=2)


def _safe(text: str) -> str:
    return str(escape(text, limit=_MAX_SHOWN))


def _moment(at: str) -> str:
    return at[:19].replace("T", " ")


def _row(fields: JsonObject | None, outcomes: dict[str, JsonObject]) -> Row:
    """Make a row of any line: what is of a kind unknown here shows its fields as they are."""
    if fields is None:
        return Row(
            0,
            "",
            "damaged",
            "",
            "(a line that can't be read)",
            "",
            "look with `barrack-mcp audit verify`",
            {"kind": "damaged"},
        )
    kind, seq = _text(fields, "kind"), fields.get("seq")
    what = f"{_text(fields, 'tool')} {_said(fields.get('arguments'))}".strip()
    confirmed = came = ""
    outcome = outcomes.get(_text(fields, "id")) if kind == "intent" else None
    match kind:
        case "intent":
            confirmed, came = _text(fields, "confirmed"), "" if outcome is None else _came(outcome)
        case "decision":
            confirmed = "not confirmed"
            waits = _text(fields, "approval")
            came = f"waits for a person, request {waits}" if waits else _refused(fields)
        case "approval":
            what = f"{_text(fields, 'approval')} for {_text(fields, 'tool')}"
            came = f"{_text(fields, 'answer')} by {_text(fields, 'by')}"
        case "shown":
            summary = (fields.get("shown") or {}).get("summary", "")
            what = f"{_text(fields, 'tool')}: {summary}"
            confirmed, came = (
                "asked",
                f"request {_text(fields, 'approval')}" if fields.get("approval") else "by the client",
            )
        case "torn":
            what, came = "(an interrupted write)", f"{_text(fields, 'bytes')} bytes of a line that was never finished"
        case _:
            more = _said({name: fields[name] for name in fields if name not in _FIXED})
            what, came = f"{kind} {more}", "noted"
    return Row(
        seq=seq if isinstance(seq, int) else 0,
        at=_text(fields, "at"),
        kind=kind,
        who=_who(fields),
        what=what,
        confirmed=confirmed,
        came=came,
        record=_without_seals(fields) | ({} if outcome is None else {"outcome": _without_seals(outcome)}),
    )


def _who(fields: JsonObject) -> str:
    claim = _text(fields, "on_behalf_of")
    return f"{_text(fields, 'caller')} (says: for {claim})" if claim else _text(fields, "caller")


def _came(fields: JsonObject) -> str:
    status = fields.get("status")
    return f"{_text(fields, 'outcome')}{f' ({status})' if status else ''}: {_first_sentence(_text(fields, 'message'))}"


def _refused(fields: JsonObject) -> str:
    return f"{_text(fields, 'decision')}: {_first_sentence(_text(fields, 'message'))}"


def _first_sentence(message: str) -> str:
    """Cut what explains, which the record itself keeps."""
    sentence, stop, _ = message.partition(". ")
    return f"{sentence}." if stop else sentence


def _text(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value)


def _said(values: Any) -> str:
    """Write arguments as one types them at a shell, what is nested in words."""
    if not isinstance(values, dict):
        return "" if values is None else in_words(values)
    return " ".join(f"{name}={in_words(value)}" for name, value in values.items())


def _without_seals(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if name not in _SEALS}


def _backwards(snapshot: Snapshot) -> Iterator[bytes]:
    """Read whole lines from the last to the first; what stands after the last newline is left out."""
    position, held, at_end = snapshot.size, b"", True
    while position > 0:
        step = min(_BLOCK, position)
        position -= step
        snapshot.file.seek(position, os.SEEK_SET)
        first, *whole = (snapshot.file.read(step) + held).split(b"\n")
        if whole and at_end:
            whole, at_end = whole[:-1], False
        yield from reversed(whole)
        held = first
        if len(held) > 2 * MAX_LINE:
            yield b""
            return
    if not at_end:
        yield held
