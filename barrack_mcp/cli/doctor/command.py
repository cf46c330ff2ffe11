"""The command: looks, shows, writes the report on request, and answers a number for scripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import anyio.to_thread
from rich.console import Console
from rich.text import Text

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.cli.doctor.examine import examine
from barrack_mcp.cli.doctor.report import Report
from barrack_mcp.cli.doctor.show import as_markdown, as_page, as_text
from barrack_mcp.config import Settings
from barrack_mcp.server.contract import keep_seen, open_contract

_USAGE: Final = 2


async def doctor(
    settings: Settings,
    *,
    as_json: bool = False,
    out: Path | None = None,
    contract: Contract | None = None,
) -> int:
    """Examine everything and show what came of it.

    Args:
        settings: What the operator set.
        as_json: Whether to show JSON instead of tables.
        out: Where to write the report as well: JSON if the name ends so, else Markdown. It may be shown to others.
        contract: The contract in force; by default the one that the settings make.

    Returns:
        0 if all is well, 1 if a read differs or is missing or a record is broken, 2 for settings and state, 3 for the
        key, 4 if the API can't be reached.
    """
    contract = contract or await open_contract(settings)
    report = await examine(settings, contract=contract)
    if report.seen_working and not settings.simulator:
        contract.trust(report.seen_working)
        await anyio.to_thread.run_sync(keep_seen, settings, contract)
    if as_json:
        sys.stdout.write(f"{as_text(report)}\n")
    else:
        console = Console(highlight=False)
        console.print(as_page(report, width=console.width))
    if out is not None and (wrong := await anyio.to_thread.run_sync(_write, out, report)):
        Console(stderr=True, highlight=False).print(Text(f"barrack-mcp: {wrong}"), soft_wrap=True)
        return report.exit_code or _USAGE
    return report.exit_code


def _write(path: Path, report: Report) -> str:
    """Write the report; answers what went wrong, if anything."""
    text = f"{as_text(report)}\n" if path.suffix == ".json" else as_markdown(report)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        return f"The report can't be written to {path} ({error.strerror})."
    return ""
