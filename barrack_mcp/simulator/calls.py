"""What a call is: how it is read, what a function that answers it can ask of it, and how it is declared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Annotated, Any, TypeVar

from pydantic import Field
from pydantic_core import from_json
from starlette.types import Message, Receive, Send

from barrack_mcp.simulator.market import TIERS
from barrack_mcp.simulator.rules import Body, Json, JsonValue, RefusedError, Shape, detail, read
from barrack_mcp.simulator.world import Held, Shelf, World

MAX_BODY = 4 * 1024 * 1024
_PLACEHOLDER = re.compile(r"{(\w+)}")
_WITHOUT_LENGTH = (204, 304)
Item = TypeVar("Item")


_write_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
"""Escapes to ASCII, so that whatever stands in a name can be sent."""


@dataclass(slots=True)
class Answer:
    """What goes back, with the headers that it has beside the length of its body."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def head(self) -> Message:
        """How the answer begins."""
        length = {} if self.status in _WITHOUT_LENGTH else {"content-length": str(len(self.body))}
        headers = length | self.headers
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        return {"type": "http.response.start", "status": self.status, "headers": raw}

    async def send(self, send: Send) -> None:
        """Send it whole."""
        await send(self.head)
        await send({"type": "http.response.body", "body": self.body})


def answer(content: JsonValue, status: int = 200, **headers: str) -> Answer:
    """An answer in JSON."""
    return Answer(status, _write_json(content).encode(), {"content-type": "application/json"} | headers)


async def read_body(receive: Receive) -> bytes | None:
    """The body; of one that is too large only enough to know that. None if it was cut off."""
    kept = bytearray()
    while (message := await receive())["type"] == "http.request":
        kept += message.get("body", b"")[: MAX_BODY + 1 - len(kept)]
        if not message.get("more_body", False):
            return bytes(kept)
    return None


def parse_json(raw: bytes) -> JsonValue:
    """The JSON of a body, None for no body; refuse what is too large, no JSON, null, NaN, or nested too deeply."""
    if len(raw) > MAX_BODY:
        raise detail(413, f"The body is larger than {MAX_BODY} bytes.")
    if not raw.strip():
        return None
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError:
        raise detail(400, "JSON parse error - the body is not valid JSON.") from None
    if value is None:
        raise detail(400, "Invalid data. Expected a JSON object.")
    return value


class _Page(Body):
    page: Annotated[int, Field(ge=1)] = 1
    limit: Annotated[int, Field(ge=1, le=100)] = 20


def pick(thing: object, *names: str, **renamed: str) -> Json:
    """Some of what there is to say of a thing, first what gets another name."""
    row: Json = {name: getattr(thing, own) for name, own in renamed.items()}
    for name in names:
        row[name] = getattr(thing, name)
    return row


@dataclass(slots=True)
class Call:
    """One authenticated, routed call. A write that finds nothing to change sets `changed` to false."""

    world: World
    ids: dict[str, str]
    query: dict[str, str]
    body: Json
    changed: bool = True

    def find(self, shelf: Shelf[Held]) -> Held:
        """The thing that the path names; refuse if the account has none of this id."""
        return shelf.find(self.ids[shelf.argument])

    def read(self, shape: type[Shape]) -> Shape:
        """The body; refuse what does not fit."""
        return read(shape, self.body)

    def read_query(self, shape: type[Shape]) -> Shape:
        """The query; refuse what does not fit."""
        return read(shape, {name: self.query[name] for name in shape.model_fields if name in self.query}, texts=True)

    def read_tier(self) -> str:
        """The tier that the query asks for, in small letters; empty if it asks for none."""
        tier = self.query.get("tier", "").lower()
        if "tier" in self.query and tier not in TIERS:
            raise RefusedError(400, {"tier": ["Select a valid choice. That choice is not one of the available ones."]})
        return tier

    def filter(self, items: Iterable[Item], *names: str, **renamed: str) -> list[Item]:
        """The things or rows that have what the query asks for under these names. Case does not count."""
        if "tier" in names:
            self.read_tier()
        asked = renamed | {name: name for name in names}
        found = list(items)
        look_up: Callable[[str], Callable[[Any], Any]] = (
            itemgetter if found and isinstance(found[0], dict) else attrgetter
        )
        for name, own in asked.items():
            if wanted := self.query.get(name, "").lower():
                # many things, few facts: each fact is compared once
                facts = list(map(look_up(own), found))
                fitting = {fact for fact in set(facts) if str(fact).lower() == wanted}
                found = [item for item, fact in zip(found, facts, strict=True) if fact in fitting]
        return found

    def page(self, root: str, items: Sequence[Item], show: Callable[[Item], Json], **beside: Any) -> Json:
        """One page under `root`, with `total, page, limit, total_pages` at top level."""
        asked = self.read_query(_Page)
        first = (asked.page - 1) * asked.limit
        return {
            root: [show(item) for item in items[first : first + asked.limit]],
            **beside,
            "total": len(items),
            "page": asked.page,
            "limit": asked.limit,
            "total_pages": -(-len(items) // asked.limit),
        }


Answerer = Callable[[Call], Json]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: its tool's name, method, path template, and what answers it."""

    operation: str
    method: str
    path: str
    names: tuple[str, ...]
    """Of the placeholders in the path."""
    answer: Answerer
    status: int
    writes: bool
    bare: bool
    """True where the vendor's published body bears no `request_id`."""


ROUTES: list[Route] = []
"""Every operation that is declared."""


def route(
    method: str, path: str, *, status: int = 200, reads: bool = False, bare: bool = False
) -> Callable[[Answerer], Answerer]:
    """Declare that a function, named as its tool, answers a path; what is no GET takes effect unless it only reads."""

    def declare(answer: Answerer) -> Answerer:
        writes = method != "GET" and not reads
        names = tuple(_PLACEHOLDER.findall(path))
        ROUTES.append(Route(answer.__name__, method, path, names, answer, status, writes, bare))
        return answer

    return declare
