"""Learns how the API is spelled, shows it, and writes it where a person may read it; nothing counts by that."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import anyio
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from barrack_mcp.api.client import KeyAuth
from barrack_mcp.api.learning.addresses import ask_addresses
from barrack_mcp.api.learning.asking import Asker, open_asker
from barrack_mcp.api.learning.contract.bundle import bundle
from barrack_mcp.api.learning.contract.file import is_news, write
from barrack_mcp.api.learning.contract.merging import Learned, merge
from barrack_mcp.api.learning.found import Found, Hindrance
from barrack_mcp.api.learning.root import find_lists
from barrack_mcp.api.learning.schema import find_schema
from barrack_mcp.api.learning.site import read_site
from barrack_mcp.api.redact import Redaction
from barrack_mcp.api.wire.overrides import Overrides
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.cli.contract.learned import learned_as_json, learned_as_page
from barrack_mcp.cli.process import ExitCode, complain
from barrack_mcp.config import Settings
from barrack_mcp.server.contract import open_contract, place
from barrack_mcp.state.cache import CacheFolder

DOCS: Final = "https://docs.barrack.ai"
"""The vendor's documentation site."""

_THERE: Final = "{} is there already and may hold work by hand; give another name."
_REPORT: Final = (
    "{} holds what was learned, by names and types, without your key and without anything of your account. Look "
    "through it, then attach it to an issue of this project."
)
_ONLY_DOCS: Final = "No API key is set, so the documentation alone is read."
_NO_API: Final = "The simulator speaks as we ship it, so the documentation alone is read."


@dataclass(frozen=True)
class Reading:
    """What was read, source by source.

    Attributes:
        founds: What each source says.
        reached: Whether any of them answered.
        key_refused: Whether the API turned the key away.
    """

    founds: tuple[Found, ...]
    reached: bool = True
    key_refused: bool = False


@dataclass(frozen=True)
class Files:
    """New files to write.

    Attributes:
        contract: For the contract.
        report: For a bundle of what was learned.
    """

    contract: Path | None = None
    report: Path | None = None


NO_FILES: Final = Files()


async def learn(
    settings: Settings,
    *,
    docs: str | None = DOCS,
    with_api: bool = True,
    out: Path | None = None,
    report: Path | None = None,
    json_wanted: bool = False,
    today: date | None = None,
) -> ExitCode:
    """Read what the vendor publishes of the API and what the API says of itself, and show what a contract would be.

    Args:
        settings: What the operator set.
        docs: The documentation site; None to leave it out.
        with_api: Whether the API is asked, too.
        out: A new file for the contract.
        report: A new file for a bundle of what was learned, for this project.
        json_wanted: JSON instead of a page.
        today: The day that is told with what was read; by default this one.

    Returns:
        0 learned, 1 nothing new, 2 usage; where nothing was learned at all 3 if the key was refused, 4 if nothing was
        reached.
    """
    for file in (out, report):
        if file is not None and await anyio.Path(file).exists():
            complain(_THERE.format(file))
            return ExitCode.USAGE
    contract = await open_contract(settings)
    url, header, template = place(settings, contract)
    key = settings.key if with_api and not settings.simulator else None
    if with_api and key is None:
        complain(_NO_API if settings.simulator else _ONLY_DOCS)
        if docs is None:
            return ExitCode.KEY
    auth = KeyAuth(key, header=header, template=template) if key is not None else None
    try:
        async with open_asker(url, auth, network=settings.network, hide=Redaction(key).hidden) as asker:
            with _bar() as bar:
                cache = CacheFolder(settings.cache_folder / "documentation")
                day = today or datetime.now(UTC).date()
                known = {tool: said.path for tool, said in contract.overrides.operations.items() if said.path}
                reading = await _read(asker, docs, url, known=known, cache=cache, bar=bar, today=day)
    except ValueError as error:
        complain(f"--docs {error}.")
        return ExitCode.USAGE
    files = Files(out, report)
    return tell(reading, contract.overrides, base=url, files=files, json_wanted=json_wanted)


