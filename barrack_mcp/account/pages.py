"""What one answer says of the list that it is a page of: how many rows there are, and whether there are more.

APIs say it in many ways, at the top of an answer or nested: all of them count, and whatever says that there is more
wins over what says that there is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from barrack_mcp.api.body import MAX_BYTES, MAX_ROWS, add_notes, is_list, typed
from barrack_mcp.api.text import size
from barrack_mcp.catalogue import JsonObject, Operation

_HOLDERS: Final = frozenset(
    {"pagination", "paginator", "paging", "pager", "page", "pageinfo", "meta", "metadata", "links", "cursor", "cursors"}
    | {"resultset", "resultinfo", "responsemetadata", "listmetadata"}
)
"""Objects that may hold where a page stands in its list. All names are compared without case and marks."""
_DEEPEST: Final = 3
_DIGITS: Final = 16
_TOTALS: Final = frozenset(
    {"total", "count", "rows", "records", "items", "results", "elements", "entries", "hits", "size", "number"}
)
_TOTAL: Final = re.compile(r"total([a-z]*)|([a-z]+)total")
_COUNTS: Final = frozenset({"count", "rowcount", "itemcount", "resultcount", "recordcount", "totalinpage"})
"""Rows in all for some APIs, rows of this page for others: only one that is larger than the page says something."""
_PAGES: Final = frozenset({"totalpages", "totalpage", "pages", "pagecount", "pagestotal", "numpages", "lastpage"})
_SIZES: Final = frozenset({"limit", "perpage", "pagesize", "pagelimit", "itemsperpage", "resultsperpage"})
_NUMBERS: Final = frozenset({"page", "currentpage", "pagenumber", "pageno"})
_MORE: Final = frozenset(
    {"more", "hasmore", "hasnext", "hasnextpage", "hasmorepages", "hasmoreitems", "hasmoreresults", "moreresults"}
    | {"hasmoredata", "hasmorerows", "hasmorerecords", "moreavailable", "morepages", "truncated", "istruncated"}
    | {"partial", "ispartial", "incompleteresults"}
)
_ALL: Final = frozenset({"last", "islast", "islastpage", "islastpg", "complete", "iscomplete", "endoflist"})
_LEFT: Final = frozenset({"remaining", "remainingcount", "remainingitems", "remainingitemcount", "remainingrows"})
_NEXT: Final = re.compile(
    r"(?:odata)?next(?:page|link|links|url|uri|href|token|cursor|marker|offset|start|index|key|number|results|batch)*"
    r"|continuation(?:token)?|lastevaluatedkey"
)
_BEFORE: Final = re.compile(r"(?:has)?prev(?:ious)?(?:page|link|url|uri|href|token|cursor)*|offset|skip")
_NOTHING: Final = frozenset({"", "false", "no", "none", "null", "nil", "0"})


@dataclass(frozen=True)
class Signs:
    """What an answer says of its list; None where it says nothing.

    Attributes:
        total: Rows in all.
        count: The same, or the rows of this page: nobody knows.
        pages: Pages in all.
        size: Rows of a page.
        number: Which page this is.
        more: Whether there are more.
        before: Whether rows stand before these.
    """

    total: int | None = None
    count: int | None = None
    pages: int | None = None
    size: int | None = None
    number: int | None = None
    more: bool | None = None
    before: bool = False


def signs_of(data: JsonObject) -> Signs:
    """Read what a typed answer says of its list; numbers may be text."""
    # what has not the type that was expected stands aside, as text
    aside = {name: _object(name, value) for name, value in (data.get("unexpected") or {}).items()}
    given = {name: aside.get(name) if value is None else value for name, value in data.items()}
    numbers: dict[str, int] = {}
    more: list[bool] = []
    before = False
    for name, value in _said({**aside, **given}):
        if (kind := _number_of(name)) and (number := whole_number(value)) is not None:
            numbers[kind] = max(number, numbers.get(kind, 0))
        elif name in _LEFT and (number := whole_number(value)) is not None:
            more.append(number > 0)
        elif name in _MORE and value is not None:
            more.append(_holds(value))
        elif name in _ALL and isinstance(value, bool):
            more.append(not value)
        elif _NEXT.fullmatch(name):
            more.append(_holds(value))
        elif _BEFORE.fullmatch(name):
            before = before or _holds(value)
    pages, number = numbers.get("pages"), numbers.get("number")
    if pages and number is not None:
        more.append(number < pages)
    return Signs(**numbers, more=any(more) if more else None, before=before)


def _said(data: Mapping[str, Any], depth: int = _DEEPEST) -> Iterator[tuple[str, Any]]:
    """All that may be a sign, by its name without case and marks."""
    for spelled, value in data.items():
        name = _plain(spelled)
        if depth and name in _HOLDERS and isinstance(value, dict):
            yield from _said(value, depth - 1)
        elif name in _HOLDERS and isinstance(value, list):
            for link in value:
                if isinstance(link, dict) and isinstance(rel := link.get("rel"), str):
                    yield _plain(rel), link.get("href") or link.get("url")
        else:
            yield name, value


def _object(name: str, value: object) -> object:
    """An object that was set aside, where it may say how long a list is."""
    if isinstance(value, str) and _plain(name) in _HOLDERS and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _plain(name: str) -> str:
    return _letters(name) if len(name) <= _USUAL else _letters.__wrapped__(name)


@lru_cache(maxsize=1024)
def _letters(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())


_USUAL: Final = 64
"""Characters of a name that is likely to come again, in every answer."""


def _number_of(name: str) -> str:
    """Which of our numbers a name stands for; empty if none."""
    if name in _PAGES:
        return "pages"
    if name in _SIZES:
        return "size"
    if name in _NUMBERS:
        return "number"
    if name in _COUNTS:
        return "count"
    total = _TOTAL.fullmatch(name)
    of = (total[1] or total[2] or "total") if total else ""
    return "total" if of in _TOTALS else ""


def whole_number(value: object) -> int | None:
    """A number of things, which may be text; None for what is none."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < _DIGITS:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _holds(value: object) -> bool:
    """Whether a sign is there: a cursor, an address, a number, true."""
    match value:
        case str():
            return value.strip().lower() not in _NOTHING
        case dict():
            return any(map(_holds, value.values()))
        case list():
            return any(map(_holds, value))
        case _:
            return bool(value)


