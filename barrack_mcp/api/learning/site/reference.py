"""All pages of a documentation site as one document: for each operation its newest page, and one base address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from urllib.parse import urlsplit

from barrack_mcp.api.learning.site.pages import Page, claimed, differs_in_title
from barrack_mcp.api.openapi.document import Auth, Document, TheirOperation
from barrack_mcp.api.openapi.export import SERVER
from barrack_mcp.api.text import cite
from barrack_mcp.api.wire.bounds import OWNERS, Place, place

FEW: Final = 10
"""How many titles a sentence names."""

_BELOW: Final = urlsplit(SERVER).path
_MOST_NOTES: Final = 40
_SENT_ANYWAY: Final = frozenset({"authorization", "content-type", "accept"})

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class _Row:
    """An operation with the page that has it, its path counted from its host's root where the page says so."""

    page: Page
    operation: TheirOperation
    path: str
    rooted: bool

    @property
    def there(self) -> Place:
        return place(self.operation.method, self.path)


def bind(pages: Sequence[Page], name: str) -> tuple[Document, list[str]]:
    """Put the pages of a site together.

    Args:
        pages: All that could be read.
        name: What to call the whole: the site's address.

    Returns:
        The document, and what is to be told of how the pages differ, a sentence each.
    """
    notes: list[str] = []
    rows = _newest([_row(page, operation) for page in pages for operation in page.operations], notes)
    # what belongs to nobody of ours may be reached and entered otherwise
    mine = [row for row in rows if claimed(row.operation)] or rows
    hosts = [_host(row.page.document.url) for row in mine if row.page.document.url]
    host = _agreed(hosts, "the API's address", _named, notes)
    auths = [row.page.document.auth for row in mine if row.page.document.auth is not None]
    auth = _agreed(auths, "the key's header", lambda each: f"{each.header}: {each.template}", notes)
    base = _base(mine)
    operations = tuple(_settled(row, base, auth) for row in rows)
    _tell_titles([row.page for row in rows], notes)
    _tell_status(rows, notes)
    odd = list(dict.fromkeys(note for page in pages for note in page.document.notes))
    if len(odd) > _MOST_NOTES:
        odd = [*odd[:_MOST_NOTES], f"{len(odd) - _MOST_NOTES} more oddities of the pages are not told."]
    # with no host to stand below, what pages give as a path alone stays before each path
    prefix = base if host is None and base != _BELOW else ""
    url = f"{host}{base}" if host is not None else None
    return Document(name=name, url=url, prefix=prefix, auth=auth, operations=operations, notes=odd), notes


def few(titles: Iterable[str]) -> str:
    """Name some things by their titles, and say how many more there are."""
    known = list(dict.fromkeys(titles))
    shown = ", ".join(cite(title) for title in known[:FEW])
    return f"{shown} and {len(known) - FEW} more" if len(known) > FEW else shown


def _row(page: Page, operation: TheirOperation) -> _Row:
    document = page.document
    before = urlsplit(document.url).path.rstrip("/") if document.url else document.prefix
    return _Row(page, operation, before + operation.path, rooted=bool(document.url or document.prefix))


def _newest(rows: Sequence[_Row], notes: list[str]) -> list[_Row]:
    """One row for each operation: of those that are in use the newest; what bears a title of ours before the rest."""

    def rank(row: _Row) -> tuple[bool, bool, bool, int]:
        said = row.operation
        return not claimed(said), bool(said.doubt), bool(said.status), -row.page.entry.number

    kept: set[_Row] = set()
    tools: dict[str, _Row] = {}
    at: dict[Place, _Row] = {}
    older: list[tuple[_Row, _Row]] = []
    for row in sorted(rows, key=rank):
        tool = claimed(row.operation)
        owners = OWNERS.get(row.there, ()) or OWNERS.get(
            Place(row.there.method, row.there.path.removeprefix(_BELOW)), ()
        )
        same = (
            tools.get(tool)
            if tool
            else at.get(row.there) or next((tools[each] for each in owners if each in tools), None)
        )
        if same is not None:
            older.append((row, same))
            continue
        kept.add(row)
        at.setdefault(row.there, row)
        if tool:
            tools[tool] = row
    if older:
        shown = [
            f"{cite(row.operation.summary)} ({_id(same)}, not {_id(row)}: {cite(row.operation.name)})"
            for row, same in older[:FEW]
        ]
        more = f" and {len(older) - FEW} more" if len(older) > FEW else ""
        notes.append(f"Of several pages for one operation the newest in use counts: {', '.join(shown)}{more}.")
    return [row for row in rows if row in kept]


def _id(row: _Row) -> str:
    number = row.page.entry.number
    return f"page {number}" if number else "a page without a number"


def _base(rows: Sequence[_Row]) -> str:
    """The path below which the API stands, by what most pages say."""
    if any(row.path.startswith(f"{_BELOW}/") for row in rows):
        return _BELOW
    said = Counter(row.path.removesuffix(row.operation.path) for row in rows if row.rooted)
    return said.most_common(1)[0][0] if said else ""


def _settled(row: _Row, base: str, auth: Auth | None) -> TheirOperation:
    """The operation with its path below the API's base, and without the headers that go with each call."""
    usual = {*_SENT_ANYWAY, *([auth.header.lower()] if auth is not None else [])}
    parameters = tuple(
        each for each in row.operation.parameters if each.place != "header" or each.name.lower() not in usual
    )
    said = replace(row.operation, parameters=parameters, path=row.path)
    if row.path.startswith(f"{base}/"):
        return replace(said, path=row.path[len(base) :])
    if row.rooted:
        return replace(said, doubt=said.doubt or f"it stands outside of {cite(base)}, where the others are")
    return said


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _named(host: str) -> str:
    """A host as a person says it."""
    scheme, _, name = host.partition("://")
    return name if scheme == "https" else f"{name} by {scheme}"


def _agreed(said: Sequence[T], what: str, show: Callable[[T], str], notes: list[str]) -> T | None:
    """What all pages say that say anything; None, told with counts, where they contradict each other."""
    counted = Counter(said)
    if len(counted) > 1:
        shown = ", ".join(f"{cite(show(each))} ({count})" for each, count in counted.most_common(FEW))
        notes.append(f"The pages contradict each other on {what}, so nothing is learned of it: {shown}.")
    return next(iter(counted)) if len(counted) == 1 else None


def _tell_titles(pages: Sequence[Page], notes: list[str]) -> None:
    differing = [page for page in dict.fromkeys(pages) if differs_in_title(page)]
    if differing:
        shown = ", ".join(
            f"{cite(page.entry.title)} is {cite(page.operations[0].summary or page.title)}" for page in differing[:FEW]
        )
        more = f" and {len(differing) - FEW} more" if len(differing) > FEW else ""
        notes.append(f"Some pages bear another title than the index gives them; the page's counts: {shown}{more}.")


def _tell_status(rows: Sequence[_Row], notes: list[str]) -> None:
    gone = [row.operation.summary for row in rows if row.operation.doubt and "deprecated" in row.operation.doubt]
    if gone:
        notes.append(f"Deprecated, so a person has to say whether it counts: {few(gone)}.")
    by_status: dict[str, list[str]] = {}
    for row in rows:
        if row.operation.status and row.operation.summary not in gone:
            by_status.setdefault(row.operation.status, []).append(row.operation.summary)
    for status, titles in by_status.items():
        notes.append(f"Marked as {cite(status)}, not as released, so it may change: {few(titles)}.")
