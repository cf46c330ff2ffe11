"""The vendor's documentation site: its index, then the pages of our operations, politely and without the key."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import anyio
from anyio import to_thread

from barrack_mcp.api.http import checked_url
from barrack_mcp.api.learning.asking import AT_ONCE, MOST, Asker, Reply, SpentError
from barrack_mcp.api.learning.found import Found, Hindrance, Progress, Source
from barrack_mcp.api.learning.hindrances import SPENT, Hindered
from barrack_mcp.api.learning.site.cache import Cache, Kept, keep, kept_from, recall
from barrack_mcp.api.learning.site.index import NAME, Entry, Index, read_index
from barrack_mcp.api.learning.site.pages import Page, PageError, claimed, read_page
from barrack_mcp.api.learning.site.reference import FEW, bind, few
from barrack_mcp.api.openapi.matching import titled
from barrack_mcp.api.text import cite, decode
from barrack_mcp.api.wire.names import alike
from barrack_mcp.catalogue import BY_TOOL

LEFT_FOR_THE_API: Final = 80
"""Of all requests, those that the site leaves to the API itself."""

_MOST_INDEXES: Final = 6
_MOST_BYTES: Final = 256 * 1024 * 1024
_SMALL: Final = 64 * 1024
"""Bytes of a page that is read faster than it is handed to a thread."""
_DENIALS: Final = 8
"""So many in a row that nobody answered, or something on the way, and the site isn't asked any more."""
_FRESH: Final = timedelta(days=1)
_DAY_S: Final = 86_400
_AGAIN: Final = "Run the same command again later: it goes on from what was read."
_ELSEWHERE: Final = frozenset({300, 301, 302, 303, 307, 308})
_GONE: Final = frozenset({HTTPStatus.NOT_FOUND.value, HTTPStatus.GONE.value})
_ACCEPT: Final = "text/markdown, text/plain;q=0.9, */*;q=0.1"


class _UnreadError(Exception):
    """Something of the site can't be had; the text says why, as the end of a sentence.

    Attributes:
        gone: Whether the site itself says that it is not there, so that what was read before counts no more.
    """

    def __init__(self, words: str, *, gone: bool = False) -> None:
        super().__init__(words)
        self.gone = gone


async def read_site(
    asker: Asker,
    docs_url: str,
    *,
    cache: Cache | None,
    today: date,
    progress: Progress | None = None,
    limit: int | None = None,
) -> Found:
    """Read what a documentation site says of our operations.

    Args:
        asker: What asks; no key is sent.
        docs_url: The site's address.
        cache: Where pages are kept between two runs; None for nowhere.
        today: The day that is told with what was read.
        progress: Told how many pages are done, of how many.
        limit: How many requests there may be; if None, all, less those for the API if there is a key to ask it with.

    Raises:
        ValueError: The address is none that may be asked, as the end of a sentence.
    """
    site = _site(docs_url)
    most = MOST - LEFT_FOR_THE_API if asker.has_key else MOST
    reading = _Reading(asker, site, cache, today, progress or (lambda *_: None), most if limit is None else limit)
    index = await reading.index()
    if index is not None:
        await reading.pages(index)
    document, told = bind(list(reading.read.values()), site)
    return Found(
        source=Source.SITE,
        place=site,
        day=today,
        document=document,
        notes=(*told, *reading.told()),
        complete=reading.complete,
        hindered=None if reading.complete or reading.stopped is None else reading.stopped.kind,
    )


def _site(docs_url: str) -> str:
    plain = docs_url.partition("#")[0].partition("?")[0].rstrip("/")
    return checked_url(plain.removesuffix(f"/{NAME}"))