@dataclass(frozen=True)
class Page:
    """One answer that holds rows of a list.

    Attributes:
        rows: Those that can be read.
        unread: How many are there beside them, of a shape that isn't read.
        signs: What the answer says of the list.
        asked: The page that was asked for.
    """

    rows: list[JsonObject]
    unread: int
    signs: Signs
    asked: int

    @classmethod
    def of(cls, operation: Operation, data: JsonObject, *, asked: int = 1) -> Page | None:
        """Read a typed answer; None if it holds no list."""
        if not is_list(operation) or not isinstance(rows := data.get(operation.result or ""), list):
            return None
        kept = [row for row in rows if isinstance(row, dict)]
        unread = (whole_number(data.get("unread_rows")) or 0) + len(rows) - len(kept)
        return cls(kept, unread, signs_of(data), asked)

    @property
    def came(self) -> int:
        """How many rows came, of any shape."""
        return len(self.rows) + self.unread

    @property
    def total(self) -> int | None:
        """How many rows there are in all; None where nothing says it, or what says it is less than came."""
        told = max((each for each in (self.signs.total, self._count) if each is not None), default=None)
        return told if told is not None and told >= self.came else None

    @property
    def lies(self) -> bool:
        """Whether it tells of fewer rows in all than it holds itself."""
        return self.signs.total is not None and self.signs.total < self.came

    @property
    def _count(self) -> int | None:
        return self.signs.count if (self.signs.count or 0) > self.came else None

    @property
    def more(self) -> bool | None:
        """Whether this answer says that rows follow; None if it says neither."""
        if self.signs.more is None and self.signs.pages and self.signs.number is None:
            return self.asked < self.signs.pages
        return self.signs.more

    @property
    def first(self) -> int | None:
        """The place of the first row in the list, from 1; None if that is not certain."""
        size, number = self.signs.size, self.signs.number or self.asked
        if number == 1:
            return 1
        if size and self.came == size:
            return (number - 1) * size + 1
        if self.total is not None and size and (number - 1) * size + self.came == self.total:
            return (number - 1) * size + 1
        return None


_WAYS: Final[Mapping[bool | None, str]] = MappingProxyType(
    {True: " page={} gives the next ones.", None: " page={} shows whether there are more.", False: ""}
)
"""The way to the rows that follow, by whether there are any; None if nothing says it."""


