"""Who may call over HTTP: lets a caller in with a token of their own, lists them, and takes one out."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Annotated, Any

import tomlkit
import typer
from tomlkit.exceptions import TOMLKitError

from barrack_mcp.catalogue import Risk
from barrack_mcp.cli.process import AsJson, ExitCode, configure, leave
from barrack_mcp.cli.tools import layout
from barrack_mcp.config.callers import NAME, WRONG_NAME, CallersError, digest, new_token, parse_callers, read_callers
from barrack_mcp.config.forms import SETS, read_words
from barrack_mcp.state.files import make_folder, replace

app = typer.Typer(
    no_args_is_help=True,
    help="Say who may call over HTTP. For example: barrack-mcp callers add ci-bot --risks read,change",
)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What the record calls them: letters, digits, @ . _ -")],
    subject: Annotated[
        str, typer.Option(help="In place of a token: whom the identity provider (BARRACK_OIDC_ISSUER) knows by this.")
    ] = "",
    group: Annotated[str, typer.Option(help="In place of a token: whoever is of this group of the provider's.")] = "",
    risks: Annotated[str, typer.Option(help="What they may: read, change, spend, interrupt, expose, destroy.")] = "",
    toolsets: Annotated[str, typer.Option(help="Toolsets that they see, of those that are served.")] = "",
    approver: Annotated[bool, typer.Option("--approver", help="They may say yes to what others ask for.")] = False,
    protect: Annotated[str, typer.Option(help="Globs of names and ids that they may not interrupt or destroy.")] = "",
    max_hourly_cost: Annotated[
        float | None, typer.Option(help="What the things that they buy may cost per hour together.")
    ] = None,
    max_monthly_cost: Annotated[
        float | None, typer.Option(help="What the things that they buy may come to in a month together.")
    ] = None,
) -> None:
    """Let a caller in, and print their token, once: only its SHA-256 is kept; or let in whom a provider knows."""
    if subject and group:
        leave("Give --subject or --group, not both: a row is for one of them.", ExitCode.USAGE)
    if NAME.fullmatch(name) is None:
        leave(f"That name is none: {WRONG_NAME}", ExitCode.USAGE)
    path = _file()
    document = _read(path)
    if name in document:
        leave("There is a caller of that name; remove them first, which ends their token.", ExitCode.USAGE)
    token = "" if subject or group else new_token()
    row: dict[str, Any] = {"subject": subject} if subject else {"group": group} if group else {"sha256": digest(token)}
    for field, words, known in (("risks", risks, tuple(Risk)), ("toolsets", toolsets, SETS)):
        try:
            if words:
                row[field] = [str(word) for word in read_words(words, field.removesuffix("s"), known)]
        except ValueError as error:
            leave(f"--{field} {error}", ExitCode.USAGE)
    if protect:
        row["protect"] = [word.strip() for word in protect.split(",") if word.strip()]
    if approver:
        row["approver"] = True
    budgets = {"max_hourly_cost": max_hourly_cost, "max_monthly_cost": max_monthly_cost}
    row |= {field: most for field, most in budgets.items() if most is not None}
    document[name] = row
    _write(path, document)
    if not token:
        who = "that subject" if subject else "members of that group"
        typer.echo(f"{name}: {who} may call with tokens of the identity provider (BARRACK_OIDC_ISSUER).")
        return
    typer.echo(token)
    typer.echo(f"That is the token of {name}, shown this once; clients send it as Authorization: Bearer …", err=True)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Who can't call any more.")]) -> None:
    """Take a row out: its token, if it has one, is no good from the next request on."""
    path = _file()
    document = _read(path)
    if name not in document:
        leave("There is no caller of that name; barrack-mcp callers list shows them.", ExitCode.USAGE)
    del document[name]
    _write(path, document)
    typer.echo(f"{name} can't call any more.")


@app.command(name="list")
def show(as_json: AsJson = False) -> None:
    """List the callers, how each is known, and what each may; tokens are not kept, so none is shown."""
    path = _file()
    try:
        callers = read_callers(path) if path.exists() else {}
    except CallersError as error:
        leave(str(error), ExitCode.USAGE)
    rows = [
        {
            "caller": name,
            "known_by": row.known_by,
            "risks": "all" if row.risks == frozenset(Risk) else ", ".join(risk for risk in Risk if risk in row.risks),
            "toolsets": ", ".join(row.toolsets),
            "approver": row.approver,
            "protect": ", ".join(row.protect),
            "max_hourly_cost": None if row.max_hourly_cost is None else str(row.max_hourly_cost),
            "max_monthly_cost": None if row.max_monthly_cost is None else str(row.max_monthly_cost),
        }
        for name, row in callers.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    elif rows:
        typer.echo("\n".join(layout.table(rows, width=shutil.get_terminal_size().columns)))
    else:
        typer.echo("Nobody may call yet: barrack-mcp callers add NAME")


def _file() -> Path:
    path = configure().http_tokens_file
    if path is None:
        leave(
            "Say in BARRACK_HTTP_TOKENS_FILE which file holds the callers; it is made if it isn't there.",
            ExitCode.USAGE,
        )
    return path


def _read(path: Path) -> tomlkit.TOMLDocument:
    """Read the file as a person wrote it, so that what they added stays."""
    try:
        if path.exists():
            read_callers(path)
            return tomlkit.parse(path.read_text(encoding="utf-8"))
    except (CallersError, TOMLKitError, OSError) as error:
        leave(str(error), ExitCode.USAGE)
    return tomlkit.document()


def _write(path: Path, document: tomlkit.TOMLDocument) -> None:
    """Keep the file for its owner alone; what would not be followed is not written."""
    text = re.sub(r"\n{3,}", "\n\n", tomlkit.dumps(document)).lstrip()
    try:
        parse_callers(text, str(path))
        make_folder(path.parent)
        replace(path, text.encode())
    except CallersError as error:
        leave(f"{error} Nothing was changed.", ExitCode.USAGE)
    except OSError as error:
        leave(f"{path} can't be written ({error.strerror}).", ExitCode.USAGE)
