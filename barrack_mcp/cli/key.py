"""Takes the API key from a person, sees whether the API accepts it, and keeps it in a file of theirs alone."""

from __future__ import annotations

import getpass
import shlex
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import SecretStr

from barrack_mcp.api.redact import Redaction, protect
from barrack_mcp.cli.doctor.examine import examine
from barrack_mcp.cli.doctor.report import Verdict
from barrack_mcp.cli.process import ExitCode, complain, configure, find_home, leave, run
from barrack_mcp.config import Settings, SettingsError, default_key_file, read_settings
from barrack_mcp.config.environment import clean
from barrack_mcp.server.contract import open_contract
from barrack_mcp.state.files import make_folder, replace

_MOST: Final = 4_096
"""Bytes of a file that may be one with a key in it; a larger one holds something else."""

app = typer.Typer()


@app.command()
def key(
    file: Annotated[
        Path | None, typer.Option(help="Where to keep it; by default in your configuration folder.")
    ] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Ask the API whether it accepts the key.")] = True,
) -> None:
    """Take the API key without showing it, see whether the API accepts it, and keep it in a file of yours alone.

    For example: barrack-mcp key, or from a password manager: pass show barrack | barrack-mcp key
    """
    path = (file or default_key_file(find_home())).absolute()
    _see_that_it_may_be_replaced(path)
    given = _given()
    settings = _with_key(given)
    if check and (code := run(accepted, settings)):
        raise typer.Exit(code)
    try:
        make_folder(path.parent)
        replace(path, given.get_secret_value().encode() + b"\n")
    except OSError as error:
        leave(f"{path} can't be written ({error.strerror}); the key is kept nowhere.", ExitCode.USAGE)
    here = shlex.quote(str(path))
    named = "" if path == default_key_file(find_home()).absolute() else f" --key-file {here}"
    typer.echo(f"Kept in {path}, for you alone. Let a client use it: barrack-mcp install CLIENT{named}")
    typer.echo(f"One that has an entry already takes it with --key-file {here}")
    typer.echo(f"In a shell: export BARRACK_API_KEY_FILE={here}")


def _see_that_it_may_be_replaced(path: Path) -> None:
    """End if what lies there is anything but a file with one line: it would be lost."""
    try:
        there = path.read_bytes() if path.stat().st_size <= _MOST else b"\n\n"
    except FileNotFoundError:
        return
    except OSError as error:
        leave(f"{path} can't be read ({error.strerror}); give another --file.", ExitCode.USAGE)
    if len(there.strip().splitlines()) > 1 or len(there) > _MOST:
        leave(f"{path} holds more than a key, and was left as it is; give another --file.", ExitCode.USAGE)


def _given() -> SecretStr:
    """Ask for the key without showing it; where nobody types, the first line is taken."""
    try:
        text = getpass.getpass("Barrack API key (not shown): ") if sys.stdin.isatty() else sys.stdin.readline()
    except (EOFError, KeyboardInterrupt):
        complain("No key was given; nothing was changed.")
        raise typer.Exit(ExitCode.USAGE) from None
    try:
        cleaned = clean(text)
    except ValueError as error:
        leave(f"The key {error}.", ExitCode.USAGE)
    if not cleaned:
        leave("No key was given; nothing was changed.", ExitCode.USAGE)
    return SecretStr(cleaned)


def _with_key(given: SecretStr) -> Settings:
    """The settings of this shell, with this key in place of any other."""
    before = configure(simulator=False)
    protect(Redaction(given))
    try:
        # checks the key as any other is checked
        read_settings({"BARRACK_API_KEY": given.get_secret_value()})
    except SettingsError as error:
        leave(str(error), ExitCode.USAGE)
    return before.model_copy(update={"api_key": given, "api_key_file": None})


async def accepted(settings: Settings) -> ExitCode:
    """Ask the API whether it accepts the key, and say what came of it; anything but 0 means that it is not kept."""
    report = await examine(settings, contract=await open_contract(settings))
    failing = [check for check in report.checks if check.verdict is Verdict.FAILS and check.code in _GRAVE]
    for each in failing:
        complain(f"{each.sentence} {each.mend}".rstrip())
    if failing:
        complain("The key was not kept. With --no-check it is kept as it is.")
        return failing[0].code
    (said,) = [check.sentence for check in report.checks if check.name == "key accepted"] or ["The API was reached."]
    typer.echo(said)
    return ExitCode.OK


_GRAVE: Final = frozenset({ExitCode.KEY, ExitCode.UNREACHABLE})
"""What tells that a key doesn't work, or that it can't be told."""