@dataclass
class _Reading:
    """One reading of one site."""

    asker: Asker
    site: str
    cache: Cache | None
    today: date
    progress: Progress
    limit: int
    read: dict[Entry, Page] = field(default_factory=dict)
    complete: bool = True
    stopped: Hindered | None = None
    _notes: list[str] = field(default_factory=list)
    _failed: dict[Entry, str] = field(default_factory=dict)
    _broken: dict[Entry, str] = field(default_factory=dict)
    _left: dict[Entry, None] = field(default_factory=dict)
    _stale: dict[Entry, date] = field(default_factory=dict)
    _asked: int = 0
    _bytes: int = 0
    _denials: int = 0
    _denied_by: Hindrance = Hindrance.UNREACHABLE
    _done: int = 0

    async def index(self) -> Index | None:
        """Read the index and those it names; None, told, if no endpoint is in any."""
        whole = Index()
        for address in self._places():
            if not whole.endpoints:
                await self._indexes(address, whole)
        if not whole.endpoints:
            self.complete = False
            if self._denials:
                self._stop(self._denied_by, "")
            self._notes.append(
                "The documentation site gave no list of its pages, so nothing was learned from it: look whether it "
                "opens in a browser, and give its address with --docs if it is another one."
            )
            return None
        if whole.elsewhere:
            shown = ", ".join(f"{cite(host)} ({count})" for host, count in whole.elsewhere.most_common(FEW))
            self._notes.append(f"Links to other sites were not followed: {shown}.")
        return whole

    def _places(self) -> list[str]:
        """Where the index may be: where the site was said to be, else at its host's root."""
        parts = urlsplit(self.site)
        root = urlunsplit((parts.scheme, parts.netloc, f"/{NAME}", "", ""))
        return list(dict.fromkeys((f"{self.site}/{NAME}", root)))

    async def _indexes(self, address: str, whole: Index) -> None:
        """Read an index and those that it names, as of languages or versions, into one."""
        waiting, seen = [address], set[str]()
        while waiting:
            if (address := waiting.pop(0)) in seen:
                continue
            if len(seen) == _MOST_INDEXES:
                self._notes.append(f"Only {_MOST_INDEXES} lists of pages were read; there are more.")
                self.complete = False
                return
            seen.add(address)
            try:
                found = await self._index(address)
            except _UnreadError as error:
                self._notes.append(f"{address} {error}.")
                self.complete = self.complete and len(seen) == 1
                continue
            known = {entry.url for entry in whole.endpoints}
            whole.endpoints += [entry for entry in found.endpoints if entry.url not in known]
            whole.elsewhere += found.elsewhere
            waiting += found.indexes

    async def _index(self, address: str) -> Index:
        kept = recall(self.cache, address)
        try:
            got = await self._get(address, kept)
            text = _text(got.body)
        except _UnreadError as error:
            if kept is None:
                raise
            got, text = kept, _text(kept.body)
            self._notes.append(f"The index {error}; as it was on {kept.day} it is used instead.")
            self.complete = False
        found = read_index(text, address)
        if not found.endpoints and not found.indexes:
            raise _UnreadError("names no page of an endpoint")
        if got.day == self.today:
            keep(self.cache, address, got)
        return found

    async def pages(self, index: Index) -> None:
        """Read the pages of our operations, and others only as long as one of ours is missing."""
        mine, rest = _picked(index.endpoints)
        first = [entry for entries, wanted in mine for entry in entries[:wanted]]
        later = [entry for entries, wanted in mine for entry in entries[wanted:]]
        await self._wave(first)
        wanted = self._missing(in_use=True)
        # what is broken, or on its way out, may have an older page that isn't
        await self._wave([entry for entry in later if titled(entry.title, entry.folders) & wanted])
        if missing := [BY_TOOL[tool].title for tool in self._missing()]:
            rest = sorted(rest, key=lambda entry: -max(alike(entry.title, title) for title in missing))
            await self._wave(rest, while_missing=True)
        if unread := self._unseen(later):
            self._notes.append(f"Older pages of operations that have newer ones were not read: {_listed(unread)}.")
        if unread := self._unseen(rest):
            titles = few(each.title for each in unread)
            self._notes.append(f"Not read, for want of a title of ours: {_pages(unread)}, {titles}.")

    def _unseen(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those of some pages that there was no need to ask for."""
        seen = self.read.keys() | self._failed.keys() | self._broken.keys() | self._left.keys()
        return [entry for entry in entries if entry not in seen]

    def _missing(self, *, in_use: bool = False) -> set[str]:
        """Our tools that no page was found for; or none that is in use, as the site itself marks it."""
        said = [operation for page in self.read.values() for operation in page.operations]
        found = {claimed(each) for each in said if not in_use or not (each.doubt or each.status)}
        return BY_TOOL.keys() - found

    async def _wave(self, entries: Sequence[Entry], *, while_missing: bool = False) -> None:
        """Read pages, a few at once: those that were never read first, so that each run gets further."""
        known = {entry: recall(self.cache, entry.url) for entry in entries}
        waiting = iter(sorted(entries, key=lambda entry: known[entry] is not None))
        total = self._done + len(entries)

        async def work() -> None:
            for entry in waiting:
                if while_missing and not self._missing():
                    return
                await self._entry(entry, known[entry])
                self._done += 1
                self.progress(self._done, total)

        async with anyio.create_task_group() as group:
            for _ in range(min(AT_ONCE, len(entries))):
                group.start_soon(work)

    async def _entry(self, entry: Entry, kept: Kept | None) -> None:
        """Read one page; what can't be had is as it was read before, or told."""
        try:
            got = await self._get(entry.url, kept)
            page = await _page(got, entry)
        except (_UnreadError, PageError) as error:
            await self._fall_back(entry, kept, error)
            return
        self.read[entry] = page
        keep(self.cache, entry.url, got)

    async def _fall_back(self, entry: Entry, kept: Kept | None, error: _UnreadError | PageError) -> None:
        gone = isinstance(error, _UnreadError) and error.gone
        if kept is not None and not gone:
            try:
                self.read[entry] = await _page(kept, entry)
            except PageError:
                pass
            else:
                if not timedelta() <= self.today - kept.day <= _FRESH:
                    self._stale[entry] = kept.day
                    self.complete = False
                return
        self.complete = False
        if isinstance(error, PageError):
            self._broken[entry] = str(error)
        elif self.stopped is not None and not gone:
            self._left[entry] = None
        else:
            self._failed[entry] = f"{cite(entry.title)} {error}"

    async def _get(self, url: str, kept: Kept | None) -> Kept:
        """Ask for something, unless it is the same as it was.

        Raises:
            _UnreadError: It can't be had.
        """
        if self.stopped is None and self._bytes > _MOST_BYTES:
            self._stop(Hindrance.SPENT, f"The site's pages are larger than {_MOST_BYTES // 2**20} MiB together.")
        if self.stopped is None and self._asked >= self.limit:
            self._stop(Hindrance.SPENT, f"All {self.limit} requests that the site may be asked were made.")
        if self.stopped is not None:
            raise _UnreadError("was not asked any more")
        self._asked += 1
        conditions = kept.conditions if kept is not None else {}
        try:
            reply = await self.asker.ask("GET", url, headers={"Accept": _ACCEPT, **conditions})
        except SpentError:
            self._stop(Hindrance.SPENT, SPENT)
            raise _UnreadError("was not asked any more") from None
        except ValueError:
            raise _UnreadError("has an address that can't be asked") from None
        self._bytes += len(reply.body)
        if kept is not None and conditions and reply.status == HTTPStatus.NOT_MODIFIED:
            self._denials = 0
            return Kept(kept.body, self.today, kept.etag, kept.modified)
        if reply.succeeded:
            self._denials = 0
            return kept_from(reply.body, reply.headers, self.today)
        raise _UnreadError(self._reason(reply), gone=reply.status in _GONE)

    def _stop(self, kind: Hindrance, sentence: str) -> None:
        if self.stopped is None:
            self.stopped = Hindered(kind, sentence)

    def _reason(self, reply: Reply) -> str:
        """Why an answer is of no use, as the end of a sentence; one that asks to wait ends all asking."""
        if reply.puts_off:
            wait = reply.wait
            when = f" for {math.ceil(wait)} s" if wait is not None and wait < _DAY_S else ""
            self._stop(Hindrance.THROTTLED, f"The site asks to wait{when} ({reply.status}). {_AGAIN}")
            return f"was put off ({reply.status})"
        gateway = reply.gateway
        held_off = gateway is not None and gateway.keeps_out
        self._denials = self._denials + 1 if held_off or not reply.status else 0
        self._denied_by = Hindrance.GATEWAY if held_off else Hindrance.UNREACHABLE
        if self._denials >= _DENIALS:
            self._stop(self._denied_by, f"The site gave no page {_DENIALS} times in a row. {_AGAIN}")
        if reply.wrong:
            return reply.wrong
        if reply.status in _ELSEWHERE:
            return f"leads elsewhere ({reply.status}), which is not followed"
        if held_off:
            return f"answered {reply.status} with a page for people, such as a sign-in or a challenge"
        return f"answered {reply.status}"

    def told(self) -> Iterator[str]:
        """All that is to be told of the reading, a sentence each."""
        yield from self._notes
        if self._stale:
            oldest = min(self._stale.values())
            titles = few(entry.title for entry in self._stale)
            yield f"As read before, the oldest on {oldest}: {_pages(self._stale)}, {titles}."
        if self._failed:
            yield f"{_pages(self._failed)} could not be read: {_joined(self._failed)}. {_AGAIN}"
        if self._broken:
            yield f"{_pages(self._broken)} came with nothing that can be read: {_joined(self._broken)}."
        if self._left:
            titles = few(entry.title for entry in self._left)
            why = f"{self.stopped.sentence} " if self.stopped is not None else ""
            yield f"{why}Read so far: {_pages(self.read)}. Still to read: {_pages(self._left)}, {titles}."


def _pages(some: Collection[object]) -> str:
    return "1 page" if len(some) == 1 else f"{len(some)} pages"


def _joined(reasons: Mapping[Entry, str]) -> str:
    more = f"; and {len(reasons) - FEW} more" if len(reasons) > FEW else ""
    return "; ".join(list(reasons.values())[:FEW]) + more


async def _page(got: Kept, entry: Entry) -> Page:
    if len(got.body) <= _SMALL:
        return read_page(got.body, entry, got.day)
    return await to_thread.run_sync(read_page, got.body, entry, got.day)


def _text(body: bytes) -> str:
    try:
        text = decode(body)
    except UnicodeDecodeError:
        raise _UnreadError("is no text") from None
    if text.lstrip()[:1] == "<":
        raise _UnreadError("is a web page, such as a sign-in or a challenge")
    return text


def _picked(entries: Sequence[Entry]) -> tuple[list[tuple[list[Entry], int]], list[Entry]]:
    """The pages of our operations by title and group, the newest first, with how many of each are wanted; the rest."""
    mine: dict[frozenset[str], dict[int | str, Entry]] = {}
    rest: list[Entry] = []
    for entry in sorted(entries, key=lambda each: -each.number):
        if tools := titled(entry.title, entry.folders):
            # one page in several languages or versions has one number
            mine.setdefault(tools, {}).setdefault(entry.number or entry.url, entry)
        else:
            rest.append(entry)
    known = {entry.number for table in mine.values() for entry in table.values()} - {0}
    once = {entry.number or entry.url: entry for entry in reversed(rest) if entry.number not in known}
    picked = [(list(table.values()), len(tools)) for tools, table in mine.items()]
    return picked, list(reversed(once.values()))


def _listed(entries: Sequence[Entry]) -> str:
    shown = ", ".join(f"{cite(entry.title)} ({entry.number})" for entry in entries[:FEW])
    return f"{shown} and {len(entries) - FEW} more" if len(entries) > FEW else shown
