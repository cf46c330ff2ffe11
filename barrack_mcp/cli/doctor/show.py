"""A report for a person at a terminal, for an issue, and for a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from barrack_mcp.api.text import escape_markup
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.cli.doctor.report import Drift, Read, Report, Verdict

_WIDE: Final = 110
_STYLES: Final = {
    Verdict.OK: "green",
    Verdict.WORKS: "green",
    Verdict.WARNING: "yellow",
    Verdict.DIFFERS: "yellow",
    Verdict.UNTRIED: "dim",
    Verdict.FAILS: "red",
    Verdict.MISSING: "red",
    Verdict.REFUSED: "red",
}
_PASTE: Final = "Lines to paste into the file that BARRACK_CONTRACT names:"


def as_page(report: Report, *, width: int) -> Group:
    """Lay a report out for a terminal: the diagnosis, the checks, the reads, and the lines to paste."""
    parts: list[RenderableType] = [
        Text(report.diagnosis, style="bold green" if report.exit_code == 0 else "bold"),
        Text(),
        _checks(report),
    ]
    if report.reads:
        parts += [Text(), _reads(report, wide=width >= _WIDE)]
    if report.lines:
        parts += [Text(), Text(_PASTE, style="bold"), Text(report.lines.rstrip(), no_wrap=True, overflow="ignore")]
    parts += [Text(), Text(_end(report), style="dim")]
    return Group(*parts)


def as_json(report: Report) -> JsonObject:
    """A report as JSON."""
    return {
        "version": report.version,
        "diagnosis": report.diagnosis,
        "exit_code": report.exit_code.value,
        "checks": [{name: told for name, told in asdict(each).items() if name != "code"} for each in report.checks],
        "reads": [asdict(each) | {"override": each.lines} for each in report.reads],
        "override": report.lines,
        "seen_working": sorted(report.seen_working),
        "requests": report.requests,
        "seconds": round(report.seconds, 2),
    }


def as_text(report: Report) -> str:
    """A report as JSON text."""
    return json.dumps(as_json(report), ensure_ascii=False, indent=2)


def as_markdown(report: Report) -> str:
    """A report to paste into an issue; it holds no secret, id, name or IP of the account."""
    lines = [f"# barrack-mcp doctor ({report.version})", "", _cell(report.diagnosis), ""]
    lines += ["| check | verdict | what was seen |", "|---|---|---|"]
    lines += [f"| {each.name} | {each.verdict} | {_cell(each.sentence, each.mend)} |" for each in report.checks]
    if report.reads:
        lines += ["", "| read | path | verdict | what was seen |", "|---|---|---|---|"]
        lines += [
            f"| {each.tool} | `{each.method} {each.path}` | {each.verdict} | "
            f"{_cell(each.sentence, each.drift.sentence)} |"
            for each in report.reads
        ]
    if report.lines:
        lines += ["", _PASTE, "", "```toml", report.lines.rstrip(), "```"]
    return "\n".join([*lines, "", _end(report), ""])


def _cell(*sentences: str) -> str:
    return escape_markup(" ".join(each for each in sentences if each)).replace("|", "\\|")


def _end(report: Report) -> str:
    return (
        f"Requests to the API: {report.requests}, every one a GET. Time: {report.seconds:.1f} s. Nothing was written."
    )


def _checks(report: Report) -> Table:
    table = _table("check", "", "what was seen")
    for check in report.checks:
        told = Text(check.sentence)
        if check.mend:
            told.append(f" {check.mend}", style="italic")
        table.add_row(check.name, _marked(check.verdict), told)
    return table


def _reads(report: Report, *, wide: bool) -> Table:
    table = _table("read", "", *(("path",) if wide else ()), "what was seen")
    for read in report.reads:
        told = Text(" ".join(_told(read)), style="" if read.verdict is not Verdict.WORKS else "dim")
        path = (Text(read.path, style="dim"),) if wide else ()
        table.add_row(read.tool, _marked(read.verdict), *path, told)
    return table


def _told(read: Read) -> Iterator[str]:
    """What there is to say of a read in a row; fields are counted, and named in the report."""
    if read.sentence:
        yield read.sentence
    if told := Drift(types=read.drift.types).sentence:
        yield told
    drift = read.drift
    fields = {"perhaps renamed": drift.renamed, "new": drift.new, "absent": drift.missing}
    if counts := [f"{len(names)} {words}" for words, names in fields.items() if names]:
        yield f"Fields: {', '.join(counts)}."


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in ("check", "read", ""))
    return table


def _marked(verdict: Verdict) -> Text:
    return Text(verdict.value, style=_STYLES[verdict])
