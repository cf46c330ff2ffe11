"""An endpoint's page of a documentation site: Markdown around a whole OpenAPI document with one path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from barrack_mcp.api.learning.site.index import Entry
from barrack_mcp.api.openapi.document import Document, DocumentError, TheirOperation, read
from barrack_mcp.api.openapi.matching import of_method, titled
from barrack_mcp.api.text import cite, decode, escape
from barrack_mcp.api.wire.names import actions, plain

_FENCE: Final = re.compile(r"(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})(?P<info>[^\n]*)")
_HEADING: Final = re.compile(r" {0,3}(?P<level>#{1,6})[ \t]+(?P<words>[^\n]*?)[ \t]*#*[ \t]*")
_LINES: Final = re.compile(r"\r\n|\n|\r")
_LOOKS_SO: Final = re.compile(r"""\s*(?:\{\s*)?["']?openapi["']?\s*:""")
_CLOSING_INDENT: Final = 3
_LONGEST_REASON: Final = 300


class PageError(Exception):
    """A page holds no endpoint that can be read; the text says why, as a sentence without its full stop."""


@dataclass(frozen=True, eq=False)
class Page:
    """A page, read.

    Attributes:
        entry: Where the index has it.
        title: What its heading says; empty if it has none.
        operations: What it documents, with titles and groups from wherever they are said.
        document: The whole that it holds.
        day: When the site said so.
    """

    entry: Entry
    title: str
    operations: tuple[TheirOperation, ...]
    document: Document
    day: date


def claimed(operation: TheirOperation) -> str:
    """Our tool that an operation says to be by title and group, and by its method where two share these; or none."""
    tools = of_method(titled(operation.summary, operation.tags), operation.method)
    return next(iter(tools)) if len(tools) == 1 else ""


def read_page(raw: bytes, entry: Entry, day: date) -> Page:
    """Read a page.

    Args:
        raw: Its bytes.
        entry: Where the index has it.
        day: When the site said so.

    Raises:
        PageError: There is no endpoint in it that can be read.
    """
    name = cite(entry.title)
    try:
        text = decode(raw)
    except UnicodeDecodeError:
        raise PageError(f"{name} is no text") from None
    if not text.strip():
        raise PageError(f"{name} is empty")
    if text.lstrip()[:200].startswith("<"):
        raise PageError(f"{name} is a web page, such as a sign-in or a challenge")
    title, block = _parts(text)
    if block is None:
        raise PageError(f"{name} holds no OpenAPI document")
    try:
        document = read(block.encode(), name)
    except DocumentError as error:
        raise PageError(str(escape(str(error).removesuffix("."), limit=_LONGEST_REASON))) from None
    return Page(entry, title, _placed(document.operations, title, entry), document, day)


def _placed(operations: Sequence[TheirOperation], title: str, entry: Entry) -> tuple[TheirOperation, ...]:
    """The operations with what the page and the index say of them."""
    alone = len(operations) == 1
    found = []
    for operation in operations:
        tags = tuple(dict.fromkeys((*operation.tags, *entry.folders)))
        # of several operations on one page its heading and the index's title name none
        names = [name for name in (operation.summary.strip(), *((title, entry.title) if alone else ())) if name]
        summary = next((name for name in names if titled(name, tags)), names[0] if names else "")
        said = replace(operation, summary=summary, tags=tags, origin=entry.url)
        against = next((name for name in names if _contradicts(said, name)), None)
        if against is not None and not said.doubt:
            said = replace(said, doubt=f"it is called {cite(against)}, too")
        found.append(said)
    return tuple(found)


def _contradicts(operation: TheirOperation, name: str) -> bool:
    """Whether another name of an operation says that it does something else."""
    mine, others = actions(operation.summary), actions(name)
    tools = of_method(titled(name, operation.tags), operation.method)
    return bool((mine and others and not mine & others) or (tools and claimed(operation) not in {"", *tools}))


def differs_in_title(page: Page) -> bool:
    """Whether a page bears another title than the index gives it."""
    said = {plain(page.title), *(plain(operation.summary) for operation in page.operations)} - {""}
    return bool(plain(page.entry.title)) and any(each != plain(page.entry.title) for each in said)


def _parts(text: str) -> tuple[str, str | None]:
    """A page's title and the text of its OpenAPI document; None for a page without one."""
    if _LOOKS_SO.match(text):
        return "", text
    title, announced = "", False
    first: str | None = None
    for heading, block in _pieces(_LINES.split(text)):
        if heading is not None:
            title = title or heading
            announced = announced or plain(heading).startswith("openapispec")
        elif block is not None and block.strip():
            if announced:
                return title, block
            if first is None and _LOOKS_SO.match(block):
                first = block
    return title, first


def _pieces(lines: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    """The headings and the fenced blocks of a page, in its order."""
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if fence := _FENCE.fullmatch(line):
            end = _closing(lines, at, fence)
            indent = len(fence["indent"])
            yield None, "\n".join(_dedented(each, indent) for each in lines[at:end])
            at = end + 1
        elif heading := _HEADING.fullmatch(line):
            yield heading["words"].strip(), None


def _closing(lines: Sequence[str], start: int, fence: re.Match[str]) -> int:
    """The line that closes a block: as far in as it was opened, else where Markdown lets it stand, else the end."""
    mark, least, indent = fence["marks"][0], len(fence["marks"]), len(fence["indent"])
    otherwise = len(lines)
    for at in range(start, len(lines)):
        line = lines[at]
        closes = line.strip()
        if len(closes) < least or closes.strip(mark):
            continue
        found = len(line) - len(line.lstrip())
        if found == indent:
            return at
        if found <= indent + _CLOSING_INDENT and otherwise == len(lines):
            otherwise = at
    return otherwise


def _dedented(line: str, indent: int) -> str:
    return line[min(indent, len(line) - len(line.lstrip(" \t"))) :]
