"""A person's side of the guard, at a terminal: what waits, and a yes or a no to it."""

from __future__ import annotations

import getpass
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from barrack_mcp.api.text import escape, mention
from barrack_mcp.cli.process import (
    NEITHER,
    ExitCode,
    Simulator,
    complain,
    configure,
    forget_typed_ahead,
    interruptible,
    is_yes,
    passphrase_given,
    run,
)
from barrack_mcp.cli.tools.plan import plan_lines
from barrack_mcp.config import Settings
from barrack_mcp.dispatch.witness import witness
from barrack_mcp.guard.approvals import Approval, ApprovalError, name_asker
from barrack_mcp.guard.asking.telling import read_plan
from barrack_mcp.guard.opening import PAGE_ADDRESS, PAGE_SECRET, open_state
from barrack_mcp.guard.page import is_served, login_link
from barrack_mcp.guard.passphrase import SHORTEST, hash_passphrase
from barrack_mcp.state.audit import Audit
from barrack_mcp.state.secret import KeyFileError, secret_in

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the request.")]

_LONGEST: Final = 1_000
"""Characters of a cell."""

app = typer.Typer()


@app.command()
def approvals(
    new_passphrase: Annotated[
        bool, typer.Option("--new-passphrase", help="Ask for a passphrase, and print its hash for the settings.")
    ] = False,
    simulator: Simulator = False,
) -> None:
    """List the calls that wait for a person's yes, and the latest answers."""
    if new_passphrase:
        raise typer.Exit(hash_new())
    run(show, configure(simulator=simulator or None))


@app.command()
def approve(approval_id: Id, simulator: Simulator = False) -> None:
    """Approve one call, once; wants a terminal."""
    raise typer.Exit(run(answer, configure(simulator=simulator or None), approval_id, yes=True))


@app.command()
def deny(approval_id: Id, simulator: Simulator = False) -> None:
    """Deny one call, or take back a yes that was not used yet; wants a terminal."""
    raise typer.Exit(run(answer, configure(simulator=simulator or None), approval_id, yes=False))


