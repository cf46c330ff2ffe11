"""The index of a documentation site, `llms.txt`: which pages it has, under which titles, in which folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from barrack_mcp.api.learning.asking import origin

NAME: Final = "llms.txt"

_MOST_ENTRIES: Final = 20_000
_LONGEST_LINE: Final = 4_000
_ITEM: Final = re.compile(r"\s*[-*+][ \t]+(?P<item>.*)")
_HEADING: Final = re.compile(r" {0,3}#{1,6}[ \t]+(?P<words>.*)")
_LINK: Final = re.compile(r"\]\([ \t]*<?(?P<url>[^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?[ \t]*\)")
_ID: Final = re.compile(r"(?<![0-9])(?P<number>[0-9]{1,18})(?P<kind>[a-z])0(?:\.md)?$")
"""How the site numbers its pages: `e` an endpoint, `m` a guide, `d` a schema."""
_ENDPOINT: Final = "e"
_ESCAPED: Final = re.compile(r"\\([\[\]()_*`<>#\\])")
_SAFE: Final = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class Entry:
    """A page of an endpoint, as the index tells it.

    Attributes:
        title: Its title.
        folders: Those it lies in, the outermost first.
        url: Where it is read.
        number: What the site numbers it with, the newer the higher; 0 if it doesn't.
    """

    title: str
    folders: tuple[str, ...]
    url: str
    number: int


@dataclass
class Index:
    """What an index holds.

    Attributes:
        endpoints: The pages of endpoints on this site, each once, in the index's order.
        indexes: Other indexes on this site, as of its languages or versions.
        others: How many pages are guides, schemas or what else is no endpoint.
        elsewhere: How many links lead to another site, by its name.
    """

    endpoints: list[Entry] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    others: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)


def read_index(text: str, address: str) -> Index:
    """Read an index.

    Args:
        text: Its text.
        address: Where it stands; pages of its own site alone are taken up.
    """
    found = Index()
    seen: dict[str, None] = {}
    for section, folder, title, link in _links(text):
        if len(seen) >= _MOST_ENTRIES:
            break
        try:
            url = urljoin(address, link)
            parts = urlsplit(url)
            here = origin(url) == origin(address) and "@" not in parts.netloc
        except ValueError:
            found.elsewhere["an address that can't be read"] += 1
            continue
        if not here:
            found.elsewhere[(parts.hostname or parts.scheme or "no site")[:100]] += 1
            continue
        path = quote(parts.path, safe=_SAFE)
        if path.endswith(f"/{NAME}"):
            found.indexes.append(urlunsplit((parts.scheme, parts.netloc, path, "", "")))
            continue
        number, kind = _numbered(parts.path)
        if kind != _ENDPOINT if kind else "api" not in section.casefold():
            found.others += 1
            continue
        if not path.endswith(".md"):
            path = f"{path.rstrip('/')}.md"
        url = urlunsplit((parts.scheme, parts.netloc, path, quote(parts.query, safe=f"{_SAFE}?"), ""))
        if url not in seen:
            seen[url] = None
            folders = tuple(part.strip() for part in folder.split(">") if part.strip())
            found.endpoints.append(Entry(_ESCAPED.sub(r"\1", title).strip(), folders, url, number))
    return found


def _links(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Section, folder, title and address of each line that has a link."""
    section = ""
    for line in text.splitlines():
        if len(line) > _LONGEST_LINE:
            continue
        if heading := _HEADING.fullmatch(line):
            section = heading["words"]
        elif (item := _ITEM.fullmatch(line)) and (link := _LINK.search(item["item"])):
            before = item["item"][: link.start()]
            start = _opening(before)
            if start is not None and link["url"]:
                yield section, before[:start].strip(), before[start + 1 :], link["url"]


def _opening(before: str) -> int | None:
    """Where the bracket stands that a link's title begins with; titles hold brackets, too."""
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        depth += (before[at] == "]") - (before[at] == "[")
        if depth < 0:
            return at
    # a title with a bracket too many
    at = before.find("[")
    return at if at >= 0 else None


def _numbered(path: str) -> tuple[int, str]:
    hit = _ID.search(path.rstrip("/").rpartition("/")[2])
    return (int(hit["number"]), hit["kind"]) if hit else (0, "")