@dataclass(frozen=True)
class Span:
    """The rows of an answer that its caller asked for, and where they stand.

    Attributes:
        page: The answer.
        rows: Those rows.
        total: How many there are in all; None if nothing says it.
        first: The place of the first of them in the list, from 1; None if that is not certain.
        length: How many were asked for.
    """

    page: Page
    rows: list[JsonObject]
    total: int | None
    first: int | None
    length: int

    def notes(self, operation: Operation, shown: list[Any]) -> list[str]:
        """Say what of the list is not shown, and how to get it; nothing if that is all.

        Args:
            operation: What was read.
            shown: The rows that are shown.
        """
        unread = self.page.unread
        of_no_shape = f"{unread:,} row{'s are' if unread > 1 else ' is'} of a shape that is not read, and left out."
        return [said for said in (of_no_shape if unread else None, self._position(operation, shown)) if said]

    def _position(self, operation: Operation, shown: list[Any]) -> str | None:
        page, here = self.page, len(shown) + self.page.unread
        last = None if self.first is None else self.first + here - 1
        if not page.came:
            return self._nothing()
        if self._follows(last) is False and self.first == 1:
            return None
        span = f"{here} rows of page {page.asked}" if last is None else f"Rows {self.first}-{last}"
        span += "." if self.total is None else f" of {self.total}."
        if "page" not in operation.arguments.model_fields:
            narrow = ", ".join(operation.arguments.model_fields)
            return f"{span}{self._said(last)}{f' Narrow the list with {narrow}.' if narrow else ''}"
        if len(shown) < len(self.rows):
            return f"{span} The rows are large; ask for fewer with limit={len(shown)}, then page by page."
        return f"{span}{self._said(last)}{_WAYS[self._follows(last)].format(page.asked + 1)}"

    def _nothing(self) -> str | None:
        """Say that there are no rows here, if there may be some elsewhere."""
        page = self.page
        if self.total:
            return f"No rows on page {page.asked}; there are {self.total}."
        if page.more is True or page.signs.before:
            return f"No rows on page {page.asked}; Barrack says that there are others."
        return f"No rows on page {page.asked}." if page.asked > 1 else None

    def _follows(self, last: int | None) -> bool | None:
        """Whether there are rows after these; None if nothing says it."""
        if self.page.more is True or (self.total is not None and last is not None and last < self.total):
            return True
        if self.page.more is False or (self.total is not None and last is not None):
            return False
        return None if last is None or self.page.came >= self.length else False

    def _said(self, last: int | None) -> str:
        """Cite what says that there are more, where no number shows it."""
        shown = self.total is not None and last is not None and last < self.total
        return " Barrack says that there are more." if self.page.more is True and not shown else ""


def presented(operation: Operation, body: Any, arguments: Mapping[str, Any]) -> JsonObject:
    """Bring a successful answer into the form that its tool promises, for our own eyes: its texts are as they came.

    The root bears its own name under whichever name it came; fields bear theirs; a field whose type is not the
    expected one is null and stands, as it came, under `unexpected`; `notes` say what was left out and how to get it.
    """
    data = typed(operation, body)
    if (span := span_of(operation, data, arguments)) is not None:
        data[operation.result or ""] = rows = fitting(span.rows, MAX_BYTES)
        add_notes(data, *span.notes(operation, rows))
    return data


def span_of(operation: Operation, data: JsonObject, arguments: Mapping[str, Any]) -> Span | None:
    """Choose the rows that were asked for; None if the answer is no list."""
    number = arguments.get("page") or 1
    page = Page.of(operation, data, asked=number)
    if page is None:
        return None
    rows, length = page.rows, MAX_ROWS if operation.arguments.model_fields else len(page.rows)
    if "page" not in operation.arguments.model_fields:
        return Span(page, rows[:length], max(page.total or 0, page.came), 1, length)
    length = arguments.get("limit") or MAX_ROWS
    signs = page.signs
    paging = page.more is not None or (page.total or 0) > page.came or number == signs.number
    if operation.paged and (len(rows) <= length or paging):
        # what the API gives is a page, whichever size was asked for
        return Span(page, rows, page.total, page.first, length)
    # the API did not page: do it here
    first = (number - 1) * length
    cut = rows[first : first + length]
    told = Page(cut, page.unread, Signs(more=first + length < len(rows)), number)
    return Span(told, cut, page.came, first + 1, length)


def fitting(rows: list[Any], room: int) -> list[Any]:
    """Answer as many rows as fit into so many bytes, and at least one."""
    if size(rows) <= room:
        return rows
    for index, row in enumerate(rows):
        room -= size(row) + 1
        if room < 0:
            return rows[: max(index, 1)]
    return rows
