"""The API's own document, at the places where such APIs serve one: with the key, then without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from barrack_mcp.api.learning.asking import Asker, Reply, SpentError
from barrack_mcp.api.learning.found import Found, Hindrance, Progress, Source
from barrack_mcp.api.learning.hindrances import SPENT, Hindered, hindered, refusal, refused
from barrack_mcp.api.openapi.comparison import compare
from barrack_mcp.api.openapi.document import Document, DocumentError, TheirOperation, read

PLACES: Final = (
    "schema/",
    "schema/?format=json",
    "schema.json",
    "docs/schema/",
    "swagger.json",
    "openapi.json",
    "openapi.yaml",
)
"""In this order, below the API's address and below its host's root."""

_ACCEPT: Final = {"Accept": "application/json, application/yaml;q=0.9, */*;q=0.5"}
_START: Final = 4_000
"""Bytes of a body in which a document says what it is."""


async def find_schema(asker: Asker, url: str, *, today: date, tell: Progress | None = None) -> Found | None:
    """Look for the document that the API serves of itself, and stop at the first.

    Args:
        asker: Asks.
        url: The API's base URL, without a slash at its end.
        today: Goes with what is found.
        tell: Told how far it is.

    Returns:
        Its operations, by paths below the base URL where they are; none, with what was in the way, where something was;
        None where there is nothing to say.
    """
    search = _Search(asker, url, today)
    asked = [(place, with_key) for with_key in ((True, False) if asker.has_key else (False,)) for place in places(url)]
    for number, (place, with_key) in enumerate(asked, start=1):
        found = await search.at(place, with_key=with_key)
        if tell is not None:
            tell(number, len(asked))
        if found is not None:
            return found
        if search.stopped is not None:
            break
    return search.ended()


def places(url: str) -> tuple[str, ...]:
    """Where to ask, in order."""
    root = urlsplit(url)._replace(path="", query="", fragment="").geturl()
    return tuple(f"{base}/{place}" for base in dict.fromkeys((url, root)) for place in PLACES)


class _Search:
    """One search: what was odd on the way, and why it may have to end early."""

    def __init__(self, asker: Asker, url: str, today: date) -> None:
        self._asker = asker
        self._url = url
        self._today = today
        self._notes: dict[str, None] = {}
        self._refused = False
        self._unanswered = 0
        self.stopped: Hindered | None = None

    async def at(self, place: str, *, with_key: bool) -> Found | None:
        """Look at one place; where it only leads to another spelling of itself, there, too."""
        reply = await self._ask(place, with_key=with_key)
        if reply is not None and (there := spelled_otherwise(reply)) is not None:
            reply = await self._ask(there, with_key=with_key)
        if reply is None or not reply.succeeded:
            return None
        try:
            document = read(reply.body, reply.url)
        except DocumentError as error:
            if any(word in reply.body[:_START] for word in (b"swagger", b"openapi")) and reply.gateway is None:
                self._notes[str(error)] = None
            return None
        ours = below(document, self._url, beside=not place.startswith(f"{self._url}/"))
        if ours is None:
            self._notes[f"{reply.url} describes something else than the API at its address and was passed over."] = None
            return None
        notes = (*self._notes, *ours.notes)
        return Found(source=Source.DOCUMENT, place=reply.url, day=self._today, document=ours, notes=notes)

    async def _ask(self, place: str, *, with_key: bool) -> Reply | None:
        """Ask once; None where there is no going on."""
        try:
            reply = await self._asker.ask("GET", place, headers=_ACCEPT, with_key=with_key)
        except SpentError:
            self.stopped = Hindered(Hindrance.SPENT, SPENT)
            return None
        self._refused = self._refused or refused(reply)
        self._unanswered = 0 if reply.status else self._unanswered + 1
        way = hindered(reply)
        # one document that takes too long to make is not the whole API out of reach
        if way is not None and (reply.status or self._unanswered > 1):
            self.stopped = way
        return reply

    def ended(self) -> Found | None:
        """What to say where no document was found."""
        stopped = self.stopped or (refusal(has_key=self._asker.has_key) if self._refused else None)
        if stopped is not None:
            self._notes[stopped.sentence] = None
        if not self._notes:
            return None
        return Found(
            source=Source.DOCUMENT,
            place=self._url,
            day=self._today,
            document=Document(name=self._url),
            notes=tuple(self._notes),
            complete=stopped is None,
            hindered=stopped.kind if stopped is not None else None,
        )


def spelled_otherwise(reply: Reply) -> str | None:
    """Where a redirect leads if it is the same place, only with a slash or a format more; None for everything else."""
    if not 300 <= reply.status < 400 or "location" not in reply.headers:  # noqa: PLR2004 - redirects
        return None
    try:
        there = urljoin(reply.url, reply.headers["location"])
        here, led = urlsplit(reply.url), urlsplit(there)
        same = (led.scheme, led.netloc) == (here.scheme, here.netloc)
    except ValueError:
        return None
    path = led.path.rstrip("/") == here.path.rstrip("/") or led.path in (f"{here.path.rstrip('/')}.json", here.path)
    query = dict(parse_qsl(led.query)).keys() <= {"format", *dict(parse_qsl(here.query))}
    return led._replace(fragment="").geturl() if same and path and query and led != here else None


def below(document: Document, url: str, *, beside: bool = False) -> Document | None:
    """Write a document's paths as they are below the API's address; what lies elsewhere is left out and told.

    Args:
        document: As it was read.
        url: The API's base URL.
        beside: Whether it was found outside of that address, so that its paths may begin at the host's root.

    Returns:
        The document; as it is, where nothing in it lies below that address; None where it is then about something else
        on the same host, by all that is in it.
    """
    base = urlsplit(url).path.rstrip("/")
    server = urlsplit(document.url).path.rstrip("/") if document.url else document.prefix
    if server == base:
        return replace(document, prefix="")
    inside = tuple(_inside(document, server, base))
    if not inside:
        return None if beside and not any(match.sure for match in compare(document).matches) else document
    if left := len(document.operations) - len(inside):
        document.notes.append(f"{left} operations lie outside of the API's address and were left out.")
    at = urlsplit(document.url)._replace(path=base).geturl() if document.url else None
    return replace(document, url=at, prefix="", operations=inside)


def _inside(document: Document, server: str, base: str) -> Iterator[TheirOperation]:
    for operation in document.operations:
        whole = server + operation.path
        if whole.startswith(f"{base}/"):
            yield replace(operation, path=whole.removeprefix(base))