async def _read(
    asker: Asker,
    docs: str | None,
    url: str,
    *,
    known: Mapping[str, str],
    cache: CacheFolder,
    bar: Progress,
    today: date,
) -> Reading:
    """Ask the sources, the surest first; the addresses last, for what nobody has told, now or in the contract in force.

    So an API that allows a few requests alone is learned in several turns.
    """
    read: list[Found | None] = []
    if docs is not None:
        read.append(await read_site(asker, docs, cache=cache, today=today, progress=_task(bar, "documentation")))
    if asker.has_key:
        read.append(await find_schema(asker, url, today=today, tell=_task(bar, "the API's own document")))
        if _goes_on(read[-1]):
            read.append(await find_lists(asker, url, today=today, tell=_task(bar, "the API's root")))
        learned = merge(filter(None, read), base=url)
        known = {**known, **{tool: learned.comparison.findings[tool].written for tool in learned.origins}}
        if _goes_on(read[-1]) and len(known) < len(BY_TOOL):
            tell = _task(bar, "the API's addresses")
            read.append(await ask_addresses(asker, url, known=known, today=today, tell=tell))
    founds = tuple(filter(None, read))
    return Reading(
        founds,
        reached=len(founds) < len(read) or any(each.hindered is not Hindrance.UNREACHABLE for each in founds),
        key_refused=any(each.hindered is Hindrance.KEY for each in founds),
    )


def _goes_on(found: Found | None) -> bool:
    """Whether the API may be asked more; one that refuses the key for one thing may tell another."""
    return found is None or found.hindered in (None, Hindrance.KEY)


def _bar() -> Progress:
    """A bar for whoever looks on; nothing where nobody does."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _task(bar: Progress, name: str) -> Callable[[int, int], None]:
    task = bar.add_task(name, total=None)

    def step(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)

    return step


def tell(
    reading: Reading, in_force: Overrides, *, base: str, files: Files = NO_FILES, json_wanted: bool = False
) -> ExitCode:
    """Show what came of it, and write it if that is wanted.

    Args:
        reading: What was read.
        in_force: The contract in force.
        base: The base URL in force.
        files: Where to write it.
        json_wanted: JSON instead of a page.

    Returns:
        0 learned, 1 nothing new, 2 the file can't be made; where nothing was learned at all 3 if the key was refused,
        4 if nothing was reached.
    """
    learned = merge(reading.founds, base=base)
    news = bool(learned.origins or learned.auth_from) and is_news(learned, in_force)
    out = files.contract if news else None
    if out is not None and (wrong := _written(out, write(learned, in_force))):
        complain(wrong)
        return ExitCode.USAGE
    if files.report is not None and learned.origins:
        if wrong := _written(files.report, bundle(learned)):
            complain(wrong)
            return ExitCode.USAGE
        complain(_REPORT.format(files.report))
    if json_wanted:
        told = {"news": news, "written_to": str(out) if out is not None else None}
        typer.echo(json.dumps(told | learned_as_json(learned, in_force), ensure_ascii=False, indent=2))
    else:
        _show(learned, in_force, news=news, out=out)
    if news:
        return ExitCode.OK
    if learned.origins or learned.unsure:
        return ExitCode.FAILED
    if reading.key_refused:
        complain("The API refused the key, so nothing was learned: check it with barrack-mcp doctor.")
        return ExitCode.KEY
    return ExitCode.FAILED if reading.reached else ExitCode.UNREACHABLE


def _show(learned: Learned, in_force: Overrides, *, news: bool, out: Path | None) -> None:
    Console(highlight=False).print(learned_as_page(learned, in_force))
    if not learned.origins:
        typer.echo("\nNothing was learned.")
    elif not news:
        typer.echo("\nNothing new: the contract in force says all that was learned.")
    elif out is None:
        typer.echo(f"\nThis is what --out FILE would write:\n\n{write(learned, in_force)}", nl=False)
    else:
        typer.echo(f"\nWritten to {out}. It does not count yet: look through it, then set BARRACK_CONTRACT to it.")


def _written(out: Path, text: str) -> str:
    """Write a new file; answers what went wrong, if anything."""
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return _THERE.format(out)
    except OSError as error:
        return f"{out} can't be written ({error.strerror})."
    return ""
