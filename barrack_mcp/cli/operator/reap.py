"""Ends what is past its lease, from a shell: for cron, a systemd timer or a CronJob."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from barrack_mcp.api.errors import ApiError
from barrack_mcp.cli.process import AsJson, ExitCode, Simulator, complain, configure, leave, run
from barrack_mcp.cli.tools.call import EXIT_CODES
from barrack_mcp.config import Settings
from barrack_mcp.dispatch.reaping import Orders, Reaped, tell
from barrack_mcp.server.house import open_server

app = typer.Typer()


@app.command()
def reap(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete for good what is past its lease, hibernated machines too.")
    ] = False,
    start: Annotated[
        bool, typer.Option("--start", help="Start what is stopped, which costs the full rate, to hibernate it.")
    ] = False,
    as_json: AsJson = False,
    simulator: Simulator = False,
) -> None:
    """Hibernate what is past its lease; nobody is asked, what is protected stays, and all of it is recorded.

    It can run as often as you like, and twice at once: each machine is ended once. Run by cron, a systemd timer or a
    CronJob, it is what keeps leases.
    """
    settings = configure(simulator=simulator or None)
    if settings.read_only:
        leave("BARRACK_READ_ONLY is on, so nothing can be ended.", ExitCode.USAGE)
    raise typer.Exit(run(reap_once, settings, Orders(delete=delete, start=start, dry=dry_run), as_json=as_json))


async def reap_once(settings: Settings, orders: Orders, *, as_json: bool) -> ExitCode:
    """Reap once in each account and say what came of it; answers how that is told to scripts."""
    reaped: list[Reaped] = []
    unread: list[ExitCode] = []
    # with all the accounts that callers from elsewhere have
    async with open_server(settings, remote=True) as house:
        for opening in house.reapers():
            try:
                async with opening as reaper:
                    reaped += await reaper.reap(orders)
            except ApiError as error:
                complain(f"{error.sentence} Nothing was sent.")
                unread.append(EXIT_CODES.get(error.failure, ExitCode.FAILED))
    if as_json:
        typer.echo(json.dumps([each.fields for each in reaped], ensure_ascii=False, indent=2))
    elif reaped or not unread:
        typer.echo("\n".join(map(tell, reaped)) if reaped else "Nothing is past its lease.")
    return exit_code(reaped, unread)


def exit_code(reaped: Sequence[Reaped], unread: Sequence[ExitCode] = ()) -> ExitCode:
    """Answer the gravest of what came: unknown before failed, failed before refused; 0 where nothing is left to do.

    Args:
        reaped: What came of each machine.
        unread: Why accounts could not be read.
    """
    codes = {*unread, *(EXIT_CODES.get(each.failure, ExitCode.FAILED) for each in reaped)}
    gravest = (ExitCode.UNKNOWN, ExitCode.KEY, ExitCode.UNREACHABLE, ExitCode.FAILED, ExitCode.USAGE, ExitCode.REFUSED)
    return next((code for code in gravest if code in codes), ExitCode.OK)
