"""The command: looks, shows, writes the report on request, and answers a number for scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio.to_thread
import typer
from rich.console import Console

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.cli.doctor.examine import examine
from barrack_mcp.cli.doctor.report import Report
from barrack_mcp.cli.doctor.show import as_markdown, as_page, as_text
from barrack_mcp.cli.process import ExitCode, Simulator, complain, configure, run
from barrack_mcp.config import Settings
from barrack_mcp.server.contract import keep_seen, open_contract

app = typer.Typer()


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the report there, too: .json, else Markdown.")] = None,
    simulator: Simulator = False,
) -> None:
    """Say what is wrong between here and the API, and how to mend it; sends nothing but GET, never writes."""
    raise typer.Exit(run(diagnose, configure(simulator=simulator or None), as_json=as_json, out=out))


async def diagnose(
    settings: Settings, *, as_json: bool = False, out: Path | None = None, contract: Contract | None = None
) -> ExitCode:
    """Examine everything and show what came of it.

    Args:
        settings: What the operator set.
        as_json: Whether to show JSON instead of tables.
        out: Where to write the report as well: JSON if the name ends so, else Markdown. It may be shown to others.
        contract: The contract in force; by default the one that the settings make.
    """
    contract = contract or await open_contract(settings)
    report = await examine(settings, contract=contract)
    if report.seen_working and not settings.simulator:
        contract.trust(report.seen_working)
        await anyio.to_thread.run_sync(keep_seen, settings, contract)
    if as_json:
        typer.echo(as_text(report))
    else:
        console = Console(highlight=False)
        console.print(as_page(report, width=console.width))
    if out is not None and (wrong := await anyio.to_thread.run_sync(_write, out, report)):
        complain(wrong)
        return report.exit_code or ExitCode.USAGE
    return report.exit_code


def _write(path: Path, report: Report) -> str:
    """Write the report; answers what went wrong, if anything."""
    text = f"{as_text(report)}\n" if path.suffix == ".json" else as_markdown(report)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        return f"The report can't be written to {path} ({error.strerror})."
    return ""
