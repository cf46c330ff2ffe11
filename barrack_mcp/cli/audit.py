"""The record at a terminal: whether it is whole, and how it ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from barrack_mcp.cli.audit_tail import as_text
from barrack_mcp.cli.audit_tail import tail as rows_of
from barrack_mcp.config import Settings
from barrack_mcp.state import audit

_WRONG: Final = 1
_USAGE: Final = 2


def verify(settings: Settings) -> int:
    """Check the record.

    Returns:
        0 when every line is as it was written, 1 when one is not, 2 when there is no record that can be read.
    """
    if (path := _path(settings)) is None:
        return _USAGE
    try:
        report = audit.verify(path)
    except audit.AuditError as error:
        return _complain(str(error))
    console = Console(highlight=False)
    console.print(Text(f"{path}"), soft_wrap=True)
    console.print(Text(report.as_text(), style="" if report.ok else "bold red"), soft_wrap=True)
    return 0 if report.ok else _WRONG


def tail(settings: Settings, count: int) -> int:
    """Show the record's last rows; 2 when there is no record that can be read."""
    if (path := _path(settings)) is None:
        return _USAGE
    try:
        rows = rows_of(path, count)
    except audit.AuditError as error:
        return _complain(str(error))
    sys.stdout.write(as_text(rows, width=Console().width))
    return 0


def _path(settings: Settings) -> Path | None:
    if settings.audit_file is None:
        _complain("BARRACK_AUDIT is off, so there is no record.")
    return settings.audit_file


def _complain(sentence: str) -> int:
    Console(stderr=True, highlight=False).print(Text(f"barrack-mcp: {sentence}"), soft_wrap=True)
    return _USAGE
