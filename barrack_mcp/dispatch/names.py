"""A thing's unique name is as good as its id: found in the list of its kind before anything is planned or sent.

What looks like an id of the API is taken for one without a look. A name counts letter by letter: what only comes near
is offered, never taken, since the wrong thing might be destroyed.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import anyio
from pydantic import TypeAdapter, ValidationError

from barrack_mcp.account.reading import Reader
from barrack_mcp.account.things import Thing, joined, things
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, JsonObject, Operation
from barrack_mcp.catalogue.kinds import FIREWALL, IMAGE, INSTANCE, KEY, SCRIPT, SNAPSHOT, VOLUME, Kind
from barrack_mcp.catalogue.values import PRIVATE_KEY, RESERVED_IDS, Id, Name
from barrack_mcp.dispatch.arguments import validated

ID_SHAPE: Final = re.compile(r"(?:BRK|FW|KEY|SCR)-[0-9]+[A-Z]{0,2}|[0-9]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What is an id at first sight: `BRK-000001D` as in the vendor's pages, the others inferred. All else may be a name."""

PAGE: Final = 100
MAX_PAGES: Final = 5
SECONDS: Final = 10.0
"""Time for all the looking of one call."""

_DEFAULT_PAGE: Final = 20
"""Rows of a page where the API says neither how many there are nor how many it gives."""
_MOST: Final = 3
"""Things that a sentence names."""
_MOST_SENTENCES: Final = 5
_ID: Final[TypeAdapter[str]] = TypeAdapter(Id)
_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where things of a kind are found.

    Attributes:
        kind: What they are.
        listed: The operation that lists them.
    """

    kind: Kind
    listed: Operation

    @property
    def plural(self) -> str:
        """Several of them, in words."""
        return f"{self.kind.words}s"


_KEYS: Final = Shelf(KEY, BY_TOOL["list_ssh_keys"])
_SCRIPTS: Final = Shelf(SCRIPT, BY_TOOL["list_startup_scripts"])

SHELVES: Final[Mapping[str, Shelf]] = MappingProxyType(
    {
        "instance_id": Shelf(INSTANCE, BY_TOOL["list_instances"]),
        "volume_id": Shelf(VOLUME, BY_TOOL["list_volumes"]),
        "snapshot_id": Shelf(SNAPSHOT, BY_TOOL["list_snapshots"]),
        "image_id": Shelf(IMAGE, BY_TOOL["list_custom_images"]),
        "firewall_id": Shelf(FIREWALL, BY_TOOL["list_firewalls"]),
        "key_id": _KEYS,
        "ssh_key_id": _KEYS,
        "script_id": _SCRIPTS,
        "startup_script_id": _SCRIPTS,
    }
)
"""By the argument that names one such thing; the argument that names several ends in `s`. Rules have no names."""


class NotFoundError(Exception):
    """A name or id stands for no thing, or not for one alone; nothing was changed.

    Attributes:
        sentences: One for each such value, without the value itself.
    """

    def __init__(self, sentences: list[str]) -> None:
        more = len(sentences) - _MOST_SENTENCES
        told = [*sentences[:_MOST_SENTENCES], *([f"The same goes for {more:,} more."] if more > 0 else [])]
        super().__init__(" ".join([*told, "Nothing was changed."]))
        self.sentences = sentences


@dataclass(frozen=True, slots=True)
class _Listing:
    """What could be read of the things of a kind; `unread` says why it could not."""

    found: list[Thing] = field(default_factory=list)
    complete: bool = False
    unread: str = ""


@dataclass(frozen=True, slots=True)
class _Given:
    """A value that names a thing, and where in the arguments it stands."""

    argument: str
    value: str
    place: str

    @property
    def shelf(self) -> Shelf:
        return SHELVES[_singular(self.argument)]


async def resolved(
    operation: Operation, arguments: Mapping[str, Any], *, read: Reader, seconds: float = SECONDS
) -> JsonObject:
    """Answer the arguments with ids in the place of names; what looks like an id, or like nothing, stays as it is.

    Lists are read only if all other arguments are right, each at most once and up to 500 things of it. A name that
    several things have, or that others may have that were not read, is not taken where something would change.

    Args:
        operation: What was called.
        arguments: The arguments as they came.
        read: Sends one read.
        seconds: Time for it all; what isn't read by then counts as unreadable.

    Raises:
        BadArgumentsError: The other arguments are wrong; nothing was read.
        NotFoundError: A name or id stands for nothing, or for several things.
    """
    given = {each.place: each for each in _given(arguments) if _may_be_name(each.value)}
    if not given:
        return dict(arguments)
    stand_ins = {value: f"x{at}" for at, value in enumerate({each.value for each in given.values()})}
    validated(operation, _replaced(arguments, {place: stand_ins[each.value] for place, each in given.items()}))
    library = _Library(read, seconds)
    ids: dict[str, str] = {}
    refused: list[str] = []
    for place, each in given.items():
        listing = await library.listing(each.shelf)
        try:
            ids[place] = _found(each, listing, reads=operation.reads)
        except LookupError as error:
            refused.append(f"{place}: {error}")
    if refused:
        raise NotFoundError(refused)
    return _replaced(arguments, ids)


async def near(operation: Operation, values: Mapping[str, Any], read: Reader, *, seconds: float = SECONDS) -> str:
    """After a 404: say which things the caller may have meant by ids that are in no list; empty if that can't be said.

    Args:
        operation: What the API didn't find.
        values: The arguments of the call.
        read: Sends one read.
        seconds: Time for it all.
    """
    library = _Library(read, seconds)
    told: list[str] = []
    for each in _given({name: value for name, value in values.items() if name in operation.arguments.model_fields}):
        if len(told) == _MOST_SENTENCES:
            break
        listing = await library.listing(each.shelf)
        if each.value in (thing.id for thing in listing.found):
            continue
        if alike := (_mistyped if ID_SHAPE.fullmatch(each.value) else _alike)(each.value, listing.found):
            told.append(f"{each.place}: did you mean {_either(alike)}?")
    return " ".join(told)


class _Library:
    """Reads each list once, all of them within the time there is."""

    def __init__(self, read: Reader, seconds: float) -> None:
        self._read = read
        self._until = anyio.current_time() + seconds
        self._listings: dict[str, _Listing] = {}

    async def listing(self, shelf: Shelf) -> _Listing:
        """What there is of a kind."""
        tool = shelf.listed.tool
        if tool not in self._listings:
            listing = _Listing(unread="That took too long.")
            with anyio.CancelScope(deadline=self._until):
                try:
                    listing = await _listing(shelf, self._read)
                except ApiError as error:
                    listing = _Listing(unread=error.sentence)
            self._listings[tool] = listing
        return self._listings[tool]


async def _listing(shelf: Shelf, read: Reader) -> _Listing:
    tool, root = shelf.listed.tool, shelf.listed.result or ""
    data = await read(tool, {"page": 1, "limit": PAGE})
    rows = data.get(root)
    if not isinstance(rows, list):
        return _Listing(unread="The answer held no list.")
    # the API may give fewer rows than we ask for: as many as it gives make a page
    size, total = len(rows), data.get("total")
    if not isinstance(total, int):
        return _Listing(_identified(shelf, rows), complete=size < _DEFAULT_PAGE and not data.get("notes"))
    last = -(-total // size) if size else 1
    for page in range(2, min(last, MAX_PAGES) + 1):
        more = (await read(tool, {"page": page, "limit": size})).get(root)
        if not isinstance(more, list) or not more:
            break
        rows = rows + more
    return _Listing(_identified(shelf, rows), complete=len(rows) >= total)


def _identified(shelf: Shelf, rows: list[Any]) -> list[Thing]:
    """The things that have an id, each once: pages may overlap while things come and go."""
    return list({thing.id: thing for thing in things(shelf.kind, rows) if thing.id}.values())


def _found(given: _Given, listing: _Listing, *, reads: bool) -> str:
    """Answer the id of the thing that the value stands for. Raises LookupError with the words of a refusal."""
    shelf, value = given.shelf, given.value
    if any(thing.id == value for thing in listing.found):
        return value
    named = [thing for thing in listing.found if thing.name == value]
    if len(named) > 1:
        raise LookupError(f"{len(named)} {shelf.plural} have this name: {_labels(named)}. Give the id.")
    if named and not listing.complete and not reads:
        raise LookupError(
            f"is the name of {named[0].label}, but not all {shelf.plural} could be read, so that another may have it, "
            "too. Give the id."
        )
    if named:
        return named[0].id or value
    if not listing.complete and _valid(_ID, value):
        # what was not read may have it: the API knows
        return value
    if listing.unread:
        raise LookupError(f"is no id, and the {shelf.plural} can't be read to find it by its name. {listing.unread}")
    where = f"no {shelf.kind.words}" if listing.complete else f"none of the first {len(listing.found):,} {shelf.plural}"
    alike = _alike(value, listing.found)
    hint = f"did you mean {_either(alike)}?" if alike else f"{shelf.listed.tool} shows what there is."
    raise LookupError(f"{where} has this id or name; {hint}")


def _alike(value: str, found: list[Thing]) -> list[Thing]:
    """The things whose name or id comes near a value, the nearest first; case aside."""
    known: dict[str, list[Thing]] = {}
    for thing in found:
        for text in filter(None, (thing.name, thing.id)):
            known.setdefault(text[:_LONGEST_COMPARED].casefold(), []).append(thing)
    close = difflib.get_close_matches(value.casefold(), known, n=_MOST)
    return list({thing.id: thing for text in close for thing in known[text]}.values())[:_MOST]


def _mistyped(value: str, found: list[Thing]) -> list[Thing]:
    """The things whose id is an id but for two characters at most; another last letter is another kind of thing."""
    close: list[tuple[float, Thing]] = []
    for thing in found:
        one = (thing.id or "")[:_LONGEST_COMPARED]
        if _KIND_LETTERS.findall(one) != _KIND_LETTERS.findall(value):
            continue
        match = difflib.SequenceMatcher(None, one, value)
        edits = sum(max(b - a, d - c) for tag, a, b, c, d in match.get_opcodes() if tag != "equal")
        if edits <= _MOST_EDITS and match.ratio() >= _ID_LIKENESS:
            close.append((-match.ratio(), thing))
    return [thing for _, thing in sorted(close, key=lambda each: each[0])[:_MOST]]


_KIND_LETTERS: Final = re.compile(r"^[A-Z]+-|(?<=[0-9])[A-Z]+$")
_MOST_EDITS: Final = 2
_ID_LIKENESS: Final = 0.85

_LONGEST_COMPARED: Final = 100
"""Characters of a name: comparing takes time by their product."""


def _labels(found: list[Thing]) -> str:
    return joined([thing.label for thing in found], most=_MOST)


def _either(found: list[Thing]) -> str:
    return " or ".join(thing.label for thing in found)


def _singular(argument: str) -> str:
    return argument.removesuffix("s")


def _given(arguments: Mapping[str, Any]) -> Iterator[_Given]:
    """All texts in arguments that name things, each with its place."""
    for argument, value in arguments.items():
        if _singular(argument) not in SHELVES:
            continue
        if isinstance(value, str) and not argument.endswith("s"):
            yield _Given(argument, value, argument)
        elif argument.endswith("s"):
            for at, each in enumerate(_decoded(value)):
                if isinstance(each, str):
                    yield _Given(argument, each, f"{argument}.{at}")


def _replaced(arguments: Mapping[str, Any], texts: Mapping[str, str]) -> JsonObject:
    """The arguments with other texts in some places."""
    changed = dict(arguments)
    for argument, value in arguments.items():
        if argument in texts:
            changed[argument] = texts[argument]
        elif _singular(argument) in SHELVES and (several := _decoded(value)):
            changed[argument] = [texts.get(f"{argument}.{at}", each) for at, each in enumerate(several)]
    return changed


def _decoded(value: object) -> list[Any]:
    """A list, which some clients send as JSON text; empty for all else."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    return value if isinstance(value, list) else []


def _may_be_name(value: str) -> bool:
    """Whether it is worth a look: not an id at first sight, and nothing that neither a name nor an id can be."""
    if ID_SHAPE.fullmatch(value) or PRIVATE_KEY.search(value) or value.casefold() in RESERVED_IDS:
        return False
    stands_out = value == value.strip() and any(char.isalnum() for char in value)
    return stands_out and (_valid(_ID, value) or _valid(_NAME, value))


def _valid(adapter: TypeAdapter[str], value: str) -> bool:
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
