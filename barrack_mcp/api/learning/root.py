"""The API's root: a map of names to the addresses of its lists, as a router answers it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from barrack_mcp.api.learning.asking import Asker, Reply, SpentError
from barrack_mcp.api.learning.found import Found, Hindrance, Progress, Source
from barrack_mcp.api.learning.hindrances import SPENT, Hindered, hindered, in_place_of, refusal, refused
from barrack_mcp.api.learning.schema import spelled_otherwise
from barrack_mcp.api.openapi.differences import printable
from barrack_mcp.api.openapi.document import Document, TheirOperation
from barrack_mcp.api.wire.bounds import OWNERS, place, places
from barrack_mcp.api.wire.names import meaning
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS

_ACCEPT: Final = {"Accept": "application/json"}
_DEEPEST: Final = 3
_MOST_ENTRIES: Final = 200
_MOST_MAPS: Final = 8
"""Entries that are asked whether they are maps again."""
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_RELATIVE: Final = re.compile(r"[A-Za-z0-9._~%/-]+")


async def find_lists(asker: Asker, url: str, *, today: date, tell: Progress | None = None) -> Found | None:
    """Read the map that the API's root answers, and the maps that it leads to.

    An operation whose list is known for one of ours bears that tool as its operation id; every other bears the map's
    own name.

    Args:
        asker: Asks.
        url: The API's base URL, without a slash at its end.
        today: Goes with what is found.
        tell: Told how far it is.

    Returns:
        The lists; none, with what was in the way, where something was; None where there is nothing to say.
    """
    root = _Root(asker, url)
    await root.read(f"{url}/")
    for number in range(1, _MOST_MAPS + 1):
        unknown = next((way for way in root.lists if way not in root.asked and not _tool(way, root.lists[way])), None)
        if tell is not None:
            tell(number, number + 1 if unknown is not None else number)
        if unknown is None or root.stopped is not None:
            break
        await root.read(url + unknown)
    return root.found(today)


class _Root:
    """What was read of one API's maps.

    Attributes:
        lists: Names by paths below the base URL.
        asked: The paths that were asked.
        stopped: Why there is no going on.
    """

    def __init__(self, asker: Asker, url: str) -> None:
        self._asker = asker
        self._url = url
        self._notes: dict[str, None] = {}
        self._maps: set[str] = set()
        self.lists: dict[str, str] = {}
        self.asked: set[str] = set()
        self.stopped: Hindered | None = None

    async def read(self, address: str) -> None:
        """Ask one address, and take in the map that it answers."""
        self.asked.add(address.removeprefix(self._url))
        reply = await self._ask(address)
        if reply is not None and (there := spelled_otherwise(reply)) is not None:
            reply = await self._ask(there)
        if reply is None or not reply.succeeded or not isinstance(reply.json, dict):
            return
        before = len(self.lists)
        self._take(reply.json, reply.url, 0)
        if len(self.lists) > before:
            # a map of lists is no list itself
            self._maps.add(address.removeprefix(self._url))

    async def _ask(self, address: str) -> Reply | None:
        try:
            reply = await self._asker.ask("GET", address, headers=_ACCEPT, with_key=True)
        except SpentError:
            self.stopped = Hindered(Hindrance.SPENT, SPENT)
            return None
        first = len(self.asked) == 1
        if refused(reply) and first:
            self.stopped = refusal(has_key=self._asker.has_key)
        elif first and reply.gateway is not None:
            self.stopped = in_place_of(reply.gateway)
        elif (way := hindered(reply)) is not None and (first or reply.status):
            self.stopped = way
        return reply

    def _take(self, table: Mapping[str, JsonValue], at: str, depth: int) -> None:
        for name, value in list(table.items())[:_MOST_ENTRIES]:
            if isinstance(value, dict) and depth < _DEEPEST:
                self._take(value, at, depth + 1)
            elif isinstance(value, str) and _is_address(name, value) and len(self.lists) < _MOST_ENTRIES:
                self._take_one(name, value, at)

    def _take_one(self, name: str, value: str, at: str) -> None:
        path = path_below(self._url, value, at)
        if path is None:
            self._notes[f"The root's {printable(name)} lies at another place than the API and is not asked."] = None
        elif path != "/":
            self.lists.setdefault(path, name)

    def found(self, today: date) -> Found | None:
        """What all of it comes to."""
        if self.stopped is not None:
            self._notes[self.stopped.sentence] = None
        operations = tuple(
            TheirOperation("GET", path, operation_id=_tool(path, name) or name[:200], origin=f"{self._url}/")
            for path, name in self.lists.items()
            if path not in self._maps
        )
        if not operations and not self._notes:
            return None
        return Found(
            source=Source.ROOT,
            place=f"{self._url}/",
            day=today,
            document=Document(name=f"{self._url}/", operations=operations),
            notes=tuple(self._notes),
            complete=self.stopped is None,
            hindered=self.stopped.kind if self.stopped is not None else None,
        )


def _is_address(name: str, value: str) -> bool:
    """Whether a value may be meant as an address, and not as a word of welcome or a version."""
    if value.startswith(("https://", "http://", "/")):
        return True
    path = re.split(r"[?#]", value)[0]
    return bool(_RELATIVE.fullmatch(path)) and ("/" in path or bool(_of_lists().get(meaning(name))))


def path_below(url: str, address: str, at: str) -> str | None:
    """The path below the API's address that an address stands for; None if it lies elsewhere.

    Behind a proxy, an API may take itself for an http one: what counts is the host, since the path alone is used.

    Args:
        url: The API's base URL.
        address: Relative or whole.
        at: Where it was read.
    """
    try:
        here, there = urlsplit(url), urlsplit(urljoin(at, address))
        same = (there.hostname, _port(there.port)) == (here.hostname, _port(here.port))
    except ValueError:
        return None
    base = here.path.rstrip("/")
    path = there.path
    if not same or there.scheme not in ("http", "https") or there.username is not None:
        return None
    if not path.startswith(f"{base}/") or not _PATH.fullmatch(path):
        return None
    plain = unquote(path)
    if "//" in plain or {".", ".."} & set(plain.split("/")):
        return None
    return path.removeprefix(base)


def _port(port: int | None) -> int | None:
    return None if port in (80, 443) else port


def _tool(path: str, name: str) -> str | None:
    """Which list of ours an entry of the map is; None where nothing says so, or several things say different ones."""
    owners = [tool for tool in OWNERS.get(place("GET", path), ()) if BY_TOOL[tool].reads]
    if len(owners) == 1:
        return owners[0]
    meant = {tool for words in (path, name) for tool in _of_lists().get(meaning(words), ())}
    return next(iter(meant)) if len(meant) == 1 else None


@cache
def _of_lists() -> Mapping[frozenset[str], tuple[str, ...]]:
    """Our lists by what they are lists of: the words of their tools and of their paths."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for tool, words in _said_of_lists():
        known = found.get(words, ())
        found[words] = known if tool in known else (*known, tool)
    return {words: tools for words, tools in found.items() if words and len(tools) == 1}


def _said_of_lists() -> Iterator[tuple[str, frozenset[str]]]:
    for operation in OPERATIONS:
        if operation.reads and operation.method == "GET" and not operation.placeholders:
            yield operation.tool, meaning(operation.tool.partition("_")[2])
            for there in places(operation):
                if there.method == "GET":
                    yield operation.tool, meaning(there.path)