def at_terminal() -> bool:
    """Whether a person sits in front of this, as far as that can be told."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def hash_new() -> ExitCode:
    """Ask for a passphrase, twice, and print the hash that the settings take; nothing is kept."""
    if not at_terminal():
        complain("This wants a person at a terminal; no passphrase was made.")
        return ExitCode.USAGE
    passphrase = getpass.getpass("New passphrase for approvals: ")
    if len(passphrase) < SHORTEST:
        complain(f"A passphrase needs at least {SHORTEST} characters; none was made.")
        return ExitCode.USAGE
    if getpass.getpass("The same again: ") != passphrase:
        complain("These were two different passphrases; none was made.")
        return ExitCode.USAGE
    typer.echo(f"BARRACK_APPROVAL_PASSPHRASE_HASH={hash_passphrase(passphrase)}")
    return ExitCode.OK


async def show(settings: Settings) -> None:
    """List what waits and what was decided; at a terminal also the way to the page."""
    console = Console(highlight=False)
    async with open_state(
        settings.state_place, keys=settings.sealing_keys, ttl=settings.approval_ttl, ca_file=settings.ca_file
    ) as state:
        pending, recent = await state.approvals.pending(), await state.approvals.recent(10)
    console.print(_table("Waiting for an answer", pending) if pending else Text("Nothing waits for an answer."))
    if recent:
        console.print(_table("Answered", recent))
    if pending:
        console.print(Text("Answer with: barrack-mcp approve ID, or barrack-mcp deny ID"))
    if at_terminal() and (page := await _page(settings.state_folder)) is not None:
        console.print(Text(f"The page, for the next two minutes and once: {page}"), soft_wrap=True)


async def answer(settings: Settings, approval_id: str, *, yes: bool) -> ExitCode:
    """Show one request and take the answer of the person at the terminal: OK when it was decided as wanted."""
    console = Console(highlight=False)
    if not at_terminal():
        complain("This wants a person at a terminal; nothing was decided.")
        return ExitCode.USAGE
    by = f"local:{os.getuid()} at a terminal" if hasattr(os, "getuid") else "the local user at a terminal"
    record = witness(Audit(settings.audit_file)) if settings.audit_file is not None else None
    async with open_state(
        settings.state_place,
        keys=settings.sealing_keys,
        ttl=settings.approval_ttl,
        witness=record,
        ca_file=settings.ca_file,
    ) as state:
        try:
            approval = await state.approvals.find(approval_id)
            console.print(_details(approval))
            if not yes:
                await state.approvals.deny(approval_id, by=by)
                console.print(Text("Denied: the call will be refused.", style="bold"))
                return ExitCode.OK
            if (hindrance := _hindrance(approval, settings)) is not None:
                complain(hindrance)
                return ExitCode.FAILED
            # before the question is shown: what is typed from then on is its answer
            forget_typed_ahead()
            typed = _typed(console, approval.must_type)
            if approval.must_type is None and typed is None:
                console.print(Text(_NOT_APPROVED))
                return ExitCode.FAILED
            await state.approvals.approve(approval_id, by=by, typed=typed)
        except ApprovalError as error:
            complain(str(error))
            return ExitCode.FAILED
        except KeyboardInterrupt:
            console.print(Text(f"\n{_NOT_APPROVED}"))
            raise
    console.print(Text("Approved, once. The same call, made again, will now run.", style="bold green"))
    return ExitCode.OK


def _typed(console: Console, must_type: str | None) -> str | None:
    """Take what the person types: the name that is wanted, else a word for yes; None for a no."""
    with interruptible():
        if must_type is not None:
            console.print(Text(f"Type {escape(must_type)} to approve: "), end="")
            return sys.stdin.readline().rstrip("\r\n")
        console.print(Text("Approve? Type yes: "), end="")
        said = sys.stdin.readline()
        if is_yes(said) is None:
            console.print(Text(f"{NEITHER} Type yes or no: "), end="")
            said = sys.stdin.readline()
        return said if is_yes(said) else None


_NOT_APPROVED: Final = "Nothing was approved; the request still waits."


def _hindrance(approval: Approval, settings: Settings) -> str | None:
    """Say why this can't be approved here; None where it can."""
    if read_plan(approval.plan) is None:
        return "Another version wrote this request, and what can't be shown can't be approved."
    if not passphrase_given(settings):
        return "That is not the passphrase; nothing was approved, and the request still waits."
    return None


def _table(title: str, approvals: list[Approval]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("id", "what", "asked by", "status"):
        table.add_column(column, overflow="fold")
    for each in approvals:
        plan = read_plan(each.plan)
        cells = (each.id, plan.summary if plan is not None else each.tool, each.caller, _status(each))
        table.add_row(*(Text(str(escape(cell, limit=_LONGEST))) for cell in cells))
    return table


def _status(approval: Approval) -> str:
    if approval.decided_by is not None:
        return f"{approval.status}, by {approval.decided_by}"
    if approval.status == "pending":
        return f"waits, {max(0, approval.expires_at - time.time()):.0f} s left"
    return str(approval.status)


def _details(approval: Approval) -> Group:
    plan = read_plan(approval.plan)
    until = datetime.fromtimestamp(approval.expires_at, tz=UTC).strftime("%H:%M:%S UTC")
    asked = f"  Asked by {name_asker(approval)} with {mention(approval.tool)}; until {until}."
    return Group(*(plan_lines(plan) if plan is not None else ()), Text(asked, style="dim"))


async def _page(folder: Path) -> str | None:
    """Make a link to the page of a running server; None if none runs, or somebody else answers in its place."""
    try:
        address = (folder / PAGE_ADDRESS).read_text(encoding="utf-8").strip()
        secret = secret_in(folder / PAGE_SECRET)
    except (OSError, ValueError, KeyFileError):
        return None
    return login_link(address, secret=secret) if await is_served(address, secret=secret) else None
